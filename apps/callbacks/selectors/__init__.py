"""Reads over callbacks, for higher apps and for screens."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.callbacks.choices import CallbackState
from apps.callbacks.models import Callback
from apps.core.masking import mask_text
from apps.customers.registries import TimelineEvent

LIMIT = 100


def finished_of(subject_key: str) -> list[Callback]:
    """Callbacks about one record that came to an end, done or given up, newest first. For sweeps of higher apps. One query."""
    return list(Callback.objects.finished().filter(subject_key=subject_key).order_by("-finished_at", "-pk"))


def of_subject(subject_key: str) -> list[Callback]:
    """Every callback about one record, newest first. One query."""
    rows = Callback.objects.filter(subject_key=subject_key).select_related("assignee")
    return list(rows.order_by("-due_at", "-pk")[:LIMIT])


def timeline_events(customer_id: int, user: Any, limit: int) -> Iterable[TimelineEvent]:
    """Callbacks that were made or called off; planned ones lie in the future and stand on their tab (R25). One query."""
    if not user.has_perm("callbacks.view_callback"):
        return
    rows = Callback.objects.visible_to(user).filter(customer_id=customer_id, finished_at__isnull=False)
    for row in rows.select_related("finished_by").order_by("-finished_at", "-pk")[:limit]:
        assert row.finished_at is not None
        what = row.get_outcome_display() if row.outcome else row.get_status_display()
        stars = f" {row.satisfaction}★" if row.satisfaction else ""
        yield TimelineEvent(
            at=row.finished_at,
            kind="callback",
            title=f"{_('Callback')} · {what}{stars} · {row.finished_by or ''}".rstrip(" ·"),
            text=mask_text(row.note or row.reason),
            url=reverse("admin:callbacks_callback_change", args=[row.pk]),
            icon="phone_callback",
        )


def customer_panel(customer: Any, user: Any) -> dict[str, Any]:
    """The tab of a customer: what is planned first, then what was said. One query."""
    rows = list(
        Callback.objects.visible_to(user)
        .filter(customer_id=customer.pk)
        .select_related("assignee", "feedback", "finished_by")
        .order_by("-due_at", "-pk")[:LIMIT]
    )
    answered = [row.satisfaction for row in rows if row.satisfaction]
    return {
        "callbacks": sorted(rows, key=lambda row: not row.is_open),
        "planned_count": sum(row.is_open for row in rows),
        "done_count": sum(row.status == CallbackState.DONE for row in rows),
        "mean": round(sum(answered) / len(answered), 1) if answered else None,
        "answered": len(answered),
        "may_plan": user.has_perm("callbacks.add_callback"),
    }


def case_panel(feedback: Any, user: Any, now: datetime) -> dict[str, Any] | None:
    """The card beside a case. One query."""
    if not user.has_perm("callbacks.view_callback"):
        return None
    rows = list(
        Callback.objects.filter(feedback=feedback).select_related("assignee").order_by("-due_at", "-pk")[:10]
    )
    may_plan = (
        user.has_perm("callbacks.add_callback")
        and feedback.customer_id is not None
        and not any(row.is_open for row in rows)
    )
    if not rows and not may_plan:
        return None
    return {"callbacks": rows, "may_plan": may_plan, "case": feedback}


def counted(rows: Any) -> str:
    """How many, at most LIMIT."""
    n = rows.order_by()[: LIMIT + 1].count()
    return f"{LIMIT}+" if n > LIMIT else str(n)
