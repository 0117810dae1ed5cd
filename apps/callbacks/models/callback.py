"""One call to one customer, and every attempt at it."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.callbacks.choices import OPEN, CallbackState, CallPurpose, Method, Outcome
from apps.callbacks.models.plan import CallbackPlan
from apps.callbacks.querysets import CallbackQuerySet
from apps.core.models import Stamped, StoredFile
from apps.customers.models import ConsentEvent, Customer
from apps.feedback.models import Feedback
from apps.shop.models import Team

IS_OPEN = models.Q(status__in=OPEN)


class Callback(Stamped):
    """A promise to ask a customer: about what, when, by whom; and what came of it [回访].

    `key` makes planning twice plan once. `tries` counts the calls of the present round that nobody took.
    """

    key = models.CharField(max_length=120, unique=True, editable=False)
    subject_key = models.CharField(max_length=80, blank=True, editable=False)
    customer = models.ForeignKey(
        Customer,
        verbose_name=_("customer"),
        on_delete=models.CASCADE,
        # `callbacks_of_customer` begins with it.
        db_index=False,
        related_name="callbacks",
    )
    feedback = models.ForeignKey(
        Feedback,
        verbose_name=_("feedback"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="callbacks",
    )
    plan = models.ForeignKey(
        CallbackPlan,
        verbose_name=_("callback plan"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="callbacks",
    )
    purpose = models.CharField(
        pgettext_lazy("callback plan", "what for"),
        max_length=10,
        choices=CallPurpose.choices,
        default=CallPurpose.SERVICE,
    )
    reason = models.CharField(_("reason"), max_length=300)
    script = models.TextField(_("script"), max_length=4000, blank=True)
    questions = models.JSONField(_("questions"), default=list, blank=True)
    due_at = models.DateTimeField(_("due"))
    promised_at = models.DateTimeField(_("first planned for"))
    opens = models.TimeField(_("not before"), null=True, blank=True)
    closes = models.TimeField(_("not after"), null=True, blank=True)
    team = models.ForeignKey(
        Team, verbose_name=_("team"), null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        # `callbacks_mine` begins with it for open rows, which is all anybody asks for.
        db_index=False,
        related_name="callbacks",
    )
    not_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("not by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
        help_text=_("Handled the case and therefore does not ask about it."),
    )
    status = models.CharField(
        _("state"), max_length=10, choices=CallbackState.choices, default=CallbackState.PLANNED
    )
    max_attempts = models.PositiveSmallIntegerField(pgettext_lazy("callback plan", "attempts"), default=3)
    min_hours = models.PositiveSmallIntegerField(_("hours between two attempts"), default=20)
    tries = models.PositiveSmallIntegerField(_("calls not taken"), default=0)
    round = models.PositiveSmallIntegerField(_("round"), default=1)
    started_at = models.DateTimeField(_("call started"), null=True, blank=True)
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome.choices, blank=True, default="")
    satisfaction = models.PositiveSmallIntegerField(_("satisfaction (1–5)"), null=True, blank=True)
    answers = models.JSONField(_("answers"), default=list, blank=True)
    note = models.TextField(_("note"), max_length=2000, blank=True)
    end_reason = models.CharField(_("why it ended"), max_length=300, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    finished_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("called by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
    )
    raised = models.ForeignKey(
        Feedback,
        verbose_name=_("new feedback"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("What the customer said in this call about something else."),
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("planned by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        db_index=False,
        related_name="+",
    )
    told_at = models.DateTimeField(null=True, blank=True, editable=False)
    lead_told_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = CallbackQuerySet.as_manager()

    class Meta:
        verbose_name = _("callback")
        verbose_name_plural = _("callbacks")
        ordering = ("due_at", "id")
        indexes = (
            # Read by "mine", the agenda of a person and the balance of work.
            models.Index(fields=["assignee", "due_at", "id"], name="callbacks_mine", condition=IS_OPEN),
            # Read by the sweep, the agenda of all and the tabs of the list.
            models.Index(fields=["due_at", "id"], name="callbacks_due", condition=IS_OPEN),
            # Read by the agenda of a team.
            models.Index(fields=["team", "due_at", "id"], name="callbacks_of_team", condition=IS_OPEN),
            # Read by the customer's tab and timeline, and by "was called of late".
            models.Index(fields=["customer", "-due_at"], name="callbacks_of_customer"),
            # Read by higher apps: what became of the calls about one record?
            models.Index(
                fields=["subject_key"], name="callbacks_of_subject", condition=~models.Q(subject_key="")
            ),
            # Read by the list's "done" and by the figures of satisfaction.
            models.Index(
                fields=["-finished_at", "-id"],
                name="callbacks_finished",
                condition=models.Q(finished_at__isnull=False),
            ),
            # Read by the figure of completion.
            models.Index(fields=["promised_at"], name="callbacks_promised"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=CallbackState.values), name="callbacks_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(purpose__in=CallPurpose.values), name="callbacks_purpose_known"
            ),
            models.CheckConstraint(
                condition=models.Q(outcome="") | models.Q(outcome__in=Outcome.values),
                name="callbacks_outcome_known",
            ),
            models.CheckConstraint(
                condition=models.Q(satisfaction__isnull=True) | models.Q(satisfaction__range=(1, 5)),
                name="callbacks_satisfaction_range",
            ),
            models.CheckConstraint(
                condition=models.Q(tries__lte=models.F("max_attempts")), name="callbacks_tries_most"
            ),
            # Whoever handled the case neither gets the call nor writes down its result.
            models.CheckConstraint(
                condition=models.Q(not_by__isnull=True)
                | models.Q(assignee__isnull=True)
                | ~models.Q(assignee=models.F("not_by")),
                name="callbacks_other_assignee",
            ),
            models.CheckConstraint(
                condition=models.Q(not_by__isnull=True)
                | models.Q(finished_by__isnull=True)
                | ~models.Q(finished_by=models.F("not_by")),
                name="callbacks_other_caller",
            ),
        )
        permissions = (
            ("work_callback", _("Can call customers back and record the result")),
            ("assign_callback", _("Can assign callbacks")),
        )

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """What people call it."""
        return f"CB{self.pk:06d}"

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to call."""
        return self.status in OPEN

    @property
    def is_service(self) -> bool:
        """Whether it belongs to a case, and so needs no consent (PIPL art. 13, 2)."""
        return self.purpose == CallPurpose.SERVICE

    def is_due(self, now: datetime) -> bool:
        """Whether the time to call has come."""
        return self.is_open and self.due_at <= now


