"""What this app plugs into lower apps, and the variables its templates may use."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from apps.compliance.types import Facts, Finding
from apps.customers.registries import Mover, movers
from apps.messaging.registries import TextFacts, Variable, text_checks, variables

VARIABLES = Path(__file__).resolve().parent / "reference" / "variables.json"


def lawful(text: str, facts: TextFacts) -> Iterable[Finding]:
    """What the law says of a text on its way out. Consent and hours are the gate's business, not the text's."""
    from apps.compliance.selectors import check

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
    return check(text, facts=known, at=facts.at)


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
