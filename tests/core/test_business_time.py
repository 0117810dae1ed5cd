"""Vectors of domain.md 3.2 and peers.md 3.1, traps of peers.md 4.7 and 5, properties of the arithmetic."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core.business_time import (
    Calendar,
    CalendarError,
    DueCalculator,
    NoOpenTime,
    add_business_minutes,
    add_workdays,
    business_minutes_between,
    calculator,
    intervals,
    is_open,
    merge_spans,
    next_open,
    validate,
    window,
    workday_end,
)
from apps.core.cn_holidays import from_chinesecalendar

SHANGHAI = ZoneInfo("Asia/Shanghai")
TABLE = from_chinesecalendar(range(2024, 2027))
NINE_TO_SIX = [(540, 1080)]
STATE = Calendar(
    zone="Asia/Shanghai",
    weekly=[NINE_TO_SIX] * 5 + [[], []],
    holidays=TABLE["holidays"],
    makeup_days=TABLE["makeup_days"],
)
LUNCH = replace(STATE, weekly=[[(540, 720), (810, 1080)]] * 5 + [[], []], standard_day_minutes=450)
SERVICE = Calendar(zone="Asia/Shanghai", weekly=[[(540, 1260)]] * 7)
ALWAYS = Calendar(zone="Asia/Shanghai", weekly=[[(0, 1440)]] * 7)
PLAIN = Calendar(zone="Asia/Shanghai", weekly=[NINE_TO_SIX] * 5 + [[], []])


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


# -- domain.md 3.2 -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("calendar", "start", "minutes", "due"),
    [
        (SERVICE, "2026-11-20 18:30", 240, "2026-11-21 10:30"),
        (STATE, "2026-11-20 18:30", 540, "2026-11-23 18:00"),
        (SERVICE, "2026-11-25 10:00", 240, "2026-11-25 14:00"),
        (STATE, "2026-11-25 10:00", 540, "2026-11-26 10:00"),
        (ALWAYS, "2026-11-22 23:50", 60, "2026-11-23 00:50"),
        (ALWAYS, "2026-11-22 23:50", 1440, "2026-11-23 23:50"),
        (ALWAYS, "2026-11-20 18:30", 1440, "2026-11-21 18:30"),
        (STATE, "2026-11-20 18:30", 3 * 540, "2026-11-25 18:00"),
    ],
)
def test_domain_vectors(calendar: Calendar, start: str, minutes: int, due: str) -> None:
    assert add_business_minutes(calendar, at(start), minutes) == at(due)


def test_workday_is_working_time_of_the_standard_day() -> None:
    assert add_workdays(STATE, at("2026-11-25 10:00"), 1) == at("2026-11-26 10:00")
    assert add_workdays(STATE, at("2026-11-20 18:30"), 3) == at("2026-11-25 18:00")


def test_national_day_2026_and_its_makeup_days() -> None:
    assert add_workdays(STATE, at("2026-09-30 10:00"), 1) == at("2026-10-08 10:00")
    assert is_open(STATE, at("2026-09-20 10:00"))  # Sunday, make-up
    assert is_open(STATE, at("2026-10-10 10:00"))  # Saturday, make-up
    assert not is_open(STATE, at("2026-10-07 10:00"))  # Wednesday, holiday


# -- peers.md 3.1 --------------------------------------------------------------------------------------------
PEERS = [
    ("2025-09-26", 1, "2025-09-28"),
    ("2025-09-30", 1, "2025-10-09"),
    ("2025-09-30", 3, "2025-10-11"),
    ("2025-12-31", 1, "2026-01-04"),
    ("2026-02-13", 1, "2026-02-14"),
    ("2026-02-14", 1, "2026-02-24"),
    ("2025-01-24", 1, "2025-01-26"),
]


@pytest.mark.parametrize(("start", "days", "due"), PEERS)
def test_peers_date_vectors(start: str, days: int, due: str) -> None:
    begin = at(f"{start} 10:00")
    assert workday_end(STATE, begin, days) == at(f"{due} 18:00")
    assert add_workdays(STATE, begin, days) == at(f"{due} 10:00")


@pytest.mark.parametrize(
    ("start", "minutes", "due"),
    [
        ("2025-09-30 16:00", 240, "2025-10-09 11:00"),
        ("2026-02-13 17:00", 240, "2026-02-14 12:00"),
        ("2025-06-06 11:30", 60, "2025-06-06 14:00"),
    ],
)
def test_peers_lunch_break_vectors(start: str, minutes: int, due: str) -> None:
    assert add_business_minutes(LUNCH, at(start), minutes) == at(due)


def test_makeup_days_are_a_switch() -> None:
    ignoring = replace(STATE, observe_makeup=False)
    assert workday_end(ignoring, at("2025-09-26 10:00"), 1) == at("2025-09-29 18:00")
    working = replace(STATE, observe_holidays=False)
    assert is_open(working, at("2026-10-01 10:00"))


def test_makeup_day_takes_the_windows_of_the_named_weekday() -> None:
    weekly = [NINE_TO_SIX, [(600, 700)], NINE_TO_SIX, NINE_TO_SIX, NINE_TO_SIX, [], []]
    calendar = replace(STATE, weekly=weekly, makeup_weekday=1)
    assert intervals(calendar, date(2026, 2, 14)) == [(at("2026-02-14 10:00"), at("2026-02-14 11:40"))]


def test_override_beats_holiday_makeup_and_weekday() -> None:
    calendar = replace(
        STATE,
        overrides={
            date(2026, 10, 1): [(600, 720)],  # holiday: emergency shift
            date(2026, 10, 10): [],  # make-up day: closed after all
            date(2026, 11, 25): [(540, 600), (1200, 1439)],  # special hours; 23:59 means midnight
        },
    )
    assert intervals(calendar, date(2026, 10, 1)) == [(at("2026-10-01 10:00"), at("2026-10-01 12:00"))]
    assert intervals(calendar, date(2026, 10, 10)) == []
    assert intervals(calendar, date(2026, 11, 25))[1] == (at("2026-11-25 20:00"), at("2026-11-26 00:00"))
    assert add_business_minutes(calendar, at("2026-09-30 17:00"), 120) == at("2026-10-01 11:00")


# -- traps ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("end", [1440, 1439])
def test_round_the_clock_loses_no_minute(end: int) -> None:
    """zammad#3180: a 24x7 calendar was closed one minute a night."""
    calendar = Calendar(zone="Asia/Shanghai", weekly=[[(0, end)]] * 7)
    start = at("2026-01-01 00:00")
    assert add_business_minutes(calendar, start, 60 * 24 * 365) == start + timedelta(days=365)
    assert is_open(calendar, at("2026-01-01 23:59") + timedelta(seconds=59, microseconds=999_999))


