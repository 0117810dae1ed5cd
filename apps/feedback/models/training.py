"""Weights the shop trained on its own texts."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class TrainedModel(models.Model):
    """One training: the sentiment weights it gave and how well they read texts they had not seen (R17).

    At most one is in use; without one the shipped weights read.
    """

    version = models.CharField(_("version"), max_length=40, unique=True)
    weights = models.BinaryField(_("weights"))
    examples = models.PositiveIntegerField(_("texts learned from"))
    held_out = models.PositiveIntegerField(_("texts tested on"))
    before = models.FloatField(
        _("right before"), help_text=_("Share of the tested texts read right, 0 to 1.")
    )
    after = models.FloatField(_("right after"))
    is_active = models.BooleanField(_("in use"), default=False)
    created_at = models.DateTimeField(_("created at"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("trained model")
        verbose_name_plural = _("trained models")
        ordering = ("-created_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=["is_active"],
                condition=models.Q(is_active=True),
                name="feedback_one_trained_model",
            ),
        )

    def __str__(self) -> str:
        return self.version
