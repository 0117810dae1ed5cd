"""Items of `hooks/{channel}/` that are no new feedback: what a customer writes on a case, and how our messages fared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from apps.feedback.models import Channel, Entry
from apps.messaging.choices import MessageChannel
from apps.messaging.models import InboundMessage
from apps.messaging.services.inbound import IncomingMessage, Outcome, receive

KINDS = ("message", "receipt")
# By which way what arrives on a channel travels; everything else is chat on a platform.
WAYS = {
    "sms": MessageChannel.SMS,
    "email": MessageChannel.EMAIL,
    "wechat_mp": MessageChannel.WECHAT,
    "app": MessageChannel.APP,
    "mini_program": MessageChannel.APP,
}


def is_message(item: Any) -> bool:
    """Whether an item of a hook is a message or a receipt."""
    return isinstance(item, Mapping) and item.get("type") in KINDS


def way_of(channel: Channel) -> str:
    """The messages' channel behind a channel of feedback."""
    return str(WAYS.get(channel.code, MessageChannel.PLATFORM_IM))


def take(*, channel: Channel, items: Sequence[Mapping[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Take validated items in; answers for each what became of it and the case it stands on, in order."""
    found = receive([_message(channel, item) for item in items], gateway_code=channel.code, now=now)
    if any(outcome.state == "error" for outcome in found):
        # Nothing of this request is kept, its sender is answered 500 and delivers it again.
        raise RuntimeError("an item could not be taken in")
    cases = dict(
        Entry.objects.filter(inbound__in=[row.inbound_id for row in found if row.inbound_id]).values_list(
            "inbound_id", "feedback_id"
        )
    )
    fresh = InboundMessage.objects.filter(pk__in=[row.inbound_id for row in found if row.inbound_id])
    cases = {pk: payload.get("feedback") for pk, payload in fresh.values_list("pk", "payload")} | cases
    return [_line(outcome, cases.get(outcome.inbound_id or 0)) for outcome in found]


def _line(outcome: Outcome, feedback_id: int | None) -> dict[str, Any]:
    line: dict[str, Any] = {"status": outcome.state}
    if feedback_id is not None:
        line |= {"id": feedback_id, "number": f"F{feedback_id:07d}"}
    return line


def _message(channel: Channel, item: Mapping[str, Any]) -> IncomingMessage:
    way = way_of(channel)
    who = item.get("customer") or {}
    address = {
        MessageChannel.SMS: who.get("phone"),
        MessageChannel.EMAIL: who.get("email"),
    }.get(MessageChannel(way), who.get("external_id"))
    if item["type"] == "receipt":
        return IncomingMessage(
            channel=way,
            receipt=item["receipt"],
            provider_id=item.get("message_id") or "",
            idempotency_key=item.get("idempotency_key") or "",
            at=item.get("posted_at"),
            code=item.get("code") or "",
            error=item.get("error") or "",
        )
    return IncomingMessage(
        channel=way,
        address=address or "",
        text=item["text"],
        external_id=item.get("external_id") or "",
        at=item.get("posted_at"),
        payload={
            "feedback_channel": channel.code,
            "case": item.get("case") or "",
            "about": item.get("follow_up_to") or "",
            "customer": {name: str(value) for name, value in who.items() if value},
        },
    )
