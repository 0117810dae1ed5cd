"""Values with label and colour: badges have one source."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class NoticeLevel(models.TextChoices):
    INFO = "info", pgettext_lazy("notice level", "note")
    WARNING = "warning", _("warning")
    URGENT = "urgent", _("urgent")


class ApprovalState(models.TextChoices):
    """What became of a request to a second person."""

    PENDING = "pending", pgettext_lazy("approval", "waiting")
    APPROVED = "approved", pgettext_lazy("approval", "approved")
    REJECTED = "rejected", pgettext_lazy("approval", "rejected")
    CANCELLED = "cancelled", pgettext_lazy("approval", "withdrawn")
