"""A store's public page, and what a sender needs to come back to a case (R67)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.models import Stamped
from apps.feedback.models.feedback import Feedback
from apps.feedback.querysets import PublicEntryQuerySet
from apps.shop.models import Store


class PublicEntry(Stamped):
    """The page on which anybody with the store's QR code can say something. Off until somebody switches it on."""

    store = models.OneToOneField(
        Store, verbose_name=_("store"), on_delete=models.PROTECT, related_name="public_entry"
    )
    code = models.CharField(_("public code"), max_length=16, unique=True, editable=False)
    is_on = models.BooleanField(
        _("page open"), default=True, help_text=_("Off: the address answers that the page is closed.")
    )
    is_listed = models.BooleanField(
        _("in the public list"),
        default=True,
        help_text=_("Off: only people with the store's own code or link find the page."),
    )
    welcome = models.CharField(
        _("words of welcome"),
        max_length=120,
        blank=True,
        help_text=_("One line above the form and on the sheet; empty: the usual one."),
    )

    objects = PublicEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("public page")
        verbose_name_plural = _("public pages")
        ordering = ("store__code",)

    def __str__(self) -> str:
        return str(self.store)

    @property
    def path(self) -> str:
        """The page's address on this site (decisions, item 9)."""
        return f"/f/{self.code}/"


class PublicReceipt(models.Model):
    """What is known of a sender besides the case: the hash of the secret, and what they agreed to.

    The secret itself stands nowhere. `notice` names the wording about name and telephone that was shown and ticked
    (PIPL art. 13, 17); empty for those who left neither.
    """

    feedback = models.OneToOneField(
        Feedback, primary_key=True, on_delete=models.CASCADE, related_name="receipt"
    )
    secret_hash = models.CharField(max_length=64)
    is_anonymous = models.BooleanField(_("anonymous"), default=False)
    notice = models.CharField(_("wording agreed to"), max_length=40, blank=True)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("receipt of a public page")
        verbose_name_plural = _("receipts of public pages")
        indexes = (
            # Read by the sweep that forgets names and telephones.
            models.Index(
                fields=["created_at"], name="feedback_receipt_contact", condition=~models.Q(notice="")
            ),
        )

    def __str__(self) -> str:
        return str(self.feedback_id)
