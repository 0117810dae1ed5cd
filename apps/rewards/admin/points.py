"""Points accounts and their ledger."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin
from apps.core.admin.moves import MoveForm, MovesMixin, Verb
from apps.core.models import ActionLog
from apps.core.transitions import Move
from apps.customers.models import Customer
from apps.customers.selectors import find_customers
from apps.rewards.admin.base import VisibleMixin, stack
from apps.rewards.models import PointsAccount, PointsEntry
from apps.rewards.selectors import policy
from apps.rewards.services import points
from apps.rewards.transitions import ACCOUNT


class AdjustForm(MoveForm):
    """By how many."""

    points = forms.IntegerField(
        label=_("points"),
        min_value=-points.MOST,
        max_value=points.MOST,
        help_text=_("With a minus points are taken, those first that expire first."),
    )


class EntryInline(TabularInline):
    """The newest movements."""

    model = PointsEntry
    extra = 0
    max_num = 0
    can_delete = False
    fields = ("at", "kind", "amount", "reason", "by")
    readonly_fields = fields
    hide_title = True
    per_page = 25

    def get_queryset(self, request: HttpRequest) -> Any:
        """With their people."""
        return super().get_queryset(request).select_related("by", "account", "lot")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As the account."""
        return request.user.has_perm("rewards.view_pointsaccount")


@admin.register(PointsAccount)
class PointsAccountAdmin(VisibleMixin, MovesMixin, ReadOnlyAdmin):
    """Who has how many, and when they expire."""

    moves_table = ACCOUNT
    moves = {"adjust": Verb(points.adjust, "account", form=AdjustForm, icon="exposure")}
    list_display = ("show_customer", "show_balance", "updated_at")
    list_display_links = ("show_balance",)
    list_select_related = ("customer",)
    search_fields = ("customer__external_id",)
    search_help_text = _("Customer number, whole phone or e-mail, nickname")
    change_form_outer_before_template = "admin/core/moves.html"
    fields = ("show_customer", "show_balance", "show_lots")
    readonly_fields = ("show_customer", "show_balance", "show_lots")
    inlines = (EntryInline,)
    empty_text = _("Nobody has points yet. An account opens with the first points somebody gets.")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """As customers are found."""
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(customer__in=find_customers(Customer.objects.all(), term)), False

    def move_note(self, request: HttpRequest, obj: PointsAccount, move: Move) -> str:
        """Up to how many alone."""
        return gettext("Up to %(points)d points at a time you may adjust alone.") % {
            "points": policy().points_alone
        }

    def move_view(self, request: HttpRequest, object_id: int, verb: str) -> HttpResponse:
        """Says it where a second person was asked."""
        before = ActionLog.objects.filter(model="rewards.pointsaccount", object_id=object_id).count()
        response = super().move_view(request, object_id, verb)
        if request.method == "POST" and response.status_code == 302:
            after = ActionLog.objects.filter(model="rewards.pointsaccount", object_id=object_id).count()
            if after == before:
                # In place of “done”: nothing is done yet.
                list(messages.get_messages(request))
                messages.info(request, gettext("A second person decides about so many points."))
        return response

    @display(description=_("points"), ordering="balance")
    def show_balance(self, obj: PointsAccount) -> str:
        """With thousands apart."""
        return f"{obj.balance:,}"

    @display(description=_("expire"))
    def show_lots(self, obj: PointsAccount) -> Any:
        """Lot by lot, soonest first."""
        lots = [
            gettext("%(points)d until %(day)s") % {"points": lot.left, "day": f"{lot.expires_at:%Y-%m-%d}"}
            for lot in obj.lots.filter(left__gt=0)[:20]
        ]
        return stack(*lots) if lots else "–"
