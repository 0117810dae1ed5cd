"""Common problems: similar feedback, grouped (R18; decisions, item 4)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core.models import Approval, Stamped
from apps.feedback.choices import OPEN_TOPICS, TopicAnswerState, TopicState
from apps.feedback.models.feedback import Feedback
from apps.feedback.models.reference import Category
from apps.feedback.querysets import TopicQuerySet
from apps.shop.models import Product


class Topic(Stamped):
    """One problem that several customers told us of. `size`, `first_at` and `last_at` are kept by the services."""

    name = models.CharField(_("name"), max_length=120)
    note = models.TextField(_("what we know"), blank=True)
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    product = models.ForeignKey(
        Product, verbose_name=_("product"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(_("state"), max_length=10, choices=TopicState.choices, default=TopicState.OPEN)
    size = models.PositiveIntegerField(_("feedback"), default=0)
    first_at = models.DateTimeField(_("first heard"), null=True, blank=True)
    last_at = models.DateTimeField(_("last heard"), null=True, blank=True)
    centre = models.JSONField(default=dict, editable=False)
    # "product|sub-category" of a problem that is named outright.
    about = models.CharField(max_length=60, blank=True, editable=False)
    merged_into = models.ForeignKey(
        "self",
        verbose_name=_("merged into"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="merged_from",
    )
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("made by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: found by the machine."),
    )
    history = HistoricalRecords(excluded_fields=["centre", "about", "size", "first_at", "last_at"])

    objects = TopicQuerySet.as_manager()

    class Meta:
        verbose_name = _("common problem")
        verbose_name_plural = _("common problems")
        ordering = ("-last_at", "-id")
        indexes = (
            # Read by the list: open ones, the latest and the largest first.
            models.Index(
                fields=["-last_at", "-id"],
                name="feedback_topic_open",
                condition=models.Q(state__in=OPEN_TOPICS),
            ),
            models.Index(fields=["state", "-size"], name="feedback_topic_size"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=TopicState.values), name="feedback_topic_state"
            ),
            models.CheckConstraint(
                condition=models.Q(merged_into__isnull=True) | models.Q(state="merged"),
                name="feedback_topic_merged",
            ),
        )
        permissions = (("answer_topic", _("Can answer everybody of a common problem at once")),)

    def __str__(self) -> str:
        return self.name


class TopicMember(models.Model):
    """One feedback in one topic."""

    feedback = models.OneToOneField(
        Feedback, primary_key=True, on_delete=models.CASCADE, related_name="topic_member"
    )
    topic = models.ForeignKey(
        Topic, verbose_name=_("common problem"), on_delete=models.CASCADE, related_name="members"
    )
    similarity = models.FloatField(_("similarity"), null=True, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("linked by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: found by the machine."),
    )
    at = models.DateTimeField(_("linked at"))

    class Meta:
        verbose_name = _("feedback of a common problem")
        verbose_name_plural = _("feedback of common problems")

    def __str__(self) -> str:
        return f"{self.topic_id} {self.feedback_id}"


class TopicExclusion(models.Model):
    """A person took a feedback out of a topic: the machine does not put it back."""

    feedback = models.ForeignKey(Feedback, on_delete=models.CASCADE, related_name="+")
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="exclusions")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["feedback", "topic"], name="feedback_topic_exclusion_once"),
        )

    def __str__(self) -> str:
        return f"{self.topic_id} {self.feedback_id}"


class TopicMerge(models.Model):
    """One merge. `moved` names every feedback that changed its topic, so that undoing it is exact (peers 4.2)."""

    source = models.ForeignKey(
        Topic, verbose_name=_("merged"), on_delete=models.CASCADE, related_name="merges_out"
    )
    target = models.ForeignKey(
        Topic, verbose_name=_("into"), on_delete=models.CASCADE, related_name="merges_in"
    )
    moved = models.JSONField(_("moved"), default=list)
    centre = models.JSONField(default=dict)
    state = models.CharField(max_length=10)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), null=True, on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField(_("at"))
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)

    class Meta:
        verbose_name = _("merge of common problems")
        verbose_name_plural = _("merges of common problems")
        constraints = (
            models.CheckConstraint(
                condition=~models.Q(source=models.F("target")), name="feedback_topic_merge_other"
            ),
        )

    def __str__(self) -> str:
        return f"{self.source_id} → {self.target_id}"


class TopicAnswer(models.Model):
    """One text for everybody of a topic, read by a second person before it goes out."""

    topic = models.ForeignKey(
        Topic, verbose_name=_("common problem"), on_delete=models.PROTECT, related_name="answers"
    )
    text = models.TextField(_("text"))
    feedback_ids = models.JSONField(_("to"), default=list)
    resolution = models.CharField(_("and resolve with"), max_length=500, blank=True)
    state = models.CharField(
        _("state"), max_length=10, choices=TopicAnswerState.choices, default=TopicAnswerState.WAITING
    )
    done = models.JSONField(_("outcome"), default=dict)
    approval = models.ForeignKey(Approval, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("answer to many")
        verbose_name_plural = _("answers to many")
        ordering = ("-at", "-id")
        indexes = (
            # Read by the sweep that goes on with answers a crash cut off.
            models.Index(fields=["at"], name="feedback_topic_sending", condition=models.Q(state="sending")),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=TopicAnswerState.values), name="feedback_topic_answer_state"
            ),
        )

    def __str__(self) -> str:
        return f"{self.topic} · {self.get_state_display()}"

    @property
    def reached(self) -> int:
        """How many were written to so far."""
        return sum(outcome == "sent" for outcome in self.done.values())


class TopicCursor(models.Model):
    """How far the grouping has come; one row, locked while a worker groups."""

    up_to = models.BigIntegerField(default=0)
    rounds = models.BigIntegerField(default=0)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="feedback_topic_cursor_one"),)

    def __str__(self) -> str:
        return str(self.up_to)
