"""Messages from outside systems: signed, fresh, and taken once (R3; peers 35)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.core.exceptions import DomainError
from apps.feedback.models import WebhookNonce, WebhookSecret

WINDOW = timedelta(minutes=5)
SECONDS = re.compile(r"\d{1,12}")
HEX = re.compile(r"(?:sha256=)?([0-9a-f]{64})")
# Unix moments above this are milliseconds: as seconds they would lie after the year 5000.
MILLISECONDS_FROM = 10**11


class BadSignature(DomainError):
    """Unknown channel, no secret, wrong signature, stale timestamp: one answer, so that nobody can probe."""

    code = "bad_signature"
    status = 401


class Replayed(DomainError):
    """This very message was taken in before."""

    code = "replayed"


def sign(*, secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over timestamp, a dot and the raw body, as 64 hex digits."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def authenticate(
    *, channel: str, timestamp: str, signature: str, body: bytes, now: datetime
) -> WebhookSecret:
    """The webhook this message is signed for. Raises BadSignature, whatever is wrong."""
    hook = (
        WebhookSecret.objects.select_related("channel")
        .filter(channel__code=channel[:40], is_active=True, channel__is_active=True)
        .exclude(secret="")
        .first()
    )
    given = HEX.fullmatch(signature.strip().lower())
    # Without a secret the same work is done with a random one: time must not tell whether the channel exists.
    secret = hook.secret if hook is not None else secrets.token_hex(32)
    stamp = timestamp if SECONDS.fullmatch(timestamp) else "0"
    expected = sign(secret=secret, timestamp=stamp, body=body)
    genuine = hmac.compare_digest(expected, given[1] if given else "0" * 64)
    fresh = abs(now.timestamp() - int(stamp)) <= WINDOW.total_seconds()
    if hook is None or not genuine or not fresh:
        raise BadSignature(_("The signature is not valid for this message."))
    return hook


def once(*, hook: WebhookSecret, timestamp: str, body: bytes, now: datetime) -> None:
    """Mark a genuine message as taken. Raises Replayed.

    Called inside the transaction that takes it in: after a failure the sender may send it again.
    """
    # Two channels may share a secret; the channel's name keeps their marks apart.
    signature = sign(secret=hook.secret, timestamp=timestamp, body=body)
    mark = hashlib.sha256(f"{hook.channel.code}:{signature}".encode()).hexdigest()
    try:
        with transaction.atomic():
            WebhookNonce.objects.create(signature=mark, at=now)
    except IntegrityError as error:
        raise Replayed(_("This message was received before.")) from error


def items_of(message: Any, *, hook: WebhookSecret) -> Any:
    """The message in our own words, ready to be validated: a list, or whatever it was when it is none.

    `hook.mapping` is our field → dotted path, list places as numbers: {"text": "data.content.0",
    "customer.nickname": "user.name"}. `items` names the list when one message carries many; paths then start
    at its elements, or at the message itself when they begin with "$.". A value that is no text stands for
    itself: {"rating": 5}. With a mapping only mapped fields are read. The channel is always the hook's own.
    """
    mapping = hook.mapping if isinstance(hook.mapping, dict) else {}
    if mapping:
        path = mapping.get("items")
        found = follow(message, path.removeprefix("$.")) if isinstance(path, str) and path else message
        elements = found if isinstance(found, list) else [found]
        rows = [mapped(element, mapping, root=message) for element in elements]
    elif isinstance(message, dict) and isinstance(message.get("items"), list):
        rows = message["items"]
    else:
        rows = message if isinstance(message, list) else [message]
    return [{**row, "channel": hook.channel.code} if isinstance(row, dict) else row for row in rows]


def mapped(element: Any, mapping: dict[str, Any], *, root: Any) -> dict[str, Any]:
    """One foreign element as one of our items; what it does not have is left out."""
    item: dict[str, Any] = {}
    for name, path in mapping.items():
        if name == "items":
            continue
        if not isinstance(path, str):
            value = path
        elif path.startswith("$."):
            value = follow(root, path[2:])
        else:
            value = follow(element, path)
        if value is None:
            continue
        if name == "posted_at":
            value = _moment(value)
        elif name == "images" and not isinstance(value, list):
            value = [value]
        head, _dot, tail = name.partition(".")
        if tail:
            inner = item.setdefault(head, {})
            if isinstance(inner, dict):
                inner[tail] = value
        else:
            item[name] = value
    return item


def follow(value: Any, path: str) -> Any:
    """The value at a dotted path, or None."""
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and len(step) < 7 and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _moment(value: Any) -> Any:
    """Unix seconds or milliseconds as ISO 8601; anything else as it is, for the validation to judge."""
    if isinstance(value, str) and SECONDS.fullmatch(value) and len(value) >= 9:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    seconds = value / 1000 if abs(value) >= MILLISECONDS_FROM else value
    try:
        return datetime.fromtimestamp(seconds, tz=UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return str(value)[:40]
