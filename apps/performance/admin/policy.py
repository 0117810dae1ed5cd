"""Rules for samples and trainings, and the checklist."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.core.admin.base import HistoryModelAdmin
from apps.performance.models import PerformancePolicy, QualityCriterion


@admin.register(PerformancePolicy)
class PerformancePolicyAdmin(HistoryModelAdmin):
    """One row: the list leads to it."""

    fieldsets = (
        (_("Quality sample"), {"fields": ("sample_count", "sample_percent", "pass_percent")}),
        (_("Trainings proposed"), {"fields": ("complaints", "complaint_days", "failed_cases")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one."""
        return False


@admin.register(QualityCriterion)
class QualityCriterionAdmin(HistoryModelAdmin):
    """The checklist. Lines no longer wanted are switched off."""

    list_display = ("__str__", "code", "hint", "position", "is_active")
    list_filter = ("is_active",)
    search_fields = ("name_zh__icontains", "name_en__icontains", "code__istartswith")
    fields = ("name_zh", "name_en", "code", "hint", "position", "is_active")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Reviews name a criterion by its code: it stays."""
        return ("code",) if obj is not None else ()
