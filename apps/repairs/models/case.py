"""The repair of one negative review (R26; domain.md 6)."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import StoredFile
from apps.customers.models import Customer
from apps.feedback.choices import ContactMethod, Tier
from apps.feedback.models import Category, Channel, Feedback, FeedbackChange
from apps.messaging.models import OutboundMessage
from apps.repairs.choices import ENDED, OPEN, RepairStatus
from apps.repairs.querysets import RepairQuerySet
from apps.shop.models import Store


class RepairCase(models.Model):
    """One negative review on its way from complaint to outcome. One to one with its feedback (decisions, item 4).

    The state moves only through `apps.repairs.services`. Store, category, channel, tier and customer are copied from the
    feedback when the repair opens and follow its corrections: lists and figures then read one table. Moments are
    set once, when their step is first reached.
    """

    feedback = models.OneToOneField(
        # Goes with a feedback whose import is undone; tries, offers and evidence protect whatever was worked on.
        Feedback,
        verbose_name=_("feedback"),
        on_delete=models.CASCADE,
        related_name="repair",
    )
    status = models.CharField(
        _("state"), max_length=20, choices=RepairStatus.choices, default=RepairStatus.COLLECTED
    )
    channel = models.ForeignKey(
        Channel, verbose_name=_("channel"), on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    store = models.ForeignKey(
        Store, verbose_name=_("store"), null=True, blank=True, on_delete=models.PROTECT, db_index=False,
        related_name="+",
    )  # fmt: skip
    category = models.ForeignKey(
        Category, verbose_name=_("category"), null=True, blank=True, on_delete=models.PROTECT, db_index=False,
        related_name="+",
    )  # fmt: skip
    customer = models.ForeignKey(
        Customer,
        verbose_name=_("customer"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="repairs",
    )
    tier = models.CharField(_("tier"), max_length=1, choices=Tier.choices)
    handler = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("handler"), null=True, blank=True, on_delete=models.PROTECT,
        related_name="repairs", help_text=_("Who first spoke with the customer."),
    )  # fmt: skip
    opened_at = models.DateTimeField(_("opened at"))
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("opened by"), null=True, blank=True, on_delete=models.PROTECT,
        db_index=False, related_name="+", help_text=_("Empty: the system, by the rules for repairs."),
    )  # fmt: skip
    updated_at = models.DateTimeField(_("updated at"))
    next_due_at = models.DateTimeField(
        _("next step due"), null=True, blank=True, help_text=_("When the next step should be done.")
    )

    # Contact.
    apologised = models.BooleanField(_("apologised"), default=False)
    wishes = models.TextField(_("what the customer wants"), blank=True)
    refuses_review_contact = models.BooleanField(
        _("does not want to be asked about the review"), default=False
    )
    contacted_at = models.DateTimeField(_("contacted at"), null=True, blank=True)
    # Offer and remedy.
    proposed_at = models.DateTimeField(_("offer made at"), null=True, blank=True)
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)
    renegotiations = models.PositiveSmallIntegerField(_("new offers"), default=0)
    executed_at = models.DateTimeField(_("carried out at"), null=True, blank=True)
    cost = models.DecimalField(_("cost (CNY)"), max_digits=10, decimal_places=2, default=0)
    # Callback.
    callback_round = models.PositiveSmallIntegerField(default=0, editable=False)
    called_back_at = models.DateTimeField(_("called back at"), null=True, blank=True)
    satisfaction = models.PositiveSmallIntegerField(_("satisfaction (1–5)"), null=True, blank=True)
    # Invitation.
    invited_at = models.DateTimeField(_("invited at"), null=True, blank=True)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("invited by"), null=True, blank=True, on_delete=models.PROTECT,
        db_index=False, related_name="+",
    )  # fmt: skip
    invited_how = models.CharField(
        _("invited by way of"), max_length=14, choices=ContactMethod.choices, blank=True
    )
    invitation = models.TextField(_("words of the invitation"), blank=True)
    invite_message = models.ForeignKey(
        OutboundMessage, verbose_name=_("invitation as sent"), null=True, blank=True, on_delete=models.SET_NULL,
        db_index=False, related_name="+",
    )  # fmt: skip
    # Outcome.
    unseen_since = models.DateTimeField(
        _("missing since"), null=True, blank=True,
        help_text=_("Not found in a complete list of its store and period; a person has to look."),
    )  # fmt: skip
    unseen_run = models.ForeignKey(
        "feedback.ImportRun", verbose_name=_("list in which it is missing"), null=True, blank=True,
        on_delete=models.SET_NULL, db_index=False, related_name="+",
    )  # fmt: skip
    first_rating = models.PositiveSmallIntegerField(_("stars at first"), null=True, blank=True)
    outcome_at = models.DateTimeField(_("outcome at"), null=True, blank=True)
    reopened_at = models.DateTimeField(
        _("opened again at"),
        null=True,
        blank=True,
        help_text=_("Tries and replies from before do not count."),
    )
    outcome_change = models.ForeignKey(
        FeedbackChange, verbose_name=_("change that was seen"), null=True, blank=True, on_delete=models.PROTECT,
        db_index=False, related_name="+",
    )  # fmt: skip
    outcome_follow_up = models.ForeignKey(
        Feedback, verbose_name=_("follow-up review that was seen"), null=True, blank=True, on_delete=models.PROTECT,
        db_index=False, related_name="+",
    )  # fmt: skip
    outcome_proof = models.ForeignKey(
        StoredFile, verbose_name=_("proof"), null=True, blank=True, on_delete=models.PROTECT, db_index=False,
        related_name="+",
    )  # fmt: skip
    outcome_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("confirmed by"), null=True, blank=True, on_delete=models.PROTECT,
        db_index=False, related_name="+",
    )  # fmt: skip
    objects = RepairQuerySet.as_manager()

    class Meta:
        verbose_name = _("review repair")
        verbose_name_plural = _("review repairs")
        ordering = ("next_due_at", "id")
        indexes = (
            # Read by the queue of open repairs, most urgent first, and by the sweep of what is overdue.
            models.Index(
                fields=["next_due_at", "id"], name="repairs_due", condition=models.Q(status__in=[*OPEN])
            ),
            # Read by the queue's tabs.
            models.Index(fields=["status", "-updated_at", "-id"], name="repairs_by_status"),
            # Read by a store's queue.
            models.Index(
                fields=["store", "next_due_at", "id"],
                name="repairs_of_store",
                condition=models.Q(status__in=[*OPEN]),
            ),
            # Read by the roll-up: which days have changed since it last ran?
            models.Index(fields=["updated_at"], name="repairs_changed"),
            # Read by the roll-up and the funnel's list: the cases of one day.
            models.Index(fields=["opened_at"], name="repairs_opened"),
            # Read by the list of reviews that are missing on their platform.
            models.Index(
                fields=["unseen_since"],
                name="repairs_unseen",
                condition=models.Q(unseen_since__isnull=False),
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=RepairStatus.values), name="repairs_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(satisfaction__isnull=True) | models.Q(satisfaction__range=(1, 5)),
                name="repairs_satisfaction_range",
            ),
            # What no code path may do, the database refuses as well.
            models.CheckConstraint(
                condition=models.Q(invited_at__isnull=True)
                | models.Q(executed_at__isnull=False) & ~models.Q(invitation=""),
                name="repairs_invited_after_remedy",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=RepairStatus.REVISED)
                | models.Q(outcome_change__isnull=False)
                | models.Q(outcome_follow_up__isnull=False),
                name="repairs_revised_seen",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=RepairStatus.WITHDRAWN)
                | models.Q(outcome_proof__isnull=False, outcome_by__isnull=False),
                name="repairs_withdrawn_proven",
            ),
        )
        permissions = (
            ("work_repaircase", _("Can work on repairs: contact, offer, callback, invitation")),
            ("lead_repaircase", _("Can lead repairs: urgent contacts, outcomes, public replies of S")),
            ("appeal_repaircase", _("Can file appeals at platforms")),
        )

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """What people call it."""
        return f"R{self.pk:07d}"

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to do something."""
        return self.status in OPEN

    @property
    def is_ended(self) -> bool:
        """Whether it has an outcome."""
        return self.status in ENDED

    def is_overdue(self, now: datetime) -> bool:
        """Whether the next step should have been done."""
        return self.next_due_at is not None and self.next_due_at <= now and self.is_open


