"""Service levels as data: targets in mixed units, versioned (R14, R19; peers 3.2)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped
from apps.feedback.choices import ClockKind, Tier, TimeUnit
from apps.shop.models import WorkCalendar


class SlaPolicy(Stamped):
    """The service level of one tier. Editing it raises `version`; running clocks keep what they started with."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    tier = models.CharField(_("tier"), max_length=1, choices=Tier.choices, blank=True)
    no_clock = models.BooleanField(
        _("no clock"), default=False, help_text=_("For praise and positive reviews that ask for nothing.")
    )
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("service level")
        verbose_name_plural = _("service levels")
        ordering = ("code",)

    def __str__(self) -> str:
        return self.name


class SlaTarget(models.Model):
    """One promise of a policy: what, how long, in which unit, on which calendar, whom to tell when."""

    policy = models.ForeignKey(
        SlaPolicy, verbose_name=_("service level"), on_delete=models.CASCADE, related_name="targets"
    )
    kind = models.CharField(_("promise"), max_length=16, choices=ClockKind.choices)
    value = models.PositiveIntegerField(_("amount"))
    unit = models.CharField(_("unit"), max_length=18, choices=TimeUnit.choices)
    calendar = models.ForeignKey(
        WorkCalendar,
        verbose_name=_("calendar"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Needed for working time; empty: around the clock."),
    )
    pausable = models.BooleanField(_("may stand still while waiting"), default=False)
    steps = models.JSONField(
        _("warnings"),
        default=list,
        blank=True,
        help_text=_(
            'Whom to tell when: {"percent": 80, "tell": ["owner", "lead"]} or {"minutes_after": 30, …}.'
        ),
    )
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("service level target")
        verbose_name_plural = _("service level targets")
        constraints = (
            models.UniqueConstraint(fields=["policy", "kind"], name="feedback_target_once"),
            models.CheckConstraint(condition=models.Q(value__gt=0), name="feedback_target_positive"),
            models.CheckConstraint(
                condition=models.Q(unit="minutes") | models.Q(calendar__isnull=False),
                name="feedback_target_calendar",
                violation_error_message=_("Working time needs a calendar."),
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.value} {self.get_unit_display()}"
