"""Make a key for an outside program."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from apps.core.exceptions import DomainError
from apps.core.models import Integration
from apps.core.services.tokens import SCOPES, issue_token
from apps.shop.models import Store


class Command(BaseCommand):
    """`create_token NAME --scopes a,b [--expires-days N] [--stores CODES]` or `--all-scopes`

    The key alone goes to standard output, so that a script can take it; everything else to standard error.
    """

    help = "Make an API token for the integration NAME (made when it is new). The key is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("name", help="name of the integration, e.g. erp")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--scopes", help=f"comma-separated; known: {', '.join(SCOPES)}")
        what.add_argument(
            "--all-scopes", action="store_true", help="every scope, also seeing personal data whole"
        )
        parser.add_argument(
            "--expires-days", type=int, help="days until it stops working; never when left out"
        )
        parser.add_argument(
            "--stores", default="", help="comma-separated store codes it may see; all when left out"
        )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """Print the key. Raises CommandError for unknown scopes or stores."""
        name = options["name"].strip()
        if not name or len(name) > 80:
            raise CommandError("NAME must have 1 to 80 characters.")
        stores = _names(options["stores"])
        unknown = sorted(
            set(stores) - set(Store.objects.filter(code__in=stores).values_list("code", flat=True))
        )
        if unknown:
            raise CommandError(f"There is no store {', '.join(unknown)}.")
        now = timezone.now()
        days = options["expires_days"]
        if days is not None and not 1 <= days <= 36_500:
            raise CommandError("--expires-days must lie between 1 and 36500.")
        integration, created = Integration.objects.get_or_create(name=name)
        if not integration.is_active:
            raise CommandError(f"The integration {name} is switched off.")
        try:
            token, key = issue_token(
                integration=integration,
                scopes=SCOPES if options["all_scopes"] else _names(options["scopes"]),
                now=now,
                expires_at=now + timedelta(days=days) if days is not None else None,
                stores=stores,
            )
        except DomainError as error:
            raise CommandError(str(error.message)) from error
        if options["verbosity"]:
            self.stderr.write(
                f"{'New' if created else 'Known'} integration {name}; scopes {', '.join(token.scopes)}; "
                f"stores {', '.join(token.stores) or 'all'}; expires {token.expires_at or 'never'}. "
                "The key is shown this once:"
            )
        self.stdout.write(key)


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
