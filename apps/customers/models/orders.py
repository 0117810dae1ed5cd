"""What customers bought."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core import masking
from apps.core.models import Stamped
from apps.customers.choices import OrderStatus
from apps.customers.models.customer import Customer
from apps.shop.models import Product, Store


class Order(Stamped):
    """One purchase. Order numbers are text: Excel turns 18 digits into 1.23E+17."""

    order_no = models.CharField(_("order number"), max_length=64, unique=True)
    channel = models.CharField(_("channel code"), max_length=40, blank=True)
    store = models.ForeignKey(
        Store, verbose_name=_("store"), null=True, blank=True, on_delete=models.PROTECT, related_name="orders"
    )
    customer = models.ForeignKey(
        Customer,
        verbose_name=_("customer"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="orders",
    )
    status = models.CharField(
        _("state"), max_length=12, choices=OrderStatus.choices, default=OrderStatus.PLACED
    )
    placed_at = models.DateTimeField(_("placed at"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)
    total = models.DecimalField(_("total (CNY)"), max_digits=10, decimal_places=2, null=True, blank=True)
    carrier = models.CharField(_("carrier"), max_length=40, blank=True)
    tracking_no = models.CharField(_("tracking number"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ("-placed_at", "-id")
        indexes = (
            # Read by the sweep of review requests (repairs): what was delivered in a stretch of days.
            models.Index(
                fields=["delivered_at", "id"],
                name="customers_order_delivered",
                condition=models.Q(delivered_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return masking.mask_order_no(self.order_no)


class OrderItem(models.Model):
    """One line of an order. The batch is what a recall needs (R57)."""

    order = models.ForeignKey(Order, verbose_name=_("order"), on_delete=models.CASCADE, related_name="items")
    product = models.ForeignKey(
        Product, verbose_name=_("product"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    sku = models.CharField(_("SKU"), max_length=64)
    quantity = models.PositiveIntegerField(_("quantity"), default=1)
    price = models.DecimalField(_("price (CNY)"), max_digits=10, decimal_places=2, null=True, blank=True)
    batch = models.CharField(_("batch"), max_length=40, blank=True)

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        indexes = (
            # Read by recalls: who got this batch?
            models.Index(fields=["sku", "batch"], name="customers_item_batch"),
        )

    def __str__(self) -> str:
        return f"{self.sku} × {self.quantity}"
