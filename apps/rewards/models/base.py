"""What both ledgers share."""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.rewards.querysets import AppendOnly


class Ledger(models.Model):
    """A saved row stands: it is neither changed nor deleted."""

    objects = AppendOnly.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        """Once."""
        if not self._state.adding:
            raise TypeError("a ledger is not changed: write another row")
        super().save(*args, **options)

    def delete(self, *args: Any, **options: Any) -> Any:
        """Never."""
        raise TypeError("nothing is deleted from a ledger")
