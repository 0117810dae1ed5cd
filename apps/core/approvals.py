"""Approval by a second person: what a decision of each kind causes, registered by the apps that ask for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core.registry import Registry
from apps.core.transitions import Move, TransitionTable, states

DECIDE = "core.decide_approval"

APPROVAL = TransitionTable(
    name="approval",
    states=("pending", "approved", "rejected", "cancelled"),
    moves=(
        Move(
            "approve",
            pgettext_lazy("approval", "Approve"),
            states("pending"),
            "approved",
            DECIDE,
            main=True,
            help=_("What was asked for takes effect at once. Your name stays with it."),
        ),
        Move(
            "reject",
            pgettext_lazy("approval", "Reject"),
            states("pending"),
            "rejected",
            DECIDE,
            needs_reason=True,
            danger=True,
            help=_("Say why: whoever asked reads it."),
        ),
        Move(
            "withdraw",
            pgettext_lazy("approval", "Withdraw"),
            states("pending"),
            "cancelled",
            "core.view_approval",
            help=_("For whoever asked."),
        ),
    ),
)


@dataclass(frozen=True)
class Decider:
    """What one kind of approval is called and what follows.

    `approved(approval, by, now)` and `rejected(approval, by, now)` run inside the deciding transaction: a refusal of
    theirs (DomainError) takes the decision back with it.
    """

    label: Any
    approved: Callable[[Any, Any, datetime], None]
    rejected: Callable[[Any, Any, datetime], None] | None = None


deciders: Registry[Decider] = Registry("kinds of approval")


def waiting_card(user: Any, now: datetime) -> dict[str, Any] | None:
    """What waits for this person, for the first page; nothing to decide, no card. One query."""
    from apps.core.services.approvals import waiting_for

    rows = list(waiting_for(user)[:5]) if user.has_perm(DECIDE) else []
    return {"rows": rows} if rows else None
