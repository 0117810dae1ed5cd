"""From complaint to outcome, step by step, with every refusal on the way (R26–R31)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.compliance.models import Verdict
from apps.compliance.services.verdicts import Unlawful
from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted, StaleState
from apps.core.models import Approval
from apps.core.services import approvals
from apps.customers.models import Customer
from apps.feedback.models import Feedback, HeldReply
from apps.feedback.services.replies import Held, Reply, send_reply
from apps.messaging.models import OutboundMessage
from apps.messaging.services.outbox import mark_sent
from apps.repairs.models import PublicReply, Remedy, RemedyType, RepairCase
from apps.repairs.services import callbacks, cases, invites, offers, outcomes, replies
from apps.repairs.services.costs import recount
from apps.repairs.services.moving import GuardFailed
from apps.rewards.models import Budget, Gift, Grant, SpendingLevel
from apps.rewards.services.coupons import expire_due
from apps.shop.models import Department, Store, WorkItem
from tests.repairs.world import (
    INVITATION,
    OFFER,
    REPLY,
    Shop,
    agreed,
    carried_out,
    decide_all,
    fresh,
    invited,
    line,
    make_case,
    make_coupon_type,
    make_shop,
    picture,
    satisfied,
    talked,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(db: None) -> Shop:
    return make_shop()


def missing(error: pytest.ExceptionInfo[GuardFailed]) -> list[str]:
    return error.value.params["missing"]


def test_the_whole_way(shop: Shop) -> None:
    case = invited(shop, make_case(shop))
    assert case.status == "invited"
    RepairCase.objects.filter(pk=case.pk).update(unseen_since=shop.now)
    outcomes.confirm_gone(
        case=case, by_platform=False, reason="页面已无此评价", proof=picture(), by=shop.lead, now=shop.now
    )
    case = fresh(case)
    assert case.status == "withdrawn"
    assert case.outcome_proof is not None and case.outcome_by == shop.lead
    assert case.handler == shop.agent


def test_no_offer_before_the_talk(shop: Shop) -> None:
    case = make_case(shop)
    with pytest.raises(IllegalMove):
        offers.prepare(case=case, text=OFFER, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now)


def test_a_talk_needs_an_apology_and_an_ear(shop: Shop) -> None:
    case = make_case(shop)
    with pytest.raises(GuardFailed) as error:
        cases.contact(
            case=case, how="phone", said="您好", wishes="", apologised=False, by=shop.agent, now=shop.now
        )
    assert missing(error) == ["apologised", "listened"]
    assert fresh(case).status == "triaged"


def test_the_first_talk_does_not_mention_the_review(shop: Shop) -> None:
    with pytest.raises(GuardFailed) as error:
        cases.contact(
            case=make_case(shop),
            how="phone",
            said="抱歉，麻烦您把差评删了",
            wishes="换一个",
            by=shop.agent,
            now=shop.now,
        )
    assert missing(error) == ["not_about_review"]


def test_an_urgent_case_is_contacted_by_a_lead(shop: Shop) -> None:
    case = make_case(shop, grade="S")
    with pytest.raises(GuardFailed) as error:
        talked(shop, case)
    assert missing(error) == ["s_lead"]
    assert talked(shop, case, by=shop.lead).status == "contacted"


def test_the_talk_stops_the_first_response_clock(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    assert case.feedback.first_response_at == shop.now


def test_an_offer_that_hangs_on_the_review_is_refused_and_kept(shop: Shop) -> None:
    from apps.compliance.models import Verdict

    case = talked(shop, make_case(shop))
    with pytest.raises(Unlawful):
        offers.prepare(
            case=case, text="把差评改成好评，我们给您退50元", lines=[line(shop, "refund", amount=Decimal(50))], by=shop.agent,
            now=shop.now,
        )  # fmt: skip
    assert Verdict.objects.filter(subject_key=f"repair:{case.pk}").exists()
    assert not case.offers.exists()


def test_above_the_limit_a_second_person_decides(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    offer = offers.prepare(
        case=case, text="退您150元，表示歉意。", lines=[line(shop, "refund", amount=Decimal(150))], by=shop.agent,
        now=shop.now,
    )  # fmt: skip
    assert offer.status == "waiting" and offer.reasons
    with pytest.raises(GuardFailed) as error:
        offers.propose(case=fresh(case), how="phone", by=shop.agent, now=shop.now)
    assert missing(error) == ["offer_approved"]
    approval = Approval.objects.get(state="pending")
    with pytest.raises(NotPermitted):
        approvals.decide(approval=approval, verb="approve", by=shop.agent, now=shop.now)
    approvals.decide(approval=approval, verb="approve", by=shop.lead, now=shop.now)
    offers.propose(case=fresh(case), how="phone", by=shop.agent, now=shop.now)
    assert fresh(case).status == "proposed"


def test_statutory_money_counts_for_no_limit_up_to_what_was_paid(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    whole = line(shop, "return_refund", amount=Decimal(200), statutory=Decimal(200))
    offer = offers.prepare(case=case, text="为您办理退货退款。", lines=[whole], by=shop.agent, now=shop.now)
    assert (offer.status, offer.statutory, offer.refund_extra) == ("ready", Decimal(200), Decimal(0))
    offers.take_back(offer=offer, reason="金额不对", by=shop.agent, now=shop.now)
    more = line(shop, "return_refund", amount=Decimal(900), statutory=Decimal(900))
    offer = offers.prepare(case=case, text="为您办理退货退款。", lines=[more], by=shop.agent, now=shop.now)
    assert (offer.statutory, offer.refund_extra) == (Decimal(200), Decimal(700))
    assert offer.status == "waiting"


def test_threefold_compensation_needs_management_and_legal_two_people(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    offer = offers.prepare(
        case=case, text="依法退一赔三。", lines=[line(shop, "refund", amount=Decimal(600))], liability=["triple"],
        by=shop.lead, now=shop.now,
    )  # fmt: skip
    assert len(offer.needs) == 2
    first, second = Approval.objects.filter(state="pending").order_by("pk")
    approvals.decide(approval=first, verb="approve", by=shop.manager, now=shop.now)
    offer.refresh_from_db()
    assert offer.status == "waiting"
    approvals.decide(approval=second, verb="approve", by=shop.legal, now=shop.now)
    offer.refresh_from_db()
    assert offer.status == "ready"


def test_a_rejected_offer_is_off_and_another_can_be_written(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    offer = offers.prepare(
        case=case,
        text="退您150元。",
        lines=[line(shop, "refund", amount=Decimal(150))],
        by=shop.agent,
        now=shop.now,
    )
    approvals.decide(
        approval=Approval.objects.get(state="pending"),
        verb="reject",
        by=shop.lead,
        now=shop.now,
        reason="太多",
    )
    offer.refresh_from_db()
    assert offer.status == "cancelled"
    again = offers.prepare(case=case, text=OFFER, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now)
    assert (again.number, again.status) == (2, "ready")


def test_one_offer_at_a_time(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    offers.prepare(case=case, text=OFFER, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now)
    with pytest.raises(InvalidInput):
        offers.prepare(case=case, text=OFFER, lines=[line(shop, "reship")], by=shop.agent, now=shop.now)


def test_law_sets_the_latest_day(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    late = line(shop, "exchange", due_at=shop.now + timedelta(days=16))
    with pytest.raises(InvalidInput, match="15"):
        offers.prepare(case=case, text=OFFER, lines=[late], by=shop.agent, now=shop.now)


def test_executing_books_once_and_hands_work_over(shop: Shop) -> None:
    case = agreed(
        shop,
        make_case(shop),
        line(shop, "refund", amount=Decimal(60)),
        line(shop, "coupon", coupon_type=shop.coupon),
    )
    offers.execute(case=case, by=shop.agent, now=shop.now)
    with pytest.raises(IllegalMove):
        offers.execute(case=fresh(case), by=shop.agent, now=shop.now)
    assert sorted(Grant.objects.values_list("cost", flat=True)) == [Decimal(10), Decimal(60)]
    shop.budget.refresh_from_db()
    assert shop.budget.committed + shop.budget.spent == Decimal(70)
    refund = case.offers.get().remedies.get(type__code="refund")
    assert refund.work is not None and refund.work.department.code == "finance"
    coupon = case.offers.get().remedies.get(type__code="coupon")
    assert coupon.status == "done"
    assert fresh(case).cost == Decimal(70)


def test_what_a_budget_cannot_pay_leaves_everything_as_it_was(shop: Shop) -> None:
    shop.budget.amount = Decimal(50)
    shop.budget.save()
    case = agreed(shop, make_case(shop), line(shop, "refund", amount=Decimal(60)))
    with pytest.raises(DomainError):
        offers.execute(case=case, by=shop.agent, now=shop.now)
    assert fresh(case).status == "accepted"
    assert not Grant.objects.exists()
    assert set(case.offers.get().remedies.values_list("status", flat=True)) == {"planned"}


def test_nothing_is_carried_out_without_proof(shop: Shop) -> None:
    case = agreed(shop, make_case(shop), line(shop, "refund", amount=Decimal(60)), line(shop, "exchange"))
    offers.execute(case=case, by=shop.agent, now=shop.now)
    refund, exchange = case.offers.get().remedies.order_by("pk")
    with pytest.raises(InvalidInput) as error:
        offers.finish_remedy(remedy=refund, by=shop.agent, now=shop.now)
    assert error.value.params["field"] == "proof"
    with pytest.raises(InvalidInput) as error:
        offers.finish_remedy(remedy=exchange, by=shop.agent, now=shop.now)
    assert error.value.params["field"] == "tracking_no"
    with pytest.raises(InvalidInput):
        offers.finish_remedy(
            remedy=refund, proof=picture(), actual_cost=Decimal(61), by=shop.agent, now=shop.now
        )
    offers.finish_remedy(remedy=refund, proof=picture(), by=shop.agent, now=shop.now)
    with pytest.raises(GuardFailed) as guard:
        offers.complete(case=fresh(case), by=shop.agent, now=shop.now)
    assert missing(guard) == ["all_done"]


def test_a_cancelled_remedy_gives_its_money_back_once(shop: Shop) -> None:
    case = agreed(shop, make_case(shop), line(shop, "refund", amount=Decimal(60)), line(shop, "exchange"))
    offers.execute(case=case, by=shop.agent, now=shop.now)
    refund = case.offers.get().remedies.get(type__code="refund")
    offers.cancel_remedy(remedy=refund, reason="顾客改为换货", by=shop.lead, now=shop.now)
    with pytest.raises(DomainError):
        offers.cancel_remedy(remedy=refund, reason="再来一次", by=shop.lead, now=shop.now)
    shop.budget.refresh_from_db()
    assert (shop.budget.committed, fresh(case).cost) == (Decimal(0), Decimal(0))


def test_carried_out_resolves_the_feedback_and_plans_a_callback(shop: Shop) -> None:
    case = carried_out(shop, make_case(shop))
    assert (case.status, case.feedback.status) == ("callback", "resolved")
    callback = callbacks.latest(case)
    assert callback is not None and callback.due_at >= shop.now + timedelta(hours=72)
    assert callback.customer == shop.customer


def test_an_unhappy_callback_opens_the_feedback_again(shop: Shop) -> None:
    case = carried_out(shop, make_case(shop))
    callbacks.record_result(
        case=case,
        satisfaction=2,
        how="phone",
        said="还是漏水",
        by=shop.other,
        now=shop.now + timedelta(days=3),
    )
    case = fresh(case)
    assert (case.status, case.feedback.status) == ("unsatisfied", "in_progress")
    offers.renegotiate(case=case, reason="要求退款", by=shop.agent, now=shop.now)
    assert fresh(case).renegotiations == 1


def test_two_new_offers_at_most(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    for number in range(3):
        offers.prepare(case=case, text=OFFER, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now)
        offers.propose(case=case, how="phone", by=shop.agent, now=shop.now)
        if number < 2:
            offers.refuse(case=case, reason="要退款", by=shop.agent, now=shop.now)
    with pytest.raises(GuardFailed) as error:
        offers.refuse(case=fresh(case), reason="还要", by=shop.agent, now=shop.now)
    assert missing(error) == ["talks_left"]
    cases.end_talks(case=fresh(case), reason="无法达成一致", by=shop.agent, now=shop.now)
    assert fresh(case).status == "reply_due"


# -- the one invitation ----------
def test_the_invitation_names_everything_that_is_missing(shop: Shop) -> None:
    case = satisfied(shop, make_case(shop))
    RepairCase.objects.filter(pk=case.pk).update(refuses_review_contact=True)
    late = shop.now.replace(hour=23)
    with pytest.raises(GuardFailed) as error:
        invites.invite(case=fresh(case), text="改成五星好评吧", how="phone", by=shop.agent, now=late)
    assert missing(error) == ["not_refused", "hours", "text_neutral"] or missing(error) == [
        "not_refused",
        "hours",
        "text_neutral",
        "text_lawful",
    ]


def test_not_before_the_remedy_and_not_unless_satisfied(shop: Shop) -> None:
    case = carried_out(shop, make_case(shop))
    with pytest.raises(IllegalMove):
        invites.invite(case=case, text=INVITATION, how="phone", by=shop.agent, now=shop.now)


def test_one_invitation_in_all(shop: Shop) -> None:
    case = invited(shop, make_case(shop))
    cases.keep(case=case, by=shop.agent, now=shop.now)
    cases.reopen(case=fresh(case), reason="又来差评", by=shop.agent, now=shop.now)
    case = satisfied(shop, fresh(case))
    with pytest.raises(GuardFailed) as error:
        invites.invite(case=case, text=INVITATION, how="phone", by=shop.agent, now=shop.now)
    assert missing(error) == ["not_invited"]


def test_a_reply_on_the_case_takes_the_same_invitation(shop: Shop) -> None:
    """Whoever says it: the composer of the case asks the same guard (decision 16)."""
    from apps.feedback.services import moves
    from apps.feedback.services.replies import Reply, send_reply

    case = satisfied(shop, make_case(shop))
    moves.reopen(feedback=case.feedback, by=shop.agent, now=shop.now, reason="再聊聊")
    case = fresh(case)
    send_reply(
        feedback=case.feedback,
        reply=Reply(channel="platform_im", text=INVITATION, token="t1"),
        by=shop.agent,
        now=shop.now,
    )
    case = fresh(case)
    assert (case.status, case.invited_by) == ("invited", shop.agent)
    with pytest.raises(Unlawful):
        send_reply(
            feedback=case.feedback,
            reply=Reply(channel="platform_im", text=INVITATION, token="t2"),
            by=shop.other,
            now=shop.now,
        )


def test_a_reply_cannot_invite_before_the_remedy(shop: Shop) -> None:
    from apps.feedback.services.replies import Reply, send_reply

    case = talked(shop, make_case(shop))
    with pytest.raises(Unlawful):
        send_reply(
            feedback=case.feedback,
            reply=Reply(channel="platform_im", text=INVITATION, token="t1"),
            by=shop.agent,
            now=shop.now,
        )
    assert fresh(case).invited_at is None


def test_no_invitation_by_sms_or_in_public(shop: Shop) -> None:
    case = satisfied(shop, make_case(shop))
    for channel in ("sms", "public_reply"):
        with pytest.raises(InvalidInput):
            invites.invite(case=case, text=INVITATION, how="", send_by=channel, by=shop.agent, now=shop.now)


def test_the_invitation_is_sent_once_through_the_outbox(shop: Shop) -> None:
    case = satisfied(shop, make_case(shop))
    invites.invite(case=case, text=INVITATION, how="", send_by="platform_im", by=shop.agent, now=shop.now)
    case = fresh(case)
    assert case.invite_message is not None
    assert case.invite_message.payload["invites_review"] is True


def test_nobody_is_called_twice_about_one_case(shop: Shop) -> None:
    """The general plan of 72 hours leaves a case to the callback of its repair."""
    from apps.callbacks.models import Callback, CallbackPlan
    from apps.callbacks.services.sweep import sweep_callbacks

    plan = CallbackPlan.objects.get(code="after-case-72h")
    plan.is_active, plan.seen_until = True, shop.now
    plan.save()
    case = carried_out(shop, make_case(shop))
    sweep_callbacks(now=shop.now + timedelta(hours=1))
    assert Callback.objects.filter(feedback=case.feedback).count() == 1


# -- promises and what becomes of them ----------
def goodwill(shop: Shop, count: int) -> list[offers.Line]:
    return [line(shop, "coupon", coupon_type=shop.coupon) for _number in range(count)]


def test_every_item_of_an_offer_counts_for_the_customers_cap(shop: Shop) -> None:
    """Four coupons of 10 CNY stay within a lead's money, but are more than three items in ninety days."""
    small = make_coupon_type(5)
    lines = [line(shop, "coupon", coupon_type=small) for _number in range(4)]
    case = talked(shop, make_case(shop))
    offer = offers.prepare(case=case, text=OFFER, lines=lines, by=shop.agent, now=shop.now)
    assert offer.status == "waiting" and "4" in offer.reasons[0]
    decide_all(shop)
    offers.propose(case=case, how="phone", by=shop.agent, now=shop.now)
    offers.accept(case=case, by=shop.agent, now=shop.now)
    # What was approved as a whole is carried out as a whole, by whoever presses the button.
    offers.execute(case=case, by=shop.other, now=shop.now)
    assert Grant.objects.count() == 4 and set(Grant.objects.values_list("level", flat=True)) == {"lead"}


