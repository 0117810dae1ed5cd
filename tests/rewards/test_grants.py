"""Limits, budget, reward and ledger move together or not at all."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.compliance.services.verdicts import Unlawful
from apps.core.exceptions import DomainError, IllegalMove, InvalidInput
from apps.customers.models import Customer
from apps.customers.services import merging
from apps.rewards.choices import RewardKind
from apps.rewards.models import Budget, Coupon, Gift, Grant, LedgerEntry
from apps.rewards.selectors import assess, balance, unbalanced
from apps.rewards.services import gifts
from apps.rewards.services.budgets import BudgetClosed, BudgetExhausted
from apps.rewards.services.coupons import Refused
from apps.rewards.services.grants import ApprovalNeeded, KeyReused, Reward, reverse, settle
from tests.factories import NOW, Cast, make_user
from tests.rewards.conftest import give, make_budget, make_gift, make_type

D = Decimal


def money(budget: Budget) -> tuple[Decimal, Decimal]:
    budget.refresh_from_db()
    return budget.committed, budget.spent


def test_the_same_key_gives_once(cast: Cast, buyer: Customer, budget: Budget) -> None:
    first = give(buyer, cast.max, budget, key="repair:1")
    assert give(buyer, cast.max, budget, key="repair:1") == first
    assert Grant.objects.count() == 1
    assert money(budget) == (10, 0)
    with pytest.raises(KeyReused):
        give(Customer.objects.create(), cast.max, budget, key="repair:1")


def test_cash_is_paid_later_and_what_is_left_is_free(cast: Cast, buyer: Customer, budget: Budget) -> None:
    row = give(buyer, cast.max, budget, cost=D(100))
    with pytest.raises(InvalidInput):
        settle(grant=row, actual_cost=D(101), proof="转账1", by=cast.max, now=NOW)
    with pytest.raises(InvalidInput):
        settle(grant=row, actual_cost=D(80), proof="", by=cast.max, now=NOW)
    settle(grant=row, actual_cost=D(80), proof="转账1", by=cast.max, now=NOW)
    assert money(budget) == (0, 80)
    reverse(grant=row, reason="退回", by=cast.max, now=NOW)
    assert money(budget) == (0, 0)
    with pytest.raises(DomainError):
        reverse(grant=Grant.objects.get(), reason="再退", by=cast.max, now=NOW)
    assert unbalanced() == []
    kinds = list(LedgerEntry.objects.order_by("id").values_list("kind", "amount"))
    assert kinds == [("commit", 100), ("release", -100), ("spend", 80), ("reverse", -80)]


def test_a_budget_is_never_overdrawn(cast: Cast, buyer: Customer) -> None:
    small = make_budget(amount=D("0.30"))
    give(buyer, cast.max, small, cost=D("0.10"))
    give(buyer, cast.max, small, cost=D("0.20"))
    with pytest.raises(BudgetExhausted):
        give(buyer, cast.max, small, cost=D("0.01"), approved_by=[cast.max])
    assert money(small) == (D("0.30"), 0)
    assert Grant.objects.count() == 2
    small.amount = D("0.29")
    with pytest.raises(ValidationError):
        small.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        small.save()


def test_a_budget_has_its_days_and_purpose(cast: Cast, buyer: Customer) -> None:
    for values in (
        {"last_day": NOW.date() - timedelta(days=1)},
        {"is_active": False},
        {"purpose": "campaign"},
    ):
        with pytest.raises(BudgetClosed):
            give(buyer, cast.max, make_budget(**values))


def test_the_ledger_only_grows(cast: Cast, buyer: Customer, budget: Budget) -> None:
    give(buyer, cast.max, budget)
    entry = LedgerEntry.objects.get()
    entry.amount = D(1)
    for act in (
        entry.save,
        entry.delete,
        LedgerEntry.objects.all().delete,
        lambda: LedgerEntry.objects.update(amount=1),
        lambda: LedgerEntry.objects.bulk_update([entry], ["amount"]),
    ):
        with pytest.raises(TypeError):
            act()


def test_levels_are_kept_and_approvers_cover(cast: Cast, buyer: Customer, budget: Budget) -> None:
    care, lead = make_user("mei", "care"), make_user("le", "care-lead")
    legal = make_user("fa", "legal")
    give(buyer, care, budget, cost=D(30))
    with pytest.raises(ApprovalNeeded) as refused:
        give(buyer, care, budget, cost=D(31))
    assert refused.value.params["permissions"] == ("rewards.spend_lead",)
    # Nobody agrees to their own promise.
    with pytest.raises(ApprovalNeeded):
        give(buyer, care, budget, cost=D(31), approved_by=[care])
    row = give(buyer, care, budget, cost=D(31), approved_by=[lead])
    assert list(row.approvers.all()) == [lead]
    with pytest.raises(ApprovalNeeded):
        give(buyer, cast.max, budget, cost=D(5), flags=frozenset({"tenfold"}), approved_by=[lead])
    assert give(
        buyer, cast.max, budget, cost=D(5), flags=frozenset({"tenfold"}), approved_by=[legal]
    ).level == ("director")
    # The program itself stands on its approvers.
    with pytest.raises(ApprovalNeeded):
        give(buyer, None, budget)
    assert give(buyer, None, budget, approved_by=[lead]).by is None


def test_the_law_s_refund_is_no_goodwill(cast: Cast, buyer: Customer) -> None:
    care, rich = make_user("mei", "care"), make_budget(amount=D(10000))
    row = give(buyer, care, rich, Reward(RewardKind.REFUND), cost=D(500), owed=D(450))
    assert row.goodwill == 50
    assert not give(buyer, care, rich, Reward(RewardKind.REFUND), cost=D(900), owed=D(900)).is_goodwill
    with pytest.raises(InvalidInput):
        give(buyer, care, rich, cost=D(5), owed=D(6))


def test_three_goodwill_items_in_ninety_days_over_all_sources(cast: Cast, buyer: Customer) -> None:
    care, lead = make_user("mei", "care"), make_user("le", "care-lead")
    one, two = make_budget(), make_budget(purpose="campaign")
    early = NOW - timedelta(days=89)
    give(buyer, care, one, now=early)
    give(buyer, care, two, now=early, kind="campaign")
    twin = Customer.objects.create(name="张三")
    third = give(twin, care, one)
    boss = cast.max
    merging.merge(source=twin, target=buyer, by=boss, now=NOW, reason="同一个人")
    found = assess(by=care, customer=buyer, goodwill=D(5), now=NOW)
    assert found.permissions == ("rewards.spend_lead",)
    assert "4" in found.words[0]
    with pytest.raises(ApprovalNeeded):
        give(twin, care, one)
    assert give(twin, care, one, approved_by=[lead]).customer == buyer
    # Ninety days later, or once something is taken back, there is room again.
    assert assess(by=care, customer=buyer, goodwill=D(5), now=NOW + timedelta(days=2)).alone
    reverse(grant=Grant.objects.get(pk=third.pk), reason="误发", by=boss, now=NOW)


def test_a_colleague_s_day(cast: Cast, budget: Budget) -> None:
    care = make_user("mei", "care")
    for _number in range(10):
        give(Customer.objects.create(), care, budget, cost=D(30))
    with pytest.raises(ApprovalNeeded):
        give(Customer.objects.create(), care, budget, cost=D(1))
    assert give(Customer.objects.create(), care, budget, cost=D(1), now=NOW + timedelta(days=1))


def test_points_are_given_at_once_and_taken_back_while_unspent(
    cast: Cast, buyer: Customer, budget: Budget
) -> None:
    row = give(buyer, cast.max, budget, Reward(RewardKind.POINTS, points=500), cost=D(5))
    assert (row.status, balance(buyer), money(budget)) == ("settled", 500, (0, 5))
    reverse(grant=row, reason="误发", by=cast.max, now=NOW)
    assert (balance(buyer), money(budget)) == (0, (0, 0))
    assert unbalanced() == []


def test_a_gift_leaves_the_stock_and_comes_back(cast: Cast, buyer: Customer, budget: Budget) -> None:
    gift = make_gift(stock=1)
    reward = Reward(RewardKind.GIFT, gift=gift)
    row = give(buyer, cast.max, budget, reward, cost=D(20))
    with pytest.raises(gifts.OutOfStock):
        give(buyer, cast.max, budget, reward, cost=D(20))
    assert money(budget) == (20, 0)
    reverse(grant=row, reason="客户不要", by=cast.max, now=NOW)
    assert Gift.objects.get(pk=gift.pk).stock == 1
    row = give(buyer, cast.max, budget, reward, cost=D(20))
    parcel = row.delivery
    assert parcel.phone == "13812345678"
    with pytest.raises(InvalidInput):
        gifts.send(delivery=parcel, carrier="顺丰", tracking_no="SF1", by=cast.max, now=NOW)
    gifts.send(
        delivery=parcel,
        carrier="顺丰",
        tracking_no="SF1",
        address="浙江省杭州市西湖区文三路1号",
        by=cast.max,
        now=NOW,
    )
    assert money(budget) == (0, 20)
    with pytest.raises(IllegalMove):
        reverse(grant=Grant.objects.get(pk=row.pk), reason="晚了", by=cast.max, now=NOW)
    gifts.deliver(delivery=parcel, by=cast.max, now=NOW)
    parcel.refresh_from_db()
    assert (parcel.address, parcel.phone, parcel.recipient) == (
        "浙江省杭州市西湖区****",
        "138******78",
        "张*",
    )


def test_overdue_parcels_are_told_once(cast: Cast, buyer: Customer, budget: Budget) -> None:
    give(buyer, cast.max, budget, Reward(RewardKind.GIFT, gift=make_gift()), cost=D(20))
    assert gifts.tell_overdue(now=NOW) == 0
    later = NOW + timedelta(days=4)
    assert (gifts.tell_overdue(now=later), gifts.tell_overdue(now=later)) == (1, 0)


def test_stock_cannot_go_below_zero(cast: Cast) -> None:
    gift = make_gift(stock=2)
    with pytest.raises(gifts.OutOfStock):
        gifts.restock(gift=gift, count=-3, reason="盘点", by=cast.max, now=NOW)
    gifts.restock(gift=gift, count=-2, reason="盘点", by=cast.max, now=NOW)
    gift.refresh_from_db()
    assert gift.stock == 0


def test_words_to_the_customer_are_checked(cast: Cast, buyer: Customer, budget: Budget) -> None:
    with pytest.raises(Unlawful):
        give(buyer, cast.max, budget, Reward(RewardKind.CASH, text="五星好评返现10元"))
    assert Grant.objects.count() == 0


@pytest.mark.parametrize("reward", [Reward("coupon"), Reward("points"), Reward("gift"), Reward("gold")])
def test_half_a_reward_is_refused(cast: Cast, buyer: Customer, budget: Budget, reward: Reward) -> None:
    with pytest.raises(InvalidInput):
        give(buyer, cast.max, budget, reward)


def test_nothing_stays_of_a_grant_that_fails(cast: Cast, buyer: Customer) -> None:
    kind, poor = make_type(quantity=5), make_budget(amount=D(1))
    with pytest.raises(BudgetExhausted):
        give(buyer, cast.max, poor, Reward(RewardKind.COUPON, coupon_type=kind))
    kind.refresh_from_db()
    assert (Coupon.objects.count(), Grant.objects.count(), kind.issued) == (0, 0, 0)


def test_coupon_types_run_out(cast: Cast, buyer: Customer, budget: Budget) -> None:
    def want(**values: Any) -> Any:
        return give(buyer, cast.max, budget, Reward(RewardKind.COUPON, coupon_type=make_type(**values)))

    for values, code in (
        ({"quantity": 0, "issued": 0}, "none_left"),
        ({"is_active": False}, "type_inactive"),
        ({"from_pool": True}, "pool_empty"),
        ({"valid_days": None, "first_day": "2026-01-01", "last_day": "2026-02-01"}, "type_expired"),
    ):
        with pytest.raises(Refused) as refused:
            want(**values)
        assert refused.value.code == code
