"""Mystery visits and symposiums: structured records whose findings become feedback (R7, R73)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped, StoredFile
from apps.customers.models import Customer
from apps.feedback.choices import FindingSeverity, InvitationState, SymposiumState, VisitState
from apps.feedback.models.feedback import Feedback
from apps.feedback.models.reference import Category, in_english
from apps.feedback.querysets import SymposiumQuerySet, VisitQuerySet
from apps.shop.models import Store


class VisitCriterion(Stamped):
    """One line of the mystery visitor's checklist. Changing it leaves visits that were scored before alone."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name_zh = models.CharField(_("Chinese name"), max_length=60)
    name_en = models.CharField(_("English name"), max_length=60)
    hint = models.CharField(_("what to look for"), max_length=200, blank=True)
    weight = models.PositiveSmallIntegerField(
        _("weight"), default=10, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("visit criterion")
        verbose_name_plural = _("visit criteria")
        ordering = ("position", "code")

    def __str__(self) -> str:
        return self.name_en if in_english() else self.name_zh


class MysteryVisit(Stamped):
    """One visit to a store by somebody the store does not know [神秘访客]."""

    store = models.ForeignKey(
        Store, verbose_name=_("store"), on_delete=models.PROTECT, related_name="mystery_visits"
    )
    visited_at = models.DateTimeField(_("visited at"))
    visitor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("visitor (staff)"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="mystery_visits",
    )
    visitor_name = models.CharField(
        _("visitor (from outside)"), max_length=60, blank=True, help_text=_("Agency or name.")
    )
    summary = models.TextField(_("summary"), max_length=4000, blank=True)
    status = models.CharField(_("state"), max_length=12, choices=VisitState.choices, default=VisitState.DRAFT)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("entered by"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )

    objects = VisitQuerySet.as_manager()

    class Meta:
        verbose_name = _("mystery visit")
        verbose_name_plural = _("mystery visits")
        ordering = ("-visited_at", "-id")
        indexes = (
            # Read by the list: newest first.
            models.Index(fields=["-visited_at", "-id"], name="feedback_visit_newest"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=VisitState.values), name="feedback_visit_state"
            ),
            models.CheckConstraint(
                condition=models.Q(visitor__isnull=False) | ~models.Q(visitor_name=""),
                name="feedback_visit_visitor",
                violation_error_message=_("Say who visited: a colleague or a name from outside."),
            ),
        )
        permissions = (("record_mysteryvisit", _("Can turn findings of mystery visits into feedback")),)

    def __str__(self) -> str:
        return f"{self.store} · {self.number}"

    @property
    def number(self) -> str:
        """What people call it."""
        return f"V{self.pk:05d}"


def points(scores: list[Any]) -> Decimal | None:
    """Weighted mean of the scores given, 0 to 100 with one decimal; None before the first score."""
    given = [score for score in scores if score.score is not None]
    weights = sum(score.weight for score in given)
    if not weights:
        return None
    total = Decimal(sum(score.score * score.weight for score in given))
    return round(total * 10 / Decimal(weights), 1)


