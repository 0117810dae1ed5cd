"""What was said on a case, and the files that belong to it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.compliance.models import Verdict
from apps.core.models import Stamped, StoredFile
from apps.customers.models import ConsentEvent
from apps.feedback.choices import ContactMethod, EntryKind, HeldState
from apps.feedback.models.feedback import Feedback
from apps.messaging.choices import MessageChannel
from apps.messaging.models import InboundMessage, MessageTemplate, OutboundMessage


class Entry(models.Model):
    """One line of the thread: a contact, a reply, an internal note, a line of a transcript. Append-only.

    A reply stands here from the moment it is written; what became of it is the state of its `message`. It counts as
    an answer – clocks stop – when that message is sent (`settled_at`).
    """

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
    message = models.OneToOneField(
        OutboundMessage,
        verbose_name=_("message"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="entry",
    )
    inbound = models.OneToOneField(
        InboundMessage,
        verbose_name=_("inbound message"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="entry",
    )
    settled_at = models.DateTimeField(_("counted at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("conversation")
        ordering = ("at", "id")
        indexes = (
            models.Index(fields=["feedback", "at"], name="feedback_thread"),
            # Read by the sweep that counts replies whose signal a crash has lost.
            models.Index(
                fields=["message"],
                name="feedback_reply_uncounted",
                condition=models.Q(message__isnull=False, settled_at__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return f"{self.feedback_id} {self.kind}"


class FeedbackFile(models.Model):
    """A picture, document or recording. A recording needs the consent entry that allows it (R6; PIPL 13)."""

    feedback = models.ForeignKey(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="files"
    )
    file = models.ForeignKey(StoredFile, verbose_name=_("file"), on_delete=models.PROTECT, related_name="+")
    entry = models.ForeignKey(
        Entry,
        verbose_name=_("entry"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="files",
        help_text=_("The reply or note it came with; empty: it came with the feedback itself."),
    )
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


class HeldReply(models.Model):
    """A reply that a rule sends to a second person first. Approved, it goes out as it was written."""

    feedback = models.ForeignKey(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="held_replies"
    )
    channel = models.CharField(_("channel"), max_length=20, choices=MessageChannel.choices)
    text = models.TextField(_("text"))
    template = models.ForeignKey(
        MessageTemplate, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    also = models.CharField(_("and then"), max_length=20, blank=True)
    verdict = models.OneToOneField(
        Verdict, verbose_name=_("compliance verdict"), on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(_("state"), max_length=10, choices=HeldState.choices, default=HeldState.WAITING)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("held reply")
        verbose_name_plural = _("held replies")
        ordering = ("-at",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=HeldState.values), name="feedback_held_state"
            ),
        )

    def __str__(self) -> str:
        return f"{self.feedback_id} {self.state}"


class Presence(models.Model):
    """Who has a case open right now, and whether they write. Kept for minutes only."""

    feedback = models.ForeignKey(Feedback, on_delete=models.CASCADE, related_name="presences")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField()
    typed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["feedback", "user"], name="feedback_presence_once"),)
        indexes = (
            # Read by the clean-up.
            models.Index(fields=["seen_at"], name="feedback_presence_old"),
        )

    def __str__(self) -> str:
        return f"{self.feedback_id} {self.user_id}"


class Macro(Stamped):
    """Several moves in one button (R20). Steps are checked when it is saved; it is done whole or not at all."""

    name = models.CharField(_("name"), max_length=60, unique=True)
    description = models.CharField(_("when to use it"), max_length=200, blank=True)
    steps = models.JSONField(_("steps"), default=list)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("macro")
        verbose_name_plural = _("macros")
        ordering = ("position", "name")

    def __str__(self) -> str:
        return self.name
