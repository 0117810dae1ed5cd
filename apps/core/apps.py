"""What two apps already share. Knows no app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CoreConfig(AppConfig):
    name = "apps.core"
    label = "core"
    verbose_name = _("Staff and system")

    def ready(self) -> None:
        from apps.core import checks  # noqa: F401 - registers the checks
        from apps.core.approvals import waiting_card
        from apps.core.dashboard import Card, cards

        deciding = frozenset({"ops-lead", "care-lead", "pr-lead", "legal", "manager", "admin"})
        card = Card(_("Waiting for my decision"), deciding, "core/cards/approvals.html", waiting_card)
        cards.register("core.approvals", card, order=25)
