"""The texts behind the page of frequent words: one slice and the stretch before it, bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.core.masking import mask_text
from apps.feedback.models import Feedback
from apps.feedback.wordcount import Counted, Voice, count

# The newest of a slice; enough to be sure of a word, few enough to answer at once.
MOST = 5_000
FILTERS = {
    "channel": "channel__code",
    "store": "store__code",
    "category": "category__code",
    "product": "product__sku",
    "kind": "kind",
    "sentiment": "sentiment",
    "tier": "tier",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What was counted, and whether the slice was longer than what was counted."""

    counted: Counted
    cut: bool
    cut_before: bool
    since: datetime
    until: datetime


def slice_words(*, user: Any, filters: Mapping[str, str], since: datetime, until: datetime) -> Found:
    """Words of the newest 5,000 feedback of a slice, against the newest 5,000 of the stretch before. Two queries."""
    rows = Feedback.objects.visible_to(user).filter(
        **{FILTERS[name]: value for name, value in filters.items() if name in FILTERS}
    )
    newest = rows.order_by("-received_at", "-id").values_list("text", "sentiment")
    now = list(newest.filter(received_at__gte=since, received_at__lt=until)[: MOST + 1])
    before = list(newest.filter(received_at__gte=since - (until - since), received_at__lt=since)[: MOST + 1])
    voices = [Voice(mask_text(text), sentiment) for text, sentiment in now[:MOST]]
    voices += [Voice(text, sentiment, present=False) for text, sentiment in before[:MOST]]
    return Found(count(voices), len(now) > MOST, len(before) > MOST, since, until)
