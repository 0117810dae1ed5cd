"""How an automatic answer leaves the house. The app that sends messages registers a sender; until then the thread keeps it.

A sender runs inside the transaction that records the answer: it writes an outbox row (architecture, decision 5) or
raises DomainError to refuse, which leaves the case to people.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from apps.core.registry import Registry
from apps.feedback.choices import ContactMethod
from apps.feedback.models import Feedback
from apps.feedback.services import moves

#: (feedback, text, now) → None
Sender = Callable[[Feedback, str, datetime], None]
senders: Registry[Sender] = Registry("senders of automatic answers")

METHODS = {
    "email": ContactMethod.EMAIL,
    "wechat_chat": ContactMethod.WECHAT,
    "wechat_mp": ContactMethod.WECHAT,
}


def send_automatic(*, feedback: Feedback, text: str, now: datetime) -> None:
    """Record the answer as automatic contact, which never stops the first-response clock, and hand it to the senders."""
    moves.record_contact(
        feedback=feedback,
        how=METHODS.get(feedback.channel.code, ContactMethod.CHAT),
        said=text,
        by=None,
        now=now,
        via="auto-answer",
        is_automatic=True,
    )
    for sender in senders:
        sender(feedback, text, now)
