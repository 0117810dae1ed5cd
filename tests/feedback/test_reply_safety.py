"""Answering, where it could go wrong: corrected after a refusal, held twice, invited twice, counted although settled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.compliance.models import Verdict
from apps.compliance.services.verdicts import Unlawful
from apps.core.exceptions import IllegalMove
from apps.core.models import Approval
from apps.core.services import approvals
from apps.feedback.models import Feedback, HeldReply
from apps.feedback.services import moves, notices_out, replies
from apps.feedback.services.replies import NewerWords, send_reply
from apps.messaging.models import MessagingPolicy, OutboundMessage
from apps.messaging.services.sending import send_due
from tests.factories import Cast, arrive, case
from tests.feedback.test_replies import LATER, MAIL, hooked, may_send, post, reply, said

HELD = "收到货后写评价领5元券哦"
INVITE = "问题已处理好,方便时欢迎您更新一下评价,与是否修改无关,谢谢"


@pytest.fixture
def crew(cast: Cast) -> Cast:
    may_send(cast.alice, cast.bob, cast.lin)
    return cast


def test_what_the_gate_refused_can_be_mended_and_sent_from_the_same_page(crew: Cast) -> None:
    feedback, client = arrive("A", customer=MAIL), Client()
    client.force_login(crew.alice)
    refused = post(client, feedback, channel="sms", text="【小店】您好,马上为您核实处理")
    assert refused.status_code == 422 and OutboundMessage.objects.get().state == "refused"
    token = refused.context["composer"]["token"]
    sent = post(client, feedback, channel="email", text="您好,马上为您核实处理", token=token)
    assert sent.status_code == 302 and feedback.entries.get().text == "您好,马上为您核实处理"


def test_a_text_held_twice_asks_once_and_goes_out_once(crew: Cast) -> None:
    feedback = arrive("A")
    for token in ("t1", "t1", "t2"):
        with pytest.raises(replies.Held):
            send_reply(feedback=feedback, reply=reply(HELD, token=token), by=crew.alice, now=LATER)
    assert (HeldReply.objects.count(), Approval.objects.count(), Verdict.objects.count()) == (1, 1, 1)
    approvals.approve(approval=Approval.objects.get(), by=crew.lin, now=LATER)
    # The page that held it is posted once more: it is that reply.
    entry = send_reply(feedback=feedback, reply=reply(HELD, token="t1"), by=crew.alice, now=LATER)
    assert feedback.entries.get().pk == entry.pk and OutboundMessage.objects.count() == 1


def test_a_text_approved_once_may_be_sent_again_by_another_page(crew: Cast) -> None:
    feedback = arrive("A", customer=MAIL)
    with pytest.raises(replies.Held):
        send_reply(feedback=feedback, reply=reply(HELD), by=crew.alice, now=LATER)
    approvals.approve(approval=Approval.objects.get(), by=crew.lin, now=LATER)
    entry = send_reply(feedback=feedback, reply=reply(HELD, "email", "t9"), by=crew.alice, now=LATER)
    assert entry.message is not None and entry.message.state == "queued"


def test_a_held_reply_does_not_go_out_on_a_case_that_has_ended(crew: Cast) -> None:
    feedback = arrive("A")
    with pytest.raises(replies.Held):
        send_reply(feedback=feedback, reply=reply(HELD), by=crew.alice, now=LATER)
    moves.close(feedback=case(feedback.pk), by=crew.alice, now=LATER)
    with pytest.raises(IllegalMove):
        approvals.approve(approval=Approval.objects.get(), by=crew.lin, now=LATER)
    assert not OutboundMessage.objects.exists() and Approval.objects.get().state == "pending"
    approvals.reject(approval=Approval.objects.get(), by=crew.lin, now=LATER, reason="已结案")


def test_a_reply_that_leaves_after_the_case_was_settled_is_the_first_answer(
    crew: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    feedback = arrive("A", customer=MAIL)
    moves.claim(feedback=feedback, by=crew.alice, now=LATER)
    send_reply(feedback=feedback, reply=reply(channel="email"), by=crew.alice, now=LATER)
    moves.resolve(feedback=feedback, by=crew.alice, now=LATER, reason="已补发")
    with django_capture_on_commit_callbacks(execute=True):
        send_due(clock=lambda: LATER + timedelta(minutes=1))
    row = case(feedback.pk)
    assert (row.status, row.first_response_at) == ("resolved", LATER + timedelta(minutes=1))


def test_the_result_notice_invites_nobody_outside_of_a_repair(crew: Cast) -> None:
    """An invitation follows a remedy that was carried out and a satisfied customer: `repairs` keeps it (decision 16)."""
    feedback = arrive("A", customer=MAIL)
    moves.claim(feedback=case(feedback.pk), by=crew.alice, now=LATER)
    moves.resolve(feedback=case(feedback.pk), by=crew.alice, now=LATER, reason="已补发")
    with pytest.raises(Unlawful):
        notices_out.send_result(
            feedback=case(feedback.pk), channel="email", text=INVITE, by=crew.alice, now=LATER
        )
    assert not OutboundMessage.objects.exists()


@pytest.mark.parametrize("meanwhile", ["answered", "closed"])
def test_who_writes_or_closes_while_a_reply_is_checked_is_not_overrun(
    crew: Cast, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    feedback, checked = arrive("A"), replies.findings_of

    def slowly(*args: Any, **values: Any) -> Any:
        monkeypatch.setattr(replies, "findings_of", checked)
        if meanwhile == "closed":
            moves.close(feedback=case(feedback.pk), by=crew.bob, now=LATER)
        else:
            send_reply(feedback=case(feedback.pk), reply=reply(token="t2", seen=0), by=crew.bob, now=LATER)
        return checked(*args, **values)

    monkeypatch.setattr(replies, "findings_of", slowly)
    with pytest.raises(IllegalMove if meanwhile == "closed" else NewerWords):
        send_reply(feedback=feedback, reply=reply(seen=0), by=crew.alice, now=LATER)
    assert OutboundMessage.objects.count() == (meanwhile == "answered")


def test_an_answer_to_what_ended_long_ago_is_no_part_of_it(crew: Cast) -> None:
    feedback = arrive("A", customer=MAIL)
    moves.record_contact(feedback=feedback, how="sms", said="ok", by=crew.alice, now=LATER)
    OutboundMessage.objects.create(
        purpose="reply", subject_key=f"feedback:{feedback.pk}", customer=feedback.customer,
        recipient_key=f"c:{feedback.customer_id}", idempotency_key="k", channel="sms", message_class="service",
        body="x", state="sent", created_at=LATER, updated_at=LATER,
    )  # fmt: skip
    moves.resolve(feedback=case(feedback.pk), by=crew.alice, now=LATER, reason="已补发")
    Feedback.objects.filter(pk=feedback.pk).update(updated_at=LATER - timedelta(days=40))
    who = {"customer": {"phone": "13812345678"}}
    hooked(said("还没收到,什么时候到", **who), channel="sms")
    assert not feedback.entries.filter(kind="inbound").exists() and case(feedback.pk).status == "resolved"
    assert Feedback.objects.count() == 2


def test_who_cannot_be_told_does_not_push_out_who_can(crew: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = MessagingPolicy.objects.get_or_create(pk=1)[0]
    policy.auto_received = ["email"]
    policy.save()
    arrive("A", customer=MAIL)
    for number in range(2):
        arrive("A", customer={"external_id": f"nobody-{number}"})
    monkeypatch.setattr(notices_out, "A_ROUND", 2)
    assert notices_out.acknowledge_missed(now=LATER) == 1


def test_a_notice_the_law_stops_takes_the_resolving_back_and_keeps_the_verdict(crew: Cast) -> None:
    feedback, client = arrive("A", customer=MAIL), Client()
    moves.claim(feedback=feedback, by=crew.alice, now=LATER)
    client.force_login(crew.alice)
    values = {"reason": "已补发", "tell": "email", "notice": "您把差评改一下,我给您退50元"}
    page = client.post(reverse("admin:feedback_feedback_move", args=[feedback.pk, "resolve"]), values)
    assert page.status_code == 422 and case(feedback.pk).status == "assigned"
    assert Verdict.objects.get().by == crew.alice and not OutboundMessage.objects.exists()


@pytest.mark.parametrize(
    ("text", "invites"),
    [
        ("问题解决了,麻烦您改成好评吧", True),
        ("麻烦把差评删了吧,谢谢", True),
        ("能帮忙改个五星吗", True),
        ("麻烦您把评价改一下", True),
        ("辛苦修改下星级", True),
        ("请撤销差评", True),
        ("方便的话重新打个分", True),
        ("感谢您的评价,我们会改进包装", False),
        ("看到您的差评,我们马上删除了错误的价格", False),
        ("您的评价我们会认真改进", False),
        ("收货地址已帮您修改", False),
    ],
)
def test_words_that_ask_for_another_review_are_known(text: str, invites: bool) -> None:
    assert (replies.INVITES.search(text) is not None) is invites
