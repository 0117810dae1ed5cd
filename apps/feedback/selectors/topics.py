"""What the page of a common problem shows: trend, places, products, voices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F
from django.db.models.functions import TruncDate
from django.utils import timezone

from apps.feedback.choices import OPEN
from apps.feedback.models import Feedback, Topic
from apps.feedback.selectors.composer import ways

__all__ = ("page", "sparkline", "ways")

DAYS = 56
SAMPLES, MEMBERS = 5, 50


def sparkline(values: Sequence[int]) -> dict[str, Any]:
    """Bars of one row, scaled to the highest."""
    top = max(values) or 1
    return {
        "bars": [
            {"x": index * 7, "h": max(round(value / top * 20), 1 if value else 0), "n": value}
            for index, value in enumerate(values)
        ],
        "width": len(values) * 7,
        "text": " ".join(str(value) for value in values),
    }


def page(topic: Topic, user: Any, now: datetime) -> dict[str, Any]:
    """Seven queries, whatever the size."""
    rows = Feedback.objects.visible_to(user).filter(topic_member__topic=topic)
    members = list(
        rows.select_related("channel", "store", "assignee", "topic_member__by")
        .defer("text", "resolution")
        .order_by("-received_at", "-id")[: MEMBERS + 1]
    )
    since = now - timedelta(days=DAYS)
    days = {
        row["day"]: row["n"]
        for row in rows.filter(received_at__gte=since)
        .order_by()
        .annotate(day=TruncDate("received_at"))
        .values("day")
        .annotate(n=Count("pk"))
    }
    first = timezone.localdate(since) + timedelta(days=1)
    trend = [days.get(first + timedelta(days=number), 0) for number in range(DAYS)]
    return {
        "members": members[:MEMBERS],
        "more": len(members) > MEMBERS,
        "samples": members[:SAMPLES],
        "trend": sparkline(trend) | {"from": first, "to": timezone.localdate(now)},
        "stores": _top(rows, "store__name"),
        "products": _top(rows, "product__name"),
        "channels": _top(rows, "channel__name_zh"),
        "open": rows.filter(status__in=OPEN).order_by().count(),
        "total": topic.size,
        "answers": list(topic.answers.select_related("by", "approval")[:10]),
        "merged": list(topic.merged_from.all()[:20]),
    }


def _top(rows: Any, name: str) -> list[tuple[str, int]]:
    counted = (
        rows.order_by()
        .exclude(**{f"{name.split('__')[0]}__isnull": True})
        .values(label=F(name))
        .annotate(n=Count("pk"))
    )
    return [(row["label"], row["n"]) for row in counted.order_by("-n", "label")[:6]]
