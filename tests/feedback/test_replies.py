"""Answering on a case: the law before, the outbox between, the clock after (R20, R24, R53)."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.compliance.models import Verdict
from apps.compliance.services.verdicts import Unlawful
from apps.core.exceptions import DomainError, InvalidInput
from apps.core.models import Approval, StaffNotice
from apps.core.services import approvals
from apps.customers.models import Customer, CustomerIdentity
from apps.feedback.models import Channel, Entry, Feedback, Macro, WebhookSecret
from apps.feedback.selectors.composer import composer, salutation
from apps.feedback.services import macros, moves, notices_out, presence, replies
from apps.feedback.services.replies import NewerWords, Reply, send_reply
from apps.messaging.models import InboundMessage, MessageTemplate, MessagingPolicy, OutboundMessage
from apps.messaging.registries import satisfaction_link
from apps.messaging.services.sending import send_due
from tests.factories import NOW, Cast, arrive, case, clocks, make_cast, queries, told, verbs

LATER = NOW + timedelta(minutes=20)
TEXT = "您好,给您添麻烦了,我们马上核实物流,18:00 前回复您。"
MAIL = {"external_id": "tb-1", "nickname": "小雨", "email": "rain@example.com", "phone": "13812345678"}


def may_send(*people: Any) -> None:
    permission = Permission.objects.get(content_type__app_label="messaging", codename="send_message")
    for person in people:
        person.user_permissions.add(permission)
        for name in ("_perm_cache", "_user_perm_cache", "_group_perm_cache"):
            person.__dict__.pop(name, None)


@pytest.fixture
def crew(cast: Cast) -> Cast:
    may_send(cast.alice, cast.bob, cast.lin)
    return cast


def reply(text: str = TEXT, channel: str = "platform_im", token: str = "t1", **values: Any) -> Reply:
    return Reply(channel=channel, text=text, token=token, **values)


def post(client: Client, feedback: Feedback, **values: Any) -> Any:
    data = {"channel": "platform_im", "text": TEXT, "token": "t1", "seen": 0} | values
    return client.post(reverse("admin:feedback_feedback_reply", args=[feedback.pk]), data)


def test_a_platform_reply_counts_when_a_person_says_it_is_there(
    crew: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    feedback = arrive("A", customer=MAIL)
    entry = send_reply(feedback=feedback, reply=reply(), by=crew.alice, now=LATER)
    assert entry.message is not None and entry.message.state == "to_do"
    assert clocks(feedback)["first_response"].state == "running"
    done = LATER + timedelta(minutes=5)
    with django_capture_on_commit_callbacks(execute=True):
        replies.carried(message=entry.message, proof="聊天 10:25", by=crew.alice, now=done)
    clock, row = clocks(feedback)["first_response"], case(feedback.pk)
    assert (clock.state, clock.stopped_at) == ("met", done)
    assert (row.status, row.first_response_at) == ("in_progress", done)
    assert verbs(row)[-1] == "record_contact"


def test_an_automatic_way_counts_when_the_gateway_took_it_and_only_once(
    crew: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    feedback = arrive("A", customer=MAIL)
    entry = send_reply(feedback=feedback, reply=reply(channel="email"), by=crew.alice, now=LATER)
    assert clocks(feedback)["first_response"].state == "running"
    with django_capture_on_commit_callbacks(execute=True):
        send_due(clock=lambda: LATER)
    entry.refresh_from_db()
    assert entry.settled_at is not None and clocks(feedback)["first_response"].state == "met"
    before = verbs(feedback)
    assert replies.settle(message_id=entry.message_id, now=LATER) is False
    assert replies.settle_missed(now=LATER) == 0 and verbs(feedback) == before


def test_a_crash_between_sending_and_counting_is_made_good_by_the_sweep(crew: Cast) -> None:
    feedback = arrive("A", customer=MAIL)
    entry = send_reply(feedback=feedback, reply=reply(), by=crew.alice, now=LATER)
    OutboundMessage.objects.filter(pk=entry.message_id).update(state="sent", sent_at=LATER)
    assert replies.settle_missed(now=LATER + timedelta(hours=1)) == 1
    assert clocks(feedback)["first_response"].stopped_at == LATER


def test_the_same_page_sent_twice_is_one_reply(crew: Cast) -> None:
    feedback = arrive("A")
    first = send_reply(feedback=feedback, reply=reply(), by=crew.alice, now=LATER)
    again = send_reply(feedback=feedback, reply=reply(), by=crew.alice, now=LATER)
    assert first.pk == again.pk and OutboundMessage.objects.count() == 1


def test_a_benefit_for_changing_a_review_is_blocked_kept_and_given_back(crew: Cast) -> None:
    feedback, bad = arrive("A"), "您把差评改一下,我给您退50元"
    client = Client()
    client.force_login(crew.alice)
    page = post(client, feedback, text=bad)
    html = page.content.decode()
    assert page.status_code == 422 and bad in html and "REV-02" in html
    assert not OutboundMessage.objects.exists() and not feedback.entries.exists()
    verdict = Verdict.objects.get()
    assert (verdict.ruling, verdict.by, verdict.subject_key) == (
        "blocked",
        crew.alice,
        f"feedback:{feedback.pk}",
    )
    check = client.post(
        reverse("admin:feedback_feedback_reply_check", args=[feedback.pk]),
        {"text": bad, "channel": "platform_im"},
    )
    assert "REV-02" in check.content.decode() and Verdict.objects.count() == 1


def test_a_text_that_needs_release_goes_out_with_the_second_persons_yes(crew: Cast) -> None:
    feedback, text = arrive("A"), "收到货后写评价领5元券哦"
    with pytest.raises(replies.Held):
        send_reply(feedback=feedback, reply=reply(text), by=crew.alice, now=LATER)
    assert not OutboundMessage.objects.exists()
    approval = Approval.objects.get()
    with pytest.raises(DomainError):
        approvals.approve(approval=approval, by=crew.alice, now=LATER)
    approvals.approve(approval=approval, by=crew.lin, now=LATER)
    entry = feedback.entries.get()
    assert (entry.text, entry.by) == (text, crew.alice) and Verdict.objects.get().ruling == "approved"


def test_inviting_to_a_review_before_the_case_is_settled_is_stopped(crew: Cast) -> None:
    feedback = arrive("A")
    with pytest.raises(Unlawful) as refused:
        send_reply(
            feedback=feedback, reply=reply("如您愿意,可自行决定是否更新评价"), by=crew.alice, now=LATER
        )
    assert [finding.rule for finding in refused.value.params["findings"]] == ["REV-10"]


def test_two_who_answer_at_once_are_told(crew: Cast) -> None:
    feedback = arrive("A")
    send_reply(feedback=feedback, reply=reply(seen=0), by=crew.bob, now=LATER)
    with pytest.raises(NewerWords, match="Bob"):
        send_reply(feedback=feedback, reply=reply(token="t2", seen=0), by=crew.alice, now=LATER)
    client = Client()
    client.force_login(crew.alice)
    page = post(client, feedback, token="t2")
    assert (
        page.status_code == 422 and TEXT in page.content.decode() and 'name="anyway"' in page.content.decode()
    )
    assert post(client, feedback, token="t2", anyway="1").status_code == 302
    assert feedback.entries.filter(kind="reply").count() == 2


def test_presence_names_who_writes_and_forgets(crew: Cast) -> None:
    feedback = arrive("A")
    presence.beat(feedback=feedback, user=crew.bob, typing=True, now=NOW)
    assert presence.beat(feedback=feedback, user=crew.alice, typing=False, now=NOW)["others"] == [
        {"name": str(crew.bob), "writes": True}
    ]
    after = NOW + timedelta(minutes=2)
    assert presence.beat(feedback=feedback, user=crew.alice, typing=False, now=after)["others"] == []


def test_what_the_gate_refuses_is_said_and_nothing_counted(crew: Cast) -> None:
    feedback = arrive("A", customer=MAIL)
    Customer.objects.update(state="restricted")
    feedback = case(feedback.pk)
    with pytest.raises(InvalidInput):
        send_reply(feedback=feedback, reply=reply(channel="email"), by=crew.alice, now=LATER)
    assert OutboundMessage.objects.get().state == "refused"
    assert not feedback.entries.exists() and clocks(feedback)["first_response"].state == "running"


def test_who_may_not_send_may_not_reply(cast: Cast) -> None:
    feedback, client = arrive("A"), Client()
    client.force_login(cast.ann)
    assert post(client, feedback).status_code == 403
    assert client.get(reverse("admin:feedback_feedback_reply", args=[feedback.pk])).status_code == 405


def test_the_page_costs_the_same_queries_for_one_and_for_many_lines(crew: Cast) -> None:
    feedback, client = arrive("A", customer=MAIL), Client()
    client.force_login(crew.alice)
    url = reverse("admin:feedback_feedback_change", args=[feedback.pk])
    send_reply(feedback=feedback, reply=reply(), by=crew.alice, now=LATER)
    client.get(url)
    with queries() as few:
        client.get(url)
    for number in range(20):
        send_reply(
            feedback=feedback, reply=reply(f"{TEXT}{number}", token=f"n{number}"), by=crew.alice, now=LATER
        )
    with queries() as many:
        client.get(url)
    assert len(many) == len(few)


def test_the_composer_masks_and_fills(crew: Cast) -> None:
    feedback = arrive("A", customer=MAIL | {"nickname": "13912345678"})
    Customer.objects.update(name="欧阳小雨", gender="f")
    offered = composer(case(feedback.pk), crew.alice, NOW)
    texts = " ".join(row["text"] for row in offered["templates"])
    assert "欧阳女士" in texts and "欧阳小雨" not in texts and "13912345678" not in texts and "〔" in texts
    assert [way.channel for way in offered["ways"] if way.open][:2] == ["platform_im", "public_reply"]
    assert salutation("", "") == "亲爱的顾客"


# -- what customers answer ----------
SECRET = "a shared secret of some length"


def hooked(body: Any, channel: str = "taobao", at: Any = LATER) -> Any:
    WebhookSecret.objects.get_or_create(
        channel=Channel.objects.get(code=channel), defaults={"secret": SECRET, "created_at": NOW}
    )
    raw, stamp = json.dumps(body).encode(), str(int(at.timestamp()))
    signature = hmac.new(SECRET.encode(), stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
    with time_machine.travel(at, tick=False):
        return Client().generic(
            "POST", f"/api/v1/hooks/{channel}/", raw, content_type="application/json",
            headers={"X-Timestamp": stamp, "X-Signature": signature},
        )  # fmt: skip


def said(text: str, **values: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "text": text,
        "external_id": f"m-{text}",
        "customer": {"external_id": "tb-1"},
    } | values


def test_what_the_customer_answers_comes_back_on_the_case_and_ends_the_wait(crew: Cast) -> None:
    feedback = arrive("A", customer=MAIL)
    send_reply(feedback=feedback, reply=reply(), by=crew.alice, now=NOW)
    moves.record_contact(feedback=case(feedback.pk), how="chat", said="ok", by=crew.alice, now=NOW)
    moves.wait(feedback=case(feedback.pk), why="customer", reason="照片", by=crew.alice, now=NOW)
    answer = hooked(said("照片发你了"))
    assert answer.status_code == 200 and answer.json()["results"][0]["number"] == feedback.number
    row = case(feedback.pk)
    assert row.status == "in_progress" and "resume" in verbs(row)
    entry = row.entries.get(kind="inbound")
    assert entry.text == "照片发你了" and entry.inbound is not None and told(crew.alice, feedback.number)
    assert (
        hooked(said("照片发你了"), at=LATER + timedelta(seconds=5)).json()["results"][0]["status"]
        == "duplicate"
    )
    assert row.entries.filter(kind="inbound").count() == 1


def test_an_answer_opens_a_settled_case_again_but_thanks_do_not(crew: Cast) -> None:
    feedback = arrive("A", customer=MAIL)
    moves.record_contact(feedback=feedback, how="chat", said="ok", by=crew.alice, now=NOW)
    moves.resolve(feedback=case(feedback.pk), by=crew.alice, now=NOW, reason="补发")
    hooked(said("收到了,谢谢!"))
    assert case(feedback.pk).status == "resolved"
    hooked(said("补发的又是坏的,退钱"), at=LATER + timedelta(seconds=5))
    assert case(feedback.pk).status == "in_progress"


def test_a_number_of_somebody_elses_case_opens_nothing(crew: Cast) -> None:
    theirs = arrive("A", customer={"external_id": "other"})
    arrive("A", customer=MAIL)
    hooked(said("我的单呢", case=theirs.number))
    assert not theirs.entries.filter(kind="inbound").exists()


def test_who_has_no_case_is_a_new_voice_and_bad_items_sink_nobody(crew: Cast) -> None:
    answer = hooked(
        [said("你们几点关门", customer={"external_id": "new-1"}), said(""), {"type": "receipt"}]
    ).json()
    assert [line["status"] for line in answer["results"]] == ["handled", "rejected", "rejected"]
    assert Feedback.objects.get().text == "你们几点关门"


def test_a_phone_answers_by_sms_and_opts_out(crew: Cast) -> None:
    feedback = arrive("A", customer=MAIL)
    who = {"customer": {"phone": "13812345678"}}
    hooked(said("还没收到", **who), channel="sms")
    assert feedback.entries.get(kind="inbound").method == "sms"
    answer = hooked(said("退订", **who), channel="sms", at=LATER + timedelta(seconds=9))
    assert answer.json()["results"][0]["status"] == "opted_out"
    assert InboundMessage.objects.count() == 2 and feedback.entries.filter(kind="inbound").count() == 1


# -- notices ----------
def test_the_result_is_told_once_each_time_and_an_sms_has_no_link(
    crew: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        satisfaction_link._items, "test", (1, lambda key, channel: "https://shop.example/s/abc")
    )
    feedback = arrive("A", customer=MAIL)
    moves.record_contact(feedback=feedback, how="phone", said="ok", by=crew.alice, now=NOW)
    moves.resolve(feedback=case(feedback.pk), by=crew.alice, now=NOW, reason="已补发")
    row = case(feedback.pk)
    assert "https://" not in notices_out.result_notice(row, crew.alice, solution="已补发", channel="sms").text
    mail = notices_out.result_notice(row, crew.alice, solution="已补发", channel="email")
    assert "https://shop.example/s/abc" in mail.text and "已补发" in mail.text
    for _twice in range(2):
        notices_out.send_result(feedback=row, channel="email", text=mail.text, by=crew.alice, now=NOW)
    assert OutboundMessage.objects.filter(purpose="result_notice").count() == 1
    monkeypatch.delitem(satisfaction_link._items, "test")
    assert "感谢" in notices_out.result_notice(row, crew.alice, solution="x", channel="email").text


def test_resolving_on_the_page_tells_the_customer_and_asks_for_blanks(crew: Cast) -> None:
    feedback, client = arrive("A", customer=MAIL), Client()
    moves.claim(feedback=feedback, by=crew.alice, now=NOW) if feedback.claimed_at is None else None
    client.force_login(crew.alice)
    url = reverse("admin:feedback_feedback_move", args=[feedback.pk, "resolve"])
    page = client.post(url, {"reason": "已补发", "tell": "sms", "notice": "已补发,〔客服电话〕"})
    assert page.status_code == 422 and "〔" in page.content.decode()
    assert case(feedback.pk).status != "resolved"
    assert '<option value="email" selected>' in client.get(url).content.decode()
    page = client.post(url, {"reason": "已补发", "tell": "sms", "notice": "您好,工单已处理完成:已补发。"})
    assert page.status_code == 302 and case(feedback.pk).status == "resolved"
    assert OutboundMessage.objects.get(purpose="result_notice").channel == "sms"


def test_arrivals_are_acknowledged_once_where_switched_on_and_no_clock_stops(
    crew: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    feedback = arrive("A", customer=MAIL)
    assert notices_out.acknowledge_missed(now=LATER) == 0
    policy = MessagingPolicy.objects.get_or_create(pk=1)[0]
    policy.auto_received = ["email"]
    policy.save()
    assert [notices_out.acknowledge_missed(now=LATER) for _ in range(2)] == [1, 0]
    with django_capture_on_commit_callbacks(execute=True):
        send_due(clock=lambda: LATER)
    message = OutboundMessage.objects.get()
    assert message.state == "sent" and feedback.number in message.body
    entry = Entry.objects.get(message=message)
    assert entry.is_automatic and entry.settled_at is not None
    assert (
        clocks(feedback)["first_response"].state == "running" and case(feedback.pk).first_response_at is None
    )


# -- macros ----------
def macro(*steps: dict[str, Any]) -> Macro:
    macros.check_steps(list(steps))
    return Macro(name="x", steps=list(steps))


def test_a_macro_is_done_whole_or_not_at_all(crew: Cast) -> None:
    feedback = arrive("A", customer=MAIL)
    steps = (
        {"verb": "claim"},
        {"verb": "reply", "template": "FC_IM_A"},
        {"verb": "promise", "text": "回复物流进度", "hours": 4},
        {"verb": "wait", "text": "等照片", "hours": 24},
    )
    given = {"macro": macro(*steps), "feedback": feedback, "token": "m1", "by": crew.alice, "now": LATER}
    with pytest.raises(InvalidInput, match="2"):
        macros.run(texts={1: "您好〔原因〕"}, **given)
    row = case(feedback.pk)
    assert row.claimed_at is None and not row.entries.exists() and not row.promises.exists()
    assert len(macros.run(texts={1: TEXT}, **given)) == 4
    row = case(feedback.pk)
    assert (
        row.status == "waiting"
        and row.promises.count() == 1
        and row.entries.filter(kind="reply").count() == 1
    )


def test_a_macro_pressed_twice_is_done_once(crew: Cast) -> None:
    feedback = arrive("A")
    row = macro({"verb": "note", "text": "已转供应链"})
    for _twice in range(2):
        macros.run(macro=row, feedback=case(feedback.pk), texts={}, token="m2", by=crew.alice, now=LATER)
    assert feedback.entries.count() == 1


def test_a_reply_carried_after_a_merge_stops_the_clock_of_the_case_that_goes_on(crew: Cast) -> None:
    feedback, other = arrive("A"), arrive("A")
    entry = send_reply(feedback=feedback, reply=reply(), by=crew.alice, now=LATER)
    moves.merge(feedback=case(feedback.pk), into=other, by=crew.lin, now=LATER, reason="同一件事")
    OutboundMessage.objects.filter(pk=entry.message_id).update(state="sent", sent_at=LATER)
    assert replies.settle(message_id=entry.message_id, now=LATER)
    assert clocks(other)["first_response"].state == "met"


@pytest.mark.parametrize(
    ("text", "opens"), [("5", False), ("３分", False), ("1", False), ("1个都没收到", True)]
)
def test_a_score_opens_nothing_again(crew: Cast, text: str, opens: bool) -> None:
    feedback = arrive("A", customer=MAIL)
    moves.record_contact(feedback=feedback, how="chat", said="ok", by=crew.alice, now=NOW)
    moves.resolve(feedback=case(feedback.pk), by=crew.alice, now=NOW, reason="补发")
    hooked(said(text, customer={"phone": "13812345678"}), channel="sms")
    assert (case(feedback.pk).status == "in_progress") is opens
    assert case(feedback.pk).entries.filter(kind="inbound").count() == 1


def test_a_macro_with_an_unlawful_reply_does_nothing_and_keeps_the_verdict(crew: Cast) -> None:
    feedback = arrive("A")
    row = macro({"verb": "claim"}, {"verb": "reply", "template": "FC_IM_A"})
    with pytest.raises(InvalidInput):
        macros.run(
            macro=row, feedback=feedback, texts={1: "五星好评返现"}, token="m", by=crew.alice, now=LATER
        )
    assert case(feedback.pk).claimed_at is None and Verdict.objects.get().ruling == "blocked"


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [{"verb": "sing"}],
        [{"verb": "reply", "template": "NO_SUCH"}],
        [{"verb": "wait", "text": "照片", "hours": 100}],
        [{"verb": "resolve", "text": "好了"}, {"verb": "note", "text": "后记"}],
        [{"verb": "task", "text": "查一下", "hours": 2, "department": "nowhere"}],
        [{"verb": "note", "text": "记"}] * 9,
    ],
)
def test_steps_that_cannot_be_done_are_refused_when_saved(db: None, steps: list[Any]) -> None:
    with pytest.raises(InvalidInput):
        macros.check_steps(steps)


def test_shipped_macros_can_be_done_and_shown(crew: Cast) -> None:
    feedback, client = arrive("A", customer=MAIL), Client()
    client.force_login(crew.alice)
    shipped = list(Macro.objects.all())
    assert len(shipped) == 3
    for row in shipped:
        macros.check_steps(row.steps)
        page = client.get(reverse("admin:feedback_feedback_macro", args=[feedback.pk, row.pk]))
        assert page.status_code == 200 and row.steps[-1]["text"] in page.content.decode()


@pytest.mark.postgres
def test_two_replies_of_one_page_at_once_are_one(committed: None) -> None:
    cast = make_cast()
    may_send(cast.alice)
    feedback = arrive("A")
    gate, found = threading.Barrier(4), []

    def run() -> None:
        try:
            mine = case(feedback.pk)
            gate.wait(10)
            found.append(send_reply(feedback=mine, reply=reply(), by=cast.alice, now=LATER).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1 and OutboundMessage.objects.count() == 1


def test_a_failed_reply_is_told_to_its_writer(crew: Cast) -> None:
    feedback = arrive("A", customer=MAIL)
    entry = send_reply(feedback=feedback, reply=reply(channel="email"), by=crew.alice, now=LATER)
    OutboundMessage.objects.filter(pk=entry.message_id).update(state="failed", error="邮箱不存在")
    replies.settle(message_id=entry.message_id, now=LATER)
    assert StaffNotice.objects.filter(recipient=crew.alice, body="邮箱不存在").count() == 1
    assert clocks(feedback)["first_response"].state == "running"
    assert CustomerIdentity.objects.exists() and MessageTemplate.objects.exists()
