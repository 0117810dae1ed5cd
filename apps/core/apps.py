"""What two apps already share. Knows no app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"
    verbose_name = _("Staff and system")

    def ready(self) -> None:
        from apps.core import checks  # noqa: F401 - registers the checks
