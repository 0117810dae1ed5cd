"""Each gateway against a local server that checks what the provider's documentation asks for and answers as it does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

import httpx
import pytest
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.mail.backends.smtp import EmailBackend

from apps.messaging.gateways import Answer, Outgoing, adapter_of, base
from apps.messaging.models import Gateway
from tests.factories import NOW


class Call:
    """What arrived."""

    def __init__(self, method: str, target: str, headers: Any, body: bytes) -> None:
        self.method, self.headers, self.body = method, headers, body
        self.path, self.query = urlsplit(target).path, urlsplit(target).query
        self.params = dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answerer = Callable[[Call], tuple[int, Any] | None]


class Server:
    """`answer(call)` gives (status, JSON or text); None closes the connection without a word."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answer: Answerer = lambda call: (200, {})
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                call = Call(self.command, self.path, self.headers, body)
                outer.calls.append(call)
                result = outer.answer(call)
                if result is None:
                    self.close_connection = True
                    return
                status, data = result
                raw = data.encode() if isinstance(data, str) else json.dumps(data).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = handle_any

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def server(running: Server) -> Server:
    running.calls.clear()
    running.answer = lambda call: (200, {})
    cache.clear()
    return running


def make(kind: str, server: Server, channel: str, **config: Any) -> Gateway:
    return Gateway(code="g-1", kind=kind, channel=channel, config={"base_url": server.url} | config)


def secrets(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"GATEWAY_G_1_{name}", value)


def outgoing(channel: str = "sms", address: str = "13812345678", **values: Any) -> Outgoing:
    options: dict[str, Any] = {
        "body": "您好,退款39.90元已提交 & 谢谢*~",
        "template_code": "SO_REFUND",
        "values": {"order_tail": "5689", "refund_amount": "39.90", "refund_eta": "1 天"},
    }
    return Outgoing("key-1", channel, address, **(options | values))


def send(gateway: Gateway, message: Outgoing) -> Answer:
    return adapter_of(gateway).send(gateway, message, now=NOW)


# -- what an answer means, whatever the provider ----------
@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ((200, {"id": "77"}), "sent"),
        ((201, "not json"), "sent"),
        ((503, "busy"), "later"),
        ((429, ""), "later"),
        ((401, {}), "later"),
        ((500, "boom"), "unknown"),
        ((502, ""), "unknown"),
        (None, "unknown"),
        ((422, {"message": "no such device"}), "failed"),
        ((410, {}), "refused"),
        ((302, ""), "later"),
    ],
)
def test_signed_http(server: Server, monkeypatch: pytest.MonkeyPatch, reply: Any, outcome: str) -> None:
    secrets(monkeypatch, SECRET="s3cret")

    def answer(call: Call) -> Any:
        stamp = call.headers["X-Timestamp"]
        expected = hmac.new(b"s3cret", stamp.encode() + b"." + call.body, hashlib.sha256).hexdigest()
        assert call.headers["X-Signature"] == f"sha256={expected}"
        assert call.headers["Idempotency-Key"] == call.json["id"] == "key-1"
        return reply

    server.answer = answer
    found = send(make("signed_http", server, "app"), outgoing("app", "member-1"))
    assert found.outcome == outcome, found
    if reply == (200, {"id": "77"}):
        assert found.provider_id == "77"
    assert server.calls[-1].json["to"] == "member-1"


def test_what_was_never_connected_was_never_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets(monkeypatch, SECRET="s")
    gateway = make("signed_http", server, "app", base_url="http://127.0.0.1:9")
    assert send(gateway, outgoing("app")).outcome == "later"
    # A time-out after the request went out: nobody knows.
    monkeypatch.setattr(base, "TIMEOUT", httpx.Timeout(0.1))
    monkeypatch.setattr(base, "_local", threading.local())
    server.answer = lambda call: time.sleep(0.25)  # type: ignore[func-returns-value]
    assert send(make("signed_http", server, "app"), outgoing("app")).outcome == "unknown"


