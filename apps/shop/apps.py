"""Stores, departments, teams, products, stock, calendars and work items."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ShopConfig(AppConfig):
    name = "apps.shop"
    label = "shop"
    verbose_name = _("Shop and teams")
