"""The demo shop's rewards, given through the real services; taken away with the demo shop."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import models, transaction
from django.utils import timezone

from apps.core.models import ActionLog, User
from apps.customers.models import Customer
from apps.rewards.choices import Purpose, RewardKind
from apps.rewards.models import (
    Budget,
    Coupon,
    CouponType,
    CouponUse,
    Gift,
    GiftDelivery,
    Grant,
    LedgerEntry,
    PointsAccount,
    PointsEntry,
    PointsLot,
)
from apps.rewards.services import coupons, gifts, points
from apps.rewards.services.grants import Reward, grant, settle
from apps.rewards.services.reference_data import shipped

PREFIX = "demo-"
GIFTS = (
    ("tea", "手冲茶礼盒", "Tea gift box", "68", 20),
    ("cup", "定制马克杯", "Mug with our name", "39", 35),
    ("snack", "尝鲜零食包", "Snacks to try", "25", 3),
)


@transaction.atomic
def load(now: datetime) -> int:
    """One budget, four coupon types, three gifts and some grants; answers how many grants. Needs demo people."""
    boss = User.objects.filter(groups__name="manager", is_active=True).order_by("pk").first()
    people = list(Customer.objects.filter(external_id__startswith="DEMO-", state="active").order_by("pk")[:9])
    if boss is None or not people or Budget.objects.filter(code__startswith=PREFIX).exists():
        return 0
    year = timezone.localdate(now).year
    start = timezone.localdate(now - timedelta(days=90)).replace(day=1)
    budget = Budget.objects.create(
        code=f"{PREFIX}care",
        name=f"{year}年客户关怀补偿",
        purpose=Purpose.COMPENSATION,
        first_day=start,
        last_day=start.replace(year=start.year + 1),
        # Enough for the repairs of the demo and for whoever tries some more.
        amount=Decimal(6000),
        owner=boss,
    )
    kinds = [
        CouponType.objects.create(**(entry | {"code": f"{PREFIX}{entry['code']}", "is_active": True}))
        for entry in shipped("coupon_types.json")
    ]
    things = []
    for code, name, english, cost, stock in GIFTS:
        gift = Gift.objects.create(code=f"{PREFIX}{code}", name=name, name_en=english, cost=Decimal(cost))
        gifts.restock(gift=gift, count=stock, reason="首批入库", by=boss, now=now)
        things.append(gift)
    plan: list[tuple[Reward, str]] = [
        (Reward(RewardKind.COUPON, coupon_type=kinds[0]), "10"),
        (Reward(RewardKind.COUPON, coupon_type=kinds[1]), "20"),
        (Reward(RewardKind.POINTS, points=500), "5"),
        (Reward(RewardKind.GIFT, gift=things[0]), "68"),
        (Reward(RewardKind.REFUND), "88"),
        (Reward(RewardKind.COUPON, coupon_type=kinds[0]), "10"),
        (Reward(RewardKind.POINTS, points=1200), "12"),
        (Reward(RewardKind.GIFT, gift=things[1]), "39"),
        (Reward(RewardKind.CASH), "200"),
    ]
    given = []
    for number, (person, (reward, cost)) in enumerate(zip(people, plan, strict=False)):
        given.append(
            grant(
                key=f"{PREFIX}{number}",
                kind=Purpose.COMPENSATION,
                reward=reward,
                customer=person,
                budget=budget,
                subject_key="",
                cost=Decimal(cost),
                by=boss,
                now=now - timedelta(days=12 - number),
                note="配送延迟致歉" if number % 2 else "商品破损补偿",
            )
        )
    _use(given, boss, now)
    return len(given)


def _use(given: list[Grant], boss: User, now: datetime) -> None:
    """Some of it is used: a coupon redeemed, points spent, a parcel sent, a refund paid."""
    for row in given:
        later = row.at + timedelta(hours=20)
        if row.key == f"{PREFIX}0":
            coupons.redeem(
                coupon=row.coupon, request_id=f"{PREFIX}1", by=boss, now=later, amount=Decimal("128.00")
            )
        elif row.key == f"{PREFIX}2":
            points.spend(
                customer=row.customer, points=180, key=f"{PREFIX}spend", by=boss, now=later, reason="积分兑换"
            )
        elif row.key == f"{PREFIX}3":
            gifts.send(
                delivery=row.delivery,
                carrier="顺丰",
                tracking_no="SF1029384756",
                by=boss,
                now=later,
                address="浙江省杭州市西湖区文三路1号",
            )
        elif row.key == f"{PREFIX}4":
            settle(grant=row, actual_cost=Decimal(88), proof="平台退款单 20261120", by=boss, now=later)


@transaction.atomic
def clear() -> int:
    """Remove what `load` made, and the points of demo customers. Answers how many grants are gone."""
    ids = list(Grant.objects.filter(key__startswith=PREFIX).values_list("pk", flat=True))
    accounts = PointsAccount.objects.filter(customer__external_id__startswith="DEMO-")
    account_ids = list(accounts.values_list("pk", flat=True))
    issued = list(
        Coupon.objects.filter(models.Q(grant__in=ids) | models.Q(type__code__startswith=PREFIX)).values_list(
            "pk", flat=True
        )
    )
    entries = LedgerEntry.objects.filter(budget__code__startswith=PREFIX)
    entry_ids = list(entries.values_list("pk", flat=True))
    others = Grant.objects.filter(budget__code__startswith=PREFIX).exclude(pk__in=ids)
    if others.exists():
        # Somebody has really given from the demo budget: it stays with what was given.
        entry_ids = list(LedgerEntry.objects.filter(grant__in=ids).values_list("pk", flat=True))
    for label, keys in (
        ("grant", ids),
        ("coupon", issued),
        ("pointsaccount", account_ids),
        ("giftdelivery", list(GiftDelivery.objects.filter(grant__in=ids).values_list("pk", flat=True))),
        ("gift", list(Gift.objects.filter(code__startswith=PREFIX).values_list("pk", flat=True))),
    ):
        ActionLog.objects.filter(model=f"rewards.{label}", object_id__in=keys).delete()
    for model, wanted in (
        (CouponUse, {"coupon__in": issued}),
        (PointsEntry, {"account__in": account_ids}),
        (PointsLot, {"account__in": account_ids}),
        (PointsAccount, {"pk__in": account_ids}),
        (GiftDelivery, {"grant__in": ids}),
        (Coupon, {"pk__in": issued, "grant__in": ids}),
        (LedgerEntry, {"pk__in": entry_ids}),
        (Grant, {"pk__in": ids}),
    ):
        # Past the ledgers' own refusal: what never was leaves no trace.
        model._base_manager.filter(**wanted).delete()
    for rows in (
        Budget.objects.filter(code__startswith=PREFIX, grants__isnull=True),
        CouponType.objects.filter(code__startswith=PREFIX, coupons__isnull=True),
        Gift.objects.filter(code__startswith=PREFIX).exclude(pk__in=GiftDelivery.objects.values("gift")),
    ):
        rows.delete()
    return len(ids)


@transaction.atomic
def forget(*, subject_keys: Iterable[str]) -> int:
    """Remove what other parts of the demo gave for these records (no points), and give the budgets their money back."""
    rows = Grant.objects.filter(subject_key__in=list(subject_keys))
    ids = list(rows.values_list("pk", flat=True))
    entries = LedgerEntry.objects.filter(grant__in=ids)
    for budget in Budget.objects.select_for_update(of=("self",)).filter(entries__in=entries).distinct():
        own = entries.filter(budget=budget)
        committed = own.filter(kind__in=("commit", "release")).aggregate(sum=models.Sum("amount"))["sum"] or 0
        spent = own.filter(kind__in=("spend", "reverse")).aggregate(sum=models.Sum("amount"))["sum"] or 0
        Budget.objects.filter(pk=budget.pk).update(
            committed=models.F("committed") - committed, spent=models.F("spent") - spent
        )
    issued = list(Coupon.objects.filter(grant__in=ids).values_list("pk", flat=True))
    for model, wanted in (
        (CouponUse, {"coupon__in": issued}),
        (GiftDelivery, {"grant__in": ids}),
        (Coupon, {"pk__in": issued}),
        (LedgerEntry, {"grant__in": ids}),
        (Grant, {"pk__in": ids}),
    ):
        model._base_manager.filter(**wanted).delete()
    ActionLog.objects.filter(model="rewards.grant", object_id__in=ids).delete()
    return len(ids)
