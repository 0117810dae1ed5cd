"""The outbox."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core import masking
from apps.core.models import StoredFile
from apps.customers.models import Customer
from apps.messaging.choices import (
    ASSISTED,
    SENDABLE,
    STATE_COLOURS,
    STOPPABLE,
    WAITING,
    MessageChannel,
    MessageClass,
    MessageState,
)
from apps.messaging.models.gateway import CHANNELS, Gateway
from apps.messaging.models.template import MessageTemplate
from apps.messaging.querysets import OutboundQuerySet


class OutboundMessage(models.Model):
    """One message to one recipient. A row that was refused stays, with its reason.

    Claim → send → confirm (architecture, decision 5): `claim_token` names the worker's run, `claimed_until` its lease,
    `sending_at` the moment just before the gateway was called. A lease that ran out with `sending_at` empty surely did
    not send; with it, nobody knows.
    """

    purpose = models.CharField(_("purpose"), max_length=60)
    subject_key = models.CharField(_("about"), max_length=80)
    customer = models.ForeignKey(
        Customer,
        verbose_name=_("customer"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="messages",
    )
    recipient_key = models.CharField(max_length=80, editable=False)
    period_key = models.CharField(_("period"), max_length=80, blank=True)
    idempotency_key = models.CharField(_("key for the provider"), max_length=40, unique=True)

    channel = models.CharField(_("channel"), max_length=20, choices=CHANNELS)
    message_class = models.CharField(
        _("class"), max_length=10, choices=MessageClass.choices, default=MessageClass.SERVICE
    )
    template = models.ForeignKey(
        MessageTemplate,
        verbose_name=_("template"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    template_version = models.PositiveIntegerField(_("version"), default=0)
    title = models.CharField(_("subject line"), max_length=200, blank=True)
    body = models.TextField(_("text"))
    link = models.CharField(_("link"), max_length=500, blank=True)
    payload = models.JSONField(_("values"), default=dict, blank=True)
    # Only where the caller named one; a customer's own address is read when the message is sent.
    address = models.CharField(_("address"), max_length=254, blank=True)
    zone = models.CharField(_("time zone"), max_length=40, blank=True)
    respects_quiet_hours = models.BooleanField(default=False, editable=False)

    state = models.CharField(
        _("state"), max_length=12, choices=MessageState.choices, default=MessageState.QUEUED
    )
    not_before = models.DateTimeField(_("not before"), null=True, blank=True)
    last_useful_at = models.DateTimeField(_("useful until"), null=True, blank=True)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    claimed_until = models.DateTimeField(null=True, editable=False)
    claim_token = models.CharField(max_length=32, blank=True, editable=False)
    sending_at = models.DateTimeField(null=True, editable=False)
    gateway = models.ForeignKey(
        Gateway, verbose_name=_("gateway"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    provider_id = models.CharField(_("number at the provider"), max_length=100, blank=True)
    error_code = models.CharField(_("reason code"), max_length=40, blank=True)
    error = models.CharField(_("reason"), max_length=300, blank=True)
    proof = models.CharField(_("proof"), max_length=500, blank=True)
    proof_file = models.ForeignKey(
        StoredFile,
        verbose_name=_("picture as proof"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    is_automatic = models.BooleanField(_("automatic"), default=False)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)

    objects = OutboundQuerySet.as_manager()

    class Meta:
        verbose_name = pgettext_lazy("outbox", "message")
        verbose_name_plural = pgettext_lazy("outbox", "messages")
        ordering = ("-id",)
        permissions = (
            ("send_message", _("Can send messages and mark them as sent")),
            ("resolve_message", _("Can try messages again and settle doubtful ones")),
        )
        constraints = (
            # "Twice" is impossible: one message a purpose, subject, recipient and period.
            models.UniqueConstraint(
                fields=["purpose", "subject_key", "recipient_key", "period_key"],
                name="messaging_outbound_once",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=MessageState.values), name="messaging_outbound_state"
            ),
            models.CheckConstraint(
                condition=models.Q(channel__in=sorted(SENDABLE)), name="messaging_outbound_channel"
            ),
            models.CheckConstraint(
                condition=models.Q(message_class__in=MessageClass.values), name="messaging_outbound_class"
            ),
            # What waits for a worker has a time, else no sweep would ever find it.
            models.CheckConstraint(
                condition=~models.Q(state__in=sorted(WAITING)) | models.Q(next_attempt_at__isnull=False),
                name="messaging_outbound_due",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="claimed")
                | models.Q(claimed_until__isnull=False) & ~models.Q(claim_token=""),
                name="messaging_outbound_claimed",
            ),
        )
        indexes = (
            # Read by the worker's claim: what is due, oldest first.
            models.Index(
                fields=["next_attempt_at", "id"],
                name="messaging_out_due",
                condition=models.Q(state__in=["queued", "deferred"]),
            ),
            # Read by the look for leases that ran out, and to fetch what a run has claimed.
            models.Index(
                fields=["claimed_until"], name="messaging_out_lease", condition=models.Q(state="claimed")
            ),
            models.Index(
                fields=["claim_token"], name="messaging_out_claim", condition=~models.Q(claim_token="")
            ),
            # Read by the lists "to send by hand", "to check", "failed" and by the card of the first page.
            models.Index(
                fields=["state", "-id"],
                name="messaging_out_hands",
                condition=models.Q(state__in=["to_do", "to_check", "failed"]),
            ),
            # Read by the gate: how often was this person written to, and with what words? And by opting out.
            models.Index(fields=["recipient_key", "-created_at"], name="messaging_out_recipient"),
            # Read by the customer's timeline.
            models.Index(fields=["customer", "-created_at"], name="messaging_out_customer"),
            # Read by the case: every message about it.
            models.Index(fields=["subject_key", "-id"], name="messaging_out_subject"),
            # Read by delivery receipts.
            models.Index(
                fields=["provider_id"], name="messaging_out_provider", condition=~models.Q(provider_id="")
            ),
        )

    def __str__(self) -> str:
        return f"M{self.pk} · {self.get_channel_display()}"

    @property
    def is_assisted(self) -> bool:
        """Whether a person carries it to the platform."""
        return self.channel in ASSISTED

    @property
    def is_stoppable(self) -> bool:
        """Whether nothing has left the house yet."""
        return self.state in STOPPABLE

    @property
    def colour(self) -> str:
        """The colour of its state."""
        return STATE_COLOURS.get(MessageState(self.state), "grey")

    @property
    def masked_address(self) -> str:
        """Where it goes, masked; "" while that is read from the customer."""
        return mask_address_of(self.channel, self.address)

    @property
    def masked_body(self) -> str:
        """The text without personal data."""
        return masking.mask_text(self.body)

    @property
    def recipient(self) -> str:
        """Who gets it, masked. Reads the customer: select it."""
        if self.channel == MessageChannel.STAFF_GROUP:
            return str(self.gateway or "")
        return self.customer.masked_name if self.customer is not None else self.masked_address


def mask_address_of(channel: str, address: str) -> str:
    """An address of that channel, masked."""
    if not address:
        return ""
    if channel == MessageChannel.EMAIL:
        return masking.mask_email(address)
    if channel == MessageChannel.SMS:
        return masking.mask_phone(address)
    return f"{address[:3]}***{address[-2:]}" if len(address) > 8 else "***"
