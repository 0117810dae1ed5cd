"""Malicious reviews: evidence and appeals at the platform (R29)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import StoredFile
from apps.repairs.choices import AppealStatus, Ground
from apps.repairs.models.case import RepairCase


class Evidence(models.Model):
    """One piece of evidence for one ground: what, when it was captured, by whom, with the hash of its file.

    Append-only. The hash is kept here too, so that a file changed in the storage is found out.
    """

    case = models.ForeignKey(
        RepairCase, verbose_name=_("repair"), on_delete=models.PROTECT, related_name="evidence"
    )
    ground = models.CharField(_("ground"), max_length=20, choices=Ground.choices)
    what = models.TextField(_("what it shows"))
    file = models.ForeignKey(
        StoredFile, verbose_name=_("file"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    captured_at = models.DateTimeField(_("captured at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField(_("entered at"))

    class Meta:
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        ordering = ("at", "id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(ground__in=Ground.values), name="repairs_evidence_ground_known"
            ),
            # The same file for the same ground proves nothing twice.
            models.UniqueConstraint(
                fields=["case", "ground", "sha256"],
                condition=~models.Q(sha256=""),
                name="repairs_evidence_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_ground_display()}"


class Appeal(models.Model):
    """One appeal at the platform; a case has at most two."""

    case = models.ForeignKey(
        RepairCase, verbose_name=_("repair"), on_delete=models.PROTECT, related_name="appeals"
    )
    round = models.PositiveSmallIntegerField(_("appeal"))
    status = models.CharField(
        _("state"), max_length=10, choices=AppealStatus.choices, default=AppealStatus.FILED
    )
    grounds = models.JSONField(_("grounds"), default=list)
    case_number = models.CharField(_("number at the platform"), max_length=80)
    statement = models.TextField(_("what we wrote"), blank=True)
    evidence_hash = models.CharField(
        _("hash of the evidence list"), max_length=64,
        help_text=_("SHA-256 over the hashes and texts that were handed in."),
    )  # fmt: skip
    filed_at = models.DateTimeField(_("filed at"))
    filed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("filed by"), on_delete=models.PROTECT, related_name="+"
    )
    answer_due_at = models.DateTimeField(_("answer expected by"))
    second_until = models.DateTimeField(_("second appeal possible until"), null=True, blank=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("entered by"), null=True, blank=True, on_delete=models.PROTECT,
        related_name="+",
    )  # fmt: skip
    answer = models.TextField(_("the platform's answer"), blank=True)
    proof = models.ForeignKey(
        StoredFile, verbose_name=_("proof"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        verbose_name = _("appeal")
        verbose_name_plural = _("appeals")
        ordering = ("round",)
        constraints = (
            models.UniqueConstraint(fields=["case", "round"], name="repairs_appeal_round"),
            models.CheckConstraint(condition=models.Q(round__range=(1, 2)), name="repairs_appeal_two"),
            models.CheckConstraint(
                condition=models.Q(status__in=AppealStatus.values), name="repairs_appeal_status_known"
            ),
            models.CheckConstraint(
                condition=~models.Q(status=AppealStatus.UPHELD) | models.Q(proof__isnull=False),
                name="repairs_appeal_proven",
            ),
        )

    def __str__(self) -> str:
        return f"{self.case.number} · {self.case_number}"
