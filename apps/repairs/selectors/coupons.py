"""Coupons issued as remedies: which can still be used, and whether the customer knows of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from apps.core.models import ActionLog
from apps.messaging.choices import GONE
from apps.messaging.models import OutboundMessage
from apps.repairs.models import Remedy
from apps.rewards.choices import CouponState
from apps.rewards.models import Coupon

LABEL = "repairs.remedy"
TELL = "tell"


def coupon_of(remedy: Remedy, *, now: datetime) -> Coupon | None:
    """The coupon that was issued for a remedy and can still be used. One query."""
    if remedy.grant_id is None:
        return None
    rows = Coupon.objects.select_related("type", "customer")
    return rows.filter(grant=remedy.grant_id, status=CouponState.ISSUED, valid_until__gt=now).first()


def told(remedies: Iterable[Remedy]) -> set[int]:
    """Of which of these the customer knows: told by a person, or by a message that has not failed. Two queries."""
    rows = ActionLog.objects.filter(model=LABEL, verb=TELL, object_id__in=[row.pk for row in remedies])
    found = {(pk, data.get("message")) for pk, data in rows.values_list("object_id", "data")}
    sent = [message for _pk, message in found if message]
    alive = set(
        OutboundMessage.objects.filter(pk__in=sent).exclude(state__in=GONE).values_list("pk", flat=True)
    )
    return {pk for pk, message in found if message is None or message in alive}
