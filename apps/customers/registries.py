"""Where higher apps plug into the customer: panels, timeline sources, movers for merging."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.core.registry import Registry


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One line of a customer's timeline (R25). `text` is masked by its source."""

    at: datetime
    kind: str
    title: Any
    text: str = ""
    url: str = ""
    icon: str = "circle"


@dataclass(frozen=True)
class TimelineSource:
    """Newest events of one customer: `events(customer_id, user, limit)` in a fixed number of queries."""

    label: Any
    events: Callable[[int, Any, int], Iterable[TimelineEvent]]


@dataclass(frozen=True)
class Panel:
    """A tab or card of the customer page, filled by `context(customer, user)`."""

    label: Any
    template: str
    context: Callable[[Any, Any], dict[str, Any]]
    permission: str


@dataclass(frozen=True)
class Mover:
    """How one relation changes hands when customers are merged: (model label, field).

    Registered for every relation to Customer; a test names relations that no mover covers.
    """

    model: str
    field: str


# Which customers a person bound to some stores meets: `reach(store_ids, user)` gives a query of customer keys.
Reach = Callable[[tuple[int, ...], Any], Any]

reach: Registry[Reach] = Registry("customers within reach")
timeline: Registry[TimelineSource] = Registry("timeline sources")
panels: Registry[Panel] = Registry("customer panels")
movers: Registry[Mover] = Registry("merge movers")
