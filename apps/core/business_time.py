"""Business time: pure interval arithmetic over a calendar value.

A calendar answers one question, "when are we open?", and everything else follows from the set of open
intervals: how much open time lies between two moments, and when a given amount of open time will have passed.
Nothing here counts "hours a day": lunch breaks, nights past midnight, 24-hour shops and days of daylight
saving are all just intervals (R19; domain.md 3.2; peers.md 3.1 and 4.1).

Conventions
-----------
* Every ``datetime`` in and out is timezone-aware; results come back in the zone of the moment passed in.
* A *window* is ``(start_minute, end_minute)`` counted from local midnight, ``0 <= start < 1440``,
  ``start < end <= start + 1440``. An end beyond 1440 runs past midnight. The whole window belongs to the
  date on which it **starts**, so a holiday on the next date does not cut off the tail of the evening before.
* An end of 1439 (23:59) is read as 1440: forms that cannot say 24:00 must not cost the shop a minute a night
  (zammad#3180).
* Wall-clock hours that daylight saving skips have no length; hours it repeats count twice, because they pass
  twice.
* Which windows hold on a date: an explicit override wins over holiday and make-up day (调休), and these win
  over the weekday.

Time is an argument everywhere: no function here reads the clock. Plain Python, no Django.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from zoneinfo import ZoneInfo

Window = tuple[int, int]
Windows = tuple[Window, ...]

DAY_MINUTES = 1440
#: Length of the standard working day 09:00-18:00, in minutes (decisions.md 1).
STANDARD_DAY_MINUTES = 540
#: A walk gives up after this many days without a single open minute (peers.md 4.1 "Guards").
MAX_CLOSED_DAYS = 366

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MICROS_PER_MINUTE = 60_000_000
_MICROS_PER_DAY = 86_400_000_000
# Days computed at a time when a table must grow; the gap beyond which a new table is cheaper than a bridge.
_CHUNK_DAYS = 92
_FIRST_ORDINAL = date.min.toordinal() + 366
_LAST_ORDINAL = date.max.toordinal() - 366
_BRIDGE_DAYS = 3660


_PROBLEM_TEXT = {
    "bad_zone": "unknown time zone {zone}",
    "weekly_length": "the week has {length} days instead of 7",
    "bad_window": "minutes {start} to {end} are no window",
    "overlap": "a window that starts at minute {start} overlaps one that ends at {end}",
    "overlap_next_day": "a night that ends at minute {end} overlaps a window that starts at {start} next day",
    "bad_standard_day": "a workday cannot have {minutes} minutes",
    "bad_makeup_weekday": "{weekday} is no weekday (0 = Monday)",
    "holiday_and_makeup": "{date} is both a holiday and a make-up day",
    "no_open_time": "never open within {days} days",
}


class NoOpenTime(Exception):
    """The calendar has no open time within 366 days of the moment asked about."""


class CalendarError(ValueError):
    """The calendar is nonsense. ``problems`` lists ``(code, params)`` for the caller to translate.

    Codes: ``bad_zone``, ``weekly_length``, ``bad_window``, ``overlap``, ``overlap_next_day``,
    ``bad_standard_day``, ``bad_makeup_weekday``, ``holiday_and_makeup``, ``no_open_time``.
    """

    def __init__(self, problems: Sequence[tuple[str, dict[str, object]]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(_PROBLEM_TEXT[code].format(**params) for code, params in self.problems))


def _normal_windows(windows: Iterable[Sequence[int]]) -> Windows:
    """Sorted tuple of windows, with 23:59 read as midnight."""
    return tuple(
        sorted((int(start), DAY_MINUTES if end == DAY_MINUTES - 1 else int(end)) for start, end in windows)
    )


def window(start: str, end: str) -> Window:
    """``window("22:00", "02:00") == (1320, 1560)``: an end not after the start means the next day.

    ``end`` may be ``"24:00"``. Raises ``ValueError`` for anything that is not ``H:MM``.
    """

    def minutes(text: str) -> int:
        hours, _, rest = text.strip().partition(":")
        if not (hours.isdigit() and rest.isdigit() and len(rest) == 2):
            raise ValueError(f"not a time of day: {text!r}")
        value = int(hours) * 60 + int(rest)
        if int(rest) > 59 or value > DAY_MINUTES:
            raise ValueError(f"not a time of day: {text!r}")
        return value

    first, last = minutes(start), minutes(end)
    if first == DAY_MINUTES:
        raise ValueError("a window cannot start at 24:00")
    return first, last if last > first else last + DAY_MINUTES


@dataclass(frozen=True)
class Calendar:
    """When a shop, a team or the state works. A value: compare it, hash it, pickle it, never change it.

    ``zone``                  IANA name or ``tzinfo``; windows are local times of this zone.
    ``weekly``                seven lists of windows, Monday first; an empty list is a closed day.
    ``overrides``             date -> windows of that date; ``()`` closes it. Beats everything else.
    ``holidays``              dates closed while ``observe_holidays`` is on.
    ``makeup_days``           调休 dates, worked with the windows of ``makeup_weekday`` (0 = Monday) while
                              ``observe_makeup`` is on. Some trades ignore make-up days, hence the switch.
    ``standard_day_minutes``  length of one ``workday`` (decisions.md 1), default 540.
    """

    zone: str | tzinfo
    weekly: tuple[Windows, ...]
    overrides: Mapping[date, Windows] = field(default_factory=dict, hash=False)
    holidays: frozenset[date] = frozenset()
    makeup_days: frozenset[date] = frozenset()
    observe_holidays: bool = True
    observe_makeup: bool = True
    makeup_weekday: int = 0
    standard_day_minutes: int = STANDARD_DAY_MINUTES

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "weekly", tuple(_normal_windows(day) for day in self.weekly))
        overrides = {day: _normal_windows(windows) for day, windows in self.overrides.items()}
        put(self, "overrides", MappingProxyType(overrides))
        put(self, "holidays", frozenset(self.holidays))
        put(self, "makeup_days", frozenset(self.makeup_days))

    def __reduce__(self) -> tuple[object, ...]:
        # A mapping proxy does not pickle; rebuilding from plain arguments also drops cached tables.
        return (
            Calendar,
            (
                self.zone,
                self.weekly,
                dict(self.overrides),
                self.holidays,
                self.makeup_days,
                self.observe_holidays,
                self.observe_makeup,
                self.makeup_weekday,
                self.standard_day_minutes,
            ),
        )

    @property
    def tz(self) -> tzinfo:
        """The zone as ``tzinfo``. Raises ``CalendarError`` (``bad_zone``) for an unknown name."""
        return _zone(self.zone)

    def windows_on(self, day: date) -> Windows:
        """Windows that start on ``day``: override, else holiday or make-up day, else weekday.

        A date listed both as holiday and as make-up day is closed (``validate`` refuses such a table).
        """
        override = self.overrides.get(day)
        if override is not None:
            return override
        if self.observe_holidays and day in self.holidays:
            return ()
        if self.observe_makeup and day in self.makeup_days:
            return self.weekly[self.makeup_weekday]
        return self.weekly[day.weekday()]


@lru_cache(maxsize=256)
def _zone(zone: str | tzinfo) -> tzinfo:
    if isinstance(zone, tzinfo):
        return zone
    try:
        return ZoneInfo(zone)
    except Exception as error:  # ZoneInfo raises KeyError, ValueError or OSError, depending on the name
        raise CalendarError([("bad_zone", {"zone": zone})]) from error


def _micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC. Integers, so that sums of pauses never drift."""
    if moment.tzinfo is None:
        raise ValueError("naive datetime: business time needs a timezone-aware moment")
    delta = moment - _EPOCH
    return delta.days * _MICROS_PER_DAY + delta.seconds * 1_000_000 + delta.microseconds


