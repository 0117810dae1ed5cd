"""Rules that speak to customers: fixed templates through the outbox, free texts after a person's yes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from apps.automation.models import Proposal
from apps.automation.registries import Match
from apps.core.models import User
from apps.feedback.models import Feedback
from apps.feedback.selectors.composer import values_of, ways
from apps.feedback.services import replies
from apps.messaging.choices import AUTOMATIC, MessageChannel, MessageState, Scene
from apps.messaging.models import MessageTemplate
from apps.messaging.services.outbox import Draft, enqueue
from apps.messaging.templates import preview, render

# Occasions a rule may write on by itself: nothing that promises or gives money (decisions, item 20).
SCENES = (Scene.FIRST_CONTACT, Scene.APOLOGY, Scene.RECEIVED, Scene.CALLBACK_INVITE, Scene.OTHER)


def templates() -> list[tuple[str, str]]:
    """(code, name) of templates a rule may send."""
    rows = MessageTemplate.objects.filter(
        is_active=True, message_class="service", channel__in=sorted(AUTOMATIC), scene__in=SCENES
    )
    return [(row.code, f"{row.get_channel_display()} · {row.title}") for row in rows]


def send_template(work: Any, params: dict[str, Any], matches: list[Match]) -> list[str]:
    """Send a service template to each customer; a machine's message never counts as an answer (decision 2).

    The key of the run makes it once, however often the run is repeated.
    """
    template = MessageTemplate.objects.filter(code=params["template"], is_active=True).first()
    if template is None:
        return [str(_("the template is gone or switched off"))] * len(matches)
    rows = Feedback.objects.select_related(
        "customer", "channel", "store", "order", "product", "category", "subcategory"
    ).in_bulk([match.feedback_id for match in matches])
    out: list[str] = []
    for match in matches:
        feedback = rows.get(match.feedback_id)
        if feedback is None or feedback.customer is None:
            out.append(str(_("nobody knows who this is")))
            continue
        if feedback.is_historical:
            # Decisions, item 3: no messages about what was imported for the record.
            out.append(str(_("historical feedback")))
            continue
        text = preview(
            template, {"customer_name": _("dear customer")} | values_of(feedback, User(username=""))
        )
        if "〔" in text:
            out.append(str(_("not everything could be filled in")))
            continue
        message = enqueue(
            Draft(
                purpose="automation",
                subject_key=replies.subject_key(feedback.pk),
                channel=template.channel,
                body=text,
                customer=feedback.customer,
                template=template,
                period_key=f"rule-{work.rule.pk}-{match.run_id}"[:80],
                is_automatic=True,
            ),
            by=None,
            now=work.now,
        )[0]
        out.append("done" if message.state != MessageState.REFUSED else message.error)
    return out


def _say(proposal: Proposal, channel: str, by: User, now: datetime) -> str:
    feedback = Feedback.objects.select_related(
        "customer", "channel", "store", "order", "product", "category", "subcategory"
    ).get(pk=proposal.feedback_id)
    # Raises Missing, which names what nobody could fill in: no 〔 〕 ever reaches a customer.
    text = render(
        str(proposal.payload.get("text", "")), {"customer_name": _("dear customer")} | values_of(feedback, by)
    )
    reply = replies.Reply(channel=channel, text=text, token=f"proposal-{proposal.pk}")
    try:
        entry = replies.send_reply(feedback=feedback, reply=reply, by=by, now=now)
    except replies.Held as held:
        # Confirmed, and now with a second person; raising would take their question back with it.
        return str(held.message)
    if entry.message is not None and replies.carries(entry.message):
        return str(_("Stands on the case: copy it to the platform and say that it is sent."))
    return str(_("On its way to the customer."))


def say_privately(proposal: Proposal, by: User, now: datetime) -> str:
    """A confirmed message, by the first open way. Raises DomainError when the law or the gate says no."""
    feedback = Feedback.objects.select_related("customer", "channel").get(pk=proposal.feedback_id)
    way = next(
        (w.channel for w in ways(feedback) if w.open and w.channel != MessageChannel.PUBLIC_REPLY), None
    )
    return _say(proposal, str(way or MessageChannel.PLATFORM_IM), by, now)


def say_publicly(proposal: Proposal, by: User, now: datetime) -> str:
    """A confirmed public reply. Raises DomainError when the law says no."""
    return _say(proposal, MessageChannel.PUBLIC_REPLY, by, now)
