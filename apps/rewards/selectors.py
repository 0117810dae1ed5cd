"""Reads: who may promise what, what a customer has, how full the budgets are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.core.models import User
from apps.customers.models import Customer
from apps.customers.registries import TimelineEvent
from apps.rewards import limits
from apps.rewards.choices import CouponState, DeliveryState, GrantState, LevelCode, RewardKind
from apps.rewards.models import (
    Budget,
    Coupon,
    CouponType,
    Gift,
    GiftDelivery,
    Grant,
    LedgerEntry,
    PointsAccount,
    PointsEntry,
    PointsLot,
    SpendingLevel,
    SpendingPolicy,
)

LEGAL = "rewards.approve_legal"
NEARLY = 0.8
SHOWN = 20
PERMISSION_WORDS = {
    "rewards.spend_agent": gettext_lazy("a colleague who may promise"),
    "rewards.spend_lead": gettext_lazy("a team lead"),
    "rewards.spend_manager": gettext_lazy("a manager"),
    "rewards.spend_director": gettext_lazy("a director"),
    LEGAL: gettext_lazy("the legal department"),
}


def policy() -> SpendingPolicy:
    """The limits for everybody; the defaults where nobody loaded them. One query."""
    return SpendingPolicy.objects.first() or SpendingPolicy()


def levels() -> list[limits.Level]:
    """The ladder, lowest first. One query."""
    return [
        limits.Level(
            code=row.code,
            rank=row.rank,
            permission=row.permission,
            goodwill=row.goodwill_limit,
            refund=row.refund_limit,
            needs_legal=row.needs_legal,
            day=row.day_limit,
            month=row.month_limit,
        )
        for row in SpendingLevel.objects.order_by("rank")
    ]


def goodwill_items(customer: Customer, *, days: int, now: datetime) -> int:
    """How many goodwill items a customer got within `days` from every source; what was taken back does not count."""
    return (
        Grant.objects.filter(customer=customer, at__gt=now - timedelta(days=days), is_goodwill=True)
        .exclude(status=GrantState.REVERSED)
        .count()
    )


def promised_by(person: User | None, *, now: datetime) -> tuple[Decimal, Decimal]:
    """(today, this month): goodwill a person promised, CNY, by the shop's calendar. One query."""
    if person is None:
        return Decimal(0), Decimal(0)
    day = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    first = day.replace(day=1)
    # What was promised before counts on that day, not again when it is given: it was given at that time or later.
    rows = (
        Grant.objects.filter(by=person, at__gte=first, is_goodwill=True)
        .exclude(status=GrantState.REVERSED)
        .annotate(when=Coalesce("promised_at", "at"))
        .filter(when__gte=first)
    )
    worth = F("cost") - F("owed")
    sums = rows.aggregate(
        month=Coalesce(Sum(worth), Decimal(0)),
        today=Coalesce(Sum(worth, filter=Q(when__gte=day)), Decimal(0)),
    )
    return sums["today"], sums["month"]


def assess(
    *,
    by: User | None,
    customer: Customer,
    goodwill: Decimal,
    refund_extra: Decimal = Decimal(0),
    flags: frozenset[str] = frozenset(),
    now: datetime,
    items: int = 1,
    waiting: limits.Spent | None = None,
) -> limits.Assessment:
    """Whether `by` may promise this alone, and who else must agree if not, with the reasons in words.

    `refund_extra` is what goes beyond the refund the law gives, `items` how many goodwill items are promised at once.
    `waiting` is what was promised but not booked yet, which only the caller knows. Four queries beyond the person's
    permissions. Raises ValueError for unknown flags.
    """
    ladder, rules = levels(), policy()
    today, month = promised_by(by, now=now)
    found = limits.assess(
        limits.Spend(goodwill, refund_extra, flags, items),
        levels=ladder,
        policy=limits.Policy(rules.cap_items, rules.cap_days, rules.cap_level, rules.two_people_above, LEGAL),
        held=held_by(by, [level.permission for level in ladder]),
        spent=limits.Spent(today, month, goodwill_items(customer, days=rules.cap_days, now=now))
        + (waiting or limits.Spent()),
    )
    refusal = found.refusal and _("No level may promise this. Ask for a higher limit.")
    return replace(found, refusal=refusal, words=tuple(reason_words(found)))


