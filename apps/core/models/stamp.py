"""Tells every process that reference data changed."""

from django.db import models


class ReferenceStamp(models.Model):
    """One row a group of reference data. Processes keep that data in memory and reload it when `version` moves,

    so that intake reads one tiny row instead of ten tables.
    """

    code = models.CharField(max_length=40, primary_key=True)
    version = models.PositiveBigIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.code} {self.version}"
