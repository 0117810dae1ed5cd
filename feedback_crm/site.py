"""The composition root as an app, so that Django finds its admin module."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SiteConfig(AppConfig):
    name = "feedback_crm"
    label = "site_admin"
    verbose_name = _("System")
