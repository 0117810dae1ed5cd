"""What is done for the shop's reputation, and the figures from outside it should move (R33, R70)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped
from apps.feedback.models import Category, Channel
from apps.feedback.models.reference import in_english
from apps.repairs.choices import ACTION_OPEN, ActionKind, ActionState, Direction, IndicatorUnit, ValueSource
from apps.repairs.querysets import ActionQuerySet, ValueQuerySet
from apps.shop.models import Product, Store


class ReputationAction(Stamped):
    """A planned improvement with its owner, its time, and the indicator that should move (R33)."""

    title = models.CharField(_("title"), max_length=80)
    kind = models.CharField(_("kind"), max_length=10, choices=ActionKind.choices, default=ActionKind.CONTENT)
    what = models.TextField(_("what to do"), max_length=4000)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        on_delete=models.PROTECT,
        related_name="reputation_actions",
    )
    starts_on = models.DateField(pgettext_lazy("reputation action", "begins on"))
    due_on = models.DateField(_("due on"))
    store = models.ForeignKey(
        Store,
        verbose_name=_("store"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: every store."),
    )
    product = models.ForeignKey(
        Product, verbose_name=_("product"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    channel = models.ForeignKey(
        Channel, verbose_name=_("channel"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    metric = models.CharField(_("indicator"), max_length=60)
    direction = models.CharField(
        _("should go"), max_length=4, choices=Direction.choices, default=Direction.DOWN
    )
    target = models.DecimalField(
        _("target"),
        max_digits=14,
        decimal_places=4,
        null=True,
        blank=True,
        help_text=_("Shares in percent, e.g. 5 for 5 %."),
    )
    window_days = models.PositiveSmallIntegerField(
        _("days compared"),
        default=28,
        validators=[MinValueValidator(7), MaxValueValidator(180)],
        help_text=_("So many days before the beginning are compared with as many after it."),
    )
    status = models.CharField(
        _("state"), max_length=10, choices=ActionState.choices, default=ActionState.PLANNED
    )
    outcome = models.TextField(_("what was done"), blank=True, editable=False)
    conclusion = models.TextField(_("conclusion"), blank=True, editable=False)
    done_on = models.DateField(_("done on"), null=True, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("entered by"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
    )
    told_late_at = models.DateTimeField(null=True, editable=False)

    objects = ActionQuerySet.as_manager()

    class Meta:
        verbose_name = _("reputation action")
        verbose_name_plural = _("reputation actions")
        ordering = ("due_on", "id")
        permissions = (("check_reputationaction", _("Can conclude whether a reputation action worked")),)
        indexes = (
            # Read by the sweep for what is late and by the card of the first page.
            models.Index(
                fields=["due_on"], name="repairs_action_due", condition=models.Q(status__in=ACTION_OPEN)
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=ActionState.values), name="repairs_action_state"
            ),
            models.CheckConstraint(
                condition=models.Q(due_on__gte=models.F("starts_on")),
                name="repairs_action_order",
                violation_error_message=_("It would be due before it begins."),
            ),
        )

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done."""
        return self.status in ACTION_OPEN

    def is_overdue(self, today: date) -> bool:
        """Open past its day."""
        return self.is_open and self.due_on < today

    def scope(self) -> dict[str, int]:
        """What narrows the indicator, by key."""
        pairs = {
            "store": self.store_id,
            "product": self.product_id,
            "category": self.category_id,
            "channel": self.channel_id,
        }
        return {name: pk for name, pk in pairs.items() if pk is not None}


class ExternalIndicator(Stamped):
    """A figure the platform shows and we cannot compute: search rank, traffic, DSR … (R70). Imported, never recomputed."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name_zh = models.CharField(_("Chinese name"), max_length=40)
    name_en = models.CharField(_("English name"), max_length=60)
    unit = models.CharField(
        _("unit"), max_length=10, choices=IndicatorUnit.choices, default=IndicatorUnit.COUNT
    )
    better = models.CharField(_("better"), max_length=4, choices=Direction.choices, default=Direction.UP)
    platform = models.CharField(
        _("platform"), max_length=40, blank=True, help_text=_("Channel code, e.g. taobao. Empty: any.")
    )
    least = models.DecimalField(_("at least"), max_digits=14, decimal_places=4, default=Decimal(0))
    highest = models.DecimalField(_("at most"), max_digits=14, decimal_places=4, null=True, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("external indicator")
        verbose_name_plural = _("external indicators")
        ordering = ("position", "code")

    def __str__(self) -> str:
        return self.name_en if in_english() else self.name_zh

    @property
    def metric_code(self) -> str:
        """Under which code it is an indicator among the others."""
        return f"ext:{self.code}"

    def refuses(self, value: Decimal) -> bool:
        """Whether a value cannot be right."""
        return value < self.least or (self.highest is not None and value > self.highest)


class IndicatorValue(Stamped):
    """One figure of one store and day. A correction keeps what stood there before."""

    indicator = models.ForeignKey(
        ExternalIndicator, verbose_name=_("indicator"), on_delete=models.PROTECT, related_name="values"
    )
    store = models.ForeignKey(
        Store, verbose_name=_("store"), on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    day = models.DateField(_("day"))
    value = models.DecimalField(_("value"), max_digits=14, decimal_places=4)
    source = models.CharField(
        _("source"), max_length=6, choices=ValueSource.choices, default=ValueSource.FORM
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    history = HistoricalRecords()

    objects = ValueQuerySet.as_manager()

    class Meta:
        verbose_name = _("figure from outside")
        verbose_name_plural = _("figures from outside")
        ordering = ("-day", "-id")
        constraints = (
            # Also read by an indicator's series.
            models.UniqueConstraint(fields=["indicator", "store", "day"], name="repairs_value_once"),
        )
        indexes = (
            # Read by the page of one store: all its indicators over a stretch of days.
            models.Index(fields=["store", "day"], name="repairs_value_of_store"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.value:f}"


class IndicatorUpload(models.Model):
    """One file of figures: what became of it, and the rows that were refused, to be put right and brought again."""

    file_name = models.CharField(_("file"), max_length=200)
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), null=True, on_delete=models.PROTECT, related_name="+"
    )
    read = models.PositiveIntegerField(_("rows read"), default=0)
    created = models.PositiveIntegerField(pgettext_lazy("rows", "new"), default=0)
    changed = models.PositiveIntegerField(pgettext_lazy("rows", "changed"), default=0)
    same = models.PositiveIntegerField(pgettext_lazy("rows", "as before"), default=0)
    rejected = models.PositiveIntegerField(pgettext_lazy("rows", "refused"), default=0)
    problems: Any = models.JSONField(_("problems"), default=list, blank=True)
    rejects = models.TextField(_("refused rows"), blank=True)

    class Meta:
        verbose_name = _("upload of figures")
        verbose_name_plural = _("uploads of figures")
        ordering = ("-id",)
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.file_name
