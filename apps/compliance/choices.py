"""Values with label and colour: badges have one source."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class RuleAction(models.TextChoices):
    """What a rule does to whatever it hits, heaviest first."""

    BLOCK = "block", pgettext_lazy("rule", "block")
    REQUIRE_APPROVAL = "require_approval", pgettext_lazy("rule", "needs approval")
    DEFER = "defer", pgettext_lazy("rule", "defer")
    WARN = "warn", pgettext_lazy("rule", "warn")


ACTION_COLOURS = {"block": "red", "require_approval": "amber", "defer": "blue", "warn": "grey"}


class Market(models.TextChoices):
    ALL = "ALL", _("everywhere")
    CN = "CN", _("mainland China")
    US = "US", _("United States")
    INTL = "INTL", _("platforms abroad")


class Confidence(models.TextChoices):
    """How sure the source of a rule is (domain.md: H, M, K)."""

    HIGH = "high", pgettext_lazy("confidence", "read in the law")
    MEDIUM = "medium", pgettext_lazy("confidence", "read in secondary sources")
    LOW = "low", pgettext_lazy("confidence", "to be verified")


class Ruling(models.TextChoices):
    """What happened to a text or thing after the check."""

    BLOCKED = "blocked", pgettext_lazy("verdict", "blocked")
    ASKED = "asked", pgettext_lazy("verdict", "approval asked")
    APPROVED = "approved", pgettext_lazy("verdict", "approved")
    REJECTED = "rejected", pgettext_lazy("verdict", "rejected")
    DEFERRED = "deferred", pgettext_lazy("verdict", "deferred")
    WARNED = "warned", pgettext_lazy("verdict", "went on after a warning")
