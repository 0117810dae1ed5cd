"""Figures from outside [外部指标]: by day, by file, side by side for one store (R70)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from apps.core.admin.base import HistoryModelAdmin, ReadOnlyAdmin
from apps.core.admin.forms import PageForm
from apps.core.exceptions import DomainError
from apps.core.numbers import whole_number
from apps.repairs.models import ExternalIndicator, IndicatorUpload, IndicatorValue
from apps.repairs.selectors.indicators import board, grid, shown
from apps.repairs.services import indicators
from apps.shop.models import Store


@admin.register(ExternalIndicator)
class ExternalIndicatorAdmin(HistoryModelAdmin):
    """What is entered. No longer wanted ones are switched off."""

    list_display = ("__str__", "code", "unit", "better", "platform", "position", "is_active")
    list_filter = ("is_active", "unit")
    search_fields = ("name_zh__icontains", "name_en__icontains", "code__istartswith")
    fields = (
        ("name_zh", "name_en"), "code", ("unit", "better"), ("least", "highest"), "platform", "position", "is_active"
    )  # fmt: skip
    empty_text = gettext_lazy("Add the figures your platforms show: search rank, visitors, DSR …")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Actions and files name it by its code: it stays."""
        return ("code",) if obj is not None else ()


def _typed(indicator: ExternalIndicator, value: Any) -> str:
    """As it would be typed: small percentages with their sign, so that they are not taken for shares."""
    text = f"{value.normalize():f}"
    return f"{text}%" if indicator.unit == "percent" and 0 < value <= 1 else text


