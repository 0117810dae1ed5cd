"""Values with label and colour."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class RuleState(models.TextChoices):
    DRAFT = "draft", pgettext_lazy("rule", "draft")
    ENABLED = "enabled", pgettext_lazy("rule", "on")
    DISABLED = "disabled", pgettext_lazy("rule", "off")
    STOPPED = "stopped", pgettext_lazy("rule", "stopped by the breaker")


RULE_COLOURS = {"draft": "default", "enabled": "success", "disabled": "default", "stopped": "danger"}


class ProposalState(models.TextChoices):
    PROPOSED = "proposed", pgettext_lazy("proposal", "waits for a person")
    CONFIRMED = "confirmed", pgettext_lazy("proposal", "confirmed")
    REJECTED = "rejected", pgettext_lazy("proposal", "rejected")
    EXPIRED = "expired", pgettext_lazy("proposal", "expired")
    DONE = "done", pgettext_lazy("proposal", "carried out")


PROPOSAL_COLOURS = {
    "proposed": "warning",
    "confirmed": "info",
    "rejected": "default",
    "expired": "default",
    "done": "success",
}


class ProposalKind(models.TextChoices):
    """What waits for a person (decisions, item 20; GB/T 47746-2026): money, public words, a crisis."""

    COMPENSATION = "compensation", _("compensation")
    PUBLIC_REPLY = "public_reply", _("public reply")
    MESSAGE = "message", _("message to the customer")
    CRISIS = "crisis", _("crisis")


class DeliveryState(models.TextChoices):
    QUEUED = "queued", pgettext_lazy("webhook delivery", "waits")
    CLAIMED = "claimed", pgettext_lazy("webhook delivery", "being sent")
    DELIVERED = "delivered", pgettext_lazy("webhook delivery", "delivered")
    FAILED = "failed", pgettext_lazy("webhook delivery", "given up")


DELIVERY_COLOURS = {"queued": "warning", "claimed": "info", "delivered": "success", "failed": "danger"}


class WebhookEvent(models.TextChoices):
    CREATED = "feedback.created", _("feedback came in")
    MOVED = "feedback.moved", _("feedback was moved on")
    REPLIED = "feedback.replied", _("a customer was answered")
    ACTION = "automation.action", _("a rule asked for it")
    TEST = "test", _("test message")