def held_by(person: User | None, permissions: Iterable[str]) -> frozenset[str]:
    """Which of these a person holds; the program itself holds none."""
    return frozenset(p for p in permissions if person is not None and person.has_perm(p))


def level_label(code: str) -> str:
    """A level in words."""
    return str(dict(LevelCode.choices).get(code, code))


def reason_words(found: limits.Assessment) -> list[str]:
    """The reasons as sentences."""
    return [_sentence(code, dict(numbers)) for code, numbers in found.reasons]


def _sentence(code: str, numbers: dict[str, Any]) -> str:
    sentences = {
        "amount": gettext_lazy("¥%(amount)s needs the level “%(level)s”."),
        "triple": gettext_lazy("Triple compensation: a director and legal decide."),
        "tenfold": gettext_lazy("Tenfold compensation: a director and legal decide."),
        "medical": gettext_lazy("Somebody's health is concerned: a director and legal decide."),
        "media": gettext_lazy("The press is involved: a director and legal decide."),
        "day": gettext_lazy("You have promised ¥%(spent)s today; ¥%(limit)s a day are yours to decide."),
        "month": gettext_lazy(
            "You have promised ¥%(spent)s this month; ¥%(limit)s a month are yours to decide."
        ),
        "legal": gettext_lazy("Somebody of the legal department must agree."),
        "two_people": gettext_lazy("Above ¥%(limit)s two people decide."),
    }
    if code == "customer_cap":
        return (
            ngettext(
                "With this, the customer gets %(items)d goodwill item within %(days)d days.",
                "With this, the customer gets %(items)d goodwill items within %(days)d days.",
                numbers["items"],
            )
            % numbers
        )
    if "level" in numbers:
        numbers["level"] = level_label(numbers["level"])
    for name in ("amount", "spent", "limit"):
        if name in numbers:
            numbers[name] = f"{numbers[name]:.2f}"
    return str(sentences[code]) % numbers


def who_decides(permissions: Iterable[str]) -> str:
    """The people an assessment asks for, in words."""
    return _(" and ").join(str(PERMISSION_WORDS.get(p, p)) for p in permissions)


# -- what there is to give ----------
def open_budgets(
    *, purpose: str, now: datetime, store_id: int | None = None, user: Any = None
) -> QuerySet[Budget]:
    """Budgets that may be used today; those of the store first where one is named."""
    today = timezone.localdate(now)
    rows = Budget.objects.all() if user is None else Budget.objects.visible_to(user)
    rows = rows.filter(is_active=True, purpose=purpose, first_day__lte=today, last_day__gte=today)
    return rows.filter(Q(store__isnull=True) | Q(store_id=store_id)).order_by(
        F("store").asc(nulls_last=True), "last_day", "pk"
    )


def coupon_of_value(amount: Decimal, *, now: datetime) -> CouponType | None:
    """A coupon type in use that is worth exactly `amount` and still to be had; the one without a minimum first."""
    today = timezone.localdate(now)
    return (
        CouponType.objects.filter(
            Q(quantity__isnull=True) | Q(issued__lt=F("quantity")),
            Q(valid_days__isnull=False) | Q(last_day__gte=today),
            is_active=True,
            kind="face",
            face_value=amount,
        )
        .order_by("minimum_spend", "pk")
        .first()
    )


def balance(customer: Customer) -> int:
    """A customer's points. One query."""
    return PointsAccount.objects.filter(customer=customer).aggregate(n=Coalesce(Sum("balance"), 0))["n"]


# -- pages ----------
def grants_for(subject_key: str) -> QuerySet[Grant]:
    """What was given because of a record (a repair, a campaign's recipient)."""
    return Grant.objects.filter(subject_key=subject_key).select_related("budget", "by").order_by("id")


@dataclass(frozen=True, slots=True)
class Fill:
    """A budget as its bar shows it: shares of the amount in percent, never more than 100 together."""

    committed: int
    spent: int
    colour: str


def fill(budget: Budget) -> Fill:
    """No query."""
    share = budget.share_used
    colour = "red" if share >= 1 else "amber" if share > NEARLY else "green"
    spent = min(100, round(float(budget.spent / budget.amount) * 100)) if budget.amount else 100
    committed = min(100 - spent, round(float(budget.committed / budget.amount) * 100)) if budget.amount else 0
    return Fill(committed, spent, colour)


