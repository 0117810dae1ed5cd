"""Values with label and colour."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Purpose(models.TextChoices):
    """What money is for."""

    COMPENSATION = "compensation", pgettext_lazy("budget", "compensation")
    CAMPAIGN = "campaign", pgettext_lazy("budget", "campaign")


class EntryKind(models.TextChoices):
    """What one row of the incentive ledger does. Amounts are signed: release and reverse are below zero."""

    COMMIT = "commit", pgettext_lazy("ledger", "set aside")
    RELEASE = "release", pgettext_lazy("ledger", "set free")
    SPEND = "spend", pgettext_lazy("ledger", "spent")
    REVERSE = "reverse", pgettext_lazy("ledger", "came back")


class RewardKind(models.TextChoices):
    """What a customer gets."""

    COUPON = "coupon", pgettext_lazy("reward", "coupon")
    POINTS = "points", pgettext_lazy("reward", "points")
    GIFT = "gift", pgettext_lazy("reward", "gift")
    CASH = "cash", pgettext_lazy("reward", "cash")
    REFUND = "refund", pgettext_lazy("reward", "refund")
    DISCOUNT = "discount", pgettext_lazy("reward", "discount")
    OTHER = "other", pgettext_lazy("reward", "other")


# Paid by a person outside this program; the proof comes later.
BY_HAND = frozenset({RewardKind.CASH, RewardKind.REFUND, RewardKind.DISCOUNT, RewardKind.OTHER})


class GrantState(models.TextChoices):
    """Where a grant stands. Its moves: `apps.rewards.transitions`."""

    GRANTED = "granted", pgettext_lazy("grant", "granted")
    SETTLED = "settled", pgettext_lazy("grant", "settled")
    REVERSED = "reversed", pgettext_lazy("grant", "taken back")


GRANT_COLOURS = {GrantState.GRANTED: "info", GrantState.SETTLED: "success", GrantState.REVERSED: "default"}


class CouponKind(models.TextChoices):
    """What a coupon is worth."""

    FACE = "face", _("an amount off")
    PERCENT = "percent", _("a share off")


class CouponState(models.TextChoices):
    """Where a coupon stands. Its moves: `apps.rewards.transitions`."""

    UNUSED = "unused", pgettext_lazy("coupon", "in the pool")
    ISSUED = "issued", pgettext_lazy("coupon", "issued")
    REDEEMED = "redeemed", pgettext_lazy("coupon", "redeemed")
    VOID = "void", pgettext_lazy("coupon", "void")
    EXPIRED = "expired", pgettext_lazy("coupon", "expired")


COUPON_COLOURS = {
    CouponState.UNUSED: "default",
    CouponState.ISSUED: "info",
    CouponState.REDEEMED: "success",
    CouponState.VOID: "danger",
    CouponState.EXPIRED: "warning",
}


class PointsKind(models.TextChoices):
    """What one row of the points ledger does."""

    EARN = "earn", pgettext_lazy("points", "earned")
    SPEND = "spend", pgettext_lazy("points", "spent")
    EXPIRE = "expire", pgettext_lazy("points", "expired")
    REVERSE = "reverse", pgettext_lazy("points", "taken back")


class DeliveryState(models.TextChoices):
    """Where a gift is. Its moves: `apps.rewards.transitions`."""

    TO_SEND = "to_send", pgettext_lazy("delivery", "to send")
    SENT = "sent", pgettext_lazy("delivery", "on its way")
    DELIVERED = "delivered", pgettext_lazy("delivery", "delivered")
    RETURNED = "returned", pgettext_lazy("delivery", "came back")
    CANCELLED = "cancelled", pgettext_lazy("delivery", "cancelled")


DELIVERY_COLOURS = {
    DeliveryState.TO_SEND: "warning",
    DeliveryState.SENT: "info",
    DeliveryState.DELIVERED: "success",
    DeliveryState.RETURNED: "danger",
    DeliveryState.CANCELLED: "default",
}


class LevelCode(models.TextChoices):
    """Who may promise how much (domain.md 6)."""

    AGENT = "agent", pgettext_lazy("spending level", "colleague")
    LEAD = "lead", pgettext_lazy("spending level", "team lead")
    MANAGER = "manager", pgettext_lazy("spending level", "manager")
    DIRECTOR = "director", pgettext_lazy("spending level", "director")
