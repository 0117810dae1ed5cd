"""How samples are drawn and when a training is proposed, as data."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped


def _whole(least: int, most: int) -> list[object]:
    return [MinValueValidator(least), MaxValueValidator(most)]


class PerformancePolicy(Stamped):
    """There is exactly one row."""

    sample_count = models.PositiveSmallIntegerField(
        _("cases per person"), default=10, validators=_whole(1, 50), help_text=_("At least so many a month.")
    )
    sample_percent = models.PositiveSmallIntegerField(
        _("or share of the cases (%)"),
        default=5,
        validators=_whole(0, 100),
        help_text=_("Where that is more."),
    )
    pass_percent = models.PositiveSmallIntegerField(
        _("quality: passed from (%)"), default=70, validators=_whole(1, 100)
    )
    failed_cases = models.PositiveSmallIntegerField(
        _("propose a training from so many cases not passed"), default=2, validators=_whole(1, 20)
    )
    complaints = models.PositiveSmallIntegerField(
        _("propose a training from so many service complaints"), default=3, validators=_whole(1, 50)
    )
    complaint_days = models.PositiveSmallIntegerField(_("within days"), default=30, validators=_whole(1, 180))
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("rules for samples and trainings")
        verbose_name_plural = _("rules for samples and trainings")
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="performance_policy_one"),)

    def __str__(self) -> str:
        return str(_("rules for samples and trainings"))

    def save(self, *args: object, **kwargs: object) -> None:
        """There is one."""
        self.pk = 1
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    @classmethod
    def now(cls) -> PerformancePolicy:
        """The row, as shipped where nobody has stored one. One query."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)
