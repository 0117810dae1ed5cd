"""Callback plans: who is called, when, by whom."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display

from apps.callbacks.admin.forms import PlanForm
from apps.callbacks.choices import Trigger
from apps.callbacks.models import CallbackPlan
from apps.callbacks.services.picking import switch_on
from apps.core.admin.base import HistoryModelAdmin


@admin.register(CallbackPlan)
class CallbackPlanAdmin(HistoryModelAdmin):
    """Plans are switched off, not deleted: callbacks name theirs."""

    form = PlanForm
    deletable = False
    list_display = ("__str__", "trigger", "show_when", "sample_percent", "purpose", "show_who", "is_active")
    list_filter = ("trigger", "is_active")
    list_select_related = ("team", "person")
    search_fields = ("code__istartswith", "name_zh__icontains", "name_en__icontains")
    list_before_template = "admin/callbacks/plans_before.html"
    autocomplete_fields = ("channels", "stores")
    fieldsets = (
        (None, {"fields": ("name_zh", "name_en", "code", "is_active", "trigger", "purpose")}),
        (
            gettext_lazy("After a case"),
            {"fields": ("hours_after", "tiers", "kinds", "channels", "not_by_handler")},
        ),
        (
            gettext_lazy("Regularly"),
            {"fields": ("every_days", "member_tiers", "ordered_within_days", "not_ordered_for_days")},
        ),
        (gettext_lazy("Whom"), {"fields": ("stores", "sample_percent", "needs_phone", "quiet_days")}),
        (gettext_lazy("Who calls"), {"fields": ("team", "person")}),
        (gettext_lazy("The call"), {"fields": ("template", "questions")}),
        (gettext_lazy("Attempts and hours"), {"fields": ("attempts", "min_hours", "opens", "closes")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: CallbackPlan | None = None) -> tuple[str, ...]:
        """Callbacks that were made name the plan by code and trigger: both stay."""
        return ("code", "trigger") if obj is not None else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """A plan that exists keeps its trigger, which the form's check needs all the same."""
        form = super().get_form(request, obj, change, **kwargs)
        if obj is None:
            return form
        trigger = obj.trigger

        class Known(form):  # type: ignore[misc, valid-type]
            def clean(self) -> dict[str, Any]:
                self.cleaned_data.setdefault("trigger", trigger)
                return super().clean()

        return Known

    def save_model(self, request: HttpRequest, obj: CallbackPlan, form: Any, change: bool) -> None:
        """Switching on starts from now."""
        was = bool(form.initial.get("is_active")) if change else False
        switch_on(plan=obj, was_active=was, now=timezone.now())
        super().save_model(request, obj, form, change)

    @display(description=gettext_lazy("when"))
    def show_when(self, obj: CallbackPlan) -> str:
        """Hours after the case, or the rhythm."""
        if obj.trigger == Trigger.AFTER_CASE:
            return ngettext("%(n)d hour later", "%(n)d hours later", obj.hours_after) % {"n": obj.hours_after}
        if obj.trigger == Trigger.PERIODIC:
            return ngettext("every %(n)d day", "every %(n)d days", obj.every_days) % {"n": obj.every_days}
        return _("when somebody plans it")

    @display(description=gettext_lazy("who calls"))
    def show_who(self, obj: CallbackPlan) -> str:
        """Team, person, or whoever takes it."""
        return str(obj.team or obj.person or _("whoever takes it"))
