"""Two people, one case: of two who do the same thing one wins, on PostgreSQL."""

from __future__ import annotations

from decimal import Decimal

import pytest

from apps.core.models import Approval
from apps.core.services import approvals
from apps.repairs.models import Offer, RepairCase
from apps.repairs.services import cases, invites, offers
from apps.rewards.models import Grant, LedgerEntry
from tests.feedback.test_races import at_once
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
