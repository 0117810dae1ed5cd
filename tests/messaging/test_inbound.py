"""What comes back: answers, opt-outs, receipts, pushes of providers, people's own page."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.customers.models import ConsentEvent, Customer, CustomerIdentity
from apps.customers.selectors import may_contact
from apps.feedback.models import Channel
from apps.feedback.services import messages_in
from apps.messaging.models import AddressBlock, InboundMessage, MessageTemplate, OutboundMessage
from apps.messaging.registries import inbound_handlers
from apps.messaging.services import inbound, unsubscribe
from apps.messaging.services.inbound import IncomingMessage, Outcome, receive, settle_received
from apps.messaging.services.outbox import enqueue
from apps.messaging.services.sending import claim, send_due
from tests.factories import NOW
from tests.messaging.conftest import Recorder, agree, draft, marketing, use


def come(*items: IncomingMessage) -> list[Outcome]:
    return receive(list(items), gateway_code="console_sms", now=NOW)


def sms(text: str, external_id: str = "1", address: str = "13812345678") -> IncomingMessage:
    return IncomingMessage("sms", address, text, external_id, NOW)


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(inbound_handlers, "_items", {})
    return inbound_handlers


def test_the_first_handler_that_takes_it_has_it(zhang: Customer, handlers: Any) -> None:
    seen: list[str] = []

    def broken(inbound: InboundMessage, now: Any) -> bool:
        raise RuntimeError

    handlers.register("broken", broken, order=1)
    handlers.register("survey", lambda inbound, now: inbound.text == "5", order=2)
    handlers.register("case", lambda inbound, now: not seen.append(inbound.text), order=3)
    (question,) = enqueue(draft(zhang, channel="sms"), by=None, now=NOW)
    OutboundMessage.objects.update(state="sent")
    first, second, again = come(sms("5"), sms("还没收到", "2"), sms("5"))
    assert [o.state for o in (first, second, again)] == ["handled", "handled", "duplicate"]
    assert seen == ["还没收到"]
    rows = InboundMessage.objects.order_by("pk")
    assert [(row.handled_by, row.customer, row.in_reply_to) for row in rows] == [
        ("survey", zhang, question),
        ("case", zhang, question),
    ]


def test_what_nobody_takes_stays_open_and_what_a_crash_cut_off_is_asked_again(
    zhang: Customer, handlers: Any
) -> None:
    assert come(sms("在吗"))[0].state == "open"
    InboundMessage.objects.update(state="received")
    handlers.register("case", lambda inbound, now: True)
    assert settle_received(now=NOW) == 0
    assert settle_received(now=NOW + timedelta(minutes=2)) == 1
    assert InboundMessage.objects.get().state == "handled"


def test_an_opt_out_stops_what_waits_at_once(zhang: Customer, gateway: Recorder) -> None:
    agree(zhang)
    twin = Customer.objects.create(phone="+8613812345678")
    agree(twin)
    waiting, planned, service, other = enqueue(
        [
            marketing(zhang),
            marketing(twin, not_before=NOW + timedelta(days=3)),
            draft(zhang),
            marketing(zhang, channel="email", body="秋季新品", subject_key="campaign:2"),
        ],
        by=None,
        now=NOW,
    )
    # A worker has it in its hands already, but has not begun.
    taken = claim(token="worker", limit=1, now=NOW)
    assert taken == [waiting]
    (outcome,) = come(sms(" ｔｄ "))
    assert (outcome.state, outcome.stopped) == ("opted_out", 2)
    assert come(sms("TD"))[0].state == "duplicate"
    for message, state in (
        (waiting, "refused"),
        (planned, "refused"),
        (service, "queued"),
        (other, "queued"),
    ):
        message.refresh_from_db()
        assert message.state == state
    for person in (zhang, twin):
        assert not may_contact(person.pk, purpose="marketing", channel="sms")
        assert may_contact(person.pk, purpose="marketing", channel="email")
    send_due(clock=lambda: NOW)
    (news,) = [out for out in gateway.sent if out.message_class == "marketing"]
    assert news.channel == "email"
    # One confirmation a day, though it is night or asked twice.
    come(sms("退订", "9"))
    confirmations = OutboundMessage.objects.filter(purpose="optout_confirm")
    assert confirmations.count() == 1
    # A new record with the same number is not written to either.
    new = Customer.objects.create(phone="13812345678")
    agree(new, moment=NOW - timedelta(days=1))
    (late,) = enqueue(marketing(new), by=None, now=NOW)
    assert late.error_code == "opted_out"


def test_an_opt_out_counts_though_it_cannot_be_confirmed(zhang: Customer) -> None:
    """Staff may edit the confirmation; a variable nobody can fill must not bring the marketing back."""
    agree(zhang)
    MessageTemplate.objects.filter(scene="optout_confirm", channel="sms").update(
        body="{{brand}}已为您退订,{{customer_name}}"
    )
    assert come(sms("R"))[0].state == "opted_out"
    assert not may_contact(zhang.pk, purpose="marketing", channel="sms")
    assert not OutboundMessage.objects.filter(purpose="optout_confirm").exists()


def test_one_item_that_fails_does_not_sink_the_others(
    zhang: Customer, handlers: Any, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    agree(zhang)
    real = inbound._store

    def store(item: IncomingMessage, **rest: Any) -> InboundMessage:
        if item.text == "坏":
            raise ValueError
        return real(item, **rest)

    monkeypatch.setattr(inbound, "_store", store)
    assert [o.state for o in come(sms("坏"), sms("R", "2"))] == ["error", "opted_out"]
    with pytest.raises(RuntimeError):
        item = {"type": "message", "text": "坏", "customer": {"phone": "13812345678"}}
        messages_in.take(channel=Channel(code="sms"), items=[item], now=NOW)
    # The provider is asked to deliver again; what was taken is known by its number.
    use("aliyun_sms", "sms", code="ali", sign_name="云朵家")
    monkeypatch.setenv("GATEWAY_ALI_PUSH_TOKEN", "tok")
    push = [{"phone_number": "13812345678", "content": text, "sequence_id": text} for text in ("坏", "你好")]
    answer = client.post("/api/v1/hooks/aliyun/ali/tok/", push, content_type="application/json")
    assert answer.status_code == 500
    assert InboundMessage.objects.filter(external_id="你好").count() == 1


def test_receipts_settle_what_nobody_knew(zhang: Customer, gateway: Recorder) -> None:
    from apps.messaging.gateways import Answer

    gateway.answers = [Answer("unknown", code="x"), Answer("sent", provider_id="p-2")]
    first, second = enqueue([draft(zhang), draft(zhang, period_key="2")], by=None, now=NOW)
    send_due(clock=lambda: NOW)
    delivered = IncomingMessage("sms", receipt="delivered", idempotency_key=first.idempotency_key)
    failed = IncomingMessage("sms", receipt="failed", provider_id="p-2", code="MK:0001", error="空号")
    unknown = IncomingMessage("sms", receipt="failed", provider_id="p-3")
    assert [o.state for o in come(delivered, failed, unknown, delivered)] == [
        "delivered",
        "failed",
        "unknown",
        "duplicate",
    ]
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.sent_at, first.delivered_at) == ("delivered", NOW, NOW)
    assert (second.state, second.error_code) == ("failed", "MK:0001")
    assert "空号" in second.error


# -- pushes in providers' own formats ----------
def wechat(client: Client, body: str = "", *, token: str = "tok", age: int = 0, method: str = "post") -> Any:
    stamp, nonce = str(int(timezone.now().timestamp()) - age), "n1"
    signature = hashlib.sha1("".join(sorted([token, stamp, nonce])).encode()).hexdigest()
    address = f"/api/v1/hooks/wechat/mp/?signature={signature}&timestamp={stamp}&nonce={nonce}&echostr=hello"
    if method == "get":
        return client.get(address)
    return client.post(address, data=body.encode(), content_type="text/xml")


TEXT = """<xml><ToUserName><![CDATA[gh]]></ToUserName><FromUserName><![CDATA[openid1]]></FromUserName>
<CreateTime>1763431200</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[还没 <收到> & 着急]]></Content>
<MsgId>77</MsgId></xml>"""


def test_wechat_pushes(
    db: None, client: Client, monkeypatch: pytest.MonkeyPatch, handlers: Any, gateway: Recorder
) -> None:
    use("wechat_service", "wechat", "mp", app_id="wx")
    assert wechat(client, method="get").status_code == 403
    monkeypatch.setenv("GATEWAY_MP_PUSH_TOKEN", "tok")
    customer = Customer.objects.create(nickname="小雨")
    CustomerIdentity.objects.create(
        customer=customer, channel="wechat_mp", external_id="openid1", created_at=NOW
    )
    assert wechat(client, method="get").content == b"hello"
    assert wechat(client, TEXT, token="other").status_code == 403
    assert wechat(client, TEXT, age=3600).status_code == 403
    assert wechat(client, TEXT).content == b"success"
    assert wechat(client, TEXT).content == b"success"
    row = InboundMessage.objects.get()
    assert (row.text, row.external_id, row.customer) == ("还没 <收到> & 着急", "77", customer)
    # Entities are refused before anything expands.
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + TEXT.replace("gh", "&b;")
    assert wechat(client, bomb).status_code == 400
    assert wechat(client, "<xml>").status_code == 400
    job = TEXT.replace("text", "event").replace(
        "<MsgId>77</MsgId>",
        "<Event>TEMPLATESENDJOBFINISH</Event><MsgID>4711</MsgID><Status>failed:user block</Status>",
    )
    (message,) = enqueue(draft(customer, channel="wechat"), by=None, now=NOW)
    OutboundMessage.objects.update(state="sent", provider_id="4711", gateway_id=message.gateway_id)
    OutboundMessage.objects.update(gateway=use("wechat_template", "app", "other", app_id="x"))
    assert wechat(client, job).content == b"success"
    message.refresh_from_db()
    # The number is another gateway's: nothing moves.
    assert message.state == "sent"
    from apps.messaging.models import Gateway

    OutboundMessage.objects.update(gateway=Gateway.objects.get(code="mp"))
    wechat(client, job)
    message.refresh_from_db()
    assert (message.state, message.error_code) == ("failed", "failed:user block")


def test_aliyun_pushes(
    zhang: Customer, client: Client, monkeypatch: pytest.MonkeyPatch, gateway: Recorder, handlers: Any
) -> None:
    (message,) = enqueue(draft(zhang), by=None, now=NOW)
    send_due(clock=lambda: NOW)
    OutboundMessage.objects.update(gateway=use("aliyun_sms", "sms", "ali", sign_name="云朵家居"))
    body = json.dumps(
        [
            {"phone_number": "13812345678", "success": True, "report_time": "2026-11-18 10:01:00",
             "err_code": "DELIVERED", "biz_id": "b", "out_id": message.idempotency_key},
            {"phone_number": "13812345678", "content": "R", "send_time": "2026-11-18 10:02:00",
             "sequence_id": 5, "dest_code": "1"},
        ]
    )  # fmt: skip
    address = "/api/v1/hooks/aliyun/ali/secret/"
    assert client.post(address, body, content_type="application/json").status_code == 403
    monkeypatch.setenv("GATEWAY_ALI_PUSH_TOKEN", "secret")
    assert client.post(address, "{}", content_type="application/json").status_code == 400
    assert client.post(address, body, content_type="application/json").json()["code"] == 0
    message.refresh_from_db()
    assert message.state == "delivered"
    assert not may_contact(zhang.pk, purpose="marketing", channel="sms")


# -- people's own page ----------
def page(client: Client, customer: Customer | None, **extra: Any) -> str:
    options = {"channel": "email", "customer": customer, "address": "zhang@example.com", "now": NOW}
    return unsubscribe.link_for(**(options | extra)).removeprefix("http://localhost:8000")


def nonce_of(html: str) -> str:
    return html.split('name="nonce" value="')[1].split('"')[0]


def test_looking_changes_nothing_and_pressing_does(zhang: Customer, client: Client) -> None:
    """Scanners of mail follow every link: a GET must not opt anybody out."""
    agree(zhang)
    address = page(client, zhang)
    before = ConsentEvent.objects.count()
    for _look in range(3):
        html = client.get(address).content.decode()
    assert ConsentEvent.objects.count() == before
    assert html.count(" checked") == 3
    # A scanner that posts without the page's own mark changes nothing either.
    assert client.post(address, {"purpose": []}).status_code == 422
    assert ConsentEvent.objects.count() == before
    saved = client.post(address, {"purpose": ["survey"], "nonce": nonce_of(html)})
    assert saved.status_code == 200
    assert saved.headers["Referrer-Policy"] == "no-referrer"
    assert not may_contact(zhang.pk, purpose="marketing", channel="email")
    assert not may_contact(zhang.pk, purpose="birthday", channel="email")
    assert may_contact(zhang.pk, purpose="survey", channel="email")
    assert may_contact(zhang.pk, purpose="marketing", channel="sms")
    html = client.get(address).content.decode()
    client.post(address, {"purpose": ["survey", "marketing"], "nonce": nonce_of(html)})
    assert may_contact(zhang.pk, purpose="marketing", channel="email")
    assert ConsentEvent.objects.order_by("-pk")[0].text_version == unsubscribe.TEXT_VERSION


def test_one_click_of_a_mail_program(zhang: Customer, gateway: Recorder) -> None:
    agree(zhang)
    mail, later = enqueue(
        [
            marketing(zhang, channel="email", body="秋季新品"),
            marketing(zhang, channel="email", body="冬季新品", subject_key="campaign:2"),
        ],
        by=None,
        now=NOW,
    )
    send_due(clock=lambda: NOW)
    out = gateway.sent[0]
    assert out.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = out.headers["List-Unsubscribe"].strip("<>")
    assert address in out.body
    path = address.removeprefix("http://localhost:8000")
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    later.refresh_from_db()
    assert (later.state, later.error_code) == ("refused", "opted_out")
    mail.refresh_from_db()
    assert mail.state == "sent"


def test_an_address_without_a_record_can_opt_out_too(db: None, client: Client) -> None:
    address = page(client, None, address="li@example.com")
    html = client.get(address).content.decode()
    client.post(address, {"none": "1", "nonce": nonce_of(html)})
    assert AddressBlock.objects.get().scope == "marketing"
    (message,) = enqueue(marketing(channel="email", address="Li@example.com "), by=None, now=NOW)
    assert message.state == "refused"
    assert client.get("/u/unknown/").status_code == 404
