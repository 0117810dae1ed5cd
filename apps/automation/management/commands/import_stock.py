"""Stock levels from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.automation.services.stock_file import import_stock, write_rejects
from apps.core.exceptions import DomainError


class Command(BaseCommand):
    """`import_stock FILE [--rejects FILE]`"""

    help = "Import stock levels (store, sku, level, reorder_point) from a CSV or XLSX file."

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, and where rejected rows go."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--rejects", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was done."""
        try:
            report = import_stock(path=options["file"], now=timezone.now())
        except DomainError as error:
            raise CommandError(str(error.message)) from error
        counts = ", ".join(f"{count} {state}" for state, count in sorted(report.states.items()))
        self.stdout.write(f"{report.read} rows: {counts}")
        for number, _values, why in report.rejects[:20]:
            self.stderr.write(f"row {number}: {why}")
        if options["rejects"] and report.rejects:
            write_rejects(report, options["rejects"])
            self.stdout.write(f"rejected rows: {options['rejects']}")
