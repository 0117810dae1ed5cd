"""Reads over the shop: who sees what, who works when, which day is a workday."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from apps.core import business_time
from apps.shop.calendar_values import build_calendar
from apps.shop.choices import DayKind
from apps.shop.models import CalendarDay, Leave, StaffProfile, WorkCalendar


@dataclass(frozen=True, slots=True)
class Scope:
    """What a person may see: everything, or the rows of some stores and departments."""

    everything: bool
    stores: tuple[int, ...] = ()
    departments: tuple[int, ...] = ()


def scope_of(user: Any, *, see_all: str) -> Scope:
    """The scope of `user`; `see_all` is the permission that opens every row (decision 12).

    A work profile that names stores narrows everybody to those. Without stores, `see_all` opens everything; else a
    person sees what their department must do; else only what is theirs. Kept on the user for the length of a request.
    """
    kept = getattr(user, "_scope", None)
    if kept is None:
        kept = user._scope = _scope(user, see_all)
    return kept


def _scope(user: Any, see_all: str) -> Scope:
    if user.is_superuser:
        return Scope(everything=True)
    profile = StaffProfile.objects.filter(user_id=user.pk).prefetch_related("stores").first()
    stores = {store.pk for store in profile.stores.all()} if profile else set()
    if not stores and user.has_perm(see_all):
        return Scope(everything=True)
    stores |= set(user.managed_stores.values_list("pk", flat=True))
    departments = (profile.department_id,) if profile and profile.department_id and not stores else ()
    return Scope(everything=False, stores=tuple(sorted(stores)), departments=departments)


def calendars() -> dict[int, business_time.Calendar]:
    """Every working calendar by id. Two queries."""
    days = list(CalendarDay.objects.all())
    return {row.pk: build_calendar(row, days=days) for row in WorkCalendar.objects.all()}


def missing_holiday_years(today: date) -> list[int]:
    """Years whose holiday notice is not loaded yet: this one, and from November the next (peers 3.1)."""
    wanted = [today.year] + ([today.year + 1] if today.month >= 11 else [])
    known = set(
        CalendarDay.objects.filter(kind=DayKind.HOLIDAY, date__year__in=wanted, date__month__lt=12)
        .values_list("date__year", flat=True)
        .distinct()
    )
    return [year for year in wanted if year not in known]


def away_today(user_ids: Iterable[int], today: date) -> set[int]:
    """Those of `user_ids` who are on leave on `today`."""
    return set(
        Leave.objects.filter(
            user_id__in=list(user_ids), first_day__lte=today, last_day__gte=today
        ).values_list("user_id", flat=True)
    )


def on_shift(shift: list[dict[str, Any]], local: datetime) -> bool:
    """Whether a work profile's shift covers the local moment; an empty shift always does.

    Windows past midnight belong to the day on which they start.
    """
    if not shift:
        return True
    minute = local.hour * 60 + local.minute
    for entry in shift:
        start, end = business_time.window(entry["from"], entry["to"])
        days = entry.get("days") or range(7)
        if local.weekday() in days and start <= minute < end:
            return True
        if (local.weekday() - 1) % 7 in days and start <= minute + business_time.DAY_MINUTES < end:
            return True
    return False
