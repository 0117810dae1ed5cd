"""Checks run by `manage.py check --deploy`: what a shop must decide before it goes live."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.checks import Tags, Warning, register


@register(Tags.security, deploy=True)
def secrets_come_from_environment(app_configs: Any, **kwargs: Any) -> list[Warning]:
    """In production the keys are set on purpose, not generated beside the database (decisions, item 13)."""
    return [
        Warning(
            f"{name} is not set; a generated key under var/ is in use.",
            hint=f"Set {name} in the environment of every process and keep a copy in a safe place.",
            id=f"core.W00{number}",
        )
        for number, name in enumerate(("SECRET_KEY", "FIELD_HASH_KEY"), start=1)
        if not os.environ.get(name)
    ]


@register(Tags.database, deploy=True)
def postgresql_in_production(app_configs: Any, **kwargs: Any) -> list[Warning]:
    """SQLite serves one machine; production runs on PostgreSQL (architecture, decision 7)."""
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        return [
            Warning(
                "The embedded database is meant for one machine.", hint="Set DATABASE_URL.", id="core.W003"
            )
        ]
    return []
