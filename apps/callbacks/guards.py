"""Rules in plain Python: when a customer may be called, when again, whose turn a sample is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo

from apps.messaging.gate import Window

DAY = timedelta(days=1)


def within(policy: Window, opens: time | None, closes: time | None) -> Window:
    """The hours of a callback: its own, never beyond the shop's (`policy`). Own hours that lie outside count for nothing."""
    first = max(opens or policy.opens, policy.opens)
    last = min(closes or policy.closes, policy.closes)
    return Window(first, last) if first < last else policy


def allowed(moment: datetime, window: Window, zone: tzinfo) -> datetime:
    """`moment` where customers may be called then, else the next moment at which they may."""
    return window.next_opening(moment, zone)


def is_open(moment: datetime, window: Window, zone: tzinfo) -> bool:
    """Whether customers may be called at `moment`."""
    return window.is_open(moment.astimezone(zone).time().replace(tzinfo=None))


def next_try(last: datetime, *, min_hours: int, window: Window, zone: tzinfo) -> datetime:
    """When to try again after a call that nobody took: on another day, `min_hours` later, at an allowed hour.

    The time of day shifts by three hours, since whoever is not at home at ten is not at home at ten tomorrow either.
    """
    local = last.astimezone(zone)
    morrow = datetime.combine(local.date() + DAY, time(0), tzinfo=zone)
    wanted = local + DAY + timedelta(hours=3)
    if wanted.date() != morrow.date() or not window.is_open(wanted.time().replace(tzinfo=None)):
        wanted = window.next_opening(morrow, zone)
    earliest = last + timedelta(hours=min_hours)
    return window.next_opening(max(wanted, earliest.astimezone(zone)), zone)


def too_soon(
    moment: datetime, missed: Iterable[datetime], *, min_hours: int, zone: tzinfo
) -> datetime | None:
    """When the next try may be at the earliest, None when it may be now: no two on one day, none within `min_hours`."""
    last = max(missed, default=None)
    if last is None:
        return None
    morrow = datetime.combine(last.astimezone(zone).date() + DAY, time(0), tzinfo=zone)
    earliest = max(morrow, last + timedelta(hours=min_hours))
    return earliest if moment < earliest else None


def _number(*parts: object) -> int:
    text = ":".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


def sampled(plan: int, subject: object, percent: int) -> bool:
    """Whether a subject belongs to the sample of a plan. The same answer every time it is asked."""
    return _number("sample", plan, subject) % 100 < percent


def next_turn(plan: int, customer: int, every_days: int, today: date) -> date:
    """The customer's next day of a periodic plan, today included. Customers spread evenly over the days by their number,

    so that no day gets all of them.
    """
    phase = _number("turn", plan, customer) % every_days
    return today + timedelta(days=(phase - today.toordinal()) % every_days)