class VisitScore(models.Model):
    """How one criterion was met. The weight is what it was when the visit was entered."""

    visit = models.ForeignKey(MysteryVisit, on_delete=models.CASCADE, related_name="scores")
    criterion = models.ForeignKey(
        VisitCriterion, verbose_name=_("criterion"), on_delete=models.PROTECT, related_name="+"
    )
    weight = models.PositiveSmallIntegerField(_("weight"), default=10)
    score = models.PositiveSmallIntegerField(
        _("score (0–10)"), null=True, blank=True, validators=[MaxValueValidator(10)]
    )
    note = models.CharField(_("remark"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("score")
        verbose_name_plural = _("checklist")
        ordering = ("criterion__position", "criterion__code")
        constraints = (
            models.UniqueConstraint(fields=["visit", "criterion"], name="feedback_visit_score_once"),
            models.CheckConstraint(
                condition=models.Q(score__isnull=True) | models.Q(score__lte=10),
                name="feedback_visit_score_range",
            ),
        )

    def __str__(self) -> str:
        return str(self.criterion)


class Finding(models.Model):
    """One thing that was seen or said. `feedback` is what it became; the key makes "twice" impossible."""

    severity = models.CharField(
        _("severity"), max_length=8, choices=FindingSeverity.choices, default=FindingSeverity.MINOR
    )
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: read from the text."),
    )
    text = models.TextField(_("what was found"), max_length=4000)
    feedback = models.OneToOneField(
        Feedback,
        verbose_name=_("feedback"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.text[:40]


class VisitFinding(Finding):
    """A finding of a mystery visit."""

    visit = models.ForeignKey(MysteryVisit, on_delete=models.CASCADE, related_name="findings")

    class Meta:
        verbose_name = _("finding")
        verbose_name_plural = _("findings")
        ordering = ("id",)


class VisitFile(models.Model):
    """A photo of a visit."""

    visit = models.ForeignKey(MysteryVisit, on_delete=models.CASCADE, related_name="files")
    file = models.ForeignKey(StoredFile, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"{self.visit_id} {self.file_id}"


class Symposium(Stamped):
    """A talk with invited customers [顾客座谈会]."""

    topic = models.CharField(pgettext_lazy("symposium", "topic"), max_length=120)
    held_at = models.DateTimeField(_("when"))
    place = models.CharField(
        pgettext_lazy("symposium", "place"), max_length=200, blank=True, help_text=_("Empty: online.")
    )
    stores = models.ManyToManyField(
        Store,
        verbose_name=_("stores"),
        blank=True,
        related_name="symposiums",
        help_text=_("Whose customers it is about; empty: every store."),
    )
    host = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("host"),
        on_delete=models.PROTECT,
        related_name="symposiums",
    )
    minutes = models.TextField(pgettext_lazy("symposium", "minutes"), max_length=20000, blank=True)
    status = models.CharField(
        _("state"), max_length=12, choices=SymposiumState.choices, default=SymposiumState.PLANNED
    )

    objects = SymposiumQuerySet.as_manager()

    class Meta:
        verbose_name = _("symposium")
        verbose_name_plural = _("symposiums")
        ordering = ("-held_at", "-id")
        indexes = (
            # Read by the list: newest first.
            models.Index(fields=["-held_at", "-id"], name="feedback_symposium_newest"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=SymposiumState.values), name="feedback_symposium_state"
            ),
        )
        permissions = (("record_symposium", _("Can turn findings of symposiums into feedback")),)

    def __str__(self) -> str:
        return self.topic


class SymposiumInvitation(Stamped):
    """A customer chosen for a symposium, what they answered, whether they came."""

    symposium = models.ForeignKey(
        Symposium, verbose_name=_("symposium"), on_delete=models.CASCADE, related_name="invitations"
    )
    customer = models.ForeignKey(
        Customer,
        verbose_name=_("customer"),
        on_delete=models.CASCADE,
        related_name="symposium_invitations",
    )
    status = models.CharField(
        _("state"), max_length=10, choices=InvitationState.choices, default=InvitationState.CHOSEN
    )

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=["symposium", "customer"], name="feedback_invited_once"),
            models.CheckConstraint(
                condition=models.Q(status__in=InvitationState.values), name="feedback_invitation_state"
            ),
        )

    def __str__(self) -> str:
        return self.customer.masked_name


class SymposiumFinding(Finding):
    """A finding of a symposium, with the customer who said it where that is known."""

    symposium = models.ForeignKey(Symposium, on_delete=models.CASCADE, related_name="findings")
    customer = models.ForeignKey(
        Customer,
        verbose_name=_("said by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="symposium_findings",
    )

    class Meta:
        verbose_name = _("finding")
        verbose_name_plural = _("findings")
        ordering = ("id",)


class SymposiumFile(models.Model):
    """A photo of a symposium."""

    symposium = models.ForeignKey(Symposium, on_delete=models.CASCADE, related_name="files")
    file = models.ForeignKey(StoredFile, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"{self.symposium_id} {self.file_id}"
