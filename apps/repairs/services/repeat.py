"""Do repaired customers buy again more often than comparable others? (R31; domain.md 3.3, 复购率)"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from apps.customers.choices import OrderStatus
from apps.customers.models import Order
from apps.repairs.choices import RepairStatus
from apps.repairs.figures import AGAIN_WITHIN, SATISFIED_FROM, Buyer, bought_again, orders_bucket, pairs
from apps.repairs.models import FiguresState, RepairCase, RepeatMonth
from apps.repairs.selectors.figures import local_day, midnight
from apps.repairs.services.rollup import lock_figures

#: Quarters that ended longer ago than this do not change any more: their callbacks are made and their 90 days are over.
SETTLED = timedelta(days=400)


def quarter_of(day: date) -> date:
    """The first day of its quarter."""
    return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)


def next_quarter(first: date) -> date:
    """The first day of the quarter after it."""
    return quarter_of(first + timedelta(days=95))


def refresh_repeat(*, now: datetime, whole: bool = False) -> int:
    """Compare again the quarters that may still change, or all. Answers how many. Four reads a quarter; safe to repeat."""
    done = 0
    for quarter in _quarters(now, whole=whole):
        _compare(quarter, now=now)
        done += 1
    with transaction.atomic():
        lock_figures()
        FiguresState.objects.filter(pk=1).update(repeat_at=now)
    return done


def _quarters(now: datetime, *, whole: bool) -> Iterator[date]:
    oldest = RepairCase.objects.order_by("opened_at").values_list("opened_at", flat=True).first()
    # Quarters that were compared and whose cases are all gone since are emptied.
    compared = RepeatMonth.objects.order_by("quarter").values_list("quarter", flat=True).first()
    starts = [day for day in (oldest and local_day(oldest), compared) if day]
    if not starts:
        return
    first = min(starts)
    if not whole:
        first = max(first, local_day(now - SETTLED))
    quarter = quarter_of(first)
    while quarter <= local_day(now):
        yield quarter
        quarter = next_quarter(quarter)


@transaction.atomic
def _compare(quarter: date, *, now: datetime) -> None:
    lock_figures()
    start, end = midnight(quarter), midnight(next_quarter(quarter))
    cases = RepairCase.objects.filter(opened_at__gte=start, opened_at__lt=end, customer__isnull=False)
    orders: dict[int, list[datetime]] = defaultdict(list)
    bought = (
        Order.objects.filter(customer__in=cases.order_by().values("customer"), placed_at__isnull=False)
        .exclude(status=OrderStatus.CANCELLED)
        .order_by("placed_at")
        .values_list("customer_id", "placed_at")
    )
    for customer, placed_at in bought.iterator(chunk_size=5000):
        orders[customer].append(placed_at)
    repaired = _buyers(
        cases.filter(
            executed_at__isnull=False, satisfaction__gte=SATISFIED_FROM, called_back_at__isnull=False
        ).exclude(status=RepairStatus.DISMISSED),
        orders,
    )
    # Others: an honest negative review for which nothing was carried out, of a customer for whom nothing ever was.
    helped = RepairCase.objects.filter(customer=OuterRef("customer"), executed_at__isnull=False)
    others = _buyers(
        cases.filter(~Exists(helped), executed_at__isnull=True).exclude(
            status__in=(RepairStatus.DISMISSED, RepairStatus.REMOVED)
        ),
        orders,
    )
    months: dict[date, Counter[str]] = defaultdict(Counter)
    for buyer in repaired:
        if buyer.since + AGAIN_WITHIN <= now:
            months[_month(buyer)]["cohort"] += 1
    for buyer, other in pairs(repaired, others, now=now):
        months[_month(buyer)].update(
            pairs=1,
            again=int(bought_again(buyer, orders.get(buyer.customer, ()))),
            others_again=int(bought_again(other, orders.get(other.customer, ()))),
        )
    RepeatMonth.objects.filter(quarter=quarter).delete()
    RepeatMonth.objects.bulk_create(
        [RepeatMonth(month=month, quarter=quarter, **counts) for month, counts in sorted(months.items())]
    )


def _month(buyer: Buyer) -> date:
    return local_day(buyer.since).replace(day=1)


def _buyers(cases: Any, orders: dict[int, list[datetime]]) -> list[Buyer]:
    """Each customer once, with their first case of the quarter."""
    found: dict[int, Buyer] = {}
    rows = cases.order_by("opened_at", "pk").values_list(
        "customer_id", "channel_id", "tier", "opened_at", "called_back_at", "executed_at"
    )
    for customer, channel, tier, opened_at, called_back_at, executed_at in rows.iterator(chunk_size=5000):
        if customer not in found:
            before = bisect_left(orders.get(customer, []), opened_at)
            delay = called_back_at - opened_at if executed_at and called_back_at else timedelta(0)
            found[customer] = Buyer(customer, (channel, tier, orders_bucket(before)), opened_at, delay)
    return list(found.values())
