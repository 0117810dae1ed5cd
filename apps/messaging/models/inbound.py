"""What customers write back, and addresses that are not to be written to."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core import masking
from apps.customers.models import Customer
from apps.messaging.choices import BlockScope, InboundState, MessageChannel
from apps.messaging.models.outbound import mask_address_of
from apps.messaging.querysets import InboundQuerySet


class InboundMessage(models.Model):
    """One message from a customer. (gateway, its number there) comes once, however often the provider delivers it."""

    gateway_code = models.CharField(_("gateway"), max_length=40)
    external_id = models.CharField(_("number there"), max_length=120)
    channel = models.CharField(_("channel"), max_length=20, choices=MessageChannel.choices)
    customer = models.ForeignKey(
        Customer,
        verbose_name=_("customer"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    address = models.CharField(_("address"), max_length=254, blank=True)
    address_key = models.CharField(max_length=64, blank=True, editable=False)
    text = models.TextField(_("text"), blank=True)
    payload = models.JSONField(_("details"), default=dict, blank=True)
    state = models.CharField(
        _("state"), max_length=12, choices=InboundState.choices, default=InboundState.RECEIVED
    )
    handled_by = models.CharField(_("taken by"), max_length=60, blank=True)
    # The message it most likely answers: the newest sent to that address.
    in_reply_to = models.ForeignKey(
        "messaging.OutboundMessage",
        verbose_name=_("answers"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="answers",
    )
    sent_at = models.DateTimeField(_("written at"))
    received_at = models.DateTimeField(_("received at"))
    updated_at = models.DateTimeField(_("updated at"))

    objects = InboundQuerySet.as_manager()

    class Meta:
        verbose_name = _("inbound message")
        verbose_name_plural = _("inbound messages")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=["gateway_code", "external_id"], name="messaging_inbound_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=InboundState.values), name="messaging_inbound_state"
            ),
        )
        indexes = (
            # Read by the list of what nobody took, and by the sweep for what a crash left half done.
            models.Index(
                fields=["state", "-id"],
                name="messaging_in_open",
                condition=models.Q(state__in=["received", "open"]),
            ),
            # Read by the customer's timeline.
            models.Index(fields=["customer", "-received_at"], name="messaging_in_customer"),
        )

    def __str__(self) -> str:
        return f"I{self.pk} · {self.get_channel_display()}"

    @property
    def masked_text(self) -> str:
        """Without personal data."""
        return masking.mask_text(self.text)

    @property
    def sender(self) -> str:
        """Who wrote, masked."""
        if self.customer is not None:
            return self.customer.masked_name
        return mask_address_of(self.channel, self.address)


class AddressBlock(models.Model):
    """An address that is not written to: its owner opted out without being a known customer, or had it erased.

    Only the keyed hash is kept, so that an import cannot bring an erased address back to life.
    """

    channel = models.CharField(_("channel"), max_length=20, choices=MessageChannel.choices)
    address_key = models.CharField(max_length=64)
    scope = models.CharField(_("what"), max_length=12, choices=BlockScope.choices)
    source = models.CharField(_("source"), max_length=60)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("blocked address")
        verbose_name_plural = _("blocked addresses")
        ordering = ("-id",)
        constraints = (
            # Also read by the gate: may this address be written to?
            models.UniqueConstraint(fields=["channel", "address_key", "scope"], name="messaging_block_once"),
        )

    def __str__(self) -> str:
        return f"{self.get_channel_display()} · {self.get_scope_display()}"


class ConsentLink(models.Model):
    """The right to look at and change one's own choices without an account (`/u/`). Only the token's hash is kept."""

    token_hash = models.CharField(max_length=64, unique=True)
    channel = models.CharField(_("channel"), max_length=20, choices=MessageChannel.choices)
    customer = models.ForeignKey(Customer, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    address_key = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.token_hash[:8]
