"""A monthly score from weights that are data, with the parts that made it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import Stamped
from apps.performance.choices import OBJECTIONS, ScoreState
from apps.performance.figures import Rule, objections
from apps.performance.querysets import ScoreQuerySet


class ScoreWeights(Stamped):
    """One version of the weights, valid from a month on. Never edited: a change is a new version."""

    version = models.PositiveIntegerField(_("version"), unique=True)
    valid_from = models.DateField(_("valid from"), help_text=_("First day of a month."))
    rules = models.JSONField(_("weights"), default=list)
    least_n = models.PositiveSmallIntegerField(
        _("least number of cases"), default=10, validators=[MinValueValidator(5), MaxValueValidator(200)],
        help_text=_("A figure that rests on fewer does not count."),
    )  # fmt: skip
    note = models.CharField(_("why"), max_length=200, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), null=True, blank=True, on_delete=models.PROTECT,
        related_name="+",
    )  # fmt: skip

    class Meta:
        verbose_name = _("weights of the score")
        verbose_name_plural = _("weights of the score")
        ordering = ("-version",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(valid_from__day=1), name="performance_weights_first_day",
                violation_error_message=_("Weights begin with the first day of a month."),
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"V{self.version}"

    def parsed(self) -> list[Rule]:
        """The weights as the rules take them."""
        return [
            Rule(
                str(row["figure"]),
                float(row["weight"]),
                float(row.get("best") or 0),
                float(row.get("worst") or 0),
            )
            for row in self.rules
        ]

    def clean(self) -> None:
        """Weights that tempt people to press customers, or mean nothing, are refused with the reason."""
        try:
            found = objections(self.parsed())
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValidationError({"rules": _("The weights cannot be read.")}) from error
        if found:
            raise ValidationError({"rules": [OBJECTIONS[code] for code in found]})


class MonthlyScore(Stamped):
    """The score of a person and a month, 0–100, with the parts that made it; empty where too little was seen.

    Computed once the month is over; frozen once published. Written by `services.scores` alone.
    """

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
    )
    month = models.DateField(_("month"))
    weights = models.ForeignKey(
        ScoreWeights, verbose_name=_("weights"), on_delete=models.PROTECT, related_name="+"
    )
    score = models.DecimalField(_("score"), max_digits=4, decimal_places=1, null=True, blank=True)
    parts = models.JSONField(_("parts"), default=list)
    status = models.CharField(_("state"), max_length=10, choices=ScoreState.choices, default=ScoreState.DRAFT)
    computed_at = models.DateTimeField(_("computed at"))
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("published by"), null=True, blank=True, on_delete=models.PROTECT,
        db_index=False, related_name="+",
    )  # fmt: skip

    objects = ScoreQuerySet.as_manager()

    class Meta:
        verbose_name = _("monthly score")
        verbose_name_plural = _("monthly scores")
        ordering = ("-month", "person")
        indexes = (
            # Read by the list of a month and by the home card: what is to publish?
            models.Index(fields=["status", "-month", "person"], name="performance_score_state"),
        )
        constraints = (
            # Also read by a person's page.
            models.UniqueConstraint(fields=["person", "month"], name="performance_score_once"),
            models.CheckConstraint(
                condition=models.Q(status__in=ScoreState.values), name="performance_score_known"
            ),
            models.CheckConstraint(condition=models.Q(month__day=1), name="performance_score_first_day"),
            models.CheckConstraint(
                condition=models.Q(score__isnull=True) | models.Q(score__range=(0, 100)),
                name="performance_score_range",
            ),
            models.CheckConstraint(
                condition=models.Q(published_by__isnull=True) | ~models.Q(published_by=models.F("person")),
                name="performance_score_second_person",
            ),
            models.CheckConstraint(
                condition=models.Q(status=ScoreState.DRAFT)
                | models.Q(published_by__isnull=False, published_at__isnull=False),
                name="performance_score_published",
            ),
        )
        permissions = (("publish_monthlyscore", _("Can publish monthly scores of others")),)

    def __str__(self) -> str:
        return f"{self.person} · {self.month:%Y-%m}"

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The parts as stored; the page adds their words."""
        return list(self.parts)


class ScoreComment(models.Model):
    """What the scored person, or a lead, says about a score: the right to be heard (PIPL art. 24). Append-only."""

    score = models.ForeignKey(MonthlyScore, on_delete=models.CASCADE, related_name="comments")
    text = models.TextField(_("comment"), max_length=2000)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("comment on a score")
        verbose_name_plural = _("comments on scores")
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"{self.score_id} {self.at}"
