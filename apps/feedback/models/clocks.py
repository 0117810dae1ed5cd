"""Service-level clocks, their pauses and what happened to them (R19; peers 4.1)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.feedback.choices import ClockKind, ClockState, TimeUnit, WaitReason
from apps.feedback.models.feedback import Feedback
from apps.feedback.models.sla_policy import SlaPolicy
from apps.shop.models import WorkCalendar


class SlaClock(models.Model):
    """One promise running for one case. Amount, unit and calendar are frozen when it starts."""

    feedback = models.ForeignKey(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="clocks"
    )
    kind = models.CharField(_("promise"), max_length=16, choices=ClockKind.choices)
    cycle = models.PositiveSmallIntegerField(
        _("round"), default=0, help_text=_("Rises with every reopening.")
    )
    policy = models.ForeignKey(
        SlaPolicy, on_delete=models.PROTECT, db_index=False, related_name="+", null=True
    )
    policy_version = models.PositiveIntegerField(default=1)
    value = models.PositiveIntegerField(_("amount"))
    unit = models.CharField(_("unit"), max_length=18, choices=TimeUnit.choices)
    calendar = models.ForeignKey(
        WorkCalendar, null=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    pausable = models.BooleanField(default=False)
    steps = models.JSONField(default=list)
    started_at = models.DateTimeField(_("started at"))
    due_at = models.DateTimeField(_("due"), null=True, blank=True, help_text=_("Empty while paused."))
    state = models.CharField(
        _("state"), max_length=10, choices=ClockState.choices, default=ClockState.RUNNING
    )
    next_check_at = models.DateTimeField(null=True, blank=True)
    next_step = models.PositiveSmallIntegerField(default=0)
    breached_at = models.DateTimeField(_("breached at"), null=True, blank=True)
    stopped_at = models.DateTimeField(_("stopped at"), null=True, blank=True)
    due_cap = models.DateTimeField(
        null=True, blank=True, help_text="Upper bound kept from an upgrade: due never moves past it."
    )

    class Meta:
        verbose_name = _("clock")
        verbose_name_plural = _("clocks")
        ordering = ("feedback", "cycle", "id")
        indexes = (
            # Read by sweep_sla: running clocks whose next warning, breach or escalation is due.
            models.Index(
                fields=["next_check_at"],
                name="feedback_clock_sweep",
                condition=models.Q(state="running", next_check_at__isnull=False),
            ),
            # Read by the home page and the morning digest: what was answered in time on a day.
            models.Index(
                fields=["stopped_at"],
                name="feedback_clock_stopped",
                condition=models.Q(stopped_at__isnull=False),
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=["feedback", "kind", "cycle"], name="feedback_clock_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=ClockState.values), name="feedback_clock_state"
            ),
        )

    def __str__(self) -> str:
        return f"{self.feedback_id} {self.kind} {self.state}"


class SlaPause(models.Model):
    """A stretch in which a case waited (domain.md 3.2). Elapsed time subtracts the working part of it."""

    feedback = models.ForeignKey(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="pauses"
    )
    reason = models.CharField(_("reason"), max_length=12, choices=WaitReason.choices)
    note = models.CharField(_("note"), max_length=300, blank=True)
    started_at = models.DateTimeField(_("from"))
    until = models.DateTimeField(_("resumes at the latest"))
    ended_at = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("pause")
        verbose_name_plural = _("pauses")
        ordering = ("started_at",)
        constraints = (
            models.UniqueConstraint(
                fields=["feedback"], condition=models.Q(ended_at__isnull=True), name="feedback_one_open_pause"
            ),
        )

    def __str__(self) -> str:
        return f"{self.feedback_id} {self.started_at}"


class SlaEvent(models.Model):
    """A warning given, a breach, an escalation. A breach is a row and never un-set.

    Unique per clock and step, so that a sweep that runs twice tells nobody twice.
    """

    clock = models.ForeignKey(
        SlaClock, verbose_name=_("clock"), on_delete=models.CASCADE, related_name="events"
    )
    feedback = models.ForeignKey(Feedback, on_delete=models.CASCADE, related_name="sla_events")
    kind = models.CharField(_("what happened"), max_length=20)
    step = models.PositiveSmallIntegerField(default=0)
    at = models.DateTimeField(_("at"))
    cause = models.CharField(_("cause"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("clock event")
        verbose_name_plural = _("clock events")
        ordering = ("at", "id")
        constraints = (
            models.UniqueConstraint(fields=["clock", "kind", "step"], name="feedback_sla_event_once"),
        )

    def __str__(self) -> str:
        return f"{self.clock_id} {self.kind}"
