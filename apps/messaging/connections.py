"""What this app plugs into lower apps, and the variables its templates may use."""

from __future__ import annotations

import json
from pathlib import Path

from apps.customers.registries import Mover, movers
from apps.messaging.registries import Variable, variables

VARIABLES = Path(__file__).resolve().parent / "reference" / "variables.json"


def connect() -> None:
    """Register; called once when Django starts."""
    for number, entry in enumerate(json.loads(VARIABLES.read_text("utf-8"))):
        if variables.get(entry["name"]) is None:
            variables.register(
                entry["name"], Variable(entry["name"], entry["label"], entry["example"]), order=number
            )
    for relation in ("outboundmessage", "inboundmessage", "consentlink"):
        movers.register(f"messaging.{relation}.customer", Mover(f"messaging.{relation}", "customer"))
