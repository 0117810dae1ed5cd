"""Coupons: their terms, the codes, every use."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import formats
from django.utils.translation import get_language, gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core.models import Stamped
from apps.customers.models import Customer
from apps.rewards.choices import CouponKind, CouponState
from apps.rewards.models.budgets import money
from apps.rewards.models.grants import Grant
from apps.rewards.querysets import OfCustomer


class CouponType(Stamped):
    """One kind of coupon with the terms the law wants to be read (规范促销行为暂行规定 11–14; rule TERM-02)."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name in Chinese"), max_length=60)
    name_en = models.CharField(_("name in English"), max_length=60, blank=True)
    kind = models.CharField(_("worth"), max_length=8, choices=CouponKind.choices, default=CouponKind.FACE)
    face_value = money(
        _("amount off (CNY)"), null=True, blank=True, validators=[MinValueValidator(Decimal("0.01"))]
    )
    percent_off = models.PositiveSmallIntegerField(
        _("percent off"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("20 means that the customer pays 80 %."),
    )
    minimum_spend = money(_("from an order of (CNY)"), default=0, validators=[MinValueValidator(0)])
    valid_days = models.PositiveSmallIntegerField(
        _("good for days"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1095)],
        help_text=_("From the day it is issued; or give two dates."),
    )
    first_day = models.DateField(_("good from"), null=True, blank=True)
    last_day = models.DateField(_("good until"), null=True, blank=True)
    scope = models.CharField(
        _("good for"),
        max_length=200,
        blank=True,
        help_text=_("Stores, products and channels, as the customer reads it."),
    )
    stacking = models.CharField(
        _("together with other offers"),
        max_length=100,
        blank=True,
        help_text=_("Say whether it may be used together with other offers."),
    )
    quantity = models.PositiveIntegerField(
        _("how many at most"), null=True, blank=True, help_text=_("In all. Empty: no limit.")
    )
    per_customer = models.PositiveSmallIntegerField(
        _("for each customer"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    text = models.TextField(_("further words to the customer"), max_length=500, blank=True)
    must_name = models.BooleanField(
        _("the till must name the customer"),
        default=False,
        help_text=_("A redemption without the customer's number or phone is refused."),
    )
    from_pool = models.BooleanField(
        _("codes made by a platform"), default=False, help_text=_("Codes are imported, not made here.")
    )
    issued = models.PositiveIntegerField(_("issued"), default=0, editable=False)
    is_active = models.BooleanField(_("in use"), default=False)
    history = HistoricalRecords(excluded_fields=["issued"])

    class Meta:
        verbose_name = _("coupon type")
        verbose_name_plural = _("coupon types")
        ordering = ("-is_active", "code")
        constraints = (
            models.CheckConstraint(
                condition=models.Q(kind="face", face_value__gt=0)
                | models.Q(kind="percent", percent_off__gt=0),
                name="rewards_type_worth",
            ),
            models.CheckConstraint(
                condition=models.Q(valid_days__gt=0)
                | models.Q(first_day__isnull=False, last_day__gte=models.F("first_day")),
                name="rewards_type_valid",
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__isnull=True) | models.Q(issued__lte=models.F("quantity")),
                name="rewards_type_quantity",
            ),
        )

    def __str__(self) -> str:
        return self.name_en if self.name_en and (get_language() or "").startswith("en") else self.name

    @property
    def terms_given(self) -> frozenset[str]:
        """Which of the terms of rule TERM-02 this coupon states."""
        dated = bool(self.first_day and self.last_day)
        given = {
            "valid_from": bool(self.valid_days) or dated,
            "valid_until": bool(self.valid_days) or dated,
            "threshold": self.minimum_spend is not None,
            "applicable_scope": bool(self.scope.strip()),
            "stackable": bool(self.stacking.strip()),
            "quantity_or_limit": self.quantity is not None or self.per_customer is not None,
        }
        return frozenset(name for name, there in given.items() if there)

    @property
    def worth(self) -> str:
        """¥10 off; 20 % off."""
        if self.kind == CouponKind.PERCENT:
            return gettext("%(percent)d%% off") % {"percent": self.percent_off or 0}
        return gettext("¥%(amount)s off") % {"amount": f"{self.face_value or 0:g}"}

    @property
    def terms(self) -> list[str]:
        """The terms as a customer reads them, one sentence each."""
        lines = [
            gettext("From an order of ¥%(amount)s.") % {"amount": f"{self.minimum_spend:g}"}
            if self.minimum_spend
            else gettext("No minimum order.")
        ]
        if self.valid_days:
            lines.append(
                ngettext(
                    "Good for %(days)d day from the day it is issued.",
                    "Good for %(days)d days from the day it is issued.",
                    self.valid_days,
                )
                % {"days": self.valid_days}
            )
        elif self.first_day and self.last_day:
            lines.append(
                gettext("Good from %(first)s to %(last)s.")
                % {"first": _day(self.first_day), "last": _day(self.last_day)}
            )
        if self.per_customer:
            lines.append(gettext("At most %(count)d for each customer.") % {"count": self.per_customer})
        if self.quantity:
            lines.append(gettext("%(count)d in all, while they last.") % {"count": self.quantity})
        return [*lines, *(text.strip() for text in (self.scope, self.stacking, self.text) if text.strip())]

    def clean(self) -> None:
        """Worth and validity must be complete. What the law says of the text is asked by the service."""
        if self.kind == CouponKind.FACE and not self.face_value:
            raise ValidationError({"face_value": _("How much is it worth?")})
        if self.kind == CouponKind.PERCENT and not self.percent_off:
            raise ValidationError({"percent_off": _("How much is it worth?")})
        if not self.valid_days and not (self.first_day and self.last_day):
            raise ValidationError({"valid_days": _("Give a number of days, or a first and a last day.")})
        if self.first_day and self.last_day and self.last_day < self.first_day:
            raise ValidationError({"last_day": _("The last day is before the first.")})
        if self.quantity is not None and self.quantity < self.issued:
            raise ValidationError({"quantity": _("More than this have been issued already.")})


def _day(day: date) -> str:
    return formats.date_format(day, "Y-m-d")


class Coupon(Stamped):
    """One code. From a platform's list it waits as unused, without a customer; else it is bound to one from birth."""

    code = models.CharField(pgettext_lazy("coupon", "code"), max_length=40, unique=True)
    type = models.ForeignKey(
        CouponType, verbose_name=_("coupon type"), on_delete=models.PROTECT, related_name="coupons"
    )
    customer = models.ForeignKey(
        Customer,
        verbose_name=_("customer"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="coupons",
    )
    grant = models.OneToOneField(
        Grant, verbose_name=_("grant"), null=True, blank=True, on_delete=models.PROTECT, related_name="coupon"
    )
    status = models.CharField(
        _("state"), max_length=10, choices=CouponState.choices, default=CouponState.ISSUED
    )
    valid_from = models.DateTimeField(_("good from"), null=True, blank=True)
    valid_until = models.DateTimeField(_("good until"), null=True, blank=True)
    issued_at = models.DateTimeField(_("issued at"), null=True, blank=True)
    redeemed_at = models.DateTimeField(_("redeemed at"), null=True, blank=True)
    objects = OfCustomer.as_manager()

    class Meta:
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=CouponState.values), name="rewards_coupon_status"
            ),
            # Somebody's from the moment it is issued (odoo#205431).
            models.CheckConstraint(
                condition=models.Q(status__in=["unused", "void", "expired"])
                | models.Q(customer__isnull=False, valid_from__isnull=False, valid_until__isnull=False),
                name="rewards_coupon_bound",
            ),
        )
        indexes = (
            # Read by the sweep of what expires.
            models.Index(
                fields=["valid_until"],
                name="rewards_coupon_expiry",
                condition=models.Q(status__in=["issued", "unused"]),
            ),
            # Read by taking a code out of the pool.
            models.Index(
                fields=["type", "id"], name="rewards_coupon_pool", condition=models.Q(status="unused")
            ),
            # Read by the customer's page and by the limit for each customer.
            models.Index(fields=["customer", "type"], name="rewards_coupon_of_customer"),
            # Read by the list's filter by state.
            models.Index(fields=["status", "-id"], name="rewards_coupon_state"),
        )
        permissions = (
            ("redeem_coupon", _("Can redeem coupons by hand")),
            ("void_coupon", _("Can make coupons void")),
            ("reveal_coupon", _("Can see whole codes, with a reason")),
            ("import_coupon", _("Can import codes made by a platform")),
        )

    def __str__(self) -> str:
        return self.masked_code

    @property
    def masked_code(self) -> str:
        """Enough to tell two apart, too little to use one: ****7KQX."""
        return f"****{self.code[-4:]}"


