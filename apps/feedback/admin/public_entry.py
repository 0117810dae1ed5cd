"""Public pages of stores: switch, address, QR code, sheet to print."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from unfold.decorators import display

from apps.core.admin.base import ShopModelAdmin, tell_error
from apps.core.admin.display import badge, link
from apps.core.admin.forms import PageForm
from apps.core.exceptions import DomainError
from apps.core.public import qr_svg
from apps.feedback.models import PublicEntry
from apps.feedback.services import public_entry as service


def address_of(entry: PublicEntry) -> str:
    """The page's whole address, as printed and as in the QR code."""
    return settings.SITE_URL + entry.path


class RenewForm(PageForm):
    """Why."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=300, min_length=2, widget=forms.Textarea(attrs={"rows": 2})
    )


@admin.register(PublicEntry)
class PublicEntryAdmin(ShopModelAdmin):
    """One page a store. Switched off rather than deleted, so that printed sheets can work again."""

    deletable = False
    list_display = ("show_store", "show_state", "show_address", "is_listed", "show_sheet")
    list_display_links = ("show_store",)
    list_filter = ("is_on", "is_listed")
    list_select_related = ("store",)
    search_fields = ("store__name__icontains", "store__code__istartswith", "=code")
    autocomplete_fields = ("store",)
    change_form_outer_before_template = "admin/feedback/publicentry/buttons.html"
    list_before_template = "admin/feedback/publicentry/about.html"
    empty_text = gettext_lazy(
        "First add a page for one store; its QR code and a sheet to print are made by themselves. Hang the sheet up at the counter, then scan it once yourself."
    )
    fieldsets = (
        (None, {"fields": ("store", "is_on", "is_listed", "welcome")}),
        (gettext_lazy("Address"), {"fields": ("show_address", "show_qr")}),
    )
    add_fieldsets = fieldsets[:1]
    readonly_fields = ("show_address", "show_qr")

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Stores see theirs."""
        return queryset.visible_to(request.user)

    def get_fieldsets(self, request: HttpRequest, obj: PublicEntry | None = None) -> Any:
        """The address comes with the page."""
        return self.fieldsets if obj is not None else self.add_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: PublicEntry | None = None) -> tuple[str, ...]:
        """A page stays with its store."""
        return (*self.readonly_fields, "store") if obj is not None else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: PublicEntry, form: Any, change: bool) -> None:
        """A new page gets its code."""
        if not obj.code:
            obj.code = service.free_code()
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[Any]:
        """Sheet and new address before the admin's own."""
        view = self.admin_site.admin_view
        return [
            path("<int:object_id>/sheet/", view(self.sheet_view), name="feedback_publicentry_sheet"),
            path("<int:object_id>/renew/", view(self.renew_view), name="feedback_publicentry_renew"),
            *super().get_urls(),
        ]

    def _entry(self, request: HttpRequest, object_id: int) -> PublicEntry:
        entry = self.get_queryset(request).select_related("store").filter(pk=object_id).first()
        if entry is None:
            raise Http404
        return entry

    def sheet_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """A sheet to print and hang up: shop, one question, QR code, short address."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        entry = self._entry(request, object_id)
        return self.page(
            request,
            "admin/feedback/publicentry/sheet.html",
            _("Sheet with QR code"),
            obj=entry,
            entry=entry,
            store=entry.store,
            qr=mark_safe(qr_svg(address_of(entry))),
            address=address_of(entry).split("://", 1)[-1],
            is_local=urlsplit(settings.SITE_URL).hostname in ("localhost", "127.0.0.1", "::1"),
            back=reverse("admin:feedback_publicentry_change", args=[entry.pk]),
        )

    def renew_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """GET asks, POST gives the page another address."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        entry = self._entry(request, object_id)
        back = reverse("admin:feedback_publicentry_change", args=[entry.pk])
        form = RenewForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                service.renew_code(
                    entry=entry,
                    reason=form.cleaned_data["reason"],
                    by=request.user,  # type: ignore[arg-type]
                    now=timezone.now(),
                )
            except DomainError as error:
                tell_error(request, error)
            else:
                messages.success(request, _("The page has a new address. Print and hang up new sheets."))
                return redirect(back)
        return self.page(
            request,
            "admin/core/confirm.html",
            _("New address"),
            obj=entry,
            form=form,
            text=_(
                "The page gets another code. Sheets and links with the old one lead nowhere from then on; "
                "they cannot be brought back."
            ),
            submit=_("Give a new address"),
            danger=True,
            back=back,
        )

    @display(description=gettext_lazy("store"), ordering="store__name")
    def show_store(self, obj: PublicEntry) -> str:
        """By name."""
        return str(obj.store)

    @display(
        description=gettext_lazy("state"), label={"on": "success", "off": "default", "closed": "warning"}
    )
    def show_state(self, obj: PublicEntry) -> tuple[str, Any]:
        """Open, off, or of a store that is closed."""
        if not obj.store.is_active:
            return badge("closed", _("store closed"))
        return (
            badge("on", pgettext("public page", "open"))
            if obj.is_on
            else badge("off", pgettext("public page", "off"))
        )

    @display(description=gettext_lazy("address"))
    def show_address(self, obj: PublicEntry) -> Any:
        """As a link to the page customers see."""
        return link(obj.path, address_of(obj))

    @display(description=gettext_lazy("QR code"))
    def show_qr(self, obj: PublicEntry) -> Any:
        """Small, to try it out with one's own telephone."""
        return mark_safe(
            f'<span class="pe-qr" role="img" aria-label="{_("QR code")}">{qr_svg(address_of(obj))}</span>'
        )

    @display(description=gettext_lazy("sheet"))
    def show_sheet(self, obj: PublicEntry) -> Any:
        """To print."""
        return link(reverse("admin:feedback_publicentry_sheet", args=[obj.pk]), _("print"))

    class Media:
        css = {"all": ("feedback/public_entry.css",)}
