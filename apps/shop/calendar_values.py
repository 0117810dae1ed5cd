"""From calendar rows to the plain value that business time is computed on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from apps.core import business_time
from apps.shop.choices import DayKind

if TYPE_CHECKING:
    from apps.shop.models import CalendarDay, WorkCalendar


def build_calendar(row: WorkCalendar, *, days: Iterable[CalendarDay]) -> business_time.Calendar:
    """The plain value behind a calendar row; `days` are the shop-wide days and the calendar's own.

    Raises ValueError when a window cannot be read.
    """
    overrides: dict[date, tuple[tuple[int, int], ...]] = {}
    holidays: set[date] = set()
    makeup: set[date] = set()
    for day in days:
        if day.calendar_id is not None and day.calendar_id != row.pk:
            continue
        if day.kind == DayKind.CLOSED:
            overrides[day.date] = ()
        elif day.kind == DayKind.SPECIAL:
            overrides[day.date] = tuple(business_time.window(*pair) for pair in day.windows)
        elif day.kind == DayKind.HOLIDAY:
            holidays.add(day.date)
        else:
            makeup.add(day.date)
    weekly = tuple(tuple(business_time.window(*pair) for pair in windows) for windows in row.weekly)
    return business_time.Calendar(
        zone=row.zone,
        weekly=weekly,
        overrides=overrides,
        holidays=frozenset(holidays),
        makeup_days=frozenset(makeup),
        observe_holidays=row.observe_holidays,
        observe_makeup=row.observe_makeup,
        standard_day_minutes=row.standard_day_minutes,
    )
