"""One run of the outbox."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone, translation

from apps.messaging.services.sending import send_due


class Command(BaseCommand):
    """`send_due_messages [--json] [--limit N]`"""

    help = "Send what is due, once; several may run at the same time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--limit", type=int, help="At most so many messages.")
        parser.add_argument("--json", action="store_true", help="Print one JSON line.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many were claimed, sent, failed, deferred, left to check."""
        limit = options["limit"]
        if limit is not None and limit < 1:
            raise CommandError("--limit must be at least 1")
        # Reasons are kept with the messages and read by all staff.
        with translation.override(settings.LANGUAGE_CODE):
            counts = send_due(clock=timezone.now, limit=limit).as_dict()
        if options["json"]:
            self.stdout.write(json.dumps(counts))
        else:
            self.stdout.write(", ".join(f"{name} {value}" for name, value in counts.items()))