@pytest.mark.parametrize(
    "weekly", [[[(1320, 1560)]] * 7, [[(0, 120), (1320, 1440)]] * 7], ids=["one window", "split"]
)
def test_past_midnight(weekly: list[list[tuple[int, int]]]) -> None:
    """chatwoot#5254, and Mautic's 22:00-08:00 that silently became 08:00-22:00."""
    calendar = Calendar(zone="Asia/Shanghai", weekly=weekly)
    validate(calendar)
    assert is_open(calendar, at("2026-11-20 23:00"))
    assert is_open(calendar, at("2026-11-21 01:59"))
    assert not is_open(calendar, at("2026-11-21 02:00"))
    assert add_business_minutes(calendar, at("2026-11-20 23:00"), 200) == at("2026-11-21 22:20")


def test_window_belongs_to_the_day_it_starts_on() -> None:
    night = Calendar(zone="Asia/Shanghai", weekly=[[window("22:00", "02:00")]] * 7)
    closed = replace(night, overrides={date(2026, 11, 21): []})
    assert is_open(closed, at("2026-11-21 01:00"))  # tail of the 20th
    assert not is_open(closed, at("2026-11-21 23:00"))
    assert not is_open(closed, at("2026-11-22 01:00"))


def test_window_from_clock_times() -> None:
    assert window("09:00", "18:00") == (540, 1080)
    assert window("00:00", "24:00") == (0, 1440)
    assert window("22:00", "02:00") == (1320, 1560)
    assert window("9:00", "9:00") == (540, 1980)
    for start, end in [
        ("24:00", "02:00"),
        ("9", "10:00"),
        ("09:60", "10:00"),
        ("25:00", "26:00"),
        ("a:00", "b:00"),
    ]:
        with pytest.raises(ValueError, match=r"time of day|24:00"):
            window(start, end)


