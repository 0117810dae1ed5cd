"""What every benchmark needs: arguments that say when they are missing, Django set up on the named database."""

from __future__ import annotations

import argparse
import os
import resource
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def need_file(parser: argparse.ArgumentParser, path: str | None, name: str) -> Path:
    """The file, or exit code 2 with one line."""
    if not path or not Path(path).is_file():
        print(f"{name} absent: {path or 'not given'}", file=sys.stderr)
        raise SystemExit(2)
    return Path(path)


def use_database(url: str | None) -> None:
    """Set Django up on `url`, migrated and with reference data. The database is written to: name one for benchmarks."""
    if not url:
        print(
            "DATABASE_URL absent: give --database-url (a database for benchmarks; it is written to)",
            file=sys.stderr,
        )
        raise SystemExit(2)
    os.environ["DATABASE_URL"] = url
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_crm.settings")
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from django.core.management import call_command

    with Path(os.devnull).open("w") as quiet:
        call_command("migrate", verbosity=0, interactive=False)
        call_command("load_reference", stdout=quiet, stderr=quiet)


def peak_mb() -> float:
    """Peak resident memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
