"""Stores, departments, teams, people."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin, ShopModelAdmin
from apps.core.admin.display import badge
from apps.core.admin.staffing import OpenWorkMixin, warn_of_open_work
from apps.shop.admin.forms import StaffProfileForm, StoreForm, TeamForm
from apps.shop.choices import StoreKind
from apps.shop.models import Department, Leave, StaffProfile, Store, Team, TeamMember
from apps.shop.services import hours

# Intake and dispatch keep stores, teams, calendars and absences in memory under this name.
IN_MEMORY = ("feedback",)


@admin.register(Store)
class StoreAdmin(HistoryModelAdmin):
    """Closed stores are switched off: their feedback and orders stay."""

    form = StoreForm
    reference_stamps = IN_MEMORY
    list_display = ("name", "code", "show_kind", "platform", "city", "manager", "is_active")
    list_filter = ("kind", "is_active")
    search_fields = ("code__istartswith", "name__icontains", "city__istartswith")
    list_select_related = ("manager",)
    autocomplete_fields = ("manager",)
    fieldsets = (
        (None, {"fields": ("name", "code", "kind", "platform", "is_active")}),
        (_("Place"), {"fields": ("city", "address", "phone", "manager")}),
        (_("In files"), {"fields": ("aliases",)}),
    )

    @display(
        description=_("kind"),
        ordering="kind",
        label={StoreKind.PHYSICAL: "primary", StoreKind.PLATFORM: "info"},
    )
    def show_kind(self, obj: Store) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(obj.kind, obj.get_kind_display())


@admin.register(Department)
class DepartmentAdmin(HistoryModelAdmin):
    """Who answers for a kind of problem."""

    reference_stamps = IN_MEMORY
    list_display = ("name", "code", "head", "is_active")
    list_filter = ("is_active",)
    search_fields = ("code__istartswith", "name__icontains")
    list_select_related = ("head",)
    autocomplete_fields = ("head",)
    fields = ("name", "name_en", "code", "head", "is_active")


class TeamMemberInline(TabularInline):
    """The people of a team."""

    model = TeamMember
    extra = 0
    autocomplete_fields = ("user",)
    fields = ("user", "role", "takes_work")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """Names with the rows."""
        return super().get_queryset(request).select_related("user", "team")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A table's boxes have no labels of their own: the column's name is given to screen readers."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None:
            widget = getattr(field.widget, "widget", field.widget)
            widget.attrs["aria-label"] = capfirst(db_field.verbose_name)
        return field


@admin.register(Team)
class TeamAdmin(HistoryModelAdmin):
    """Pools of work."""

    form = TeamForm
    reference_stamps = IN_MEMORY
    list_display = ("name", "code", "department", "show_stores", "show_members", "is_active")
    list_filter = (("department", RelatedDropdownFilter), "is_active")
    search_fields = ("code__istartswith", "name__icontains")
    list_select_related = ("department",)
    autocomplete_fields = ("stores",)
    fields = ("name", "code", "department", "stores", "skills", "is_active")
    inlines = (TeamMemberInline,)

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """With members counted in the same query and stores in one more."""
        return queryset.annotate(people=models.Count("members", distinct=True)).prefetch_related("stores")

    @display(description=_("stores"))
    def show_stores(self, obj: Team) -> Any:
        """Empty means every store."""
        names = [str(store) for store in obj.stores.all()]
        if not names:
            return _("every store")
        return ", ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")

    @display(description=_("people"), ordering="people")
    def show_members(self, obj: Any) -> int:
        """How many."""
        return obj.people


@admin.register(StaffProfile)
class StaffProfileAdmin(OpenWorkMixin, HistoryModelAdmin):
    """What work may come to a person."""

    person_field = "user"

    form = StaffProfileForm
    reference_stamps = IN_MEMORY
    list_display = ("user", "department", "show_stores", "capacity", "show_shift")
    list_filter = (("department", RelatedDropdownFilter),)
    search_fields = ("user__username__istartswith", "user__name__istartswith")
    list_select_related = ("user", "department")
    autocomplete_fields = ("user", "stores")
    fields = ("user", "department", "stores", "capacity", "shift", "wants_digest")

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Stores in one further query for the page."""
        return queryset.prefetch_related("stores")

    @display(description=_("stores"))
    def show_stores(self, obj: StaffProfile) -> Any:
        """Empty means by role."""
        names = [str(store) for store in obj.stores.all()]
        if not names:
            return _("by role")
        return ", ".join(names[:3]) + (f" +{len(names) - 3}" if len(names) > 3 else "")

    @display(description=_("shift"))
    def show_shift(self, obj: StaffProfile) -> Any:
        """As text."""
        return hours.show_shift(obj.shift) or _("always")


class LeaveNowFilter(admin.SimpleListFilter):
    """Who is away today, who will be."""

    title = _("when")
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Three stretches."""
        return [("now", _("today")), ("coming", _("coming")), ("past", _("past"))]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """By today's date in the shop's zone."""
        today = timezone.localdate()
        if self.value() == "now":
            return queryset.filter(first_day__lte=today, last_day__gte=today)
        if self.value() == "coming":
            return queryset.filter(first_day__gt=today)
        if self.value() == "past":
            return queryset.filter(last_day__lt=today)
        return queryset


@admin.register(Leave)
class LeaveAdmin(OpenWorkMixin, ShopModelAdmin):
    """Days away; what round robin would give to whoever is on leave goes to their stand-in."""

    reference_stamps = IN_MEMORY
    list_display = ("user", "first_day", "last_day", "stand_in", "note")
    list_filter = (LeaveNowFilter,)
    search_fields = ("user__username__istartswith", "user__name__istartswith")
    list_select_related = ("user", "stand_in")
    autocomplete_fields = ("user", "stand_in")
    fields = ("user", "first_day", "last_day", "stand_in", "note")
    person_field = "user"

    def save_model(self, request: HttpRequest, obj: Leave, form: Any, change: bool) -> None:
        """A leave that runs today leaves open work without anybody."""
        super().save_model(request, obj, form, change)
        if obj.first_day <= timezone.localdate() <= obj.last_day:
            warn_of_open_work(request, obj.user)

    def get_form(
        self, request: HttpRequest, obj: Leave | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Says what a stand-in takes on."""
        kwargs["help_texts"] = {
            "stand_in": _(
                "Gets this person's share of new feedback on these days, within their own shift and capacity, "
                "also from another team. Empty: the rest of the team shares it."
            )
        }
        return super().get_form(request, obj, change, **kwargs)