class CouponUse(models.Model):
    """One redemption. The request's id answers a repeated call with the same words; `freed_at` ends the use."""

    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="uses")
    request_id = models.CharField(max_length=160)
    asked = models.JSONField(default=dict)
    order_no = models.CharField(_("order number"), max_length=64, blank=True)
    amount = money(_("order (CNY)"), null=True)
    benefit = money(_("worth (CNY)"), null=True)
    at = models.DateTimeField(_("at"))
    via = models.CharField(max_length=40, blank=True)
    freed_at = models.DateTimeField(_("free again at"), null=True)

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        ordering = ("-id",)
        constraints = (
            # Same request, same answer (odoo PR#222372).
            models.UniqueConstraint(fields=["coupon", "request_id"], name="rewards_use_request"),
            # Used once at a time, whatever the code above does (odoo PR#62767).
            models.UniqueConstraint(
                fields=["coupon"], condition=models.Q(freed_at__isnull=True), name="rewards_use_once"
            ),
        )
        indexes = (
            # Read when orders are written: which of them used a coupon?
            models.Index(
                fields=["order_no"],
                name="rewards_use_order",
                condition=models.Q(freed_at__isnull=True) & ~models.Q(order_no=""),
            ),
            # Read by the sweep of cancelled orders.
            models.Index(fields=["at"], name="rewards_use_recent", condition=models.Q(freed_at__isnull=True)),
        )

    def __str__(self) -> str:
        return f"{self.coupon_id} {self.at:%Y-%m-%d}"
