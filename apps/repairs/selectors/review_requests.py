"""How many were asked, and why others were not (R68)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count

from apps.messaging import wording
from apps.messaging.choices import REACHED, MessageState
from apps.repairs.models import ReviewRequest, ReviewRequestPlan

DAYS = 30


@dataclass(frozen=True, slots=True)
class Figures:
    """Orders of the last 30 days: sent, still to go, not sent with reasons."""

    orders: int
    sent: int
    waiting: int
    reasons: tuple[tuple[str, int], ...]


def figures(plan: ReviewRequestPlan, *, now: datetime) -> Figures:
    """One query; the index `repairs_request_of_plan` bounds it."""
    rows = (
        ReviewRequest.objects.filter(plan=plan, at__gte=now - timedelta(days=DAYS))
        .order_by()
        .values_list("message__state", "message__error_code")
        .annotate(n=Count("pk"))
    )
    sent = waiting = total = 0
    reasons: dict[str, int] = {}
    for state, code, n in rows:
        total += n
        if state in REACHED:
            sent += n
        elif state in (MessageState.REFUSED, MessageState.FAILED, MessageState.CANCELLED):
            words = str(wording.reason(code)) or str(MessageState(state).label)
            reasons[words] = reasons.get(words, 0) + n
        else:
            waiting += n
    return Figures(total, sent, waiting, tuple(sorted(reasons.items(), key=lambda pair: -pair[1])))
