"""Rules that act on feedback, proposals that wait for a person, messages to other programs."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AutomationConfig(AppConfig):
    name = "apps.automation"
    label = "automation"
    verbose_name = _("Automation")

    def ready(self) -> None:
        from apps.automation import connections

        connections.connect()
