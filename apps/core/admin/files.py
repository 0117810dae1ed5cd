"""Stored files, served to the permitted only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from apps.core.admin.base import ReadOnlyAdmin
from apps.core.admin.display import link
from apps.core.models import StoredFile
from apps.core.registry import Registry
from apps.core.services.files import IMAGES

# Higher apps say who may open the files of their records: `can_open(user, stored_file) -> bool`.
file_readers: Registry[Callable[[Any, StoredFile], bool]] = Registry("file readers")
# Files that open nowhere but on pages of their own, which record who read them: `is_kept_apart(stored_file) -> bool`.
kept_apart: Registry[Callable[[StoredFile], bool]] = Registry("files kept apart")


def may_open(user: Any, stored: StoredFile) -> bool:
    """Who may: those with the permission to see all files, whoever brought the file in, and readers of its
    record.
    """
    if user.has_perm("core.view_storedfile"):
        return True
    if any(apart(stored) for apart in kept_apart):
        return False
    if stored.uploaded_by_id is not None and stored.uploaded_by_id == user.pk:
        return True
    return any(can_open(user, stored) for can_open in file_readers)


@admin.register(StoredFile)
class StoredFileAdmin(ReadOnlyAdmin):
    """The list is for those who may see every file; single files open from the records they belong to."""

    list_display = ("name", "content_type", "show_size", "uploaded_by", "created_at", "show_open")
    list_select_related = ("uploaded_by",)
    ordering = ("-id",)
    search_fields = ("=sha256", "name__istartswith")
    fields = ("name", "content_type", "show_size", "sha256", "uploaded_by", "created_at", "show_open")
    readonly_fields = ("show_size", "show_open")

    def get_urls(self) -> list[Any]:
        """The address under which a file is read."""
        return [
            path(
                "<int:object_id>/open/",
                self.admin_site.admin_view(self.open_view),
                name="core_storedfile_open",
            ),
            *super().get_urls(),
        ]

    def open_view(self, request: HttpRequest, object_id: int) -> FileResponse:
        """The file: pictures in the page, everything else as a download, never as something that runs."""
        stored = get_object_or_404(StoredFile, pk=object_id)
        if not may_open(request.user, stored):
            raise PermissionDenied
        try:
            handle = stored.file.open("rb")
        except FileNotFoundError as error:
            raise Http404 from error
        inline = stored.content_type in IMAGES
        response = FileResponse(
            handle, as_attachment=not inline, filename=stored.name, content_type=stored.content_type
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response.headers["Cache-Control"] = "private, max-age=600"
        return response

    @display(description=_("size"), ordering="size")
    def show_size(self, obj: StoredFile) -> str:
        """In kilobytes."""
        return f"{max(obj.size // 1024, 1)} KB"

    @display(description=_("open"))
    def show_open(self, obj: StoredFile) -> Any:
        """A link to the file."""
        return link(reverse("admin:core_storedfile_open", args=[obj.pk]), _("open"))
