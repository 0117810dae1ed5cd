"""Read texts: JSON lines in, JSON lines out. Needs no database."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.feedback.analysis import Reader
from apps.feedback.analysis.stream import analyse_lines


class Command(BaseCommand):
    """`analyse [--rating] [--from-db]`"""

    help = 'Read texts from stdin, one JSON object a line: {"id", "text", "rating"?}.'
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rating", action="store_true", help="Use the field rating (1–5) where given.")
        parser.add_argument("--from-db", action="store_true", help="Use the word lists edited in the admin.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Stream; a bad line yields a line with "error" and does not stop the rest."""
        reader = Reader.from_package()
        if options["from_db"]:
            from django.db import DatabaseError

            from apps.feedback.selectors.reference import reference

            try:
                reader = reference().reader
            except DatabaseError as error:
                raise CommandError("The database does not answer; leave out --from-db.") from error
        source = sys.stdin.buffer
        lines = (line.decode("utf-8", "replace") for line in source)
        for line in analyse_lines(lines, use_rating=options["rating"], reader=reader):
            self.stdout.write(line)
