"""How an automatic answer reaches the customer (R21).

By e-mail, WeChat or app through the outbox. On the status page it stands at once. On the shop's own chats it goes to
the programs behind them, where one is told of answers (`readers`); where none is, nobody would see it. On a platform
nobody but a person can write: there the machine says no, and a person gets its suggestion.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.utils.translation import gettext as _

from apps.compliance.selectors import check
from apps.compliance.types import Facts, Finding, worst
from apps.core.exceptions import InvalidInput
from apps.core.registry import Registry
from apps.feedback.choices import ContactMethod, EntryKind
from apps.feedback.models import Entry, Feedback
from apps.feedback.selectors.composer import ways
from apps.feedback.services import moves
from apps.feedback.services.replies import METHODS, subject_key
from apps.messaging.choices import AUTOMATIC, MessageChannel, MessageState
from apps.messaging.services.outbox import Draft, enqueue

#: (feedback, text, now) → None; called inside the transaction that records the answer, may refuse by DomainError.
Sender = Callable[[Feedback, str, datetime], None]
#: () → whether a program fetches what is answered on the shop's own channels, e.g. a webhook that is told of answers.
readers: Registry[Callable[[], bool]] = Registry("programs that read answers")
senders: Registry[Sender] = Registry("further senders of automatic answers")

PURPOSE = "auto_answer"
# Channels whose conversations are the shop's own: whoever runs them reads answers from the API, webhooks or our page.
OWN = frozenset(
    {
        "official_site",
        "online_chat",
        "app",
        "mini_program",
        "wechat_chat",
        "public_form",
        "manual",
        "pos_survey",
    }
)


def send_automatic(*, feedback: Feedback, text: str, now: datetime) -> None:
    """Answer without a person. Never stops the first-response clock (decision 2). Raises InvalidInput where it cannot."""
    findings, _facts = unlawful(text, now=now)
    if worst(findings) in ("block", "require_approval"):
        # Also where no message carries it: what stands on the shop's own pages is read by customers too.
        raise InvalidInput(
            _("This may not be sent: %(rule)s.") % {"rule": findings[0].title}, code="unlawful"
        )
    way = next((way.channel for way in ways(feedback) if way.open and way.channel in AUTOMATIC), None)
    # An SMS costs money and has no room for an article.
    if way is not None and way != MessageChannel.SMS and feedback.channel.code not in OWN:
        _by_message(feedback, way, text, now=now)
    elif feedback.channel.code == "public_form" or (
        feedback.channel.code in OWN and any(reads() for reads in readers)
    ):
        moves.record_contact(
            feedback=feedback,
            how=ContactMethod.CHAT,
            said=text,
            by=None,
            now=now,
            via="auto-answer",
            is_automatic=True,
        )
        moves.announce(feedback, "reply", None)
    else:
        raise InvalidInput(_("Nobody but a person can write to this customer here."), code="no_way")
    for sender in senders:
        sender(feedback, text, now)


def unlawful(text: str, *, now: datetime) -> tuple[list[Finding], Facts]:
    """What the rules say of an answer that a machine may give, and the facts they were told. One query."""
    facts = Facts(
        subject="reply",
        message_class="service",
        reward="none",
        trigger="none",
        invites_review=False,
        review_script_required=False,
        local_hour=12,
    )
    return check(text, facts=facts, at=now), facts


def _by_message(feedback: Feedback, channel: str, text: str, *, now: datetime) -> None:
    message = enqueue(
        Draft(
            purpose=PURPOSE,
            subject_key=subject_key(feedback.pk),
            channel=channel,
            body=text,
            customer=feedback.customer,
            title=_("About your feedback %(number)s") % {"number": feedback.number},
            is_automatic=True,
            is_answer=True,
        ),
        by=None,
        now=now,
    )[0]
    if message.state == MessageState.REFUSED:
        raise InvalidInput(
            _("The message was not allowed: %(why)s") % {"why": message.error}, code=message.error_code
        )
    Entry.objects.create(
        feedback=feedback,
        kind=EntryKind.REPLY,
        method=METHODS[MessageChannel(channel)],
        text=text,
        at=now,
        speaker="auto-answer",
        is_automatic=True,
        message=message,
    )
    moves.announce(feedback, "reply", None)
