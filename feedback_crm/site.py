"""The composition root as an app, so that Django finds its admin module."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SiteConfig(AppConfig):
    name = "feedback_crm"
    label = "site_admin"
    verbose_name = _("System")

    def ready(self) -> None:
        from apps.core.dashboard import Card, cards
        from feedback_crm.setup.card import card

        cards.register(
            "site.setup",
            Card(
                _("Set up the shop"),
                frozenset({"admin", "manager"}),
                "admin/setup/card.html",
                card,
                wide=True,
            ),
            order=1,
        )
