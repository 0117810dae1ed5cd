"""One run of the SLA sweep."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from apps.feedback.services.sweep import sweep_sla


class Command(BaseCommand):
    """`sweep_sla [--at ISO] [--json]`"""

    help = "Give warnings, record breaches, escalate; reads only clocks that are due."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--at", help="Sweep as of this moment (ISO 8601); default: now.")
        parser.add_argument("--json", action="store_true", help="Print one JSON line.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many clocks were examined, warned, breached, escalated."""
        now = timezone.now()
        if options["at"]:
            try:
                parsed = parse_datetime(options["at"])
            except ValueError:
                parsed = None
            if parsed is None:
                raise CommandError(f"--at {options['at']}: not a moment; example: 2026-11-22T10:00:00+08:00")
            now = parsed if timezone.is_aware(parsed) else timezone.make_aware(parsed)
        result = sweep_sla(now=now)
        counts = {
            "examined": result.examined,
            "warned": result.warned,
            "breached": result.breached,
            "escalated": result.escalated,
        }
        if options["json"]:
            self.stdout.write(json.dumps(counts))
        else:
            self.stdout.write(", ".join(f"{name} {value}" for name, value in counts.items()))
