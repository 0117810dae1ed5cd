"""Ready-made texts."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core.exceptions import DomainError
from apps.core.models import Stamped
from apps.messaging import carrier, wording
from apps.messaging.choices import MessageChannel, MessageClass, Scene
from apps.messaging.templates import check_body


class Tier(models.TextChoices):
    NONE = "", _("every tier")
    S = "S", "S"
    A = "A", "A"
    B = "B", "B"


class Language(models.TextChoices):
    ZH = "zh", _("Chinese")
    EN = "en", _("English")


class MessageTemplate(Stamped):
    """A text with variables for one occasion and channel. `version` counts its changes; a sent message names its own."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    scene = models.CharField(_("occasion"), max_length=30, choices=Scene.choices, default=Scene.OTHER)
    channel = models.CharField(_("channel"), max_length=20, choices=MessageChannel.choices)
    message_class = models.CharField(
        _("class"),
        max_length=10,
        choices=MessageClass.choices,
        default=MessageClass.SERVICE,
        help_text=_("A message that is partly marketing is marketing."),
    )
    tier = models.CharField(_("tier"), max_length=1, choices=Tier.choices, blank=True, default="")
    title = models.CharField(_("title"), max_length=80)
    subject = models.CharField(_("subject line"), max_length=120, blank=True, help_text=_("E-mail only."))
    body = models.TextField(
        _("text"),
        max_length=4000,
        help_text=_("Variables stand in double braces: {{name}}; {{name?}} may stay empty."),
    )
    language = models.CharField(_("language"), max_length=5, choices=Language.choices, default=Language.ZH)
    category_code = models.CharField(
        _("category code"),
        max_length=40,
        blank=True,
        help_text=_("Offered first for feedback of this category."),
    )
    respects_quiet_hours = models.BooleanField(
        _("waits for the morning"),
        default=True,
        help_text=_("Service messages with this mark are not sent at night. Safety messages always go."),
    )
    needs_optout = models.BooleanField(_("ends with how to opt out"), default=False)
    notes = models.CharField(_("to mind"), max_length=300, blank=True)
    is_active = models.BooleanField(_("in use"), default=True)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        ordering = ("scene", "channel", "code")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(channel__in=MessageChannel.values), name="messaging_template_channel"
            ),
            models.CheckConstraint(
                condition=models.Q(message_class__in=MessageClass.values), name="messaging_template_class"
            ),
        )

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        """Unknown variables and what carriers refuse are named before the text is kept."""
        for name in ("body", "subject"):
            try:
                check_body(getattr(self, name), field=name)
            except DomainError as error:
                raise ValidationError({name: str(error.message)}) from error
        problems = carrier.template_problems(
            self.body, channel=self.channel, message_class=self.message_class, needs_optout=self.needs_optout
        )
        if problems:
            raise ValidationError({"body": [wording.sentence(problem) for problem in problems]})

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A changed text is a new version."""
        if self.pk:
            before = type(self).objects.filter(pk=self.pk).values("body", "subject", "version").first()
            if before and (before["body"], before["subject"]) != (self.body, self.subject):
                self.version = before["version"] + 1
                if kwargs.get("update_fields") is not None:
                    kwargs["update_fields"] = {*kwargs["update_fields"], "version"}
        super().save(*args, **kwargs)
