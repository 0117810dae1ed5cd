"""Adding up the figures of repairs by day (R31). Running twice, or twice at once, changes nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

from django.db import models, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import TruncDate

from apps.core.models import ActionLog
from apps.feedback.choices import ClockKind
from apps.feedback.models import SlaClock
from apps.repairs.figures import CaseFacts, after_callback, seconds_to_contact, tally
from apps.repairs.models import Appeal, FiguresState, RepairCallbackDay, RepairCase, RepairDay, RepairPart
from apps.repairs.selectors.figures import local_day, midnight

#: Moments are taken before the commit that writes them: look so far behind the newest that was seen.
OVERLAP = timedelta(minutes=15)
#: A promise of first contact runs out without anybody touching the case; these days are looked at every time.
YOUNG_DAYS = 3
BATCH = 500
PARTS = {"category": "category_id", "store": "store_id", "agent": "handler_id"}
NARROWS = ("store_id", "channel_id", "category_id", "tier", "handler_id")
FACTS = (
    "status", "opened_at", "contacted_at", "contact_due_at", "proposed_at", "accepted_at", "executed_at", "called_back_at",
    "satisfaction", "invited_at", "unseen_since", "outcome_at", "cost", "reopened",
)  # fmt: skip
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Days that were looked at, and those whose figures changed."""

    days: int = 0
    changed: int = 0


def refresh_figures(*, now: datetime) -> Refreshed:
    """Add up again the days on which cases opened that have changed since the last run, the youngest, and those whose

    number of cases is another than was added up: cases that are gone leave no trace (an import taken back), nor do
    those committed long after the moment they name. The first run adds up everything.
    """
    state = _state()
    if state.seen_up_to is None:
        return rebuild_figures(now=now)
    touched = _days(RepairCase.objects.filter(updated_at__gte=state.seen_up_to - OVERLAP))
    today = local_day(now)
    days = touched | {today - timedelta(days=back) for back in range(YOUNG_DAYS)}
    done = _write(days, now=now)
    miscounted = _miscounted()
    if not miscounted:
        return done
    more = _write(miscounted, now=now)
    return Refreshed(days=done.days + more.days, changed=done.changed + more.changed)


def _miscounted() -> set[date]:
    """Days whose figures hold another number of cases than there are. Two queries as long as all is well."""
    added = RepairDay.objects.aggregate(n=Sum(F("opened") + F("dismissed")))["n"] or 0
    if added == RepairCase.objects.count():
        return set()
    there = Counter(
        dict(
            RepairCase.objects.order_by()
            .annotate(opened_day=TruncDate("opened_at"))
            .values_list("opened_day")
            .annotate(n=Count("pk"))
        )
    )
    by_day = RepairDay.objects.order_by().values_list("day").annotate(n=Sum(F("opened") + F("dismissed")))
    written = Counter(dict(by_day))
    return {day for day in there.keys() | written.keys() if there[day] != written[day]}


def rebuild_figures(*, now: datetime) -> Refreshed:
    """Add up every day again, also those whose cases are gone. Readers see each day whole, old or new."""
    written = set(RepairDay.objects.order_by().values_list("day", flat=True).distinct())
    written |= set(RepairCallbackDay.objects.order_by().values_list("opened_day", flat=True).distinct())
    return _write(_days(RepairCase.objects.all()) | written, now=now)


@transaction.atomic
def forget_figures() -> int:
    """Every row goes; the next refresh adds up what is there. Answers how many went."""
    lock_figures()
    count = sum(
        model._default_manager.all().delete()[0] for model in (RepairDay, RepairPart, RepairCallbackDay)
    )
    FiguresState.objects.filter(pk=1).update(seen_up_to=None)
    return count


def _state() -> FiguresState:
    return FiguresState.objects.get_or_create(pk=1)[0]


def lock_figures() -> FiguresState:
    """Hold the right to write figures until the transaction ends."""
    _state()
    return FiguresState.objects.select_for_update(of=("self",)).get(pk=1)


def _days(cases: models.QuerySet) -> set[date]:
    return set(
        cases.order_by()
        .annotate(opened_day=TruncDate("opened_at"))
        .values_list("opened_day", flat=True)
        .distinct()
    )


