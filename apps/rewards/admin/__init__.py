"""Admin pages, one module per part."""

from apps.rewards.admin import budgets, coupons, gifts, grants, points

__all__ = ("budgets", "coupons", "gifts", "grants", "points")
