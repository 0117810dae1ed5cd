"""Departments, calendars and public holidays."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from apps.core.cn_holidays import from_chinesecalendar
from apps.core.services.reference_data import upsert
from apps.shop.choices import DayKind
from apps.shop.models import CalendarDay, Department, WorkCalendar

FOLDER = Path(__file__).resolve().parent.parent / "reference"


def load_departments() -> Counter[str]:
    """The departments that the taxonomy names."""
    done: Counter[str] = Counter()
    for entry in json.loads((FOLDER / "departments.json").read_text("utf-8"))["departments"]:
        _, what = upsert(
            Department,
            key={"code": entry["code"]},
            values={"name": entry["name_zh"], "name_en": entry["name_en"]},
        )
        done[what] += 1
    return done


def load_calendars(entries: Iterable[dict[str, Any]]) -> Counter[str]:
    """Working calendars from their shipped form: groups of ISO weekdays (Monday is 1) with windows."""
    done: Counter[str] = Counter()
    for entry in entries:
        weekly: list[list[list[str]]] = [[] for _ in range(7)]
        for group in entry["weekly"]:
            for day in group["days"]:
                weekly[day - 1] = group["windows"]
        _, what = upsert(
            WorkCalendar,
            key={"code": entry["code"]},
            values={
                "name": entry["name_zh"],
                "zone": entry["zone"],
                "weekly": weekly,
                "observe_holidays": entry["use_state_holidays"],
                "observe_makeup": entry["use_makeup_workdays"],
                "standard_day_minutes": entry["standard_day_minutes"],
            },
        )
        done[what] += 1
    return done


def load_public_holidays(years: Iterable[int]) -> tuple[int, tuple[int, ...]]:
    """Add the state's holidays and make-up workdays of `years`; days present, edited or not, are left alone.

    Answers (days added, years whose notice is not out yet).
    """
    table = from_chinesecalendar(years)
    present = set(CalendarDay.objects.filter(calendar__isnull=True).values_list("date", flat=True))
    rows = [
        CalendarDay(date=day, kind=kind, source="chinesecalendar")
        for days, kind in ((table["holidays"], DayKind.HOLIDAY), (table["makeup_days"], DayKind.MAKEUP))
        for day in sorted(days)
        if day not in present
    ]
    CalendarDay.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows), table["missing_years"]
