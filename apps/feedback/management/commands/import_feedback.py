"""Import a platform's export."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation

from apps.core.exceptions import DomainError
from apps.feedback.fileformats import FileRefused, MappingError
from apps.feedback.problem_texts import fix_text, problem_text
from apps.feedback.services.file_import import ImportResult, import_file
from apps.feedback.services.intake import Timings


class Command(BaseCommand):
    """`import_feedback FILE --channel CODE [--mapping …] [--historical] [--dry-run] [--rejects FILE] [--json]`"""

    help = "Import feedback from CSV (UTF-8, GB18030, also .gz) or XLSX. The same file twice creates nothing new."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--channel", required=True, help="Channel code, e.g. taobao.")
        parser.add_argument(
            "--mapping",
            default="",
            help="A preset's name (taobao, jd, …) or field=column pairs, e.g. text=评价内容,rating=label:0→1,1→5",
        )
        parser.add_argument("--encoding", help="Skip detection, e.g. gb18030.")
        parser.add_argument(
            "--historical", action="store_true", help="No clocks, dispatch or messages for any row."
        )
        parser.add_argument("--new", action="store_true", help="Treat rows posted long ago as new as well.")
        parser.add_argument("--dry-run", action="store_true", help="Write nothing, say what would happen.")
        parser.add_argument("--rejects", help="Write refused rows to this CSV, to fix and import again.")
        parser.add_argument(
            "--json", action="store_true", help="The last line is a JSON object with the counts."
        )
        parser.add_argument("--timings", action="store_true", help="Print milliseconds by stage.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the import, show progress on a terminal, end with a summary."""
        # People read what this prints; Django switches commands to no language at all.
        translation.activate(settings.LANGUAGE_CODE)
        timings = Timings()
        rejects = None
        if options["historical"] and options["new"]:
            raise CommandError("--historical and --new exclude each other.")
        try:
            if options["rejects"]:
                rejects = open(options["rejects"], "w", encoding="utf-8-sig", newline="")  # noqa: SIM115 - closed below
            result = import_file(
                path=options["file"],
                channel=options["channel"],
                mapping=options["mapping"],
                encoding=options["encoding"],
                historical=options["historical"],
                as_new=options["new"],
                dry_run=options["dry_run"],
                rejects=rejects,
                progress=self._progress if sys.stderr.isatty() else None,
                timings=timings,
            )
        except (FileRefused, MappingError) as error:
            raise CommandError(problem_text(str(error.code), error.params)) from error
        except (DomainError, OSError) as error:
            raise CommandError(str(error)) from error
        finally:
            if rejects is not None:
                rejects.close()
        if sys.stderr.isatty():
            self.stderr.write("")
        self._report(result, options, timings)

    def _progress(self, share: float, result: ImportResult) -> None:
        rate = result.read / result.seconds if result.seconds else 0
        done = int(share * 30)
        self.stderr.write(
            f"\r[{'█' * done}{'·' * (30 - done)}] {share:4.0%}  {result.read}  {rate:.0f}/s", ending=""
        )

    def _report(self, result: ImportResult, options: dict[str, Any], timings: Timings) -> None:
        counts = result.counts()
        rate = result.read / result.seconds if result.seconds else 0.0
        if not options["json"]:
            self.stdout.write(
                f"{'(dry run) ' if options['dry_run'] else ''}"
                + ", ".join(f"{name} {value}" for name, value in counts.items())
                + f" · {rate:.0f} rows/s · {result.encoding} · {result.mapping}"
            )
        for code, entry in result.problems.items():
            rows = ", ".join(map(str, entry["rows"])) + ("…" if entry["count"] > len(entry["rows"]) else "")
            fix = fix_text(code)
            self.stderr.write(
                f"{entry['count']} × {code}: {entry['message']} [{rows}]" + (f" → {fix}" if fix else "")
            )
        if options["timings"]:
            for stage, seconds in sorted(timings.items(), key=lambda pair: -pair[1]):
                self.stderr.write(f"{seconds * 1000:10.0f} ms  {stage}")
        if options["json"]:
            self.stdout.write(json.dumps(counts))
