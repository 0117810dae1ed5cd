"""Reads over customers: finding them, their timeline, what they allow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.hashing import email_key, phone_key
from apps.core.masking import mask_order_no, mask_text
from apps.core.numbers import whole_number
from apps.customers.choices import ContactChannel, CustomerState, Purpose
from apps.customers.models import ConsentEvent, ContactHold, Customer, CustomerIdentity, Order
from apps.customers.registries import TimelineEvent, reach, timeline
from apps.shop.selectors import scope_of

FOUND_AT_MOST = 200
MERGE_DEPTH = 20


def find_customers(queryset: QuerySet[Customer], text: str) -> QuerySet[Customer]:
    """Customers that `text` names, for the search box. Never a scan for a word in the middle of a column.

    A phone number or e-mail address must be whole and is looked up by its hash; "#17" is the record's number;
    all else is a beginning of customer number, nickname or a channel's name for the customer, or a whole
    name.
    """
    text = text.strip()
    if not text:
        return queryset
    if text.startswith("#") and (number := whole_number(text[1:])) is not None:
        return queryset.filter(pk=number)
    if "@" in text:
        return queryset.filter(email_hash=email_key(text))
    digits = "".join(c for c in text if c.isdigit())
    if len(digits) >= 7 and not any(c.isalpha() for c in text):
        by_phone = Q(phone_hash=phone_key(text))
        return queryset.filter(by_phone | Q(pk__in=_numbered(text)))
    return queryset.filter(pk__in=_numbered(text) | _named(text))


def _numbered(text: str) -> set[int]:
    own = Customer.objects.filter(external_id__startswith=text).order_by().values_list("pk", flat=True)
    known = CustomerIdentity.objects.filter(external_id__startswith=text).order_by()
    return {*own[:FOUND_AT_MOST], *known.values_list("customer_id", flat=True)[:FOUND_AT_MOST]}


def _named(text: str) -> set[int]:
    found = Customer.objects.filter(Q(nickname__startswith=text) | Q(name=text)).order_by()
    return set(found.values_list("pk", flat=True)[:FOUND_AT_MOST])


def surviving(customer: Customer) -> Customer:
    """The record that a merged one lives on in; itself if it was not merged."""
    for _step in range(MERGE_DEPTH):
        if customer.merged_into is None:
            return customer
        customer = customer.merged_into
    return customer


def survivors(customers: Iterable[Customer], *, lock: bool = False) -> dict[int, Customer]:
    """For those of `customers` that were merged, by their key: the records they live on in.

    No query when nobody was merged; else one for each step of the longest chain, however many customers.
    `lock` locks what is read.
    """
    ends = {row.pk: row for row in customers if row.merged_into_id is not None}
    rows = Customer.objects.order_by("pk")
    if lock:
        rows = rows.select_for_update()
    for _step in range(MERGE_DEPTH):
        wanted = {row.merged_into_id for row in ends.values() if row.merged_into_id is not None}
        if not wanted:
            break
        found = rows.in_bulk(sorted(wanted))
        ends = {pk: found[row.merged_into_id] if row.merged_into_id else row for pk, row in ends.items()}
    return ends


def living(found: QuerySet[Customer]) -> list[int]:
    """Keys of the people behind the records `found`: a merged one leads to the record it lives on in."""
    rows = list(found.only("pk", "merged_into_id"))
    ends = survivors(rows)
    return sorted({ends.get(row.pk, row).pk for row in rows})


def visible_to(user: Any, customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """Whoever is bound to stores sees the customers of those: who bought there, and whom higher apps name."""
    scope = scope_of(user, see_all="feedback.see_all_feedback")
    if scope.everything or not scope.stores:
        return customers
    met = Q(pk__in=Order.objects.filter(store_id__in=scope.stores).values("customer_id"))
    for keys in reach:
        met |= Q(pk__in=keys(scope.stores, user))
    return customers.filter(met)


def likely_same(customer: Customer, *, limit: int = 5) -> list[Customer]:
    """Other customers with the same phone or e-mail. One query on the hash indexes."""
    same = Q()
    if customer.phone_hash:
        same |= Q(phone_hash=customer.phone_hash)
    if customer.email_hash:
        same |= Q(email_hash=customer.email_hash)
    if not same:
        return []
    others = Customer.objects.filter(same, state=CustomerState.ACTIVE).exclude(pk=customer.pk)
    return list(others.order_by("pk")[:limit])


@dataclass(frozen=True, slots=True)
class ConsentState:
    """What holds for one purpose and channel, and since when."""

    purpose: str
    purpose_label: Any
    channel: str
    channel_label: Any
    granted: bool
    at: datetime
    source: str


def consents_now(customer_id: int) -> list[ConsentState]:
    """The newest ledger row of every purpose and channel, in the order of the choices. One query."""
    newest: dict[tuple[str, str], ConsentEvent] = {}
    for event in ConsentEvent.objects.filter(customer_id=customer_id).order_by("at", "id"):
        newest[event.purpose, event.channel] = event
    order = {value: index for index, value in enumerate([*Purpose.values, *ContactChannel.values])}
    return [
        ConsentState(
            purpose=event.purpose,
            purpose_label=event.get_purpose_display(),
            channel=event.channel,
            channel_label=event.get_channel_display(),
            granted=event.granted,
            at=event.at,
            source=mask_text(event.source),
        )
        for _key, event in sorted(newest.items(), key=lambda pair: (order[pair[0][0]], order[pair[0][1]]))
    ]


def may_contact(customer_id: int, *, purpose: str, channel: str) -> bool:
    """Whether the ledger allows it: the newest row for the channel or for every channel decides. None: no."""
    newest = (
        ConsentEvent.objects.filter(
            customer_id=customer_id, purpose=purpose, channel__in=[channel, ContactChannel.ANY]
        )
        .order_by("-at", "-id")
        .first()
    )
    return newest is not None and newest.granted


def holds_now(customer_id: int, now: datetime) -> list[ContactHold]:
    """Holds in force."""
    return list(
        ContactHold.objects.filter(
            Q(ends_at__isnull=True) | Q(ends_at__gt=now),
            customer_id=customer_id,
            starts_at__lte=now,
            released_at__isnull=True,
        )
    )


def timeline_of(customer_id: int, user: Any, *, limit: int = 50) -> list[TimelineEvent]:
    """The newest events of every registered source, newest first (R25)."""
    events: list[TimelineEvent] = []
    for source in timeline:
        events.extend(source.events(customer_id, user, limit))
    return sorted(events, key=lambda event: event.at, reverse=True)[:limit]


def order_events(customer_id: int, user: Any, limit: int) -> Iterable[TimelineEvent]:
    """Purchases as timeline events. One query."""
    if not user.has_perm("customers.view_order"):
        return
    orders = Order.objects.filter(customer_id=customer_id, placed_at__isnull=False).select_related("store")
    for order in orders.order_by("-placed_at", "-id")[:limit]:
        assert order.placed_at is not None
        yield TimelineEvent(
            at=order.placed_at,
            kind="order",
            title=_("Order %(number)s") % {"number": mask_order_no(order.order_no)},
            text=" · ".join(
                str(part) for part in (order.store, order.get_status_display(), order.total) if part
            ),
            url=reverse("admin:customers_order_change", args=[order.pk]),
            icon="receipt_long",
        )


def consent_events(customer_id: int, user: Any, limit: int) -> Iterable[TimelineEvent]:
    """Grants and withdrawals as timeline events. One query."""
    if not user.has_perm("customers.view_consentevent"):
        return
    rows = ConsentEvent.objects.filter(customer_id=customer_id).order_by("-at", "-id")[:limit]
    for row in rows:
        title = _("Consent given: %(what)s") if row.granted else _("Consent withdrawn: %(what)s")
        yield TimelineEvent(
            at=row.at,
            kind="consent",
            title=title % {"what": str(row)},
            text=mask_text(row.source),
            icon="verified_user" if row.granted else "block",
        )


TIMELINE_LABELS = {"order": gettext_lazy("Orders"), "consent": gettext_lazy("Consents")}
