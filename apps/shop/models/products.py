"""What the shop sells and how much of it is there."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped
from apps.shop.models.organisation import Store


class Product(Stamped):
    """An article by its SKU."""

    sku = models.CharField(_("SKU"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=160)
    category = models.CharField(_("product category"), max_length=60, blank=True)
    price = models.DecimalField(_("price (CNY)"), max_digits=10, decimal_places=2, null=True, blank=True)
    keywords = models.JSONField(_("names customers use"), default=list, blank=True)
    is_active = models.BooleanField(_("on sale"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ("sku",)

    def __str__(self) -> str:
        return self.name


class StockLevel(models.Model):
    """How many pieces of a product a store has (R23)."""

    store = models.ForeignKey(Store, verbose_name=_("store"), on_delete=models.CASCADE, related_name="stock")
    product = models.ForeignKey(
        Product, verbose_name=_("product"), on_delete=models.CASCADE, related_name="stock"
    )
    level = models.IntegerField(_("pieces"), default=0)
    reorder_point = models.PositiveIntegerField(_("reorder at"), default=0)
    counted_at = models.DateTimeField(_("as of"))

    class Meta:
        verbose_name = _("stock level")
        verbose_name_plural = _("stock levels")
        constraints = (models.UniqueConstraint(fields=["store", "product"], name="shop_stock_once"),)

    def __str__(self) -> str:
        return f"{self.store} · {self.product}: {self.level}"
