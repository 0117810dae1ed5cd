"""What was said on a case, and the files that belong to it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import StoredFile
from apps.customers.models import ConsentEvent
from apps.feedback.choices import ContactMethod, EntryKind
from apps.feedback.models.feedback import Feedback


class Entry(models.Model):
    """One line of the thread: a contact, an internal note, a line of a transcript. Append-only."""

    feedback = models.ForeignKey(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="entries"
    )
    kind = models.CharField(_("kind"), max_length=12, choices=EntryKind.choices)
    method = models.CharField(_("how"), max_length=14, choices=ContactMethod.choices, blank=True)
    speaker = models.CharField(_("speaker"), max_length=60, blank=True)
    text = models.TextField(_("text"))
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    is_automatic = models.BooleanField(
        _("automatic"), default=False, help_text=_("A message by a machine never counts as first response.")
    )

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("conversation")
        ordering = ("at", "id")
        indexes = (models.Index(fields=["feedback", "at"], name="feedback_thread"),)

    def __str__(self) -> str:
        return f"{self.feedback_id} {self.kind}"


class FeedbackFile(models.Model):
    """A picture, document or recording. A recording needs the consent entry that allows it (R6; PIPL 13)."""

    feedback = models.ForeignKey(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="files"
    )
    file = models.ForeignKey(StoredFile, verbose_name=_("file"), on_delete=models.PROTECT, related_name="+")
    is_recording = models.BooleanField(_("recording"), default=False)
    consent = models.ForeignKey(
        ConsentEvent,
        verbose_name=_("consent"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(is_recording=False) | models.Q(consent__isnull=False),
                name="feedback_recording_consent",
                violation_error_message=_(
                    "A recording can be kept only with the customer's recorded consent."
                ),
            ),
        )

    def __str__(self) -> str:
        return f"{self.feedback_id} {self.file_id}"
