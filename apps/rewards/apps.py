"""Coupons, points, gifts and budgets: one ledger for compensation and campaigns."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RewardsConfig(AppConfig):
    name = "apps.rewards"
    label = "rewards"
    verbose_name = _("Rewards")

    def ready(self) -> None:
        from apps.rewards import connections

        connections.connect()
