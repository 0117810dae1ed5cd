"""Gateways without a provider: a file for trying out, and people's own hands."""

from __future__ import annotations

import json
import logging
import os
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from apps.messaging.choices import ASSISTED, AUTOMATIC
from apps.messaging.gateways.base import Adapter, Answer, Outgoing, sent

logger = logging.getLogger("apps.messaging.console")


class Console(Adapter):
    """Writes each message as one JSON line into VAR_DIR/messages/<day>.jsonl, readable by the owner only."""

    channels = frozenset(AUTOMATIC)

    def send(self, gateway: Any, outgoing: Outgoing, *, now: datetime) -> Answer:
        """One line; the log line goes through the mask."""
        folder = settings.VAR_DIR / "messages"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        line = json.dumps(
            {
                "at": now.isoformat(),
                "key": outgoing.idempotency_key,
                "channel": outgoing.channel,
                "to": outgoing.address,
                "title": outgoing.title,
                "body": outgoing.body,
                "link": outgoing.link,
                "headers": dict(outgoing.headers),
            },
            ensure_ascii=False,
        )
        path = folder / f"{timezone.localtime(now):%Y-%m-%d}.jsonl"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, f"{line}\n".encode())
        finally:
            os.close(handle)
        logger.info("%s message %s: %s", outgoing.channel, outgoing.idempotency_key, outgoing.body)
        return sent(f"console-{outgoing.idempotency_key[:12]}")


class Assisted(Adapter):
    """Carried by people; a worker never gets such a message."""

    channels = frozenset(ASSISTED)

    def send(self, gateway: Any, outgoing: Outgoing, *, now: datetime) -> Answer:
        """Nothing is sent from here."""
        return Answer("failed", code="assisted")