def test_what_was_promised_is_carried_out_whatever_was_promised_since(shop: Shop) -> None:
    first = agreed(shop, make_case(shop), *goodwill(shop, 2))
    for _number in range(2):
        offers.execute(case=agreed(shop, make_case(shop), *goodwill(shop, 1)), by=shop.lead, now=shop.now)
    offers.execute(case=first, by=shop.agent, now=shop.now)
    assert Grant.objects.filter(subject_key=f"repair:{first.pk}").count() == 2


def test_offers_that_wait_count_for_the_customer_and_for_the_day(shop: Shop) -> None:
    """Limits are not passed by promising first and booking later."""
    case = talked(shop, make_case(shop))
    assert (
        offers.prepare(case=case, text=OFFER, lines=goodwill(shop, 3), by=shop.agent, now=shop.now).status
        == "ready"
    )
    other = talked(shop, make_case(shop))
    fourth = offers.prepare(case=other, text=OFFER, lines=goodwill(shop, 1), by=shop.agent, now=shop.now)
    assert fourth.status == "waiting"
    SpendingLevel.objects.filter(code="agent").update(day_limit=50)
    third = make_case(shop)
    RepairCase.objects.filter(pk=third.pk).update(customer=Customer.objects.create(name="李四"))
    lines = [line(shop, "refund", amount=Decimal(20))]
    offer = offers.prepare(
        case=talked(shop, fresh(third)), text=OFFER, lines=lines, by=shop.agent, now=shop.now
    )
    assert offer.status == "waiting" and "40" in offer.reasons[0]


