"""Stock levels as the shop's own system reports them (R23)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.shop.models import Product, StockLevel, Store


@dataclass(slots=True)
class Count:
    """One count. `reorder_point` None keeps what is there; `counted_at` None means now."""

    store: str
    sku: str
    level: int
    reorder_point: int | None = None
    counted_at: datetime | None = None


@dataclass(slots=True)
class Counted:
    """What became of one count: created, changed, unchanged or rejected."""

    state: str
    id: int | None = None
    code: str = ""
    field: str = ""
    message: str = ""


def set_levels(*, counts: Sequence[Count], now: datetime, only_stores: Iterable[str] = ()) -> list[Counted]:
    """Bring stock up to date; one answer per count, in order. At most five queries, however many counts.

    A count older than the one that is kept changes nothing: messages overtake each other. `only_stores`
    (codes) refuses other stores; empty allows all. Two writers of one new row meet at the unique constraint:
    the second looks again.
    """
    for attempt in range(4):
        try:
            with transaction.atomic():
                return _set(counts, now, frozenset(only_stores))
        except IntegrityError:
            if attempt == 3:
                raise
    raise AssertionError("unreachable")


def _set(counts: Sequence[Count], now: datetime, only: frozenset[str]) -> list[Counted]:
    stores = {store.code: store for store in Store.objects.filter(code__in={count.store for count in counts})}
    products = dict(Product.objects.filter(sku__in={count.sku for count in counts}).values_list("sku", "pk"))
    present = {
        (row.store_id, row.product_id): row
        # Locked in the order of keys: two lists that overlap in another order must not dead-lock.
        for row in StockLevel.objects.select_for_update()
        .filter(store__in=[store.pk for store in stores.values()], product__in=list(products.values()))
        .order_by("pk")
    }
    fresh: dict[tuple[int, int], StockLevel] = {}
    changed: dict[int, StockLevel] = {}
    out: list[Counted] = []
    waiting: list[tuple[Counted, StockLevel]] = []
    for count in counts:
        refused = _refused(count, stores, products, only)
        if refused is not None:
            out.append(refused)
            continue
        key = (stores[count.store].pk, products[count.sku])
        at = count.counted_at or now
        row = present.get(key) or fresh.get(key)
        if row is None:
            row = fresh[key] = StockLevel(
                store_id=key[0],
                product_id=key[1],
                level=count.level,
                reorder_point=count.reorder_point or 0,
                counted_at=at,
            )
            answer = Counted("created")
            waiting.append((answer, row))
        else:
            answer = Counted(_apply(row, count, at), row.pk)
            if row.pk is None:
                waiting.append((answer, row))
            elif answer.state == "changed":
                changed[row.pk] = row
        out.append(answer)
    new = [fresh[key] for key in sorted(fresh)]
    StockLevel.objects.bulk_create(new, batch_size=500)
    StockLevel.objects.bulk_update(
        [changed[pk] for pk in sorted(changed)], ["level", "reorder_point", "counted_at"], batch_size=500
    )
    for answer, row in waiting:
        answer.id = row.pk
    return out


def _apply(row: StockLevel, count: Count, at: datetime) -> str:
    if at < row.counted_at:
        return "unchanged"
    point = row.reorder_point if count.reorder_point is None else count.reorder_point
    same = (row.level, row.reorder_point) == (count.level, point)
    moved = at != row.counted_at
    row.level, row.reorder_point, row.counted_at = count.level, point, at
    # A later count of the same level is news too: stock is shown with its age.
    return "unchanged" if same and not moved else "changed"


def _refused(
    count: Count, stores: dict[str, Store], products: dict[str, int], only: frozenset[str]
) -> Counted | None:
    if only and count.store not in only:
        return Counted("rejected", None, "not_permitted", "store", _("This token does not serve that store."))
    if count.store not in stores:
        message = _("There is no store “%(name)s”.") % {"name": count.store}
        return Counted("rejected", None, "unknown_store", "store", message)
    if count.sku not in products:
        message = _("There is no product “%(sku)s”.") % {"sku": count.sku}
        return Counted("rejected", None, "unknown_product", "sku", message)
    return None
