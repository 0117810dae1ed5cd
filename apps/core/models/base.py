"""Abstract bases."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Stamped(models.Model):
    """A record that knows when it was made and last changed. Bulk writers set both themselves."""

    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        abstract = True
