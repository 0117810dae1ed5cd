"""Two people, one case: of two who do the same thing one wins, on PostgreSQL."""

from __future__ import annotations

from decimal import Decimal

import pytest

from apps.core.models import Approval
from apps.core.services import approvals
from apps.customers.models import Customer
from apps.feedback.models import Feedback
from apps.messaging.models import OutboundMessage
from apps.repairs.models import Offer, Remedy, RepairCase
from apps.repairs.selectors.coupons import coupon_of
from apps.repairs.services import cases, invites, offers, telling
from apps.rewards.models import Gift, Grant, LedgerEntry
from apps.rewards.services import points
from tests.factories import make_user
from tests.feedback.test_races import at_once, faults
from tests.repairs.world import (
    INVITATION,
    OFFER,
    agreed,
    fresh,
    line,
    make_case,
    make_review,
    make_shop,
    satisfied,
    talked,
)

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("committed")]


def test_eight_people_carry_out_and_it_is_paid_once() -> None:
    shop = make_shop()
    case = agreed(shop, make_case(shop), line(shop, "refund", amount=Decimal(60)))
    at_once([lambda: offers.execute(case=fresh(case), by=shop.agent, now=shop.now)] * 8)
    assert fresh(case).status == "executing"
    assert Grant.objects.count() == LedgerEntry.objects.filter(kind="commit").count() == 1
    shop.budget.refresh_from_db()
    assert shop.budget.committed == Decimal(60)


def test_eight_people_invite_and_one_invitation_goes_out() -> None:
    shop = make_shop()
    case = satisfied(shop, make_case(shop))
    at_once(
        [
            lambda: invites.invite(
                case=fresh(case), text=INVITATION, how="", send_by="platform_im", by=shop.agent, now=shop.now
            )
        ]
        * 8
    )
    case = fresh(case)
    assert case.status == "invited" and case.invite_message is not None
    assert case.feedback.entries.filter(text=INVITATION).count() == 1


def test_two_offers_at_once_are_one() -> None:
    shop = make_shop()
    case = talked(shop, make_case(shop))
    at_once(
        [
            lambda: offers.prepare(
                case=fresh(case), text=OFFER, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now
            )
        ]
        * 6
    )
    assert Offer.objects.filter(case=case).count() == 1


def test_one_person_does_not_fill_both_places() -> None:
    shop = make_shop()
    case = talked(shop, make_case(shop))
    offer = offers.prepare(
        case=case, text="依法退一赔三。", lines=[line(shop, "refund", amount=Decimal(600))], liability=["triple"],
        by=shop.lead, now=shop.now,
    )  # fmt: skip
    waiting = list(Approval.objects.filter(object_id=offer.pk, state="pending"))
    at_once(
        [
            lambda row=row: approvals.decide(approval=row, verb="approve", by=shop.manager, now=shop.now)
            for row in waiting
        ]
    )
    offer.refresh_from_db()
    assert offer.status == "waiting" and len(offer.approved_by) == 1


def test_two_writers_open_one_repair() -> None:
    shop = make_shop()
    feedback = make_review(shop)
    at_once([lambda: cases.open_for(feedback_ids=[feedback.pk], now=shop.now)] * 6)
    assert RepairCase.objects.filter(feedback=feedback).count() == 1


def test_deciding_and_taking_back_at_once_wait_for_each_other_in_one_order() -> None:
    """A yes, a no and the writer who takes the offer back: whoever is first, nobody runs into a deadlock."""
    shop = make_shop()
    for _round in range(6):
        case = talked(shop, make_case(shop))
        offer = offers.prepare(
            case=case, text="依法退一赔三。", lines=[line(shop, "refund", amount=Decimal(600))], liability=["triple"],
            by=shop.lead, now=shop.now,
        )  # fmt: skip
        first, second = Approval.objects.filter(object_id=offer.pk, state="pending").order_by("pk")
        found = at_once(
            [
                lambda row=first: approvals.decide(
                    approval=row, verb="approve", by=shop.manager, now=shop.now, reason="行"
                ),
                lambda row=second: approvals.decide(
                    approval=row, verb="reject", by=shop.legal, now=shop.now, reason="不行"
                ),
                lambda row=offer: offers.take_back(offer=row, reason="重写", by=shop.lead, now=shop.now),
            ]
        )
        assert not faults(found)
        offer.refresh_from_db()
        assert offer.status == "cancelled"


