"""Restock requests out of feedback that misses a product (R23)."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime

from django.utils.translation import gettext as _

from apps.automation.models import RestockMention
from apps.core.choices import NoticeLevel
from apps.core.models import ActionLog, StaffNotice
from apps.core.services.notices import notice_rows
from apps.feedback.models import Feedback
from apps.feedback.selectors.reference import reference
from apps.feedback.services.telling import address
from apps.shop.choices import WorkKind, WorkStatus
from apps.shop.models import Product, StockLevel, WorkItem

OPEN = (WorkStatus.OPEN, WorkStatus.DOING)


def ask_restock(*, feedback_ids: list[int], due: datetime, now: datetime) -> list[str]:
    """Open a request for each store and product that is missed, or add to the open one; one outcome per id.

    The product's row is the lock: two workers never open two requests. A fixed number of statements per new request
    and none per further feedback. The moment is kept in the case's history, so that "facts within ten minutes of
    arrival" can be measured.
    """
    rows = {
        row.pk: row
        for row in Feedback.objects.filter(pk__in=feedback_ids).only(
            "id", "store_id", "product_id", "department_id", "snippet", "status"
        )
    }
    products = {row.product_id for row in rows.values() if row.product_id and row.store_id}
    if not products:
        return [_without(rows.get(pk)) for pk in feedback_ids]
    names = {
        row.pk: row for row in Product.objects.select_for_update().filter(pk__in=products).order_by("pk")
    }
    stores = {row.store_id for row in rows.values() if row.store_id}
    open_items = {
        (item.store_id, item.product_id): item
        for item in WorkItem.objects.filter(
            kind=WorkKind.RESTOCK, status__in=OPEN, product__in=products, store__in=stores
        ).order_by("-id")
    }
    levels = {
        (level.store_id, level.product_id): level
        for level in StockLevel.objects.filter(product__in=products, store__in=stores)
    }
    known = set(
        RestockMention.objects.filter(feedback__in=list(rows), work__status__in=OPEN).values_list(
            "feedback_id", flat=True
        )
    )
    # A case that asked before, and whose request was done since, asks anew: under a number of its own.
    before = Counter(
        RestockMention.objects.filter(feedback__in=list(rows)).values_list("feedback_id", flat=True)
    )
    ref = reference()
    mentions: list[RestockMention] = []
    logs: list[ActionLog] = []
    notices: list[StaffNotice] = []
    grown: dict[int, list[int]] = defaultdict(list)
    out: dict[int, str] = {}
    for pk in dict.fromkeys(feedback_ids):
        row = rows.get(pk)
        if row is None or not row.product_id or not row.store_id:
            out[pk] = _without(row)
            continue
        if pk in known:
            out[pk] = "unchanged"
            continue
        key = (row.store_id, row.product_id)
        store, level = ref.stores.get(row.store_id), levels.get(key)
        item = open_items.get(key)
        opened = item is None
        if item is None:
            item = open_items[key] = WorkItem.objects.create(
                kind=WorkKind.RESTOCK,
                title=_("Restock %(product)s") % {"product": names[row.product_id].name[:150]},
                body=row.snippet,
                store_id=row.store_id,
                department_id=row.department_id,
                product_id=row.product_id,
                owner_id=store.manager_id if store else None,
                due_at=due,
                origin_key=f"restock:{row.store_id}:{row.product_id}:{pk}"
                + (f":{before[pk] + 1}" if before[pk] else ""),
                url=address(pk),
            )
            if item.owner_id:
                notices += notice_rows(
                    recipients=[item.owner_id],
                    level=NoticeLevel.INFO,
                    title=_("Work for you: %(title)s") % {"title": item.title},
                    body=item.body,
                    url=f"/admin/shop/workitem/{item.pk}/change/",
                    key=f"work:{item.pk}:restock",
                    now=now,
                )
        grown[item.pk].append(pk)
        mentions.append(
            RestockMention(
                work=item, feedback_id=pk, opened=opened, level=level.level if level else None, at=now
            )
        )
        logs.append(
            ActionLog(
                model="feedback.feedback",
                object_id=pk,
                verb="restock",
                from_state=row.status,
                to_state=row.status,
                via="automation",
                at=now,
                data={"work": item.pk, "opened": opened, "level": level.level if level else None},
            )
        )
        out[pk] = "done" if opened else _("added to the open request")
    RestockMention.objects.bulk_create(mentions, ignore_conflicts=True, batch_size=500)
    ActionLog.objects.bulk_create(logs, batch_size=500)
    StaffNotice.objects.bulk_create(notices, ignore_conflicts=True)
    return [out[pk] for pk in feedback_ids]


def _without(row: Feedback | None) -> str:
    if row is None:
        return _("the feedback is gone")
    return _("no product is named") if not row.product_id else _("no store is named")
