"""Rules of the service clocks: targets and pauses in, deadlines out (R14, R19; domain.md 3.1-3.2).

A *clock* starts at a moment and has a *target* in one of four units, so that one policy may mix them
(peers.md 3.2): "answer within 60 minutes round the clock" beside "solve within one workday".

* A pause stops a clock. The deadline then moves by the paused time **measured in the clock's own time**: wall
  minutes for a wall clock, open minutes for a business clock. The start is never shifted (peers.md 4.1).
* While a clock is paused it has no deadline; what is left is frozen.
* A pause that begins after the deadline has passed changes nothing: a miss is never undone.

All functions take ``now`` as an argument and timezone-aware moments. Plain Python, no Django.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from apps.core.business_time import Calendar, DueCalculator, calculator, merge_spans

#: (from, to); ``to`` is None while the pause lasts.
Pause = tuple[datetime, datetime | None]

#: Warnings at half and at four fifths of the target (domain.md 3.2 "Escalation").
WARNINGS = (0.5, 0.8)
#: A pause ends by itself after the first; all pauses of a case together last at most the second
#: (domain.md 3.2).
MAX_PAUSE = timedelta(hours=72)
MAX_PAUSED_TOTAL = timedelta(days=7)


class Unit(StrEnum):
    """In what a target is counted."""

    MINUTES = "minutes"  #: wall clock, 24×7
    BUSINESS_MINUTES = "business_minutes"  #: minutes in which the calendar is open
    WORKDAY = "workday"  #: standard days of open time; Wed 10:00 + 1 = Thu 10:00 (decisions.md 1)
    WORKDAY_END = "workday_end"  #: closing time of the n-th working day after the start


@dataclass(frozen=True, slots=True)
class Target:
    """What must have happened (``kind``, e.g. ``first_response``) within ``value`` ``unit``.

    ``value`` must be above zero, and a whole number for ``workday_end``; ``ValueError`` otherwise.
    """

    kind: str
    value: float
    unit: Unit

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", Unit(self.unit))
        if not self.value > 0:
            raise ValueError("a target must be above zero")
        if self.unit is Unit.WORKDAY_END and self.value != int(self.value):
            raise ValueError("workday_end counts whole days")

    @classmethod
    def hours(cls, kind: str, value: float) -> Target:
        """``value`` hours of wall clock."""
        return cls(kind, value * 60, Unit.MINUTES)

    @classmethod
    def business_hours(cls, kind: str, value: float) -> Target:
        """``value`` hours of open time."""
        return cls(kind, value * 60, Unit.BUSINESS_MINUTES)


Clockwork = Calendar | DueCalculator | None


def _calculator(calendar: Clockwork) -> DueCalculator:
    if calendar is None:
        raise ValueError("this unit needs a calendar")
    return calculator(calendar)


def _measure(calendar: Clockwork, unit: Unit, a: datetime, b: datetime) -> timedelta:
    """Time from ``a`` to ``b`` as the unit sees it: wall time or open time; negative when reversed."""
    if unit is Unit.MINUTES:
        return b - a
    return timedelta(minutes=_calculator(calendar).between(a, b))


def _advance(calendar: Clockwork, unit: Unit, start: datetime, amount: timedelta) -> datetime:
    if unit is Unit.MINUTES:
        return start + amount
    return _calculator(calendar).due(start, amount / timedelta(minutes=1))


def _amount(calendar: Clockwork, start: datetime, target: Target) -> timedelta:
    """The whole target as wall or open time; for ``workday_end`` that depends on the start."""
    if target.unit in (Unit.MINUTES, Unit.BUSINESS_MINUTES):
        return timedelta(minutes=target.value)
    calc = _calculator(calendar)
    if target.unit is Unit.WORKDAY:
        return timedelta(minutes=target.value * calc.calendar.standard_day_minutes)
    return timedelta(minutes=calc.between(start, calc.workday_end(start, int(target.value))))


def due_at(calendar: Clockwork, start: datetime, target: Target) -> datetime:
    """Deadline of a target that starts at ``start`` and is never paused.

    ``calendar`` may be None for ``Unit.MINUTES``. Raises ``NoOpenTime`` when the calendar never opens.
    """
    if target.unit is Unit.WORKDAY_END:
        return _calculator(calendar).workday_end(start, int(target.value))
    return _advance(calendar, target.unit, start, _amount(calendar, start, target))


def _merged(pauses: Iterable[Pause], start: datetime, now: datetime) -> tuple[list[Pause], bool]:
    """Pauses cut to ``start … now`` with overlaps joined, and whether ``now`` lies in one.

    A pause planned to end after ``now`` still lasts; one that begins after ``now`` does not exist yet.
    """
    spans: list[tuple[datetime, datetime]] = []
    paused_since: list[datetime] = []
    for begin, end in pauses:
        if begin > now or (end is not None and end <= max(begin, start)):
            continue
        if end is None or end > now:
            paused_since.append(max(begin, start))
        else:
            spans.append((max(begin, start), end))
    if not paused_since:
        return list(merge_spans(spans)), False
    open_from = min(paused_since)
    merged: list[Pause] = []
    for begin, end in merge_spans(spans):
        if end >= open_from:
            open_from = min(open_from, begin)
            break
        merged.append((begin, end))
    merged.append((open_from, None))
    return merged, True


def _walk(
    calendar: Clockwork, start: datetime, target: Target, pauses: Iterable[Pause], now: datetime
) -> tuple[datetime, datetime | None]:
    """(deadline so far, since when paused if that leaves it open)."""
    merged, _ = _merged(pauses, start, now)
    due = due_at(calendar, start, target)
    amount = _amount(calendar, start, target)
    paused = timedelta()
    for begin, end in merged:
        if begin >= due:
            break  # the target was missed before this pause
        if end is None:
            return due, begin
        overlap = _measure(calendar, target.unit, begin, end)
        if overlap:
            paused += overlap
            due = _advance(calendar, target.unit, start, amount + paused)
    return due, None


def due_with_pauses(
    calendar: Clockwork, start: datetime, target: Target, pauses: Iterable[Pause], now: datetime
) -> datetime | None:
    """Deadline with pauses taken out, or None while paused.

    Equals ``start`` plus the target plus the paused time, all in the target's own time. Overlapping pauses
    count once. Once missed, a deadline stays where it was.
    """
    due, paused_since = _walk(calendar, start, target, pauses, now)
    return None if paused_since else due


def elapsed(
    calendar: Clockwork, start: datetime, unit: Unit, pauses: Iterable[Pause], now: datetime
) -> timedelta:
    """Time on the clock at ``now`` in the unit's own time, pauses taken out; never negative."""
    if now <= start:
        return timedelta()
    merged, _ = _merged(pauses, start, now)
    total = _measure(calendar, unit, start, now)
    for begin, end in merged:
        total -= _measure(calendar, unit, begin, end or now)
    return total


