"""Add up all figures of repairs anew."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from apps.repairs.services.repeat import refresh_repeat
from apps.repairs.services.rollup import rebuild_figures


class Command(BaseCommand):
    """`rebuild_repair_figures [--json]`"""

    help = "Add up all figures of repairs and compare repeat purchases anew. Idempotent; pages stay readable meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON line.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many days were added up, how many of them changed, how many quarters were compared."""
        now = timezone.now()
        done = rebuild_figures(now=now)
        counts = {
            "days": done.days,
            "changed": done.changed,
            "quarters": refresh_repeat(now=now, whole=True),
        }
        if options["json"]:
            self.stdout.write(json.dumps(counts))
        else:
            self.stdout.write(", ".join(f"{name} {value}" for name, value in counts.items()))
