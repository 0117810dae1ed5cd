"""The pages: who sees what, as many queries for one row as for many, nothing whole, nothing by GET."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.automation.models import Proposal, Rule
from apps.automation.services import proposals
from apps.customers.models import Customer
from apps.customers.services.merging import undecided
from apps.rewards.choices import RewardKind
from apps.rewards.models import Budget, Coupon, CouponType, Grant
from apps.rewards.services import demo
from apps.rewards.services.grants import Reward
from apps.shop.models import WorkItem
from tests.factories import NOW, Cast, arrive, make_user, queries
from tests.rewards.conftest import give, make_budget, make_gift, make_type

LISTS = ("grant", "coupon", "pointsaccount", "giftdelivery", "budget", "ledgerentry", "gift", "coupontype")


def fill(count: int, cast: Cast) -> None:
    for _number in range(count):
        buyer, budget = Customer.objects.create(name="张三", phone="13812345678"), make_budget()
        give(buyer, cast.max, budget, Reward(RewardKind.COUPON, coupon_type=make_type()))
        give(buyer, cast.max, budget, Reward(RewardKind.POINTS, points=5), cost=Decimal(1))
        give(buyer, cast.max, budget, Reward(RewardKind.GIFT, gift=make_gift()), note="=1+1")


def test_lists_cost_the_same_for_one_row_and_many(cast: Cast, client: Client) -> None:
    client.force_login(cast.max)
    fill(1, cast)
    urls = [reverse(f"admin:rewards_{name}_changelist") for name in LISTS]
    counts = []
    for _round in range(2):
        seen = []
        for url in urls:
            client.get(url)
            with queries() as captured:
                page = client.get(url)
            assert page.status_code == 200
            assert "13812345678" not in page.content.decode()
            seen.append(len(captured))
        counts.append(seen)
        fill(4, cast)
    assert counts[0] == counts[1]


def test_pages_of_records_show_nothing_whole(cast: Cast, client: Client) -> None:
    client.force_login(cast.max)
    fill(1, cast)
    for name in LISTS:
        for row in apps.get_model("rewards", name).objects.all():
            page = client.get(reverse(f"admin:rewards_{name}_change", args=[row.pk]))
            assert page.status_code == 200
            assert "13812345678" not in page.content.decode()
            if isinstance(row, Coupon):
                assert row.code not in page.content.decode()
    buyer = Customer.objects.get()
    for tab in ("panel-rewards", "timeline"):
        page = client.get(reverse("admin:customers_customer_change", args=[buyer.pk]) + f"?tab={tab}")
        assert "茶礼盒" in page.content.decode()
    assert client.get(reverse("admin:index")).status_code == 200


def test_the_file_is_masked_and_calculates_nothing(cast: Cast, client: Client) -> None:
    fill(1, cast)
    url = reverse("admin:rewards_grant_export")
    client.force_login(cast.max)
    assert client.get(url).status_code == 403
    text = client.post(url).content.decode()
    assert text.startswith("\ufeff")
    assert "'=1+1" in text
    assert "张三" not in text
    assert len(client.post(f"{url}?reward__exact=gift").content.decode().splitlines()) == 2
    client.force_login(make_user("mei", "care"))
    assert client.post(url).status_code == 403


def test_a_coupon_is_redeemed_and_made_void_by_button(cast: Cast, client: Client) -> None:
    fill(2, cast)
    one, two = Coupon.objects.order_by("pk")
    Coupon.objects.update(valid_until=NOW.replace(year=2099), valid_from=NOW.replace(year=2000))
    client.force_login(cast.max)
    url = reverse("admin:rewards_coupon_move", args=[one.pk, "redeem"])
    assert client.get(url).status_code == 200
    one.refresh_from_db()
    assert one.status == "issued"
    client.post(url, {"amount": "30", "order_no": "N123456789"})
    client.post(reverse("admin:rewards_coupon_move", args=[two.pk, "void"]), {"reason": "印错了"})
    assert list(Coupon.objects.order_by("pk").values_list("status", flat=True)) == ["redeemed", "void"]
    # The messages of the moves are shown here.
    client.get(reverse("admin:rewards_coupon_changelist"))
    found = client.get(reverse("admin:rewards_coupon_changelist") + f"?q={one.code[:6]}")
    assert one.masked_code not in found.content.decode()
    found = client.get(reverse("admin:rewards_coupon_changelist") + f"?q={one.code.lower()}")
    assert one.masked_code in found.content.decode()


def test_many_points_are_asked_for(cast: Cast, client: Client) -> None:
    fill(1, cast)
    make_user("le", "care-lead")
    account = Customer.objects.get().points_accounts.get()
    client.force_login(make_user("mei", "care"))
    url = reverse("admin:rewards_pointsaccount_move", args=[account.pk, "adjust"])
    page = client.post(url, {"points": "900", "reason": "补登积分"}, follow=True)
    assert "第二人" in page.content.decode()
    client.post(url, {"points": "-3", "reason": "扣回积分"})
    account.refresh_from_db()
    assert account.balance == 2


def test_a_coupon_type_is_checked_when_it_is_saved(cast: Cast, client: Client) -> None:
    client.force_login(cast.max)
    data = {
        "code": "new", "name": "新券", "kind": "face", "face_value": "5", "minimum_spend": "0",
        "valid_days": "30", "scope": "全场", "per_customer": "1", "is_active": "on",
    }  # fmt: skip
    page = client.post(reverse("admin:rewards_coupontype_add"), data)
    assert page.status_code == 200
    assert "可否叠加" in page.content.decode()
    client.post(reverse("admin:rewards_coupontype_add"), data | {"stacking": "不可叠加"})
    made = CouponType.objects.get(code="new")
    CouponType.objects.filter(pk=made.pk).update(from_pool=True)
    client.post(reverse("admin:rewards_coupontype_codes", args=[made.pk]), {"codes": "AAAA-1\nAAAA-2"})
    assert made.coupons.count() == 2


def test_editing_a_budget_keeps_what_moved_meanwhile(cast: Cast, client: Client) -> None:
    budget = make_budget()
    client.force_login(cast.max)
    data = {
        "name": "新名", "code": budget.code, "purpose": "compensation", "first_day": "2026-01-01",
        "last_day": "2027-12-31", "amount": "500", "is_active": "on",
    }  # fmt: skip
    page = client.post(reverse("admin:rewards_budget_change", args=[budget.pk]), data)
    assert page.status_code == 302, page.content.decode()[-3000:]
    give(Customer.objects.create(), cast.max, budget)
    budget.refresh_from_db()
    assert (budget.name, budget.amount, budget.committed) == ("新名", 500, 10)


def test_store_staff_see_their_customers_only(cast: Cast, client: Client) -> None:
    fill(1, cast)
    client.force_login(cast.sue)
    page = client.get(reverse("admin:rewards_grant_changelist"))
    assert "G00" not in page.content.decode()


def test_every_relation_to_a_customer_has_a_mover() -> None:
    assert undecided() == set()


@pytest.mark.parametrize("ready", [True, False])
def test_a_confirmed_compensation_is_a_coupon_or_work(cast: Cast, ready: bool) -> None:
    case = arrive("A", customer={"external_id": "C9", "nickname": "林"})
    proposal = Proposal.objects.create(
        kind="compensation", title="十元券", feedback=case, rule=Rule.objects.first(),
        payload={"amount": 10}, expires_at=NOW.replace(year=2030),
    )  # fmt: skip
    make_type(is_active=ready)
    make_budget()
    proposals.confirm(proposal=proposal, by=cast.lin, now=NOW)
    proposal.refresh_from_db()
    assert proposal.status == "done"
    coupons, work = (
        Coupon.objects.count(),
        WorkItem.objects.filter(origin_key=f"proposal:{proposal.pk}").count(),
    )
    assert (coupons, work) == ((1, 0) if ready else (0, 1))
    if ready:
        grant = Grant.objects.get()
        assert (grant.subject_key, grant.by, grant.key) == (
            f"feedback:{case.pk}", cast.lin, f"proposal:{proposal.pk}",
        )  # fmt: skip


def test_the_demo_comes_and_goes(cast: Cast) -> None:
    for number in range(9):
        Customer.objects.create(external_id=f"DEMO-{number}", nickname=f"客{number}")
    made = demo.load(NOW)
    assert made == 9
    assert demo.load(NOW) == 0
    before: dict[str, Any] = {"grants": Grant.objects.count(), "budget": Budget.objects.count()}
    assert before == {"grants": 9, "budget": 1}
    assert demo.clear() == 9
    assert (Grant.objects.count(), Budget.objects.count(), Coupon.objects.count()) == (0, 0, 0)
    assert not CouponType.objects.filter(code__startswith="demo-").exists()


def test_a_payment_is_proven_by_a_number_or_a_picture(cast: Cast, client: Client) -> None:
    """The picture opens for whoever sees the grant, and stands on its page."""
    buyer = Customer.objects.create(name="张三")
    row = give(buyer, cast.max, make_budget(), Reward(RewardKind.CASH), cost=Decimal(20))
    client.force_login(cast.max)
    url = reverse("admin:rewards_grant_move", args=[row.pk, "settle"])
    refused = client.post(url, {"actual_cost": "20", "proof": ""})
    row.refresh_from_db()
    assert refused.status_code == 200 and row.status == "granted"
    picture = SimpleUploadedFile("p.png", b"\x89PNG\r\n\x1a\n123", content_type="image/png")
    client.post(url, {"actual_cost": "20", "proof": "", "proof_file": picture})
    row.refresh_from_db()
    assert row.status == "settled" and row.proof_file is not None
    opened = reverse("admin:core_storedfile_open", args=[row.proof_file_id])
    assert opened in client.get(reverse("admin:rewards_grant_change", args=[row.pk])).content.decode()
    assert client.get(opened).status_code == 200
    client.force_login(cast.ann)
    assert client.get(opened).status_code in (302, 403, 404)
