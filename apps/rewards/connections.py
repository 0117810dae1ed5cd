"""What rewards plugs into lower apps."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core.approvals import Decider, deciders
from apps.core.dashboard import Card, cards
from apps.core.wording import VERBS, move_tables
from apps.customers.registries import Mover, Panel, TimelineSource, movers, panels, timeline
from apps.customers.signals import orders_written

log = logging.getLogger(__name__)
CARING = frozenset(
    {"care", "care-lead", "ops-lead", "manager", "admin"},
)


def on_orders(sender: Any, *, order_ids: list[int], now: datetime, **others: Any) -> None:
    """Coupons of cancelled orders are good again. The sweep does what fails here."""
    from apps.rewards.services.coupons import free_for_orders

    try:
        free_for_orders(order_ids=order_ids, now=now)
    except Exception:
        log.exception("rewards: coupons of cancelled orders could not be freed")


def may_open_proof(user: Any, stored: Any) -> bool:
    """Whether a stored file proves a payment this person may see. One query."""
    from apps.rewards.models import Grant

    return (
        user.has_perm("rewards.view_grant")
        and Grant.objects.visible_to(user).filter(proof_file=stored).exists()
    )


def connect() -> None:
    """Register; called once when Django starts."""
    from apps.core.admin.files import file_readers
    from apps.core.demo import DemoPart, demo_parts
    from apps.rewards import selectors
    from apps.rewards.services import demo, points
    from apps.rewards.transitions import ACCOUNT, COUPON, DELIVERY, GIFT, GRANT

    for model in ("grant", "coupon", "pointsaccount", "giftdelivery"):
        movers.register(f"rewards.{model}.customer", Mover(f"rewards.{model}", "customer"))
    panels.register(
        "rewards",
        Panel(
            _("Coupons and points"),
            "rewards/customer_panel.html",
            selectors.customer_panel,
            "rewards.view_coupon",
        ),
        order=40,
    )
    timeline.register("rewards", TimelineSource(_("Rewards"), selectors.grant_events), order=40)
    deciders.register(points.KIND, Decider(_("adjustment of points"), points.approved))
    file_readers.register("rewards", may_open_proof)
    for label, table in (
        ("rewards.grant", GRANT),
        ("rewards.coupon", COUPON),
        ("rewards.giftdelivery", DELIVERY),
        ("rewards.gift", GIFT),
        ("rewards.pointsaccount", ACCOUNT),
    ):
        move_tables.register(label, table)
    VERBS["grant"] = _("Given")
    cards.register(
        "rewards",
        Card(_("Care and compensation"), CARING, "rewards/card.html", selectors.care_card),
        order=36,
    )
    demo_parts.register("rewards", DemoPart(lambda now: demo.load(now), demo.clear), order=10)
    orders_written.connect(on_orders, dispatch_uid="rewards.orders")
