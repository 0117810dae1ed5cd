"""Who handled what, how fast and how well; coaching and training."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PerformanceConfig(AppConfig):
    name = "apps.performance"
    label = "performance"
    verbose_name = _("Performance")

    def ready(self) -> None:
        from apps.performance import connections

        connections.connect()
