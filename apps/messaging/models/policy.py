"""One row: when, how often, how many times."""

from __future__ import annotations

from datetime import time

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped


class MessagingPolicy(Stamped):
    """What the shop has decided about messages. There is exactly one row."""

    soft_from = models.TimeField(_("messages from"), default=time(8, 0))
    soft_until = models.TimeField(_("until"), default=time(21, 0))
    hard_from = models.TimeField(_("at the latest from"), default=time(8, 0))
    hard_until = models.TimeField(_("at the latest until"), default=time(22, 0))
    cap_day = models.PositiveSmallIntegerField(
        _("marketing a day"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
        help_text=_("At most so many in 24 hours, for each person and channel."),
    )
    cap_month = models.PositiveSmallIntegerField(
        _("marketing a month"),
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("At most so many in 30 days, for each person and channel."),
    )
    attempts = models.PositiveSmallIntegerField(
        _("attempts"), default=6, validators=[MinValueValidator(1), MaxValueValidator(20)]
    )
    first_pause_seconds = models.PositiveIntegerField(
        _("first pause in seconds"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(3600)],
        help_text=_("Before a message is tried again; each further pause is twice as long, at most an hour."),
    )
    auto_received = models.JSONField(
        _("“received” notices by"), default=list, blank=True,
        help_text=_("Channels by which a customer is told at once that feedback has arrived."),
    )  # fmt: skip
    optout_reply = models.BooleanField(
        _("confirm an opt-out"), default=True, help_text=_("One short answer, at most once a day.")
    )
    carry_urgent = models.BooleanField(
        _("urgent notices into the staff group"),
        default=True,
        help_text=_("Through every group robot in use."),
    )
    refused_words = models.JSONField(
        _("words carriers refuse"), default=list, blank=True, help_text=_("In SMS. One per line.")
    )
    last_notice_id = models.BigIntegerField(default=0, editable=False)
    history = HistoricalRecords(excluded_fields=["last_notice_id"])

    class Meta:
        verbose_name = _("rules for messages")
        verbose_name_plural = _("rules for messages")
        constraints = (
            models.CheckConstraint(condition=models.Q(pk=1), name="messaging_policy_one"),
            models.CheckConstraint(
                condition=models.Q(cap_day__gte=1, cap_month__gte=1, attempts__gte=1),
                name="messaging_policy_positive",
            ),
        )

    def __str__(self) -> str:
        return str(_("rules for messages"))

    def save(self, *args: object, **kwargs: object) -> None:
        """There is one."""
        self.pk = 1
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def clean(self) -> None:
        """A window that opens when it closes would never, or always, be open."""
        for first, last in (("soft_from", "soft_until"), ("hard_from", "hard_until")):
            if getattr(self, first) == getattr(self, last):
                raise ValidationError({last: _("Begin and end are the same.")})
        if self.cap_month < self.cap_day:
            raise ValidationError({"cap_month": _("Fewer a month than a day.")})
