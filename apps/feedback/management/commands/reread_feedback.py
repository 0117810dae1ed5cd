"""Read stored feedback again after words or weights changed."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from apps.feedback.services.reread import reread


class Command(BaseCommand):
    """`reread_feedback [--dry-run]`"""

    help = (
        "Read feedback of an older reading version again. Corrections by staff stay; tiers are never changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Write nothing, say what would change.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what changed."""
        result = reread(now=timezone.now(), dry_run=options["dry_run"])
        self.stdout.write(
            f"{result.read} read again, {result.changed} changed, {result.kept} kept as corrected, "
            f"{result.higher_tier} may be more urgent"
        )
