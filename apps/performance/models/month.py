"""Figures of a person and a month, counted every night (R34)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import Stamped
from apps.feedback.models import Category
from apps.performance.choices import RollState
from apps.performance.querysets import PersonalQuerySet

FIRST_DAY = models.Q(month__day=1)


class MonthRoll(Stamped):
    """One month of figures: when it was last counted, and whether it is locked. Counting takes the row's lock."""

    month = models.DateField(_("month"), unique=True, help_text=_("Its first day."))
    status = models.CharField(_("state"), max_length=10, choices=RollState.choices, default=RollState.OPEN)
    computed_at = models.DateTimeField(_("counted at"), null=True, blank=True)

    class Meta:
        verbose_name = _("month of figures")
        verbose_name_plural = _("months of figures")
        ordering = ("-month",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=RollState.values), name="performance_roll_state"
            ),
            models.CheckConstraint(condition=FIRST_DAY, name="performance_roll_first_day"),
        )
        permissions = (("lock_monthroll", _("Can lock a month of figures")),)

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class AgentMonth(models.Model):
    """What one person did in one month, in one top category; without category: altogether.

    Counts only, from which every figure and its n are derived, so that small samples can be told apart. A roll-up:
    written by `services.months.rebuild` alone. Minutes are from arrival to the first answer of a person.
    """

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        on_delete=models.CASCADE,
        db_index=False,
        related_name="+",
    )
    month = models.DateField(_("month"))
    category = models.ForeignKey(
        Category, verbose_name=_("category"), null=True, blank=True, on_delete=models.CASCADE, db_index=False,
        related_name="+",
    )  # fmt: skip
    handled = models.PositiveIntegerField(_("handled"), default=0)
    reopened = models.PositiveIntegerField(_("opened again"), default=0)
    due = models.PositiveIntegerField(_("promises due"), default=0)
    met = models.PositiveIntegerField(_("promises kept in time"), default=0)
    responses = models.PositiveIntegerField(_("first responses"), default=0)
    response_median = models.FloatField(_("median (minutes)"), null=True, blank=True)
    response_p90 = models.FloatField(_("90 % (minutes)"), null=True, blank=True)
    repairs = models.PositiveIntegerField(_("repairs ended"), default=0)
    repaired = models.PositiveIntegerField(_("customer satisfied"), default=0)
    withdrawn = models.PositiveIntegerField(_("withdrawn or revised"), default=0)
    cost = models.DecimalField(_("cost (CNY)"), max_digits=12, decimal_places=2, default=0)
    answers = models.PositiveIntegerField(_("stars given"), default=0)
    happy = models.PositiveIntegerField(_("4 or 5 stars"), default=0)
    quality_cases = models.PositiveIntegerField(_("cases in the sample"), default=0)
    quality_points = models.PositiveIntegerField(_("points"), default=0)
    quality_most = models.PositiveIntegerField(_("points possible"), default=0)
    hits = models.PositiveIntegerField(_("texts blocked"), default=0)
    callbacks = models.PositiveIntegerField(_("callbacks made"), default=0)

    objects = PersonalQuerySet.as_manager()

    class Meta:
        verbose_name = _("figures of a month")
        verbose_name_plural = _("figures of months")
        ordering = ("-month", "person")
        indexes = (
            # Read by the team table (a month, all categories or one) and by the nightly count that replaces a month.
            models.Index(fields=["month", "category", "person"], name="performance_of_month"),
        )
        constraints = (
            # Also read by a person's page: the last six months.
            models.UniqueConstraint(
                fields=["person", "month"],
                condition=models.Q(category__isnull=True),
                name="performance_total_once",
            ),
            models.UniqueConstraint(
                fields=["person", "month", "category"],
                condition=models.Q(category__isnull=False),
                name="performance_category_once",
            ),
            models.CheckConstraint(condition=FIRST_DAY, name="performance_month_first_day"),
            models.CheckConstraint(
                condition=models.Q(met__lte=models.F("due"), happy__lte=models.F("answers"))
                & models.Q(repaired__lte=models.F("repairs"), withdrawn__lte=models.F("repairs"))
                & models.Q(reopened__lte=models.F("handled"), quality_points__lte=models.F("quality_most")),
                name="performance_parts_of_whole",
            ),
        )
        permissions = (
            ("lead_team", _("Can see the figures of the teams one leads")),
            ("see_all_performance", _("Can see everybody's figures")),
            ("export_agentmonth", _("Can take the figures of people out as a file")),
        )

    def __str__(self) -> str:
        return f"{self.person_id} {self.month:%Y-%m}"

    def seen(self) -> dict[str, tuple[float | None, int]]:
        """Every figure as (value, n); the value is None where nothing was seen."""
        return {
            "handled": (float(self.handled), self.handled),
            "on_time": _share(self.met, self.due),
            "response_median": (self.response_median, self.responses),
            "response_p90": (self.response_p90, self.responses),
            "repair_success": _share(self.repaired, self.repairs),
            "csat": _share(self.happy, self.answers),
            "reopened": _share(self.reopened, self.handled),
            "cost": (float(self.cost) / self.repairs if self.repairs else None, self.repairs),
            "quality": (_share(self.quality_points, self.quality_most)[0], self.quality_cases),
            "callbacks": (float(self.callbacks), self.callbacks),
            "withdrawn": _share(self.withdrawn, self.repairs),
            "compliance": (float(self.hits), self.hits),
        }

    def hits_of(self, code: str) -> int | None:
        """The numerator of a share over cases, None for figures that are no share of cases."""
        return {
            "on_time": self.met, "repair_success": self.repaired, "csat": self.happy, "reopened": self.reopened,
            "withdrawn": self.withdrawn,
        }.get(code)  # fmt: skip


def _share(hits: int, n: int) -> tuple[float | None, int]:
    return (hits / n if n else None), n
