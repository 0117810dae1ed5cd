"""What the checker said and what people decided on it; kept as proof (domain.md 1)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.compliance.choices import RuleAction, Ruling
from apps.core.models import Approval


class Verdict(models.Model):
    """One check that found something. The text is kept masked; findings name rule, version and places."""

    subject = models.CharField(_("checked"), max_length=20)
    subject_key = models.CharField(_("about"), max_length=80, blank=True)
    url = models.CharField(_("address"), max_length=300, blank=True)
    text = models.TextField(_("text (masked)"), blank=True)
    text_hash = models.CharField(max_length=64, editable=False)
    facts = models.JSONField(_("facts"), default=dict, blank=True)
    findings = models.JSONField(_("findings"), default=list)
    action = models.CharField(_("heaviest finding"), max_length=16, choices=RuleAction.choices)
    ruling = models.CharField(_("what happened"), max_length=10, choices=Ruling.choices)
    reason = models.TextField(_("reason"), blank=True)
    approval = models.ForeignKey(
        Approval,
        verbose_name=_("approval"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("compliance verdict")
        verbose_name_plural = _("compliance verdicts")
        ordering = ("-at", "-id")
        indexes = (
            # Read by the list, filtered by what happened, and by monthly reports on compliance.
            models.Index(fields=["ruling", "-at"], name="compliance_verdict_ruling"),
            # Read by callers: was this very text approved for this very thing?
            models.Index(fields=["subject_key", "text_hash"], name="compliance_verdict_of"),
            # Read by figures per person (compliance hits).
            models.Index(fields=["by", "-at"], name="compliance_verdict_person"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(ruling__in=Ruling.values), name="compliance_verdict_ruling_known"
            ),
        )

        permissions = (("approve_verdict", _("Can release what a rule sends to approval")),)

    def __str__(self) -> str:
        return f"{self.get_ruling_display()} · {self.subject_key or self.subject}"