class DayForm(PageForm):
    """All figures of one store and day in one grid."""

    def __init__(self, *args: Any, rows: list[tuple[ExternalIndicator, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows = rows
        for indicator, value in rows:
            field = forms.CharField(
                label=f"{indicator} ({indicator.get_unit_display()})",
                required=False,
                max_length=20,
                initial="" if value is None else _typed(indicator, value),
                widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "fc-input"}),
            )
            self.fields[f"i{indicator.pk}"] = field

    def clean(self) -> dict[str, Any]:
        """Numbers, each checked beside its box."""
        values = super().clean() or {}
        for indicator, _value in self.rows:
            name = f"i{indicator.pk}"
            text = (values.get(name) or "").strip()
            if not text:
                values[name] = None
                continue
            try:
                values[name] = indicators.value_of(indicator, text)
            except DomainError as error:
                self.add_error(name, str(error.message))
        return values


class UploadForm(PageForm):
    """One file."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy(
            "CSV or XLSX with the columns 日期, 门店, 指标, 数值. The same file twice changes nothing."
        ),
    )


@admin.register(IndicatorValue)
class IndicatorValueAdmin(ReadOnlyAdmin):
    """The list behind the pictures; values come by the grid or by file."""

    list_display = ("day", "store", "indicator", "show_value", "source", "by", "updated_at")
    list_display_links = None
    list_filter = (("store", RelatedDropdownFilter), ("indicator", RelatedDropdownFilter))
    list_select_related = ("store", "indicator", "by")
    ordering = ("-day", "-id")
    list_before_template = "admin/repairs/values_before.html"
    empty_text = gettext_lazy("No figures yet. Enter a day, or bring a file: the template shows the columns.")

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Those of the person's stores."""
        return queryset.visible_to(request.user)  # type: ignore[attr-defined]

    def get_urls(self) -> list[Any]:
        """Pictures, grid, files."""
        wrap = self.admin_site.admin_view
        return [
            path("board/", wrap(self.board_view), name="repairs_indicatorvalue_board"),
            path("enter/", wrap(self.enter_view), name="repairs_indicatorvalue_enter"),
            path("upload/", wrap(self.upload_view), name="repairs_indicatorvalue_upload"),
            path("template/", wrap(self.template_view), name="repairs_indicatorvalue_template"),
            *super().get_urls(),
        ]

    def _store(self, request: HttpRequest, permission: str) -> tuple[list[Store], Store | None]:
        """The stores a person may choose among, and the chosen one; the first where none is named."""
        if not request.user.has_perm(permission):
            raise PermissionDenied
        stores = indicators.stores_of(request.user)  # type: ignore[arg-type]
        wanted = whole_number(request.GET.get("store") or "")
        if wanted is None:
            return stores, stores[0] if stores else None
        chosen = next((store for store in stores if store.pk == wanted), None)
        if chosen is None:
            raise Http404
        return stores, chosen

    def board_view(self, request: HttpRequest) -> HttpResponse:
        """GET: one store's figures of 30 days, ours first."""
        stores, store = self._store(request, "repairs.view_indicatorvalue")
        return self.page(
            request,
            "admin/repairs/board.html",
            _("Figures from outside"),
            stores=stores,
            store=store,
            panels=board(store, today=timezone.localdate()) if store else [],
            may_enter=request.user.has_perm(indicators.ENTER),
        )

    def enter_view(self, request: HttpRequest) -> HttpResponse:
        """GET: the grid of a store and day. POST: keep it."""
        stores, store = self._store(request, indicators.ENTER)
        today = timezone.localdate()
        # The day the page showed is the day that is kept, also when midnight has passed since.
        wanted = request.POST.get("day") or request.GET.get("day")
        try:
            day = forms.DateField().clean(wanted or (today - timedelta(days=1)).isoformat())
        except forms.ValidationError:
            day = today - timedelta(days=1)
        rows = grid(store, day) if store else []
        form = DayForm(request.POST if request.method == "POST" else None, rows=rows)
        if request.method == "POST" and store is not None and form.is_valid():
            try:
                done = indicators.enter_day(
                    store=store,
                    day=day,
                    values={indicator: form.cleaned_data[f"i{indicator.pk}"] for indicator, _value in rows},
                    by=request.user,  # type: ignore[arg-type]
                    now=timezone.now(),
                )
            except DomainError as error:
                form.add_error(None, str(error.message))
            else:
                messages.success(
                    request,
                    _("%(new)d new, %(changed)d changed, %(same)d as before.")
                    % {"new": done.created, "changed": done.changed, "same": done.same},
                )
                return redirect(f"{reverse('admin:repairs_indicatorvalue_board')}?store={store.pk}")
        return self.page(
            request,
            "admin/repairs/enter.html",
            _("Enter a day"),
            stores=stores,
            store=store,
            day=day,
            today=today,
            form=form,
            back=reverse("admin:repairs_indicatorvalue_board"),
        )

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """GET: asks for the file. POST: takes it in and shows what became of it."""
        if not request.user.has_perm(indicators.ENTER):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                upload = indicators.import_file(
                    upload=form.cleaned_data["file"],
                    by=request.user,  # type: ignore[arg-type]
                    now=timezone.now(),
                )
            except DomainError as error:
                form.add_error("file" if error.params.get("field") == "file" else None, str(error.message))
            else:
                return redirect("admin:repairs_indicatorupload_change", upload.pk)
        return self.page(
            request,
            "admin/repairs/upload.html",
            _("Bring a file of figures"),
            form=form,
            recent=IndicatorUpload.objects.filter(by=request.user)[:5],
            back=reverse("admin:repairs_indicatorvalue_board"),
        )

    def template_view(self, request: HttpRequest) -> HttpResponse:
        """The empty file."""
        if not request.user.has_perm(indicators.ENTER):
            raise PermissionDenied
        text = indicators.template_csv(by=request.user, now=timezone.now())  # type: ignore[arg-type]
        return _csv(text, "figures.csv")

    @display(description=gettext_lazy("value"), ordering="value")
    def show_value(self, obj: IndicatorValue) -> str:
        """Without zeros at the end."""
        return shown(obj.value, obj.indicator.unit)


@admin.register(IndicatorUpload)
class IndicatorUploadAdmin(ReadOnlyAdmin):
    """What became of each file; refused rows to put right and bring again."""

    list_display = ("file_name", "at", "by", "read", "created", "changed", "same", "rejected")
    list_select_related = ("by",)
    fields = (("file_name", "at", "by"), ("read", "created", "changed", "same", "rejected"))
    change_form_outer_after_template = "admin/repairs/upload_report.html"
    empty_text = gettext_lazy("No file was brought yet.")

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """One's own; all for those who change indicators."""
        if request.user.has_perm("repairs.change_externalindicator"):
            return queryset
        return queryset.filter(by=request.user)

    def get_urls(self) -> list[Any]:
        """The refused rows."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:object_id>/rejects/", wrap(self.rejects_view), name="repairs_indicatorupload_rejects"),
            *super().get_urls(),
        ]

    def rejects_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """As CSV."""
        if not request.user.has_perm("repairs.view_indicatorupload"):
            raise PermissionDenied
        upload = self.get_queryset(request).filter(pk=object_id).first()
        if upload is None or not upload.rejects:
            raise Http404
        return _csv(upload.rejects, f"rejects-{upload.pk}.csv")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With the problems."""
        context["upload"] = kwargs.get("obj")
        return super().render_change_form(request, context, *args, **kwargs)


def _csv(text: str, name: str) -> HttpResponse:
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store, private"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
