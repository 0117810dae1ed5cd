"""Coupons: types, codes, redeeming once, freeing once (R49; odoo#205431, PR#62767, PR#222372)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.compliance.selectors import check
from apps.compliance.services import verdicts
from apps.compliance.types import Facts
from apps.core.exceptions import DomainError, InvalidInput, NotPermitted
from apps.core.hashing import phone_key
from apps.core.models import ActionLog, User
from apps.core.public import new_code, tidy_code
from apps.core.workflow import perform
from apps.customers.choices import OrderStatus
from apps.customers.models import Customer, Order
from apps.customers.selectors import living, surviving
from apps.rewards.choices import CouponKind, CouponState, GrantState
from apps.rewards.models import Coupon, CouponType, CouponUse, Grant
from apps.rewards.services import budgets
from apps.rewards.transitions import COUPON, GRANT

# 23 unambiguous signs, twelve of them: 54 bits nobody guesses.
CODE_LENGTH = 12
CENT = Decimal("0.01")
BATCH = 500
IMPORT_MOST = 50_000
CANCELLED_WITHIN = timedelta(days=90)


class Refused(DomainError):
    """This coupon cannot be redeemed so; `code` says why."""

    status = 409


# -- types ----------
def facts_of(kind: CouponType) -> Facts:
    """What is known about a coupon type. It hangs on nothing: what a campaign ties it to is the campaign's check."""
    return Facts(
        subject="coupon",
        reward="coupon",
        trigger="none",
        review_script_required=False,
        invites_review=False,
        coupon_terms=kind.terms_given,
        shows_discount=False,
        # The same price for whoever holds one.
        price_by_profile=False,
    )


def check_type(*, kind: CouponType, by: User | None, now: datetime) -> None:
    """Ask the law about the words and terms customers see. Raises Unlawful with the findings; keeps the verdict."""
    text = "\n".join([kind.name, kind.scope, kind.stacking, kind.text])
    facts = facts_of(kind)
    findings = check(text, facts=facts, at=now)
    held = [finding for finding in findings if finding.action in ("block", "require_approval")]
    if findings and not held:
        verdicts.keep(
            findings=findings, text=text, by=by, now=now, facts=facts, subject_key=f"coupon_type:{kind.code}"
        )
    if held:
        raise verdicts.Unlawful(
            " ".join(dict.fromkeys(finding.message for finding in held)), findings=findings
        )


# -- issuing ----------
def validity(kind: CouponType, now: datetime) -> tuple[datetime, datetime]:
    """From when until when a coupon issued now is good: whole days of the shop's calendar."""
    zone = timezone.get_current_timezone()

    def midnight(day: Any) -> datetime:
        return datetime.combine(day, time.min, tzinfo=zone)

    if kind.valid_days:
        return now, midnight(timezone.localdate(now) + timedelta(days=kind.valid_days + 1))
    if kind.first_day is None or kind.last_day is None:
        raise InvalidInput(_("This coupon type says nothing of how long it is good."), field="coupon_type")
    until = midnight(kind.last_day + timedelta(days=1))
    if until <= now:
        raise Refused(_("Coupons of this type are out of date."), code="type_expired")
    return midnight(kind.first_day), until


@transaction.atomic
def issue(
    *, kind: CouponType, customer: Customer, grant: Grant | None, by: User | None, now: datetime
) -> Coupon:
    """Bind a new code, or one from the platform's list, to a customer.

    Called under the customer's lock (`grants.grant`). Raises Refused where the type is out of use or of stock, where
    the customer has had all they may have, or no code is left in the pool.
    """
    kind.refresh_from_db()
    if not kind.is_active:
        raise Refused(_("“%(coupon)s” is not in use.") % {"coupon": kind}, code="type_inactive")
    valid_from, valid_until = validity(kind, now)
    if kind.per_customer is not None:
        had = Coupon.objects.filter(customer=customer, type=kind).exclude(status=CouponState.VOID).count()
        if had >= kind.per_customer:
            raise Refused(_("This customer has had all coupons of this type."), code="per_customer")
    room = Q(quantity__isnull=True) | Q(issued__lt=F("quantity"))
    if not CouponType.objects.filter(room, pk=kind.pk).update(issued=F("issued") + 1):
        raise Refused(_("No more “%(coupon)s” are to be had.") % {"coupon": kind}, code="none_left")
    values = {
        "customer_id": customer.pk,
        "grant_id": grant.pk if grant else None,
        "valid_from": valid_from,
        "valid_until": valid_until,
        "issued_at": now,
    }
    if kind.from_pool:
        return _from_pool(kind, values, by=by, now=now)
    for _attempt in range(5):
        try:
            with transaction.atomic():
                return Coupon.objects.create(
                    code=new_code(CODE_LENGTH), type=kind, status=CouponState.ISSUED, **values
                )
        except IntegrityError:
            continue
    raise AssertionError("five codes in a row were taken")


