"""Points: an account, its lots, and the ledger of every movement (R47)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import Stamped
from apps.customers.models import Customer
from apps.rewards.choices import PointsKind
from apps.rewards.models.base import Ledger
from apps.rewards.models.grants import Grant
from apps.rewards.querysets import OfCustomer


class PointsAccount(Stamped):
    """What a customer has. `balance` equals the sum of the ledger and is locked before it moves.

    `origin` is the customer's number when the account was opened. Merged customers have one account of each, which are
    spent as one: so a merge adds up and its undoing gives back exactly what is left of each.
    """

    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="points_accounts"
    )
    origin = models.BigIntegerField(unique=True, editable=False)
    balance = models.IntegerField(_("points"), default=0)
    status = models.CharField(
        _("state"), max_length=10, default="open", editable=False, choices=(("open", _("open")),)
    )
    objects = OfCustomer.as_manager()

    class Meta:
        verbose_name = _("points account")
        verbose_name_plural = _("points accounts")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=models.Q(balance__gte=0), name="rewards_account_positive"),
        )
        permissions = (
            ("adjust_points", _("Can adjust points")),
            ("approve_points", _("Can agree to large adjustments of points")),
        )

    def __str__(self) -> str:
        return str(_("Points of #%(number)d")) % {"number": self.origin}


class PointsLot(models.Model):
    """Points that came together and expire together. Spending takes from the lot that expires first."""

    account = models.ForeignKey(PointsAccount, on_delete=models.PROTECT, related_name="lots")
    grant = models.ForeignKey(Grant, null=True, on_delete=models.PROTECT, related_name="lots")
    amount = models.PositiveIntegerField(_("points"))
    left = models.PositiveIntegerField(_("left"))
    earned_at = models.DateTimeField(_("earned at"))
    expires_at = models.DateTimeField(_("expire at"))

    class Meta:
        verbose_name = _("lot of points")
        verbose_name_plural = _("lots of points")
        ordering = ("expires_at", "id")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(amount__gt=0, left__gte=0, left__lte=models.F("amount")),
                name="rewards_lot_left",
            ),
        )
        indexes = (
            # Read by spending (of one account) and by the sweep of what expires.
            models.Index(
                fields=["account", "expires_at"], name="rewards_lot_open", condition=models.Q(left__gt=0)
            ),
            models.Index(fields=["expires_at"], name="rewards_lot_expiry", condition=models.Q(left__gt=0)),
        )

    def __str__(self) -> str:
        return f"{self.left}/{self.amount}"


class PointsEntry(Ledger):
    """One movement of one lot. `key` names the act it is part of: the same act is never booked twice."""

    account = models.ForeignKey(
        PointsAccount, verbose_name=_("account"), on_delete=models.PROTECT, related_name="entries"
    )
    lot = models.ForeignKey(PointsLot, on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField(_("kind"), max_length=8, choices=PointsKind.choices)
    amount = models.IntegerField(_("points"))
    key = models.CharField(max_length=160, editable=False)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
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
        verbose_name = _("points entry")
        verbose_name_plural = _("points ledger")
        ordering = ("-id",)
        constraints = (
            # Also read to find what an act has booked already.
            models.UniqueConstraint(fields=["key", "lot"], name="rewards_points_once"),
            models.CheckConstraint(condition=~models.Q(amount=0), name="rewards_points_moved"),
        )

    def __str__(self) -> str:
        return f"{self.amount:+d}"
