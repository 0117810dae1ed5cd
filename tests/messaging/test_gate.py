"""The gate's rules as tables."""

from __future__ import annotations

from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest

from apps.messaging import gate
from apps.messaging.gate import Decision, Message, Person, Rules, Window, decide
from tests.factories import SHANGHAI, at

DAY, NIGHT = at("11-18 10:00"), at("11-18 23:30")
RULES = Rules()


def person(**values: object) -> Person:
    return Person(zone=values.pop("zone", SHANGHAI), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("opens", "closes", "moment", "expected"),
    [
        ("08:00", "21:00", "11-18 10:00", "11-18 10:00"),
        ("08:00", "21:00", "11-18 07:59", "11-18 08:00"),
        ("08:00", "21:00", "11-18 21:00", "11-19 08:00"),
        ("08:00", "21:00", "11-30 23:00", "12-01 08:00"),
        # Peers 4.7: a window over midnight stays one; 22:00–08:00 never turns into 08:00–22:00.
        ("22:00", "08:00", "11-18 23:00", "11-18 23:00"),
        ("22:00", "08:00", "11-18 03:00", "11-18 03:00"),
        ("22:00", "08:00", "11-18 12:00", "11-18 22:00"),
        ("22:00", "08:00", "11-18 08:00", "11-18 22:00"),
        ("22:00", "08:00", "11-18 22:00", "11-18 22:00"),
    ],
)
def test_a_window_opens_when_it_says(opens: str, closes: str, moment: str, expected: str) -> None:
    window = Window(time.fromisoformat(opens), time.fromisoformat(closes))
    assert window.next_opening(at(moment), SHANGHAI) == at(expected)


def test_the_night_is_the_recipients() -> None:
    marketing = Message("marketing", needs_consent=True)
    london = person(zone=ZoneInfo("Europe/London"), consent=True)
    # 10:00 in Shanghai is 02:00 in London: wait for 08:00 there, which is 16:00 here.
    assert decide(marketing, london, now=DAY, rules=RULES) == Decision(
        "defer", "quiet_hours", at("11-18 16:00")
    )


def test_an_opening_in_the_hour_that_summer_time_skips_is_a_real_moment() -> None:
    window = Window(time(2, 30), time(9))
    berlin = ZoneInfo("Europe/Berlin")
    opening = window.next_opening(at("2026-03-29 06:00").astimezone(ZoneInfo("UTC")), berlin)
    assert opening.utcoffset() == timedelta(0)
    assert opening == at("2026-03-29 09:30").astimezone(ZoneInfo("UTC")) or opening > at("2026-03-29 06:00")


SERVICE = Message("service")
CAREFUL = Message("service", respects_quiet_hours=True)
MARKETING = Message("marketing", needs_consent=True)
SAFETY = Message("safety")
SEND = Decision("send")


