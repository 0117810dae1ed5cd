"""Trainings proposed after complaints about service or a quality sample that was not passed (R69)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import Stamped
from apps.performance.choices import ProposalReason, ProposalState
from apps.performance.models.training import TrainingSession
from apps.performance.querysets import ProposalQuerySet
from apps.shop.models import Team


class TrainingProposal(Stamped):
    """One proposal about one person or one team. What lies before `counted_until` is not counted a second time."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("person"), null=True, blank=True, on_delete=models.CASCADE,
        related_name="+",
    )  # fmt: skip
    team = models.ForeignKey(
        Team, verbose_name=_("team"), null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    reason = models.CharField(_("because of"), max_length=12, choices=ProposalReason.choices)
    count = models.PositiveSmallIntegerField(_("how many"))
    cases = models.JSONField(_("cases"), default=list)
    counted_until = models.DateTimeField(_("counted until"))
    status = models.CharField(
        _("state"), max_length=10, choices=ProposalState.choices, default=ProposalState.OPEN
    )
    session = models.ForeignKey(
        TrainingSession, verbose_name=_("training"), null=True, blank=True, on_delete=models.SET_NULL,
        related_name="proposals",
    )  # fmt: skip
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("decided by"), null=True, blank=True, on_delete=models.PROTECT,
        related_name="+",
    )  # fmt: skip
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)

    objects = ProposalQuerySet.as_manager()

    class Meta:
        verbose_name = _("training proposal")
        verbose_name_plural = _("training proposals")
        ordering = ("-created_at", "-id")
        indexes = (
            # Read by the list, and by the sweep: until when was this subject counted?
            models.Index(fields=["status", "-created_at"], name="performance_proposal"),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(person__isnull=True, team__isnull=False)
                | models.Q(person__isnull=False, team__isnull=True),
                name="performance_proposal_subject",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=ProposalState.values, reason__in=ProposalReason.values),
                name="performance_proposal_known",
            ),
            # One at a time for a person or team and reason, however often the sweep runs.
            models.UniqueConstraint(
                fields=["person", "reason"], condition=models.Q(status="open", person__isnull=False),
                name="performance_proposal_person",
            ),
            models.UniqueConstraint(
                fields=["team", "reason"], condition=models.Q(status="open", team__isnull=False),
                name="performance_proposal_team",
            ),
            models.CheckConstraint(
                condition=models.Q(decided_by__isnull=True)
                | models.Q(person__isnull=True)
                | ~models.Q(decided_by=models.F("person")),
                name="performance_proposal_other",
            ),
        )  # fmt: skip
        permissions = (("decide_trainingproposal", _("Can decide proposals of trainings")),)

    def __str__(self) -> str:
        return f"{self.person or self.team} · {self.get_reason_display()}"
