"""Models, one file per aggregate."""

from apps.rewards.models.budgets import Budget, LedgerEntry, SpendingLevel, SpendingPolicy
from apps.rewards.models.coupons import Coupon, CouponType, CouponUse
from apps.rewards.models.gifts import Gift, GiftDelivery
from apps.rewards.models.grants import Grant
from apps.rewards.models.points import PointsAccount, PointsEntry, PointsLot

__all__ = (
    "Budget",
    "Coupon",
    "CouponType",
    "CouponUse",
    "Gift",
    "GiftDelivery",
    "Grant",
    "LedgerEntry",
    "PointsAccount",
    "PointsEntry",
    "PointsLot",
    "SpendingLevel",
    "SpendingPolicy",
)