def _moment(micros: int, zone: tzinfo | None) -> datetime:
    try:
        moment = _EPOCH + timedelta(microseconds=micros)
    except OverflowError as error:
        raise NoOpenTime("beyond the last representable date") from error
    return moment if zone is UTC or zone is None else moment.astimezone(zone)


def _wall_to_micros(naive: datetime, zone: tzinfo) -> int:
    """UTC microseconds of a local wall time; one skipped by daylight saving becomes the moment of the jump.

    The earlier of two repeated times is taken, for window starts and ends alike, so windows that touch on the
    wall also touch in real time.
    """
    local = naive.replace(tzinfo=zone)
    micros = _micros(local)
    if _moment(micros, zone).replace(tzinfo=None) == naive:
        return micros
    # In the gap: fold=1 gives a moment before the jump, fold=0 one after it; the jump lies between.
    low, high = _micros(local.replace(fold=1)), micros
    before = _moment(low, zone).utcoffset()
    while high - low > 1_000_000:
        middle = (low + high) // 2
        if _moment(middle, zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return (high // 1_000_000) * 1_000_000


@dataclass(frozen=True, slots=True)
class _Table:
    """Open intervals of the days ``first <= ordinal < last``, merged, with running totals (microseconds)."""

    first: int
    last: int
    low: int  # moments in [low, high) are decided by this table
    high: int
    starts: list[int]
    ends: list[int]
    totals: list[int]  # totals[i] = open time before interval i; one more entry than intervals

    def open_before(self, micros: int) -> int:
        """Open time between the start of the table and ``micros``."""
        index = bisect_right(self.starts, micros) - 1
        if index < 0:
            return 0
        return self.totals[index] + min(micros, self.ends[index]) - self.starts[index]


class DueCalculator:
    """A calendar with its day tables kept: build once, ask often (two binary searches a question).

    Safe to share between threads: tables are replaced, never changed. Raises ``CalendarError`` for a calendar
    whose windows are nonsense (see ``validate``).
    """

    def __init__(self, calendar: Calendar) -> None:
        problems = _structure_problems(calendar)
        if problems:
            raise CalendarError(problems)
        self.calendar = calendar
        self._tz = calendar.tz
        self._lock = threading.Lock()
        self._table: _Table | None = None

    # -- questions -------------------------------------------------------------------------------------------
    def due(self, start: datetime, minutes: float) -> datetime:
        """The first moment at which ``minutes`` of open time have passed since ``start``.

        Work that fills a day ends when the day ends, not when the next one begins. Zero minutes are due at
        ``start``. Raises ``ValueError`` for negative minutes and ``NoOpenTime``.
        """
        need = round(minutes * _MICROS_PER_MINUTE)
        if need < 0:
            raise ValueError("minutes must not be negative")
        if need == 0:
            return start
        begin = _micros(start)
        table = self._covering(begin)
        goal = table.open_before(begin) + need
        while table.totals[-1] < goal:
            table = self._longer(begin)
            goal = table.open_before(begin) + need
        index = bisect_left(table.totals, goal) - 1
        return _moment(table.starts[index] + goal - table.totals[index], start.tzinfo)

    def between(self, a: datetime, b: datetime) -> float:
        """Open minutes from ``a`` to ``b``; negative when ``b`` lies before ``a`` (``-between(b, a)``)."""
        return self.between_micros(_micros(a), _micros(b)) / _MICROS_PER_MINUTE

    def between_micros(self, a: int, b: int) -> int:
        """Open microseconds between two moments given in microseconds since 1970 UTC."""
        if a > b:
            return -self.between_micros(b, a)
        self._covering(a)
        table = self._covering(b)
        while not table.low <= a:  # a far jump replaced the table: grow it back until it holds both ends
            table = self._grow(min(table.first, self._ordinal(a) - 2), table.last)
        return table.open_before(b) - table.open_before(a)

    def is_open(self, at: datetime) -> bool:
        """Is ``at`` inside a window? The start belongs to it, the end does not."""
        moment = _micros(at)
        table = self._covering(moment)
        index = bisect_right(table.starts, moment) - 1
        return index >= 0 and moment < table.ends[index]

    def next_open(self, at: datetime) -> datetime:
        """``at`` itself when open, else the next opening. Raises ``NoOpenTime``."""
        moment = _micros(at)
        table = self._covering(moment)
        while True:
            index = bisect_right(table.ends, moment)
            if index < len(table.starts):
                return at if table.starts[index] <= moment else _moment(table.starts[index], at.tzinfo)
            table = self._longer(moment)

    def add_workdays(self, start: datetime, n: float) -> datetime:
        """``n`` × the length of the standard day, counted in open time (decisions.md 1)."""
        return self.due(start, n * self.calendar.standard_day_minutes)

    def workday_end(self, start: datetime, n: int) -> datetime:
        """Closing time of the ``n``-th working day **after** the local date of ``start``.

        A working day is a date with at least one window. ``n`` must be a whole number of at least 1.
        """
        if n < 1 or n != int(n):
            raise ValueError("workday_end needs a whole number of days, at least 1")
        if start.tzinfo is None:
            raise ValueError("naive datetime: business time needs a timezone-aware moment")
        day = start.astimezone(self._tz).date()
        left, closed = int(n), 0
        while True:
            try:
                day += timedelta(days=1)
            except OverflowError as error:
                raise NoOpenTime("beyond the last representable date") from error
            spans = self._spans(day)
            if not spans:
                closed += 1
                if closed > MAX_CLOSED_DAYS:
                    raise NoOpenTime(f"no open time in {MAX_CLOSED_DAYS} days before {day}")
                continue
            closed, left = 0, left - 1
            if left == 0:
                return _moment(max(end for _, end in spans), start.tzinfo)

    def intervals(self, day: date) -> list[tuple[datetime, datetime]]:
        """Open intervals that start on ``day``, in the calendar's zone, touching windows joined."""
        return [(_moment(a, self._tz), _moment(b, self._tz)) for a, b in _merge(self._spans(day))]

    # -- tables ----------------------------------------------------------------------------------------------
    def _ordinal(self, micros: int) -> int:
        # UTC day; callers leave a margin of two days, more than any zone is away from UTC.
        return micros // _MICROS_PER_DAY + _EPOCH_ORDINAL

    def _spans(self, day: date) -> list[tuple[int, int]]:
        """Windows of one date as UTC microseconds; windows swallowed by daylight saving drop out."""
        midnight = datetime(day.year, day.month, day.day)
        spans = []
        for start, end in self.calendar.windows_on(day):
            first = _wall_to_micros(midnight + timedelta(minutes=start), self._tz)
            last = _wall_to_micros(midnight + timedelta(minutes=end), self._tz)
            if last > first:
                spans.append((first, last))
        return spans

    def _covering(self, micros: int) -> _Table:
        """The table, made or grown so that it decides the moment ``micros``."""
        table = self._table
        if table is not None and table.low <= micros < table.high:
            return table
        day = self._ordinal(micros)
        if not _FIRST_ORDINAL <= day <= _LAST_ORDINAL:
            raise ValueError("moment too close to the ends of the calendar of datetime")
        if table is None or day < table.first - _BRIDGE_DAYS or day > table.last + _BRIDGE_DAYS:
            return self._grow(day - 5, day + _CHUNK_DAYS, fresh=True)
        return self._grow(min(table.first, day - _CHUNK_DAYS // 4), max(table.last, day + _CHUNK_DAYS))

    def _longer(self, micros: int) -> _Table:
        """Grow towards the future; give up once 366 days after ``micros`` or the last opening are closed."""
        table = self._table
        assert table is not None
        last_open = max([micros, *table.ends[-1:]])
        if table.high - last_open > MAX_CLOSED_DAYS * _MICROS_PER_DAY:
            since = _moment(last_open, UTC).date()
            raise NoOpenTime(f"no open time in {MAX_CLOSED_DAYS} days after {since}")
        if table.last >= date.max.toordinal() - 2:
            raise NoOpenTime("beyond the last representable date")
        # Doubling keeps the number of rebuilds small for targets of many months.
        return self._grow(table.first, table.last + max(_CHUNK_DAYS, (table.last - table.first) // 2))

    def _grow(self, first: int, last: int, *, fresh: bool = False) -> _Table:
        with self._lock:
            first = max(first, date.min.toordinal() + 2)
            last = min(last, date.max.toordinal() - 2)
            old = None if fresh else self._table
            spans: list[tuple[int, int]] = []
            if old is not None:
                first, last = min(first, old.first), max(last, old.last)
                for ordinal in range(first, old.first):
                    spans += self._spans(date.fromordinal(ordinal))
                spans += zip(old.starts, old.ends, strict=True)
                ahead = range(old.last, last)
            else:
                ahead = range(first, last)
            for ordinal in ahead:
                spans += self._spans(date.fromordinal(ordinal))
            merged = _merge(spans)
            totals = [0]
            for begin, end in merged:
                totals.append(totals[-1] + end - begin)
            table = _Table(
                first=first,
                last=last,
                # Two days in from the first day: an earlier evening or a zone ahead of UTC may reach in.
                # Two days off the end: the last day may still be waiting for its neighbour's tail.
                low=(first + 2 - _EPOCH_ORDINAL) * _MICROS_PER_DAY,
                high=(last - 2 - _EPOCH_ORDINAL) * _MICROS_PER_DAY,
                starts=[begin for begin, _ in merged],
                ends=[end for _, end in merged],
                totals=totals,
            )
            self._table = table
            return table


def _merge(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted spans with overlapping and touching ones joined."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((begin, end))
    return merged


def merge_spans(spans: Iterable[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Sorted, disjoint spans: overlapping and touching ones joined, empty and reversed ones dropped."""
    merged: list[tuple[datetime, datetime]] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and begin <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((begin, end))
    return merged


@lru_cache(maxsize=64)
def _cached(marker: tuple[Calendar, tuple[tuple[date, Windows], ...]]) -> DueCalculator:
    return DueCalculator(marker[0])


def calculator(calendar: Calendar | DueCalculator) -> DueCalculator:
    """The calculator of a calendar; equal calendars share one (the last 64 are kept)."""
    if isinstance(calendar, DueCalculator):
        return calendar
    known = calendar.__dict__.get("_calculator")
    if known is None:
        known = _cached((calendar, tuple(sorted(calendar.overrides.items()))))
        object.__setattr__(calendar, "_calculator", known)
    return known


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Is the calendar open at ``at``? See ``DueCalculator.is_open``."""
    return calculator(calendar).is_open(at)


def intervals(calendar: Calendar, day: date) -> list[tuple[datetime, datetime]]:
    """Open intervals that start on ``day``. See ``DueCalculator.intervals``."""
    return calculator(calendar).intervals(day)


def add_business_minutes(calendar: Calendar, start: datetime, minutes: float) -> datetime:
    """When ``minutes`` of open time have passed since ``start``. See ``DueCalculator.due``."""
    return calculator(calendar).due(start, minutes)


def business_minutes_between(calendar: Calendar, a: datetime, b: datetime) -> float:
    """Open minutes from ``a`` to ``b``, negative when reversed. See ``DueCalculator.between``."""
    return calculator(calendar).between(a, b)


def add_workdays(calendar: Calendar, start: datetime, n: float) -> datetime:
    """``n`` standard days of open time after ``start`` (decisions.md 1: Wed 10:00 + 1 = Thu 10:00)."""
    return calculator(calendar).add_workdays(start, n)


def workday_end(calendar: Calendar, start: datetime, n: int) -> datetime:
    """End of the ``n``-th working day after the date of ``start``. See ``DueCalculator.workday_end``."""
    return calculator(calendar).workday_end(start, n)


def next_open(calendar: Calendar, at: datetime) -> datetime:
    """``at`` when open, else the next opening. See ``DueCalculator.next_open``."""
    return calculator(calendar).next_open(at)


def _window_problems(windows: Windows, where: dict[str, object]) -> list[tuple[str, dict[str, object]]]:
    problems: list[tuple[str, dict[str, object]]] = []
    for start, end in windows:
        if not (0 <= start < DAY_MINUTES and start < end <= start + DAY_MINUTES):
            problems.append(("bad_window", {**where, "start": start, "end": end}))
    for (_, end), (start, _) in pairwise(windows):
        if start < end:
            problems.append(("overlap", {**where, "end": end, "start": start}))
    return problems


def _structure_problems(calendar: Calendar) -> list[tuple[str, dict[str, object]]]:
    problems: list[tuple[str, dict[str, object]]] = []
    try:
        calendar.tz  # noqa: B018 - the property raises for an unknown zone
    except CalendarError as error:
        problems += error.problems
    if len(calendar.weekly) != 7:
        return [*problems, ("weekly_length", {"length": len(calendar.weekly)})]
    for weekday, windows in enumerate(calendar.weekly):
        problems += _window_problems(windows, {"weekday": weekday})
    for day, windows in sorted(calendar.overrides.items()):
        problems += _window_problems(windows, {"date": day})
    if calendar.makeup_weekday not in range(7):
        problems.append(("bad_makeup_weekday", {"weekday": calendar.makeup_weekday}))
    if not 0 < calendar.standard_day_minutes <= DAY_MINUTES:
        problems.append(("bad_standard_day", {"minutes": calendar.standard_day_minutes}))
    return problems


def validate(calendar: Calendar, on: date | None = None) -> None:
    """Refuse a calendar nobody can work with: raises ``CalendarError`` listing every problem found.

    Beyond the shape of windows (order, length, overlap, a night that runs into the next morning's window) it
    must be open at least once in any 366 days. With ``on`` only the 366 days from that date are looked at, so
    that a seasonal shop living from overrides alone can be accepted; without it the weekly pattern itself
    must open, and the dates listed must not close it for 366 days in a row.
    """
    problems = _structure_problems(calendar)
    if len(calendar.weekly) == 7:
        for weekday, windows in enumerate(calendar.weekly):
            following = calendar.weekly[(weekday + 1) % 7]
            if windows and following and windows[-1][1] - DAY_MINUTES > following[0][0]:
                problems.append(
                    (
                        "overlap_next_day",
                        {"weekday": weekday, "end": windows[-1][1] - DAY_MINUTES, "start": following[0][0]},
                    )
                )
    both = calendar.holidays & calendar.makeup_days - calendar.overrides.keys()
    for day in sorted(both):
        problems.append(("holiday_and_makeup", {"date": day}))
    if not problems and not _opens(calendar, on):
        problems.append(("no_open_time", {"days": MAX_CLOSED_DAYS}))
    if problems:
        raise CalendarError(problems)


def _opens(calendar: Calendar, on: date | None) -> bool:
    if on is not None:
        return any(calendar.windows_on(on + timedelta(days=step)) for step in range(MAX_CLOSED_DAYS))
    if not any(calendar.weekly):
        return False
    listed = sorted({*calendar.overrides, *calendar.holidays})
    if not listed:
        return True
    closed = 0
    day, last = listed[0], listed[-1] + timedelta(days=MAX_CLOSED_DAYS)
    while day <= last:
        closed = 0 if calendar.windows_on(day) else closed + 1
        if closed >= MAX_CLOSED_DAYS:
            return False
        day += timedelta(days=1)
    return True
