"""Who may be called, asked of many customers at once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo

from django.db.models import Q

from apps.callbacks import guards
from apps.callbacks.choices import OPEN, Block, CallPurpose
from apps.callbacks.models import Callback, CallbackAttempt
from apps.customers.choices import ContactChannel, CustomerState, Purpose
from apps.customers.models import ConsentEvent, ContactHold, Customer
from apps.feedback.choices import OPEN as OPEN_CASES
from apps.feedback.choices import Status
from apps.messaging.gate import Window
from apps.messaging.selectors import setup, zone_of

STATES = {
    CustomerState.ERASED: Block.ERASED,
    CustomerState.MERGED: Block.MERGED,
    CustomerState.RESTRICTED: Block.RESTRICTED,
}
PURPOSES = {CallPurpose.SURVEY: Purpose.SURVEY, CallPurpose.MARKETING: Purpose.MARKETING}


def window_of(callback: Callback) -> Window:
    """The hours in which a customer may be called about this."""
    return guards.within(setup().rules.soft, callback.opens, callback.closes)


def zone() -> tzinfo:
    """The customers' zone: the shop's, as nothing else is known of them (domain.md 2.3)."""
    return zone_of("")


def screen(customers: Iterable[Customer], *, purpose: str, now: datetime) -> dict[int, Block]:
    """Why some of `customers` may not be called for `purpose`; whoever may is left out. Two queries, however many.

    State and hold come before consent: they also stop calls about a case.
    """
    rows = {row.pk: row for row in customers}
    if not rows:
        return {}
    found = {pk: STATES[CustomerState(row.state)] for pk, row in rows.items() if row.state in STATES}
    held = ContactHold.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=now),
        customer_id__in=rows,
        starts_at__lte=now,
        released_at__isnull=True,
    )
    for pk in held.values_list("customer_id", flat=True):
        found.setdefault(pk, Block.ON_HOLD)
    wanted = PURPOSES.get(CallPurpose(purpose))
    if wanted is None:
        return found
    word: dict[int, bool] = {}
    said = ConsentEvent.objects.filter(
        customer_id__in=rows, purpose=wanted, channel__in=(ContactChannel.PHONE, ContactChannel.ANY)
    ).order_by("at", "id")
    for pk, granted in said.values_list("customer_id", "granted"):
        word[pk] = granted
    for pk in rows:
        if not word.get(pk):
            found.setdefault(pk, Block.OPTED_OUT if pk in word else Block.NO_CONSENT)
    return found


def busy(customer_ids: Iterable[int], *, days: int, now: datetime) -> set[int]:
    """Who has a callback planned, or was called within so many days. Two queries."""
    ids = list(customer_ids)
    found = set(
        Callback.objects.filter(customer_id__in=ids, status__in=OPEN).values_list("customer_id", flat=True)
    )
    called = CallbackAttempt.objects.filter(
        callback__customer_id__in=ids,
        callback__due_at__gte=now - timedelta(days=days + 30),
        at__gte=now - timedelta(days=days),
    )
    found.update(called.values_list("callback__customer_id", flat=True))
    return found


def case_block(callback: Callback) -> Block | None:
    """What of its case stops a callback that a plan made; whoever plans one by hand has looked at the case."""
    if not callback.plan_id or callback.feedback is None:
        return None
    if callback.feedback.status in OPEN_CASES:
        return Block.CASE_OPEN
    # What it was merged into is called about when that is resolved.
    return Block.CASE_GONE if callback.feedback.status in (Status.MERGED, Status.DISMISSED) else None


def block_of(callback: Callback, now: datetime) -> Block | None:
    """Why this customer may not be called about this now; None when they may. Two queries and the case's."""
    block = case_block(callback)
    if block is not None:
        return block
    return screen([callback.customer], purpose=callback.purpose, now=now).get(callback.customer_id)
