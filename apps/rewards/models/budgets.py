"""Money set aside for customers, who may promise how much, and the ledger of both."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Round
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped
from apps.rewards.choices import EntryKind, LevelCode, Purpose
from apps.rewards.models.base import Ledger
from apps.rewards.querysets import OfStore
from apps.shop.models import Store


def money(label: Any, **options: Any) -> Any:
    """A column of CNY with two decimals."""
    return models.DecimalField(label, max_digits=12, decimal_places=2, **options)


class Budget(Stamped):
    """What may be spent on customers in a time (R52). `committed` and `spent` equal the sums of the ledger.

    Both columns move only with a ledger row, under a lock of this one: the database never holds more promised and
    spent than the amount.
    """

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    purpose = models.CharField(
        pgettext_lazy("budget", "for"), max_length=12, choices=Purpose.choices, default=Purpose.COMPENSATION
    )
    store = models.ForeignKey(
        Store,
        verbose_name=_("store"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: for the whole shop."),
    )
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))
    amount = money(_("amount (CNY)"), validators=[MinValueValidator(Decimal("0.01"))])
    committed = money(_("set aside (CNY)"), default=0, editable=False)
    spent = money(_("spent (CNY)"), default=0, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    is_active = models.BooleanField(_("in use"), default=True)
    history = HistoricalRecords(excluded_fields=["committed", "spent"])
    objects = OfStore.as_manager()

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        ordering = ("-last_day", "-id")
        constraints = (
            models.CheckConstraint(
                # Rounded: SQLite adds decimals as binary fractions.
                condition=models.Q(amount__gte=Round(models.F("committed") + models.F("spent"), 2)),
                name="rewards_budget_kept",
            ),
            models.CheckConstraint(
                condition=models.Q(committed__gte=0, spent__gte=0), name="rewards_budget_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(last_day__gte=models.F("first_day")), name="rewards_budget_days"
            ),
            models.CheckConstraint(
                condition=models.Q(purpose__in=Purpose.values), name="rewards_budget_purpose"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def left(self) -> Decimal:
        """What may still be promised, CNY."""
        return self.amount - self.committed - self.spent

    @property
    def share_used(self) -> float:
        """Promised and spent together, 0 to 1."""
        return float((self.committed + self.spent) / self.amount) if self.amount else 1.0

    def clean(self) -> None:
        """Days in order; never below what is promised already."""
        if self.first_day and self.last_day and self.last_day < self.first_day:
            raise ValidationError({"last_day": _("The last day is before the first.")})
        if self.amount is not None and self.amount < self.committed + self.spent:
            raise ValidationError({"amount": _("More than this is promised or spent already.")})


class LedgerEntry(Ledger):
    """One movement of a budget. Committed is the sum of commit and release, spent that of spend and reverse."""

    budget = models.ForeignKey(
        Budget, verbose_name=_("budget"), on_delete=models.PROTECT, related_name="entries"
    )
    grant = models.ForeignKey(
        "rewards.Grant",
        verbose_name=_("grant"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="entries",
    )
    kind = models.CharField(_("kind"), max_length=8, choices=EntryKind.choices)
    amount = money(_("amount (CNY)"))
    key = models.CharField(max_length=160, unique=True, editable=False)
    at = models.DateTimeField(_("at"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("incentive ledger")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(kind__in=["commit", "spend"], amount__gte=0)
                | models.Q(kind__in=["release", "reverse"], amount__lte=0),
                name="rewards_entry_sign",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount}"


class SpendingLevel(Stamped):
    """How much somebody of one level may promise (R27; domain.md 6). Whoever holds `permission` is of this level."""

    code = models.CharField(_("level"), max_length=10, choices=LevelCode.choices, unique=True)
    rank = models.PositiveSmallIntegerField(_("rank"), unique=True)
    goodwill_limit = money(
        _("goodwill up to (CNY)"), null=True, blank=True, help_text=_("For one promise. Empty: no limit.")
    )
    refund_limit = money(
        _("refund beyond the law up to (CNY)"),
        null=True,
        blank=True,
        help_text=_("For one promise, on top of what the law gives the customer anyway."),
    )
    day_limit = money(
        _("a day for each person (CNY)"), null=True, blank=True, help_text=_("Empty: no limit.")
    )
    month_limit = money(
        _("a month for each person (CNY)"), null=True, blank=True, help_text=_("Empty: no limit.")
    )
    needs_legal = models.BooleanField(_("legal must agree too"), default=False)
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("spending level")
        verbose_name_plural = _("spending levels")
        ordering = ("rank",)
        constraints = (
            models.CheckConstraint(condition=models.Q(code__in=LevelCode.values), name="rewards_level_known"),
        )
        permissions = (
            ("spend_agent", _("May promise as a colleague")),
            ("spend_lead", _("May promise as a team lead")),
            ("spend_manager", _("May promise as a manager")),
            ("spend_director", _("May promise as a director")),
            ("approve_legal", _("Agrees to promises for the legal department")),
        )

    def __str__(self) -> str:
        return str(self.get_code_display())

    @property
    def permission(self) -> str:
        """Its full permission name."""
        return f"rewards.spend_{self.code}"


class SpendingPolicy(Stamped):
    """Limits that hold for everybody. There is exactly one row."""

    cap_items = models.PositiveSmallIntegerField(
        _("goodwill items for each customer"),
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("Compensation and campaigns together; beyond it a higher level decides."),
    )
    cap_days = models.PositiveSmallIntegerField(
        _("within days"), default=90, validators=[MinValueValidator(1), MaxValueValidator(730)]
    )
    cap_level = models.CharField(
        _("beyond it decides"), max_length=10, choices=LevelCode.choices, default=LevelCode.LEAD
    )
    two_people_above = money(
        _("two people above (CNY)"), default=1000, help_text=_("Nobody promises more than this alone.")
    )
    points_alone = models.PositiveIntegerField(
        _("points one person may adjust"),
        default=500,
        help_text=_("At a time; above it a second person decides."),
    )
    points_days = models.PositiveIntegerField(
        _("points are good for days"),
        default=365,
        validators=[MinValueValidator(1), MaxValueValidator(3650)],
    )
    delivery_days = models.PositiveSmallIntegerField(
        _("gifts are sent within days"), default=3, validators=[MinValueValidator(1), MaxValueValidator(60)]
    )
    history = HistoricalRecords()

    class Meta:
        verbose_name = _("limits for everybody")
        verbose_name_plural = _("limits for everybody")
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="rewards_policy_one"),)

    def __str__(self) -> str:
        return str(_("limits for everybody"))

    def save(self, *args: Any, **options: Any) -> None:
        """There is one."""
        self.pk = 1
        super().save(*args, **options)
