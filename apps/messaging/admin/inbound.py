"""What customers wrote back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin
from apps.core.admin.display import LABELS, badge, link
from apps.core.admin.moves import MovesMixin, Verb
from apps.core.wording import move_tables
from apps.messaging.choices import InboundState
from apps.messaging.models import AddressBlock, InboundMessage
from apps.messaging.services import inbound
from apps.messaging.transitions import INBOUND

COLOURS = {
    InboundState.RECEIVED: "blue",
    InboundState.HANDLED: "green",
    InboundState.OPTED_OUT: "grey",
    InboundState.OPEN: "amber",
    InboundState.DONE: "grey",
}

move_tables.register("messaging.inboundmessage", INBOUND)


class OpenFilter(admin.SimpleListFilter):
    """What nobody took; all when wanted."""

    title = gettext_lazy("what")
    parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Without a choice: all."""
        return [(InboundState.OPEN, _("nobody's yet")), (InboundState.OPTED_OUT, _("opt-outs"))]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Narrow."""
        return queryset.filter(state=self.value()) if self.value() else queryset


@admin.register(InboundMessage)
class InboundMessageAdmin(MovesMixin, ReadOnlyAdmin):
    """Answers stand on their cases; here is all that came, and what nobody took."""

    moves_table = INBOUND
    moves_field = "state"
    moves = {"look_at": Verb(inbound.look_at, "inbound", reason=None, icon="check")}
    list_display = ("show_state", "show_text", "show_sender", "channel", "received_at")
    list_display_links = ("show_text",)
    list_filter = (OpenFilter, "channel")
    list_select_related = ("customer",)
    change_form_outer_before_template = "admin/core/moves.html"
    empty_text = gettext_lazy(
        "What customers answer by SMS, WeChat or e-mail arrives here once the provider knows our address (see the page of the gateway)."
    )
    fieldsets = (
        (None, {"fields": ("show_state", "show_sender", "show_whole", "show_answers")}),
        (gettext_lazy("Way"), {"fields": ("channel", "gateway_code", "external_id", "handled_by", "sent_at", "received_at")}),
    )  # fmt: skip
    readonly_fields = ("show_state", "show_sender", "show_whole", "show_answers")

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Stores see their customers'."""
        return queryset.visible_to(request.user)

    @display(description=gettext_lazy("state"), ordering="state", label=LABELS)
    def show_state(self, obj: InboundMessage) -> Any:
        """As a coloured word."""
        return badge(COLOURS[InboundState(obj.state)], obj.get_state_display())

    @display(description=gettext_lazy("text"))
    def show_text(self, obj: InboundMessage) -> str:
        """Its beginning, masked."""
        text = obj.masked_text
        return (text if len(text) <= 40 else f"{text[:40]}…") or "–"

    @display(description=gettext_lazy("text"))
    def show_whole(self, obj: InboundMessage) -> Any:
        """Masked."""
        return format_html('<div style="white-space:pre-line">{}</div>', obj.masked_text)

    @display(description=gettext_lazy("sender"))
    def show_sender(self, obj: InboundMessage) -> str:
        """Masked."""
        return obj.sender or "–"

    @display(description=gettext_lazy("answers"))
    def show_answers(self, obj: InboundMessage) -> Any:
        """The message of ours that went before."""
        if obj.in_reply_to_id is None:
            return "–"
        return link(
            reverse("admin:messaging_outboundmessage_change", args=[obj.in_reply_to_id]),
            f"M{obj.in_reply_to_id}",
        )


@admin.register(AddressBlock)
class AddressBlockAdmin(ReadOnlyAdmin):
    """Only hashes: nobody can read the addresses here, and no import brings them back."""

    list_display = ("id", "channel", "scope", "source", "at")
    list_filter = ("scope", "channel")
    fields = ("channel", "scope", "source", "at")
