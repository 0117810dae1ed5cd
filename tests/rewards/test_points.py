"""First in, first out by the date of expiry; never below zero; merged and unmerged exactly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from apps.core.exceptions import InvalidInput
from apps.core.models import Approval
from apps.core.services import approvals
from apps.customers.models import Customer
from apps.customers.services import merging
from apps.rewards.models import PointsAccount, PointsEntry, PointsLot
from apps.rewards.selectors import balance, unbalanced
from apps.rewards.services import points
from apps.rewards.services.points import NotEnoughPoints
from tests.factories import NOW, Cast, make_user


def earn(customer: Customer, count: int, days: int, key: str, **values: Any) -> PointsLot:
    return points.earn(
        customer=customer,
        points=count,
        key=key,
        by=None,
        now=NOW,
        expires_at=NOW + timedelta(days=days),
        **values,
    )


def spend(customer: Customer, count: int, key: str, *, days: int = 0) -> list[PointsEntry]:
    return points.spend(customer=customer, points=count, key=key, by=None, now=NOW + timedelta(days=days))


def lots(customer: Customer) -> list[int]:
    return list(
        PointsLot.objects.filter(account__customer=customer)
        .order_by("expires_at", "id")
        .values_list("left", flat=True)
    )


def test_what_expires_first_is_spent_first(buyer: Customer) -> None:
    earn(buyer, 100, 90, "a")
    earn(buyer, 50, 10, "b")
    spend(buyer, 70, "s")
    assert (lots(buyer), balance(buyer)) == ([0, 80], 80)
    assert len(spend(buyer, 70, "s")) == 2
    with pytest.raises(NotEnoughPoints):
        spend(buyer, 81, "t")
    assert (balance(buyer), unbalanced()) == (80, [])


def test_the_same_key_earns_once(buyer: Customer) -> None:
    assert earn(buyer, 10, 5, "a") == earn(buyer, 10, 5, "a")
    assert balance(buyer) == 10


def test_points_expire_and_are_not_spent_after(buyer: Customer) -> None:
    earn(buyer, 40, 10, "a")
    earn(buyer, 5, 20, "b")
    later = NOW + timedelta(days=10)
    # Before the sweep as well.
    with pytest.raises(NotEnoughPoints):
        spend(buyer, 6, "s", days=10)
    assert (points.expire_due(now=later), points.expire_due(now=later)) == (40, 0)
    assert (balance(buyer), unbalanced()) == (5, [])


def test_undoing_puts_points_back_once(buyer: Customer) -> None:
    earn(buyer, 40, 10, "a")
    earn(buyer, 40, 20, "b")
    spend(buyer, 60, "s")
    assert points.reverse(key="s", by=None, now=NOW) == 60
    assert points.reverse(key="s", by=None, now=NOW) == 0
    assert lots(buyer) == [40, 40]
    spend(buyer, 1, "t")
    with pytest.raises(NotEnoughPoints):
        points.reverse(key="a", by=None, now=NOW)
    assert points.reverse(key="b", by=None, now=NOW) == 40
    assert (balance(buyer), unbalanced()) == (39, [])
    # Points that came back after their day expire again.
    later = NOW + timedelta(days=11)
    points.expire_due(now=later)
    points.reverse(key="t", by=None, now=later)
    assert (points.expire_due(now=later), balance(buyer)) == (1, 0)


def test_merged_accounts_add_up_and_part_exactly(cast: Cast, buyer: Customer) -> None:
    twin = Customer.objects.create(name="张三")
    earn(buyer, 100, 90, "a")
    earn(twin, 30, 10, "b")
    merge = merging.merge(source=twin, target=buyer, by=cast.max, now=NOW, reason="同一个人")
    assert balance(buyer) == 130
    spend(twin, 40, "s")
    earn(twin, 7, 50, "c")
    assert balance(buyer) == 97
    merging.undo(merge=merge, by=cast.max, now=NOW)
    assert (balance(buyer), balance(twin)) == (97, 0)
    assert unbalanced() == []
    again = merging.merge(source=twin, target=buyer, by=cast.max, now=NOW, reason="还是同一个人")
    points.reverse(key="s", by=None, now=NOW)
    merging.undo(merge=again, by=cast.max, now=NOW)
    assert (balance(buyer), balance(twin)) == (107, 30)


def test_many_points_need_a_second_person(cast: Cast, buyer: Customer) -> None:
    care, lead = make_user("mei", "care"), make_user("le", "care-lead")
    account = points.account_of(buyer, now=NOW)
    done = points.adjust(account=account, points=500, reason="补登", by=care, now=NOW)
    assert done.log is not None
    asked = points.adjust(account=account, points=501, reason="补登", by=care, now=NOW)
    assert balance(buyer) == 500
    assert asked.approval is not None
    approvals.approve(approval=Approval.objects.get(pk=asked.approval.pk), by=lead, now=NOW)
    assert balance(buyer) == 1001
    with pytest.raises(NotEnoughPoints):
        points.adjust(
            account=PointsAccount.objects.get(),
            points=-500,
            reason="扣回",
            by=care,
            now=NOW + timedelta(days=800),
        )
    points.adjust(account=PointsAccount.objects.get(), points=-500, reason="扣回", by=care, now=NOW)
    assert (balance(buyer), unbalanced()) == (501, [])


def test_who_decides_reads_points_and_reason_in_words(client: Client, cast: Cast, buyer: Customer) -> None:
    care, lead = make_user("mei", "care"), make_user("le", "care-lead")
    account = points.account_of(buyer, now=NOW)
    with translation.override("zh-hans"):
        asked = points.adjust(account=account, points=600, reason="活动补登", by=care, now=NOW).approval
    assert asked is not None
    client.force_login(lead)
    shown = client.get(f"/admin/core/approval/{asked.pk}/change/").content.decode()
    assert "<b>积分</b>" in shown and "+600" in shown and "<b>原因</b>" in shown
    assert "<b>points</b>" not in shown and "<b>reason</b>" not in shown
    # As an earlier version wrote it.
    Approval.objects.filter(pk=asked.pk).update(payload={"points": 600, "reason": "活动补登"})
    approvals.approve(approval=Approval.objects.get(pk=asked.pk), by=lead, now=NOW)
    assert balance(buyer) == 600


def test_small_steps_on_one_day_are_one_adjustment(cast: Cast, buyer: Customer) -> None:
    care, other = make_user("mei", "care"), make_user("kai", "care")
    make_user("le", "care-lead")
    account = points.account_of(buyer, now=NOW)
    for _number in range(2):
        assert points.adjust(account=account, points=250, reason="补登", by=care, now=NOW).log is not None
    assert points.adjust(account=account, points=1, reason="补登", by=care, now=NOW).approval is not None
    # Another colleague, another direction, another day.
    assert points.adjust(account=account, points=1, reason="补登", by=other, now=NOW).log is not None
    assert points.adjust(account=account, points=-1, reason="扣回", by=care, now=NOW).log is not None
    later = NOW + timedelta(days=1)
    assert points.adjust(account=account, points=1, reason="补登", by=care, now=later).log is not None


def test_a_second_request_for_one_account_is_not_lost_without_a_word(cast: Cast, buyer: Customer) -> None:
    care, other, lead = make_user("mei", "care"), make_user("kai", "care"), make_user("le", "care-lead")
    account = points.account_of(buyer, now=NOW)
    first = points.adjust(account=account, points=600, reason="补登", by=care, now=NOW).approval
    assert first is not None
    with pytest.raises(InvalidInput) as refused:
        points.adjust(account=account, points=900, reason="活动补发", by=other, now=NOW)
    assert refused.value.code == "waits_already"
    # What needs nobody else goes on; once the request is decided the next may be asked for.
    assert points.adjust(account=account, points=1, reason="补登", by=other, now=NOW).log is not None
    approvals.approve(approval=first, by=lead, now=NOW)
    second = points.adjust(account=account, points=900, reason="活动补发", by=other, now=NOW).approval
    assert second is not None and second.pk != first.pk and second.requested_by == other


def test_the_ledger_only_grows(buyer: Customer) -> None:
    earn(buyer, 1, 5, "a")
    with pytest.raises(TypeError):
        PointsEntry.objects.all().delete()
    with pytest.raises(TypeError):
        PointsEntry.objects.get().delete()
