"""Cards of the first page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import F, Q

from apps.core.counting import bounded_counts, shown
from apps.repairs.choices import RepairStatus
from apps.repairs.models import RepairCase
from apps.repairs.selectors.queue import narrowed

LIST = "/admin/repairs/repaircase/"


def mine(user: Any, now: datetime) -> dict[str, Any] | None:
    """My repairs by what is due next; nothing while I have none. Two queries."""
    if not user.has_perm("repairs.view_repaircase"):
        return None
    rows = (
        RepairCase.objects.open()
        .filter(Q(feedback__assignee_id=user.pk) | Q(handler_id=user.pk))
        .select_related("feedback", "channel")
        .defer("feedback__text", "feedback__reading")
        .order_by(F("next_due_at").asc(nulls_last=True), "id")
    )
    shown_rows = list(rows[:6])
    if not shown_rows:
        return None
    return {"rows": shown_rows, "url": f"{LIST}?tab=mine"}


def leads(user: Any, now: datetime) -> dict[str, Any] | None:
    """Overdue repairs, reviews missing on their platform, urgent ones without contact. One query."""
    if not user.has_perm("repairs.lead_repaircase"):
        return None
    seen = RepairCase.objects.visible_to(user)
    counts = bounded_counts(
        {
            "overdue": seen.overdue(now).order_by("next_due_at"),
            "unseen": narrowed(user, "unseen", now, seen),
            "urgent": seen.filter(tier="S", status__in=(RepairStatus.COLLECTED, RepairStatus.TRIAGED)),
            "reply": narrowed(user, "reply", now, seen),
        }
    )
    if not any(counts.values()):
        return None
    return {"counts": {name: shown(count) for name, count in counts.items()}, "alarm": counts["urgent"] > 0}
