"""Gifts: stock and parcels. The stock is never below zero, however many take at once."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core import masking
from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError, InvalidInput
from apps.core.models import ActionLog, User
from apps.core.services.approvals import holders
from apps.core.services.notices import notify
from apps.core.workflow import perform
from apps.rewards.choices import DeliveryState, GrantState
from apps.rewards.models import Gift, GiftDelivery, Grant
from apps.rewards.selectors import policy
from apps.rewards.services import budgets
from apps.rewards.transitions import DELIVER, DELIVERY, GIFT, GRANT

MOST = 100_000


class OutOfStock(DomainError):
    """No gift of this kind is left."""

    code = "out_of_stock"
    status = 422


def take(*, gift: Gift, grant: Grant, now: datetime) -> GiftDelivery:
    """One piece leaves the stock for this grant's customer. Raises OutOfStock."""
    if not Gift.objects.filter(pk=gift.pk, status="on", stock__gt=0).update(stock=F("stock") - 1):
        raise OutOfStock(_("“%(gift)s” is out of stock.") % {"gift": gift}, field="gift")
    return GiftDelivery.objects.create(
        grant=grant,
        gift=gift,
        customer=grant.customer,
        recipient=grant.customer.name,
        phone=grant.customer.phone,
        due_at=now + timedelta(days=policy().delivery_days),
    )


def put_back(*, delivery: GiftDelivery, now: datetime) -> None:
    """The piece is in stock again; called with the delivery's cancellation."""
    Gift.objects.filter(pk=delivery.gift_id).update(stock=F("stock") + 1, updated_at=now)


@transaction.atomic
def restock(*, gift: Gift, count: int, reason: str, by: User, now: datetime) -> ActionLog:
    """Pieces came in, or with a minus are missing."""
    if not count or abs(count) > MOST:
        raise InvalidInput(_("How many?"), field="count")
    log = perform(GIFT, gift, "restock", by=by, now=now, reason=reason, via="admin", data={"count": count})
    rows = Gift.objects.filter(pk=gift.pk)
    if count < 0:
        rows = rows.filter(stock__gte=-count)
    if not rows.update(stock=F("stock") + count):
        raise OutOfStock(_("There are not so many in stock."), field="count")
    gift.refresh_from_db(fields=["stock"])
    return log


def retire(*, gift: Gift, by: User, now: datetime) -> ActionLog:
    """Not given any more."""
    return perform(GIFT, gift, "retire", by=by, now=now, via="admin")


def revive(*, gift: Gift, by: User, now: datetime) -> ActionLog:
    """Given again."""
    return perform(GIFT, gift, "revive", by=by, now=now, via="admin")


@transaction.atomic
def send(
    *,
    delivery: GiftDelivery,
    carrier: str,
    tracking_no: str,
    by: User,
    now: datetime,
    recipient: str = "",
    phone: str = "",
    address: str = "",
) -> ActionLog:
    """The parcel is with the carrier. Needs carrier, number and an address; the cost leaves the budget."""
    to = {
        "recipient": recipient.strip() or delivery.recipient,
        "phone": phone.strip() or delivery.phone,
        "address": address.strip() or delivery.address,
    }
    if not carrier.strip() or not tracking_no.strip():
        raise InvalidInput(_("Carrier and tracking number belong to a parcel."), field="tracking_no")
    if not to["address"]:
        raise InvalidInput(_("Where does it go?"), field="address")
    log = perform(
        DELIVERY,
        delivery,
        "send",
        by=by,
        now=now,
        via="admin",
        changes={"carrier": carrier.strip(), "tracking_no": tracking_no.strip(), "sent_at": now},
    )
    # The address stays out of the action log.
    GiftDelivery.objects.filter(pk=delivery.pk).update(**to)
    for name, value in to.items():
        setattr(delivery, name, value)
    grant = delivery.grant
    if grant.status == GrantState.GRANTED:
        perform(
            GRANT,
            grant,
            "settle",
            by=None,
            now=now,
            via="gift",
            changes={"actual_cost": grant.cost, "settled_at": now},
        )
        budgets.book(
            budget_id=grant.budget_id,
            grant_id=grant.pk,
            key=f"sent:{delivery.pk}",
            by=by,
            now=now,
            commit=-grant.cost,
            spend=grant.cost,
        )
    return log


@transaction.atomic
def deliver(*, delivery: GiftDelivery, by: User, now: datetime) -> ActionLog:
    """It has arrived; where it went is kept masked from now on."""
    log = perform(DELIVERY, delivery, "deliver", by=by, now=now, via="admin", changes={"delivered_at": now})
    to = {
        "recipient": masking.mask_name(delivery.recipient),
        "phone": masking.mask_shipping_phone(delivery.phone),
        "address": masking.mask_address(delivery.address),
    }
    GiftDelivery.objects.filter(pk=delivery.pk).update(**to)
    for name, value in to.items():
        setattr(delivery, name, value)
    return log


def give_back(*, delivery: GiftDelivery, reason: str, by: User, now: datetime) -> ActionLog:
    """The parcel came back. Send it again, or take the grant back: then the piece is in stock again."""
    return perform(DELIVERY, delivery, "give_back", by=by, now=now, reason=reason, via="admin")


def resend(*, delivery: GiftDelivery, by: User, now: datetime) -> ActionLog:
    """It waits to be sent once more, with a new date; whoever forgets it is told again."""
    return perform(
        DELIVERY,
        delivery,
        "resend",
        by=by,
        now=now,
        via="admin",
        changes={"due_at": now + timedelta(days=policy().delivery_days), "told_overdue": False},
    )


def tell_overdue(*, now: datetime, limit: int = 500) -> int:
    """Tell those who send gifts about parcels past their date, each parcel once."""
    late = list(
        GiftDelivery.objects.filter(
            status=DeliveryState.TO_SEND, due_at__lte=now, told_overdue=False
        ).values_list("pk", flat=True)[:limit]
    )
    if not late:
        return 0
    with transaction.atomic(), translation.override(settings.LANGUAGE_CODE):
        notify(
            recipients=holders(DELIVER),
            level=NoticeLevel.WARNING,
            title=ngettext(
                "%(count)d gift should have been sent by now",
                "%(count)d gifts should have been sent by now",
                len(late),
            )
            % {"count": len(late)},
            url="/admin/rewards/giftdelivery/",
            key=f"gifts_overdue:{max(late)}:{now:%Y%m%d%H}",
            now=now,
        )
        GiftDelivery.objects.filter(pk__in=late).update(told_overdue=True)
    return len(late)
