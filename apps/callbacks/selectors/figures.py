"""Indicators of callbacks (domain.md 3.3): completion, reached share, satisfaction. One query each, whatever the spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.callbacks.choices import FINISHED, REACHED, CallbackState
from apps.callbacks.models import Callback
from apps.core.metrics import Metric, Point, Span, metrics
from apps.core.statistics import Share

NARROWS = {
    "store": "feedback__store_id",
    "category": "feedback__category_id",
    "channel": "feedback__channel_id",
    "product": "feedback__product_id",
}


def _within(column: str, span: Span) -> Q:
    zone = timezone.get_current_timezone()
    first = datetime.combine(span.first, time(0), tzinfo=zone)
    last = datetime.combine(span.last + timedelta(days=1), time(0), tzinfo=zone)
    return Q(**{f"{column}__gte": first, f"{column}__lt": last})


def _scope(scope: Mapping[str, int], agent: str) -> Q:
    names = NARROWS | {"agent": agent}
    # What cannot be narrowed by raises KeyError, as the registry promises.
    return Q(**{names[key]: value for key, value in scope.items()})


def _series(
    spans: Sequence[Span], scope: Mapping[str, int], *, column: str, base: Q, hit: Q, agent: str
) -> list[Point]:
    if not spans:
        return []
    asked: dict[str, Any] = {}
    outer = Q()
    for index, span in enumerate(spans):
        inside = _within(column, span)
        outer |= inside
        asked[f"n{index}"] = Count("pk", filter=inside)
        asked[f"h{index}"] = Count("pk", filter=inside & hit)
    row = Callback.objects.filter(outer, base, _scope(scope, agent)).order_by().aggregate(**asked)
    points = []
    for index, span in enumerate(spans):
        share = Share(row[f"h{index}"], row[f"n{index}"])
        points.append(Point(span, share.hits, share.n, share.value))
    return points


def completion(spans: Sequence[Span], scope: Mapping[str, int]) -> list[Point]:
    """Done of those first planned for the span; called-off ones count in neither."""
    return _series(
        spans,
        scope,
        column="promised_at",
        base=~Q(status=CallbackState.CANCELLED),
        hit=Q(status=CallbackState.DONE),
        agent="assignee_id",
    )


def reached(spans: Sequence[Span], scope: Mapping[str, int]) -> list[Point]:
    """Customers who answered, of callbacks that ended in the span."""
    return _series(
        spans,
        scope,
        column="finished_at",
        base=Q(status__in=FINISHED),
        hit=Q(outcome__in=REACHED),
        agent="finished_by_id",
    )


def satisfaction(spans: Sequence[Span], scope: Mapping[str, int]) -> list[Point]:
    """Four or five stars, of the stars given in the span (CSAT)."""
    return _series(
        spans,
        scope,
        column="finished_at",
        base=Q(satisfaction__isnull=False),
        hit=Q(satisfaction__gte=4),
        agent="finished_by_id",
    )


def register() -> None:
    """Called once when Django starts."""
    narrows = frozenset({*NARROWS, "agent"})
    for order, (code, label, series, definition, ripe) in enumerate(
        (
            (
                "callback_completion",
                _("Callbacks made"),
                completion,
                _("Callbacks done, of those planned for the period; without those called off."),
                4,
            ),
            (
                "callback_reached",
                _("Customers reached by callback"),
                reached,
                _("Callbacks in which the customer answered, of those that ended in the period."),
                0,
            ),
            (
                "callback_csat",
                _("Satisfaction in callbacks"),
                satisfaction,
                _("Answers of 4 or 5 stars, of all stars given in callbacks of the period."),
                0,
            ),
        )
    ):
        metrics.register(
            code,
            Metric(
                code=code,
                label=label,
                unit="share",
                better="up",
                series=series,
                definition=definition,
                narrows=narrows,
                matures_days=ripe,
            ),
            order=300 + order,
        )
