"""What performance plugs into lower apps."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core.dashboard import Card, cards

WORKING = frozenset(
    {"ops", "ops-lead", "care", "care-lead", "pr", "pr-lead", "store", "legal", "dept", "manager", "admin"}
)


def may_open_material(user: Any, stored: Any) -> bool:
    """Whether a file is the material of a training this person may see. One query."""
    from apps.performance.models import TrainingSession

    return (
        user.has_perm("performance.view_trainingsession")
        and TrainingSession.objects.visible_to(user).filter(material=stored).exists()
    )


def connect() -> None:
    """Register; called once when Django starts."""
    from apps.core.admin.files import file_readers
    from apps.core.demo import DemoPart, demo_parts
    from apps.core.wording import VERBS
    from apps.performance.selectors import metrics, pages
    from apps.performance.services import demo

    VERBS["attendance"] = _("Attendance noted")
    cards.register(
        "performance.waiting",
        Card(_("People"), WORKING, "performance/card.html", pages.home_card),
        order=60,
    )
    file_readers.register("performance", may_open_material)
    metrics.register()
    demo_parts.register("performance", DemoPart(demo.load, demo.clear), order=200)
