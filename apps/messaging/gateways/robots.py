"""Group robots of WeCom, DingTalk and Feishu: notices for staff."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from apps.messaging.choices import MessageChannel
from apps.messaging.gateways.base import Adapter, Answer, Outgoing, Reply, call, sent, unreadable

HEADERS = {"Content-Type": "application/json; charset=utf-8"}
LONGEST = 1900


def text_of(outgoing: Outgoing) -> str:
    """Title, text and address as plain lines; robots cut what is longer than 2,048 bytes."""
    text = "\n".join(part for part in (outgoing.title, outgoing.body, outgoing.link) if part)
    kept = text.encode()[:LONGEST].decode(errors="ignore")
    return kept if kept == text else f"{kept}…"


class Robot(Adapter):
    """What all three share."""

    channels = frozenset({MessageChannel.STAFF_GROUP})
    optional = ("base_url", "mention_all")
    code_field = "errcode"
    text_field = "errmsg"
    later: frozenset[int] = frozenset()

    def read(self, reply: Reply) -> Answer:
        """0 is posted; a named error was surely not."""
        code = reply.data.get(self.code_field, reply.data.get("StatusCode"))
        if not isinstance(code, int):
            return unreadable(reply)
        if code == 0:
            return sent()
        text = str(reply.data.get(self.text_field, ""))[:200]
        return Answer("later" if code in self.later else "failed", code=str(code), text=text)

    def post(self, url: str, body: dict[str, Any], params: dict[str, str] | None = None) -> Answer:
        """One post."""
        content = json.dumps(body, ensure_ascii=False).encode()
        reply = call("POST", url, params=params, content=content, headers=HEADERS)
        return reply if isinstance(reply, Answer) else self.read(reply)

    @staticmethod
    def mentions(gateway: Any, outgoing: Outgoing) -> bool:
        """Whether everybody is called: urgent notices, where the group wants that."""
        return bool(gateway.config.get("mention_all")) and outgoing.message_class == "safety"


class WecomRobot(Robot):
    """WeCom: the key in the address is the secret."""

    secrets = ("KEY",)
    base_url = "https://qyapi.weixin.qq.com"
    later = frozenset({-1, 45009, 93000})

    def send(self, gateway: Any, outgoing: Outgoing, *, now: datetime) -> Answer:
        """Plain text, with everybody mentioned where wanted."""
        if (missing := self.missing_secret(gateway)) is not None:
            return missing
        text: dict[str, Any] = {"content": text_of(outgoing)}
        if self.mentions(gateway, outgoing):
            text["mentioned_list"] = ["@all"]
        return self.post(
            f"{self.url(gateway)}/cgi-bin/webhook/send",
            {"msgtype": "text", "text": text},
            {"key": self.secret(gateway, "KEY")},
        )


def dingtalk_sign(secret: str, timestamp: int) -> str:
    """HMAC-SHA256 over "timestamp\\nsecret", keyed with the secret, in Base64 (milliseconds)."""
    text = f"{timestamp}\n{secret}".encode()
    return base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()


class DingtalkRobot(Robot):
    """DingTalk: token in the address, signed with the security setting "additional signature"."""

    secrets = ("ACCESS_TOKEN", "SECRET")
    base_url = "https://oapi.dingtalk.com"
    later = frozenset({-1, 130101, 130102, 410100, 310000, 300001})

    def send(self, gateway: Any, outgoing: Outgoing, *, now: datetime) -> Answer:
        """Plain text."""
        if (missing := self.missing_secret(gateway)) is not None:
            return missing
        timestamp = int(now.timestamp() * 1000)
        return self.post(
            f"{self.url(gateway)}/robot/send",
            {
                "msgtype": "text",
                "text": {"content": text_of(outgoing)},
                "at": {"isAtAll": self.mentions(gateway, outgoing)},
            },
            {
                "access_token": self.secret(gateway, "ACCESS_TOKEN"),
                "timestamp": str(timestamp),
                "sign": dingtalk_sign(self.secret(gateway, "SECRET"), timestamp),
            },
        )


def feishu_sign(secret: str, timestamp: int) -> str:
    """HMAC-SHA256 over nothing, keyed with "timestamp\\nsecret", in Base64 (seconds): unlike DingTalk's."""
    return base64.b64encode(
        hmac.new(f"{timestamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    ).decode()


class FeishuRobot(Robot):
    """Feishu: token in the path, signature in the body."""

    secrets = ("HOOK", "SECRET")
    base_url = "https://open.feishu.cn"
    code_field, text_field = "code", "msg"
    later = frozenset({19021, 11232, 99991400})

    def send(self, gateway: Any, outgoing: Outgoing, *, now: datetime) -> Answer:
        """Plain text."""
        if (missing := self.missing_secret(gateway)) is not None:
            return missing
        timestamp, text = int(now.timestamp()), text_of(outgoing)
        if self.mentions(gateway, outgoing):
            text = f'<at user_id="all"></at> {text}'
        return self.post(
            f"{self.url(gateway)}/open-apis/bot/v2/hook/{self.secret(gateway, 'HOOK')}",
            {
                "timestamp": str(timestamp),
                "sign": feishu_sign(self.secret(gateway, "SECRET"), timestamp),
                "msg_type": "text",
                "content": {"text": text},
            },
        )
