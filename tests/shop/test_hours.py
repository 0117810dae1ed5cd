"""Opening hours and shifts as people type them."""

from __future__ import annotations

import pytest
from django.utils import translation

from apps.shop.services.hours import (
    HoursError,
    check_week,
    parse_days,
    parse_shift,
    parse_windows,
    show_shift,
    show_windows,
)


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("09:00-12:00, 13:30-18:00", [["09:00", "12:00"], ["13:30", "18:00"]]),
        ("9:00-18:00", [["09:00", "18:00"]]),
        ("０９：００－１８：００", [["09:00", "18:00"]]),
        ("09:00至12:00，13:30到18:00", [["09:00", "12:00"], ["13:30", "18:00"]]),
        ("13:30-18:00, 09:00-12:00", [["09:00", "12:00"], ["13:30", "18:00"]]),
        ("22:00-02:00", [["22:00", "02:00"]]),
        ("00:00-24:00", [["00:00", "24:00"]]),
        ("24小时", [["00:00", "24:00"]]),
        ("全天", [["00:00", "24:00"]]),
        ("", []),
        ("休息", []),
        ("closed", []),
    ],
)
def test_windows(text: str, windows: list[list[str]]) -> None:
    assert parse_windows(text) == windows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("morning", "“morning” is not of the form 09:00-18:00."),
        ("09:00", "“09:00” is not of the form 09:00-18:00."),
        ("09:00-25:00", "“09:00-25:00” is no time of day."),
        ("09:00-12:00, 11:00-18:00", "09:00-12:00 and 11:00-18:00 overlap."),
    ],
)
def test_windows_refused(text: str, message: str) -> None:
    with translation.override("en"), pytest.raises(HoursError) as caught:
        parse_windows(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Mon-Fri", [0, 1, 2, 3, 4]),
        ("monday", [0]),
        ("Mon, Wed, Fri", [0, 2, 4]),
        ("周一至周五", [0, 1, 2, 3, 4]),
        ("周一到周五", [0, 1, 2, 3, 4]),
        ("星期一至星期三", [0, 1, 2]),
        ("礼拜天", [6]),
        ("周六、周日", [5, 6]),
        ("周一至五", [0, 1, 2, 3, 4]),
        ("工作日", [0, 1, 2, 3, 4]),
        ("周末", [5, 6]),
        ("每天", [0, 1, 2, 3, 4, 5, 6]),
        ("Fri-Mon", [0, 4, 5, 6]),
        ("", [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_days(text: str, days: list[int]) -> None:
    assert parse_days(text) == days


def test_shift() -> None:
    workdays = [0, 1, 2, 3, 4]
    assert parse_shift("Mon-Fri 09:00-18:00; Sat 13:00-21:30") == [
        {"days": workdays, "from": "09:00", "to": "18:00"},
        {"days": [5], "from": "13:00", "to": "21:30"},
    ]
    assert parse_shift("周一至周五 09:00-12:00，13:30-18:00\n周六 13:00-21:30") == [
        {"days": workdays, "from": "09:00", "to": "12:00"},
        {"days": workdays, "from": "13:30", "to": "18:00"},
        {"days": [5], "from": "13:00", "to": "21:30"},
    ]
    assert parse_shift("") == []
    assert parse_shift("周末全天") == [{"days": [5, 6], "from": "00:00", "to": "24:00"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Mon-Fri", "“Mon-Fri” has no hours such as 09:00-18:00."),
        ("Foo 09:00-18:00", "“Foo” is no weekday."),
        ("Mon 09:00", "“09:00” is not of the form 09:00-18:00."),
    ],
)
def test_shift_refused(text: str, message: str) -> None:
    with translation.override("en"), pytest.raises(HoursError) as caught:
        parse_shift(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize(
    "text",
    [
        "Mon-Fri 09:00-18:00; Sat 13:00-21:30",
        "周一 09:00-12:00, 13:30-18:00",
        "Mon, Tue 22:00-02:00",
        "每天 00:00-24:00",
    ],
)
def test_shift_shown_is_read_again(text: str, language: str) -> None:
    with translation.override(language):
        entries = parse_shift(text)
        assert parse_shift(show_shift(entries)) == entries


def test_shown() -> None:
    entries = [
        {"days": [0, 1, 2, 3, 4], "from": "09:00", "to": "18:00"},
        {"days": [5], "from": "13:00", "to": "21:30"},
    ]
    with translation.override("en"):
        assert show_shift(entries) == "Mon-Fri 09:00-18:00; Sat 13:00-21:30"
    with translation.override("zh-hans"):
        assert show_shift(entries) == "周一至周五 09:00-18:00; 周六 13:00-21:30"
    assert show_windows([["09:00", "12:00"], ["13:30", "18:00"]]) == "09:00-12:00, 13:30-18:00"


def test_week() -> None:
    check_week([[["09:00", "18:00"]]] * 7)
    with translation.override("en"):
        with pytest.raises(HoursError, match="never opens"):
            check_week([[]] * 7)
        with pytest.raises(HoursError) as caught:
            check_week([[["22:00", "10:00"]], [["09:00", "18:00"]], [], [], [], [], []])
    assert str(caught.value) == "The night of Mon runs into the opening of the next day."