def test_without_its_secret_a_gateway_waits(server: Server) -> None:
    for kind, channel in (("signed_http", "app"), ("aliyun_sms", "sms"), ("tencent_sms", "sms"),
                          ("wechat_service", "wechat"), ("feishu_robot", "staff_group")):  # fmt: skip
        answer = send(make(kind, server, channel), outgoing(channel))
        assert (answer.outcome, answer.code) == ("later", "no_secret"), kind
        assert "GATEWAY_G_1_" in answer.text
    assert not server.calls


# -- SMS ----------
def aliyun_checks(call: Call) -> None:
    """Signature as Aliyun's RPC documentation says, written down once more and differently."""
    params = {
        name: values[0] for name, values in parse_qs(call.body.decode(), keep_blank_values=True).items()
    }
    signature = params.pop("Signature")

    def enc(text: str) -> str:
        return quote(text, safe="~")

    query = "&".join(f"{enc(k)}={enc(params[k])}" for k in sorted(params))
    text = f"POST&%2F&{enc(query)}"
    expected = base64.b64encode(hmac.new(b"sk&", text.encode(), hashlib.sha1).digest()).decode()
    assert signature == expected
    assert params["Action"] == "SendSms"
    assert params["Timestamp"] == NOW.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (params["OutId"], params["TemplateCode"], params["SignName"]) == ("key-1", "SMS_1", "云朵家居")
    assert json.loads(params["TemplateParam"])["refund_eta"] == "1 天"


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("OK", "sent"),
        ("isv.BUSINESS_LIMIT_CONTROL", "later"),
        ("SignatureDoesNotMatch", "later"),
        ("isv.MOBILE_NUMBER_ILLEGAL", "failed"),
        ("isv.SMS_TEMPLATE_ILLEGAL", "failed"),
        ("isp.SYSTEM_ERROR", "unknown"),
        ("", "unknown"),
    ],
)
def test_aliyun_sms(server: Server, monkeypatch: pytest.MonkeyPatch, code: str, outcome: str) -> None:
    secrets(monkeypatch, ACCESS_KEY_ID="ak", ACCESS_KEY_SECRET="sk")

    def answer(call: Call) -> Any:
        aliyun_checks(call)
        status = 200 if code.startswith(("OK", "is")) or not code else 400
        return status, {"Code": code, "Message": "m", "BizId": "biz^0", "RequestId": "r"}

    server.answer = answer
    gateway = make("aliyun_sms", server, "sms", sign_name="云朵家居", templates={"SO_REFUND": "SMS_1"})
    found = send(gateway, outgoing())
    assert (found.outcome, len(server.calls)) == (outcome, 1), found
    assert found.provider_id == ("biz^0" if outcome == "sent" else "")


def test_a_text_the_provider_has_no_template_for_is_not_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets(monkeypatch, ACCESS_KEY_ID="ak", ACCESS_KEY_SECRET="sk")
    gateway = make("aliyun_sms", server, "sms", sign_name="云朵家居")
    assert send(gateway, outgoing()).code == "no_provider_template"
    assert not server.calls


