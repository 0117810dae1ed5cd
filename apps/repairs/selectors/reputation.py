"""An action beside the figure it should move: the line with the day it began, before and after (R33; domain.md 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.metrics import Metric, Point, Span
from apps.core.statistics import MANY, Share
from apps.repairs.choices import ACTION_OPEN, ShowState
from apps.repairs.models import ReputationAction, ShowcaseItem
from apps.repairs.selectors.drawing import Line, line
from apps.repairs.selectors.indicators import PREFIX, metric_of, shown
from apps.repairs.transitions import CHECK, RELEASE

WEEK = timedelta(days=7)
MOST_WEEKS = 26
# Figures from outside are no samples; below a week of days they say as little.
FEW_DAYS = 7


@dataclass(frozen=True)
class Figure:
    """One side of the comparison."""

    span: Span
    n: int
    text: str
    interval: str
    small: bool


@dataclass(frozen=True)
class Effect:
    """What the page of an action shows of its indicator. `verdict` is better, worse, open, few or early."""

    metric: Metric
    line: Line
    weeks: Sequence[tuple[Span, str, int]]
    before: Figure
    after: Figure | None
    verdict: str
    verdict_text: str
    target: str
    reached: bool | None


def narrowing_problem(metric: Metric, scope: Mapping[str, int]) -> str:
    """The first key of the scope by which the indicator is not known; "" when it can be asked."""
    return next((name for name in scope if name not in metric.narrows), "")


def say(value: float | None, unit: str) -> str:
    """A figure as people read it; a dash where nothing may be said."""
    if value is None:
        return "–"
    return f"{value:.1%}" if unit == "share" else shown(value, unit)


def effect(action: ReputationAction, *, today: date) -> Effect | None:
    """The action's indicator over the weeks around its beginning, in the metric's own fixed number of queries.

    None where the indicator is gone or cannot be narrowed any more.
    """
    metric = metric_of(action.metric)
    scope = action.scope()
    if metric is None or narrowing_problem(metric, scope):
        return None
    if action.metric == "complaint_share" and "category" not in scope:
        return None
    begin = action.starts_on
    end = min(today, begin + timedelta(days=max(action.window_days, 84)))
    first = max(begin - timedelta(days=max(action.window_days, 56)), end - MOST_WEEKS * WEEK)
    weeks = _weeks(begin, first, max(end, first))
    before = Span(begin - timedelta(days=action.window_days), begin - timedelta(days=1))
    ripe = today - timedelta(days=metric.matures_days)
    last = min(ripe, begin + timedelta(days=action.window_days - 1))
    after = Span(begin, last) if last >= begin else None
    points = metric.series([*weeks, before, *([after] if after else [])], scope)
    of_weeks, of_before = points[: len(weeks)], points[len(weeks)]
    of_after = points[len(weeks) + 1] if after else None
    mark = sum(week.first < begin for week in weeks) - 0.5
    verdict, words = _verdict(metric, of_before, of_after)
    target = float(action.target) if action.target is not None else None
    if target is not None and metric.unit == "share":
        target /= 100
    return Effect(
        metric=metric,
        line=line(
            [point.value for point in of_weeks],
            mark=mark if begin <= today else None,
            upside_down=metric.unit == "rank",
        ),
        weeks=[(point.span, say(point.value, metric.unit), int(point.n)) for point in of_weeks],
        before=_figure(metric, of_before),
        after=_figure(metric, of_after) if of_after else None,
        verdict=verdict,
        verdict_text=words,
        target=say(target, metric.unit) if target is not None else "",
        reached=_reached(action, of_after, target),
    )


def _weeks(begin: date, first: date, end: date) -> list[Span]:
    """Whole weeks counted from the beginning, so that no week holds days of both sides."""
    start = begin - WEEK * -(-(begin - first).days // 7)
    found = []
    while start <= end:
        found.append(Span(start, start + timedelta(days=6)))
        start += WEEK
    return found[-MOST_WEEKS:]


def _figure(metric: Metric, point: Point) -> Figure:
    n = int(point.n)
    if metric.unit != "share":
        small = point.value is None or n < enough(metric)
        return Figure(point.span, n, say(point.value, metric.unit), "", small)
    share = Share(int(point.hits), n)
    if share.value is None:
        return Figure(point.span, n, f"{int(point.hits)} / {n}", "", True)
    low, high = share.interval
    return Figure(point.span, n, f"{share.value:.1%}", f"{low:.1%} – {high:.1%}", share.is_small)


def enough(metric: Metric) -> int:
    """How many there must be on each side before anything is said of a difference: no arrow below it (domain.md 3.3)."""
    return FEW_DAYS if metric.code.startswith(PREFIX) else MANY


def _verdict(metric: Metric, before: Point, after: Point | None) -> tuple[str, str]:
    if after is None:
        return "early", _("It has not begun yet: nothing to compare.")
    few = enough(metric)
    if before.n < few or after.n < few:
        return "few", _("Too few to compare: fewer than %(few)d on one side.") % {"few": few}
    if metric.unit == "share":
        one, two = Share(int(before.hits), int(before.n)), Share(int(after.hits), int(after.n))
        if one.interval[0] <= two.interval[1] and two.interval[0] <= one.interval[1]:
            return "open", _("No certain difference: the ranges overlap.")
        rose = (two.value or 0) > (one.value or 0)
    else:
        if before.value is None or after.value is None:
            return "few", _("Too few to compare: one side has no figure.")
        if before.value == after.value:
            return "open", _("No difference.")
        rose = after.value > before.value
    good = rose == (metric.better == "up")
    if metric.unit != "share":
        # A mean without its spread proves nothing; the words say only what is seen.
        return ("better" if good else "worse"), (
            _("Better than before. Whether by chance is not known.")
            if good
            else _("Worse than before. Whether by chance is not known.")
        )
    return (
        ("better", _("Better than before, beyond chance."))
        if good
        else (
            "worse",
            _("Worse than before, beyond chance."),
        )
    )


def _reached(action: ReputationAction, after: Point | None, target: float | None) -> bool | None:
    if after is None or after.value is None or target is None:
        return None
    value = Decimal(str(after.value))
    return value >= Decimal(str(target)) if action.direction == "up" else value <= Decimal(str(target))


def home_card(user: Any, now: datetime) -> dict[str, Any] | None:
    """For leads: actions that are late, reviews waiting for release. Two queries; nothing of both, no card."""
    today = timezone.localdate(now)
    late: list[ReputationAction] = []
    waiting: list[ShowcaseItem] = []
    if user.has_perm(CHECK):
        late = list(
            ReputationAction.objects.visible_to(user)
            .filter(status__in=ACTION_OPEN, due_on__lt=today)
            .select_related("owner")
            .order_by("due_on", "id")[:6]
        )
    if user.has_perm(RELEASE):
        waiting = list(
            ShowcaseItem.objects.visible_to(user)
            .filter(status=ShowState.PERMITTED)
            .exclude(proposed_by=user)
            .order_by("-id")[:6]
        )
    if not late and not waiting:
        return None
    return {
        "late": late[:5],
        "more_late": len(late) > 5,
        "waiting": waiting[:5],
        "more_waiting": len(waiting) > 5,
    }
