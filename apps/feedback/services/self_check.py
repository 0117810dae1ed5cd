"""The store checks itself after an S (R15)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from apps.feedback.models import Feedback
from apps.feedback.selectors.reference import Reference
from apps.feedback.services.telling import address
from apps.shop.choices import WorkKind
from apps.shop.models import WorkItem

# The plan is due 24 h after arrival (source text 004); the store's findings must be there well before.
SELF_CHECK_HOURS = 4


def open_self_checks(ref: Reference, records: Iterable[Feedback], *, now: datetime) -> None:
    """One self-check per urgent case; repeating it makes no second one. One INSERT for all."""
    rows = []
    for record in records:
        store = ref.stores.get(record.store_id) if record.store_id else None
        rows.append(
            WorkItem(
                kind=WorkKind.SELF_CHECK,
                title=_("Self-check after %(number)s") % {"number": record.number},
                body=record.snippet,
                store_id=record.store_id,
                department_id=record.department_id,
                product_id=record.product_id,
                owner_id=store.manager_id if store else None,
                due_at=now + timedelta(hours=SELF_CHECK_HOURS),
                origin_key=f"feedback:{record.pk}:self_check",
                url=address(record.pk),
                created_at=now,
                updated_at=now,
            )
        )
    WorkItem.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
