"""Redeemed exactly once, by its owner, in time; free again once when the order is cancelled."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.compliance.services.verdicts import Unlawful
from apps.core.models import Integration
from apps.core.public import ALPHABET
from apps.core.services.tokens import issue_token
from apps.customers.models import Customer, Order
from apps.customers.services import merging
from apps.customers.services.upsert import upsert_orders
from apps.rewards.choices import RewardKind
from apps.rewards.models import Budget, Coupon, CouponUse
from apps.rewards.selectors import unbalanced
from apps.rewards.services import coupons
from apps.rewards.services.coupons import Refused, expire_due, free_cancelled, free_for_orders, redeem
from apps.rewards.services.grants import Reward, reverse
from tests.factories import NOW, Cast
from tests.rewards.conftest import give, make_type

D = Decimal


def refused(coupon: Coupon, **values: Any) -> str:
    with pytest.raises(Refused) as error:
        redeem(coupon=coupon, **({"request_id": "r9", "by": None, "now": NOW} | values))
    return error.value.code


def money(budget: Budget) -> tuple[Decimal, Decimal]:
    budget.refresh_from_db()
    return budget.committed, budget.spent


def test_once_and_the_same_request_gets_the_same_answer(cast: Cast, coupon_for: Any, budget: Budget) -> None:
    coupon = coupon_for(cast.max)
    assert len(coupon.code) == 12
    assert set(coupon.code) <= set(ALPHABET)
    first = redeem(coupon=coupon, request_id="r1", by=None, now=NOW, amount=D(50))
    again = redeem(coupon=coupon, request_id="r1", by=None, now=NOW + timedelta(hours=1), amount=D(50))
    assert (first.use, again.replayed, first.use.benefit) == (again.use, True, 10)
    assert refused(coupon) == "already_redeemed"
    assert refused(coupon, request_id="r1", amount=D(51)) == "request_reused"
    assert money(budget) == (0, 10)
    assert coupon.grant.__class__.objects.get().status == "settled"


def test_only_its_owner_uses_it(cast: Cast, coupon_for: Any, buyer: Customer) -> None:
    coupon = coupon_for(cast.max)
    other = Customer.objects.create(external_id="C-2", phone="13900000000")
    assert refused(coupon, customers=coupons.people(external_id="C-2")) == "wrong_customer"
    assert (
        refused(coupon, customers=coupons.people(external_id="C-1", phone="13900000000")) == "wrong_customer"
    )
    assert refused(coupon, customers=coupons.people(phone="13700000000")) == "wrong_customer"
    Order.objects.create(order_no="N2", customer=other, total=D(80))
    assert refused(coupon, order_no="N2") == "wrong_customer"
    # Whoever is merged into the owner is the owner.
    merging.merge(source=other, target=buyer, by=cast.max, now=NOW, reason="同一个人")
    redeem(
        coupon=coupon,
        request_id="r1",
        by=None,
        now=NOW,
        order_no="N2",
        customers=coupons.people(external_id="C-2"),
    )


def test_time_and_terms(cast: Cast, coupon_for: Any) -> None:
    coupon = coupon_for(cast.max, minimum_spend=D(60), must_name=True)
    named = coupons.people(external_id="C-1")
    assert refused(coupon) == "customer_needed"
    assert refused(coupon, customers=named) == "amount_needed"
    assert refused(coupon, customers=named, amount=D("59.99")) == "order_too_small"
    assert refused(coupon, customers=named, now=NOW - timedelta(minutes=1)) == "not_yet_valid"
    assert refused(coupon, customers=named, now=NOW + timedelta(days=31)) == "expired"
    Order.objects.create(order_no="N1", total=D(99), status="cancelled")
    assert refused(coupon, customers=named, order_no="N1") == "order_cancelled"
    coupons.void(coupon=coupon, reason="印错", by=cast.max, now=NOW)
    assert refused(coupon, customers=named) == "void"


def test_a_share_off_hangs_on_the_amount(cast: Cast, coupon_for: Any) -> None:
    coupon = coupon_for(cast.max, kind="percent", face_value=None, percent_off=15)
    assert redeem(coupon=coupon, request_id="r", by=None, now=NOW, amount=D("33.33")).use.benefit == D("5.00")


def test_a_cancelled_order_frees_it_once(
    cast: Cast, coupon_for: Any, budget: Budget, django_capture_on_commit_callbacks: Any
) -> None:
    coupon = coupon_for(cast.max)
    redeem(coupon=coupon, request_id="r1", by=None, now=NOW, order_no="N1", amount=D(50))
    assert money(budget) == (0, 10)
    for status in ("placed", "cancelled", "cancelled"):
        with django_capture_on_commit_callbacks(execute=True):
            upsert_orders(orders=[{"order_no": "N1", "status": status}], now=NOW)
    coupon.refresh_from_db()
    assert (coupon.status, money(budget)) == ("issued", (10, 0))
    # Used again, for another order: the old cancellation comes once more and changes nothing.
    redeem(coupon=coupon, request_id="r2", by=None, now=NOW, order_no="N2", amount=D(50))
    order = Order.objects.get(order_no="N1")
    assert free_for_orders(order_ids=[order.pk], now=NOW) == 0
    assert free_cancelled(now=NOW) == 0
    coupon.refresh_from_db()
    assert coupon.status == "redeemed"
    assert CouponUse.objects.filter(freed_at__isnull=True).count() == 1
    assert money(budget) == (0, 10)
    assert unbalanced() == []


def test_after_its_last_day_it_stays_expired(cast: Cast, coupon_for: Any, budget: Budget) -> None:
    coupon = coupon_for(cast.max)
    redeem(coupon=coupon, request_id="r1", by=None, now=NOW, order_no="N1")
    Order.objects.create(order_no="N1", status="cancelled")
    assert free_cancelled(now=NOW + timedelta(days=40)) == 1
    coupon.refresh_from_db()
    assert (coupon.status, money(budget)) == ("expired", (0, 0))
    assert unbalanced() == []


def test_what_nobody_uses_costs_nothing(cast: Cast, coupon_for: Any, budget: Budget) -> None:
    coupon = coupon_for(cast.max)
    assert (expire_due(now=NOW), money(budget)) == (0, (10, 0))
    later = coupon.valid_until
    assert (expire_due(now=later), expire_due(now=later), money(budget)) == (1, 0, (0, 0))
    assert refused(Coupon.objects.get(), now=later) == "expired"


def test_a_grant_is_taken_back_while_the_coupon_is_unused(
    cast: Cast, coupon_for: Any, budget: Budget
) -> None:
    coupon = coupon_for(cast.max)
    reverse(grant=coupon.grant, reason="误发", by=cast.max, now=NOW)
    assert (refused(coupon), money(budget), unbalanced()) == ("void", (0, 0), [])


def test_codes_of_a_platform(cast: Cast, buyer: Customer, budget: Budget) -> None:
    kind = make_type(from_pool=True)
    done = coupons.import_codes(kind=kind, text="AB-1001\n AB-1002\n\nAB-1001\n券码\n", by=cast.max, now=NOW)
    assert (done.added, done.known, done.refused) == (2, 0, 1)
    assert coupons.import_codes(kind=kind, text="AB-1001", by=cast.max, now=NOW).known == 1
    unused = coupons.find("AB-1002")
    assert unused is not None
    assert refused(unused) == "not_issued"
    row = give(buyer, cast.max, budget, Reward(RewardKind.COUPON, coupon_type=kind))
    assert (row.coupon.code, row.coupon.customer) == ("AB-1001", buyer)
    redeem(coupon=row.coupon, request_id="r", by=None, now=NOW)


def test_one_for_each_customer(cast: Cast, buyer: Customer, budget: Budget) -> None:
    reward = Reward(RewardKind.COUPON, coupon_type=make_type(per_customer=1))
    give(buyer, cast.max, budget, reward)
    with pytest.raises(Refused):
        give(buyer, cast.max, budget, reward)


def test_terms_the_law_wants(db: None) -> None:
    coupons.check_type(kind=make_type(), by=None, now=NOW)
    for missing in ({"scope": ""}, {"stacking": ""}, {"per_customer": None}, {"text": "本店拥有最终解释权"}):
        with pytest.raises(Unlawful):
            coupons.check_type(kind=make_type(**missing), by=None, now=NOW)


# -- the API ----------
def client(*scopes: str, stores: tuple[str, ...] = ()) -> APIClient:
    made = Integration.objects.create(name=f"收银{Integration.objects.count()}")
    _token, key = issue_token(integration=made, scopes=scopes, now=NOW, stores=stores)
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    return api


@pytest.fixture
def fresh(cast: Cast, coupon_for: Any) -> Coupon:
    """Good whatever the clock says today."""
    coupon: Coupon = coupon_for(cast.max)
    Coupon.objects.update(valid_from=NOW - timedelta(days=3650), valid_until=NOW + timedelta(days=36500))
    return coupon


def test_the_till(fresh: Coupon) -> None:
    api, address = client("coupons:redeem"), f"/api/v1/coupons/{fresh.code}/"
    seen = api.get(address).json()
    assert (seen["code"], seen["state"], seen["customer"]) == (fresh.masked_code, "issued", "张*")
    assert fresh.code not in str(seen)
    body = {
        "order_no": "N12345678",
        "amount": "88.00",
        "customer": {"phone": "13812345678"},
        "request_id": "a1",
    }
    # Small letters and blanks are forgiven.
    first = api.post(f"/api/v1/coupons/{fresh.code.lower()}/redeem/", body, format="json")
    assert first.status_code == 200, first.json()
    assert (first.json()["benefit"], first.json()["order_no"]) == ("10.00", "****5678")
    again = api.post(f"{address}redeem/", body, format="json")
    assert again.json() == first.json() | {"replayed": True}
    other = client("coupons:redeem").post(f"{address}redeem/", body, format="json")
    assert (other.status_code, other.json()["code"]) == (409, "already_redeemed")


def test_a_till_is_told_what_redeeming_would_say(fresh: Coupon) -> None:
    Coupon.objects.filter(pk=fresh.pk).update(valid_until=NOW - timedelta(days=3000))
    api, address = client("coupons:redeem"), f"/api/v1/coupons/{fresh.code}/"
    assert api.get(address).json()["state"] == "expired"
    answer = api.post(f"{address}redeem/", {}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "expired")
    assert answer["Content-Type"].startswith("application/problem+json")


def test_of_two_codes_that_differ_by_capitals_the_typed_one_is_meant(cast: Cast) -> None:
    kind = make_type(from_pool=True)
    coupons.import_codes(kind=kind, text="ABCD1\nabcd1", by=cast.max, now=NOW)
    for code in ("ABCD1", "abcd1"):
        found = coupons.find(code)
        assert found is not None and found.code == code
    forgiven = coupons.find("aBcD1")
    assert forgiven is not None and forgiven.code == "ABCD1"


def test_the_header_is_the_request_s_number(fresh: Coupon) -> None:
    api, address = client("coupons:redeem"), f"/api/v1/coupons/{fresh.code}/redeem/"
    assert api.post(address, {}, format="json", HTTP_IDEMPOTENCY_KEY="k1").status_code == 200
    again = api.post(address, {}, format="json", HTTP_IDEMPOTENCY_KEY="k1")
    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    assert api.post(address, {}, format="json").json()["code"] == "already_redeemed"


def test_who_may_and_what_is_not_there(fresh: Coupon, cast: Cast) -> None:
    address = f"/api/v1/coupons/{fresh.code}/redeem/"
    assert client("orders:write").post(address, {}, format="json").json()["code"] == "scope_missing"
    assert APIClient().post(address, {}, format="json").status_code == 401
    api = client("coupons:redeem", stores=("elsewhere",))
    assert api.post("/api/v1/coupons/NOSUCHCODE12/redeem/", {}, format="json").status_code == 404
    assert api.get("/api/v1/coupons/%00/").status_code == 404
    Order.objects.create(order_no="N7", store=cast.store)
    assert api.post(address, {"order_no": "N7"}, format="json").status_code == 403
    for bad in ({"amount": "x"}, {"amount": -1}, {"request_id": "空"}, {"customer": 5}, []):
        assert api.post(address, bad, format="json").status_code == 400
