"""The last notes of one's teams."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from apps.core.models import User
from apps.feedback.choices import ShiftPart
from apps.feedback.models import ShiftNote, ShiftNoteRead
from apps.shop.models import Team, TeamMember

SHOWN = 4
RECENT = timedelta(days=4)


def shift_at(now: datetime) -> str:
    """The shift of an hour in the shop: early 6–10, day 10–16, late 16–22, night."""
    hour = timezone.localtime(now).hour
    if 6 <= hour < 10:
        return ShiftPart.EARLY
    if 10 <= hour < 16:
        return ShiftPart.DAY
    return ShiftPart.LATE if 16 <= hour < 22 else ShiftPart.NIGHT


def teams_of(user: User) -> QuerySet[Team]:
    """The teams a person belongs to."""
    return Team.objects.filter(is_active=True, members__user=user).order_by("name", "id")


def visible_to(user: User, queryset: QuerySet[Any]) -> QuerySet[Any]:
    """Notes of one's own teams; leads read those of every team."""
    if user.has_perm("feedback.assign_feedback"):
        return queryset
    return queryset.filter(team__in=TeamMember.objects.filter(user=user).values("team"))


def with_readers(queryset: QuerySet[Any]) -> QuerySet[Any]:
    """With team, author and who has read. One query more for all rows."""
    return queryset.select_related("team", "author").prefetch_related(
        Prefetch("reads", ShiftNoteRead.objects.select_related("user").order_by("at"))
    )


def card(user: User, now: datetime) -> dict[str, Any] | None:
    """The card of the first page; None for whoever is in no team. Three queries."""
    teams = list(teams_of(user))
    if not teams:
        return None
    notes = list(
        with_readers(ShiftNote.objects.filter(team__in=teams, at__gt=now - RECENT)).order_by("-at", "-id")[
            :SHOWN
        ]
    )
    for note in notes:
        mine = note.author_id == user.pk
        note.readers = [str(read.user) for read in note.reads.all()]
        note.may_confirm = not mine and all(read.user_id != user.pk for read in note.reads.all())
    return {"teams": teams, "notes": notes, "shifts": ShiftPart.choices, "shift": shift_at(now)}
