"""When a customer may be called, and when again."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest

from apps.callbacks import guards
from apps.messaging.gate import Window
from tests.factories import SHANGHAI, at

POLICY = Window(time(8), time(21))


@pytest.mark.parametrize(
    ("opens", "closes", "expected"),
    [
        (None, None, (8, 21)),
        (time(10), time(18), (10, 18)),
        # A plan never widens what the shop allows.
        (time(6), time(23), (8, 21)),
        # Hours that lie outside count for nothing.
        (time(22), time(23), (8, 21)),
    ],
)
def test_hours_lie_within_the_shops(
    opens: time | None, closes: time | None, expected: tuple[int, int]
) -> None:
    window = guards.within(POLICY, opens, closes)
    assert (window.opens.hour, window.closes.hour) == expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("11-18 10:00", "11-18 10:00"),
        ("11-18 03:00", "11-18 08:00"),
        ("11-18 21:00", "11-19 08:00"),
        ("11-18 23:30", "11-19 08:00"),
    ],
)
def test_night_moves_to_the_morning(moment: str, expected: str) -> None:
    assert guards.allowed(at(moment), POLICY, SHANGHAI) == at(expected)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        # Another day, another hour.
        ("11-18 10:00", "11-19 13:00"),
        # Too late in the evening: the next morning, twenty hours later at the earliest.
        ("11-18 20:00", "11-19 16:00"),
        ("11-18 12:00", "11-19 15:00"),
    ],
)
def test_the_next_try_is_on_another_day(last: str, expected: str) -> None:
    found = guards.next_try(at(last), min_hours=20, window=POLICY, zone=SHANGHAI)
    assert found == at(expected)
    assert found.astimezone(SHANGHAI).date() > at(last).date()


def test_two_tries_never_share_a_day() -> None:
    missed = [at("11-18 09:00")]
    assert guards.too_soon(at("11-18 20:59"), missed, min_hours=1, zone=SHANGHAI) == at("11-19 00:00")
    assert guards.too_soon(at("11-19 04:00"), missed, min_hours=20, zone=SHANGHAI) == at("11-19 05:00")
    assert guards.too_soon(at("11-19 09:00"), missed, min_hours=20, zone=SHANGHAI) is None
    assert guards.too_soon(at("11-19 09:00"), [], min_hours=20, zone=SHANGHAI) is None


def test_a_sample_is_drawn_once_and_for_all() -> None:
    drawn = [n for n in range(2000) if guards.sampled(1, n, 10)]
    assert drawn == [n for n in range(2000) if guards.sampled(1, n, 10)]
    assert 150 < len(drawn) < 250
    assert drawn != [n for n in range(2000) if guards.sampled(2, n, 10)]
    assert all(guards.sampled(1, n, 100) for n in range(50))


def test_turns_spread_evenly_and_come_round() -> None:
    today = date(2026, 11, 18)
    turns = [guards.next_turn(1, n, 30, today) for n in range(3000)]
    assert all(today <= turn < today + timedelta(days=30) for turn in turns)
    per_day = [turns.count(today + timedelta(days=n)) for n in range(30)]
    assert min(per_day) > 60
    assert guards.next_turn(1, 7, 30, turns[7] + timedelta(days=1)) == turns[7] + timedelta(days=30)
