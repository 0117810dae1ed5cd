"""What loading reference data remembers."""

from django.db import models


class ReferenceStamp(models.Model):
    """One row a group of reference data. Processes keep that data in memory and reload it when `version` moves,

    so that intake reads one tiny row instead of ten tables.
    """

    code = models.CharField(max_length=40, primary_key=True)
    version = models.PositiveBigIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.code} {self.version}"


class RoleGrant(models.Model):
    """A permission that loading once gave to a role. What staff took away since is not given again;

    permissions that come with a newer version are.
    """

    role = models.CharField(max_length=150)
    permission = models.CharField(max_length=200)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["role", "permission"], name="core_role_grant_once"),)

    def __str__(self) -> str:
        return f"{self.role} {self.permission}"
