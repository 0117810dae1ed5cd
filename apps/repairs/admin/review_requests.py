"""Review requests after delivery [邀请评价] (R68)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin
from apps.core.admin.display import LABELS, badge
from apps.core.admin.moves import MovesMixin, Verb
from apps.core.wording import move_tables
from apps.messaging.models import MessageTemplate
from apps.repairs.choices import RequestChannel
from apps.repairs.models import ReviewRequestPlan
from apps.repairs.selectors.review_requests import figures
from apps.repairs.services import review_requests
from apps.repairs.transitions import REQUEST_PLAN

move_tables.register("repairs.reviewrequestplan", REQUEST_PLAN)


class PlanForm(forms.ModelForm):
    """Templates by their way."""

    class Meta:
        model = ReviewRequestPlan
        fields = ("name", "channel", "template", "days_after", "stores")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields.get("template")
        if field is not None:
            field.queryset = MessageTemplate.objects.filter(
                is_active=True, scene="other", message_class="marketing", channel__in=RequestChannel.values
            )
            field.label_from_instance = lambda row: f"{row.title} · {row.get_channel_display()}"


@admin.register(ReviewRequestPlan)
class ReviewRequestPlanAdmin(MovesMixin, HistoryModelAdmin):
    """Changed while off. No choice of customers: everybody is asked, in the same words."""

    form = PlanForm
    moves_table = REQUEST_PLAN
    moves = {
        "switch_on": Verb(review_requests.switch_on, "plan", reason=None, icon="play_arrow"),
        "switch_off": Verb(review_requests.switch_off, "plan", reason=None, icon="pause"),
    }
    moves_in_rows = False
    deletable = False
    list_display = ("name", "channel", "days_after", "show_stores", "show_status")
    list_before_template = "admin/repairs/requests_before.html"
    change_form_outer_before_template = "admin/core/moves.html"
    change_form_outer_after_template = "admin/repairs/requests_page.html"
    fieldsets = (
        (
            None,
            {
                "fields": ("name", ("channel", "template"), "days_after", "stores", "show_status"),
                "description": gettext_lazy(
                    "Only customers who agreed to surveys are written to; holds, opt-outs, hours and the frequency cap hold as everywhere."
                ),
            },
        ),
    )
    autocomplete_fields = ("stores",)
    readonly_fields = ("show_status",)
    empty_text = gettext_lazy(
        "No plan yet. Add one, choose when and by which template, then switch it on. Until then nobody is asked."
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """Stores in one more query."""
        return super().get_queryset(request).prefetch_related("stores")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What is on was checked as it stands."""
        return (obj is None or obj.status == "off") and super().has_change_permission(request, obj)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Buttons above, figures below."""
        obj = kwargs.get("obj")
        if obj is not None:
            context["moves"] = self.moves_for(request, obj)
            context |= {"plan": obj, "figures": figures(obj, now=timezone.now())}
        return super().render_change_form(request, context, *args, **kwargs)

    @display(description=gettext_lazy("stores"))
    def show_stores(self, obj: ReviewRequestPlan) -> Any:
        """Empty means every store."""
        return "、".join(store.name for store in obj.stores.all()) or gettext_lazy("every store")

    @display(description=gettext_lazy("state"), label=LABELS)
    def show_status(self, obj: ReviewRequestPlan) -> Any:
        """As a coloured word."""
        return badge("green" if obj.status == "on" else "grey", obj.get_status_display())
