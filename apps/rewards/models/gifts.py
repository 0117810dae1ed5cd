"""Gifts with their stock, and the parcels."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core import masking
from apps.core.models import Stamped
from apps.customers.models import Customer
from apps.rewards.choices import DeliveryState
from apps.rewards.models.budgets import money
from apps.rewards.models.grants import Grant
from apps.rewards.querysets import OfCustomer


class Gift(Stamped):
    """Something that can be sent. The stock moves with one UPDATE that asks for it: never below zero."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name in Chinese"), max_length=60)
    name_en = models.CharField(_("name in English"), max_length=60, blank=True)
    text = models.TextField(_("words to the customer"), max_length=300, blank=True)
    cost = money(
        _("market price (CNY)"),
        validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("What a customer would pay for it: the law counts gifts at their market price."),
    )
    stock = models.PositiveIntegerField(_("in stock"), default=0, editable=False)
    status = models.CharField(
        _("state"),
        max_length=3,
        choices=(("on", pgettext_lazy("gift", "in use")), ("off", pgettext_lazy("gift", "not in use"))),
        default="on",
        editable=False,
    )
    history = HistoricalRecords(excluded_fields=["stock"])

    class Meta:
        verbose_name = _("gift")
        verbose_name_plural = _("gifts")
        ordering = ("code",)
        constraints = (models.CheckConstraint(condition=models.Q(stock__gte=0), name="rewards_gift_stock"),)

    def __str__(self) -> str:
        return self.name_en if self.name_en and (get_language() or "").startswith("en") else self.name


class GiftDelivery(Stamped):
    """One gift on its way. The address is kept whole only until it has arrived (PIPL 19: no longer than needed)."""

    grant = models.OneToOneField(Grant, on_delete=models.PROTECT, related_name="delivery")
    gift = models.ForeignKey(Gift, verbose_name=_("gift"), on_delete=models.PROTECT, related_name="+")
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="gift_deliveries"
    )
    recipient = models.CharField(_("recipient"), max_length=80, blank=True)
    phone = models.CharField(_("phone"), max_length=30, blank=True)
    address = models.CharField(_("address"), max_length=300, blank=True)
    status = models.CharField(
        _("state"), max_length=10, choices=DeliveryState.choices, default=DeliveryState.TO_SEND
    )
    due_at = models.DateTimeField(_("to send until"))
    carrier = models.CharField(_("carrier"), max_length=40, blank=True)
    tracking_no = models.CharField(_("tracking number"), max_length=64, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)
    told_overdue = models.BooleanField(default=False, editable=False)
    objects = OfCustomer.as_manager()

    class Meta:
        verbose_name = _("gift delivery")
        verbose_name_plural = _("gift deliveries")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=DeliveryState.values), name="rewards_delivery_status"
            ),
        )
        indexes = (
            # Read by the queue of what is to send, the card of the home page and the sweep of overdue ones.
            models.Index(
                fields=["due_at"], name="rewards_delivery_due", condition=models.Q(status="to_send")
            ),
            # Read by the list's filter by state.
            models.Index(fields=["status", "-id"], name="rewards_delivery_state"),
        )
        permissions = (("deliver_gift", _("Can send gifts")),)

    def __str__(self) -> str:
        return f"{self.gift} · {self.customer.masked_name}"

    @property
    def masked_to(self) -> str:
        """张* 138******78 浙江省杭州市西湖区****"""
        parts = (
            masking.mask_name(self.recipient) if "*" not in self.recipient else self.recipient,
            masking.mask_shipping_phone(self.phone),
            masking.mask_address(self.address) if "*" not in self.address else self.address,
        )
        return " ".join(part for part in parts if part)
