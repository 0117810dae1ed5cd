"""The pages of repairs: who may, what is asked, what is explained, how many statements it takes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core.models import Approval
from apps.messaging.models import OutboundMessage
from apps.messaging.services.outbox import mark_sent
from apps.repairs.models import Offer, RepairCase
from apps.repairs.services import cases, offers, replies
from tests.factories import make_user, queries
from tests.repairs.world import (
    INVITATION,
    OFFER,
    REPLY,
    Shop,
    agreed,
    fresh,
    line,
    make_case,
    make_shop,
    picture,
    satisfied,
    talked,
    with_evidence,
)

pytestmark = pytest.mark.django_db
LIST = reverse("admin:repairs_repaircase_changelist")


@pytest.fixture
def shop(db: None) -> Shop:
    return make_shop()


def page(case: RepairCase) -> str:
    return reverse("admin:repairs_repaircase_change", args=[case.pk])


def move(case: RepairCase, verb: str) -> str:
    return reverse("admin:repairs_repaircase_move", args=[case.pk, verb])


def text_of(response: Any) -> str:
    return response.content.decode()


@pytest.fixture
def agent(client: Client, shop: Shop) -> Client:
    client.force_login(shop.agent)
    return client


def test_every_page_names_its_permission(client: Client, shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    stranger = make_user("nobody")
    client.force_login(stranger)
    for address in (
        LIST,
        page(case),
        move(case, "propose"),
        reverse("admin:repairs_repaircase_offer", args=[case.pk]),
        reverse("admin:repairs_repaircase_reply", args=[case.pk]),
        reverse("admin:repairs_repaircase_open", args=[case.feedback_id]),
    ):
        # What a person may not even see is not there.
        assert client.get(address).status_code in (403, 404), address
    client.force_login(make_user("eyes", "analyst"))
    assert client.get(page(case)).status_code == 200
    assert client.get(reverse("admin:repairs_repaircase_offer", args=[case.pk])).status_code == 403


def test_nothing_moves_by_get(agent: Client, shop: Shop) -> None:
    case = make_case(shop)
    for verb in ("contact", "dismiss", "suspect"):
        assert agent.get(move(case, verb)).status_code == 200
    assert fresh(case).status == "triaged"
    assert agent.get(reverse("admin:repairs_repaircase_still_there", args=[case.pk])).status_code == 405


def test_the_queue_asks_the_same_for_one_and_for_fifty(agent: Client, shop: Shop) -> None:
    make_case(shop)
    agent.get(LIST)
    with queries() as one:
        assert agent.get(LIST).status_code == 200
    for _number in range(30):
        make_case(shop)
    with queries() as many:
        assert agent.get(LIST).status_code == 200
    assert len(many) == len(one)


@pytest.mark.parametrize(
    "tab",
    [
        "open",
        "mine",
        "overdue",
        "contact",
        "offer",
        "remedy",
        "callback",
        "invite",
        "reply",
        "appeal",
        "unseen",
        "ended",
        "nonsense",
    ],
)
def test_every_tab_opens(agent: Client, shop: Shop, tab: str) -> None:
    make_case(shop)
    assert agent.get(LIST, {"tab": tab, "store": "x", "after": "-5", "tier": "Z"}).status_code == 200


def test_the_talk_is_recorded_on_the_page(agent: Client, shop: Shop) -> None:
    case = make_case(shop)
    agent.post(
        move(case, "contact"),
        {"how": "phone", "said": "很抱歉", "wishes": "换新", "apologised": "on", "seen": "triaged"},
    )
    assert fresh(case).status == "contacted"


def test_a_refusal_says_why_and_loses_no_word(agent: Client, shop: Shop) -> None:
    case = make_case(shop)
    answer = agent.post(
        move(case, "contact"),
        {"how": "phone", "said": "抱歉，把差评改一下吧", "wishes": "换新", "apologised": "on"},
    )
    body = text_of(answer)
    assert "没有提到评价" in body and "把差评改一下吧" in body
    assert fresh(case).status == "triaged"


def test_the_form_says_beforehand_what_is_missing(agent: Client, shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    body = text_of(agent.get(move(case, "propose")))
    assert "请先准备方案" in body


def offer_form(case: RepairCase, shop: Shop, **values: str) -> dict[str, str]:
    refund = shop.types["refund"].pk
    return {"text": OFFER, f"r{refund}-use": "on", f"r{refund}-amount": "150"} | values


def test_an_offer_above_the_limit_waits_and_says_for_whom(agent: Client, shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    address = reverse("admin:repairs_repaircase_offer", args=[case.pk])
    assert agent.get(address).status_code == 200
    answer = agent.post(address, offer_form(case, shop), follow=True)
    assert "第二人" in text_of(answer)
    assert Offer.objects.get().status == "waiting"
    assert Approval.objects.filter(state="pending").count() == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"text": "把差评删了就退您150元"}, "不得附带条件"),
        ({"text": "给您的方案:〔方案〕"}, "〔"),
        ({"text": ""}, "必填"),
        ({"amount": "-5"}, "0"),
        ({"amount": "abc"}, "数字"),
    ],
)
def test_a_bad_offer_is_explained(agent: Client, shop: Shop, values: dict[str, str], words: str) -> None:
    case = talked(shop, make_case(shop))
    refund = shop.types["refund"].pk
    data = offer_form(case, shop)
    data |= {(f"r{refund}-amount" if name == "amount" else name): value for name, value in values.items()}
    answer = agent.post(reverse("admin:repairs_repaircase_offer", args=[case.pk]), data)
    assert answer.status_code == 200 and words in text_of(answer)
    assert not Offer.objects.exists()


def test_an_offer_without_remedies_is_refused(agent: Client, shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    answer = agent.post(reverse("admin:repairs_repaircase_offer", args=[case.pk]), {"text": OFFER})
    assert "至少选择一项补救" in text_of(answer)


def test_the_whole_way_on_the_pages(client: Client, shop: Shop) -> None:
    """As the issue asks: contact → offer above the limit, approved by another → exchange → callback → invitation → withdrawn."""
    client.force_login(shop.agent)
    case = make_case(shop)
    client.post(
        move(case, "contact"), {"how": "phone", "said": "很抱歉", "wishes": "换新", "apologised": "on"}
    )
    exchange, discount = shop.types["exchange"].pk, shop.types["discount"].pk
    client.post(
        reverse("admin:repairs_repaircase_offer", args=[case.pk]),
        {"text": OFFER, f"r{exchange}-use": "on", f"r{discount}-use": "on", f"r{discount}-amount": "120"},
    )
    client.force_login(shop.lead)
    approval = Approval.objects.get(state="pending")
    client.post(reverse("admin:core_approval_move", args=[approval.pk, "approve"]), {"seen": "pending"})
    client.force_login(shop.agent)
    client.post(move(case, "propose"), {"way": "phone"})
    client.post(move(case, "accept"), {"note": "可以"})
    client.post(move(case, "execute"), {})
    assert fresh(case).status == "executing"
    for remedy in Offer.objects.get().remedies.filter(status="doing"):
        client.post(
            reverse("admin:repairs_repaircase_remedy", args=[case.pk, remedy.pk, "finish"]),
            {"tracking_no": "SF123456", "proof": picture(), "actual_cost": str(remedy.amount)},
        )
    client.post(move(case, "complete"), {})
    assert fresh(case).status == "callback"
    callback = case.feedback.callbacks.get()
    by = shop.other if callback.not_by_id == shop.agent.pk else shop.agent
    client.force_login(by)
    client.post(move(case, "satisfied"), {"satisfaction": "5", "how": "phone", "said": "很满意"})
    assert fresh(case).status == "satisfied"
    hour = timezone.localtime().hour
    answer = client.post(move(case, "invite"), {"way": "phone", "text": INVITATION})
    if not 8 <= hour < 21:
        assert "允许的时段" in text_of(answer)
        RepairCase.objects.filter(pk=case.pk).update(
            status="invited", invited_at=timezone.now(), invitation=INVITATION
        )
    assert fresh(case).status == "invited"
    RepairCase.objects.filter(pk=case.pk).update(unseen_since=timezone.now())
    client.force_login(shop.lead)
    client.post(move(case, "confirm_withdrawn"), {"reason": "页面已删除", "proof": picture()})
    assert fresh(case).status == "withdrawn"


def test_what_only_imports_may_do_has_no_button(agent: Client, shop: Shop) -> None:
    case = make_case(shop)
    assert agent.get(move(case, "see_revised")).status_code == 404
    assert agent.post(move(case, "see_revised")).status_code == 404
    assert "confirm_withdrawn" not in text_of(agent.get(page(case)))


def test_pages_of_every_stage_open(client: Client, shop: Shop) -> None:
    client.force_login(shop.lead)
    stages = [
        make_case(shop),
        talked(shop, make_case(shop)),
        agreed(shop, make_case(shop)),
        with_evidence(shop, make_case(shop)),
        satisfied(shop, make_case(shop)),
    ]
    for case in stages:
        body = text_of(client.get(page(case)))
        assert case.number in body and "13812345678" not in body


def test_a_repair_is_opened_from_the_feedback(agent: Client, shop: Shop) -> None:
    from tests.factories import arrive

    feedback = arrive("A", channel="hotline")
    address = reverse("admin:repairs_repaircase_open", args=[feedback.pk])
    assert address in text_of(agent.get(reverse("admin:feedback_feedback_change", args=[feedback.pk])))
    agent.post(address, {"reason": "电话里要求公开道歉"})
    assert RepairCase.objects.filter(feedback=feedback).exists()


def test_remedies_are_finished_with_what_they_need(agent: Client, shop: Shop) -> None:
    case = agreed(shop, make_case(shop), line(shop, "refund", amount=Decimal(60)))
    offers.execute(case=case, by=shop.agent, now=shop.now)
    remedy = Offer.objects.get().remedies.get()
    address = reverse("admin:repairs_repaircase_remedy", args=[case.pk, remedy.pk, "finish"])
    assert agent.post(address, {}).status_code == 200
    remedy.refresh_from_db()
    assert remedy.status == "doing"
    assert agent.post(address, {"proof": picture(), "actual_cost": "99"}).status_code == 200
    agent.post(address, {"proof": picture(), "actual_cost": "50"})
    remedy.refresh_from_db()
    assert (remedy.status, remedy.actual_cost) == ("done", Decimal(50))
    assert (
        agent.get(
            reverse("admin:repairs_repaircase_remedy", args=[case.pk, remedy.pk, "explode"])
        ).status_code
        == 404
    )


def test_a_store_sees_its_own(client: Client, shop: Shop) -> None:
    from tests.factories import make_profile, make_store

    mine, other = make_store("mine"), make_store("other")
    here, there = make_case(shop), make_case(shop)
    RepairCase.objects.filter(pk=here.pk).update(store=mine)
    RepairCase.objects.filter(pk=there.pk).update(store=other)
    keeper = make_user("keeper", "store")
    make_profile(keeper, stores=[mine])
    client.force_login(keeper)
    body = text_of(client.get(LIST))
    assert here.number in body and there.number not in body
    assert client.get(page(there)).status_code == 404


def test_the_first_page_says_what_is_next(agent: Client, shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    assert case.feedback.snippet[:10] in text_of(agent.get("/admin/"))
    cases.end_talks(case=case, reason="谈不拢", by=shop.agent, now=shop.now + timedelta(hours=1))
    assert agent.get("/admin/").status_code == 200


def test_a_public_reply_that_will_not_go_out_does_not_wait_to_be_posted(agent: Client, shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    reply = replies.write(case=case, text=REPLY, by=shop.agent, now=shop.now)
    back = reverse("admin:repairs_repaircase_withdraw_reply", args=[case.pk, reply.pk])
    sent = reverse("admin:feedback_feedback_reply_sent", args=[case.feedback_id, reply.entry.message_id])
    shown = text_of(agent.get(page(case)))
    assert back in shown and sent in shown and "待发布到平台" in shown
    assert agent.get(back).status_code == 405
    agent.post(back)
    message = OutboundMessage.objects.get(pk=reply.entry.message_id)
    assert message.state == "cancelled"
    for state, label in (("cancelled", "已取消"), ("refused", "不允许发送"), ("failed", "失败")):
        OutboundMessage.objects.filter(pk=message.pk).update(state=state)
        shown = text_of(agent.get(page(case)))
        assert back not in shown and sent not in shown and "待发布到平台" not in shown, state
        assert label in shown and reverse("admin:repairs_repaircase_reply", args=[case.pk]) in shown
    # Another is written and posted; what stands on the platform is not taken back.
    second = replies.write(case=fresh(case), text=REPLY, by=shop.agent, now=shop.now)
    again = reverse("admin:repairs_repaircase_withdraw_reply", args=[case.pk, second.pk])
    mark_sent(message=second.entry.message, proof="评价下方", by=shop.agent, now=shop.now)
    agent.post(again)
    assert OutboundMessage.objects.get(pk=second.entry.message_id).state == "sent"
    agent.logout()
    agent.force_login(make_user("eyes", "analyst"))
    assert agent.post(again).status_code == 403
