"""The monthly quality sample [质检抽样] and coaching notes [辅导]."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped
from apps.feedback.models import Feedback
from apps.performance.choices import NoteKind, NoteState, ReviewState
from apps.performance.querysets import NoteQuerySet, ReviewQuerySet

POINTS = 2


class QualityCriterion(Stamped):
    """One line of the checklist. Lines no longer wanted are switched off: reviews name theirs."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name_zh = models.CharField(_("Chinese name"), max_length=60)
    name_en = models.CharField(_("English name"), max_length=60, blank=True)
    hint = models.CharField(_("what to look for"), max_length=200, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("quality criterion")
        verbose_name_plural = _("quality criteria")
        ordering = ("position", "code")

    def __str__(self) -> str:
        if self.name_en and not (get_language() or "").startswith("zh"):
            return self.name_en
        return self.name_zh


class QualitySample(models.Model):
    """The sample of one month. `seed` draws the same again; `digest` proves from which cases it was drawn."""

    month = models.DateField(_("month"), unique=True)
    seed = models.CharField(_("seed"), max_length=64)
    count = models.PositiveSmallIntegerField(_("cases per person"))
    percent = models.PositiveSmallIntegerField(_("or share of the cases (%)"))
    population = models.PositiveIntegerField(_("drawn from"))
    digest = models.CharField(_("checksum of those cases"), max_length=64)
    drawn_at = models.DateTimeField(_("drawn at"))
    drawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("drawn by"), null=True, blank=True, on_delete=models.PROTECT,
        related_name="+", help_text=_("Empty: the system itself."),
    )  # fmt: skip

    class Meta:
        verbose_name = _("quality sample")
        verbose_name_plural = _("quality samples")
        ordering = ("-month",)
        constraints = (
            models.CheckConstraint(condition=models.Q(month__day=1), name="performance_sample_first_day"),
        )

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class QualityReview(Stamped):
    """One case of a person in a sample. Whoever handled the case does not review it."""

    sample = models.ForeignKey(
        QualitySample, verbose_name=_("quality sample"), on_delete=models.PROTECT, db_index=False,
        related_name="reviews",
    )  # fmt: skip
    feedback = models.ForeignKey(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="quality_reviews"
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
    )
    status = models.CharField(
        _("state"), max_length=10, choices=ReviewState.choices, default=ReviewState.OPEN
    )
    points = models.PositiveSmallIntegerField(_("points"), null=True, blank=True)
    most = models.PositiveSmallIntegerField(_("points possible"), null=True, blank=True)
    passed = models.BooleanField(_("passed"), null=True, blank=True)
    comment = models.TextField(_("comment"), max_length=2000, blank=True)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("reviewed by"), null=True, blank=True, on_delete=models.PROTECT,
        db_index=False, related_name="+",
    )  # fmt: skip
    reviewed_at = models.DateTimeField(_("reviewed at"), null=True, blank=True)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        verbose_name = _("quality review")
        verbose_name_plural = _("quality reviews")
        ordering = ("status", "person", "id")
        indexes = (
            # Read by the queue and the home card.
            models.Index(
                fields=["person", "id"], name="performance_to_review", condition=models.Q(status=ReviewState.OPEN)
            ),
            # Read by a person's page and by the sweep that proposes trainings: what was not passed of late?
            models.Index(
                fields=["reviewed_at", "person"], name="performance_reviewed",
                condition=models.Q(status=ReviewState.DONE),
            ),
        )  # fmt: skip
        constraints = (
            # Also read by the sample's page and the roll-up.
            models.UniqueConstraint(fields=["sample", "feedback"], name="performance_review_once"),
            models.CheckConstraint(
                condition=models.Q(status__in=ReviewState.values), name="performance_review_state"
            ),
            models.CheckConstraint(
                condition=models.Q(reviewer__isnull=True) | ~models.Q(reviewer=models.F("person")),
                name="performance_review_other_person",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=ReviewState.DONE)
                | models.Q(
                    points__isnull=False, most__gt=0, points__lte=models.F("most"), reviewer__isnull=False
                ),
                name="performance_review_complete",
            ),
        )
        permissions = (("review_qualityreview", _("Can review cases of the quality sample")),)

    def __str__(self) -> str:
        return f"{self.sample} · F{self.feedback_id:07d}"

    @property
    def percent(self) -> int | None:
        """Points of all possible."""
        return round(self.points * 100 / self.most) if self.most and self.points is not None else None


class QualityPoint(models.Model):
    """How one criterion was met: 0 not, 1 partly, 2 fully."""

    review = models.ForeignKey(QualityReview, on_delete=models.CASCADE, related_name="lines")
    criterion = models.ForeignKey(
        QualityCriterion, verbose_name=_("criterion"), on_delete=models.PROTECT, related_name="+"
    )
    points = models.PositiveSmallIntegerField(_("points"), validators=[MaxValueValidator(POINTS)])
    comment = models.CharField(_("comment"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("points of a criterion")
        verbose_name_plural = _("points of criteria")
        ordering = ("criterion__position", "id")
        constraints = (
            models.UniqueConstraint(fields=["review", "criterion"], name="performance_point_once"),
            models.CheckConstraint(condition=models.Q(points__lte=POINTS), name="performance_point_range"),
        )

    def __str__(self) -> str:
        return f"{self.review_id} {self.criterion_id}"


class CoachingNote(Stamped):
    """Words to one person about their work; seen by that person, the author and the person's leads."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("for"),
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("from"), on_delete=models.PROTECT, related_name="+"
    )
    kind = models.CharField(_("kind"), max_length=10, choices=NoteKind.choices, default=NoteKind.ADVICE)
    text = models.TextField(_("text"), max_length=2000)
    feedback = models.ForeignKey(
        Feedback, verbose_name=_("about the case"), null=True, blank=True, on_delete=models.SET_NULL,
        related_name="+",
    )  # fmt: skip
    review = models.ForeignKey(
        QualityReview, verbose_name=_("quality review"), null=True, blank=True, on_delete=models.SET_NULL,
        related_name="notes",
    )  # fmt: skip
    follow_up_on = models.DateField(_("follow up on"), null=True, blank=True)
    status = models.CharField(_("state"), max_length=10, choices=NoteState.choices, default=NoteState.GIVEN)
    seen_at = models.DateTimeField(_("read at"), null=True, blank=True)
    answer = models.TextField(_("answer"), max_length=1000, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = NoteQuerySet.as_manager()

    class Meta:
        verbose_name = _("coaching note")
        verbose_name_plural = _("coaching notes")
        ordering = ("-created_at", "-id")
        indexes = (
            # Read by a person's page and the list.
            models.Index(fields=["person", "-created_at"], name="performance_notes_of"),
            # Read by the sweep that reminds authors.
            models.Index(
                fields=["follow_up_on"], name="performance_follow_up",
                condition=models.Q(follow_up_on__isnull=False, reminded_at__isnull=True),
            ),
        )  # fmt: skip
        constraints = (
            models.CheckConstraint(condition=models.Q(status__in=NoteState.values), name="performance_note_state"),
            models.CheckConstraint(condition=models.Q(kind__in=NoteKind.values), name="performance_note_kind"),
            models.CheckConstraint(
                condition=~models.Q(person=models.F("author")), name="performance_note_other_person",
                violation_error_message=_("Nobody writes a coaching note to themselves."),
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.person}"