def remaining(
    calendar: Clockwork, start: datetime, target: Target, pauses: Iterable[Pause], now: datetime
) -> timedelta:
    """What is left at ``now`` in the target's own time (540 open minutes are 9 hours); negative when overdue.

    Frozen while paused. Before ``start`` the whole target is left.
    """
    due, paused_since = _walk(calendar, start, target, pauses, now)
    if now <= start:
        return _amount(calendar, start, target)
    return _measure(calendar, target.unit, paused_since or now, due)


def used_fraction(
    calendar: Clockwork,
    start: datetime,
    due: datetime,
    now: datetime,
    unit: Unit,
    pauses: Iterable[Pause] = (),
) -> float:
    """Share of the time between ``start`` and ``due`` that is used up at ``now``; above 1 when overdue.

    Give the pauses that ``due`` already includes, so that they count neither as target nor as use.
    """
    merged, _ = _merged(pauses, start, now)
    closed = [(begin, end or now) for begin, end in merged]
    total = _measure(calendar, unit, start, due)
    used = _measure(calendar, unit, start, max(start, now))
    for begin, end in closed:
        if begin < due:
            overlap = _measure(calendar, unit, begin, end)
            total -= overlap
            used -= overlap
    if total <= timedelta():
        return 1.0 if now >= due else 0.0
    return max(0.0, used / total)


def warn_at(
    calendar: Clockwork,
    start: datetime,
    target: Target,
    fraction: float,
    pauses: Iterable[Pause] = (),
    now: datetime | None = None,
) -> datetime | None:
    """The moment at which ``fraction`` of the target is used, or None while paused before it.

    ``now`` is needed only with pauses; it says which of them have begun.
    """
    if not 0 < fraction <= 1:
        raise ValueError("a warning lies above 0 and at most at 1")
    pauses = list(pauses)
    if pauses and now is None:
        raise ValueError("pauses can only be judged at a moment: give now")
    minutes = _amount(calendar, start, target) * fraction / timedelta(minutes=1)
    unit = Unit.MINUTES if target.unit is Unit.MINUTES else Unit.BUSINESS_MINUTES
    if minutes <= 0:  # workday_end on a calendar without open time before the end: warn at once
        return start
    return due_with_pauses(calendar, start, Target(target.kind, minutes, unit), pauses, now or start)


def warn_moments(
    calendar: Clockwork,
    start: datetime,
    target: Target,
    fractions: Sequence[float] = WARNINGS,
    pauses: Iterable[Pause] = (),
    now: datetime | None = None,
) -> dict[float, datetime | None]:
    """``warn_at`` for several fractions, by default 50 % (owner) and 80 % (team lead)."""
    pauses = list(pauses)
    return {part: warn_at(calendar, start, target, part, pauses, now) for part in fractions}


def upgrade_due(calendar: Clockwork, old_due: datetime | None, at: datetime, new_target: Target) -> datetime:
    """Deadline after an upgrade (B → A → S) at ``at``: the earlier of the old one and ``at`` + new target.

    An upgrade never buys time and never undoes a miss. ``old_due`` is None if the clock was paused.
    """
    fresh = due_at(calendar, at, new_target)
    return fresh if old_due is None else min(old_due, fresh)


def merge_start(*starts: datetime) -> datetime:
    """Start of a clock after duplicates were merged: the earliest wins. ``ValueError`` without any."""
    if not starts:
        raise ValueError("nothing to merge")
    return min(starts)


@dataclass(frozen=True, slots=True)
class PauseLimit:
    """``resume_at``: when a pause ends by itself. ``capped``: the case's total ran out, tell the manager.

    ``allowed``: False when nothing of the total is left; ``resume_at`` then is the moment asked about.
    """

    resume_at: datetime
    capped: bool
    allowed: bool


def pause_limit(
    pauses: Iterable[Pause],
    at: datetime,
    *,
    longest: timedelta = MAX_PAUSE,
    total: timedelta = MAX_PAUSED_TOTAL,
) -> PauseLimit:
    """How long a pause that begins (or lasts since) ``at`` may go on, given the earlier ``pauses``.

    Wall time, since it protects the customer: 72 hours at a stretch, 7 days a case (domain.md 3.2). Pauses
    still open are counted up to ``at``; overlaps count once.
    """
    earlier = merge_spans((begin, at if end is None else min(end, at)) for begin, end in pauses)
    left = total - sum((end - begin for begin, end in earlier), timedelta())
    if left <= timedelta():
        return PauseLimit(resume_at=at, capped=True, allowed=False)
    return PauseLimit(resume_at=at + min(longest, left), capped=left < longest, allowed=True)
