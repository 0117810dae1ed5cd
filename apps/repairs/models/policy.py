"""What the shop has decided about repairs, and what platforms ask of appeals. Data, never code (domain.md 6)."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped
from apps.feedback.models import Category, Channel
from apps.feedback.models.reference import in_english
from apps.repairs.choices import RemedyKind
from apps.shop.models import Department


def _whole(least: int, most: int) -> list:
    return [MinValueValidator(least), MaxValueValidator(most)]


class RepairPolicy(Stamped):
    """When repairs open by themselves and how far they may go. There is exactly one row."""

    opens_by_itself = models.BooleanField(_("open repairs by themselves"), default=True)
    stars_up_to = models.PositiveSmallIntegerField(
        _("up to so many stars"),
        default=2,
        validators=_whole(1, 4),
        help_text=_("A review with so many stars or fewer is negative."),
    )
    without_stars = models.BooleanField(
        _("also without stars"),
        default=True,
        help_text=_("A review that shows no stars counts as negative when its text reads so."),
    )
    tries = models.PositiveSmallIntegerField(
        _("tries to reach a customer"), default=3, validators=_whole(1, 10)
    )
    try_days = models.PositiveSmallIntegerField(_("on so many days"), default=3, validators=_whole(1, 10))
    renegotiations = models.PositiveSmallIntegerField(
        _("new offers at most"), default=2, validators=_whole(0, 5)
    )
    callback_hours = models.PositiveSmallIntegerField(
        _("callback after hours"), default=72, validators=_whole(1, 720)
    )
    other_caller_share = models.PositiveSmallIntegerField(
        _("callbacks by somebody else (%)"),
        default=10,
        validators=_whole(0, 100),
        help_text=_("So many of a hundred customers are called by somebody who did not handle the case."),
    )
    invite_from = models.PositiveSmallIntegerField(
        _("invite from (hour)"), default=8, validators=_whole(0, 23)
    )
    invite_until = models.PositiveSmallIntegerField(
        _("invite until (hour)"), default=21, validators=_whole(1, 24)
    )
    reply_hours = models.PositiveSmallIntegerField(
        _("public reply within hours"), default=24, validators=_whole(1, 240)
    )
    better_from = models.PositiveSmallIntegerField(
        _("revised from so many stars"), default=4, validators=_whole(3, 5)
    )
    last_change_id = models.BigIntegerField(default=0, editable=False)
    history = HistoricalRecords(excluded_fields=["last_change_id"])

    class Meta:
        verbose_name = _("rules for repairs")
        verbose_name_plural = _("rules for repairs")
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="repairs_policy_one"),)

    def __str__(self) -> str:
        return str(_("rules for repairs"))

    def save(self, *args: object, **kwargs: object) -> None:
        """There is one."""
        self.pk = 1
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def clean(self) -> None:
        """Hours that open when they close would never be open."""
        if self.invite_from >= self.invite_until:
            raise ValidationError({"invite_until": _("This must be later than the first hour.")})
        if self.try_days > self.tries:
            raise ValidationError({"try_days": _("More days than tries cannot be reached.")})


class RemedyType(Stamped):
    """One thing that may be done for a customer, for which categories, by whom, by when (R27)."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    kind = models.CharField(_("kind"), max_length=16, choices=RemedyKind.choices)
    name_zh = models.CharField(_("Chinese name"), max_length=60)
    name_en = models.CharField(_("English name"), max_length=60)
    categories = models.ManyToManyField(
        Category,
        verbose_name=_("for categories"),
        blank=True,
        related_name="+",
        help_text=_("Proposed first where the case has one of these. Empty: for all."),
    )
    is_goodwill = models.BooleanField(
        _("goodwill"),
        default=False,
        help_text=_("Beyond what the law gives the customer anyway; counts against the limits."),
    )
    costs_money = models.BooleanField(_("costs money"), default=True)
    needs_tracking = models.BooleanField(_("needs a tracking number"), default=False)
    needs_proof = models.BooleanField(
        _("needs a proof"), default=True, help_text=_("A picture or document, e.g. of the refund.")
    )
    department = models.ForeignKey(
        Department,
        verbose_name=_("carried out by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Empty: by whoever works on the case."),
    )
    by_store = models.BooleanField(_("carried out by the store"), default=False)
    due_days = models.PositiveSmallIntegerField(_("due in days"), default=3, validators=_whole(1, 60))
    legal_days = models.PositiveSmallIntegerField(
        _("by law at most days"),
        null=True,
        blank=True,
        validators=_whole(1, 60),
        help_text=_("No due date may lie later."),
    )
    law = models.CharField(_("law"), max_length=120, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("remedy")
        verbose_name_plural = _("remedies")
        ordering = ("position", "code")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(legal_days__isnull=True) | models.Q(due_days__lte=models.F("legal_days")),
                name="repairs_remedy_legal",
                violation_error_message=_("The due time is longer than the law allows."),
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=RemedyKind.values), name="repairs_remedy_kind_known"
            ),
        )

    def __str__(self) -> str:
        return self.name_en if in_english() else self.name_zh


class AppealRule(Stamped):
    """What one platform asks of an appeal. Windows are set by platforms and change: look them up, then confirm."""

    channel = models.OneToOneField(
        Channel, verbose_name=_("channel"), on_delete=models.CASCADE, related_name="appeal_rule"
    )
    window_days = models.PositiveSmallIntegerField(
        _("days to appeal"), default=30, validators=_whole(1, 365), help_text=_("Counted from the review.")
    )
    answer_days = models.PositiveSmallIntegerField(
        _("platform answers within days"), default=7, validators=_whole(1, 90)
    )
    second_days = models.PositiveSmallIntegerField(
        _("days for a second appeal"), default=7, validators=_whole(0, 90), help_text=_("0: there is none.")
    )
    grounds = models.JSONField(
        _("grounds the platform knows"),
        default=list,
        blank=True,
        help_text=_("Empty: all."),
    )
    url = models.URLField(_("where to appeal"), max_length=300, blank=True)
    note = models.TextField(_("note"), blank=True)
    is_confirmed = models.BooleanField(
        _("confirmed"),
        default=False,
        help_text=_("Somebody has read the platform's present rules and entered them here."),
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("appeal rule")
        verbose_name_plural = _("appeal rules")
        ordering = ("channel__code",)

    def __str__(self) -> str:
        return str(self.channel)
