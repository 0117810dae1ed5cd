"""Working calendars and their days (R19)."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin, ShopModelAdmin
from apps.core.admin.display import badge
from apps.core.numbers import whole_number
from apps.shop.admin.forms import CalendarDayForm, LoadHolidaysForm, WorkCalendarForm
from apps.shop.admin.organisation import IN_MEMORY
from apps.shop.choices import DayKind
from apps.shop.models import CalendarDay, WorkCalendar
from apps.shop.selectors import missing_holiday_years
from apps.shop.services import hours
from apps.shop.services.reference_data import load_public_holidays


class HolidayBanner:
    """Says above the list when a year's public holidays are missing: clocks then take them for workdays."""

    list_before_template = "admin/shop/holiday_banner.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One query more."""
        context = {
            "missing_years": missing_holiday_years(timezone.localdate()),
            "may_load": request.user.has_perm("shop.add_calendarday"),
        }
        return super().changelist_view(request, context | (extra_context or {}))  # type: ignore[misc]


@admin.register(WorkCalendar)
class WorkCalendarAdmin(HolidayBanner, HistoryModelAdmin):
    """The week as seven lines of text."""

    form = WorkCalendarForm
    reference_stamps = IN_MEMORY
    list_display = ("name", "code", "show_week", "observe_holidays", "observe_makeup", "show_day")
    search_fields = ("code__istartswith", "name__icontains")
    fieldsets = (
        (None, {"fields": ("name", "code", "zone")}),
        (gettext_lazy("Week"), {"fields": ("weekly",)}),
        (gettext_lazy("Holidays"), {"fields": ("observe_holidays", "observe_makeup")}),
        (gettext_lazy("Length of a workday"), {"fields": ("standard_day_minutes",)}),
    )

    @display(description=gettext_lazy("week"))
    def show_week(self, obj: WorkCalendar) -> str:
        """Equal days together."""
        groups: dict[str, list[int]] = {}
        for day, windows in enumerate(obj.weekly):
            groups.setdefault(hours.show_windows(windows) or _("closed"), []).append(day)
        return "; ".join(f"{hours.show_days(days)} {text}" for text, days in groups.items())

    @display(description=gettext_lazy("one workday"), ordering="standard_day_minutes")
    def show_day(self, obj: WorkCalendar) -> str:
        """In hours."""
        return _("%(hours)g h") % {"hours": obj.standard_day_minutes / 60}


@admin.register(CalendarDay)
class CalendarDayAdmin(HolidayBanner, ShopModelAdmin):
    """Dates that differ. What staff change here is never overwritten by loading holidays."""

    form = CalendarDayForm
    reference_stamps = IN_MEMORY
    list_display = ("date", "show_kind", "show_calendar", "show_windows", "note", "source", "edited")
    list_filter = ("kind", ("date", RangeDateFilter))
    date_hierarchy = None
    list_select_related = ("calendar",)
    ordering = ("-date",)

    def get_urls(self) -> list[Any]:
        """Loading a year."""
        return [
            path("load/", self.admin_site.admin_view(self.load_view), name="shop_calendarday_load"),
            *super().get_urls(),
        ]

    def save_model(self, request: HttpRequest, obj: CalendarDay, form: Any, change: bool) -> None:
        """Marks the day as a person's work."""
        obj.edited = True
        super().save_model(request, obj, form, change)

    def load_view(self, request: HttpRequest) -> HttpResponse:
        """GET asks for the year, POST loads its public holidays; days already there are left alone."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        missing = missing_holiday_years(timezone.localdate())
        asked = whole_number(request.GET.get("year", ""))
        first = asked if asked is not None else (missing or [timezone.localdate().year])[0]
        form = LoadHolidaysForm(request.POST if request.method == "POST" else None, initial={"year": first})
        back = reverse("admin:shop_calendarday_changelist")
        if request.method == "POST" and form.is_valid():
            year = form.cleaned_data["year"]
            added, unknown = load_public_holidays([year])
            if added:
                self.touch_reference()
            if unknown:
                messages.warning(
                    request,
                    _(
                        "The notice for %(year)d is not out yet, or not in this release: "
                        "enter its days by hand."
                    )
                    % {"year": year},
                )
            messages.success(request, _("%(year)d: %(count)d days added.") % {"year": year, "count": added})
            return HttpResponseRedirect(back)
        return self.page(
            request,
            "admin/core/confirm.html",
            _("Load public holidays"),
            form=form,
            text=_(
                "Adds the state's holidays and make-up workdays of a year. "
                "Days that are there already stay as they are."
            ),
            submit=_("Load"),
            back=back,
        )

    @display(
        description=gettext_lazy("kind"),
        ordering="kind",
        label={
            DayKind.HOLIDAY: "success",
            DayKind.MAKEUP: "warning",
            DayKind.CLOSED: "default",
            DayKind.SPECIAL: "info",
        },
    )
    def show_kind(self, obj: CalendarDay) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(obj.kind, obj.get_kind_display())

    @display(description=gettext_lazy("calendar"))
    def show_calendar(self, obj: CalendarDay) -> Any:
        """Empty means all that observe holidays."""
        return obj.calendar or _("all")

    @display(description=gettext_lazy("hours"))
    def show_windows(self, obj: CalendarDay) -> str:
        """As text."""
        return hours.show_windows(obj.windows)
