"""Feedback that named an order before the shop's system sent it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce

from apps.customers.models import Order
from apps.feedback.models import Feedback
from apps.feedback.models.feedback import AWAITS_ORDER

# How far back `link_recent` looks: longer than any intake takes from its first read to its commit.
RECENT = timedelta(hours=1)


@transaction.atomic
def link_orders(*, order_ids: Iterable[int], now: datetime) -> int:
    """Give the feedback that names one of these orders its order, and customer and store where it has none.

    Only what is empty is filled: what a person or the channel said stands. Two queries, a third where something was
    waiting. Returns how many found their order.
    """
    numbers = list(Order.objects.filter(pk__in=list(order_ids)).values_list("order_no", flat=True))
    if not numbers:
        return 0
    # Locked in the order of keys, so that two lists of orders wait for each other instead of dead-locking.
    waiting = list(
        Feedback.objects.select_for_update()
        .filter(AWAITS_ORDER, order_no__in=numbers)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    if not waiting:
        return 0
    own = Order.objects.filter(order_no=OuterRef("order_no"))
    return Feedback.objects.filter(AWAITS_ORDER, pk__in=waiting).update(
        order=Subquery(own.values("pk")),
        customer=Coalesce(F("customer_id"), Subquery(own.values("customer_id"))),
        store=Coalesce(F("store_id"), Subquery(own.values("store_id"))),
        updated_at=now,
    )


def link_recent(*, now: datetime, limit: int = 5000) -> int:
    """Catch up: an order and a feedback that names it may be written at the same moment, neither seeing the other."""
    numbers = (
        Feedback.objects.filter(AWAITS_ORDER, received_at__gte=now - RECENT)
        .order_by("-received_at")
        .values_list("order_no", flat=True)[:limit]
    )
    found = Order.objects.filter(order_no__in=set(numbers)).values_list("pk", flat=True)
    return link_orders(order_ids=list(found), now=now)