@pytest.mark.parametrize(
    ("message", "values", "now", "expected"),
    [
        # Law needs no consent for service; it does for marketing.
        (SERVICE, {}, DAY, SEND),
        (MARKETING, {"consent": True}, DAY, SEND),
        (MARKETING, {"consent": None}, DAY, Decision("refuse", "no_consent")),
        (MARKETING, {"consent": False}, DAY, Decision("refuse", "opted_out")),
        (MARKETING, {"consent": True, "opted_out": True}, DAY, Decision("refuse", "opted_out")),
        (SERVICE, {"opted_out": True}, DAY, SEND),
        (Message("service", needs_consent=True), {"consent": None}, DAY, Decision("refuse", "no_consent")),
        # Night.
        (SERVICE, {}, NIGHT, SEND),
        (CAREFUL, {}, NIGHT, Decision("defer", "quiet_hours", at("11-19 08:00"))),
        (MARKETING, {"consent": True}, NIGHT, Decision("defer", "quiet_hours", at("11-19 08:00"))),
        (
            MARKETING,
            {"consent": True},
            at("11-18 21:30"),
            Decision("defer", "quiet_hours", at("11-19 08:00")),
        ),
        # Safety passes consent, opt-out, holds, night and caps …
        (SAFETY, {"opted_out": True, "held": True, "consent": False}, NIGHT, SEND),
        (SAFETY, {"reached": (NIGHT,) * 9}, NIGHT, SEND),
        # … but nothing passes these.
        (SAFETY, {"state": "erased"}, DAY, Decision("refuse", "erased")),
        (SAFETY, {"erased_address": True}, DAY, Decision("refuse", "erased")),
        (SAFETY, {"state": "restricted"}, DAY, Decision("refuse", "restricted")),
        (SAFETY, {"has_address": False}, DAY, Decision("refuse", "no_address")),
        (SERVICE, {"state": "merged"}, DAY, Decision("refuse", "merged")),
        (SERVICE, {"held": True}, DAY, Decision("refuse", "on_hold")),
        (SERVICE, {"same_text": True}, DAY, Decision("refuse", "same_text")),
        # The cap counts marketing only, in rolling windows.
        (SERVICE, {"reached": (DAY,) * 9}, DAY, SEND),
        (
            MARKETING,
            {"consent": True, "reached": (at("11-17 15:00"),)},
            DAY,
            Decision("defer", "frequency", at("11-18 15:00")),
        ),
        (MARKETING, {"consent": True, "reached": (at("11-17 09:59"),)}, DAY, SEND),
        # Free again at night: the cap and the night together.
        (
            MARKETING,
            {"consent": True, "reached": (at("11-17 20:59"), at("11-16 22:00"))},
            DAY,
            Decision("defer", "frequency", at("11-18 20:59")),
        ),
        (
            MARKETING,
            {"consent": True, "reached": (at("11-17 22:30"),)},
            DAY,
            Decision("defer", "frequency", at("11-19 08:00")),
        ),
        (
            MARKETING,
            {"consent": True, "reached": tuple(at(f"11-{day:02} 09:00") for day in (2, 5, 9, 13))},
            DAY,
            Decision("defer", "frequency", at("12-02 09:00")),
        ),
    ],
)
def test_who_gets_what_when(
    message: Message, values: dict[str, object], now: object, expected: Decision
) -> None:
    assert decide(message, person(**values), now=now, rules=RULES) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message", "now", "expected"),
    [
        (Message("service", last_useful_at=at("11-18 09:00")), DAY, Decision("refuse", "too_late")),
        (
            Message("marketing", needs_consent=True, last_useful_at=at("11-19 07:00")),
            NIGHT,
            Decision("refuse", "too_late"),
        ),
        (
            Message("service", not_before=at("11-20 10:00")),
            DAY,
            Decision("defer", "planned", at("11-20 10:00")),
        ),
        # Planned for the night: after the night.
        (
            Message("service", respects_quiet_hours=True, not_before=at("11-18 23:00")),
            DAY,
            Decision("defer", "planned", at("11-19 08:00")),
        ),
        # Between the soft and the hard end goes only what would be worthless in the morning.
        (
            Message("service", respects_quiet_hours=True, last_useful_at=at("11-18 23:59")),
            at("11-18 21:30"),
            SEND,
        ),
        (CAREFUL, at("11-18 21:30"), Decision("defer", "quiet_hours", at("11-19 08:00"))),
        (
            Message("service", respects_quiet_hours=True, last_useful_at=at("11-18 23:59")),
            at("11-18 22:30"),
            Decision("refuse", "too_late"),
        ),
    ],
)
def test_what_waits_is_of_use_when_it_goes(message: Message, now: object, expected: Decision) -> None:
    assert decide(message, person(consent=True), now=now, rules=RULES) == expected  # type: ignore[arg-type]


def test_pauses_double_up_to_an_hour() -> None:
    assert [gate.pause(n, first=30).total_seconds() for n in (1, 2, 3, 4, 9)] == [30, 60, 120, 240, 3600]
