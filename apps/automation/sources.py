"""What happens to a feedback, and the streams of rows that tell about it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F, Max, Q
from django.utils.translation import gettext_lazy as _

from apps.automation.registries import Event, Param, Source, events, sources
from apps.core.models import ActionLog
from apps.customers.choices import OrderStatus
from apps.feedback.choices import OPEN, EntryKind
from apps.feedback.models import Entry, Feedback, SlaEvent
from apps.feedback.transitions import FEEDBACK
from apps.shop.models import StockLevel

Rows = list[tuple[int, int, Any, datetime]]
VERBS = frozenset(FEEDBACK.verbs()) | {"changed", "undo"}
# Feedback that misses a product: what the taxonomy calls sold out, a missing gift, a wrong or missing item.
MISSING = ("STOCK", "GIFT_MISSING", "MISMATCH_WRONG_ITEM")
ANSWERS = frozenset({"record_contact", "give_plan", "give_progress"})
RECENT_DAYS = 14


def arrivals(*, after: int = 0, since: datetime | None = None, limit: int, newest: bool = False) -> Rows:
    """Feedback as it came in."""
    rows = Feedback.objects.filter(id__gt=after)
    if since is not None:
        rows = rows.filter(received_at__gte=since)
    found = rows.order_by("-received_at", "-id") if newest else rows.order_by("id")
    return [(pk, pk, None, at) for pk, at in found.values_list("id", "received_at")[:limit]]


def moves(*, after: int = 0, since: datetime | None = None, limit: int, newest: bool = False) -> Rows:
    """Moves of cases; the detail is the verb."""
    rows = ActionLog.objects.filter(id__gt=after, model="feedback.feedback", verb__in=VERBS)
    if since is not None:
        rows = rows.filter(at__gte=since)
    found = rows.order_by("-id" if newest else "id")
    return list(found.values_list("id", "object_id", "verb", "at")[:limit])


def clock_events(*, after: int = 0, since: datetime | None = None, limit: int, newest: bool = False) -> Rows:
    """Warnings and breaches of service-level clocks; the detail is the kind."""
    rows = SlaEvent.objects.filter(id__gt=after)
    if since is not None:
        rows = rows.filter(at__gte=since)
    found = rows.order_by("-id" if newest else "id")
    return list(found.values_list("id", "feedback_id", "kind", "at")[:limit])


def replies(*, after: int = 0, since: datetime | None = None, limit: int, newest: bool = False) -> Rows:
    """What customers wrote on their cases."""
    rows = Entry.objects.filter(id__gt=after, kind=EntryKind.INBOUND)
    if since is not None:
        rows = rows.filter(at__gte=since)
    found = rows.order_by("-id" if newest else "id")
    return [(pk, case, None, at) for pk, case, at in found.values_list("id", "feedback_id", "at")[:limit]]


def late_orders(
    *,
    after: int = 0,
    since: datetime | None = None,
    limit: int,
    newest: bool = False,
    now: datetime | None = None,
) -> Rows:
    """Open feedback whose order has not arrived; the detail is the number of whole days since it was placed."""
    rows = Feedback.objects.filter(
        status__in=OPEN,
        is_historical=False,
        order__status__in=(OrderStatus.PLACED, OrderStatus.SHIPPED),
        order__delivered_at__isnull=True,
        order__placed_at__isnull=False,
    )
    moment = now or (rows.aggregate(at=Max("received_at"))["at"])
    if moment is None:
        return []
    rows = rows.filter(order__placed_at__gte=moment - timedelta(days=60))
    return [
        (order, pk, max((moment - placed).days, 0), moment)
        for order, pk, placed in rows.order_by("-id").values_list("order_id", "id", "order__placed_at")[
            :limit
        ]
    ]


def low_stock(
    *,
    after: int = 0,
    since: datetime | None = None,
    limit: int,
    newest: bool = False,
    now: datetime | None = None,
) -> Rows:
    """Feedback of the last 14 days that misses a product of which its store has too little."""
    low = StockLevel.objects.filter(level__lte=F("reorder_point"))
    levels = {
        (store, product): (pk, at)
        for pk, store, product, at in low.values_list("id", "store_id", "product_id", "counted_at")[:20000]
    }
    if not levels:
        return []
    newest_count = max(at for _pk, at in levels.values())
    start = (now or newest_count) - timedelta(days=RECENT_DAYS)
    # A dry run over more days looks no further back than the rule itself will.
    start = max(start, since) if since is not None else start
    from apps.automation.fields import below

    wanted = below(MISSING)
    rows = (
        Feedback.objects.filter(
            Q(category__in=wanted) | Q(subcategory__in=wanted),
            received_at__gte=start,
            product_id__in={product for _store, product in levels},
            store_id__in={store for store, _product in levels},
        )
        .order_by("-id")
        .values_list("id", "store_id", "product_id")
    )
    out: Rows = []
    for pk, store, product in rows[:limit]:
        level = levels.get((store, product))
        if level is not None:
            out.append((level[0], pk, level[1].strftime("%Y%m%d"), level[1]))
    return out


def _verb_is(detail: Any, params: Mapping[str, Any]) -> bool:
    return not params.get("verb") or detail == params["verb"]


def _late(detail: Any, params: Mapping[str, Any]) -> bool:
    return int(detail) >= int(params.get("days") or 3)


def _move_choices() -> list[tuple[str, str]]:
    return [("", str(_("any move"))), *((move.verb, str(move.label)) for move in FEEDBACK.moves)]


EVENTS: tuple[tuple[str, Event], ...] = (
    ("taken_in", Event(_("feedback comes in"), "arrivals")),
    ("corrected", Event(_("the reading is put right"), "moves", lambda d, p: d in ("correct", "changed"))),
    (
        "moved",
        Event(
            _("a case is moved on"),
            "moves",
            _verb_is,
            (Param("verb", _("which move"), "choice", _move_choices, required=False),),
        ),
    ),
    (
        "clock_warned",
        Event(_("a deadline comes near"), "clocks", lambda d, p: d not in ("breached", "escalated")),
    ),
    ("clock_breached", Event(_("a deadline is missed"), "clocks", lambda d, p: d == "breached")),
    ("replied", Event(_("the customer wrote again"), "replies")),
    (
        "order_late",
        Event(
            _("an order has not arrived"),
            "late_orders",
            _late,
            (Param("days", _("days after the order"), "number", default=3, least=1, most=60),),
        ),
    ),
    ("stock_low", Event(_("stock is low of a product customers miss"), "low_stock")),
)
SOURCES: tuple[tuple[str, Source], ...] = (
    ("arrivals", Source(arrivals, settle_minutes=30)),
    ("moves", Source(moves)),
    ("clocks", Source(clock_events)),
    ("replies", Source(replies)),
    ("late_orders", Source(late_orders, lasting=False)),
    ("low_stock", Source(low_stock, lasting=False, keyed_by_detail=True)),
)


def register() -> None:
    """Once, when Django starts."""
    for order, (code, event) in enumerate(EVENTS):
        events.register(code, event, order=order)
    for code, source in SOURCES:
        sources.register(code, source)
