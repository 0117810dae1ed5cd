"""One run over callbacks."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone, translation

from apps.callbacks.services.sweep import sweep_callbacks


class Command(BaseCommand):
    """`sweep_callbacks [--json]`"""

    help = "Plan callbacks, share them out, remind, end what is over. Idempotent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON line.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many were planned, cancelled, assigned, told of, given up."""
        with translation.override(settings.LANGUAGE_CODE):
            counts = sweep_callbacks(now=timezone.now()).counts()
        if options["json"]:
            self.stdout.write(json.dumps(counts))
        else:
            self.stdout.write(", ".join(f"{name} {value}" for name, value in counts.items()))
