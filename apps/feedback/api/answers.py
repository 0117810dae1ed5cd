"""Rows as the API shows them. Plain dictionaries: a page of 50 must not cost 2,000 field objects."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from apps.core import masking
from apps.customers.models import Customer
from apps.feedback.models import Feedback, SlaClock

BRIEF = (
    "id",
    "kind",
    "sentiment",
    "emotion",
    "tier",
    "category__code",
    "subcategory__code",
    "status",
    "s_review",
    "needs_review",
    "due_at",
    "similar_to_id",
    "assignee__username",
    "assignee__name",
)
CLOCK = ("clocks__kind", "clocks__due_at", "clocks__state", "clocks__cycle")


def moment(value: datetime | None) -> str | None:
    """ISO 8601 in the shop's zone, to the second's fraction it has."""
    return timezone.localtime(value).isoformat() if value is not None else None


def number(pk: int) -> str:
    """What people call the case."""
    return Feedback(pk=pk).number


def taken(ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The readings of these rows with their clocks, by id. One query: each clock is a row of the join."""
    found: dict[int, dict[str, Any]] = {}
    cycles: dict[int, int] = {}
    rows = Feedback.objects.filter(pk__in=list(ids)).order_by("clocks__id").values_list(*BRIEF, *CLOCK)
    for (
        pk,
        kind,
        sentiment,
        emotion,
        tier,
        category,
        subcategory,
        status,
        s_review,
        needs_review,
        due_at,
        similar_id,
        username,
        name,
        clock_kind,
        clock_due,
        clock_state,
        cycle,
    ) in rows:
        if pk not in found:
            found[pk] = {
                "id": pk,
                "number": number(pk),
                "kind": kind,
                "sentiment": sentiment,
                "emotion": emotion,
                "tier": tier,
                "category": category,
                "subcategory": subcategory,
                "status": status,
                "s_review": s_review,
                "needs_review": needs_review,
                "due_at": moment(due_at),
                "deadlines": [],
                "similar_to": similar_id,
                "assignee": username,
                "assignee_name": (name or username) if username else None,
            }
        if clock_kind is None:
            continue
        if cycle > cycles.get(pk, 0):
            # A reopened case: only the newest round still means anything.
            found[pk]["deadlines"] = []
        cycles[pk] = max(cycle, cycles.get(pk, 0))
        if cycle == cycles[pk]:
            found[pk]["deadlines"].append(
                {"kind": clock_kind, "due_at": moment(clock_due), "state": clock_state}
            )
    return found


def tiers(ids: Iterable[int]) -> dict[int, str]:
    """The tier of each row, for bulk answers. One query."""
    return dict(Feedback.objects.filter(pk__in=list(ids)).values_list("pk", "tier"))


def with_all(rows: QuerySet) -> QuerySet:
    """The rows with everything `full` shows: two queries, however many rows."""
    return rows.select_related(
        "channel", "store", "product", "customer", "category", "subcategory", "department", "team", "assignee"
    ).prefetch_related(Prefetch("clocks", SlaClock.objects.order_by("id")))


def person(customer: Customer | None, *, whole: bool) -> dict[str, Any] | None:
    """Who said it."""
    if customer is None:
        return None
    return {
        "id": customer.pk,
        "external_id": customer.external_id,
        "name": (customer.name or customer.nickname) if whole else customer.masked_name,
        "phone": customer.phone if whole else customer.masked_phone,
        "member_tier": customer.member_tier,
    }


def full(row: Feedback, *, whole: bool) -> dict[str, Any]:
    """One case; `whole` shows personal data unmasked."""
    clocks = list(row.clocks.all())
    cycle = max((clock.cycle for clock in clocks), default=0)
    return {
        "id": row.pk,
        "number": row.number,
        "channel": row.channel.code,
        "source": row.source,
        "external_id": row.external_id,
        "text": row.text if whole else masking.mask_text(row.text),
        "rating": row.rating,
        "posted_at": moment(row.posted_at),
        "received_at": moment(row.received_at),
        "author": row.author_name if whole else masking.mask_text(row.author_name),
        "store": row.store.code if row.store else None,
        "product_sku": row.product.sku if row.product else row.reading.get("product_sku"),
        "order_no": row.order_no if whole else masking.mask_order_no(row.order_no),
        "customer": person(row.customer, whole=whole),
        "images": row.image_urls,
        "is_historical": row.is_historical,
        "follow_up_to": row.parent_id,
        "similar_to": row.similar_to_id,
        "similarity": row.similarity,
        "merged_into": row.merged_into_id,
        "kind": row.kind,
        "sentiment": row.sentiment,
        "sentiment_score": row.sentiment_score,
        "emotion": row.emotion,
        "category": row.category.code if row.category else None,
        "subcategory": row.subcategory.code if row.subcategory else None,
        "s_review": row.s_review,
        "needs_review": row.needs_review,
        "confidence": row.confidence,
        "keywords": row.reading.get("keywords", []),
        "mentions_competitor": row.mentions_competitor,
        "tier": row.tier,
        "priority": row.priority,
        "status": row.status,
        "department": row.department.code if row.department else None,
        "team": row.team.code if row.team else None,
        "assignee": row.assignee.username if row.assignee else None,
        "assignee_name": str(row.assignee) if row.assignee else None,
        "due_at": moment(row.due_at),
        "deadlines": [
            {"kind": clock.kind, "due_at": moment(clock.due_at), "state": clock.state}
            for clock in clocks
            if clock.cycle == cycle
        ],
        "breached_at": moment(row.breached_at),
        "first_response_at": moment(row.first_response_at),
        "wait_reason": row.wait_reason,
        "wait_until": moment(row.wait_until),
        "resolved_at": moment(row.resolved_at),
        "closed_at": moment(row.closed_at),
        "updated_at": moment(row.updated_at),
    }
