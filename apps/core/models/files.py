"""Files kept with records."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


def storage_path(instance: StoredFile, filename: str) -> str:
    """Where a file lies: by content hash, so that a name a customer chose never becomes a path."""
    return f"files/{instance.sha256[:2]}/{instance.sha256}{instance.suffix}"


class StoredFile(models.Model):
    """A checked upload: type and size verified, known by its SHA-256, served only to the permitted."""

    file = models.FileField(_("file"), upload_to=storage_path, max_length=200)
    name = models.CharField(_("name"), max_length=200)
    content_type = models.CharField(_("type"), max_length=80)
    suffix = models.CharField(max_length=10, blank=True)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    sha256 = models.CharField(_("SHA-256"), max_length=64, db_index=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("uploaded by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")

    def __str__(self) -> str:
        return self.name