def customer_panel(customer: Customer, user: Any) -> dict[str, Any]:
    """What one customer has and had. Four queries."""
    coupons = list(Coupon.objects.filter(customer=customer).select_related("type").order_by("-id")[:SHOWN])
    lots = list(
        PointsLot.objects.filter(account__customer=customer, left__gt=0).order_by("expires_at", "id")[:5]
    )
    grants = list(
        Grant.objects.filter(customer=customer).select_related("by", "budget").order_by("-id")[:SHOWN]
    )
    return {
        "points": balance(customer),
        "lots": lots,
        "coupons": coupons,
        "usable": sum(row.status == CouponState.ISSUED for row in coupons),
        "grants": grants,
        "sees_grants": user.has_perm("rewards.view_grant"),
    }


def grant_events(customer_id: int, user: Any, limit: int) -> Iterable[TimelineEvent]:
    """What a customer was given, newest first (R25). One query."""
    if not user.has_perm("rewards.view_grant"):
        return
    for row in Grant.objects.filter(customer_id=customer_id).order_by("-at", "-id")[:limit]:
        yield TimelineEvent(
            at=row.at,
            kind="reward",
            title=f"{row.what} · {row.get_status_display()}",
            text=f"¥{row.cost:.2f}",
            url=reverse("admin:rewards_grant_change", args=[row.pk]),
            icon="redeem",
        )


def care_card(user: Any, now: datetime) -> dict[str, Any] | None:
    """Budgets nearly used, gifts overdue, promises to pay; nothing while all is well. Three bounded queries."""
    if not user.has_perm("rewards.view_grant"):
        return None
    today = timezone.localdate(now)
    tight: list[Budget] = []
    if user.has_perm("rewards.view_budget"):
        open_now = Budget.objects.visible_to(user).filter(
            is_active=True, first_day__lte=today, last_day__gte=today
        )
        tight = [row for row in open_now.order_by("last_day", "pk")[:50] if row.share_used > NEARLY][:5]
    late = overdue(user, now)[:100].count()
    unpaid = (
        Grant.objects.visible_to(user)
        .filter(
            status=GrantState.GRANTED,
            reward__in=[RewardKind.CASH, RewardKind.REFUND, RewardKind.OTHER, RewardKind.DISCOUNT],
        )[:100]
        .count()
    )
    if not (tight or late or unpaid):
        return None
    return {
        "tight": [(row, round(row.share_used * 100)) for row in tight],
        "late": late,
        "unpaid": unpaid,
    }


def overdue(user: Any, now: datetime) -> QuerySet[GiftDelivery]:
    """Gifts that should have been sent."""
    return GiftDelivery.objects.visible_to(user).filter(status=DeliveryState.TO_SEND, due_at__lte=now)


# -- the auditor ----------
def unbalanced() -> list[str]:
    """Every budget and points account whose columns differ from the sums of its ledger: there must be none."""
    wrong: list[str] = []
    sums: dict[int, list[Decimal]] = {}
    for budget, kind, total in (
        LedgerEntry.objects.values_list("budget", "kind").annotate(n=Sum("amount")).order_by()
    ):
        sums.setdefault(budget, [Decimal(0), Decimal(0)])[kind in ("spend", "reverse")] += total
    for row in Budget.objects.all():
        committed, spent = sums.get(row.pk, [Decimal(0), Decimal(0)])
        if (row.committed, row.spent) != (round(committed, 2), round(spent, 2)):
            wrong.append(f"budget {row.code}")
    entries = dict(PointsEntry.objects.values_list("account").annotate(n=Sum("amount")).order_by())
    lots = dict(PointsLot.objects.values_list("account").annotate(n=Sum("left")).order_by())
    for pk, points in PointsAccount.objects.values_list("pk", "balance"):
        if not points == entries.get(pk, 0) == lots.get(pk, 0):
            wrong.append(f"account {pk}")
    return wrong


def counts_by_state() -> dict[str, int]:
    """Coupons by state; for the benchmark and tests. One query."""
    return dict(Coupon.objects.values_list("status").annotate(n=Count("pk")).order_by())


def gifts_to_give() -> QuerySet[Gift]:
    """Gifts in use that are in stock."""
    return Gift.objects.filter(status="on", stock__gt=0)
