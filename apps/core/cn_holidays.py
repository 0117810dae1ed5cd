"""State holidays and make-up workdays (调休) of mainland China, from the ``chinesecalendar`` package.

The State Council publishes a year's table around the November before, so the newest year is often missing: it
is then *reported* as missing and the caller falls back to plain weekends and says so on the screen (R19,
peers.md 3.1, stack.md). Tables were changed by a second notice in 2015, 2019 and 2020, and a notice can touch
the December before (2018-12-29 is a make-up day of the 2019 notice): an editable table of the shop wins over
this one. Plain Python, no Django.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TypedDict


class HolidayTable(TypedDict):
    """Dates by kind, and the years asked for that the package does not know."""

    holidays: frozenset[date]
    makeup_days: frozenset[date]
    missing_years: tuple[int, ...]


def from_chinesecalendar(years: Iterable[int]) -> HolidayTable:
    """Holidays and make-up days whose *date* lies in one of ``years``.

    A year counts as known only if it has holidays before December: the notice for the year after may already
    have put single December dates into a year (or the package may hold nothing at all, as for 2027 today).
    Weekend days within a holiday are part of it. Never raises for an unknown year.
    """
    # Loaded here: the table is data of half a thousand dates that web processes rarely need.
    from chinese_calendar.constants import holidays, workdays  # type: ignore[import-untyped]

    asked = set(years)
    known = {day.year for day in holidays if day.month < 12}
    return HolidayTable(
        holidays=frozenset(day for day in holidays if day.year in asked),
        makeup_days=frozenset(day for day in workdays if day.year in asked),
        missing_years=tuple(sorted(asked - known)),
    )
