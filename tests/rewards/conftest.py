"""A budget, a coupon, a customer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from apps.core.models import User
from apps.customers.models import Customer
from apps.rewards.choices import Purpose, RewardKind
from apps.rewards.models import Budget, CouponType, Gift, Grant
from apps.rewards.services.grants import Reward, grant
from tests.factories import NOW

numbers = count(1)


def make_budget(**values: Any) -> Budget:
    base = {
        "code": f"b{next(numbers)}",
        "name": "关怀预算",
        "first_day": date(2026, 1, 1),
        "last_day": date(2027, 12, 31),
        "amount": Decimal(1000),
    }
    return Budget.objects.create(**(base | values))


def make_type(**values: Any) -> CouponType:
    base = {
        "code": f"c{next(numbers)}",
        "name": "十元券",
        "face_value": Decimal(10),
        "valid_days": 30,
        "scope": "全场",
        "stacking": "可叠加",
        "per_customer": 100,
        "is_active": True,
    }
    return CouponType.objects.create(**(base | values))


def make_gift(**values: Any) -> Gift:
    return Gift.objects.create(
        **({"code": f"g{next(numbers)}", "name": "茶礼盒", "cost": Decimal(20), "stock": 5} | values)
    )


def give(
    customer: Customer, by: User | None, budget: Budget, reward: Reward | None = None, **values: Any
) -> Grant:
    base: dict[str, Any] = {
        "key": f"k{next(numbers)}",
        "kind": Purpose.COMPENSATION,
        "reward": reward or Reward(RewardKind.CASH),
        "subject_key": "feedback:1",
        "cost": Decimal(10),
        "now": NOW,
    }
    return grant(customer=customer, by=by, budget=budget, **(base | values))


@pytest.fixture
def buyer(db: None) -> Customer:
    return Customer.objects.create(external_id="C-1", name="张三", phone="13812345678")


@pytest.fixture
def budget(db: None) -> Budget:
    return make_budget()


@pytest.fixture
def coupon_for(buyer: Customer, budget: Budget) -> Callable[..., Any]:
    """A coupon of ¥10, issued to the buyer by a manager; `type` values may be given."""

    def make(by: User, **values: Any) -> Any:
        return give(buyer, by, budget, Reward(RewardKind.COUPON, coupon_type=make_type(**values))).coupon

    return make
