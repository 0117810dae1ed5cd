"""What public pages remember: which forms were sent, how often somebody asked."""

from __future__ import annotations

from django.db import models


class PublicNonce(models.Model):
    """A form that was sent. The key makes "twice" impossible; `result` is the record it led to.

    Without a result a process still works on it, or died: a claim older than a minute may be taken over.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    claimed_at = models.DateTimeField()
    result = models.BigIntegerField(null=True)

    class Meta:
        indexes = (
            # Read by the sweep that forgets forms past their life.
            models.Index(fields=["claimed_at"], name="core_nonce_old"),
        )

    def __str__(self) -> str:
        return self.digest[:8]


class PublicCount(models.Model):
    """How often something came in one stretch of time: `key` is a keyed hash, `window` the stretch's number."""

    key = models.CharField(max_length=64)
    window = models.BigIntegerField()
    count = models.PositiveIntegerField(default=1)
    ends_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["key", "window"], name="core_count_once"),)

    def __str__(self) -> str:
        return f"{self.key[:8]} {self.count}"
