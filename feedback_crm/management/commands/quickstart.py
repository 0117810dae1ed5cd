"""From a bare checkout to a filled workplace."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from apps.core.models import User
from apps.feedback.services.demo import is_loaded


class Command(BaseCommand):
    """`quickstart [--no-demo] [--no-serve] [--port N]`"""

    help = "Migrate, load reference data, load the demo shop on the first run, serve. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="Leave the demo shop out.")
        parser.add_argument("--no-serve", action="store_true", help="Stop after set-up.")
        parser.add_argument("--port", type=int, default=None)

    def handle(self, *args: Any, **options: Any) -> None:
        """Each step says what it does; none asks a question."""
        self.stdout.write("1/4 database")
        call_command("migrate", verbosity=0, interactive=False)
        self.stdout.write("2/4 static files")
        call_command("collectstatic", verbosity=0, interactive=False)
        self.stdout.write("3/4 reference data")
        call_command("load_reference", stdout=_Quiet())
        self.stdout.write("4/4 demo shop")
        first_run = not User.objects.exists()
        if options["no_demo"]:
            self.stdout.write(
                "    left out (--no-demo)"
                + ("; make your account: python manage.py createsuperuser" if first_run else "")
            )
        elif first_run and not is_loaded():
            call_command("load_demo", stdout=self.stdout)
        else:
            self.stdout.write("    already set up; accounts and data are left as they are")
        if not options["no_serve"]:
            extra = {"port": options["port"]} if options["port"] else {}
            call_command("serve", **extra)


class _Quiet:
    """Swallows the detailed report of loading."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return None
