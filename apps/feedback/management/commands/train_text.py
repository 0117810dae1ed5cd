"""Learn from the shop's own texts."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.core.exceptions import DomainError
from apps.feedback.fileformats import FileRefused
from apps.feedback.problem_texts import problem_text
from apps.feedback.services import training


class Command(BaseCommand):
    """`train_text [--from-ratings] [--csv FILE] [--json]`"""

    help = (
        "Learn sentiment from staff corrections, from the shop's rated reviews, or from a labelled CSV; "
        "test on texts held back, and switch over only if the new weights read them better."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from-ratings", action="store_true", help="Also learn from rated reviews.")
        parser.add_argument("--csv", help="A file with the columns label (1 or 0) and review.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print held-out accuracy before and after."""
        sources = []
        if options["csv"]:
            if not Path(options["csv"]).is_file():
                raise CommandError(f"no such file: {options['csv']}")
            sources.append(training.from_csv(options["csv"]))
        if options["from_ratings"]:
            sources.append(training.from_ratings())
        if not options["csv"] or options["from_ratings"]:
            # A file alone is a training of its own; otherwise what staff said always counts.
            sources.append(training.from_corrections())
        try:
            result = training.train_text(chain(*sources), by=None, now=timezone.now())
        except FileRefused as error:
            raise CommandError(problem_text(error.code, error.params)) from error
        except DomainError as error:
            raise CommandError(str(error.message)) from error
        if options["json"]:
            self.stdout.write(json.dumps(result.as_dict(), ensure_ascii=False))
            return
        self.stdout.write(
            f"{result.examples} texts learned from, {result.held_out} tested: "
            f"{result.before:.3f} right before, {result.after:.3f} after. {result.why}"
        )
