"""Who else has a case open, so that two do not answer at once (peers 4.2)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max

from apps.core.models import User
from apps.feedback.choices import EntryKind
from apps.feedback.models import Entry, Feedback, Presence

HERE_FOR = timedelta(seconds=50)
WRITES_FOR = timedelta(seconds=40)
KEPT_FOR = timedelta(hours=1)


def beat(*, feedback: Feedback, user: User, typing: bool, now: datetime) -> dict[str, Any]:
    """Say "I am here" and learn who else is, and what was said last. Three queries."""
    values: dict[str, Any] = {"seen_at": now} | ({"typed_at": now} if typing else {})
    Presence.objects.update_or_create(feedback=feedback, user=user, defaults=values)
    others = (
        Presence.objects.filter(feedback=feedback, seen_at__gte=now - HERE_FOR)
        .exclude(user=user)
        .select_related("user")
    )
    newest = Entry.objects.filter(feedback=feedback).exclude(kind=EntryKind.NOTE).aggregate(n=Max("pk"))["n"]
    return {
        "newest": newest or 0,
        "others": [
            {
                "name": str(row.user),
                "writes": row.typed_at is not None and row.typed_at >= now - WRITES_FOR,
            }
            for row in others
        ],
    }


def leave(*, feedback: Feedback, user: User) -> None:
    """The page was closed or its text sent."""
    Presence.objects.filter(feedback=feedback, user=user).delete()


def forget(*, now: datetime) -> int:
    """Drop what is old; answers how many rows."""
    return Presence.objects.filter(seen_at__lt=now - KEPT_FOR).delete()[0]
