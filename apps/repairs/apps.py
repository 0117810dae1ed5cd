"""Negative reviews from complaint to repaired reputation: contact, remedy, invitation, appeal, showcase."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RepairsConfig(AppConfig):
    name = "apps.repairs"
    label = "repairs"
    verbose_name = _("Repairs")

    def ready(self) -> None:
        from apps.repairs import connections

        connections.connect()
