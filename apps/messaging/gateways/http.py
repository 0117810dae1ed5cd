"""Signed HTTP to a system of the shop's own: app push, subscribe messages of a mini-program, anything else."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from apps.messaging.choices import AUTOMATIC
from apps.messaging.gateways.base import Adapter, Answer, Outgoing, call, sent


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over timestamp, a dot and the raw body, in hex: the same as our own `hooks/{channel}/` asks for."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


class SignedHttp(Adapter):
    """POSTs the message as JSON to `base_url`. Any 2xx is taken; {"id": …} in the answer is kept as its number.

    The receiver should take each Idempotency-Key once: that is what makes a second attempt harmless.
    """

    channels = frozenset(AUTOMATIC)
    secrets = ("SECRET",)
    needed = ("base_url",)
    optional = ("templates",)

    def send(self, gateway: Any, outgoing: Outgoing, *, now: datetime) -> Answer:
        """One message, one POST."""
        if (missing := self.missing_secret(gateway)) is not None:
            return missing
        message = {
            "id": outgoing.idempotency_key,
            "channel": outgoing.channel,
            "to": outgoing.address,
            "title": outgoing.title,
            "body": outgoing.body,
            "link": outgoing.link,
            "class": outgoing.message_class,
            "template": gateway.config.get("templates", {}).get(
                outgoing.template_code, outgoing.template_code
            ),
            "values": dict(outgoing.values),
        }
        body = json.dumps(message, ensure_ascii=False).encode()
        timestamp = str(int(now.timestamp()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Idempotency-Key": outgoing.idempotency_key,
            "X-Timestamp": timestamp,
            "X-Signature": f"sha256={signature(self.secret(gateway, 'SECRET'), timestamp, body)}",
        }
        reply = call("POST", self.url(gateway), content=body, headers=headers)
        if isinstance(reply, Answer):
            return reply
        code, text = f"http_{reply.status}", str(reply.data.get("message", ""))[:200]
        if 200 <= reply.status < 300:
            return sent(str(reply.data.get("id", "")))
        if reply.status == 410:
            return Answer("refused", code=code, text=text)
        # A wrong secret or a wrong address of ours is put right by somebody; until then it waits.
        if reply.status in (401, 403, 404, 408, 425) or 300 <= reply.status < 400:
            return Answer("later", code=code, text=text)
        return Answer("failed", code=code, text=text)
