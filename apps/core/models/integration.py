"""Outside programs that may talk to the API."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models.base import Stamped


class Integration(Stamped):
    """A named outside program: a shop system, a platform connector. Tokens and webhook secrets belong to it."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("integration")
        verbose_name_plural = _("integrations")

    def __str__(self) -> str:
        return self.name


class IntegrationToken(models.Model):
    """One key of an integration. Only its SHA-256 is stored; the key itself is shown once.

    Rotating means making a second one, moving the program over, and revoking the first.
    """

    integration = models.ForeignKey(
        Integration, verbose_name=_("integration"), on_delete=models.CASCADE, related_name="tokens"
    )
    prefix = models.CharField(_("begins with"), max_length=12)
    digest = models.CharField(_("hash"), max_length=64, unique=True)
    scopes = models.JSONField(_("scopes"), default=list)
    stores = models.JSONField(
        _("stores"), default=list, blank=True, help_text=_("Store codes this key may see; empty: all.")
    )
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)

    class Meta:
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")

    def __str__(self) -> str:
        return f"{self.integration} {self.prefix}…"

    # What DRF and the throttle ask of whoever is behind a request.
    is_authenticated = True
    is_anonymous = False
    is_active = True


class IdempotentRequest(models.Model):
    """The kept answer to a POST that carried an Idempotency-Key: the same key again gets the same answer."""

    token = models.ForeignKey(IntegrationToken, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=120)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 over method, path and body")
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.JSONField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("kept answer")
        verbose_name_plural = _("kept answers")
        constraints = (models.UniqueConstraint(fields=["token", "key"], name="core_idempotent_once"),)
        indexes = (
            # Read by the sweep that forgets answers older than a day.
            models.Index(fields=["created_at"], name="core_idempotent_old"),
        )

    def __str__(self) -> str:
        return self.key
