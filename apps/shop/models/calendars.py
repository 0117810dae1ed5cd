"""When the shop works (R19)."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core import business_time
from apps.core.models import Stamped
from apps.shop.calendar_values import build_calendar
from apps.shop.choices import DayKind


class WorkCalendar(Stamped):
    """Weekly opening windows and whether holidays and make-up workdays 调休 are observed.

    `weekly` holds seven lists (Monday first) of ["09:00", "18:00"] pairs; an end of "24:00" is midnight, an end at
    or before the start lies on the next day.
    """

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=60)
    zone = models.CharField(_("time zone"), max_length=40, default="Asia/Shanghai")
    weekly = models.JSONField(_("weekly windows"), default=list)
    observe_holidays = models.BooleanField(_("closed on public holidays"), default=False)
    observe_makeup = models.BooleanField(
        _("open on make-up workdays"), default=False, help_text=_("调休: a weekend day worked for a holiday.")
    )
    standard_day_minutes = models.PositiveIntegerField(
        _("minutes in one workday"), default=540, help_text=_("09:00–18:00 makes 540 (decisions, item 1).")
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("working calendar")
        verbose_name_plural = _("working calendars")
        ordering = ("code",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuses windows that make no sense and a calendar that never opens."""
        try:
            business_time.validate(build_calendar(self, days=[]))
        except (ValueError, business_time.NoOpenTime) as error:
            raise ValidationError(
                {"weekly": _("These windows cannot be used: %(why)s") % {"why": error}}
            ) from error


class CalendarDay(models.Model):
    """One date that differs from the week. Without a calendar it holds for all that observe holidays."""

    calendar = models.ForeignKey(
        WorkCalendar,
        verbose_name=_("calendar"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="days",
    )
    date = models.DateField(_("date"))
    kind = models.CharField(_("kind"), max_length=10, choices=DayKind.choices)
    windows = models.JSONField(_("hours"), default=list, blank=True, help_text=_("Only for special hours."))
    note = models.CharField(_("note"), max_length=80, blank=True)
    source = models.CharField(_("source"), max_length=40, blank=True)
    edited = models.BooleanField(_("edited by staff"), default=False, editable=False)

    class Meta:
        verbose_name = _("calendar day")
        verbose_name_plural = _("calendar days")
        ordering = ("date",)
        constraints = (
            models.UniqueConstraint(
                fields=["date"], condition=models.Q(calendar__isnull=True), name="shop_day_once_for_all"
            ),
            models.UniqueConstraint(
                fields=["calendar", "date"], condition=models.Q(calendar__isnull=False), name="shop_day_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.date} {self.get_kind_display()}"