class ContactTry(models.Model):
    """One try to reach the customer, reached or not. Append-only."""

    case = models.ForeignKey(
        RepairCase, verbose_name=_("repair"), on_delete=models.PROTECT, related_name="tries"
    )
    at = models.DateTimeField(_("at"))
    method = models.CharField(_("how"), max_length=14, choices=ContactMethod.choices)
    reached = models.BooleanField(_("reached"), default=False)
    note = models.TextField(_("note"), blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        verbose_name = _("try to reach the customer")
        verbose_name_plural = _("tries to reach the customer")
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"{self.case_id} {self.at}"


class PublicReply(models.Model):
    """What is written under the review for everybody to read (R28). One that needs a second person waits for them."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waits for approval")
        WRITTEN = "written", _("to be put on the platform")
        SENT = "sent", _("out")
        REJECTED = "rejected", _("rejected")

    case = models.ForeignKey(
        RepairCase, verbose_name=_("repair"), on_delete=models.PROTECT, related_name="replies"
    )
    text = models.TextField(_("text"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices)
    entry = models.OneToOneField(
        "feedback.Entry", verbose_name=_("line of the conversation"), null=True, blank=True,
        on_delete=models.PROTECT, related_name="+",
    )  # fmt: skip
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("approved by"), null=True, blank=True, on_delete=models.PROTECT,
        related_name="+",
    )  # fmt: skip
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField(_("written at"))
    sent_at = models.DateTimeField(_("out since"), null=True, blank=True)

    class Meta:
        verbose_name = _("public reply")
        verbose_name_plural = _("public replies")
        ordering = ("at", "id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=("waiting", "written", "sent", "rejected")),
                name="repairs_reply_state",
            ),
            # One text at a time waits for its second person.
            models.UniqueConstraint(
                fields=["case"], condition=models.Q(state="waiting"), name="repairs_reply_waiting_once"
            ),
            models.CheckConstraint(
                condition=models.Q(approved_by__isnull=True) | ~models.Q(approved_by=models.F("by")),
                name="repairs_reply_second_person",
            ),
        )

    def __str__(self) -> str:
        return f"{self.case_id} · {self.get_state_display()}"
