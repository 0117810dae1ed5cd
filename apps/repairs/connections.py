"""What repairs plugs into lower apps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _


def may_open_permission(user: Any, stored: Any) -> bool:
    """Whether a stored file shows an author's permission that this person may read. One query."""
    from apps.repairs.models import ShowcaseItem

    return (
        user.has_perm("repairs.view_showcaseitem")
        and ShowcaseItem.objects.visible_to(user).filter(permissions__file=stored).exists()
    )


def reputation_card(user: Any, now: datetime) -> dict[str, Any] | None:
    """Late actions and reviews waiting for release."""
    from apps.repairs.selectors.reputation import home_card

    return home_card(user, now)


def author_answered(inbound: Any, now: datetime) -> bool:
    """An author's yes or no to being shown."""
    from apps.repairs.services.showcase import on_answer

    return on_answer(inbound, now)


def plug_showcase() -> None:
    """Indicators of reviews, authors' answers, the card for leads, evidence files."""
    from apps.core.admin.files import file_readers
    from apps.core.dashboard import Card, cards
    from apps.core.metrics import metrics
    from apps.messaging.registries import inbound_handlers
    from apps.repairs.selectors.reviews import METRICS

    for order, metric in enumerate(METRICS):
        metrics.register(metric.code, metric, order=10 + order)
    # Before the case's own handler: a plain yes to our question is no new word on the case.
    inbound_handlers.register("showcase", author_answered, order=5)
    file_readers.register("repairs.showcase", may_open_permission)
    cards.register(
        "repairs.reputation",
        Card(
            _("Reputation: late or waiting"),
            frozenset({"ops-lead", "care-lead", "pr-lead", "manager", "admin"}),
            "repairs/cards/reputation.html",
            reputation_card,
        ),
        order=45,
    )


def connect() -> None:
    """Register; called once when Django starts."""
    plug_showcase()