def test_holidays_never_make_a_deadline_sooner() -> None:
    """django-helpdesk counted workdays and used the count as calendar days."""
    start = at("2026-02-13 10:00")
    assert add_workdays(STATE, start, 3) >= add_workdays(PLAIN, start, 3)


def test_end_of_window_is_due_the_same_day() -> None:
    assert add_business_minutes(STATE, at("2026-11-25 17:00"), 60) == at("2026-11-25 18:00")
    assert add_business_minutes(STATE, at("2026-11-25 18:00"), 1) == at("2026-11-26 09:01")


def test_zero_and_negative() -> None:
    closed = at("2026-11-21 03:00")
    assert add_business_minutes(STATE, closed, 0) == closed
    with pytest.raises(ValueError, match="negative"):
        add_business_minutes(STATE, closed, -1)
    assert business_minutes_between(STATE, at("2026-11-25 10:00"), at("2026-11-25 09:00")) == -60
    assert business_minutes_between(STATE, closed, closed) == 0


def test_between_over_a_pause_counts_open_time_only() -> None:
    assert business_minutes_between(STATE, at("2026-11-25 11:00"), at("2026-11-26 10:00")) == 480
    pauses = merge_spans(
        [
            (at("2026-11-25 15:00"), at("2026-11-25 20:00")),
            (at("2026-11-25 11:00"), at("2026-11-25 16:00")),
            (at("2026-11-26 10:00"), at("2026-11-26 10:00")),
        ]
    )
    assert pauses == [(at("2026-11-25 11:00"), at("2026-11-25 20:00"))]
    assert sum(business_minutes_between(STATE, a, b) for a, b in pauses) == 420


def test_next_open() -> None:
    assert next_open(STATE, at("2026-11-20 18:00")) == at("2026-11-23 09:00")
    assert next_open(STATE, at("2026-11-20 17:59")) == at("2026-11-20 17:59")
    assert next_open(STATE, at("2026-10-01 03:00")) == at("2026-10-08 09:00")


def test_result_keeps_the_zone_of_the_question() -> None:
    due = add_business_minutes(STATE, datetime(2026, 11, 25, 2, 0, tzinfo=UTC), 540)
    assert due == at("2026-11-26 10:00")
    assert due.tzinfo is UTC
    assert add_business_minutes(STATE, at("2026-11-25 10:00"), 540).tzinfo is SHANGHAI


def test_naive_moments_are_refused() -> None:
    naive = datetime(2026, 11, 25, 10, 0)
    for call in (is_open, next_open):
        with pytest.raises(ValueError, match="naive"):
            call(STATE, naive)
    with pytest.raises(ValueError, match="naive"):
        add_business_minutes(STATE, naive, 1)
    with pytest.raises(ValueError, match="naive"):
        workday_end(STATE, naive, 1)
    with pytest.raises(ValueError, match="naive"):
        business_minutes_between(STATE, naive, naive)


def test_workday_end_wants_whole_positive_days() -> None:
    for n in (0, -1, 1.5):
        with pytest.raises(ValueError, match="whole number"):
            workday_end(STATE, at("2026-11-25 10:00"), n)


