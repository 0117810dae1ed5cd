"""What a customer was given, from which budget, on whose word."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core.models import Stamped, StoredFile
from apps.customers.models import Customer
from apps.rewards.choices import GrantState, Purpose, RewardKind
from apps.rewards.models.budgets import Budget, money
from apps.rewards.querysets import OfCustomer


class Grant(Stamped):
    """One thing given to one customer (R27, R47, R49). `key` makes it once, `subject_key` says because of what.

    `owed` is the part of `cost` that the law gives the customer anyway: it is no goodwill and counts for no limit.
    """

    key = models.CharField(max_length=120, unique=True, editable=False)
    kind = models.CharField(pgettext_lazy("grant", "from"), max_length=12, choices=Purpose.choices)
    reward = models.CharField(_("reward"), max_length=10, choices=RewardKind.choices)
    what = models.CharField(
        pgettext_lazy("grant", "what"), max_length=120, help_text=_("As it stood when it was given.")
    )
    subject_key = models.CharField(_("because of"), max_length=80, blank=True)
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="grants"
    )
    budget = models.ForeignKey(
        Budget, verbose_name=_("budget"), on_delete=models.PROTECT, related_name="grants"
    )
    cost = money(_("cost (CNY)"))
    owed = money(_("of it owed by law (CNY)"), default=0)
    is_goodwill = models.BooleanField(_("goodwill"), default=True)
    actual_cost = money(_("real cost (CNY)"), null=True, blank=True)
    points = models.PositiveIntegerField(_("points"), default=0)
    level = models.CharField(_("level"), max_length=10, blank=True)
    promised_at = models.DateTimeField(
        _("promised at"), null=True, blank=True, help_text=_("Where it was promised before it was given.")
    )
    note = models.CharField(_("note"), max_length=300, blank=True)
    proof = models.CharField(_("proof"), max_length=300, blank=True)
    proof_file = models.ForeignKey(
        StoredFile,
        verbose_name=_("picture as proof"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    status = models.CharField(
        _("state"), max_length=10, choices=GrantState.choices, default=GrantState.GRANTED
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("given by"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("Empty: the program, on the approvers' word."),
    )
    approvers = models.ManyToManyField(
        settings.AUTH_USER_MODEL, verbose_name=_("agreed to by"), blank=True, related_name="+"
    )
    at = models.DateTimeField(_("given at"))
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    reversed_at = models.DateTimeField(_("taken back at"), null=True, blank=True)
    objects = OfCustomer.as_manager()

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = pgettext_lazy("reward", "grants")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=GrantState.values), name="rewards_grant_status"
            ),
            models.CheckConstraint(
                condition=models.Q(reward__in=RewardKind.values), name="rewards_grant_reward"
            ),
            models.CheckConstraint(
                condition=models.Q(cost__gte=0, owed__gte=0, owed__lte=models.F("cost")),
                name="rewards_grant_cost",
            ),
        )
        indexes = (
            # Read by the cap of each customer, the customer's page and timeline.
            models.Index(fields=["customer", "-at"], name="rewards_grant_of_customer"),
            # Read by what one person promised today and this month.
            models.Index(fields=["by", "-at"], name="rewards_grant_of_person"),
            # Read by the record it was given for (repairs, campaigns).
            models.Index(fields=["subject_key"], name="rewards_grant_subject"),
            # Read by the list's filter by state and the card of what waits to be paid.
            models.Index(fields=["status", "reward", "-id"], name="rewards_grant_state"),
        )
        permissions = (
            ("settle_grant", _("Can say that a grant was paid")),
            ("reverse_grant", _("Can take a grant back")),
            ("export_grant", _("Can export grants")),
        )

    def __str__(self) -> str:
        return f"G{self.pk:06d} {self.what}" if self.pk else self.what

    @property
    def goodwill(self) -> Decimal:
        """What of it is not owed by law, CNY."""
        return self.cost - self.owed
