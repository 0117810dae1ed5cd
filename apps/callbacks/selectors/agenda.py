"""Day, week and month of callbacks (screens.md, callbacks)."""

from __future__ import annotations

import calendar
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber, TruncDate
from django.utils import timezone

from apps.callbacks.models import Callback
from apps.callbacks.selectors import LIMIT
from apps.core.models import User
from apps.shop.models import TeamMember

WHO = ("mine", "team", "all")
A_DAY = 40


@dataclass
class Day:
    """One column of the agenda. `more` were left out, since nobody calls so many in a day."""

    day: date
    rows: list[Callback] = field(default_factory=list)
    is_today: bool = False
    more: int = 0


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), tzinfo=timezone.get_current_timezone())


def whose(rows: QuerySet[Callback], who: str, user: User) -> QuerySet[Callback]:
    """Mine; those of my teams and of the people in them; all I may see."""
    if who == "mine":
        return rows.filter(assignee=user)
    if who == "team":
        teams = list(TeamMember.objects.filter(user=user).values_list("team_id", flat=True))
        people = TeamMember.objects.filter(team_id__in=teams).values("user_id")
        return rows.filter(Q(team_id__in=teams) | Q(assignee_id__in=people))
    return rows


def agenda(user: User, *, who: str, first: date, days: int, now: datetime) -> dict[str, Any]:
    """Overdue rows, then a column a day. Five queries and those of `whose`."""
    base = whose(Callback.objects.visible_to(user).open(), who, user)
    wide = base.select_related("customer", "assignee", "feedback")
    today = timezone.localtime(now).date()
    # Whoever looks back sees what is overdue on its own day.
    late = (
        []
        if first < today
        else list(wide.filter(due_at__lt=_midnight(today)).order_by("due_at", "pk")[: LIMIT + 1])
    )
    last = first + timedelta(days=days)
    found = base.filter(due_at__gte=_midnight(first), due_at__lt=_midnight(last))
    columns = {first + timedelta(days=n): Day(first + timedelta(days=n)) for n in range(days)}
    per_day = found.order_by().annotate(day=TruncDate("due_at")).values("day").annotate(n=Count("pk"))
    for day, n in per_day.values_list("day", "n"):
        columns[day].more = n
    # So many of each day: a busy Monday does not empty Tuesday.
    ranked = found.order_by().annotate(
        place=Window(
            RowNumber(), partition_by=[TruncDate("due_at")], order_by=[F("due_at").asc(), F("pk").asc()]
        )
    )
    shown = list(ranked.filter(place__lte=A_DAY).values_list("pk", flat=True))
    for row in wide.filter(pk__in=shown).order_by("due_at", "pk"):
        columns[timezone.localtime(row.due_at).date()].rows.append(row)
    for column in columns.values():
        column.is_today = column.day == today
        column.more = max(0, column.more - len(column.rows))
    return {
        "late": late[:LIMIT],
        "late_more": len(late) > LIMIT,
        "columns": list(columns.values()),
        "empty": not late and not any(column.rows for column in columns.values()),
    }


def month(user: User, *, who: str, first: date) -> list[list[dict[str, Any]]]:
    """The weeks of a month with how many are open and how many were done each day. Two queries and those of `whose`."""
    base = whose(Callback.objects.visible_to(user), who, user)
    weeks = calendar.Calendar().monthdatescalendar(first.year, first.month)
    start, end = _midnight(weeks[0][0]), _midnight(weeks[-1][-1] + timedelta(days=1))
    counts: dict[date, dict[str, int]] = defaultdict(dict)
    for name, column, rows in (
        ("open", "due_at", base.open().filter(due_at__gte=start, due_at__lt=end)),
        ("done", "finished_at", base.finished().filter(finished_at__gte=start, finished_at__lt=end)),
    ):
        per_day = rows.order_by().annotate(day=TruncDate(column)).values("day").annotate(n=Count("pk"))
        for row in per_day:
            counts[row["day"]][name] = row["n"]
    return [
        [{"day": day, "in_month": day.month == first.month} | counts.get(day, {}) for day in week]
        for week in weeks
    ]


def home_card(user: Any, now: datetime) -> dict[str, Any] | None:
    """Due today, overdue, mine (screens.md, home of care ①). Four queries."""
    from django.urls import reverse
    from django.utils.translation import pgettext

    if not user.has_perm("callbacks.view_callback"):
        return None
    base = Callback.objects.visible_to(user).open()
    today = timezone.localtime(now).date()
    begins, ends = _midnight(today), _midnight(today + timedelta(days=1))
    mine = list(
        base.filter(assignee=user, due_at__lt=ends)
        .select_related("customer", "feedback")
        .order_by("due_at")[:6]
    )
    # Each figure counts the rows of the tab it opens.
    late = base.filter(due_at__lt=now).order_by()[: LIMIT + 1].count()
    due = base.filter(due_at__gte=begins, due_at__lt=ends).order_by()[: LIMIT + 1].count()
    free = base.filter(assignee__isnull=True).order_by()[: LIMIT + 1].count()
    list_url, agenda_url = (
        reverse("admin:callbacks_callback_changelist"),
        reverse("admin:callbacks_callback_agenda"),
    )

    def figure(n: int, label: Any, colour: str, url: str) -> dict[str, Any]:
        return {"count": f"{LIMIT}+" if n > LIMIT else n, "label": label, "colour": colour, "url": url}

    return {
        "figures": [
            figure(
                late,
                pgettext("callback", "overdue"),
                "red" if late else "grey",
                f"{list_url}?what=overdue",
            ),
            figure(due, pgettext("callback", "due today"), "blue", f"{list_url}?what=today"),
            figure(
                free,
                pgettext("callback", "nobody's yet"),
                "amber" if free else "grey",
                f"{list_url}?what=free",
            ),
        ],
        "callbacks": mine,
        "agenda_url": agenda_url,
    }
