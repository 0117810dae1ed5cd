"""The bell: a person's own notices."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin, safe_next
from apps.core.admin.display import badge
from apps.core.choices import NoticeLevel
from apps.core.models import StaffNotice
from apps.core.services.notices import mark_read

CHANGELIST = "admin:core_staffnotice_changelist"


@admin.register(StaffNotice)
class StaffNoticeAdmin(ReadOnlyAdmin):
    """Own notices only, unread first, for superusers too: a notice is a letter."""

    list_display = ("show_level", "show_title", "created_at")
    list_display_links = ("show_title",)
    list_filter = ("level",)
    list_before_template = "admin/core/notices_before.html"
    change_form_outer_before_template = "admin/core/notice_buttons.html"
    fields = ("show_level", "title", "body", "created_at", "read_at")
    readonly_fields = ("show_level",)

    def visible_to(self, request: HttpRequest, queryset: models.QuerySet) -> models.QuerySet:
        """Nobody reads anybody else's."""
        return queryset.filter(recipient_id=request.user.pk)

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """Unread first, newest first in each part."""
        unread_first = models.Case(models.When(read_at__isnull=True, then=0), default=1)
        return [unread_first.asc(), "-created_at", "-id"]

    def get_urls(self) -> list[Any]:
        """Reading changes something, so it is a POST."""
        wrap = self.admin_site.admin_view
        return [
            path("read/", wrap(self.read_all_view), name="core_staffnotice_read_all"),
            path("<int:object_id>/read/", wrap(self.read_view), name="core_staffnotice_read"),
            *super().get_urls(),
        ]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Adds the buttons, which need this request's address to come back to."""

        def buttons(obj: StaffNotice) -> str:
            return render_to_string("admin/core/notice_row.html", {"notice": obj})

        buttons.short_description = gettext_lazy("next")  # type: ignore[attr-defined]
        return [*super().get_list_display(request), buttons]

    def read_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Mark one as read; with `open` go on to what it is about."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        notice = self.get_object(request, str(object_id))
        if notice is None or not self.has_view_permission(request, notice):
            raise Http404
        mark_read(user_id=request.user.pk, now=timezone.now(), notice_id=notice.pk)
        # The address was written by the product, but a notice must never lead off this site.
        if "open" in request.GET and url_has_allowed_host_and_scheme(
            notice.url, allowed_hosts={request.get_host()}
        ):
            return HttpResponseRedirect(notice.url)
        return HttpResponseRedirect(safe_next(request, reverse(CHANGELIST)))

    def read_all_view(self, request: HttpRequest) -> HttpResponse:
        """Mark all of one's own as read."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        done = mark_read(user_id=request.user.pk, now=timezone.now())
        messages.success(
            request,
            ngettext("%(count)d notice marked as read.", "%(count)d notices marked as read.", done)
            % {"count": done},
        )
        return HttpResponseRedirect(reverse(CHANGELIST))

    @display(
        description=gettext_lazy("level"),
        label={NoticeLevel.INFO: "info", NoticeLevel.WARNING: "warning", NoticeLevel.URGENT: "danger"},
    )
    def show_level(self, obj: StaffNotice) -> tuple[str, Any]:
        """As a coloured word."""
        return badge(obj.level, obj.get_level_display())

    @display(description=gettext_lazy("notice"))
    def show_title(self, obj: StaffNotice) -> str:
        """Unread ones carry a word, not only weight or colour."""
        return obj.title if obj.read_at else _("New: %(title)s") % {"title": obj.title}