def test_what_two_colleagues_promise_one_customer_at_once_counts_together() -> None:
    """Three items in ninety days: of four offers written at once one waits for a lead."""
    shop = make_shop()
    found = [talked(shop, make_case(shop)) for _number in range(4)]
    # Not one purchase: nothing but the customer keeps them apart.
    Feedback.objects.update(order=None)
    coupon = [line(shop, "coupon", coupon_type=shop.coupon)]
    writers = [shop.agent, shop.other] * 2
    done = at_once(
        [
            lambda case=case, by=by: offers.prepare(case=case, text=OFFER, lines=coupon, by=by, now=shop.now)
            for case, by in zip(found, writers, strict=True)
        ]
    )
    assert not faults(done)
    assert sorted(Offer.objects.values_list("status", flat=True)) == ["ready", "ready", "ready", "waiting"]


def test_what_is_due_by_law_on_one_order_is_due_once() -> None:
    shop = make_shop()
    found = [talked(shop, make_case(shop)) for _number in range(3)]
    due = [line(shop, "refund", amount=Decimal(200), statutory=Decimal(200))]
    done = at_once(
        [
            lambda case=case: offers.prepare(case=case, text=OFFER, lines=due, by=shop.lead, now=shop.now)
            for case in found
        ]
    )
    assert not faults(done)
    assert sorted(Offer.objects.values_list("statutory", flat=True)) == [0, 0, 200]


def test_small_steps_at_once_are_one_adjustment() -> None:
    shop = make_shop()
    care = make_user("mei", "care")
    make_user("le", "care-lead")
    account = points.account_of(shop.customer, now=shop.now)
    done = at_once(
        [lambda: points.adjust(account=account, points=200, reason="补登", by=care, now=shop.now)] * 4
    )
    assert not faults(done)
    account.refresh_from_db()
    assert account.balance == 400


def test_a_code_told_by_two_at_once_is_one_message() -> None:
    shop = make_shop()
    case = agreed(shop, make_case(shop), line(shop, "coupon", coupon_type=shop.coupon))
    offers.execute(case=case, by=shop.agent, now=shop.now)
    remedy = Remedy.objects.select_related("offer__case__feedback").get()
    coupon = coupon_of(remedy, now=shop.now)
    assert coupon is not None
    text = telling.draft(remedy, coupon, shop.agent)
    tell = {"remedy": remedy, "text": text, "send_by": "platform_im", "by": shop.agent, "now": shop.now}
    assert not faults(at_once([lambda: telling.tell(**tell)] * 4))
    assert OutboundMessage.objects.filter(period_key=f"coupon-{remedy.pk}").count() == 1


def test_a_single_yes_and_taking_back_at_once_run_into_no_deadlock() -> None:
    shop = make_shop()
    for _round in range(8):
        case = talked(shop, make_case(shop))
        big = [line(shop, "refund", amount=Decimal(250))]
        offer = offers.prepare(case=case, text=OFFER, lines=big, by=shop.agent, now=shop.now)
        asked = Approval.objects.get(object_id=offer.pk, state="pending", kind="repairs.offer")
        found = at_once(
            [
                lambda row=offer: offers.take_back(offer=row, reason="改", by=shop.agent, now=shop.now),
                lambda row=asked: approvals.decide(approval=row, verb="approve", by=shop.lead, now=shop.now),
            ]
        )
        assert not faults(found)


def test_two_offers_of_several_rewards_are_carried_out_at_once() -> None:
    """Coupon and gift here, gift and coupon there: everything is locked in one order."""
    shop = make_shop()
    gift = Gift.objects.create(code="cup", name="杯子", cost=Decimal(9), stock=100, status="on")
    coupon, cup = line(shop, "coupon", coupon_type=shop.coupon), line(shop, "gift", gift=gift)
    for number in range(6):
        ready = []
        for by, lines in ((shop.agent, [coupon, cup]), (shop.other, [cup, coupon])):
            case = make_case(shop)
            buyer = Customer.objects.create(name=f"顾客{number}{by.username}")
            Feedback.objects.filter(pk=case.feedback_id).update(customer=buyer, order=None)
            RepairCase.objects.filter(pk=case.pk).update(customer=buyer)
            case = talked(shop, fresh(case), by=by)
            offers.prepare(case=case, text=OFFER, lines=lines, by=by, now=shop.now)
            offers.propose(case=case, how="phone", by=by, now=shop.now)
            offers.accept(case=case, by=by, now=shop.now)
            ready.append((fresh(case), by))
        found = at_once(
            [lambda case=case, by=by: offers.execute(case=case, by=by, now=shop.now) for case, by in ready]
        )
        assert not faults(found)
    assert Grant.objects.count() == 24
