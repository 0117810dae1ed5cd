"""What a customer allows, as a ledger, and when nobody may contact them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.customers.choices import ContactChannel, Purpose
from apps.customers.models.customer import Customer


class ConsentEvent(models.Model):
    """One grant or withdrawal. The newest row of (customer, purpose, channel) is what holds (PIPL art. 13–16)."""

    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.CASCADE, related_name="consents"
    )
    purpose = models.CharField(_("purpose"), max_length=12, choices=Purpose.choices)
    channel = models.CharField(
        _("channel"), max_length=10, choices=ContactChannel.choices, default=ContactChannel.ANY
    )
    granted = models.BooleanField(_("granted"))
    text_version = models.CharField(_("wording shown"), max_length=60, blank=True)
    source = models.CharField(_("source"), max_length=60)
    evidence = models.CharField(_("evidence"), max_length=300, blank=True)
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )

    class Meta:
        verbose_name = _("consent entry")
        verbose_name_plural = _("consent ledger")
        ordering = ("-at", "-id")
        indexes = (
            # Read by every question "may we?": the newest entry of one purpose and channel.
            models.Index(fields=["customer", "purpose", "channel", "-at"], name="customers_consent_now"),
        )

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} · {self.get_channel_display()}"


class ContactHold(models.Model):
    """A stretch of time in which nobody contacts a customer: lawsuit, mourning, wish of the customer."""

    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.CASCADE, related_name="holds"
    )
    reason = models.CharField(_("reason"), max_length=200)
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)
    released_at = models.DateTimeField(_("released at"), null=True, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        verbose_name = _("contact hold")
        verbose_name_plural = _("contact holds")
        ordering = ("-starts_at",)

    def __str__(self) -> str:
        return self.reason
