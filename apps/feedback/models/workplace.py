"""What people set up around the queue: kept views, and promises given to customers."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.feedback.choices import PromiseState
from apps.feedback.models.feedback import Feedback
from apps.shop.models import Team


class SavedView(models.Model):
    """A tab of one's own: filters and order of the queue, for one person or for a team (R17)."""

    name = models.CharField(_("name"), max_length=40)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="saved_views",
    )
    team = models.ForeignKey(
        Team, verbose_name=_("team"), null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    params = models.JSONField(_("filters"), default=dict)
    created_at = models.DateTimeField(_("created at"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ("name", "id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(owner__isnull=False, team__isnull=True)
                | models.Q(owner__isnull=True, team__isnull=False),
                name="feedback_view_of_one",
            ),
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=models.Q(owner__isnull=False),
                name="feedback_view_own_name",
            ),
            models.UniqueConstraint(
                fields=["team", "name"],
                condition=models.Q(team__isnull=False),
                name="feedback_view_team_name",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Promise(models.Model):
    """“We said by 18:00”: a thing told to the customer with a time, kept until it is done (R25).

    A promise that went past its time stays marked as broken even when it is kept later.
    """

    feedback = models.ForeignKey(
        Feedback, verbose_name=_("feedback"), on_delete=models.CASCADE, related_name="promises"
    )
    what = models.CharField(_("what was promised"), max_length=200)
    due_at = models.DateTimeField(_("by when"))
    status = models.CharField(
        _("state"), max_length=10, choices=PromiseState.choices, default=PromiseState.OPEN
    )
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("promised by"),
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    made_at = models.DateTimeField(_("promised at"))
    keeper = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("kept by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: whoever owns the case, else whoever made the promise."),
    )
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    broken_at = models.DateTimeField(_("broken at"), null=True, blank=True)
    updated_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("promise")
        verbose_name_plural = _("promises")
        ordering = ("due_at", "id")
        indexes = (
            # Read by sweep_promises and by the home page: what is due soon and not kept.
            models.Index(
                fields=["due_at"],
                name="feedback_promise_due",
                condition=models.Q(status="open"),
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=PromiseState.values), name="feedback_promise_state"
            ),
        )

    def __str__(self) -> str:
        return self.what

    def is_late(self, now: datetime) -> bool:
        """Past its time: broken for good, or open and due."""
        return self.broken_at is not None or (self.status == PromiseState.OPEN and self.due_at <= now)
