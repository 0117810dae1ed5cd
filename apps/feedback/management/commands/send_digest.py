"""One run of the morning digest."""

from __future__ import annotations

import json
from datetime import datetime, time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date

from apps.feedback.services.digest import FROM, send_digest


class Command(BaseCommand):
    """`send_digest [--on DATE] [--json]`"""

    help = (
        "Send the morning digest to everybody who has not got today's. Nothing on days off; safe to repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--on", help="Pretend it is 8:45 on this day (YYYY-MM-DD).")
        parser.add_argument("--json", action="store_true", help="The last line is JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was sent."""
        now = timezone.now()
        if options["on"]:
            try:
                day = parse_date(options["on"])
            except ValueError:
                day = None
            if day is None:
                raise CommandError(f"--on {options['on']}: expected a day such as 2026-11-23")
            now = timezone.make_aware(datetime.combine(day, time(FROM.hour, FROM.minute)))
        done = send_digest(now=now)
        if options["json"]:
            self.stdout.write(json.dumps(done))
        elif not done["workday"]:
            self.stdout.write("not a workday: nothing sent")
        else:
            self.stdout.write(f"{done['sent']} of {done['readers']} sent")