def tencent_checks(call: Call) -> None:
    """TC3-HMAC-SHA256, step by step as documented."""
    stamp = call.headers["X-TC-Timestamp"]
    day = datetime.fromtimestamp(int(stamp), tz=UTC).strftime("%Y-%m-%d")
    canonical = (
        "POST\n/\n\n"
        f"content-type:{call.headers['Content-Type']}\nhost:{call.headers['Host']}\nx-tc-action:sendsms\n\n"
        f"content-type;host;x-tc-action\n{hashlib.sha256(call.body).hexdigest()}"
    )
    text = (
        f"TC3-HMAC-SHA256\n{stamp}\n{day}/sms/tc3_request\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    )

    def sign(key: bytes, message: str) -> bytes:
        return hmac.new(key, message.encode(), hashlib.sha256).digest()

    key = sign(sign(sign(b"TC3sk", day), "sms"), "tc3_request")
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    assert call.headers["Authorization"] == (
        f"TC3-HMAC-SHA256 Credential=id/{day}/sms/tc3_request, SignedHeaders=content-type;host;x-tc-action, "
        f"Signature={signature}"
    )
    assert (call.headers["X-TC-Action"], call.headers["X-TC-Version"]) == ("SendSms", "2021-01-11")
    assert call.json["PhoneNumberSet"] == ["+8613812345678"]
    assert call.json["TemplateParamSet"] == ["5689", "39.90", "1 天"]


def of_number(code: str) -> dict[str, Any]:
    state = {"SerialNo": "sn-1" if code == "Ok" else "", "PhoneNumber": "+86…", "Code": code, "Message": "m"}
    return {"Response": {"SendStatusSet": [state], "RequestId": "r"}}


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (of_number("Ok"), "sent"),
        (of_number("LimitExceeded.PhoneNumberDailyLimit"), "later"),
        (of_number("FailedOperation.PhoneNumberInBlacklist"), "refused"),
        (of_number("InvalidParameterValue.IncorrectPhoneNumber"), "failed"),
        (of_number("InternalError.OtherError"), "unknown"),
        ({"Response": {"Error": {"Code": "AuthFailure.SignatureFailure", "Message": "m"}}}, "later"),
        ({"Response": {"Error": {"Code": "InternalError.Timeout", "Message": "m"}}}, "unknown"),
        ({"Response": {}}, "unknown"),
    ],
)
def test_tencent_sms(server: Server, monkeypatch: pytest.MonkeyPatch, body: Any, outcome: str) -> None:
    secrets(monkeypatch, SECRET_ID="id", SECRET_KEY="sk")

    def answer(call: Call) -> Any:
        tencent_checks(call)
        return 200, body

    server.answer = answer
    gateway = make(
        "tencent_sms", server, "sms", sign_name="云朵家居", sdk_app_id="1400", templates={"SO_REFUND": 12}
    )
    found = send(gateway, outgoing())
    assert (found.outcome, len(server.calls)) == (outcome, 1), found


# -- WeChat ----------
class WechatServer:
    """Hands out tokens; those in `gone` are answered as expired."""

    def __init__(self, reply: dict[str, Any], gone: int = 0) -> None:
        self.reply, self.gone, self.tokens, self.bodies = reply, gone, 0, []  # type: ignore[var-annotated]

    def __call__(self, call: Call) -> Any:
        if call.path == "/cgi-bin/token":
            expected = {"grant_type": "client_credential", "appid": "wx1", "secret": "s"}
            assert call.params == expected
            self.tokens += 1
            return 200, {"access_token": f"t{self.tokens}", "expires_in": 7200}
        if int(call.params["access_token"][1:]) <= self.gone:
            return 200, {"errcode": 42001, "errmsg": "access_token expired"}
        # Escaped Chinese would be shown as \u5fae to the customer.
        assert "\\u" not in call.body.decode()
        self.bodies.append((call.path, call.json))
        return 200, self.reply


@pytest.mark.parametrize(
    ("errcode", "outcome", "code"),
    [
        (0, "sent", ""),
        (45015, "refused", "window_closed"),
        (45047, "later", "45047"),
        (-1, "later", "-1"),
        (40003, "failed", "40003"),
    ],
)
def test_wechat_customer_service_message(
    server: Server, monkeypatch: pytest.MonkeyPatch, errcode: int, outcome: str, code: str
) -> None:
    secrets(monkeypatch, APP_SECRET="s")
    server.answer = wechat = WechatServer({"errcode": errcode, "errmsg": "m"})
    found = send(make("wechat_service", server, "wechat", app_id="wx1"), outgoing("wechat", "openid1"))
    assert (found.outcome, found.code) == (outcome, code)
    (path, body), *_more = wechat.bodies
    assert path == "/cgi-bin/message/custom/send"
    assert body["touser"] == "openid1"
    assert body["text"]["content"].startswith("您好")


