"""Offers to a customer and the remedies in them (R27)."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import StoredFile
from apps.customers.models import Customer
from apps.repairs.choices import LIVE_OFFERS, Liability, OfferStatus, RemedyStatus
from apps.repairs.models.case import RepairCase
from apps.repairs.models.policy import RemedyType
from apps.rewards.models import CouponType, Gift, Grant
from apps.shop.models import WorkItem

ZERO = Decimal(0)


class Offer(models.Model):
    """What is offered, in which words, at what cost. It hangs on nothing: nothing in it speaks of the review.

    `goodwill` is what is given beyond the law (coupons, gifts, discounts), `refund_extra` money beyond the statutory
    refund; both in CNY and both counted against the limits of domain.md 6. `needs` are the permissions of those who must
    approve, `approved_by` who did, frozen with the text they read.
    """

    case = models.ForeignKey(
        RepairCase, verbose_name=_("repair"), on_delete=models.PROTECT, related_name="offers"
    )
    number = models.PositiveSmallIntegerField(_("number"))
    status = models.CharField(
        _("state"), max_length=10, choices=OfferStatus.choices, default=OfferStatus.DRAFT
    )
    text = models.TextField(_("words to the customer"))
    goodwill = models.DecimalField(_("goodwill (CNY)"), max_digits=10, decimal_places=2, default=ZERO)
    refund_extra = models.DecimalField(
        _("beyond the statutory refund (CNY)"), max_digits=10, decimal_places=2, default=ZERO
    )
    statutory = models.DecimalField(_("due by law (CNY)"), max_digits=10, decimal_places=2, default=ZERO)
    liability = models.JSONField(_("special liability"), default=list, blank=True)
    reasons = models.JSONField(_("why a second person"), default=list, blank=True)
    needs = models.JSONField(_("must be approved by"), default=list, blank=True)
    approved_by = models.JSONField(_("approved by"), default=dict, blank=True)
    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), null=True, blank=True, on_delete=models.SET_NULL, db_index=False,
        related_name="+", help_text=_("Whom it was promised to."),
    )  # fmt: skip
    level = models.CharField(
        _("spending level"), max_length=12, blank=True, help_text=_("Which level the promise needs.")
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(_("created at"))
    updated_at = models.DateTimeField(_("updated at"))
    made_at = models.DateTimeField(_("made at"), null=True, blank=True)
    answer = models.TextField(_("what the customer said"), blank=True)

    class Meta:
        verbose_name = _("offer")
        verbose_name_plural = _("offers")
        ordering = ("number",)
        indexes = (
            # Read when a person promises more: what of theirs is not carried out yet?
            models.Index(
                fields=["by", "created_at"],
                name="repairs_offer_promised",
                condition=models.Q(status__in=[*LIVE_OFFERS]),
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=["case", "number"], name="repairs_offer_number"),
            models.UniqueConstraint(
                fields=["case"],
                condition=models.Q(status__in=[*LIVE_OFFERS]),
                name="repairs_one_live_offer",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=OfferStatus.values), name="repairs_offer_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(goodwill__gte=0, refund_extra__gte=0, statutory__gte=0),
                name="repairs_offer_amounts",
            ),
        )

    def __str__(self) -> str:
        return f"{self.case.number}-{self.number}"

    @property
    def total(self) -> Decimal:
        """CNY, all told."""
        return self.goodwill + self.refund_extra + self.statutory

    def liabilities(self) -> list[str]:
        """In words."""
        return [str(Liability(code).label) for code in self.liability]


class Remedy(models.Model):
    """One line of an offer and its fulfilment: by whom, by when, with which proof."""

    offer = models.ForeignKey(
        Offer, verbose_name=_("offer"), on_delete=models.PROTECT, related_name="remedies"
    )
    type = models.ForeignKey(RemedyType, verbose_name=_("remedy"), on_delete=models.PROTECT, related_name="+")
    status = models.CharField(
        _("state"), max_length=10, choices=RemedyStatus.choices, default=RemedyStatus.PLANNED
    )
    amount = models.DecimalField(
        _("cost (CNY)"), max_digits=10, decimal_places=2, default=ZERO, validators=[MinValueValidator(ZERO)]
    )
    statutory = models.DecimalField(
        _("of it due by law (CNY)"),
        max_digits=10,
        decimal_places=2,
        default=ZERO,
        validators=[MinValueValidator(ZERO)],
    )
    note = models.CharField(_("details"), max_length=300, blank=True)
    coupon_type = models.ForeignKey(
        CouponType,
        verbose_name=_("coupon"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    gift = models.ForeignKey(
        Gift, verbose_name=_("gift"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    points = models.PositiveIntegerField(_("points"), default=0)
    due_at = models.DateTimeField(_("due"), null=True, blank=True)
    grant = models.OneToOneField(
        Grant, verbose_name=_("booking"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    work = models.ForeignKey(
        WorkItem,
        verbose_name=_("work item"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    carrier = models.CharField(_("carrier"), max_length=40, blank=True)
    tracking_no = models.CharField(_("tracking number"), max_length=64, blank=True)
    proof = models.ForeignKey(
        StoredFile, verbose_name=_("proof"), null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    proof_note = models.CharField(_("proof in words"), max_length=300, blank=True)
    actual_cost = models.DecimalField(_("paid (CNY)"), max_digits=10, decimal_places=2, null=True, blank=True)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("done by"), null=True, blank=True, on_delete=models.PROTECT,
        related_name="+",
    )  # fmt: skip
    updated_at = models.DateTimeField(_("updated at"))

    class Meta:
        verbose_name = _("remedy of an offer")
        verbose_name_plural = _("remedies of offers")
        ordering = ("id",)
        indexes = (
            # Read by the sweep and the list of remedies to carry out, most urgent first.
            models.Index(
                fields=["due_at", "id"], name="repairs_remedy_due", condition=models.Q(status="doing")
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(status__in=RemedyStatus.values), name="repairs_remedy_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(statutory__lte=models.F("amount")), name="repairs_remedy_statutory"
            ),
            models.CheckConstraint(
                condition=~models.Q(status=RemedyStatus.DONE) | models.Q(done_at__isnull=False),
                name="repairs_remedy_done_at",
            ),
        )

    def __str__(self) -> str:
        return f"{self.type}"
