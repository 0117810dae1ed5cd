"""Vectors of domain.md 3.2 and the traps of peers.md 4.1 and 4.7."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core.business_time import Calendar, DueCalculator
from apps.core.cn_holidays import from_chinesecalendar
from apps.feedback.sla import (
    Pause,
    Target,
    Unit,
    due_at,
    due_with_pauses,
    elapsed,
    merge_start,
    pause_limit,
    remaining,
    upgrade_due,
    used_fraction,
    warn_at,
    warn_moments,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
TABLE = from_chinesecalendar([2026])
STATE = DueCalculator(
    Calendar(
        zone="Asia/Shanghai",
        weekly=[[(540, 1080)]] * 5 + [[], []],
        holidays=TABLE["holidays"],
        makeup_days=TABLE["makeup_days"],
    )
)
SERVICE = DueCalculator(Calendar(zone="Asia/Shanghai", weekly=[[(540, 1260)]] * 7))

S_RESPOND = Target.hours("first_response", 1)
S_PLAN = Target.hours("plan_given", 24)
A_CONTACT = Target.business_hours("first_response", 4)
A_SOLVE = Target("resolved", 1, Unit.WORKDAY)
B_REPLY = Target("first_response", 1440, Unit.MINUTES)
B_PROGRESS = Target("progress_given", 3, Unit.WORKDAY)

FRIDAY = "2026-11-20 18:30"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text if len(text) > 11 else f"2026-{text}").replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("calendar", "start", "target", "due"),
    [
        (SERVICE, FRIDAY, A_CONTACT, "2026-11-21 10:30"),
        (STATE, FRIDAY, A_SOLVE, "2026-11-23 18:00"),
        (SERVICE, "2026-11-25 10:00", A_CONTACT, "2026-11-25 14:00"),
        (STATE, "2026-11-25 10:00", A_SOLVE, "2026-11-26 10:00"),
        (None, "2026-11-22 23:50", S_RESPOND, "2026-11-23 00:50"),
        (None, "2026-11-22 23:50", S_PLAN, "2026-11-23 23:50"),
        (None, FRIDAY, B_REPLY, "2026-11-21 18:30"),
        (STATE, FRIDAY, B_PROGRESS, "2026-11-25 18:00"),
        (STATE, "2026-11-25 10:00", Target("resolved", 1, Unit.WORKDAY_END), "2026-11-26 18:00"),
    ],
)
def test_domain_vectors(calendar: DueCalculator | None, start: str, target: Target, due: str) -> None:
    assert due_at(calendar, at(start), target) == at(due)
    assert due_with_pauses(calendar, at(start), target, [], at(start)) == at(due)


WEDNESDAY = at("2026-11-25 10:00")
PAUSE: list[Pause] = [(at("2026-11-25 11:00"), at("2026-11-26 10:00"))]


def test_domain_pause_vector() -> None:
    """A, Wed 10:00, paused Wed 11:00, resumed Thu 10:00: solve Thu 18:00."""
    now = at("2026-11-26 10:00")
    assert due_with_pauses(STATE, WEDNESDAY, A_SOLVE, PAUSE, now) == at("2026-11-26 18:00")
    assert remaining(STATE, WEDNESDAY, A_SOLVE, PAUSE, now) == timedelta(hours=8)
    assert elapsed(STATE, WEDNESDAY, A_SOLVE.unit, PAUSE, now) == timedelta(hours=1)
    assert used_fraction(STATE, WEDNESDAY, at("2026-11-26 18:00"), now, A_SOLVE.unit, PAUSE) == pytest.approx(
        1 / 9
    )


def test_pause_is_never_wall_time_for_a_business_clock() -> None:
    """The night and the weekend inside a pause buy no time."""
    pauses: list[Pause] = [(at("2026-11-20 17:00"), at("2026-11-23 10:00"))]
    due = due_with_pauses(STATE, at("2026-11-20 10:00"), A_SOLVE, pauses, at("2026-11-23 10:00"))
    assert due == at("2026-11-23 12:00")  # 2 h paused: Fri 17-18, Mon 9-10; plain due is Mon 10:00


def test_pause_is_wall_time_for_a_wall_clock() -> None:
    due = due_with_pauses(None, WEDNESDAY, S_PLAN, PAUSE, at("2026-11-26 10:00"))
    assert due == WEDNESDAY + timedelta(hours=24 + 23)


def test_no_deadline_while_paused_and_the_rest_is_frozen() -> None:
    pauses: list[Pause] = [(at("2026-11-25 11:00"), None)]
    for now in ("2026-11-25 11:00", "2026-11-25 17:00", "2026-12-01 10:00"):
        assert due_with_pauses(STATE, WEDNESDAY, A_SOLVE, pauses, at(now)) is None
        assert remaining(STATE, WEDNESDAY, A_SOLVE, pauses, at(now)) == timedelta(hours=8)
        assert elapsed(STATE, WEDNESDAY, A_SOLVE.unit, pauses, at(now)) == timedelta(hours=1)
    planned: list[Pause] = [(at("2026-11-25 11:00"), at("2026-11-27 09:00"))]
    assert due_with_pauses(STATE, WEDNESDAY, A_SOLVE, planned, at("2026-11-26 10:00")) is None


def test_pause_in_the_future_counts_for_nothing() -> None:
    pauses: list[Pause] = [(at("2026-11-25 15:00"), None)]
    noon = at("2026-11-25 12:00")
    assert due_with_pauses(STATE, WEDNESDAY, A_SOLVE, pauses, noon) == at("2026-11-26 10:00")


def test_overlapping_pauses_count_once() -> None:
    pauses: list[Pause] = [
        (at("2026-11-25 14:00"), at("2026-11-26 10:00")),
        (at("2026-11-25 11:00"), at("2026-11-25 16:00")),
        (at("2026-11-25 12:00"), at("2026-11-25 13:00")),
        (at("2026-11-24 09:00"), at("2026-11-24 18:00")),  # before the clock began
    ]
    now = at("2026-11-26 10:00")
    assert due_with_pauses(STATE, WEDNESDAY, A_SOLVE, pauses, now) == at("2026-11-26 18:00")
    open_over_closed: list[Pause] = [*pauses, (at("2026-11-25 15:00"), None)]
    assert due_with_pauses(STATE, WEDNESDAY, A_SOLVE, open_over_closed, now) is None
    assert remaining(STATE, WEDNESDAY, A_SOLVE, open_over_closed, now) == timedelta(hours=8)


def test_pause_after_a_miss_does_not_undo_it() -> None:
    missed = at("2026-11-26 10:00")
    late: list[Pause] = [(at("2026-11-26 11:00"), at("2026-11-27 11:00"))]
    assert due_with_pauses(STATE, WEDNESDAY, A_SOLVE, late, at("2026-11-28 10:00")) == missed
    still: list[Pause] = [(at("2026-11-26 11:00"), None)]
    assert due_with_pauses(STATE, WEDNESDAY, A_SOLVE, still, at("2026-11-28 10:00")) == missed


def test_remaining_and_used_fraction() -> None:
    assert remaining(STATE, WEDNESDAY, A_SOLVE, [], at("2026-11-25 14:30")) == timedelta(hours=4, minutes=30)
    assert remaining(STATE, WEDNESDAY, A_SOLVE, [], at("2026-11-26 12:00")) == -timedelta(hours=2)
    assert remaining(STATE, WEDNESDAY, A_SOLVE, [], at("2026-11-24 12:00")) == timedelta(hours=9)
    due = at("2026-11-26 10:00")
    assert used_fraction(STATE, WEDNESDAY, due, at("2026-11-25 14:30"), Unit.WORKDAY) == pytest.approx(0.5)
    assert used_fraction(STATE, WEDNESDAY, due, at("2026-11-26 14:30"), Unit.WORKDAY) == pytest.approx(1.5)
    assert used_fraction(STATE, WEDNESDAY, due, at("2026-11-24 14:30"), Unit.WORKDAY) == 0
    assert used_fraction(STATE, WEDNESDAY, WEDNESDAY, WEDNESDAY, Unit.WORKDAY) == 1
    assert elapsed(STATE, WEDNESDAY, Unit.WORKDAY, [], at("2026-11-24 14:30")) == timedelta()


def test_warnings_lie_at_shares_of_the_target() -> None:
    assert warn_moments(STATE, WEDNESDAY, A_SOLVE) == {
        0.5: at("2026-11-25 14:30"),
        0.8: at("2026-11-25 17:12"),
    }
    assert warn_at(None, at("2026-11-22 23:50"), S_RESPOND, 0.5) == at("2026-11-23 00:20")
    assert warn_at(STATE, at(FRIDAY), B_PROGRESS, 1) == at("2026-11-25 18:00")
    end = Target("resolved", 1, Unit.WORKDAY_END)
    assert warn_at(STATE, WEDNESDAY, end, 1) == at("2026-11-26 18:00")
    now = at("2026-11-26 10:00")
    assert warn_at(STATE, WEDNESDAY, A_SOLVE, 0.5, PAUSE, now) == at("2026-11-26 13:30")
    assert warn_at(STATE, WEDNESDAY, A_SOLVE, 0.5, [(at("2026-11-25 11:00"), None)], now) is None
    with pytest.raises(ValueError, match="give now"):
        warn_at(STATE, WEDNESDAY, A_SOLVE, 0.5, PAUSE)
    with pytest.raises(ValueError, match="at most"):
        warn_at(STATE, WEDNESDAY, A_SOLVE, 1.5)


def test_upgrade_takes_the_earlier_deadline() -> None:
    """A → S at t: new due = min(old, t + 1 h)."""
    old = at("2026-11-25 14:00")
    assert upgrade_due(None, old, at("2026-11-25 11:00"), S_RESPOND) == at("2026-11-25 12:00")
    assert upgrade_due(None, old, at("2026-11-25 13:30"), S_RESPOND) == old
    assert upgrade_due(None, old, at("2026-11-25 15:00"), S_RESPOND) == old  # missed stays missed
    assert upgrade_due(None, None, at("2026-11-25 11:00"), S_PLAN) == at("2026-11-26 11:00")


def test_merging_takes_the_earliest_start() -> None:
    assert merge_start(at(FRIDAY), WEDNESDAY) == at(FRIDAY)
    with pytest.raises(ValueError, match="nothing"):
        merge_start()


def test_pause_limit() -> None:
    first = pause_limit([], WEDNESDAY)
    assert (first.resume_at, first.capped, first.allowed) == (WEDNESDAY + timedelta(hours=72), False, True)
    used: list[Pause] = [(WEDNESDAY - timedelta(days=10), WEDNESDAY - timedelta(days=5))]
    second = pause_limit(used, WEDNESDAY)
    assert (second.resume_at, second.capped, second.allowed) == (WEDNESDAY + timedelta(days=2), True, True)
    spent: list[Pause] = [(WEDNESDAY - timedelta(days=7), None), (WEDNESDAY - timedelta(days=6), WEDNESDAY)]
    third = pause_limit(spent, WEDNESDAY)
    assert (third.resume_at, third.capped, third.allowed) == (WEDNESDAY, True, False)


def test_targets_are_checked() -> None:
    assert Target("resolved", 1, "workday").unit is Unit.WORKDAY  # type: ignore[arg-type]
    for value, unit in [(0, Unit.MINUTES), (-1, Unit.WORKDAY), (1.5, Unit.WORKDAY_END), (1, "fortnights")]:
        with pytest.raises(ValueError, match=r"above zero|whole days|fortnights"):
            Target("resolved", value, unit)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs a calendar"):
        due_at(None, WEDNESDAY, A_SOLVE)


TARGETS = st.sampled_from([A_CONTACT, A_SOLVE, B_REPLY, B_PROGRESS, Target("resolved", 2, Unit.WORKDAY_END)])
OFFSETS = st.integers(0, 12_000)


@given(TARGETS, st.integers(0, 200_000), st.lists(st.tuples(OFFSETS, OFFSETS), max_size=5), OFFSETS)
@settings(deadline=None)
def test_pause_properties(target: Target, begin: int, raw: list[tuple[int, int]], later: int) -> None:
    start = at("2026-01-05 00:00") + timedelta(minutes=begin)
    pauses: list[Pause] = [
        (start + timedelta(minutes=min(pair)), start + timedelta(minutes=max(pair))) for pair in raw
    ]
    now = start + timedelta(minutes=12_001 + later)
    due = due_with_pauses(STATE, start, target, pauses, now)
    plain = due_at(STATE, start, target)
    assert due is not None
    assert due >= plain
    assert due == due_with_pauses(STATE, start, target, pauses[::-1] + pauses, now)
    counted = [pause for pause in pauses if pause[0] < due]
    whole = elapsed(STATE, start, target.unit, counted, due)
    assert abs(whole - remaining(STATE, start, target, [], start)) < timedelta(milliseconds=1)
    left = remaining(STATE, start, target, pauses, now)
    assert (left < timedelta()) <= (now > due)
