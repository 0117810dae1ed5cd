"""Personal data seen whole leaves a row."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.wording import record_name


class Reveal(models.Model):
    """One look at unmasked personal data: who, what, why, when (PIPL art. 51: access control and records)."""

    model = models.CharField(_("record type"), max_length=60)
    object_id = models.BigIntegerField(_("record"))
    fields = models.JSONField(_("fields"), default=list)
    reason = models.CharField(_("reason"), max_length=300)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="reveals"
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("look at personal data")
        verbose_name_plural = _("looks at personal data")
        ordering = ("-at", "-id")
        indexes = (models.Index(fields=["model", "object_id", "-at"], name="core_reveal_of_record"),)

    def __str__(self) -> str:
        return record_name(self.model, self.object_id)
