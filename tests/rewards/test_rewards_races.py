"""Eight at once, on the real database: one coupon, one budget, one account, one gift, one key."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from apps.core.exceptions import DomainError
from apps.core.models import Integration
from apps.core.services.tokens import issue_token
from apps.customers.models import Customer
from apps.rewards.choices import RewardKind
from apps.rewards.models import Coupon, CouponUse, Gift, Grant
from apps.rewards.selectors import balance, unbalanced
from apps.rewards.services import coupons, points
from apps.rewards.services.grants import Reward, reverse
from tests.factories import make_user
from tests.rewards.conftest import give, make_budget, make_gift, make_type

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("committed")]
THREADS = 8
D = Decimal


def together(act: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    """What each of `count` threads answers; a refusal is answered as its code, any other error is raised."""
    barrier, out, failed = threading.Barrier(count), [], []

    def run(number: int) -> None:
        try:
            barrier.wait()
            out.append(act(number))
        except DomainError as error:
            out.append(error.code)
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
    return out


def issued(now: Any) -> Coupon:
    buyer = Customer.objects.create(external_id="C-1")
    boss = make_user("boss", "manager")
    row = give(buyer, boss, make_budget(), Reward(RewardKind.COUPON, coupon_type=make_type()), now=now)
    return Coupon.objects.get(grant=row)


def test_eight_tills_redeem_one_coupon() -> None:
    now = timezone.now()
    coupon = issued(now)
    _token, key = issue_token(
        integration=Integration.objects.create(name="收银"), scopes=["coupons:redeem"], now=now
    )
    address = f"/api/v1/coupons/{coupon.code}/redeem/"

    def post(number: int, request_id: str) -> tuple[int, str]:
        api = APIClient()
        api.credentials(HTTP_AUTHORIZATION=f"Token {key}")
        answer = api.post(address, {"request_id": request_id}, format="json")
        return answer.status_code, answer.json().get("code", "")

    answers = Counter(together(lambda number: post(number, f"r{number}")))
    assert answers == {(200, coupon.masked_code): 1, (409, "already_redeemed"): 7}
    assert CouponUse.objects.count() == 1
    winner = CouponUse.objects.get().request_id.partition(":")[2]
    assert Counter(code for code, _ in together(lambda number: post(number, winner))) == {200: 8}
    assert (CouponUse.objects.count(), unbalanced()) == (1, [])


def test_redeeming_and_taking_back_at_once_agree() -> None:
    now = timezone.now()
    coupon = issued(now)
    boss = coupon.grant.by

    def act(number: int) -> str:
        if number % 2:
            coupons.redeem(coupon=coupon, request_id=f"r{number}", by=None, now=now)
            return "redeemed"
        reverse(grant=Grant.objects.get(pk=coupon.grant_id), reason="误发", by=boss, now=now)
        return "reversed"

    won = [answer for answer in together(act) if answer in ("redeemed", "reversed")]
    assert len(won) == 1
    assert unbalanced() == []


def test_eight_grants_do_not_overdraw_a_budget() -> None:
    boss, budget = make_user("boss", "manager"), make_budget(amount=D(25))
    people = [Customer.objects.create() for _ in range(THREADS)]
    out = together(lambda number: give(people[number], boss, budget, key=f"g{number}").status)
    assert Counter(out) == {"granted": 2, "budget_exhausted": 6}
    budget.refresh_from_db()
    assert (budget.committed, unbalanced()) == (20, [])


def test_eight_with_one_key_give_once() -> None:
    boss, budget, buyer = make_user("boss", "manager"), make_budget(), Customer.objects.create()
    out = together(lambda number: give(buyer, boss, budget, key="one").pk)
    assert len(set(out)) == 1
    budget.refresh_from_db()
    assert budget.committed == 10


def test_the_cap_of_a_customer_holds() -> None:
    care, budget, buyer = make_user("mei", "care"), make_budget(), Customer.objects.create()
    out = together(lambda number: give(buyer, care, budget, key=f"c{number}").status)
    assert Counter(out) == {"granted": 3, "approval_needed": 5}


def test_eight_spenders_of_one_account() -> None:
    now, buyer = timezone.now(), Customer.objects.create()
    points.earn(customer=buyer, points=30, key="a", by=None, now=now, expires_at=now + timedelta(days=9))
    points.earn(customer=buyer, points=5, key="b", by=None, now=now)

    def spend(number: int) -> str:
        points.spend(customer=buyer, points=10, key=f"s{number}", by=None, now=now)
        return "spent"

    assert Counter(together(spend)) == {"spent": 3, "not_enough_points": 5}
    assert (balance(buyer), unbalanced()) == (5, [])
    earned = together(lambda number: points.earn(customer=buyer, points=1, key="same", by=None, now=now).pk)
    assert len(set(earned)) == 1


def test_the_last_gift_goes_to_one() -> None:
    boss, budget, gift = make_user("boss", "manager"), make_budget(), make_gift(stock=1)
    people = [Customer.objects.create() for _ in range(THREADS)]
    out = together(
        lambda number: give(people[number], boss, budget, Reward(RewardKind.GIFT, gift=gift)).status
    )
    assert Counter(out) == {"granted": 1, "out_of_stock": 7}
    assert Gift.objects.get().stock == 0


def test_a_platform_s_codes_are_handed_out_once_each() -> None:
    boss, budget, kind = make_user("boss", "manager"), make_budget(), make_type(from_pool=True)
    coupons.import_codes(
        kind=kind, text="\n".join(f"P-{n:04}" for n in range(6)), by=boss, now=timezone.now()
    )
    people = [Customer.objects.create() for _ in range(THREADS)]
    out = together(
        lambda number: (
            give(people[number], boss, budget, Reward(RewardKind.COUPON, coupon_type=kind)).coupon.code
        )
    )
    codes = [code for code in out if code != "pool_empty"]
    assert (len(codes), len(set(codes))) == (6, 6)
