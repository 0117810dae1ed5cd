"""Hours, weeks and shifts as text."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import get_default_renderer
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from apps.core.admin.forms import LinesField, PageForm
from apps.shop.choices import DayKind
from apps.shop.models import CalendarDay, Product, StaffProfile, Store, Team, WorkCalendar
from apps.shop.services import hours


class WindowsField(forms.CharField):
    """A JSON list of windows typed as "09:00-12:00, 13:30-18:00"."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault(
            "widget", UnfoldAdminTextInputWidget(attrs={"placeholder": "09:00-12:00, 13:30-18:00"})
        )
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """Windows → text."""
        return hours.show_windows(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[list[str]]:
        """Text → windows."""
        try:
            return hours.parse_windows(str(value or ""))
        except hours.HoursError as error:
            raise ValidationError(str(error), code="hours") from error


class WeekWidget(forms.MultiWidget):
    """Seven labelled boxes, Monday first."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        boxes = [UnfoldAdminTextInputWidget(attrs={"placeholder": "09:00-18:00"}) for _day in range(7)]
        super().__init__(boxes, attrs)

    def decompress(self, value: Any) -> list[str]:
        """The stored week as seven texts; a closed day is an empty box."""
        week = list(value or [])
        week += [[]] * (7 - len(week))
        return [hours.show_windows(day) for day in week[:7]]

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        """Seven texts as typed."""
        return [data.get(f"{name}_{day}", "") for day in range(7)]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Adds each box's weekday, its label. After an error the typed texts come back as they were."""
        typed = isinstance(value, list) and len(value) == 7 and all(isinstance(part, str) for part in value)
        context = super().get_context(name, value if typed else self.decompress(value), attrs)
        for day, box in enumerate(context["widget"]["subwidgets"]):
            box["day"] = hours.day_name(day)
        return context

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        """From the project's templates, where form renderers do not look; boxes by their own renderer."""
        renderer = renderer or get_default_renderer()
        context = self.get_context(name, value, attrs)
        for widget, box in zip(self.widgets, context["widget"]["subwidgets"], strict=True):
            box["html"] = widget._render(box["template_name"], {"widget": box}, renderer)
        return render_to_string("admin/shop/week.html", context)


class WeekField(forms.Field):
    """The seven lists of windows of a working calendar. Errors name their day."""

    widget = WeekWidget

    def clean(self, value: Any) -> list[list[list[str]]]:
        """Texts → week."""
        week: list[list[list[str]]] = []
        errors = []
        for day, text in enumerate(value or [""] * 7):
            try:
                week.append(hours.parse_windows(text))
            except hours.HoursError as error:
                errors.append(
                    ValidationError(
                        _("%(day)s: %(why)s"),
                        code="hours",
                        params={"day": hours.day_name(day), "why": str(error)},
                    )
                )
        if errors:
            raise ValidationError(errors)
        try:
            hours.check_week(week)
        except hours.HoursError as error:
            raise ValidationError(str(error), code="week") from error
        return week

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compared as windows."""
        try:
            return self.clean(data) != list(initial or [])
        except ValidationError:
            return True


class ShiftField(forms.CharField):
    """The stored shift typed as "Mon-Fri 09:00-18:00; Sat 13:00-21:30"."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        kwargs.setdefault("widget", UnfoldAdminTextareaWidget(attrs={"rows": 3}))
        kwargs.setdefault(
            "help_text",
            _(
                "Such as “Mon-Fri 09:00-18:00; Sat 13:00-21:30” or “周一至周五 09:00-18:00”. "
                "Empty: always on shift."
            ),
        )
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        """Entries → text."""
        return hours.show_shift(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[dict[str, Any]]:
        """Text → entries."""
        try:
            return hours.parse_shift(str(value or ""))
        except hours.HoursError as error:
            raise ValidationError(str(error), code="shift") from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compared as entries."""
        try:
            return self.clean(data) != list(initial or [])
        except ValidationError:
            return True


class StoreForm(forms.ModelForm):
    """Other names one per line."""

    aliases = LinesField(
        label=_("other names"), help_text=_("Names under which exports mention this store, one per line.")
    )

    class Meta:
        model = Store
        fields = "__all__"


class TeamForm(forms.ModelForm):
    """Skills one per line."""

    skills = LinesField(
        label=_("skills"), help_text=_("Category codes this team takes, one per line; empty: every category.")
    )

    class Meta:
        model = Team
        fields = "__all__"


class ProductForm(forms.ModelForm):
    """Customers' names for it one per line."""

    keywords = LinesField(label=_("names customers use"))

    class Meta:
        model = Product
        fields = "__all__"


class StaffProfileForm(forms.ModelForm):
    """The shift as text."""

    shift = ShiftField(label=_("shift"))

    class Meta:
        model = StaffProfile
        fields = "__all__"


class WorkCalendarForm(forms.ModelForm):
    """The week as seven boxes, the zone from the list of those that exist."""

    weekly = WeekField(
        label=_("weekly windows"),
        help_text=_(
            "Such as “09:00-12:00, 13:30-18:00”; empty: closed; “24h”: all day. "
            "An end before the start lies on the next day."
        ),
        required=False,
    )

    class Meta:
        model = WorkCalendar
        fields = "__all__"

    def _post_clean(self) -> None:
        """What the week's own boxes complain of is said once, not again by the model."""
        before = list(self.errors.get("weekly", ()))
        super()._post_clean()
        if before:
            self._errors["weekly"] = self.error_class(before)

    def clean_zone(self) -> str:
        """An IANA name."""
        zone = self.cleaned_data["zone"].strip()
        if zone not in available_timezones():
            raise ValidationError(
                _("“%(zone)s” is no time zone; example: Asia/Shanghai"), params={"zone": zone}
            )
        return zone

    def clean_standard_day_minutes(self) -> int:
        """Between a quarter of an hour and a whole day."""
        minutes = self.cleaned_data["standard_day_minutes"]
        if not 15 <= minutes <= 1440:
            raise ValidationError(_("A workday has between 15 and 1440 minutes."))
        return minutes


class CalendarDayForm(forms.ModelForm):
    """Special hours as text, asked for only where they mean something."""

    windows = WindowsField(label=_("hours"), help_text=_("Only for special hours, such as “10:00-16:00”."))

    class Meta:
        model = CalendarDay
        fields = ("calendar", "date", "kind", "windows", "note")

    def clean(self) -> dict[str, Any]:
        """Special hours need hours; other days have none."""
        data = super().clean() or {}
        if "windows" not in data:
            return data
        if data.get("kind") == DayKind.SPECIAL and not data["windows"]:
            self.add_error("windows", _("Special hours need hours, such as “10:00-16:00”."))
        elif data.get("kind") != DayKind.SPECIAL and data["windows"]:
            self.add_error(
                "windows", _("Only special hours have hours here; choose that kind or leave this empty.")
            )
        return data


class LoadHolidaysForm(PageForm):
    """Which year."""

    year = forms.IntegerField(label=_("Year"), min_value=2004, max_value=2100)
