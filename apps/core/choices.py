"""Values with label and colour: badges have one source."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class NoticeLevel(models.TextChoices):
    INFO = "info", _("note")
    WARNING = "warning", _("warning")
    URGENT = "urgent", _("urgent")
