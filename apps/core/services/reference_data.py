"""Loading shipped reference data without ever overwriting what staff edited."""

from __future__ import annotations

from typing import Any

from django.db import models


def upsert(
    model: type[models.Model], *, key: dict[str, Any], values: dict[str, Any]
) -> tuple[models.Model, str]:
    """Create the row, or bring it up to date unless a person has edited it. Answers (row, what was done).

    A row counts as edited as soon as its history names a person; then it is left alone for good.
    """
    row = model._default_manager.filter(**key).first()
    if row is None:
        return model._default_manager.create(**key, **values), "created"
    history = getattr(row, "history", None)
    if history is not None and history.filter(history_user__isnull=False).exists():
        return row, "kept"
    differing = {name: value for name, value in values.items() if getattr(row, name) != value}
    if not differing:
        return row, "unchanged"
    for name, value in differing.items():
        setattr(row, name, value)
    row.save()
    return row, "updated"