def _from_pool(kind: CouponType, values: dict[str, Any], *, by: User | None, now: datetime) -> Coupon:
    # Two takers never wait for one code: PostgreSQL skips what another holds, SQLite has one writer at a time.
    pool = Coupon.objects.filter(type=kind, status=CouponState.UNUSED).filter(
        Q(valid_until__isnull=True) | Q(valid_until__gt=now)
    )
    skip = connection.features.has_select_for_update_skip_locked
    coupon = pool.select_for_update(of=("self",), skip_locked=skip).order_by("id").first()
    if coupon is None:
        raise Refused(
            _("No code of “%(coupon)s” is left. Import more from the platform.") % {"coupon": kind},
            code="pool_empty",
        )
    if coupon.valid_until is not None:
        values["valid_until"] = min(values["valid_until"], coupon.valid_until)
    perform(COUPON, coupon, "issue", by=None, now=now, changes=values, via="grant")
    return coupon


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a list of codes."""

    added: int
    known: int
    refused: int


@transaction.atomic
def import_codes(*, kind: CouponType, text: str, by: User, now: datetime) -> Imported:
    """Put a platform's codes, one a line, into the pool. Codes that are there already change nothing."""
    if not by.has_perm("rewards.import_coupon"):
        raise NotPermitted(_("You may not import codes."))
    if not kind.from_pool:
        raise InvalidInput(_("Codes of this type are made here."), field="type")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > IMPORT_MOST:
        raise InvalidInput(_("At most %(limit)d codes at a time.") % {"limit": IMPORT_MOST}, field="codes")
    codes = dict.fromkeys(
        line for line in lines if 4 <= len(line) <= 40 and line.isascii() and line.isprintable()
    )
    before = kind.coupons.count()
    Coupon.objects.bulk_create(
        (
            Coupon(code=code, type=kind, status=CouponState.UNUSED, created_at=now, updated_at=now)
            for code in codes
        ),
        batch_size=BATCH,
        ignore_conflicts=True,
    )
    added = kind.coupons.count() - before
    distinct = len(set(lines))
    ActionLog.objects.create(
        model="rewards.coupontype",
        object_id=kind.pk,
        verb="import",
        by=by,
        via="admin",
        at=now,
        data={"added": added},
    )
    return Imported(added, len(codes) - added, distinct - len(codes))


def find(code: str) -> Coupon | None:
    """The coupon somebody typed the code of: as it is, or tidied of blanks and small letters."""
    typed = code.strip()
    rows = Coupon.objects.filter(code__in={typed, tidy_code(code)}).select_related("type", "customer")
    # Codes of platforms may differ by capitals alone: the one that was typed is meant.
    return min(rows, key=lambda row: (row.code != typed, row.pk), default=None)


# -- redeeming ----------
@dataclass(frozen=True, slots=True)
class Redemption:
    """The answer to a redemption; `replayed` when this very request had been answered before."""

    coupon: Coupon
    use: CouponUse
    replayed: bool


def people(*, external_id: str = "", phone: str = "") -> set[int] | None:
    """Keys of the customers a till names, merged ones followed; None when it names nobody."""
    found: set[int] | None = None
    if external_id:
        found = set(living(Customer.objects.filter(external_id=external_id)))
    if phone:
        key = phone_key(phone)
        by_phone = set(living(Customer.objects.filter(phone_hash=key))) if key else set()
        found = by_phone if found is None else found & by_phone
    return found


@transaction.atomic
def redeem(
    *,
    coupon: Coupon,
    request_id: str,
    by: User | None,
    now: datetime,
    customers: set[int] | None = None,
    order_no: str = "",
    amount: Decimal | None = None,
    via: str = "admin",
) -> Redemption:
    """Use a coupon once. The same `request_id` gets the same answer again, another one `already_redeemed`.

    `customers` are the keys of whom the till named (`people`), `amount` the order in CNY. Refusals carry a stable code:
    already_redeemed, wrong_customer, customer_needed, not_yet_valid, expired, void, not_issued, order_too_small,
    amount_needed, order_cancelled, request_reused.
    """
    # The lock comes first: of eight callers at once seven see what the first one did.
    coupon = (
        Coupon.objects.select_for_update(of=("self",), no_key=True)
        .select_related("type", "customer", "grant")
        .get(pk=coupon.pk)
    )
    order_no = order_no.strip()
    asked = {
        "order_no": order_no,
        "amount": f"{amount:.2f}" if amount is not None else None,
        "customers": sorted(customers) if customers is not None else None,
    }
    before = CouponUse.objects.filter(coupon=coupon, request_id=request_id).first()
    if before is not None:
        if before.asked != asked:
            raise Refused(_("This request number was used for another redemption."), code="request_reused")
        return Redemption(coupon, before, True)
    order = Order.objects.filter(order_no=order_no).first() if order_no else None
    _refuse(coupon, order, customers, now)
    if amount is None and order is not None:
        amount = order.total
    benefit = _benefit(coupon.type, amount)
    perform(
        COUPON,
        coupon,
        "redeem",
        by=by,
        now=now,
        via=via[:20],
        changes={"redeemed_at": now},
        data={"request": request_id},
    )
    use = CouponUse.objects.create(
        coupon=coupon,
        request_id=request_id,
        asked=asked,
        order_no=order_no,
        amount=amount,
        benefit=benefit,
        at=now,
        via=via[:40],
    )
    _settle(coupon.grant, use, now=now)
    return Redemption(coupon, use, False)