# -- bounded walk --------------------------------------------------------------------------------------------
def test_walk_is_bounded() -> None:
    never = Calendar(zone="Asia/Shanghai", weekly=[[]] * 7)
    start = at("2026-01-01 00:00")
    for call in (lambda: add_business_minutes(never, start, 1), lambda: next_open(never, start)):
        with pytest.raises(NoOpenTime):
            call()
    with pytest.raises(NoOpenTime):
        workday_end(never, start, 1)
    assert business_minutes_between(never, start, start + timedelta(days=900)) == 0


def test_walk_reaches_366_days() -> None:
    start = at("2026-01-01 00:00")
    once = Calendar(zone="Asia/Shanghai", weekly=[[]] * 7, overrides={date(2026, 12, 31): [(600, 660)]})
    assert add_business_minutes(once, start, 60) == at("2026-12-31 11:00")
    assert workday_end(once, start, 1) == at("2026-12-31 11:00")
    with pytest.raises(NoOpenTime):
        add_business_minutes(once, start, 61)


def test_rare_calendar_and_long_targets() -> None:
    mondays = Calendar(zone="Asia/Shanghai", weekly=[[(600, 601)]] + [[]] * 6)
    assert add_business_minutes(mondays, at("2026-01-01 00:00"), 520) == at("2035-12-17 10:01")


def test_far_jumps_between_years() -> None:
    clock = DueCalculator(PLAIN)
    assert clock.due(at("2026-11-25 10:00"), 60) == at("2026-11-25 11:00")
    assert clock.due(at("1995-11-22 10:00"), 60) == at("1995-11-22 11:00")
    assert clock.due(at("2150-11-25 10:00"), 60) == at("2150-11-25 11:00")
    assert clock.between(at("2000-01-03 09:00"), at("2150-01-05 09:00")) == 540 * sum(
        (date(2000, 1, 3) + timedelta(days=n)).weekday() < 5
        for n in range((date(2150, 1, 5) - date(2000, 1, 3)).days)
    )
    with pytest.raises(ValueError, match="too close"):
        clock.due(datetime(1, 1, 2, tzinfo=UTC), 1)
    with pytest.raises(ValueError, match="too close"):
        clock.between(datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))


# -- validate ------------------------------------------------------------------------------------------------
def codes(calendar: Calendar, on: date | None = None) -> set[str]:
    with pytest.raises(CalendarError) as caught:
        validate(calendar, on)
    assert str(caught.value)
    return {code for code, _ in caught.value.problems}


def test_validate_accepts_sound_calendars() -> None:
    for calendar in (STATE, LUNCH, SERVICE, ALWAYS, PLAIN):
        validate(calendar)
        validate(calendar, date(2026, 1, 1))


def test_validate_names_nonsense() -> None:
    assert codes(replace(PLAIN, zone="Mars/Olympus")) == {"bad_zone"}
    assert codes(replace(PLAIN, weekly=[NINE_TO_SIX] * 6)) == {"weekly_length"}
    assert codes(replace(PLAIN, weekly=[[(600, 600)]] * 7)) == {"bad_window"}
    assert codes(replace(PLAIN, weekly=[[(-5, 600)]] * 7)) == {"bad_window"}
    assert codes(replace(PLAIN, weekly=[[(1320, 120)]] * 7)) == {"bad_window"}
    assert codes(replace(PLAIN, weekly=[[(0, 1500)]] * 7)) >= {"bad_window"}
    assert codes(replace(PLAIN, weekly=[[(540, 720), (700, 1080)]] * 7)) == {"overlap"}
    assert codes(replace(PLAIN, weekly=[[(60, 100), (1320, 1560)]] * 7)) == {"overlap_next_day"}
    assert codes(replace(PLAIN, overrides={date(2026, 1, 1): [(700, 600)]})) == {"bad_window"}
    assert codes(replace(PLAIN, standard_day_minutes=0)) == {"bad_standard_day"}
    assert codes(replace(PLAIN, makeup_weekday=7)) == {"bad_makeup_weekday"}
    day = frozenset({date(2026, 10, 1)})
    assert codes(replace(PLAIN, holidays=day, makeup_days=day)) == {"holiday_and_makeup"}


