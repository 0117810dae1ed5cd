"""Imports, webhooks, corrections."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core.models import StoredFile
from apps.feedback.models.feedback import Feedback
from apps.feedback.models.reference import Channel
from apps.feedback.transitions import IMPORT_STATES
from apps.shop.models import Store


class ImportRun(models.Model):
    """One file, known by its SHA-256 and channel. Running it again goes on where it stopped and doubles nothing.

    The state moves by the table `apps.feedback.transitions.IMPORT`. A run that was undone leaves its file free to be
    given again. `heartbeat_at` is written by whoever works on it after each chunk of rows; a run that is checking,
    running or undoing and whose heart stood still is taken over by the sweep.
    """

    class State(models.TextChoices):
        DRAFT = "draft", pgettext_lazy("import", "draft")
        CHECKING = "checking", pgettext_lazy("import", "dry run")
        READY = "ready", pgettext_lazy("import", "checked")
        QUEUED = "queued", pgettext_lazy("import", "waiting for its turn")
        RUNNING = "running", pgettext_lazy("import", "running")
        PAUSED = "paused", pgettext_lazy("import", "paused")
        DONE = "done", pgettext_lazy("import", "done")
        FAILED = "failed", pgettext_lazy("import", "failed")
        UNDOING = "undoing", pgettext_lazy("import", "being undone")
        UNDONE = "undone", pgettext_lazy("import", "undone")

    class Mode(models.TextChoices):
        AUTO = "auto", pgettext_lazy("import", "by date: posted more than 30 days ago is historical")
        HISTORICAL = "historical", pgettext_lazy("import", "all historical: no clocks, dispatch or notices")
        NEW = "new", pgettext_lazy("import", "all new: clocks and dispatch for every row")

    sha256 = models.CharField(_("SHA-256 of the file"), max_length=64)
    channel = models.ForeignKey(
        Channel, verbose_name=_("channel"), on_delete=models.PROTECT, related_name="+"
    )
    file_name = models.CharField(_("file"), max_length=200)
    file = models.ForeignKey(
        StoredFile,
        verbose_name=_("kept file"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
        help_text=_("Empty: imported by the command, which keeps no copy."),
    )
    rejects_file = models.ForeignKey(
        StoredFile,
        verbose_name=_("rejected rows as a file"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_index=False,
        related_name="+",
    )
    corrects = models.ForeignKey(
        "self",
        verbose_name=_("corrects the rejected rows of"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="corrections",
    )
    encoding = models.CharField(_("encoding"), max_length=20, blank=True)
    mapping = models.JSONField(_("columns"), default=dict, blank=True)
    header = models.JSONField(_("column names"), default=list, blank=True)
    store = models.ForeignKey(
        Store,
        verbose_name=_("store of rows that name none"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
    )
    mode = models.CharField(_("new or historical"), max_length=10, choices=Mode.choices, default=Mode.AUTO)
    is_historical = models.BooleanField(_("historical"), default=False)
    snapshot = models.JSONField(
        _("complete list of"),
        default=dict,
        blank=True,
        help_text=_("Declared by the importer: every review of this store and period is in the file."),
    )
    compared_at = models.DateTimeField(
        _("compared at"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When a complete list was compared with the reviews known before."),
    )
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.RUNNING)
    checked = models.JSONField(_("dry run"), default=dict, blank=True)
    problems = models.JSONField(_("problems"), default=dict, blank=True)
    read = models.PositiveIntegerField(_("rows read"), default=0)
    created = models.PositiveIntegerField(_("created"), default=0)
    duplicates = models.PositiveIntegerField(_("duplicates"), default=0)
    changed = models.PositiveIntegerField(
        _("changed"), default=0, help_text=_("Later versions of known reviews; counted among the duplicates.")
    )
    near_duplicates = models.PositiveIntegerField(_("near duplicates"), default=0)
    rejected = models.PositiveIntegerField(_("rejected"), default=0)
    undone = models.PositiveIntegerField(_("rows undone"), default=0)
    share = models.FloatField(_("share done"), default=0)
    seconds = models.FloatField(_("seconds of work"), default=0)
    worker = models.CharField(max_length=32, blank=True, editable=False)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    updated_at = models.DateTimeField(_("updated at"), null=True, blank=True)
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
        indexes = (
            # Read by the comparison of complete lists (repairs).
            models.Index(
                fields=["finished_at"],
                name="feedback_import_compare",
                condition=models.Q(state="done", compared_at__isnull=True) & ~models.Q(snapshot={}),
            ),
            # Read by sweep_imports: runs that are wanted and that nobody works on.
            models.Index(
                fields=["heartbeat_at", "id"],
                name="feedback_import_wanted",
                condition=models.Q(state__in=("checking", "queued", "running", "undoing")),
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["sha256", "channel"], condition=~models.Q(state="undone"), name="feedback_import_once"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=IMPORT_STATES),
                name="feedback_import_state",
            ),
        )
        permissions = (("undo_importrun", _("Can undo an import nobody has worked on")),)

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_snapshot(self) -> bool:
        """Whether it was declared a complete list of one store and period (decision 14)."""
        return bool(self.snapshot)


class SnapshotRow(models.Model):
    """One review that was found in a complete list, new or known. Written with its chunk, so that a killed import

    that goes on has seen every row once.
    """

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, db_index=False, related_name="seen_rows")
    feedback = models.ForeignKey(Feedback, on_delete=models.CASCADE, related_name="snapshot_rows")

    class Meta:
        constraints = (
            # Also read by the comparison: what was seen in this run?
            models.UniqueConstraint(fields=["run", "feedback"], name="feedback_snapshot_once"),
        )

    def __str__(self) -> str:
        return f"{self.run_id} {self.feedback_id}"


class ImportMapping(models.Model):
    """What an importer said the columns of one platform's export mean: asked once, known the next time."""

    channel = models.ForeignKey(
        Channel, verbose_name=_("channel"), on_delete=models.CASCADE, related_name="+"
    )
    header_key = models.CharField(max_length=64, editable=False)
    mapping = models.JSONField(_("columns"), default=dict)
    encoding = models.CharField(_("encoding"), max_length=20, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    used_at = models.DateTimeField(_("last used at"))

    class Meta:
        verbose_name = _("remembered columns")
        verbose_name_plural = _("remembered columns")
        constraints = (
            # Also read when a file is given: are these columns known?
            models.UniqueConstraint(fields=["channel", "header_key"], name="feedback_mapping_once"),
        )

    def __str__(self) -> str:
        return str(self.channel_id)


class ImportedCustomer(models.Model):
    """A customer first met by an import, so that undoing it can take along who has nothing else.

    A plain number instead of a foreign key: this is a note about the run, no possession of the customer.
    """

    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, db_index=False, related_name="customers")
    customer_id = models.BigIntegerField()

    class Meta:
        verbose_name = _("customer first met by an import")
        verbose_name_plural = _("customers first met by imports")
        constraints = (
            # Also read by undo, run by run.
            models.UniqueConstraint(fields=["run", "customer_id"], name="feedback_imported_customer_once"),
        )

    def __str__(self) -> str:
        return f"{self.run_id} {self.customer_id}"


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
