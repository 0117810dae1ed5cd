"""WeChat official account: template messages, and customer service messages within 48 hours of the customer's last word."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta
from typing import Any, ClassVar

from apps.messaging.choices import MessageChannel
from apps.messaging.gateways.base import Adapter, Answer, Outgoing, Reply, call, sent, unreadable

# errcodes by what they mean for a message (the account's "global return codes").
TOKEN_GONE = frozenset({40001, 40014, 42001})
LATER = frozenset({-1, 45009, 45011, 45047, 40125, 40013, 40164, 48001, 48004, 50002, 43108})
REFUSED = {
    45015: "window_closed",  # the 48 hours are over
    43004: "not_following",
    43101: "not_subscribed",
    43019: "blacklisted",
    48002: "pushes_off",
}
# Renewed this long before it ends.
SPARE = timedelta(minutes=5)


class Tokens:
    """Access tokens by app, kept in memory and, where there is a shared cache, between processes.

    Fetching one makes the former invalid within minutes, so all processes should use the same.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def get(self, adapter: Wechat, gateway: Any, *, fresh: bool, now: datetime) -> str | Answer:
        """The token, or the Answer that its absence amounts to."""
        from django.core.cache import cache

        app_id = str(gateway.config["app_id"])
        key = f"messaging:wechat:{app_id}:{adapter.url(gateway)}"
        with self._lock:
            kept = cache.get(key)
            if kept and not fresh:
                return str(kept)
            reply = call(
                "GET",
                f"{adapter.url(gateway)}/cgi-bin/token",
                params={
                    "grant_type": "client_credential",
                    "appid": app_id,
                    "secret": adapter.secret(gateway, "APP_SECRET"),
                },
            )
            if isinstance(reply, Answer):
                # Without a token nothing was sent, whatever became of the question.
                return Answer("later", code=reply.code, text=reply.text, retry_after=reply.retry_after)
            token = reply.data.get("access_token")
            if not token:
                code = reply.data.get("errcode", reply.status)
                return Answer("later", code=f"token_{code}", text=str(reply.data.get("errmsg", ""))[:200])
            seconds = max(int(reply.data.get("expires_in", 7200)) - int(SPARE.total_seconds()), 60)
            cache.set(key, token, seconds)
            return str(token)


tokens = Tokens()


class Wechat(Adapter):
    """What both kinds of message share."""

    channels = frozenset({MessageChannel.WECHAT})
    secrets = ("APP_SECRET",)
    needed = ("app_id",)
    optional: ClassVar[tuple[str, ...]] = ("base_url",)
    base_url = "https://api.weixin.qq.com"
    path = ""

    def body(self, gateway: Any, outgoing: Outgoing) -> dict[str, Any] | Answer:
        """The JSON of this kind of message."""
        raise NotImplementedError

    def send(self, gateway: Any, outgoing: Outgoing, *, now: datetime) -> Answer:
        """With a token that turned out to be gone, once more with a new one."""
        if (missing := self.missing_secret(gateway)) is not None:
            return missing
        body = self.body(gateway, outgoing)
        if isinstance(body, Answer):
            return body
        # UTF-8 as it is: with \\u escapes WeChat shows the escapes.
        content = json.dumps(body, ensure_ascii=False).encode()
        for fresh in (False, True):
            token = tokens.get(self, gateway, fresh=fresh, now=now)
            if isinstance(token, Answer):
                return token
            reply = call(
                "POST",
                f"{self.url(gateway)}{self.path}",
                params={"access_token": token},
                content=content,
                headers={"Content-Type": "application/json; charset=utf-8"},
            )
            if isinstance(reply, Answer):
                return reply
            if reply.data.get("errcode") not in TOKEN_GONE:
                return self.read(reply)
        return Answer(
            "later", code=str(reply.data.get("errcode")), text=str(reply.data.get("errmsg", ""))[:200]
        )

    def read(self, reply: Reply) -> Answer:
        """errcode in our words: 0 is taken, a named error was surely not sent."""
        code = reply.data.get("errcode")
        if not isinstance(code, int):
            return unreadable(reply)
        text = str(reply.data.get("errmsg", ""))[:200]
        if code == 0:
            return sent(reply.data.get("msgid", ""))
        if code in REFUSED:
            return Answer("refused", code=REFUSED[code], text=text)
        return Answer("later" if code in LATER or code in TOKEN_GONE else "failed", code=str(code), text=text)


class WechatTemplate(Wechat):
    """Template messages. `templates` {our code: {"id": theirs, "data": {their field: our variable or text}}}."""

    optional = ("templates", "base_url")
    path = "/cgi-bin/message/template/send"

    def body(self, gateway: Any, outgoing: Outgoing) -> dict[str, Any] | Answer:
        """`client_msg_id` keeps WeChat itself from sending the same twice."""
        known = gateway.config.get("templates", {}).get(outgoing.template_code)
        if not isinstance(known, dict) or not known.get("id"):
            return Answer("failed", code="no_provider_template")
        data = {}
        for field, source in known.get("data", {}).items():
            value = outgoing.body if source == "body" else outgoing.values.get(source, source)
            data[field] = {"value": str(value)[:200]}
        message: dict[str, Any] = {
            "touser": outgoing.address,
            "template_id": known["id"],
            "data": data,
            "client_msg_id": outgoing.idempotency_key,
        }
        if outgoing.link:
            message["url"] = outgoing.link
        return message


class WechatService(Wechat):
    """Customer service messages: free text, within 48 hours of the customer's last word to the account."""

    path = "/cgi-bin/message/custom/send"

    def body(self, gateway: Any, outgoing: Outgoing) -> dict[str, Any] | Answer:
        """Text, with the link behind it."""
        text = f"{outgoing.body}\n{outgoing.link}" if outgoing.link else outgoing.body
        return {"touser": outgoing.address, "msgtype": "text", "text": {"content": text}}
