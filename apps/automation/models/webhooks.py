"""Messages to other programs: where to, and the outbox."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.automation.choices import DeliveryState, WebhookEvent
from apps.core.models import Stamped


class WebhookEndpoint(Stamped):
    """An address that is told about events. The secret is shown once, or comes from WEBHOOK_SECRET_<CODE>."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    url = models.URLField(_("address"), max_length=400)
    secret = models.CharField(_("secret"), max_length=100, blank=True, editable=False)
    events = models.JSONField(_("events"), default=list, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    send_personal = models.BooleanField(
        _("texts unmasked"),
        default=False,
        help_text=_("Off: telephone numbers, addresses and names are masked before they leave."),
    )
    failures = models.PositiveSmallIntegerField(_("failures in a row"), default=0, editable=False)
    paused_at = models.DateTimeField(_("paused at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("webhook address")
        verbose_name_plural = _("webhook addresses")
        ordering = ("code",)
        permissions = (("replay_webhook", _("Can send webhook messages again")),)

    def __str__(self) -> str:
        return self.name


class WebhookDelivery(models.Model):
    """One message to one address: claimed, sent, confirmed; tried again with growing pauses for up to 24 hours."""

    endpoint = models.ForeignKey(
        WebhookEndpoint,
        verbose_name=_("webhook address"),
        on_delete=models.CASCADE,
        related_name="deliveries",
    )
    event = models.CharField(_("event"), max_length=30, choices=WebhookEvent.choices)
    instance = models.CharField(_("which event"), max_length=80)
    body = models.JSONField(_("message"), default=dict)
    status = models.CharField(
        _("state"), max_length=10, choices=DeliveryState.choices, default=DeliveryState.QUEUED
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(_("created at"))
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    response_status = models.PositiveSmallIntegerField(_("answer"), null=True, blank=True)
    response = models.CharField(_("text of the answer"), max_length=500, blank=True)
    error = models.CharField(_("error"), max_length=300, blank=True)
    replay_of = models.ForeignKey(
        "self", verbose_name=_("repeats"), null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        verbose_name = _("webhook message")
        verbose_name_plural = _("webhook messages")
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=["endpoint", "event", "instance"], name="automation_delivery_once"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=DeliveryState.values), name="automation_delivery_status"
            ),
        )
        indexes = (
            # Read by the sender: what is due.
            models.Index(
                fields=["next_attempt_at"],
                name="automation_delivery_due",
                condition=models.Q(status__in=["queued", "claimed"]),
            ),
        )

    def __str__(self) -> str:
        return f"{self.event} {self.pk}"
