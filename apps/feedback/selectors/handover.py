"""What a person still has on their desk, for whoever hands it over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from apps.core.models import User
from apps.feedback.choices import OPEN, PromiseState, Status, Tier
from apps.feedback.models import Feedback, Promise
from apps.shop.choices import WorkStatus
from apps.shop.models import Leave, WorkItem

# So many pieces of work go in one hand-over; what is beyond goes in the next.
MOST = 200
STILL = (WorkStatus.OPEN, WorkStatus.DOING)


@dataclass
class Desk:
    """The open work of one person, as far as the viewer sees it. Counts are exact, one person's open work is little."""

    tiers: dict[str, int] = field(default_factory=dict)
    cases: int = 0
    overdue: int = 0
    waiting: int = 0
    promises: int = 0
    work: int = 0
    work_overdue: int = 0

    @property
    def total(self) -> int:
        """Everything that would change hands; promises on open cases go along with their case."""
        return self.cases + self.work + self.promises


def cases_of(person: User, viewer: User) -> QuerySet[Any]:
    """Open feedback the person owns."""
    return Feedback.objects.visible_to(viewer).open().filter(assignee=person)


def promises_of(person: User, viewer: User) -> QuerySet[Any]:
    """Open promises that would not go along with a case the person owns.

    Those handed to them, those on cases of theirs that are done, and those they made on cases that nobody owns.
    """
    return Promise.objects.filter(
        Q(keeper=person)
        | Q(keeper__isnull=True)
        & (
            Q(feedback__assignee=person) & ~Q(feedback__status__in=OPEN)
            | Q(feedback__assignee__isnull=True, made_by=person)
        ),
        status=PromiseState.OPEN,
        feedback__in=Feedback.objects.visible_to(viewer),
    )


def work_of(person: User) -> QuerySet[Any]:
    """Open work items the person owns."""
    return WorkItem.objects.filter(owner=person, status__in=STILL)


def desk(person: User, viewer: User, now: datetime) -> Desk:
    """Counts of a person's open work. Three queries."""
    row = cases_of(person, viewer).aggregate(
        n=Count("id"),
        s=Count("id", filter=Q(tier=Tier.S)),
        a=Count("id", filter=Q(tier=Tier.A)),
        b=Count("id", filter=Q(tier=Tier.B)),
        overdue=Count("id", filter=Q(due_at__lte=now)),
        waiting=Count("id", filter=Q(status=Status.WAITING)),
    )
    work = work_of(person).aggregate(n=Count("id"), late=Count("id", filter=Q(due_at__lte=now)))
    return Desk(
        tiers={"S": row["s"], "A": row["a"], "B": row["b"]},
        cases=row["n"],
        overdue=row["overdue"],
        waiting=row["waiting"],
        promises=promises_of(person, viewer).count(),
        work=work["n"],
        work_overdue=work["late"],
    )


def stand_in_of(person: User, today: date) -> User | None:
    """The stand-in of the leave that runs today, else of the next one."""
    leave = (
        Leave.objects.filter(user=person, last_day__gte=today, stand_in__is_active=True)
        .select_related("stand_in")
        .order_by("first_day", "id")
        .first()
    )
    return leave.stand_in if leave else None


def people_with_work(viewer: User, now: datetime) -> list[dict[str, Any]]:
    """Everybody who has open work: those who cannot do it (left, on leave, away) first. Four queries."""
    cases = {
        pk: (n, s, late)
        for pk, n, s, late in Feedback.objects.visible_to(viewer)
        .open()
        .filter(assignee__isnull=False)
        .order_by()
        .values_list("assignee_id")
        .annotate(
            n=Count("id"), s=Count("id", filter=Q(tier=Tier.S)), late=Count("id", filter=Q(due_at__lte=now))
        )
    }
    work = dict(
        WorkItem.objects.filter(owner__isnull=False, status__in=STILL)
        .order_by()
        .values_list("owner_id")
        .annotate(n=Count("id"))
    )
    today = timezone.localdate(now)
    leaves = {
        leave.user_id: leave
        for leave in Leave.objects.filter(first_day__lte=today, last_day__gte=today).select_related(
            "stand_in"
        )
    }
    rows = []
    for pk, person in User.objects.in_bulk([*{*cases, *work}]).items():
        n, s, late = cases.get(pk, (0, 0, 0))
        leave = leaves.get(pk)
        rows.append(
            {
                "person": person,
                "cases": n,
                "s": s,
                "overdue": late,
                "work": work.get(pk, 0),
                "leave": leave,
                "gone": not person.is_active,
                "absent": not person.is_active or leave is not None or person.is_away,
            }
        )
    return sorted(
        rows,
        key=lambda row: (
            not row["gone"], not row["leave"], not row["absent"], -row["overdue"], -row["cases"], row["person"].pk,
        ),
    )  # fmt: skip