def _refuse(coupon: Coupon, order: Order | None, customers: set[int] | None, now: datetime) -> None:
    state = coupon.status
    if state == CouponState.REDEEMED:
        raise Refused(_("This coupon has been redeemed already."), code="already_redeemed")
    if state == CouponState.VOID:
        raise Refused(_("This coupon has been made void."), code="void")
    if state == CouponState.UNUSED:
        raise Refused(_("This coupon has not been given to anybody yet."), code="not_issued")
    if coupon.customer is None or coupon.valid_from is None or coupon.valid_until is None:
        raise Refused(_("This coupon has not been given to anybody yet."), code="not_issued")
    # The customer first: whoever found somebody else's coupon learns nothing more about it.
    own = {coupon.customer_id, surviving(coupon.customer).pk}
    if customers is not None and not customers & own:
        raise Refused(_("This coupon belongs to another customer."), code="wrong_customer")
    if order is not None and order.customer is not None and surviving(order.customer).pk not in own:
        raise Refused(_("This coupon belongs to another customer."), code="wrong_customer")
    if coupon.type.must_name and customers is None and (order is None or order.customer_id is None):
        raise Refused(
            _("Say which customer stands there: number or phone."), code="customer_needed", field="customer"
        )
    if now < coupon.valid_from:
        raise Refused(_("This coupon is not good yet."), code="not_yet_valid")
    if state == CouponState.EXPIRED or now >= coupon.valid_until:
        raise Refused(_("This coupon has expired."), code="expired")
    if order is not None and order.status == OrderStatus.CANCELLED:
        raise Refused(_("This order was cancelled."), code="order_cancelled", field="order_no")


def _benefit(kind: CouponType, amount: Decimal | None) -> Decimal | None:
    """What the customer saves, CNY; None where it hangs on an amount nobody named."""
    if kind.minimum_spend:
        if amount is None:
            raise Refused(_("Say how much the order is."), code="amount_needed", field="amount")
        if amount < kind.minimum_spend:
            raise Refused(
                _("Good from an order of ¥%(least)s.") % {"least": f"{kind.minimum_spend:.2f}"},
                code="order_too_small",
                field="amount",
            )
    if kind.kind == CouponKind.PERCENT:
        if amount is None:
            return None
        return (amount * (kind.percent_off or 0) / 100).quantize(CENT, ROUND_HALF_UP)
    face = kind.face_value or Decimal(0)
    return face if amount is None else min(face, amount)


def _settle(grant: Grant | None, use: CouponUse, *, now: datetime) -> None:
    """A redeemed coupon costs what was set aside for it."""
    if grant is None or grant.status != GrantState.GRANTED:
        return
    perform(
        GRANT,
        grant,
        "settle",
        by=None,
        now=now,
        via="coupon",
        changes={"actual_cost": grant.cost, "settled_at": now},
    )
    budgets.book(
        budget_id=grant.budget_id,
        grant_id=grant.pk,
        key=f"use:{use.pk}",
        by=None,
        now=now,
        commit=-grant.cost,
        spend=grant.cost,
    )


def _reopen(grant: Grant, *, key: str, keep: bool, now: datetime) -> None:
    """The money comes back: set aside again, or (`keep` False) free for others."""
    if grant.status == GrantState.SETTLED and keep:
        perform(
            GRANT,
            grant,
            "reopen",
            by=None,
            now=now,
            via="coupon",
            changes={"actual_cost": None, "settled_at": None},
        )
    elif grant.status == GrantState.SETTLED:
        Grant.objects.filter(pk=grant.pk).update(actual_cost=Decimal(0), updated_at=now)
    else:
        return
    budgets.book(
        budget_id=grant.budget_id,
        grant_id=grant.pk,
        key=key,
        by=None,
        now=now,
        commit=grant.cost if keep else Decimal(0),
        spend=-grant.cost,
    )