def test_validate_refuses_a_year_without_open_time() -> None:
    never = Calendar(zone="Asia/Shanghai", weekly=[[]] * 7)
    assert codes(never) == {"no_open_time"}
    closed = {date(2026, 1, 1) + timedelta(days=n): [] for n in range(366)}
    assert codes(replace(PLAIN, overrides=closed)) == {"no_open_time"}
    assert codes(replace(PLAIN, holidays=set(closed)), date(2026, 1, 1)) == {"no_open_time"}
    seasonal = replace(never, overrides={date(2026, 7, 1): [(540, 1080)]})
    validate(seasonal, date(2026, 1, 1))
    assert codes(seasonal) == {"no_open_time"}


def test_calculator_refuses_nonsense_windows() -> None:
    with pytest.raises(CalendarError):
        add_business_minutes(replace(PLAIN, weekly=[[(1320, 120)]] * 7), at("2026-01-01 00:00"), 1)


# -- value semantics -----------------------------------------------------------------------------------------
def test_calendar_is_a_value() -> None:
    same = replace(STATE, weekly=[list(NINE_TO_SIX)] * 5 + [[], []])
    assert same == STATE
    assert hash(same) == hash(STATE)
    assert calculator(same) is calculator(STATE)
    assert pickle.loads(pickle.dumps(STATE)) == STATE
    assert copy.deepcopy(STATE) == STATE
    special = replace(STATE, overrides={date(2026, 1, 5): []})
    assert special != STATE
    assert calculator(special) is not calculator(STATE)
    with pytest.raises(TypeError):
        special.overrides[date(2026, 1, 6)] = ()  # type: ignore[index]


# -- daylight saving -----------------------------------------------------------------------------------------
BERLIN = ZoneInfo("Europe/Berlin")


def test_daylight_saving_round_the_clock() -> None:
    calendar = Calendar(zone=BERLIN, weekly=[[(0, 1440)]] * 7)
    assert (
        business_minutes_between(calendar, at("2026-03-29 00:00", BERLIN), at("2026-03-30 00:00", BERLIN))
        == 1380
    )
    assert (
        business_minutes_between(calendar, at("2026-10-25 00:00", BERLIN), at("2026-10-26 00:00", BERLIN))
        == 1500
    )
    start = at("2026-03-28 12:00", BERLIN)
    due = add_business_minutes(calendar, start, 1440)
    assert due.astimezone(UTC) - start.astimezone(UTC) == timedelta(days=1)


def test_daylight_saving_gap() -> None:
    skipped = Calendar(zone=BERLIN, weekly=[[(120, 180)]] * 7)  # 02:00-03:00 does not exist on 2026-03-29
    assert intervals(skipped, date(2026, 3, 29)) == []
    half = Calendar(zone=BERLIN, weekly=[[(150, 240)]] * 7)  # 02:30-04:00: half an hour of it is skipped
    assert (
        business_minutes_between(half, at("2026-03-29 00:00", BERLIN), at("2026-03-29 12:00", BERLIN)) == 60
    )


def test_shanghai_daylight_saving_of_1988() -> None:
    assert business_minutes_between(ALWAYS, at("1988-04-17 00:00"), at("1988-04-18 00:00")) == 1380


# -- properties ----------------------------------------------------------------------------------------------
CALENDARS = st.sampled_from(
    [
        STATE,
        LUNCH,
        SERVICE,
        ALWAYS,
        Calendar(
            zone=BERLIN,
            weekly=[[(1320, 1560)], [(0, 1440)], [(150, 200), (300, 301)], [], [], [], [(60, 90)]],
        ),
    ]
)
MOMENTS = st.datetimes(
    datetime(2024, 1, 1), datetime(2026, 12, 1), timezones=st.sampled_from([SHANGHAI, UTC, BERLIN])
)
MINUTES = st.integers(1, 20_000)


