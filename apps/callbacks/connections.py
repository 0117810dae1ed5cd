"""What callbacks plugs into lower apps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core.dashboard import Card, cards
from apps.core.staffing import OpenWork, open_work
from apps.customers.registries import Mover, Panel, TimelineSource, movers, panels, timeline

CALLING = frozenset({"ops", "ops-lead", "care", "care-lead", "pr", "pr-lead", "store", "manager", "admin"})


def may_open_file(user: Any, stored: Any) -> bool:
    """Whether a recording belongs to a callback this person may see. One query."""
    from apps.callbacks.models import Callback

    return (
        user.has_perm("callbacks.view_callback")
        and Callback.objects.visible_to(user).filter(attempt_rows__file=stored).exists()
    )


def open_work_of(person: Any, viewer: Any, now: datetime) -> OpenWork | None:
    """Callbacks a person still has, for whoever may give them to others. One query."""
    from django.urls import reverse
    from django.utils.translation import ngettext

    from apps.callbacks.models import Callback

    if not viewer.has_perm("callbacks.assign_callback"):
        return None
    n = Callback.objects.visible_to(viewer).open().filter(assignee=person).count()
    return OpenWork(
        count=n,
        text=ngettext("%(person)s has %(n)d open callback.", "%(person)s has %(n)d open callbacks.", n)
        % {"person": person, "n": n},
        url=reverse("admin:callbacks_callback_changelist") + f"?assignee__id__exact={person.pk}&what=open",
    )


def connect() -> None:
    """Register; called once when Django starts."""
    from apps.callbacks import selectors
    from apps.callbacks.selectors import agenda, figures
    from apps.callbacks.services import demo
    from apps.core.admin.files import file_readers
    from apps.core.demo import DemoPart, demo_parts
    from apps.core.wording import VERBS
    from apps.feedback.registries import CasePanel, case_panels

    VERBS["raise_feedback"] = _("New feedback taken down")
    movers.register("callbacks.callback.customer", Mover("callbacks.callback", "customer"))
    timeline.register("callbacks", TimelineSource(_("Callbacks"), selectors.timeline_events), order=15)
    panels.register(
        "callbacks",
        Panel(
            _("Callbacks"),
            "callbacks/customer_panel.html",
            selectors.customer_panel,
            "callbacks.view_callback",
        ),
        order=20,
    )
    case_panels.register(
        "callbacks",
        CasePanel(_("Callbacks"), "callbacks/case_panel.html", selectors.case_panel),
        order=90,
    )
    cards.register(
        "callbacks.due", Card(_("Callbacks"), CALLING, "callbacks/card.html", agenda.home_card), order=35
    )
    open_work.register("callbacks", open_work_of)
    file_readers.register("callbacks", may_open_file)
    figures.register()
    demo_parts.register("callbacks", DemoPart(demo.load, demo.clear))