# -- the order is cancelled ----------
def free_for_orders(*, order_ids: Iterable[int], now: datetime) -> int:
    """Coupons used for orders that are cancelled are good again, once; after their last day they stay expired.

    Two queries where nothing was cancelled. Answers how many uses ended.
    """
    cancelled = Order.objects.filter(pk__in=list(order_ids), status=OrderStatus.CANCELLED)
    numbers = [number for number in cancelled.values_list("order_no", flat=True) if number]
    if not numbers:
        return 0
    return _free(CouponUse.objects.filter(order_no__in=numbers, freed_at__isnull=True), now=now)


def free_cancelled(*, now: datetime, limit: int = BATCH) -> int:
    """Catch up: an order may be cancelled in the moment its coupon is redeemed, neither seeing the other."""
    numbers = Order.objects.filter(status=OrderStatus.CANCELLED).values("order_no")
    recent = CouponUse.objects.filter(
        at__gt=now - CANCELLED_WITHIN, freed_at__isnull=True, order_no__in=numbers
    )
    return _free(recent.exclude(order_no="")[:limit], now=now)


def _free(uses: QuerySet[CouponUse], *, now: datetime) -> int:
    return sum(
        _free_one(use_id, coupon_id, now) for use_id, coupon_id in list(uses.values_list("pk", "coupon_id"))
    )


@transaction.atomic
def _free_one(use_id: int, coupon_id: int, now: datetime) -> bool:
    coupon = (
        Coupon.objects.select_for_update(of=("self",), no_key=True).select_related("grant").get(pk=coupon_id)
    )
    if not CouponUse.objects.filter(pk=use_id, freed_at__isnull=True).update(freed_at=now):
        return False
    if coupon.status != CouponState.REDEEMED:
        return False
    good = coupon.valid_until is not None and now < coupon.valid_until
    perform(
        COUPON,
        coupon,
        "free" if good else "lapse",
        by=None,
        now=now,
        via="order",
        changes={"redeemed_at": None},
    )
    if coupon.grant is not None:
        _reopen(coupon.grant, key=f"free:{use_id}", keep=good, now=now)
    return True


# -- void and expired ----------
@transaction.atomic
def void(*, coupon: Coupon, reason: str, by: User | None, now: datetime, via: str = "admin") -> ActionLog:
    """Make a code worthless; what was set aside for it is free again."""
    coupon = (
        Coupon.objects.select_for_update(of=("self",), no_key=True).select_related("grant").get(pk=coupon.pk)
    )
    log = perform(COUPON, coupon, "void", by=by, now=now, reason=reason, via=via)
    if coupon.grant is not None and coupon.grant.status == GrantState.GRANTED:
        close_unused(coupon.grant, key=f"void:{coupon.pk}", by=by, now=now, via=via)
    return log


def close_unused(grant: Grant, *, key: str, by: User | None, now: datetime, via: str) -> None:
    """A promise nobody used: it cost nothing."""
    perform(
        GRANT,
        grant,
        "settle",
        by=None,
        now=now,
        via=via,
        changes={"actual_cost": Decimal(0), "settled_at": now},
    )
    budgets.book(budget_id=grant.budget_id, grant_id=grant.pk, key=key, by=by, now=now, commit=-grant.cost)


def expire_due(*, now: datetime, limit: int = BATCH) -> int:
    """Coupons past their date expire and free their money. Each by itself; running twice changes nothing more."""
    count = 0
    due = Coupon.objects.filter(status__in=[CouponState.ISSUED, CouponState.UNUSED], valid_until__lte=now)
    for pk in list(due.order_by("valid_until").values_list("pk", flat=True)[:limit]):
        with transaction.atomic():
            coupon = (
                Coupon.objects.select_for_update(of=("self",), no_key=True).select_related("grant").get(pk=pk)
            )
            try:
                perform(COUPON, coupon, "expire", by=None, now=now, via="sweep")
            except DomainError:
                # Redeemed or made void meanwhile.
                continue
            if coupon.grant is not None and coupon.grant.status == GrantState.GRANTED:
                close_unused(coupon.grant, key=f"expire:{pk}", by=None, now=now, via="sweep")
            count += 1
    return count


def redeem_by_hand(
    *, coupon: Coupon, order_no: str, amount: Decimal | None, by: User, now: datetime
) -> ActionLog:
    """A colleague at the till, without a cash system: the same rules, one request a press of the button."""
    done = redeem(
        coupon=coupon,
        request_id=f"admin:{by.pk}:{now.isoformat()}",
        by=by,
        now=now,
        order_no=order_no,
        amount=amount,
    )
    return ActionLog.objects.filter(model="rewards.coupon", object_id=done.coupon.pk, verb="redeem").latest(
        "id"
    )
