"""Rules for repairs, remedies and appeal rules."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.core.admin.base import HistoryModelAdmin
from apps.repairs.models import AppealRule, RemedyType, RepairPolicy
from apps.repairs.selectors.reference import STAMP


@admin.register(RepairPolicy)
class RepairPolicyAdmin(HistoryModelAdmin):
    """One row: the list leads to it."""

    reference_stamps = (STAMP,)
    fieldsets = (
        (_("When a repair opens"), {"fields": ("opens_by_itself", "stars_up_to", "without_stars")}),
        (_("Contact and talks"), {"fields": ("tries", "try_days", "renegotiations")}),
        (_("Callback"), {"fields": ("callback_hours", "other_caller_share")}),
        (_("Invitation"), {"fields": ("invite_from", "invite_until")}),
        (_("Outcome"), {"fields": ("reply_hours", "better_from")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one."""
        return False


@admin.register(RemedyType)
class RemedyTypeAdmin(HistoryModelAdmin):
    """What may be done for customers."""

    reference_stamps = (STAMP,)
    list_display = ("__str__", "is_goodwill", "department", "due_days", "legal_days", "is_active")
    list_filter = ("kind", "is_goodwill", "is_active")
    list_select_related = ("department",)
    filter_horizontal = ("categories",)
    fieldsets = (
        (None, {"fields": ("code", "kind", "name_zh", "name_en", "position", "is_active")}),
        (_("For which cases"), {"fields": ("categories", "is_goodwill", "costs_money")}),
        (
            _("How it is carried out"),
            {"fields": ("department", "by_store", "needs_tracking", "needs_proof", "due_days")},
        ),
        (_("Law"), {"fields": ("legal_days", "law")}),
    )
    empty_text = _("No remedies yet. Reference data brings them: load_reference.")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A code that records carry stays."""
        return ("code",) if obj is not None else ()


@admin.register(AppealRule)
class AppealRuleAdmin(HistoryModelAdmin):
    """What platforms ask of appeals."""

    reference_stamps = (STAMP,)
    list_display = ("channel", "window_days", "answer_days", "second_days", "is_confirmed")
    list_filter = ("is_confirmed",)
    list_select_related = ("channel",)
    fields = ("channel", "window_days", "answer_days", "second_days", "url", "note", "is_confirmed")
    empty_text = _("No platform's rules yet.")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Addresses without a scheme are meant as https."""
        if db_field.name == "url":
            kwargs["assume_scheme"] = "https"
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The channel stays."""
        return ("channel",) if obj is not None else ()
