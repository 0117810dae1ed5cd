"""Orders: what the shop's own system sent. Read, not written, here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin
from apps.core.admin.display import badge, link
from apps.core.admin.reveal import RevealMixin
from apps.customers.choices import OrderStatus
from apps.customers.models import Order, OrderItem
from apps.shop.selectors import scope_of


class OrderItemInline(TabularInline):
    """What was in it."""

    model = OrderItem
    extra = 0
    can_delete = False
    fields = ("sku", "product", "quantity", "price", "batch")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """Products with the rows."""
        return super().get_queryset(request).select_related("product", "order")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever sees the order sees its lines."""
        return request.user.has_perm("customers.view_order")


@admin.register(Order)
class OrderAdmin(RevealMixin, ReadOnlyAdmin):
    """Found by the exact number; shown by its last four."""

    reveal_fields = ("order_no", "tracking_no")
    reveal_permission = "customers.unmask_customer"
    list_display = ("show_number", "channel", "store", "show_customer", "show_status", "total", "placed_at")
    list_filter = ("status", ("store", RelatedDropdownFilter))
    search_fields = ("order_no",)
    search_help_text = _("Exact order number")
    list_select_related = ("store", "customer")
    ordering = ("-id",)
    inlines = (OrderItemInline,)
    fieldsets = (
        (None, {"fields": ("show_number", "show_status", "channel", "store", "show_customer", "total")}),
        (_("Delivery"), {"fields": ("placed_at", "delivered_at", "carrier", "show_tracking")}),
    )
    readonly_fields = ("show_number", "show_status", "show_customer", "show_tracking")
    change_form_outer_before_template = "admin/customers/order_buttons.html"

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """People bound to stores see their stores' orders; departments see all, since a problem names any
        order.
        """
        scope = scope_of(request.user, see_all="feedback.see_all_feedback")
        if scope.everything or not scope.stores:
            return queryset
        return queryset.filter(store_id__in=scope.stores)

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        """The whole number and nothing less: a beginning would let numbers be guessed."""
        term = search_term.strip()
        return (queryset.filter(order_no=term), False) if term else (queryset, False)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Hands the reveal button to the template."""
        order = self.get_object(request, object_id)
        url = self.reveal_url(request, order) if order is not None else ""
        return super().change_view(request, object_id, form_url, {"reveal_url": url} | (extra_context or {}))

    @display(description=_("order number"))
    def show_number(self, obj: Order) -> str:
        """Masked."""
        return str(obj)

    @display(description=_("tracking number"))
    def show_tracking(self, obj: Order) -> str:
        """Masked: with it the parcel's address can be asked for."""
        return "****" + obj.tracking_no[-4:] if len(obj.tracking_no) > 4 else ""

    @display(description=_("customer"))
    def show_customer(self, obj: Order) -> Any:
        """Masked, with the way to the page."""
        if obj.customer is None:
            return ""
        return link(
            reverse("admin:customers_customer_change", args=[obj.customer_id]), obj.customer.masked_name
        )

    @display(
        description=_("state"),
        ordering="status",
        label={
            OrderStatus.PLACED: "info",
            OrderStatus.SHIPPED: "info",
            OrderStatus.DELIVERED: "success",
            OrderStatus.COMPLETED: "success",
            OrderStatus.CANCELLED: "default",
            OrderStatus.RETURNED: "warning",
        },
    )
    def show_status(self, obj: Order) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(obj.status, obj.get_status_display())
