"""Load the demo shop."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone, translation

from apps.feedback.services.demo import is_loaded, load_demo


class Command(BaseCommand):
    """`load_demo`"""

    help = "Make the demo shop with sixty days of history. Run load_reference first."

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, and print the accounts once."""
        translation.activate(settings.LANGUAGE_CODE)
        if is_loaded():
            raise CommandError("The demo shop is here already; clear_demo removes it.")

        def progress(share: float) -> None:
            if sys.stderr.isatty():
                self.stderr.write(f"\rdemo shop {share:4.0%}", ending="")

        users = load_demo(now=timezone.now(), progress=progress)
        if sys.stderr.isatty():
            self.stderr.write("")
        self.stdout.write(f"Demo accounts, all with the password  {users.password}")
        for username, name, groups in users.rows:
            self.stdout.write(f"  {username:<14} {groups:<16} {name}")
