"""What waits for a second person (architecture, decision 10)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.choices import ApprovalState
from apps.core.models.base import Stamped


class Approval(Stamped):
    """One request that a second person decides; never the person who asked, whatever rights they hold.

    `kind` names what happens afterwards (`apps.core.approvals.deciders`), `permission` who may decide. What is shown
    to the decider stands in `title`, `summary` and `payload`, frozen when it was asked: what is approved is what was
    read, not what the record has become since.
    """

    kind = models.CharField(_("kind"), max_length=60)
    model = models.CharField(_("record type"), max_length=60)
    object_id = models.BigIntegerField(_("record"))
    title = models.CharField(_("title"), max_length=200)
    summary = models.TextField(_("what is asked"), blank=True)
    payload = models.JSONField(_("details"), default=dict, blank=True)
    url = models.CharField(_("address"), max_length=300, blank=True)
    permission = models.CharField(_("needs the permission"), max_length=100)
    state = models.CharField(
        _("state"), max_length=10, choices=ApprovalState.choices, default=ApprovalState.PENDING
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("asked by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: the system itself."),
    )
    requested_at = models.DateTimeField(_("asked at"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("decided by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    reason = models.TextField(_("reason"), blank=True)

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        ordering = ("-requested_at", "-id")
        indexes = (
            # Read by the list and the card of what waits for me.
            models.Index(
                fields=["permission", "requested_at"],
                name="core_approval_waiting",
                condition=models.Q(state="pending"),
            ),
            # Read by the record's own page.
            models.Index(fields=["model", "object_id", "-requested_at"], name="core_approval_of_record"),
        )
        constraints = (
            # Asking twice for the same makes one request.
            models.UniqueConstraint(
                fields=["kind", "model", "object_id"],
                condition=models.Q(state="pending"),
                name="core_approval_pending_once",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=ApprovalState.values), name="core_approval_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(decided_by__isnull=True)
                | models.Q(requested_by__isnull=True)
                | models.Q(state="cancelled")
                | ~models.Q(decided_by=models.F("requested_by")),
                name="core_approval_second_person",
            ),
        )

        permissions = (("decide_approval", _("Can decide what waits for a second person")),)

    def __str__(self) -> str:
        return self.title
