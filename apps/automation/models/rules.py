"""Rules, their versions, dry runs and runs; the durable list of events they look at."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.automation.choices import RuleState
from apps.core.models import Stamped
from apps.feedback.models import Feedback


class Rule(Stamped):
    """When `event` happens and `conditions` hold, do `actions`.

    `conditions` is a tree: {"all": […]}, {"any": […]}, {"not": …} and leaves {"field", "op", "value"}; `actions` a list
    of {"code", "params"}. Fields, operators and actions come from registries. Lower positions go first; `stop` keeps
    later rules away from what this one matched. Every save is a version; runs name theirs.
    """

    code = models.SlugField(_("code"), max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=80)
    description = models.CharField(_("what it is for"), max_length=300, blank=True)
    position = models.PositiveSmallIntegerField(
        _("position"), default=100, help_text=_("Lower numbers go first.")
    )
    stop = models.BooleanField(
        _("stop here"), default=False, help_text=_("Later rules do not look at what this rule matched.")
    )
    event = models.CharField(_("event"), max_length=40)
    event_params = models.JSONField(_("details of the event"), default=dict, blank=True)
    conditions = models.JSONField(_("conditions"), default=dict, blank=True)
    actions = models.JSONField(_("actions"), default=list, blank=True)
    status = models.CharField(_("state"), max_length=10, choices=RuleState.choices, default=RuleState.DRAFT)
    version = models.PositiveIntegerField(_("version"), default=1)
    enabled_at = models.DateTimeField(_("switched on at"), null=True, blank=True, editable=False)
    active_from = models.DateTimeField(_("acts from"), null=True, blank=True)
    active_until = models.DateTimeField(_("acts until"), null=True, blank=True)
    working_time_only = models.BooleanField(_("in working time only"), default=False)
    with_historical = models.BooleanField(
        _("historical feedback too"),
        default=False,
        help_text=_("Old feedback that was imported for the record."),
    )
    max_per_hour = models.PositiveIntegerField(
        _("at most so often an hour"),
        default=500,
        help_text=_("Beyond this the rule is switched off and the leads are told."),
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("automation rule")
        verbose_name_plural = _("automation rules")
        ordering = ("position", "id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=RuleState.values), name="automation_rule_status"
            ),
            models.CheckConstraint(
                condition=models.Q(active_until__isnull=True)
                | models.Q(active_from__isnull=True)
                | models.Q(active_until__gt=models.F("active_from")),
                name="automation_rule_window",
                violation_error_message=_("“Acts until” lies before “acts from”."),
            ),
        )
        permissions = (("enable_rule", _("Can switch automation rules on and off")),)

    def __str__(self) -> str:
        return self.name


class RuleVersion(models.Model):
    """A rule as it was saved once. Never changed."""

    rule = models.ForeignKey(Rule, verbose_name=_("rule"), on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(_("version"))
    snapshot = models.JSONField(_("content"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("version of a rule")
        verbose_name_plural = _("versions of rules")
        ordering = ("rule", "-number")
        constraints = (models.UniqueConstraint(fields=["rule", "number"], name="automation_version_once"),)

    def __str__(self) -> str:
        return f"{self.rule_id} v{self.number}"


class DryRun(models.Model):
    """What a version of a rule would have done over the last days. `failures`: why not, in words → how often."""

    rule = models.ForeignKey(Rule, verbose_name=_("rule"), on_delete=models.CASCADE, related_name="dry_runs")
    version = models.PositiveIntegerField(_("version"))
    days = models.PositiveSmallIntegerField(_("days"))
    examined = models.PositiveIntegerField(_("looked at"))
    matched = models.PositiveIntegerField(_("would act on"))
    is_cut = models.BooleanField(_("cut off"), default=False)
    failures = models.JSONField(default=list)
    samples = models.JSONField(default=dict)
    errors = models.JSONField(default=list)
    milliseconds = models.PositiveIntegerField(_("milliseconds"), default=0)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("dry run")
        verbose_name_plural = _("dry runs")
        ordering = ("-at", "-id")

    def __str__(self) -> str:
        return f"{self.rule_id} v{self.version} {self.at}"


class Watermark(models.Model):
    """How far a source of events (arrivals, moves, clock events …) has been read."""

    source = models.CharField(max_length=40, primary_key=True)
    last_id = models.BigIntegerField(default=0)
    at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.source} {self.last_id}"


class EventBatch(models.Model):
    """Events that rules still have to look at, or have looked at: the work is in the database, not in the broker.

    `items` holds [feedback id, number of the row that says so, detail]; `last_id` the highest such number.
    """

    source = models.CharField(max_length=40)
    items = models.JSONField(default=list)
    last_id = models.BigIntegerField()
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    examined = models.PositiveIntegerField(default=0)
    matched = models.PositiveIntegerField(default=0)
    faults = models.PositiveSmallIntegerField(default=0)
    milliseconds = models.PositiveIntegerField(default=0)

    class Meta:
        indexes = (
            # Read by the worker: what is still to do, oldest first.
            models.Index(
                fields=["id"], name="automation_batch_due", condition=models.Q(done_at__isnull=True)
            ),
            # Read by the collector: which rows of a source are in a batch already.
            models.Index(fields=["source", "last_id"], name="automation_batch_of"),
        )

    def __str__(self) -> str:
        return f"{self.source} …{self.last_id}"


class RuleRun(models.Model):
    """A rule acted on a feedback for one event. Unique, and written with its actions: running twice does nothing.

    `chain` are the rules that led here, `outcomes` what became of each action.
    """

    rule = models.ForeignKey(
        Rule, verbose_name=_("rule"), on_delete=models.CASCADE, db_index=False, related_name="runs"
    )
    version = models.PositiveIntegerField(_("version"))
    event = models.CharField(_("event"), max_length=40)
    instance = models.CharField(_("which event"), max_length=60)
    feedback = models.ForeignKey(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="rule_runs"
    )
    chain = models.JSONField(default=list, blank=True)
    depth = models.PositiveSmallIntegerField(_("depth"), default=1)
    outcomes = models.JSONField(_("outcomes"), default=list, blank=True)
    at = models.DateTimeField(_("at"))
    milliseconds = models.PositiveIntegerField(_("milliseconds"), default=0)

    class Meta:
        verbose_name = _("run of a rule")
        verbose_name_plural = _("runs of rules")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=["rule", "feedback", "event", "instance"], name="automation_run_once"
            ),
        )
        indexes = (
            # Read by the breaker (how often within the hour) and by the rule's own log.
            models.Index(fields=["rule", "-at"], name="automation_run_of"),
            # Read by the retention.
            models.Index(fields=["at"], name="automation_run_age"),
        )

    def __str__(self) -> str:
        return f"{self.rule_id} F{self.feedback_id:07d}"


class Origin(models.Model):
    """Which run made a move: an event that comes of it carries the chain on (peers 4.2)."""

    log_id = models.BigIntegerField(primary_key=True)
    chain = models.JSONField(default=list)

    def __str__(self) -> str:
        return str(self.log_id)
