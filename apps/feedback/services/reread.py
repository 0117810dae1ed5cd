"""Reading again with newer words or weights (R17; architecture, decision 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from apps.feedback.choices import OPEN
from apps.feedback.models import Correction, Feedback
from apps.feedback.selectors.reference import Reference, reference
from apps.feedback.services.intake import categories_of, reading_data

BATCH = 1000
FIELDS = (
    "kind",
    "sentiment",
    "sentiment_score",
    "emotion",
    "category",
    "subcategory",
    "s_review",
    "needs_review",
    "confidence",
    "reading",
    "reading_version",
    "updated_at",
)


@dataclass
class RereadResult:
    """What one run did."""

    read: int = 0
    changed: int = 0
    kept: int = 0
    higher_tier: int = 0


def reread(
    *, now: datetime, dry_run: bool = False, progress: Callable[[RereadResult], None] | None = None
) -> RereadResult:
    """Read every row again whose version is not the present one; answers what changed.

    What staff corrected stays as they said. The tier is a promise and is left alone: where the new reading would be
    more urgent, an open row is marked for review instead. Safe to stop and run again: done rows carry the version.
    """
    ref = reference()
    result = RereadResult()
    version = ref.reader.version
    last = 0
    while True:
        with transaction.atomic():
            rows = list(
                Feedback.objects.select_for_update()
                .filter(pk__gt=last)
                .exclude(reading_version=version)
                .order_by("pk")[:BATCH]
            )
            if not rows:
                return result
            last = rows[-1].pk
            corrected = set(
                Correction.objects.filter(feedback__in=rows).values_list("feedback_id", flat=True).distinct()
            )
            _batch(ref, rows, corrected, now=now, result=result)
            if not dry_run:
                Feedback.objects.bulk_update(rows, FIELDS, batch_size=200)
        if progress is not None:
            progress(result)


def _batch(
    ref: Reference, rows: list[Feedback], corrected: set[int], *, now: datetime, result: RereadResult
) -> None:
    channels = {channel.pk: channel for channel in ref.channels.values()}
    readings = ref.reader.read_many(
        [(row.text, row.rating, channels[row.channel_id].is_review_platform) for row in rows]
    )
    for row, reading in zip(rows, readings, strict=True):
        result.read += 1
        if row.pk in corrected:
            result.kept += 1
            row.reading_version = reading.version
            continue
        category, sub = categories_of(ref, reading)
        before = (row.kind, row.sentiment, row.emotion, row.category_id, row.subcategory_id)
        after = (reading.kind, reading.sentiment, reading.emotion, category and category.pk, sub and sub.pk)
        result.changed += before != after
        row.kind, row.sentiment, row.sentiment_score = (
            reading.kind,
            reading.sentiment,
            reading.sentiment_score,
        )
        row.emotion, row.category, row.subcategory = reading.emotion, category, sub
        row.confidence, row.reading_version, row.updated_at = reading.confidence, reading.version, now
        row.reading = row.reading | reading_data(reading, list(reading.reasons))
        row.s_review = reading.s_review
        higher = "SAB".index(reading.tier) < "SAB".index(row.tier)
        result.higher_tier += higher
        row.needs_review = row.status in OPEN and (higher or reading.needs_review)
