"""Gifts with stock, and the queue of parcels."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin, ReadOnlyAdmin
from apps.core.admin.display import LABELS, badge, countdown, link
from apps.core.admin.moves import MoveForm, MovesMixin, Verb
from apps.core.admin.reveal import RevealMixin
from apps.rewards.admin.base import ConfirmForm, SaveOnlyEdited, StateFilter, VisibleMixin, money
from apps.rewards.choices import DELIVERY_COLOURS, DeliveryState
from apps.rewards.models import Gift, GiftDelivery
from apps.rewards.services import gifts
from apps.rewards.transitions import DELIVERY, GIFT


class RestockForm(MoveForm):
    """By how many."""

    count = forms.IntegerField(
        label=pgettext_lazy("gift", "pieces"),
        min_value=-gifts.MOST,
        max_value=gifts.MOST,
        help_text=_("With a minus: they are missing."),
    )


@admin.register(Gift)
class GiftAdmin(SaveOnlyEdited, MovesMixin, HistoryModelAdmin):
    """What can be sent."""

    moves_table = GIFT
    moves = {
        "restock": Verb(gifts.restock, "gift", form=RestockForm, icon="inventory_2"),
        "retire": Verb(gifts.retire, "gift", reason=None, form=ConfirmForm, icon="block"),
        "revive": Verb(gifts.revive, "gift", reason=None, icon="undo"),
    }
    moves_in_rows = False
    list_display = ("show_name", "code", "show_cost", "show_stock", "show_status")
    list_display_links = ("show_name",)
    list_filter = ("status",)
    search_fields = ("code", "name__istartswith")
    change_form_outer_before_template = "admin/core/moves.html"
    fields = ("name", "name_en", "code", "text", "cost", "show_stock", "show_status")
    readonly_fields = ("show_stock", "show_status")
    empty_text = _("No gift yet. Name one with its market price, then enter how many there are.")

    @display(description=_("name"), ordering="name")
    def show_name(self, obj: Gift) -> str:
        """In the reader's language."""
        return str(obj)

    @display(description=_("market price (CNY)"), ordering="cost")
    def show_cost(self, obj: Gift) -> str:
        """In yuan."""
        return money(obj.cost)

    @display(
        description=_("in stock"),
        ordering="stock",
        label={"none": "danger", "few": "warning", "some": "success"},
    )
    def show_stock(self, obj: Gift) -> Any:
        """Red when there is none."""
        return badge("none" if not obj.stock else "few" if obj.stock < 5 else "some", str(obj.stock))

    @display(description=_("state"), ordering="status", label={"on": "success", "off": "default"})
    def show_status(self, obj: Gift) -> Any:
        """As a coloured word."""
        return badge(obj.status, obj.get_status_display())


class SendForm(MoveForm):
    """Carrier and number; where it goes, unless that is known."""

    carrier = forms.CharField(label=_("carrier"), max_length=40)
    tracking_no = forms.CharField(label=_("tracking number"), max_length=64)
    recipient = forms.CharField(
        label=_("recipient"), max_length=80, required=False, help_text=_("Leave empty to keep what is known.")
    )
    phone = forms.CharField(label=_("phone"), max_length=30, required=False)
    address = forms.CharField(
        label=_("address"), max_length=300, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )


class WhereFilter(StateFilter):
    """What is to be sent, first."""

    first = DeliveryState.TO_SEND
    states = DeliveryState.choices


@admin.register(GiftDelivery)
class GiftDeliveryAdmin(VisibleMixin, RevealMixin, MovesMixin, ReadOnlyAdmin):
    """The queue: what is due first."""

    reveal_fields = ("recipient", "phone", "address")
    reveal_permission = "rewards.deliver_gift"
    moves_table = DELIVERY
    moves = {
        "send": Verb(gifts.send, "delivery", reason=None, form=SendForm, icon="local_shipping"),
        "deliver": Verb(gifts.deliver, "delivery", reason=None, form=ConfirmForm, icon="done_all"),
        "give_back": Verb(gifts.give_back, "delivery", icon="assignment_return"),
        "resend": Verb(gifts.resend, "delivery", reason=None, form=ConfirmForm, icon="redo"),
    }
    list_display = ("gift", "show_customer", "show_due", "show_status", "carrier", "show_tracking")
    list_filter = (WhereFilter,)
    list_select_related = ("gift", "customer")
    ordering = ("due_at", "id")
    change_form_outer_before_template = "admin/rewards/delivery_before.html"
    fields = (
        "gift", "show_customer", "show_status", "show_to", "show_due", "carrier", "show_tracking", "sent_at",
        "delivered_at", "show_grant",
    )  # fmt: skip
    readonly_fields = ("show_customer", "show_status", "show_to", "show_due", "show_tracking", "show_grant")
    empty_text = _(
        "Nothing is to be sent. A gift that is granted waits here until a parcel number is entered."
    )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Hands the reveal button to the page."""
        row = self.get_object(request, object_id)
        url = self.reveal_url(request, row) if row is not None else ""
        return super().change_view(request, object_id, form_url, {"reveal_url": url} | (extra_context or {}))

    @display(description=_("goes to"))
    def show_to(self, obj: GiftDelivery) -> str:
        """Masked."""
        return obj.masked_to or "–"

    @display(description=_("to send until"), ordering="due_at", label=LABELS)
    def show_due(self, obj: GiftDelivery) -> Any:
        """As a countdown while it waits."""
        return countdown(obj.due_at, timezone.now()) if obj.status == DeliveryState.TO_SEND else None

    @display(description=_("state"), ordering="status", label=DELIVERY_COLOURS)
    def show_status(self, obj: GiftDelivery) -> Any:
        """As a coloured word."""
        return badge(obj.status, obj.get_status_display())

    @display(description=_("tracking number"))
    def show_tracking(self, obj: GiftDelivery) -> str:
        """Masked: with it the parcel's address can be asked for."""
        return f"****{obj.tracking_no[-4:]}" if obj.tracking_no else "–"

    @display(description=_("grant"))
    def show_grant(self, obj: GiftDelivery) -> Any:
        """What it came with."""
        return link(reverse("admin:rewards_grant_change", args=[obj.grant_id]), obj.grant)
