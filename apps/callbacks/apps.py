"""Calling customers back: plans, agenda, call sheets, outcomes."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CallbacksConfig(AppConfig):
    name = "apps.callbacks"
    label = "callbacks"
    verbose_name = _("Callbacks")

    def ready(self) -> None:
        from apps.callbacks import connections

        connections.connect()
