"""Counting months, locking them, taking figures out as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.cells import neutral
from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted
from apps.core.models import ActionLog, User
from apps.core.workflow import perform
from apps.performance.choices import RollState
from apps.performance.figures import month_of, step
from apps.performance.models import AgentMonth, MonthRoll
from apps.performance.selectors.rollup import collect
from apps.performance.transitions import MONTH

EARLIEST = date(2010, 1, 1)


def this_month(now: datetime) -> date:
    """The running month of the shop's zone, by its first day."""
    return month_of(timezone.localdate(now))


@transaction.atomic
def rebuild(*, month: date, now: datetime) -> int:
    """Count a month anew; answers how many rows it has. Running twice, or twice at once, changes nothing more.

    Raises IllegalMove for a locked month, InvalidInput for one that has not begun.
    """
    month = month_of(month)
    if not EARLIEST <= month <= this_month(now):
        raise InvalidInput(_("This month has not begun yet."), field="month")
    MonthRoll.objects.get_or_create(month=month)
    roll = MonthRoll.objects.select_for_update(of=("self",)).get(month=month)
    if roll.status == RollState.LOCKED:
        raise IllegalMove(_("This month is locked."))
    rows = collect(month, now)
    AgentMonth.objects.filter(month=month).delete()
    AgentMonth.objects.bulk_create(rows, batch_size=500)
    MonthRoll.objects.filter(pk=roll.pk).update(computed_at=now, updated_at=now)
    return len(rows)


def rebuild_recent(*, now: datetime) -> dict[str, int]:
    """The running and the last month, unless locked: month → rows."""
    done: dict[str, int] = {}
    locked = set(MonthRoll.objects.filter(status=RollState.LOCKED).values_list("month", flat=True))
    for month in (step(this_month(now), -1), this_month(now)):
        if month not in locked:
            done[f"{month:%Y-%m}"] = rebuild(month=month, now=now)
    return done


def lock(*, roll: MonthRoll, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """The figures stay as they are. Raises IllegalMove while the month runs."""
    if roll.month >= this_month(now):
        raise IllegalMove(_("This month is not over yet."))
    return perform(MONTH, roll, "lock", by=by, now=now, via=via)


def unlock(*, roll: MonthRoll, by: User, now: datetime, reason: str, via: str = "admin") -> ActionLog:
    """They may be counted anew."""
    return perform(MONTH, roll, "unlock", by=by, now=now, reason=reason, via=via)


@transaction.atomic
def export(
    *, month: date, heads: Sequence[Any], rows: Iterable[Sequence[Any]], by: User, now: datetime
) -> str:
    """The team table as CSV for a spreadsheet (UTF-8 with BOM), formulas neutralised, noted in the log."""
    if not by.has_perm("performance.export_agentmonth"):
        raise NotPermitted(_("You may not take the figures of people out as a file."))
    stream = io.StringIO()
    stream.write("\ufeff")
    writer = csv.writer(stream)
    writer.writerow([neutral(str(head)) for head in heads])
    count = 0
    for row in rows:
        writer.writerow([neutral(str(cell)) for cell in row])
        count += 1
    roll, _made = MonthRoll.objects.get_or_create(month=month)
    ActionLog.objects.create(
        model="performance.monthroll", object_id=roll.pk, verb="export", by=by, via="admin", at=now,
        data={"rows": count},
    )  # fmt: skip
    return stream.getvalue()
