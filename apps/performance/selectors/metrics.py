"""Indicators of people's development: quality, trainings, quizzes. One query each, whatever the spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.metrics import Metric, Point, Span, metrics
from apps.core.statistics import FEW, Share
from apps.performance.choices import Attendance, ReviewState, SessionState
from apps.performance.models import QualityReview, QuizAttempt, TrainingParticipant


def _within(column: str, span: Span) -> Q:
    zone = timezone.get_current_timezone()
    first = datetime.combine(span.first, time(0), tzinfo=zone)
    last = datetime.combine(span.last + timedelta(days=1), time(0), tzinfo=zone)
    return Q(**{f"{column}__gte": first, f"{column}__lt": last})


def _narrowed(scope: Mapping[str, int], names: Mapping[str, str]) -> Q:
    # What cannot be narrowed by raises KeyError, as the registry promises.
    return Q(**{names[key]: value for key, value in scope.items()})


def _shares(rows: QuerySet[Any], spans: Sequence[Span], column: str, hit: Q) -> list[Point]:
    asked: dict[str, Any] = {}
    outer = Q(pk__in=())
    for index, span in enumerate(spans):
        inside = _within(column, span)
        outer |= inside
        asked[f"n{index}"] = Count("pk", filter=inside)
        asked[f"h{index}"] = Count("pk", filter=inside & hit)
    found = rows.filter(outer).order_by().aggregate(**asked) if spans else {}
    points = []
    for index, span in enumerate(spans):
        share = Share(found[f"h{index}"], found[f"n{index}"])
        points.append(Point(span, share.hits, share.n, share.value))
    return points


def quality(spans: Sequence[Span], scope: Mapping[str, int]) -> list[Point]:
    """Points of all points possible, of cases reviewed in the span; n is the number of points possible."""
    rows = QualityReview.objects.filter(
        _narrowed(scope, {"agent": "person_id", "store": "feedback__store_id", "category": "feedback__category_id"}),
        status=ReviewState.DONE,
    )  # fmt: skip
    asked: dict[str, Any] = {}
    for index, span in enumerate(spans):
        inside = _within("reviewed_at", span)
        asked[f"g{index}"] = Sum("points", filter=inside)
        asked[f"m{index}"] = Sum("most", filter=inside)
        asked[f"c{index}"] = Count("pk", filter=inside)
    found = rows.order_by().aggregate(**asked) if spans else {}
    points = []
    for index, span in enumerate(spans):
        got, most = found[f"g{index}"] or 0, found[f"m{index}"] or 0
        value = got / most if most and found[f"c{index}"] >= FEW else None
        points.append(Point(span, got, most, value))
    return points


def attendance(spans: Sequence[Span], scope: Mapping[str, int]) -> list[Point]:
    """Was there, of all invited and not excused, of trainings held in the span."""
    rows = TrainingParticipant.objects.filter(
        _narrowed(scope, {"agent": "person_id"}), session__status__in=(SessionState.HELD, SessionState.CLOSED)
    ).exclude(state=Attendance.EXCUSED)
    return _shares(rows, spans, "session__starts_at", Q(state=Attendance.ATTENDED))


def passed(spans: Sequence[Span], scope: Mapping[str, int]) -> list[Point]:
    """Passed, of the first tries at quizzes in the span: later tries have seen the answers."""
    rows = QuizAttempt.objects.filter(_narrowed(scope, {"agent": "participant__person_id"}), number=1)
    return _shares(rows, spans, "at", Q(passed=True))


def register() -> None:
    """Called once when Django starts."""
    for order, (code, label, series, definition, narrows) in enumerate(
        (
            (
                "quality_points",
                _("Points in the quality sample"),
                quality,
                _("Points given in quality reviews of the period, of all points possible."),
                frozenset({"agent", "store", "category"}),
            ),
            (
                "training_attendance",
                _("Attendance at trainings"),
                attendance,
                _("Participants who were there, of all who were not excused."),
                frozenset({"agent"}),
            ),
            (
                "quiz_passed",
                _("Quizzes passed at the first try"),
                passed,
                _("First tries that passed, of all first tries of the period."),
                frozenset({"agent"}),
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
            ),
            order=500 + order,
        )
