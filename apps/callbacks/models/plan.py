"""Who is called, when and by whom, as data (R30, R36)."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.callbacks.choices import CallPurpose, Trigger
from apps.core.models import Stamped
from apps.feedback.models import Channel
from apps.messaging.models import MessageTemplate
from apps.shop.models import Store, Team

CURSORS = ["seen_until", "seen_customer"]


class CallbackPlan(Stamped):
    """One rule for callbacks. Empty lists of tiers, kinds, channels, stores and member tiers mean all."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name_zh = models.CharField(_("Chinese name"), max_length=60)
    name_en = models.CharField(_("English name"), max_length=60, blank=True)
    trigger = models.CharField(
        pgettext_lazy("callback plan", "calls"),
        max_length=12,
        choices=Trigger.choices,
        default=Trigger.AFTER_CASE,
    )
    purpose = models.CharField(
        pgettext_lazy("callback plan", "what for"),
        max_length=10,
        choices=CallPurpose.choices,
        default=CallPurpose.SERVICE,
    )
    hours_after = models.PositiveIntegerField(
        _("hours after the case was resolved"),
        default=72,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 90)],
    )
    every_days = models.PositiveIntegerField(
        _("every so many days"), default=180, validators=[MinValueValidator(7), MaxValueValidator(730)]
    )
    tiers = models.JSONField(_("tiers"), default=list, blank=True)
    kinds = models.JSONField(_("kinds"), default=list, blank=True)
    channels = models.ManyToManyField(Channel, verbose_name=_("channels"), blank=True, related_name="+")
    stores = models.ManyToManyField(Store, verbose_name=_("stores"), blank=True, related_name="+")
    member_tiers = models.JSONField(_("member tiers"), default=list, blank=True)
    ordered_within_days = models.PositiveIntegerField(
        _("last order at most so many days ago"), null=True, blank=True
    )
    not_ordered_for_days = models.PositiveIntegerField(
        _("last order at least so many days ago"), null=True, blank=True
    )
    sample_percent = models.PositiveSmallIntegerField(
        _("share that is called (%)"),
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("Drawn by number, so that looking again draws the same."),
    )
    needs_phone = models.BooleanField(
        _("only where a phone number is known"),
        default=True,
        help_text=_("Otherwise customers of platforms are asked in the platform's chat."),
    )
    not_by_handler = models.BooleanField(
        _("not by whoever handled the case"), default=True, help_text=_("Customers speak more freely then.")
    )
    team = models.ForeignKey(
        Team,
        verbose_name=_("team"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Shared out among those who are there that day, the least busy first."),
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("or one person"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    template = models.ForeignKey(
        MessageTemplate,
        verbose_name=_("script"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        limit_choices_to={"channel": "phone_script", "is_active": True},
        help_text=_("A template of the kind “words on the telephone”; empty: the shipped one."),
    )
    questions = models.JSONField(_("questions"), default=list, blank=True)
    attempts = models.PositiveSmallIntegerField(
        pgettext_lazy("callback plan", "attempts"),
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(5)],
        help_text=_("Each on another day; after the last one the callback ends as not reached."),
    )
    min_hours = models.PositiveSmallIntegerField(
        _("hours between two attempts"),
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(240)],
    )
    opens = models.TimeField(
        _("not before"), null=True, blank=True, help_text=_("Empty: the shop's hours for messages.")
    )
    closes = models.TimeField(_("not after"), null=True, blank=True)
    quiet_days = models.PositiveSmallIntegerField(
        _("leave alone for so many days"),
        default=14,
        help_text=_("Whoever has a callback planned, or was called within these days, is left out."),
    )
    is_active = models.BooleanField(_("active"), default=False)
    # Where the sweep goes on: cases resolved up to then were looked at; the customer looked at last.
    seen_until = models.DateTimeField(null=True, blank=True, editable=False)
    seen_customer = models.BigIntegerField(default=0, editable=False)
    history = HistoricalRecords(excluded_fields=CURSORS)

    class Meta:
        verbose_name = _("callback plan")
        verbose_name_plural = _("callback plans")
        ordering = ("trigger", "code")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(trigger__in=Trigger.values), name="callbacks_plan_trigger"
            ),
            models.CheckConstraint(
                condition=models.Q(purpose__in=CallPurpose.values), name="callbacks_plan_purpose"
            ),
            models.CheckConstraint(
                condition=models.Q(sample_percent__range=(1, 100)), name="callbacks_plan_sample"
            ),
            models.CheckConstraint(
                condition=models.Q(attempts__range=(1, 5)), name="callbacks_plan_attempts"
            ),
            models.CheckConstraint(
                # Only a resolved case is a contract's business; all else needs the customer's consent.
                condition=models.Q(trigger="after_case") | ~models.Q(purpose="service"),
                name="callbacks_plan_consent",
                violation_error_message=_(
                    "Only callbacks after a case need no consent: choose survey or care with offers."
                ),
            ),
        )

    def __str__(self) -> str:
        if self.name_en and not (get_language() or "").startswith("zh"):
            return self.name_en
        return self.name_zh
