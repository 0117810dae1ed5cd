"""One rule of law or of a platform, dated and versioned."""

from __future__ import annotations

from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.compliance.choices import Confidence, Market, RuleAction
from apps.core.models import Stamped


def in_english() -> bool:
    """Whether the present page speaks English; rules carry both texts."""
    return (get_language() or "").startswith("en")


class RuleTerm(Stamped):
    """A named list of words that several rules use, as one regular expression."""

    code = models.SlugField(_("code"), max_length=30, unique=True)
    pattern = models.TextField(_("pattern"))
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("rule term")
        verbose_name_plural = _("rule terms")
        ordering = ("code",)

    def __str__(self) -> str:
        return self.code


class ComplianceRule(Stamped):
    """What may not be said or done, what is done about it, which law says so, and the lawful way out (domain.md 1).

    `version` rises with every save; a verdict names the version it was made by. The rule holds from `valid_from` to the
    day before `valid_until`.
    """

    code = models.SlugField(_("code"), max_length=20, unique=True)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    title_zh = models.CharField(_("Chinese title"), max_length=80)
    title_en = models.CharField(_("English title"), max_length=120)
    message_zh = models.TextField(_("Chinese explanation"))
    message_en = models.TextField(_("English explanation"))
    alternative_zh = models.TextField(_("lawful alternative (Chinese)"), blank=True)
    alternative_en = models.TextField(_("lawful alternative (English)"), blank=True)
    law = models.TextField(_("law"), blank=True)
    action = models.CharField(_("what it does"), max_length=16, choices=RuleAction.choices)
    scope = models.CharField(_("market"), max_length=4, choices=Market.choices, default=Market.ALL)
    confidence = models.CharField(
        _("how sure"), max_length=6, choices=Confidence.choices, default=Confidence.MEDIUM
    )
    subjects = models.JSONField(_("applies to"), default=list)
    patterns = models.JSONField(_("patterns"), default=list, blank=True)
    exceptions = models.JSONField(_("exceptions"), default=list, blank=True)
    absent = models.TextField(_("must stand in the text"), blank=True)
    when = models.JSONField(_("patterns count only when"), null=True, blank=True)
    condition = models.JSONField(_("condition on facts"), null=True, blank=True)
    negatable = models.BooleanField(_("a negation cancels it"), default=True)
    hit = models.JSONField(_("examples it must find"), default=list, blank=True)
    miss = models.JSONField(_("examples it must pass"), default=list, blank=True)
    valid_from = models.DateField(_("in force from"), null=True, blank=True)
    valid_until = models.DateField(_("until (exclusive)"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("compliance rule")
        verbose_name_plural = _("compliance rules")
        ordering = ("position", "code")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(action__in=RuleAction.values), name="compliance_rule_action"
            ),
        )

    def __str__(self) -> str:
        return f"{self.code} {self.title}"

    @property
    def title(self) -> str:
        """In the reader's language."""
        return self.title_en if in_english() else self.title_zh