def _write(days: Iterable[date], *, now: datetime) -> Refreshed:
    ordered = sorted(days)
    changed = sum(_write_day(day, now=now) for day in ordered)
    FiguresState.objects.filter(pk=1).update(refreshed_at=now)
    # A run that began earlier and ends later does not turn the mark back.
    FiguresState.objects.filter(Q(seen_up_to__isnull=True) | Q(seen_up_to__lt=now), pk=1).update(
        seen_up_to=now
    )
    return Refreshed(days=len(ordered), changed=changed)


@transaction.atomic
def _write_day(day: date, *, now: datetime) -> bool:
    """Add one day up and put its rows in place of the old ones, if they differ. Three reads, whatever the day holds."""
    lock_figures()
    by_day, by_callback = _added_up(day, now=now)
    parts = _replace(
        RepairPart, RepairPart.objects.filter(day=day), [RepairPart(day=day, **row) for row in _parts(by_day)]
    )
    opened = _replace(
        RepairDay, RepairDay.objects.filter(day=day), [RepairDay(day=day, **row) for row in by_day]
    )
    called = _replace(
        RepairCallbackDay,
        RepairCallbackDay.objects.filter(opened_day=day),
        [RepairCallbackDay(opened_day=day, **row) for row in by_callback],
    )
    return opened or called or parts


def _parts(by_day: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a day once more, by category, store and agent alone."""
    counts: dict[Key, Counter[str]] = defaultdict(Counter)
    spent: dict[Key, Decimal] = defaultdict(Decimal)
    waits: dict[Key, list[int]] = defaultdict(list)
    known = {*NARROWS, "cost", "waits"}
    for row in by_day:
        for (part, column), tier in product(PARTS.items(), ("", row["tier"])):
            key = (part, row[column], tier)
            counts[key].update({name: value for name, value in row.items() if name not in known})
            spent[key] += row["cost"]
            if part == RepairPart.Part.CATEGORY:
                waits[key] += [int(took) for took in row["waits"].split(",") if took]
    return [
        dict(zip(("part", "key", "tier"), key, strict=True))
        | counts[key]
        | {"cost": spent[key], "waits": _joined(waits[key])}
        for key in counts
    ]


def _joined(waits: list[int]) -> str:
    return ",".join(map(str, sorted(waits)))


def _replace(model: type[models.Model], old: models.QuerySet, new: list[Any]) -> bool:
    names = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
    present = Counter(old.order_by().values_list(*names))
    wanted = Counter(tuple(getattr(row, name) for name in names) for row in new)
    if present == wanted:
        return False
    old.delete()
    model._default_manager.bulk_create(new, batch_size=BATCH)
    return True


def _added_up(day: date, *, now: datetime) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    cases = RepairCase.objects.filter(
        opened_at__gte=midnight(day), opened_at__lt=midnight(day + timedelta(days=1))
    )
    appeals: dict[int, list[str]] = defaultdict(list)
    for case_id, status in Appeal.objects.filter(case__in=cases).values_list("case_id", "status"):
        appeals[case_id].append(status)
    first_clock = SlaClock.objects.filter(
        feedback=OuterRef("feedback"), kind=ClockKind.FIRST_RESPONSE, cycle=0
    )
    reopening = ActionLog.objects.filter(model="repairs.repaircase", object_id=OuterRef("pk"), verb="reopen")
    rows = cases.order_by().annotate(
        contact_due_at=Subquery(first_clock.values("due_at")[:1]), reopened=Exists(reopening)
    )
    opened: dict[Key, Counter[str]] = defaultdict(Counter)
    spent: dict[Key, Decimal] = defaultdict(Decimal)
    waits: dict[Key, list[int]] = defaultdict(list)
    called: dict[Key, Counter[str]] = defaultdict(Counter)
    for pk, *values in rows.values_list("pk", *NARROWS, *FACTS):
        key = tuple(values[: len(NARROWS)])
        facts = CaseFacts(
            **dict(zip(FACTS, values[len(NARROWS) :], strict=True)), appeals=tuple(appeals.get(pk, ()))
        )
        opened[key].update(tally(facts, now=now))
        spent[key] += facts.cost
        took = seconds_to_contact(facts)
        if took is not None:
            waits[key].append(took)
        later = after_callback(facts)
        if later is not None and facts.called_back_at is not None:
            called[(local_day(facts.called_back_at), *key)].update(later)
    return (
        [
            dict(zip(NARROWS, key, strict=True)) | counts | {"cost": spent[key], "waits": _joined(waits[key])}
            for key, counts in opened.items()
        ],
        [dict(zip(("day", *NARROWS), key, strict=True)) | counts for key, counts in called.items()],
    )
