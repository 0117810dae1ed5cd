"""What this app plugs into lower apps, and the variables its templates may use."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.compliance.types import Facts, Finding
from apps.core.dashboard import Card, cards
from apps.customers.registries import Mover, TimelineEvent, TimelineSource, movers, timeline
from apps.messaging.registries import TextCheck, TextFacts, Variable, text_checks, variables

VARIABLES = Path(__file__).resolve().parent / "reference" / "variables.json"
HANDS = frozenset(
    {"ops", "ops-lead", "care", "care-lead", "pr", "pr-lead", "legal", "dept", "store", "manager", "admin"}
)


def message_events(customer_id: int, user: Any, limit: int) -> Iterable[TimelineEvent]:
    """What a customer was sent, newest first (R25). One query beyond the person's scope."""
    from django.urls import reverse

    from apps.messaging.models import OutboundMessage

    if not user.has_perm("messaging.view_outboundmessage"):
        return
    rows = OutboundMessage.objects.visible_to(user).filter(customer_id=customer_id)
    for row in rows.order_by("-created_at", "-id")[:limit]:
        yield TimelineEvent(
            at=row.sent_at or row.created_at,
            kind="message",
            title=f"{row.get_channel_display()} · {row.get_state_display()}",
            text=row.error if row.state == "refused" else row.masked_body,
            url=reverse("admin:messaging_outboundmessage_change", args=[row.pk]),
            icon="outgoing_mail",
        )


def inbound_events(customer_id: int, user: Any, limit: int) -> Iterable[TimelineEvent]:
    """What a customer wrote back, newest first. One query beyond the person's scope."""
    from django.urls import reverse

    from apps.messaging.models import InboundMessage

    if not user.has_perm("messaging.view_inboundmessage"):
        return
    rows = InboundMessage.objects.visible_to(user).filter(customer_id=customer_id)
    for row in rows.order_by("-received_at", "-id")[:limit]:
        yield TimelineEvent(
            at=row.received_at,
            kind="answer",
            title=f"{row.get_channel_display()} · {row.get_state_display()}",
            text=row.masked_text,
            url=reverse("admin:messaging_inboundmessage_change", args=[row.pk]),
            icon="inbox",
        )


def hands_card(user: Any, now: datetime) -> dict[str, Any] | None:
    """What waits for a person's hands; nothing while there is none. Four bounded counts."""
    from apps.messaging.selectors import open_inbound, work_by_hand

    if not user.has_perm("messaging.view_outboundmessage"):
        return None
    counts = work_by_hand(user)
    unread = open_inbound(user) if user.has_perm("messaging.view_inboundmessage") else 0
    if not (unread or any(counts.values())):
        return None
    return {"counts": counts, "unread": unread}


def may_open_proof(user: Any, stored: Any) -> bool:
    """Whether a stored file proves a message this person may see. One query."""
    from apps.messaging.models import OutboundMessage

    return (
        user.has_perm("messaging.view_outboundmessage")
        and OutboundMessage.objects.visible_to(user).filter(proof_file=stored).exists()
    )


def lawful(now: datetime) -> TextCheck:
    """What the law says of texts on their way out. Consent and hours are the gate's business, not the text's."""
    from apps.compliance.selectors import checker

    check = checker(at=now)

    def of_text(text: str, facts: TextFacts) -> Iterable[Finding]:
        known = Facts(
            subject="message",
            channel=facts.channel,
            message_class=facts.message_class,
            reward="none",
            trigger="none",
            invites_review=False,
            review_script_required=False,
            consent=True,
            opted_out=False,
            local_hour=12,
        )
        return check(text, known)

    return of_text


def connect() -> None:
    """Register; called once when Django starts."""
    for number, entry in enumerate(json.loads(VARIABLES.read_text("utf-8"))):
        if variables.get(entry["name"]) is None:
            variables.register(
                entry["name"], Variable(entry["name"], entry["label"], entry["example"]), order=number
            )
    text_checks.register("compliance", lawful)
    for relation in ("outboundmessage", "inboundmessage", "consentlink"):
        movers.register(f"messaging.{relation}.customer", Mover(f"messaging.{relation}", "customer"))
    from apps.core.admin.files import file_readers

    file_readers.register("messaging", may_open_proof)
    timeline.register("messages", TimelineSource(_("Messages"), message_events), order=12)
    timeline.register("answers", TimelineSource(_("Answers"), inbound_events), order=13)
    cards.register(
        "messaging.hands",
        Card(_("Messages that need somebody"), HANDS, "messaging/cards/hands.html", hands_card),
        order=35,
    )
