"""Products and stock (R23)."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin, ShopModelAdmin
from apps.core.admin.display import LABELS
from apps.shop.admin.forms import ProductForm
from apps.shop.models import Product, StockLevel
from apps.shop.selectors import scope_of


@admin.register(Product)
class ProductAdmin(HistoryModelAdmin):
    """Articles by SKU."""

    form = ProductForm
    list_display = ("sku", "name", "category", "price", "is_active")
    list_display_links = ("sku", "name")
    list_filter = ("is_active",)
    search_fields = ("sku__istartswith", "name__icontains")
    search_help_text = _("SKU or name")
    fields = ("sku", "name", "category", "price", "keywords", "is_active")


class LowStockFilter(admin.SimpleListFilter):
    """What is gone and what soon will be."""

    title = _("stock")
    parameter_name = "stock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Two stretches."""
        return [("out", _("sold out")), ("low", _("at or below the reorder point"))]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Sold out counts as low too."""
        if self.value() == "out":
            return queryset.filter(level__lte=0)
        if self.value() == "low":
            return queryset.filter(level__lte=models.F("reorder_point"))
        return queryset


@admin.register(StockLevel)
class StockLevelAdmin(ShopModelAdmin):
    """Seen by all who may see stock (to help a customer elsewhere); counted by those of the store."""

    list_display = ("product", "show_sku", "store", "show_level", "reorder_point", "counted_at")
    list_filter = (LowStockFilter, ("store", RelatedDropdownFilter))
    search_fields = ("product__sku__istartswith", "product__name__icontains", "store__name__istartswith")
    search_help_text = _("SKU, product or store")
    list_select_related = ("store", "product")
    autocomplete_fields = ("store", "product")
    fields = ("store", "product", "level", "reorder_point", "counted_at")
    readonly_fields = ("counted_at",)
    ordering = ("store_id", "product_id")

    def has_change_permission(self, request: HttpRequest, obj: StockLevel | None = None) -> bool:
        """People bound to stores change their own stores' stock only."""
        if not super().has_change_permission(request, obj):
            return False
        if obj is None:
            return True
        scope = scope_of(request.user, see_all="feedback.see_all_feedback")
        return scope.everything or obj.store_id in scope.stores

    def get_readonly_fields(self, request: HttpRequest, obj: StockLevel | None = None) -> tuple[str, ...]:
        """A count stays with its store and product."""
        return ("counted_at",) if obj is None else ("store", "product", "counted_at")

    def save_model(self, request: HttpRequest, obj: StockLevel, form: Any, change: bool) -> None:
        """Typing a number is counting now."""
        obj.counted_at = timezone.now()
        super().save_model(request, obj, form, change)

    @display(description=_("SKU"), ordering="product__sku")
    def show_sku(self, obj: StockLevel) -> str:
        """Of the product."""
        return obj.product.sku

    @display(description=_("pieces"), ordering="level", label=LABELS)
    def show_level(self, obj: StockLevel) -> tuple[str, Any]:
        """Red when gone, amber at the reorder point; the words say it too."""
        if obj.level <= 0:
            return "red", _("%(level)d · sold out") % {"level": obj.level}
        if obj.level <= obj.reorder_point:
            return "amber", _("%(level)d · reorder") % {"level": obj.level}
        return "green", str(obj.level)
