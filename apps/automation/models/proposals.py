"""What a rule proposes and a person decides; marks; who asked for a product that is missing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.automation.choices import ProposalKind, ProposalState
from apps.automation.models.rules import Rule
from apps.core.models import Stamped
from apps.feedback.models import Feedback
from apps.shop.models import WorkItem


class ProposalQuerySet(models.QuerySet[Any, Any]):
    """Proposals."""

    def visible_to(self, user: Any) -> ProposalQuerySet:
        """Those about feedback a person sees. Without a join where they see everything."""
        seen = Feedback.objects.visible_to(user)
        return self if not seen.query.where else self.filter(feedback__in=seen)


class Proposal(Stamped):
    """Something that costs money or is said in public: a rule proposes it, a person confirms it (decisions, item 20)."""

    kind = models.CharField(_("kind"), max_length=20, choices=ProposalKind.choices)
    title = models.CharField(_("what is proposed"), max_length=200)
    feedback = models.ForeignKey(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="proposals"
    )
    rule = models.ForeignKey(
        Rule, verbose_name=_("rule"), null=True, on_delete=models.SET_NULL, related_name="proposals"
    )
    rule_version = models.PositiveIntegerField(_("version"), default=0)
    payload = models.JSONField(_("details"), default=dict)
    status = models.CharField(
        _("state"), max_length=10, choices=ProposalState.choices, default=ProposalState.PROPOSED
    )
    expires_at = models.DateTimeField(_("expires at"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("decided by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    result = models.CharField(_("what became of it"), max_length=300, blank=True)
    objects = ProposalQuerySet.as_manager()

    class Meta:
        verbose_name = _("proposal")
        verbose_name_plural = _("proposals")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=ProposalState.values), name="automation_proposal_status"
            ),
            # One of a kind waits at a case; two rules do not ask for the same thing twice.
            models.UniqueConstraint(
                fields=["kind", "feedback"],
                condition=models.Q(status="proposed"),
                name="automation_one_proposal",
            ),
        )
        indexes = (
            # Read by the queue of proposals, the home page and the sweep that lets them expire.
            models.Index(
                fields=["expires_at"], name="automation_proposal_due", condition=models.Q(status="proposed")
            ),
        )
        permissions = (("confirm_proposal", _("Can confirm or reject proposals of rules")),)

    def __str__(self) -> str:
        return self.title


class Mark(models.Model):
    """A tag that a rule put on a case."""

    feedback = models.ForeignKey(Feedback, on_delete=models.CASCADE, related_name="marks")
    name = models.CharField(_("tag"), max_length=30)
    rule = models.ForeignKey(Rule, null=True, on_delete=models.SET_NULL, db_index=False, related_name="+")
    at = models.DateTimeField(_("at"))

    class Meta:
        constraints = (models.UniqueConstraint(fields=["feedback", "name"], name="automation_mark_once"),)

    def __str__(self) -> str:
        return self.name


class RestockMention(models.Model):
    """A feedback that misses a product, and the restock request it opened or was added to (R23)."""

    work = models.ForeignKey(WorkItem, on_delete=models.CASCADE, related_name="restock_mentions")
    feedback = models.ForeignKey(Feedback, on_delete=models.CASCADE, related_name="restock_mentions")
    opened = models.BooleanField(default=False)
    level = models.IntegerField(null=True)
    at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["work", "feedback"], name="automation_mention_once"),)

    def __str__(self) -> str:
        return f"{self.work_id} {self.feedback_id}"
