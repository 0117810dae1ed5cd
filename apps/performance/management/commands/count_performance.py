"""Count figures of people anew."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone, translation

from apps.core.exceptions import DomainError
from apps.performance.services.months import rebuild
from apps.performance.services.nightly import nightly


class Command(BaseCommand):
    """`count_performance [--month 2026-10]`"""

    help = "Count the figures of a month anew; without --month do what happens every night. Idempotent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--month", help="A month such as 2026-10.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was counted."""
        with translation.override(settings.LANGUAGE_CODE):
            if not options["month"]:
                done = nightly(now=timezone.now())
                self.stdout.write(", ".join(f"{name} {n}" for name, n in done.items()))
                return
            try:
                month = date.fromisoformat(f"{options['month']}-01")
                rows = rebuild(month=month, now=timezone.now())
            except (ValueError, DomainError) as error:
                raise CommandError(str(error)) from error
        self.stdout.write(f"{options['month']}: {rows}")
