"""Whose page a person may open, and who are the leads of somebody."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from apps.core.models import User
from apps.performance.querysets import SEE_ALL, led_people
from apps.shop.choices import TeamRole
from apps.shop.models import TeamMember


def people_of(user: Any) -> QuerySet[User]:
    """Those whose figures `user` may see, oneself among them, by name."""
    rows = User.objects.filter(is_active=True)
    if not user.has_perm(SEE_ALL):
        rows = rows.filter(Q(pk=user.pk) | Q(pk__in=led_people(user)))
    return rows.order_by("name", "username")


def may_see(user: Any, person_id: int) -> bool:
    """Oneself, people of teams one leads, or anybody with the permission. One query at most."""
    return (
        person_id == user.pk or user.has_perm(SEE_ALL) or led_people(user).filter(user_id=person_id).exists()
    )


def leads_of(person_id: int) -> list[int]:
    """Ids of those who lead a team of this person, without the person. One query."""
    teams = TeamMember.objects.filter(user_id=person_id).values("team_id")
    leads = TeamMember.objects.filter(team_id__in=teams, role=TeamRole.LEAD, user__is_active=True)
    return list(leads.exclude(user_id=person_id).values_list("user_id", flat=True).distinct())