def micros(a: datetime, b: datetime) -> int:
    return (b.astimezone(UTC) - a.astimezone(UTC)) // timedelta(microseconds=1)


@given(CALENDARS, MOMENTS, MINUTES)
@settings(deadline=None)
def test_add_then_between_is_a_round_trip(calendar: Calendar, start: datetime, minutes: int) -> None:
    due = add_business_minutes(calendar, start, minutes)
    assert business_minutes_between(calendar, start, due) == pytest.approx(minutes, abs=1e-6)
    assert business_minutes_between(calendar, due, start) == pytest.approx(-minutes, abs=1e-6)
    assert is_open(calendar, due.astimezone(UTC) - timedelta(microseconds=1))


@given(CALENDARS, MOMENTS, MINUTES, MINUTES)
@settings(deadline=None)
def test_adding_is_monotone_and_splits(calendar: Calendar, start: datetime, first: int, second: int) -> None:
    near = add_business_minutes(calendar, start, first)
    far = add_business_minutes(calendar, start, first + second)
    assert micros(near, far) > 0
    assert micros(add_business_minutes(calendar, near, second), far) == 0


@given(CALENDARS, MOMENTS, MOMENTS, MINUTES)
@settings(deadline=None)
def test_later_start_is_never_due_sooner(calendar: Calendar, a: datetime, b: datetime, minutes: int) -> None:
    first, second = sorted((a.astimezone(UTC), b.astimezone(UTC)))
    assert add_business_minutes(calendar, first, minutes) <= add_business_minutes(calendar, second, minutes)
    assert 0 <= business_minutes_between(calendar, first, second) <= micros(first, second) / 60e6 + 1e-6


@given(MOMENTS, MOMENTS)
@settings(deadline=None, max_examples=40)
def test_between_equals_counting_minutes(a: datetime, b: datetime) -> None:
    a = a.astimezone(UTC).replace(second=0, microsecond=0)
    b = min(b.astimezone(UTC).replace(second=0, microsecond=0), a + timedelta(days=6))
    if b < a:
        a, b = b, min(a, b + timedelta(days=6))
    counted = sum(is_open(LUNCH, a + timedelta(minutes=n)) for n in range(int((b - a).total_seconds()) // 60))
    assert business_minutes_between(LUNCH, a, b) == counted


# -- the state's table ---------------------------------------------------------------------------------------
def test_state_table_reports_unknown_years() -> None:
    table = from_chinesecalendar([2026, 2090, 1990])
    assert table["missing_years"] == (1990, 2090)
    assert all(day.year == 2026 for day in table["holidays"] | table["makeup_days"])
    assert date(2026, 10, 1) in table["holidays"]
    assert {date(2026, 9, 20), date(2026, 10, 10)} <= table["makeup_days"]


def test_state_table_carries_dates_of_the_next_years_notice() -> None:
    assert date(2018, 12, 29) in from_chinesecalendar([2018])["makeup_days"]
    assert date(2022, 12, 31) in from_chinesecalendar([2022])["holidays"]
    assert from_chinesecalendar([2018])["missing_years"] == ()


def test_unknown_year_falls_back_to_plain_weekends() -> None:
    assert add_workdays(STATE, at("2090-09-29 10:00"), 1) == at("2090-10-02 10:00")


def test_many_answers_a_second() -> None:
    """A backlog of clocks is recomputed in one go; a day walk per clock would take minutes (loose bound)."""
    import time

    clock, start = DueCalculator(STATE), datetime(2026, 1, 1, tzinfo=UTC)
    moments = [start + timedelta(minutes=7 * n) for n in range(20_000)]
    began = time.perf_counter()
    for moment in moments:
        clock.due(moment, 540)
    assert time.perf_counter() - began < 2