def test_no_secret_reaches_the_log(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The HTTP client logs whole addresses; WeChat's and the robots' carry the secret."""
    secrets(monkeypatch, APP_SECRET="app-s3cret", KEY="robot-s3cret")
    server.answer = lambda call: (200, {"errcode": 0, "access_token": "t-s3cret"})
    send(make("wechat_service", server, "wechat", app_id="wx1"), outgoing("wechat", "openid1"))
    send(make("wecom_robot", server, "staff_group"), outgoing("staff_group"))
    assert len(server.calls) == 3
    assert "s3cret" not in caplog.text and "access_token" not in caplog.text


def test_a_wait_without_end_is_not_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets(monkeypatch, SECRET="s")
    for asked, waits in (("7", 7), ("9" * 40, base.LONGEST_WAIT), ("²", 0)):
        response = httpx.Response(429, headers={"retry-after": asked.encode()})
        monkeypatch.setattr(
            base, "client", lambda r=response: httpx.Client(transport=httpx.MockTransport(lambda _: r))
        )
        answer = send(make("signed_http", server, "app"), outgoing("app"))
        assert (answer.outcome, answer.retry_after) == ("later", waits)


def test_wechat_template_message_and_its_token(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets(monkeypatch, APP_SECRET="s")
    server.answer = wechat = WechatServer({"errcode": 0, "errmsg": "ok", "msgid": 4711}, gone=1)
    gateway = make(
        "wechat_template", server, "wechat", app_id="wx1",
        templates={"SO_REFUND": {"id": "tpl", "data": {"amount1": "refund_amount", "thing2": "body"}}},
    )  # fmt: skip
    message = outgoing("wechat", "openid1", link="https://shop.example/s/1")
    # The first token is gone: one refresh, one send; the next message uses the kept one.
    for _again in range(2):
        found = send(gateway, message)
        assert (found.outcome, found.provider_id) == ("sent", "4711")
    assert wechat.tokens == 2
    assert len(wechat.bodies) == 2
    body = wechat.bodies[0][1]
    assert body["data"]["amount1"] == {"value": "39.90"}
    assert (body["client_msg_id"], body["url"]) == ("key-1", "https://shop.example/s/1")
    # A token that stays refused is no endless loop.
    wechat.gone = 99
    assert send(gateway, message).outcome == "later"
    assert wechat.tokens == 3


# -- group robots ----------
def urgent() -> Outgoing:
    return Outgoing(
        "k",
        "staff_group",
        "",
        "顾客称食物中毒",
        "S级:食品安全",
        "https://crm.example/a",
        message_class="safety",
    )


def test_wecom_robot(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets(monkeypatch, KEY="k1")
    server.answer = lambda call: (
        200,
        {"errcode": 0 if call.params == {"key": "k1"} else 93000, "errmsg": ""},
    )
    gateway = make("wecom_robot", server, "staff_group", mention_all=True)
    assert send(gateway, urgent()).outcome == "sent"
    assert server.calls[0].path == "/cgi-bin/webhook/send"
    assert server.calls[0].json["text"] == {
        "content": "S级:食品安全\n顾客称食物中毒\nhttps://crm.example/a",
        "mentioned_list": ["@all"],
    }
    server.answer = lambda call: (200, {"errcode": 45009, "errmsg": "api freq out of limit"})
    assert send(gateway, urgent()).outcome == "later"


def test_dingtalk_robot(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets(monkeypatch, ACCESS_TOKEN="t", SECRET="SEC1")

    def answer(call: Call) -> Any:
        stamp = call.params["timestamp"]
        text = f"{stamp}\nSEC1"
        sign = base64.b64encode(hmac.new(b"SEC1", text.encode(), digestmod=hashlib.sha256).digest()).decode()
        ok = call.params["sign"] == sign and abs(int(stamp) - NOW.timestamp() * 1000) < 1000
        return 200, {"errcode": 0 if ok else 310000, "errmsg": "sign not match"}

    server.answer = answer
    gateway = make("dingtalk_robot", server, "staff_group")
    assert send(gateway, urgent()).outcome == "sent"
    assert server.calls[0].json["at"] == {"isAtAll": False}
    secrets(monkeypatch, SECRET="other")
    assert send(gateway, urgent()).outcome == "later"


def test_feishu_robot(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets(monkeypatch, HOOK="h-1", SECRET="sec")

    def answer(call: Call) -> Any:
        assert call.path == "/open-apis/bot/v2/hook/h-1"
        key = f"{call.json['timestamp']}\nsec"
        sign = base64.b64encode(hmac.new(key.encode(), b"", digestmod=hashlib.sha256).digest()).decode()
        good = call.json["sign"] == sign
        return 200, {"code": 0, "msg": "success"} if good else {"code": 19021, "msg": "sign match fail"}

    server.answer = answer
    gateway = make("feishu_robot", server, "staff_group")
    assert send(gateway, urgent()).outcome == "sent"
    secrets(monkeypatch, SECRET="wrong")
    assert send(gateway, urgent()).outcome == "later"
    server.answer = lambda call: (200, {"code": 19001, "msg": "param invalid"})
    assert send(gateway, urgent()).outcome == "failed"


# -- mail ----------
class Line:
    """Django's SMTP backend with a mail server that says `error` at the moment `stage`."""

    def __init__(self, stage: str, error: Exception) -> None:
        self.stage, self.error = stage, error

    def open(self) -> None:
        if self.stage == "open":
            raise self.error

    def send_messages(self, messages: list[Any]) -> int:
        if self.stage == "send":
            raise self.error
        return len(messages)

    def close(self) -> None:
        raise OSError("gone")


@pytest.mark.parametrize(
    ("stage", "error", "outcome"),
    [
        ("", None, "sent"),
        ("open", ConnectionRefusedError(), "later"),
        ("open", smtplib.SMTPAuthenticationError(535, b"no"), "later"),
        ("send", smtplib.SMTPRecipientsRefused({"a@b.c": (550, b"unknown")}), "failed"),
        ("send", smtplib.SMTPRecipientsRefused({"a@b.c": (451, b"greylisted")}), "later"),
        ("send", smtplib.SMTPDataError(554, b"spam"), "failed"),
        ("send", smtplib.SMTPServerDisconnected("gone"), "unknown"),
        ("send", TimeoutError(), "unknown"),
    ],
)
def test_mail(monkeypatch: pytest.MonkeyPatch, stage: str, error: Any, outcome: str) -> None:
    from apps.messaging.gateways import mail

    monkeypatch.setattr(mail, "get_connection", lambda **options: Line(stage, error))
    gateway = Gateway(code="m", kind="email", channel="email", config={"from": "客服 <care@shop.example>"})
    assert send(gateway, outgoing("email", "a@b.c")).outcome == outcome


def test_a_mail_is_one_letter(settings: Any, mailoutbox: list[Any]) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    gateway = Gateway(code="m", kind="email", channel="email", config={"from": "care@shop.example"})
    message = outgoing(
        "email",
        "a@b.c",
        title="您好\nBcc: x@y.z",
        headers={"List-Unsubscribe": "<https://shop.example/u/1/>"},
    )
    assert send(gateway, message).provider_id == "key-1@shop.example"
    (letter,) = mailoutbox
    assert (letter.subject, letter.to) == ("您好 Bcc: x@y.z", ["a@b.c"])
    assert letter.message()["List-Unsubscribe"] == "<https://shop.example/u/1/>"
    assert EmailBackend


def test_the_console_writes_a_file_for_its_owner_only(settings: Any, tmp_path: Any) -> None:
    settings.VAR_DIR = tmp_path
    gateway = Gateway(code="c", kind="console", channel="sms")
    assert send(gateway, outgoing()).outcome == "sent"
    (path,) = (tmp_path / "messages").glob("*.jsonl")
    assert json.loads(path.read_text("utf-8"))["to"] == "13812345678"
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("kind", "channel", "config", "field"),
    [
        ("aliyun_sms", "email", {"sign_name": "云朵"}, "channel"),
        ("aliyun_sms", "sms", {}, "config"),
        ("aliyun_sms", "sms", {"sign_name": "云"}, "config"),
        ("signed_http", "app", {"base_url": "file:///etc/passwd"}, "config"),
        ("wechat_service", "wechat", {"app_id": "wx", "app_secret": "x"}, "config"),
    ],
)
def test_settings_that_cannot_work_are_named(
    db: None, kind: str, channel: str, config: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Gateway(code="x", name="x", kind=kind, channel=channel, config=config).full_clean()
    assert field in caught.value.message_dict
