"""A customer and the names under which channels know them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from apps.core import masking
from apps.core.hashing import email_key, phone_key
from apps.core.models import Stamped
from apps.customers.choices import CustomerState, Gender, MemberTier


class Customer(Stamped):
    """One person. Phone and e-mail stand in clear beside their keyed hash, which is what look-ups use (decision 13)."""

    nickname = models.CharField(_("nickname"), max_length=80, blank=True)
    name = models.CharField(_("name"), max_length=80, blank=True)
    gender = models.CharField(_("gender"), max_length=1, choices=Gender.choices, blank=True, default="")
    phone = models.CharField(_("mobile"), max_length=30, blank=True)
    phone_hash = models.CharField(max_length=64, blank=True, editable=False)
    email = models.EmailField(_("e-mail"), blank=True)
    email_hash = models.CharField(max_length=64, blank=True, editable=False)
    city = models.CharField(_("city"), max_length=40, blank=True)
    member_tier = models.CharField(
        _("member tier"), max_length=10, choices=MemberTier.choices, blank=True, default="", db_index=True
    )
    external_id = models.CharField(
        _("customer number"),
        max_length=80,
        null=True,
        blank=True,
        unique=True,
        help_text=_("The number in the shop's own system."),
    )
    birth_year = models.PositiveSmallIntegerField(_("year of birth"), null=True, blank=True)
    birth_month = models.PositiveSmallIntegerField(_("month of birth"), null=True, blank=True)
    birth_day = models.PositiveSmallIntegerField(_("day of birth"), null=True, blank=True)
    birth_is_lunar = models.BooleanField(_("lunar birthday"), default=False)
    tags = models.JSONField(_("tags"), default=list, blank=True)
    note = models.TextField(_("note"), blank=True)
    state = models.CharField(
        _("state"), max_length=12, choices=CustomerState.choices, default=CustomerState.ACTIVE
    )
    merged_into = models.ForeignKey(
        "self",
        verbose_name=_("merged into"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="merged_from",
    )
    history = HistoricalRecords(excluded_fields=["phone", "email", "name"])

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ("-id",)
        indexes = (
            # Read by intake and the search box: find a person by phone or e-mail.
            models.Index(
                fields=["phone_hash"], name="customers_by_phone", condition=~models.Q(phone_hash="")
            ),
            models.Index(
                fields=["email_hash"], name="customers_by_email", condition=~models.Q(email_hash="")
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=models.Q(state__in=CustomerState.values), name="customers_state_known"
            ),
        )
        permissions = (
            ("unmask_customer", _("Can see personal data whole, with a reason")),
            ("merge_customer", _("Can merge customers and undo it")),
        )

    def __str__(self) -> str:
        return self.masked_name

    def save(self, *args: object, **kwargs: object) -> None:
        """Keeps the look-up hashes beside their values; bulk writers call `with_hashes`."""
        self.with_hashes()
        fields = kwargs.get("update_fields")
        if fields is not None and {"phone", "email"} & set(fields):  # type: ignore[call-overload]
            kwargs["update_fields"] = {*fields, "phone_hash", "email_hash"}  # type: ignore[misc]
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def with_hashes(self) -> Customer:
        """Set the hashes from phone and e-mail; returns self."""
        self.phone_hash = phone_key(self.phone)
        self.email_hash = email_key(self.email)
        return self

    @property
    def masked_name(self) -> str:
        """What colleagues read: the surname, else the nickname its owner shows in public, else the number."""
        if self.name:
            return masking.mask_name(self.name)
        if self.nickname:
            return masking.mask_text(self.nickname)
        return f"#{self.pk}"

    @property
    def masked_phone(self) -> str:
        """138****5678"""
        return masking.mask_phone(self.phone) if self.phone else ""

    @property
    def masked_email(self) -> str:
        """z****@qq.com"""
        return masking.mask_email(self.email) if self.email else ""


class CustomerIdentity(models.Model):
    """The name under which one channel knows a customer, e.g. a Taobao nickname or a WeChat openid."""

    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.CASCADE, related_name="identities"
    )
    channel = models.CharField(_("channel code"), max_length=40)
    external_id = models.CharField(_("known there as"), max_length=120)
    nickname = models.CharField(_("nickname"), max_length=80, blank=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = (
            # Also read by intake: who is this author?
            models.UniqueConstraint(fields=["channel", "external_id"], name="customers_identity_once"),
        )

    def __str__(self) -> str:
        return f"{self.channel}: {masking.mask_text(self.external_id)}"


class CustomerMerge(models.Model):
    """One merge. `moved` names every row that changed hands, so that undoing it is exact (peers 4.2)."""

    source = models.ForeignKey(Customer, verbose_name=_("merged"), on_delete=models.PROTECT, related_name="+")
    target = models.ForeignKey(
        Customer, verbose_name=_("into"), on_delete=models.PROTECT, related_name="merges"
    )
    moved = models.JSONField(_("moved rows"), default=dict)
    filled = models.JSONField(_("filled fields"), default=dict)
    reason = models.CharField(_("reason"), max_length=300)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("by"), on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField(_("at"))
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("undone by"),
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
    )

    class Meta:
        verbose_name = _("customer merge")
        verbose_name_plural = _("customer merges")
        ordering = ("-at",)
        constraints = (
            models.CheckConstraint(
                condition=~models.Q(source=models.F("target")), name="customers_merge_other"
            ),
        )

    def __str__(self) -> str:
        return f"#{self.source_id} → #{self.target_id}"