class CallbackAttempt(models.Model):
    """One try to reach the customer. A recording needs the consent given in that call (R6; domain.md 2.4)."""

    callback = models.ForeignKey(
        Callback, on_delete=models.CASCADE, db_index=False, related_name="attempt_rows"
    )
    number = models.PositiveSmallIntegerField(_("number"))
    round = models.PositiveSmallIntegerField(_("round"), default=1)
    at = models.DateTimeField(_("at"))
    method = models.CharField(_("by"), max_length=10, choices=Method.choices, default=Method.PHONE)
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome.choices)
    note = models.TextField(_("note"), max_length=2000, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    announced_at = models.DateTimeField(_("recording announced at"), null=True, blank=True)
    consented = models.BooleanField(_("agreed to the recording"), null=True, blank=True)
    consent = models.ForeignKey(
        ConsentEvent, null=True, blank=True, on_delete=models.RESTRICT, related_name="+"
    )
    file = models.ForeignKey(StoredFile, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ("number",)
        constraints = (
            # Also read by the call sheet: the attempts of a callback in their order.
            models.UniqueConstraint(fields=["callback", "number"], name="callbacks_attempt_once"),
            models.CheckConstraint(
                condition=models.Q(outcome__in=Outcome.values), name="callbacks_attempt_outcome"
            ),
            models.CheckConstraint(
                condition=models.Q(file__isnull=True)
                | models.Q(consent__isnull=False, consented=True, announced_at__isnull=False),
                name="callbacks_recording_consent",
                violation_error_message=_(
                    "A recording can be kept only with the customer's recorded consent."
                ),
            ),
        )

    def __str__(self) -> str:
        return f"{self.callback_id} · {self.number}"
