"""Imports, webhooks, corrections."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.feedback.models.feedback import Feedback
from apps.feedback.models.reference import Channel


class ImportRun(models.Model):
    """One file, known by its SHA-256 and channel. Running it again goes on where it stopped and doubles nothing."""

    class State(models.TextChoices):
        RUNNING = "running", pgettext_lazy("import", "running")
        DONE = "done", pgettext_lazy("import", "done")
        FAILED = "failed", pgettext_lazy("import", "failed")

    sha256 = models.CharField(_("SHA-256 of the file"), max_length=64)
    channel = models.ForeignKey(
        Channel, verbose_name=_("channel"), on_delete=models.PROTECT, related_name="+"
    )
    file_name = models.CharField(_("file"), max_length=200)
    encoding = models.CharField(_("encoding"), max_length=20, blank=True)
    mapping = models.JSONField(_("columns"), default=dict, blank=True)
    is_historical = models.BooleanField(_("historical"), default=False)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.RUNNING)
    read = models.PositiveIntegerField(_("rows read"), default=0)
    created = models.PositiveIntegerField(_("created"), default=0)
    duplicates = models.PositiveIntegerField(_("duplicates"), default=0)
    near_duplicates = models.PositiveIntegerField(_("near duplicates"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    message = models.CharField(_("message"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ("-started_at",)
        constraints = (models.UniqueConstraint(fields=["sha256", "channel"], name="feedback_import_once"),)

    def __str__(self) -> str:
        return self.file_name


class WebhookSecret(models.Model):
    """The shared secret of one channel's webhook; HMAC-SHA256 over timestamp and raw body."""

    channel = models.OneToOneField(
        Channel, verbose_name=_("channel"), on_delete=models.CASCADE, related_name="webhook"
    )
    secret = models.CharField(_("secret"), max_length=100)
    mapping = models.JSONField(
        _("fields"),
        default=dict,
        blank=True,
        help_text=_('Our field → path in the message, e.g. {"text": "data.content"}.'),
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")

    def __str__(self) -> str:
        return str(self.channel)


class WebhookNonce(models.Model):
    """A signature seen within its five-minute window: a replay is refused by the database."""

    signature = models.CharField(max_length=64, primary_key=True)
    at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.signature[:8]


class Correction(models.Model):
    """What staff said the machine should have read; training data for later (R17)."""

    feedback = models.ForeignKey(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="corrections"
    )
    before = models.JSONField(_("before"), default=dict)
    after = models.JSONField(_("after"), default=dict)
    reading_version = models.CharField(_("reading version"), max_length=40, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        ordering = ("-at",)

    def __str__(self) -> str:
        return str(self.feedback_id)
