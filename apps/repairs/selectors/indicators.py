"""Figures from outside: as indicators among the others, and as small pictures side by side for one store (R70)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.db.models import Count, Sum

from apps.core.metrics import Metric, Point, Span, metrics
from apps.repairs.models import ExternalIndicator, IndicatorValue
from apps.repairs.selectors.drawing import Line, line
from apps.repairs.selectors.reviews import POSITIVE_RATE
from apps.shop.models import Store

PREFIX = "ext:"
DAYS = 30


def external_series(indicator_id: int, spans: Sequence[Span], scope: Mapping[str, int]) -> list[Point]:
    """Mean of the days' figures of one indicator, over the scope's store or over all. One query.

    Raises KeyError for anything but a store.
    """
    for name in scope:
        if name != "store":
            raise KeyError(name)
    if not spans:
        return []
    rows = IndicatorValue.objects.filter(
        indicator_id=indicator_id,
        day__gte=min(span.first for span in spans),
        day__lte=max(span.last for span in spans),
    )
    if "store" in scope:
        rows = rows.filter(store_id=scope["store"])
    days = {
        row["day"]: (row["total"], row["n"])
        for row in rows.order_by().values("day").annotate(total=Sum("value"), n=Count("pk"))
    }
    answer = []
    for span in spans:
        found = [figures for day, figures in days.items() if span.first <= day <= span.last]
        n = sum(count for _total, count in found)
        total = float(sum((total for total, _count in found), Decimal(0)))
        answer.append(Point(span, total, n, total / n if n else None))
    return answer


def _as_metric(row: ExternalIndicator) -> Metric:
    return Metric(
        code=row.metric_code,
        label=str(row),
        unit=row.unit,
        better=row.better,
        series=partial(external_series, row.pk),
        narrows=frozenset({"store"}),
    )


def metric_of(code: str) -> Metric | None:
    """The indicator of that code: registered by an app, or a figure from outside (`ext:` and its code). One query at most."""
    if not code.startswith(PREFIX):
        return metrics.get(code)
    row = ExternalIndicator.objects.filter(code=code.removeprefix(PREFIX)).first()
    return _as_metric(row) if row is not None else None


def all_metrics() -> dict[str, Metric]:
    """Every indicator an action may name, by code. One query."""
    rows = ExternalIndicator.objects.filter(is_active=True)
    return {metric.code: metric for metric in metrics} | {row.metric_code: _as_metric(row) for row in rows}


@dataclass(frozen=True)
class Panel:
    """One small picture."""

    title: str
    unit: str
    latest: str
    day: date | None
    line: Line
    n: int
    is_ours: bool = False


def indicators_for(store: Store) -> list[ExternalIndicator]:
    """Those of the store's platform and those of any."""
    return list(ExternalIndicator.objects.filter(is_active=True, platform__in={"", store.platform}))


def shown(value: Decimal | float, unit: str) -> str:
    """A figure as people read it: no zeros at the end, percent with its sign."""
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return f"{text}%" if unit == "percent" else text


def board(store: Store, *, today: date, days: int = DAYS) -> list[Panel]:
    """The store's figures of the last days, 好评率 of ours first. Three queries, however many there are."""
    first = today - timedelta(days=days - 1)
    spans = [Span(first + timedelta(days=n), first + timedelta(days=n)) for n in range(days)]
    # Seven days at a time: a single day has too few reviews to say anything.
    rolling = [Span(span.last - timedelta(days=6), span.last) for span in spans]
    ours = POSITIVE_RATE.series(rolling, {"store": store.pk})
    newest = next((point for point in reversed(ours) if point.value is not None), None)
    panels = [
        Panel(
            title=str(POSITIVE_RATE.label),
            unit="share",
            latest=f"{newest.value:.1%}" if newest and newest.value is not None else "–",
            day=newest.span.last if newest else None,
            line=line([point.value for point in ours]),
            # Of the days the figure is from, not of the newest ones, of which too few may be known.
            n=int((newest or ours[-1]).n),
            is_ours=True,
        )
    ]
    values: dict[int, dict[date, Decimal]] = {}
    for row in IndicatorValue.objects.filter(store=store, day__range=(first, today)).values_list(
        "indicator_id", "day", "value"
    ):
        values.setdefault(row[0], {})[row[1]] = row[2]
    for indicator in indicators_for(store):
        found = values.get(indicator.pk, {})
        last = max(found, default=None)
        series = [float(found[span.first]) if span.first in found else None for span in spans]
        panels.append(
            Panel(
                title=str(indicator),
                unit=str(indicator.get_unit_display()),
                latest=shown(found[last], indicator.unit) if last else "–",
                day=last,
                # A rank of 1 is the best: it stands on top.
                line=line(series, upside_down=indicator.unit == "rank"),
                n=len(found),
            )
        )
    return panels


def grid(store: Store, day: date) -> list[tuple[ExternalIndicator, Any]]:
    """The store's indicators with what is known of that day. Two queries."""
    known = dict(IndicatorValue.objects.filter(store=store, day=day).values_list("indicator_id", "value"))
    return [(row, known.get(row.pk)) for row in indicators_for(store)]
