"""Who moved what, from where to where, why and when."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.wording import record_name, verb_label


class ActionLog(models.Model):
    """One move of one record. Append-only: nothing in the product changes or deletes a row."""

    model = models.CharField(_("record type"), max_length=60)
    object_id = models.BigIntegerField(_("record"))
    verb = models.CharField(_("move"), max_length=40)
    from_state = models.CharField(_("from"), max_length=30, blank=True)
    to_state = models.CharField(_("to"), max_length=30, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: the system itself."),
    )
    via = models.CharField(_("via"), max_length=20, blank=True)
    at = models.DateTimeField(_("at"))
    data = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        verbose_name = _("action")
        verbose_name_plural = _("action log")
        ordering = ("-at", "-id")
        indexes = (
            # Read by the history of one record (feedback page, undo).
            models.Index(fields=["model", "object_id", "-at"], name="core_action_of_record"),
            # Read by the audit list and by a person's day on the home page.
            models.Index(fields=["by", "-at"], name="core_action_of_person"),
        )

    def __str__(self) -> str:
        return f"{record_name(self.model, self.object_id)} · {verb_label(self.model, self.verb)}"
