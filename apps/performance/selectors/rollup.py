"""Counting a month anew from cases, clocks, repairs, callbacks, verdicts and quality reviews (domain.md 3.3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.callbacks.choices import CallbackState
from apps.callbacks.models import Callback
from apps.compliance.choices import Ruling
from apps.compliance.models import Verdict
from apps.feedback.choices import ClockState, Status
from apps.feedback.models import Feedback, SlaClock
from apps.performance.choices import ReviewState
from apps.performance.figures import median, percentile, step
from apps.performance.models import AgentMonth, QualityReview
from apps.repairs.choices import ENDED, RepairStatus
from apps.repairs.models import RepairCase

#: Promises are looked for on cases that came in so long before the month; none runs longer.
LOOK_BACK = timedelta(days=100)
#: What the platform took down, and what was no negative review, is no work of the person.
REPAIRS_ENDED = tuple(state for state in ENDED if state not in (RepairStatus.REMOVED, RepairStatus.DISMISSED))
SATISFIED_FROM = 4
Key = tuple[int, int | None]


def bounds(month: date) -> tuple[datetime, datetime]:
    """The first moment of a month and of the next, in the shop's zone."""
    zone = timezone.get_current_timezone()
    return (
        datetime.combine(month, time(0), tzinfo=zone),
        datetime.combine(step(month, 1), time(0), tzinfo=zone),
    )


class _Sums:
    """Counts by person and category, and by person altogether."""

    def __init__(self, month: date) -> None:
        self.rows: dict[Key, AgentMonth] = {}
        self.month = month

    def add(self, person: int | None, category: int | None, **counts: Any) -> None:
        """Add to the person's total and, where one is known, to the category."""
        if person is None:
            return
        for key in {(person, None), (person, category)}:
            row = self.rows.get(key)
            if row is None:
                row = self.rows[key] = AgentMonth(
                    person_id=key[0], month=self.month, category_id=key[1], cost=Decimal(0)
                )
            for name, value in counts.items():
                setattr(row, name, getattr(row, name) + (value or 0))


def collect(month: date, now: datetime) -> list[AgentMonth]:
    """The rows of a month, unsaved. Seven queries, whatever the size; of a running month up to `now`."""
    start, end = bounds(month)
    until = min(end, now)
    sums = _Sums(month)
    _cases(sums, start, end)
    _clocks(sums, start, until)
    _responses(sums, start, end)
    _repairs(sums, start, end)
    _callbacks(sums, start, end)
    _verdicts(sums, start, end)
    _quality(sums, month)
    return [sums.rows[key] for key in sorted(sums.rows, key=lambda key: (key[0], key[1] or 0))]


def _grouped(rows: Any, person: str, category: str, **counts: Any) -> Iterable[dict[str, Any]]:
    return rows.order_by().values(person, category).annotate(**counts)


def _cases(sums: _Sums, start: datetime, end: datetime) -> None:
    rows = Feedback.objects.filter(
        resolved_at__gte=start, resolved_at__lt=end, status__in=(Status.RESOLVED, Status.CLOSED),
        assignee__isnull=False,
    )  # fmt: skip
    for row in _grouped(
        rows, "assignee", "category", n=Count("pk"), again=Count("pk", filter=Q(reopened__gt=0))
    ):
        sums.add(row["assignee"], row["category"], handled=row["n"], reopened=row["again"])


def _clocks(sums: _Sums, start: datetime, until: datetime) -> None:
    # Due within the month and past: a promise kept early counts when it would have been due, so that a running month
    # does not look better than it is. A clock that still runs after its due moment is a miss.
    rows = SlaClock.objects.filter(
        feedback__received_at__gte=start - LOOK_BACK, feedback__received_at__lt=until,
        due_at__gte=start, due_at__lt=until, feedback__assignee__isnull=False,
        state__in=(ClockState.MET, ClockState.MISSED, ClockState.RUNNING),
    )  # fmt: skip
    met = Q(state=ClockState.MET, breached_at__isnull=True)
    for row in _grouped(
        rows, "feedback__assignee", "feedback__category", n=Count("pk"), kept=Count("pk", filter=met)
    ):
        sums.add(row["feedback__assignee"], row["feedback__category"], due=row["n"], met=row["kept"])


def _responses(sums: _Sums, start: datetime, end: datetime) -> None:
    minutes: dict[Key, list[float]] = defaultdict(list)
    rows = Feedback.objects.filter(
        received_at__gte=start, received_at__lt=end, first_response_at__isnull=False, assignee__isnull=False,
        is_historical=False,
    ).order_by()  # fmt: skip
    values = rows.values_list("assignee_id", "category_id", "received_at", "first_response_at")
    for person, category, received, answered in values.iterator(chunk_size=5000):
        took = max((answered - received).total_seconds() / 60, 0.0)
        for key in {(person, None), (person, category)}:
            minutes[key].append(took)
    for (person, category), took_all in minutes.items():
        took_all.sort()
        sums.add(person, category)
        row = sums.rows[person, category]
        row.responses = len(took_all)
        row.response_median, row.response_p90 = median(took_all), percentile(took_all, 0.9)


def _repairs(sums: _Sums, start: datetime, end: datetime) -> None:
    # `updated_at` never lies before the outcome and has the index.
    rows = RepairCase.objects.filter(
        updated_at__gte=start, outcome_at__gte=start, outcome_at__lt=end, status__in=REPAIRS_ENDED,
        handler__isnull=False,
    )  # fmt: skip
    changed = Q(status__in=(RepairStatus.WITHDRAWN, RepairStatus.REVISED))
    for row in _grouped(
        rows, "handler", "category", n=Count("pk"), money=Sum("cost"), gone=Count("pk", filter=changed),
        good=Count("pk", filter=Q(satisfaction__gte=SATISFIED_FROM)),
    ):  # fmt: skip
        sums.add(
            row["handler"], row["category"], repairs=row["n"], repaired=row["good"], withdrawn=row["gone"],
            cost=row["money"],
        )  # fmt: skip


def _callbacks(sums: _Sums, start: datetime, end: datetime) -> None:
    # The stars belong to whoever handled the case, the call to whoever made it.
    rows = Callback.objects.filter(
        finished_at__gte=start, finished_at__lt=end, status=CallbackState.DONE
    ).annotate(handler=Coalesce("not_by", "feedback__assignee"))
    for row in _grouped(rows, "finished_by", "feedback__category", n=Count("pk")):
        sums.add(row["finished_by"], row["feedback__category"], callbacks=row["n"])
    stars = rows.filter(satisfaction__isnull=False)
    happy = Count("pk", filter=Q(satisfaction__gte=SATISFIED_FROM))
    for row in _grouped(stars, "handler", "feedback__category", n=Count("pk"), happy=happy):
        sums.add(row["handler"], row["feedback__category"], answers=row["n"], happy=row["happy"])


def _verdicts(sums: _Sums, start: datetime, end: datetime) -> None:
    rows = Verdict.objects.filter(ruling=Ruling.BLOCKED, at__gte=start, at__lt=end, by__isnull=False)
    for row in rows.order_by().values("by").annotate(n=Count("pk")):
        sums.add(row["by"], None, hits=row["n"])


def _quality(sums: _Sums, month: date) -> None:
    rows = QualityReview.objects.filter(sample__month=month, status=ReviewState.DONE)
    for row in _grouped(
        rows, "person", "feedback__category", n=Count("pk"), got=Sum("points"), most=Sum("most")
    ):
        sums.add(
            row["person"], row["feedback__category"], quality_cases=row["n"], quality_points=row["got"],
            quality_most=row["most"],
        )  # fmt: skip
