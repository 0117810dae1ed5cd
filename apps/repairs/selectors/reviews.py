"""Indicators of reviews and complaints, counted over a few days in one query (domain.md 3.3; R33, R70).

A review has stars and stands on a platform of public reviews; it counts on the day it was posted. All spans of a call are
cut into pieces at their borders, counted in one GROUP BY, and put together again, so that spans may overlap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from django.db.models import Case, Count, IntegerField, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.metrics import Metric, Point, Span
from apps.core.statistics import FEW, Share
from apps.feedback.models import Category, Feedback

NARROWS = frozenset({"store", "category", "product", "channel"})
NEGATIVE_UP_TO, POSITIVE_FROM = 2, 4


def midnight(day: date) -> datetime:
    """The first moment of a day in the shop's zone."""
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())


def narrowed(scope: Mapping[str, int]) -> Q:
    """The scope as a condition on feedback. Raises KeyError for what feedback cannot be narrowed by."""
    condition = Q()
    for name, pk in scope.items():
        if name not in NARROWS:
            raise KeyError(name)
        condition &= (
            Q(category_id=pk) | Q(subcategory_id=pk) if name == "category" else Q(**{f"{name}_id": pk})
        )
    return condition


def _pieces(spans: Sequence[Span]) -> list[tuple[date, date]]:
    """[from, until) between neighbouring borders of the spans."""
    borders = sorted({span.first for span in spans} | {span.last + timedelta(days=1) for span in spans})
    return list(pairwise(borders))


def counted(spans: Sequence[Span], condition: Q, by: str) -> list[dict[Any, int]]:
    """For each span how many feedback there are by the value of `by`. One query."""
    pieces = _pieces(spans)
    if not pieces:
        return []
    rows = (
        Feedback.objects.filter(
            condition, posted_at__gte=midnight(pieces[0][0]), posted_at__lt=midnight(pieces[-1][1])
        )
        .order_by()
        .annotate(
            piece=Case(
                *(
                    When(posted_at__lt=midnight(until), then=Value(n))
                    for n, (_first, until) in enumerate(pieces)
                ),
                default=Value(len(pieces) - 1),
                output_field=IntegerField(),
            )
        )
        .values("piece", by)
        .annotate(count=Count("pk"))
    )
    of_piece: dict[int, dict[Any, int]] = defaultdict(dict)
    for row in rows:
        of_piece[row["piece"]][row[by]] = row["count"]
    answer = []
    for span in spans:
        total: dict[Any, int] = defaultdict(int)
        for number, (first, until) in enumerate(pieces):
            if span.first <= first and until <= span.last + timedelta(days=1):
                for value, count in of_piece[number].items():
                    total[value] += count
        answer.append(dict(total))
    return answer


def stars(spans: Sequence[Span], scope: Mapping[str, int]) -> list[dict[int, int]]:
    """For each span how many reviews have how many stars. One query."""
    reviews = Q(rating__isnull=False, channel__is_review_platform=True)
    return counted(spans, narrowed(scope) & reviews, "rating")


def _share(span: Span, hits: int, n: int) -> Point:
    return Point(span, hits, n, Share(hits, n).value)


def _of_stars(test: Callable[[int], bool]) -> Callable[[Sequence[Span], Mapping[str, int]], list[Point]]:
    def series(spans: Sequence[Span], scope: Mapping[str, int]) -> list[Point]:
        return [
            _share(span, sum(n for value, n in found.items() if test(value)), sum(found.values()))
            for span, found in zip(spans, stars(spans, scope), strict=True)
        ]

    return series


def average(spans: Sequence[Span], scope: Mapping[str, int]) -> list[Point]:
    """Mean of the stars; nothing is said below ten reviews."""
    answer = []
    for span, found in zip(spans, stars(spans, scope), strict=True):
        n = sum(found.values())
        total = sum(value * count for value, count in found.items())
        answer.append(Point(span, total, n, total / n if n >= FEW else None))
    return answer


def complaint_share(spans: Sequence[Span], scope: Mapping[str, int]) -> list[Point]:
    """Complaints of the scope's category among all complaints. Raises KeyError without a category."""
    category = scope["category"]
    rest = {name: pk for name, pk in scope.items() if name != "category"}
    is_sub = Category.objects.filter(pk=category, parent__isnull=False).exists()
    found = counted(
        spans, narrowed(rest) & Q(kind="complaint"), "subcategory_id" if is_sub else "category_id"
    )
    return [
        _share(span, of_span.get(category, 0), sum(of_span.values()))
        for span, of_span in zip(spans, found, strict=True)
    ]


NEGATIVE_RATE = Metric(
    code="review_negative_rate",
    label=_("negative review rate"),
    unit="share",
    better="down",
    series=_of_stars(lambda value: value <= NEGATIVE_UP_TO),
    definition=_("Reviews with one or two stars among all reviews with stars, by the day they were posted."),
    narrows=NARROWS,
)
POSITIVE_RATE = Metric(
    code="review_positive_rate",
    label=_("positive review rate"),
    unit="share",
    better="up",
    series=_of_stars(lambda value: value >= POSITIVE_FROM),
    definition=_(
        "Reviews with four or five stars among all reviews with stars, by the day they were posted."
    ),
    narrows=NARROWS,
)
AVERAGE_STARS = Metric(
    code="review_average",
    label=_("average stars"),
    unit="score",
    better="up",
    series=average,
    definition=_("Mean of the stars of all reviews."),
    narrows=NARROWS,
)
COMPLAINT_SHARE = Metric(
    code="complaint_share",
    label=_("share of complaints in a category"),
    unit="share",
    better="down",
    series=complaint_share,
    definition=_("Complaints of the chosen category among all complaints."),
    narrows=NARROWS,
)
METRICS = (NEGATIVE_RATE, POSITIVE_RATE, AVERAGE_STARS, COMPLAINT_SHARE)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many reviews there are, and how many of them are negative."""

    all: int
    negative: int


def tally(span: Span, scope: Mapping[str, int]) -> Tally:
    """Beside a showcase: all reviews of the stretch, and the negative ones. One query."""
    (found,) = stars([span], scope)
    return Tally(sum(found.values()), sum(n for value, n in found.items() if value <= NEGATIVE_UP_TO))
