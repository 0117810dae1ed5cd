"""Values with label and colour."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class StoreKind(models.TextChoices):
    PHYSICAL = "physical", _("store with a door")
    PLATFORM = "platform", _("platform shop")


class TeamRole(models.TextChoices):
    MEMBER = "member", pgettext_lazy("team role", "member")
    LEAD = "lead", pgettext_lazy("team role", "lead")


class WorkStatus(models.TextChoices):
    OPEN = "open", pgettext_lazy("work item", "open")
    DOING = "doing", pgettext_lazy("work item", "in progress")
    DONE = "done", pgettext_lazy("work item", "done")
    CANCELLED = "cancelled", pgettext_lazy("work item", "cancelled")


class WorkKind(models.TextChoices):
    SELF_CHECK = "self_check", _("store self-check")
    RESTOCK = "restock", _("restock request")
    TASK = "task", _("department task")


class DayKind(models.TextChoices):
    HOLIDAY = "holiday", _("public holiday")
    MAKEUP = "makeup", _("make-up workday")
    CLOSED = "closed", _("closed")
    SPECIAL = "special", _("special hours")
