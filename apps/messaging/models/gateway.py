"""Where messages leave the house."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped
from apps.messaging.choices import SENDABLE, GatewayKind, MessageChannel

CHANNELS = [choice for choice in MessageChannel.choices if choice[0] in SENDABLE]


class Gateway(Stamped):
    """One way out. `config` holds what is no secret; secrets are environment variables GATEWAY_<CODE>_<NAME>."""

    code = models.SlugField(
        _("code"),
        max_length=30,
        unique=True,
        help_text=_("Also the middle of the names of its secrets; better not changed later."),
    )
    name = models.CharField(_("name"), max_length=60)
    kind = models.CharField(_("kind"), max_length=20, choices=GatewayKind.choices)
    channel = models.CharField(_("channel"), max_length=20, choices=CHANNELS)
    config = models.JSONField(_("settings"), default=dict, blank=True)
    is_active = models.BooleanField(_("in use"), default=False)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("gateway")
        verbose_name_plural = _("gateways")
        ordering = ("channel", "-is_active", "code")
        constraints = (
            models.UniqueConstraint(
                fields=["channel"],
                condition=models.Q(is_active=True) & ~models.Q(channel="staff_group"),
                name="messaging_gateway_one_a_channel",
                violation_error_message=_(
                    "Another gateway of this channel is in use. Switch that off first."
                ),
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=GatewayKind.values), name="messaging_gateway_kind_known"
            ),
            models.CheckConstraint(
                condition=models.Q(channel__in=sorted(SENDABLE)), name="messaging_gateway_channel_known"
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """The adapter says what it needs."""
        from apps.messaging.gateways import problems

        if not isinstance(self.config, dict):
            raise ValidationError({"config": _('The settings are a JSON object: {"name": "value"}.')})
        found = problems(self)
        if found:
            raise ValidationError(found)
