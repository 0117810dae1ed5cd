"""The pages: who sees what, moves as buttons, previews, tests of gateways."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.core.models import ActionLog, User
from apps.core.services.notices import notify
from apps.customers.models import Customer, Order
from apps.customers.services.consent import set_hold
from apps.messaging.connections import hands_card, message_events
from apps.messaging.models import MessageTemplate, OutboundMessage
from apps.messaging.registries import preview_values
from apps.messaging.services.outbox import enqueue
from apps.messaging.services.staff import carry_notices
from apps.messaging.wording import reason
from tests.factories import NOW, Cast, make_user
from tests.messaging.conftest import Recorder, draft, use

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c626001000000ffff03000006000557bfabd40000000049454e44ae426082"
)


def seen(person: User) -> set[int]:
    person = User.objects.get(pk=person.pk)
    return set(OutboundMessage.objects.visible_to(person).values_list("pk", flat=True))


def test_stores_see_messages_to_their_customers(cast: Cast, zhang: Customer) -> None:
    other = Customer.objects.create(phone="13900000000")
    Order.objects.create(order_no="1", customer=zhang, store=cast.store)
    mine, others, nobodys = (
        row.pk
        for row in enqueue(
            [draft(zhang), draft(other), draft(address="13700000000", purpose="x")], by=None, now=NOW
        )
    )
    assert seen(cast.sue) == {mine}
    assert seen(cast.alice) == seen(cast.lin) == {mine, others, nobodys}
    assert [event.kind for event in message_events(zhang.pk, cast.lin, 9)] == ["message"]


def test_a_message_by_hand(cast: Cast, zhang: Customer, client: Client) -> None:
    (message,) = enqueue(
        draft(zhang, channel="platform_im", body="您好13812345678", link="https://shop.example/im"),
        by=cast.alice,
        now=NOW,
    )
    client.force_login(cast.alice)
    listed = client.get(
        reverse("admin:messaging_outboundmessage_changelist") + "?what=to_do"
    ).content.decode()
    assert "138****5678" in listed
    assert "13812345678" not in listed
    hand = reverse("admin:messaging_outboundmessage_hand", args=[message.pk])
    assert hand in listed
    page = client.get(hand).content.decode()
    assert "https://shop.example/im" in page
    assert client.post(hand, {"proof": ""}).status_code == 200
    done = client.post(
        hand, {"proof": "旺旺10:05", "file": SimpleUploadedFile("a.png", PIXEL, content_type="image/png")}
    )
    assert done.status_code == 302
    message.refresh_from_db()
    assert (message.state, message.proof) == ("sent", "旺旺10:05")
    assert message.proof_file is not None
    opened = reverse("admin:core_storedfile_open", args=[message.proof_file_id])
    client.force_login(cast.bob)
    assert client.get(opened).status_code == 200
    client.force_login(make_user("far", "store"))
    assert client.get(hand).status_code in (403, 404)
    assert client.get(opened).status_code == 403


def test_the_gate_stands_before_hands_too(cast: Cast, zhang: Customer, client: Client) -> None:
    """A hold that came after the message was written: the text is not there to copy any more."""
    (message,) = enqueue(draft(zhang, channel="platform_im", body="您好,请看"), by=cast.alice, now=NOW)
    hand = reverse("admin:messaging_outboundmessage_hand", args=[message.pk])
    client.force_login(cast.alice)
    assert 'id="hand-text"' in client.get(hand).content.decode()
    set_hold(customer=zhang, reason="诉讼", by=cast.lin, now=NOW)
    page = client.get(hand).content.decode()
    assert 'id="hand-text"' not in page and "您好,请看" not in page
    assert reason("on_hold") in page
    # Who has sent it already still says so.
    assert client.post(hand, {"proof": "旺旺10:05"}).status_code == 302


def test_moves_name_their_permission(cast: Cast, zhang: Customer, client: Client) -> None:
    (message,) = enqueue(draft(zhang), by=None, now=NOW)
    OutboundMessage.objects.update(state="to_check", next_attempt_at=None, sending_at=NOW)
    move = reverse("admin:messaging_outboundmessage_move", args=[message.pk, "resolve_sent"])
    client.force_login(cast.alice)
    assert client.post(move, {"reason": "后台可见"}).status_code == 403
    client.force_login(cast.lin)
    page = client.get(reverse("admin:messaging_outboundmessage_change", args=[message.pk]))
    assert move in page.content.decode()
    assert client.get(move).status_code == 200
    message.refresh_from_db()
    assert message.state == "to_check"
    client.post(move, {"reason": "后台可见", "seen": "to_check"})
    message.refresh_from_db()
    assert (message.state, message.sent_at) == ("sent", NOW)
    assert hands_card(cast.lin, NOW) is None


def test_a_template_is_refused_with_its_names_and_shown_filled(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(cast.lin)
    row = MessageTemplate.objects.get(code="SO_REFUND")
    change = reverse("admin:messaging_messagetemplate_change", args=[row.pk])
    form = {
        "title": row.title, "scene": row.scene, "channel": "sms", "message_class": "service", "is_active": "on",
        "subject": "", "tier": "", "category_code": "", "language": "zh", "notes": "", "respects_quiet_hours": "on",
    }  # fmt: skip
    refused = client.post(change, form | {"body": "您好{{oder_tail}},【云朵】"}).content.decode()
    assert "oder_tail" in refused
    assert client.post(change, form | {"body": "您好,尾号{{order_tail}}已退款。"}).status_code == 302
    row.refresh_from_db()
    assert row.version == 2
    preview = reverse("admin:messaging_messagetemplate_preview", args=[row.pk])
    assert "尾号5689已退款" in client.get(preview).content.decode()
    monkeypatch.setattr(preview_values, "_items", {})
    preview_values.register("test", lambda key, user: {"order_tail": "0001"} if key == "feedback:1" else None)
    assert "尾号0001已退款" in client.get(preview, {"record": "feedback:1"}).content.decode()
    assert "尾号5689已退款" in client.get(preview, {"record": "feedback:2"}).content.decode()


def test_a_gateway_shows_that_a_secret_is_there_and_never_which(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch, gateway: Recorder
) -> None:
    row = use("aliyun_sms", "sms", "ali", sign_name="云朵家居")
    monkeypatch.setenv("GATEWAY_ALI_ACCESS_KEY_ID", "very-secret-value")
    client.force_login(cast.max)
    page = client.get(reverse("admin:messaging_gateway_change", args=[row.pk])).content.decode()
    assert "GATEWAY_ALI_ACCESS_KEY_SECRET" in page
    assert "very-secret-value" not in page
    console = use("console", "sms", "c2")
    test = reverse("admin:messaging_gateway_test", args=[console.pk])
    assert client.get(test).status_code == 200
    assert gateway.sent == []
    client.post(test, {"address": "13700000000", "text": "测试"})
    assert [out.body for out in gateway.sent] == ["测试"]
    assert ActionLog.objects.filter(verb="test", object_id=console.pk).count() == 1
    client.force_login(cast.lin)
    assert client.post(test, {"address": "1", "text": "x"}).status_code == 403


def test_urgent_notices_reach_the_group_once(cast: Cast, gateway: Recorder) -> None:
    use("console", "staff_group", "robot")
    people = [cast.alice.pk, cast.lin.pk, cast.max.pk]
    notify(recipients=people, level="urgent", title="S级 13812345678", key="s:1", now=NOW, url="/admin/x/")
    notify(recipients=people, level="info", title="x", key="i:1", now=NOW)
    assert carry_notices(now=NOW) == 1
    assert carry_notices(now=NOW) == 0
    (message,) = OutboundMessage.objects.filter(channel="staff_group")
    assert (message.title, message.link) == ("S级 138****5678", "http://localhost:8000/admin/x/")
    assert message.state == "queued"


@pytest.mark.parametrize("person", ["lin", "alice", "ann"])
def test_every_page_opens_in_chinese_for_whom_it_is(
    cast: Cast, client: Client, zhang: Customer, person: str
) -> None:
    client.force_login(getattr(cast, person))
    enqueue([draft(zhang), draft(zhang, channel="wechat", purpose="other")], by=None, now=NOW)
    for name in ("outboundmessage", "inboundmessage", "messagetemplate", "gateway", "messagingpolicy"):
        response: Any = client.get(reverse(f"admin:messaging_{name}_changelist"), follow=True)
        allowed = getattr(cast, person).has_perm(f"messaging.view_{name}")
        assert response.status_code == (200 if allowed else 403), name
        if allowed:
            assert re.search(r"<h1|<title", response.content.decode())