def test_money_back_on_the_price_is_within_the_same_limit_on_both_days(shop: Shop) -> None:
    """A discount is money back: what an agent may offer alone, anybody may carry out."""
    case = agreed(shop, make_case(shop), line(shop, "discount", amount=Decimal(80)))
    offers.execute(case=case, by=shop.agent, now=shop.now)
    assert Grant.objects.get().cost == 80


def test_what_is_called_due_by_law_is_booked_as_due_only_up_to_what_was_paid(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    lines = [line(shop, "refund", amount=Decimal(900), statutory=Decimal(900))]
    offer = offers.prepare(case=case, text=OFFER, lines=lines, by=shop.agent, now=shop.now)
    assert (offer.statutory, offer.refund_extra) == (200, 700)
    decide_all(shop)
    offers.propose(case=case, how="phone", by=shop.agent, now=shop.now)
    offers.accept(case=case, by=shop.agent, now=shop.now)
    offers.execute(case=case, by=shop.agent, now=shop.now)
    assert Grant.objects.get().owed == 200
    # A second review of the same purchase has nothing due any more, and a coupon never is.
    again = talked(shop, make_case(shop))
    lines = [
        line(shop, "refund", amount=Decimal(60), statutory=Decimal(60)),
        line(shop, "coupon", coupon_type=shop.coupon, amount=Decimal(10), statutory=Decimal(10)),
    ]
    offer = offers.prepare(case=again, text=OFFER, lines=lines, by=shop.agent, now=shop.now)
    assert (offer.goodwill, offer.refund_extra, offer.statutory) == (10, 60, 0)


def test_a_customer_may_change_their_mind_before_anything_is_done(shop: Shop) -> None:
    case = agreed(shop, make_case(shop))
    offers.refuse(case=case, reason="还是想退款", by=shop.agent, now=shop.now)
    case = fresh(case)
    assert (case.status, case.renegotiations, case.offers.get().status) == ("renegotiate", 1, "refused")


def test_what_is_sold_out_is_called_off_by_a_lead_and_another_offer_made(shop: Shop) -> None:
    gift = Gift.objects.create(code="cup", name="杯子", cost=Decimal(9), stock=1, status="on")
    case = agreed(shop, make_case(shop), line(shop, "gift", gift=gift))
    Gift.objects.update(stock=0)
    with pytest.raises(DomainError):
        offers.execute(case=case, by=shop.agent, now=shop.now)
    with pytest.raises(NotPermitted):
        offers.call_off(case=case, reason="赠品断货", by=shop.agent, now=shop.now)
    offers.call_off(case=case, reason="赠品断货", by=shop.lead, now=shop.now)
    case = fresh(case)
    assert (case.status, case.renegotiations) == ("renegotiate", 0)
    assert case.offers.get().status == "cancelled" and case.offers.get().remedies.get().status == "cancelled"
    offers.prepare(case=case, text=OFFER, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now)


def test_the_only_remedy_cancelled_leads_to_another_offer(shop: Shop) -> None:
    case = agreed(shop, make_case(shop), line(shop, "refund", amount=Decimal(30)))
    planned = Remedy.objects.get()
    with pytest.raises(DomainError):
        offers.cancel_remedy(remedy=planned, reason="不要了", by=shop.lead, now=shop.now)
    offers.execute(case=case, by=shop.agent, now=shop.now)
    remedy = Remedy.objects.get()
    WorkItem.objects.filter(pk=remedy.work_id).update(status="doing")
    with pytest.raises(GuardFailed) as error:
        offers.call_off(case=case, reason="顾客不要了", by=shop.lead, now=shop.now)
    assert missing(error) == ["nothing_begun"]
    offers.cancel_remedy(remedy=remedy, reason="顾客不要了", by=shop.lead, now=shop.now)
    assert Budget.objects.get().committed == 0 and fresh(case).cost == 0
    assert set(WorkItem.objects.filter(origin_key=f"repairs.remedy:{remedy.pk}").values_list("status")) <= {
        ("cancelled",)
    }
    offers.call_off(case=case, reason="顾客不要了", by=shop.lead, now=shop.now)
    assert fresh(case).status == "renegotiate"


def test_the_departments_work_ends_with_its_remedy(shop: Shop) -> None:
    department = Department.objects.first()
    RemedyType.objects.filter(code__in=("exchange", "refund")).update(department=department, by_store=False)
    shop.types = {row.code: row for row in RemedyType.objects.all()}
    case = agreed(shop, make_case(shop), line(shop, "exchange"), line(shop, "refund", amount=Decimal(30)))
    offers.execute(case=case, by=shop.agent, now=shop.now)
    sent, paid = Remedy.objects.order_by("pk")
    offers.finish_remedy(remedy=sent, tracking_no="SF123456", carrier="顺丰", by=shop.agent, now=shop.now)
    sent.work.refresh_from_db()
    assert (sent.work.status, sent.work.evidence) == ("done", "顺丰 SF123456")
    offers.cancel_remedy(remedy=paid, reason="顾客不要了", by=shop.lead, now=shop.now)
    paid.refresh_from_db()
    assert paid.work.status == "cancelled"


# -- what was refused stays written down ----------
def test_a_refused_invitation_and_a_refused_reply_are_kept(shop: Shop) -> None:
    case = satisfied(shop, make_case(shop))
    bribe = "如果您愿意，可以按真实感受更新评价，更新后返现5元，好与不好都行。"
    with pytest.raises(GuardFailed) as error:
        invites.invite(case=case, text=bribe, how="phone", by=shop.agent, now=shop.now)
    assert "text_lawful" in missing(error)
    assert Verdict.objects.filter(subject_key=f"repair:{case.pk}", ruling="blocked").count() == 1
    with pytest.raises(Unlawful):
        replies.write(case=case, text="删除差评后给您返现五十元，请联系客服。", by=shop.agent, now=shop.now)
    assert Verdict.objects.filter(subject_key=f"repair:{case.pk}", ruling="blocked").count() == 2


HELD = "给您换一个全新的杯子，关注公众号还可以领5元券。"


def test_an_offer_whose_words_a_rule_holds_waits_and_is_sent_once(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    offer = offers.prepare(case=case, text=HELD, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now)
    for _press in range(2):
        with pytest.raises(Held):
            offers.propose(case=case, how="", send_by="platform_im", by=shop.agent, now=shop.now)
    assert fresh(case).status == "contacted"
    asked = Approval.objects.get(state="pending", kind="feedback.reply")
    approvals.decide(approval=asked, verb="approve", by=shop.legal, now=shop.now, reason="可以")
    offers.propose(case=case, how="", send_by="platform_im", by=shop.agent, now=shop.now)
    assert fresh(case).status == "proposed" and fresh(case).offers.get().status == "made"
    sent = OutboundMessage.objects.filter(period_key=f"offer-{offer.pk}")
    assert sent.count() == 1 and HeldReply.objects.get().state == "sent"


def test_words_that_wait_do_not_go_out_once_the_offer_is_taken_back(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    offer = offers.prepare(case=case, text=HELD, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now)
    with pytest.raises(Held):
        offers.propose(case=case, how="", send_by="platform_im", by=shop.agent, now=shop.now)
    offers.take_back(offer=offer, reason="措辞不当", by=shop.agent, now=shop.now)
    assert Approval.objects.get().state == "cancelled" and HeldReply.objects.get().state == "dropped"


# -- the public reply ----------
def put_out(shop: Shop, reply: PublicReply) -> None:
    assert reply.entry is not None and reply.entry.message is not None
    mark_sent(message=reply.entry.message, proof="页面可见", by=shop.agent, now=shop.now)
    replies.on_message(message_id=reply.entry.message.pk, now=shop.now)


def test_a_reply_from_before_the_talks_ended_may_end_the_case(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    put_out(shop, replies.write(case=case, text=REPLY, by=shop.agent, now=shop.now))
    cases.end_talks(case=case, reason="谈不拢", by=shop.agent, now=shop.now)
    assert fresh(case).status == "reply_due"
    replies.finish(case=case, by=shop.agent, now=shop.now)
    assert fresh(case).status == "kept_public_reply"


def test_a_reopened_case_counts_replies_and_tries_anew(shop: Shop) -> None:
    case = make_case(shop)
    for _day in range(3):
        cases.try_contact(case=case, how="phone", note="没人接", by=shop.agent, now=shop.now)
        shop.now += timedelta(days=1)
    cases.give_up_contact(case=case, by=shop.agent, now=shop.now)
    put_out(shop, replies.write(case=case, text=REPLY, by=shop.agent, now=shop.now))
    assert fresh(case).status == "kept_public_reply"
    shop.now += timedelta(days=1)
    cases.reopen(case=fresh(case), reason="顾客又追评", by=shop.agent, now=shop.now)
    with pytest.raises(GuardFailed) as error:
        cases.give_up_contact(case=fresh(case), by=shop.agent, now=shop.now)
    assert missing(error) == ["enough_tries", "enough_days"]
    talked(shop, fresh(case))
    cases.end_talks(case=fresh(case), reason="谈不拢", by=shop.agent, now=shop.now)
    with pytest.raises(GuardFailed) as error:
        replies.finish(case=fresh(case), by=shop.agent, now=shop.now)
    assert missing(error) == ["replied"]


@pytest.mark.parametrize(
    "told",
    [
        "您的电话13812345678",
        "张小明女士",
        "订单20261110000123",
        "身份证110101199003074578",
    ],
)
def test_a_public_reply_tells_nobody_who_the_customer_is(shop: Shop, told: str) -> None:
    case = talked(shop, make_case(shop))
    with pytest.raises(InvalidInput):
        replies.write(case=case, text=f"{told}，{REPLY}", by=shop.agent, now=shop.now)
    assert not PublicReply.objects.exists()
    with pytest.raises(InvalidInput):
        send_reply(
            feedback=case.feedback,
            reply=Reply(channel="public_reply", text=f"{told}，{REPLY}", token="t"),
            by=shop.agent,
            now=shop.now,
        )


def test_the_shops_own_number_may_stand_in_a_public_reply(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    Store.objects.create(code="S9", name="湖滨店", phone="13900001111", address="人民路12号3楼")
    text = (
        f"{REPLY}欢迎到人民路12号3楼来，门店电话13900001111，客服热线400-123-4567，邮箱service@shop.example。"
    )
    assert replies.write(case=case, text=text, by=shop.agent, now=shop.now).state == "written"


def test_a_coupon_that_expires_unused_has_cost_the_repair_nothing(
    shop: Shop, django_capture_on_commit_callbacks: Any
) -> None:
    lines = [line(shop, "coupon", coupon_type=shop.coupon), line(shop, "refund", amount=Decimal(30))]
    case = agreed(shop, make_case(shop), *lines)
    offers.execute(case=case, by=shop.agent, now=shop.now)
    assert fresh(case).cost == 40
    refund = Remedy.objects.get(type__code="refund")
    offers.finish_remedy(remedy=refund, proof=picture(), actual_cost=Decimal(25), by=shop.agent, now=shop.now)
    assert fresh(case).cost == 35
    later = shop.now + timedelta(days=40)
    with django_capture_on_commit_callbacks(execute=True):
        assert expire_due(now=later) == 1
    case = fresh(case)
    assert (case.cost, case.updated_at) == (25, later)


# -- who it was promised to, and what was sent ----------
def unknown(case: RepairCase) -> RepairCase:
    RepairCase.objects.filter(pk=case.pk).update(customer=None)
    Feedback.objects.filter(pk=case.feedback_id).update(customer=None)
    return fresh(case)


def test_nothing_of_value_is_promised_to_nobody(shop: Shop) -> None:
    """Whose cap would count? An apology and an exchange are promised all the same."""
    case = talked(shop, unknown(make_case(shop)))
    with pytest.raises(InvalidInput):
        offers.prepare(case=case, text=OFFER, lines=goodwill(shop, 1), by=shop.agent, now=shop.now)
    offers.prepare(case=case, text=OFFER, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now)


def test_a_promise_to_one_customer_is_judged_again_for_another(shop: Shop) -> None:
    offers.execute(case=agreed(shop, make_case(shop), *goodwill(shop, 3)), by=shop.lead, now=shop.now)
    case = make_case(shop)
    other = Customer.objects.create(name="李四")
    RepairCase.objects.filter(pk=case.pk).update(customer=other)
    Feedback.objects.filter(pk=case.feedback_id).update(customer=other)
    case = agreed(shop, fresh(case), *goodwill(shop, 3))
    Feedback.objects.filter(pk=case.feedback_id).update(customer=shop.customer)
    cases.follow_feedback(feedback_id=case.feedback_id, now=shop.now)
    with pytest.raises(NotPermitted):
        offers.execute(case=fresh(case), by=shop.agent, now=shop.now)
    assert Grant.objects.filter(customer=shop.customer).count() == 3


def test_a_promise_counts_on_the_day_it_was_made_and_on_no_other(shop: Shop) -> None:
    SpendingLevel.objects.filter(code="agent").update(day_limit=30)
    case = agreed(shop, make_case(shop), *goodwill(shop, 3))
    shop.now += timedelta(days=1)
    offers.execute(case=case, by=shop.other, now=shop.now)
    third = make_case(shop)
    RepairCase.objects.filter(pk=third.pk).update(customer=Customer.objects.create(name="李四"))
    case = talked(shop, fresh(third))
    offer = offers.prepare(case=case, text=OFFER, lines=goodwill(shop, 1), by=shop.agent, now=shop.now)
    assert offer.status == "ready", offer.reasons


def held(shop: Shop) -> RepairCase:
    """An offer whose words wait for a second person."""
    case = talked(shop, make_case(shop))
    offers.prepare(case=case, text=HELD, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now)
    with pytest.raises(Held):
        offers.propose(case=case, how="", send_by="platform_im", by=shop.agent, now=shop.now)
    return fresh(case)


def test_words_that_wait_do_not_go_out_once_it_was_said_by_telephone(shop: Shop) -> None:
    case = held(shop)
    offers.propose(case=case, how="phone", by=shop.agent, now=shop.now)
    assert not Approval.objects.filter(state="pending", kind="feedback.reply").exists()
    offers.refuse(case=case, reason="要退款", by=shop.agent, now=shop.now)
    assert HeldReply.objects.get().state == "dropped" and not OutboundMessage.objects.exists()


def test_what_was_sent_is_not_taken_back(shop: Shop) -> None:
    case = held(shop)
    asked = Approval.objects.get(state="pending", kind="feedback.reply")
    approvals.decide(approval=asked, verb="approve", by=shop.legal, now=shop.now, reason="可以")
    with pytest.raises(DomainError):
        offers.take_back(offer=case.offers.get(), reason="不给了", by=shop.agent, now=shop.now)
    offers.propose(case=case, how="", send_by="platform_im", by=shop.agent, now=shop.now)
    assert fresh(case).status == "proposed"


def test_an_offer_whose_message_failed_is_sent_again(shop: Shop) -> None:
    case = held(shop)
    asked = Approval.objects.get(state="pending", kind="feedback.reply")
    approvals.decide(approval=asked, verb="approve", by=shop.legal, now=shop.now, reason="可以")
    OutboundMessage.objects.update(state="failed")
    offers.propose(case=case, how="", send_by="platform_im", by=shop.agent, now=shop.now)
    assert sorted(OutboundMessage.objects.values_list("state", flat=True)) == ["failed", "to_do"]


def test_the_words_sent_are_those_of_the_offer_that_is_made(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A colleague takes the offer back and writes another while the law reads the first."""
    case = talked(shop, make_case(shop))
    first = offers.prepare(case=case, text=OFFER, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now)
    real = offers.answers.clear

    def slow(**values: Any) -> None:
        real(**values)
        offers.take_back(offer=first, reason="改", by=shop.agent, now=shop.now)
        text = "给您补一张十元券表示歉意。"
        offers.prepare(case=fresh(case), text=text, lines=goodwill(shop, 1), by=shop.agent, now=shop.now)

    monkeypatch.setattr(offers.answers, "clear", slow)
    with pytest.raises(StaleState):
        offers.propose(case=case, how="", send_by="platform_im", by=shop.agent, now=shop.now)
    assert not OutboundMessage.objects.exists() and fresh(case).status == "contacted"


def test_of_two_bookings_at_once_the_later_sum_is_written(shop: Shop) -> None:
    """The case is locked before it is summed."""
    case = agreed(shop, make_case(shop), line(shop, "refund", amount=Decimal(30)))
    offers.execute(case=case, by=shop.agent, now=shop.now)
    with CaptureQueriesContext(connection) as seen:
        recount(case.pk, now=shop.now)
    tables = [row["sql"] for row in seen.captured_queries if "SELECT" in row["sql"]]
    assert "repairs_repaircase" in tables[0] and "SUM" in tables[1].upper()


def test_a_reply_under_a_name_that_is_none_is_possible(shop: Shop) -> None:
    Customer.objects.filter(pk=shop.customer.pk).update(name="客服")
    assert replies.write(case=talked(shop, make_case(shop)), text=REPLY, by=shop.agent, now=shop.now)


def test_the_page_says_that_the_words_have_not_left_yet(shop: Shop, client: Client) -> None:
    case = talked(shop, make_case(shop))
    url = reverse("admin:repairs_repaircase_change", args=[case.pk])
    client.force_login(shop.agent)
    # Without an offer nothing is said of how lawful it is.
    assert "方案用语合法" not in client.get(url).content.decode()
    offers.prepare(case=case, text=OFFER, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now)
    offers.propose(case=case, how="", send_by="platform_im", by=shop.agent, now=shop.now)
    assert "还没有发出" in client.get(url).content.decode()
    mark_sent(message=OutboundMessage.objects.get(), proof="已发", by=shop.agent, now=shop.now)
    assert "还没有发出" not in client.get(url).content.decode()


def test_the_last_remedy_done_is_not_overdue_at_once(shop: Shop) -> None:
    case = agreed(shop, make_case(shop))
    offers.execute(case=case, by=shop.agent, now=shop.now)
    offers.finish_remedy(
        remedy=Remedy.objects.get(), tracking_no="SF123456", carrier="顺丰", by=shop.agent, now=shop.now
    )
    assert not fresh(case).is_overdue(shop.now + timedelta(hours=1))
