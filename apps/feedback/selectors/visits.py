"""Reads for mystery visits and symposiums: who may be invited, how a visit scored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery

from apps.customers.choices import CustomerState, Purpose
from apps.customers.models import ConsentEvent, ContactHold, Customer
from apps.feedback.choices import InvitationState
from apps.feedback.models import MysteryVisit, Symposium, SymposiumInvitation

# Counting stops here: "more than 2000" is enough to choose by.
COUNT_LIMIT = 2000
EARLIER = ("any", "never", "before")


@dataclass(frozen=True)
class Audience:
    """Who would be invited, how many, and who is left out for which reason. Counts stop at COUNT_LIMIT + 1."""

    customers: list[Customer]
    count: int
    left_out: dict[str, int]


def _of_level(tiers: Sequence[str], earlier: str) -> QuerySet[Customer]:
    rows = Customer.objects.filter(member_tier__in=tiers).exclude(state=CustomerState.MERGED)
    if earlier != "any":
        came = SymposiumInvitation.objects.filter(customer=OuterRef("pk"), status=InvitationState.ATTENDED)
        rows = rows.filter(Exists(came) if earlier == "before" else ~Exists(came))
    return rows


def invitable(
    symposium: Symposium, now: datetime, rows: QuerySet[Customer] | None = None
) -> QuerySet[Customer]:
    """Those of `rows` who may be invited: active, no hold in force, consent to surveys, not invited here yet."""
    rows = Customer.objects.all() if rows is None else rows
    for _code, narrowed in _steps(symposium, now, rows):
        rows = narrowed
    return rows


def barred(customer_ids: Iterable[int], now: datetime) -> set[int]:
    """Those of these customers who may not be contacted about a symposium any more: a hold in force, no consent to
    surveys, storage only or erased. Between the choice and the call a customer may have said no.
    """
    ids = set(customer_ids)
    allowed = Customer.objects.filter(pk__in=ids)
    for _code, narrowed in _steps(None, now, allowed):
        allowed = narrowed
    return ids - set(allowed.order_by().values_list("pk", flat=True))


def _steps(
    symposium: Symposium | None, now: datetime, rows: QuerySet[Customer]
) -> list[tuple[str, QuerySet[Customer]]]:
    """(reason, those who remain after it), one after the other."""
    holds = ContactHold.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=now),
        customer=OuterRef("pk"),
        starts_at__lte=now,
        released_at__isnull=True,
    )
    # An invitation to talk about the shop is a survey by word of mouth. The customer's last word on surveys
    # counts, by whatever channel it came: a "no" on one is not overruled by an older "yes" on another.
    word = (
        ConsentEvent.objects.filter(customer=OuterRef("pk"), purpose=Purpose.SURVEY)
        .order_by("-at", "-id")
        .values("granted")[:1]
    )
    present = SymposiumInvitation.objects.filter(customer=OuterRef("pk"), symposium=symposium)
    active = rows.filter(state=CustomerState.ACTIVE)
    fresh = active.filter(~Exists(present)) if symposium is not None else active
    free = fresh.filter(~Exists(holds))
    agreed = free.annotate(word=Subquery(word)).filter(word=True)
    return [("state", active), ("invited", fresh), ("hold", free), ("consent", agreed)]


def _count(rows: QuerySet[Customer]) -> int:
    return rows.order_by()[: COUNT_LIMIT + 1].count()


def audience(
    *, symposium: Symposium, tiers: Sequence[str], earlier: str, limit: int, now: datetime
) -> Audience:
    """A preview: at most `limit` of the first COUNT_LIMIT customers, those who came least often first. Nine
    queries.
    """
    rows = _of_level(tiers, earlier)
    before, left_out = _count(rows), {}
    for code, narrowed in _steps(symposium, now, rows):
        remaining = _count(narrowed)
        left_out[code] = before - remaining
        before, rows = remaining, narrowed
    # Who came how often is asked of so many only as are counted: a shop has hundreds of thousands of members.
    ids = list(rows.order_by("pk").values_list("pk", flat=True)[:COUNT_LIMIT])
    came = dict(
        SymposiumInvitation.objects.filter(customer__in=ids, status=InvitationState.ATTENDED)
        .order_by()
        .values_list("customer")
        .annotate(n=Count("pk"))
    )
    first = sorted(ids, key=lambda pk: (came.get(pk, 0), pk))[:limit]
    customers = Customer.objects.in_bulk(first)
    for customer in customers.values():
        customer.came = came.get(customer.pk, 0)  # type: ignore[attr-defined]
    return Audience([customers[pk] for pk in first if pk in customers], before, left_out)


def can_open_visit_photo(user: Any, stored: Any) -> bool:
    """Photos of visits and symposiums open to those who see the record."""
    return (
        user.has_perm("feedback.view_mysteryvisit")
        and MysteryVisit.objects.visible_to(user).filter(files__file=stored).exists()
    ) or (
        user.has_perm("feedback.view_symposium")
        and Symposium.objects.visible_to(user).filter(files__file=stored).exists()
    )
