"""What was given: read, exported, settled, taken back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.contrib.filters.admin import RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin
from apps.core.admin.display import badge, link
from apps.core.admin.moves import MoveForm, MovesMixin, Verb
from apps.core.transitions import Move
from apps.rewards.admin.base import VisibleMixin, money, stack
from apps.rewards.choices import BY_HAND, GRANT_COLOURS
from apps.rewards.models import Grant
from apps.rewards.selectors import level_label
from apps.rewards.services import grants
from apps.rewards.services.export import grants_csv
from apps.rewards.transitions import GRANT


class SettleForm(MoveForm):
    """What it cost and what proves it."""

    actual_cost = forms.DecimalField(
        label=_("real cost (CNY)"), min_value=Decimal(0), max_digits=10, decimal_places=2
    )
    proof = forms.CharField(
        label=_("proof"),
        max_length=300,
        required=False,
        help_text=_("The number of the transfer or refund on the platform."),
    )
    proof_file = forms.FileField(
        label=_("picture of the proof"), required=False, help_text=_("Picture or PDF, e.g. of the refund.")
    )

    def clean(self) -> dict[str, Any]:
        """One of both proves it."""
        values = super().clean() or {}
        if not (values.get("proof") or values.get("proof_file") or self.errors):
            self.add_error("proof", _("What proves the payment? A number or a picture."))
        return values

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(self.records) == 1:
            self.fields["actual_cost"].initial = self.records[0].cost  # type: ignore[attr-defined]


def by_hand(request: HttpRequest, obj: Grant) -> bool:
    """Whether a person pays it."""
    return obj.reward in BY_HAND


@admin.register(Grant)
class GrantAdmin(VisibleMixin, MovesMixin, ReadOnlyAdmin):
    """The ledger of what customers got."""

    moves_table = GRANT
    moves = {
        "settle": Verb(grants.settle, "grant", reason=None, form=SettleForm, show=by_hand, icon="payments"),
        "reverse": Verb(grants.reverse, "grant", icon="undo"),
    }
    moves_in_rows = False
    list_display = (
        "show_number",
        "at",
        "show_what",
        "show_customer",
        "show_cost",
        "budget",
        "show_status",
        "by",
    )
    list_display_links = ("show_number",)
    list_filter = (
        "status", "kind", "reward", ("budget", RelatedDropdownFilter), ("at", RangeDateTimeFilter),
    )  # fmt: skip
    list_filter_sheet = True
    list_select_related = ("customer", "budget", "by")
    list_before_template = "admin/rewards/grants_before.html"
    change_form_outer_before_template = "admin/core/moves.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "show_number",
                    "show_what",
                    "show_status",
                    "show_customer",
                    "kind",
                    "subject_key",
                    "note",
                )
            },
        ),
        (
            _("Money"),
            {
                "fields": (
                    "budget",
                    "show_cost",
                    "show_owed",
                    "show_actual",
                    "proof",
                    "show_proof_file",
                    "show_entries",
                )
            },
        ),
        (_("Who"), {"fields": ("by", "show_level", "show_approvers", "at", "settled_at", "reversed_at")}),
    )
    readonly_fields = (
        "show_number", "show_what", "show_status", "show_customer", "show_cost", "show_owed", "show_actual",
        "show_entries", "show_level", "show_approvers", "show_proof_file",
    )  # fmt: skip
    empty_text = _(
        "Nothing was given yet. Compensation from a case and rewards of campaigns stand here, each with its budget and who agreed."
    )

    def get_urls(self) -> list[Any]:
        """The file."""
        return [
            path("export/", self.admin_site.admin_view(self.export_view), name="rewards_grant_export"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Shows the export button to those who may; it keeps the filters that are on."""
        context = dict(extra_context or {})
        if request.user.has_perm("rewards.export_grant"):
            context["export_url"] = reverse("admin:rewards_grant_export")
        return super().changelist_view(request, context)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """POST: what the filters of the list show, as CSV."""
        if request.method != "POST" or not request.user.has_perm("rewards.export_grant"):
            raise PermissionDenied
        rows = self.get_changelist_instance(request).get_queryset(request)
        text = grants_csv(rows=rows, by=request.user, now=timezone.now())
        response = HttpResponse(text, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="grants.csv"'
        response["Cache-Control"] = "no-store, private"
        return response

    def move_note(self, request: HttpRequest, obj: Grant, move: Move) -> str:
        """How much was agreed to."""
        return f"{obj.what} · {money(obj.cost)}"

    @display(description=_("number"), ordering="id")
    def show_number(self, obj: Grant) -> str:
        """G000017"""
        return f"G{obj.pk:06d}"

    @display(description=pgettext_lazy("grant", "what"))
    def show_what(self, obj: Grant) -> Any:
        """The reward; its coupon or parcel where the page is open."""
        return obj.what

    @display(description=_("cost (CNY)"), ordering="cost")
    def show_cost(self, obj: Grant) -> str:
        """In yuan."""
        return money(obj.cost)

    @display(description=_("of it owed by law (CNY)"))
    def show_owed(self, obj: Grant) -> str:
        """In yuan."""
        return money(obj.owed)

    @display(description=_("real cost (CNY)"))
    def show_actual(self, obj: Grant) -> str:
        """In yuan."""
        return money(obj.actual_cost)

    @display(description=_("state"), ordering="status", label=GRANT_COLOURS)
    def show_status(self, obj: Grant) -> Any:
        """As a coloured word."""
        return badge(obj.status, obj.get_status_display())

    @display(description=_("level"))
    def show_level(self, obj: Grant) -> str:
        """Which level decided."""
        return level_label(obj.level) if obj.level else "–"

    @display(description=_("agreed to by"))
    def show_approvers(self, obj: Grant) -> str:
        """Their names."""
        return "、".join(str(person) for person in obj.approvers.all()) or "–"

    @display(description=_("picture of the proof"))
    def show_proof_file(self, obj: Grant) -> Any:
        """To open."""
        if obj.proof_file is None:
            return "–"
        return link(reverse("admin:core_storedfile_open", args=[obj.proof_file_id]), obj.proof_file.name)

    @display(description=_("in the ledger"))
    def show_entries(self, obj: Grant) -> Any:
        """Every movement of its budget."""
        lines = [
            f"{timezone.localtime(entry.at):%Y-%m-%d %H:%M} · {entry.get_kind_display()} · {entry.amount:+,.2f}"
            for entry in obj.entries.order_by("id")
        ]
        coupon = getattr(obj, "coupon", None)
        if coupon is not None:
            lines.append(link(reverse("admin:rewards_coupon_change", args=[coupon.pk]), coupon.masked_code))
        return stack(*lines) if lines else "–"
