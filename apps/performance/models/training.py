"""Trainings with attendance, quiz and replays of real cases (R69)."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, URLValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import Stamped, StoredFile
from apps.feedback.models import Category, Feedback
from apps.performance.choices import Attendance, QuestionKind, SessionState
from apps.performance.querysets import SessionQuerySet

MOST_OPTIONS = 8


class TrainingSession(Stamped):
    """One training: about what, by whom, when and where."""

    topic = models.CharField(_("topic"), max_length=120)
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    goal = models.TextField(_("what everybody should be able to do afterwards"), max_length=2000, blank=True)
    trainer = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("trainer"), on_delete=models.PROTECT, related_name="+"
    )
    starts_at = models.DateTimeField(_("begins"))
    minutes = models.PositiveSmallIntegerField(
        _("minutes"), default=60, validators=[MinValueValidator(5), MaxValueValidator(600)]
    )
    place = models.CharField(_("place"), max_length=120, blank=True)
    link = models.CharField(
        _("meeting address"), max_length=300, blank=True, validators=[URLValidator(["http", "https"])]
    )
    material = models.ForeignKey(
        StoredFile,
        verbose_name=_("material"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    pass_percent = models.PositiveSmallIntegerField(
        _("quiz: passed from (%)"), default=80, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    status = models.CharField(
        _("state"), max_length=10, choices=SessionState.choices, default=SessionState.PLANNED
    )

    objects = SessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("training")
        verbose_name_plural = _("trainings")
        ordering = ("-starts_at", "-id")
        indexes = (
            # Read by the list and by the home card.
            models.Index(fields=["status", "-starts_at"], name="performance_training"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=SessionState.values), name="performance_training_state"
            ),
            models.CheckConstraint(
                condition=models.Q(pass_percent__range=(1, 100)), name="performance_training_pass"
            ),
        )

    def __str__(self) -> str:
        return self.topic


class TrainingParticipant(models.Model):
    """One person in one training. `best_points` and `passed_at` are of the best try at the quiz."""

    session = models.ForeignKey(
        TrainingSession, verbose_name=_("training"), on_delete=models.CASCADE, db_index=False,
        related_name="participants",
    )  # fmt: skip
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("person"), on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(
        _("attendance"), max_length=10, choices=Attendance.choices, default=Attendance.INVITED
    )
    best_points = models.PositiveSmallIntegerField(_("best result"), null=True, blank=True, editable=False)
    best_most = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    passed_at = models.DateTimeField(_("passed at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("participant")
        verbose_name_plural = _("participants")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=["session", "person"], name="performance_participant_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=Attendance.values), name="performance_attendance"
            ),
        )

    def __str__(self) -> str:
        return str(self.person)


class QuizQuestion(models.Model):
    """One question of a training's quiz. `right` holds the numbers of the right options, from 0."""

    session = models.ForeignKey(
        TrainingSession, verbose_name=_("training"), on_delete=models.CASCADE, related_name="questions"
    )
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    text = models.CharField(_("question"), max_length=300)
    kind = models.CharField(
        _("kind"), max_length=10, choices=QuestionKind.choices, default=QuestionKind.SINGLE
    )
    options = models.JSONField(_("options"), default=list)
    right = models.JSONField(_("right options"), default=list)
    explanation = models.CharField(_("explanation"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("question")
        verbose_name_plural = _("questions of the quiz")
        ordering = ("position", "id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(kind__in=QuestionKind.values), name="performance_question"
            ),
        )

    def __str__(self) -> str:
        return self.text

    def clean(self) -> None:
        """Two options at least; the right ones are among them, exactly one where one is asked for."""
        options, right = self.options, self.right
        if not isinstance(options, list) or not 2 <= len(options) <= MOST_OPTIONS:
            raise ValidationError(
                {"options": _("Between 2 and %(most)d options, one per line.") % {"most": MOST_OPTIONS}}
            )
        if not isinstance(right, list) or not right or not set(right) <= set(range(len(options))):
            raise ValidationError({"right": _("Name the right options by their numbers, such as 1 or 1, 3.")})
        if self.kind == QuestionKind.SINGLE and len(set(right)) != 1:
            raise ValidationError({"right": _("Exactly one option is right here.")})


class QuizAttempt(models.Model):
    """One try of one person. The answers as given; every try is kept, the best counts."""

    participant = models.ForeignKey(TrainingParticipant, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField(_("number"))
    answers = models.JSONField(_("answers"), default=dict)
    points = models.PositiveSmallIntegerField(_("right answers"))
    most = models.PositiveSmallIntegerField(_("questions"))
    passed = models.BooleanField(_("passed"))
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("try at a quiz")
        verbose_name_plural = _("tries at quizzes")
        ordering = ("number",)
        constraints = (
            models.UniqueConstraint(fields=["participant", "number"], name="performance_try_once"),
            models.CheckConstraint(
                condition=models.Q(points__lte=models.F("most")), name="performance_try_points"
            ),
        )

    def __str__(self) -> str:
        return f"{self.participant_id} · {self.number}"


class ReplayCase(models.Model):
    """A closed case played again in a training, masked."""

    session = models.ForeignKey(
        TrainingSession, verbose_name=_("training"), on_delete=models.CASCADE, db_index=False,
        related_name="replays",
    )  # fmt: skip
    feedback = models.ForeignKey(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="+"
    )
    lesson = models.CharField(
        _("what to take away"), max_length=300, blank=True, help_text=_("Shown at the end.")
    )

    class Meta:
        verbose_name = _("case to replay")
        verbose_name_plural = _("cases to replay")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=["session", "feedback"], name="performance_replay_once"),
        )

    def __str__(self) -> str:
        return f"F{self.feedback_id:07d}"


class ReplayAnswer(models.Model):
    """What a trainee would have written at one step, masked, with the rules it would have broken."""

    replay = models.ForeignKey(ReplayCase, on_delete=models.CASCADE, db_index=False, related_name="answers")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    step = models.PositiveSmallIntegerField(_("step"))
    text = models.TextField(_("answer"), max_length=2000)
    rules = models.JSONField(_("rules"), default=list)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("answer in a replay")
        verbose_name_plural = _("answers in replays")
        ordering = ("step",)
        constraints = (
            models.UniqueConstraint(fields=["replay", "person", "step"], name="performance_answer_once"),
        )

    def __str__(self) -> str:
        return f"{self.replay_id} · {self.step}"
