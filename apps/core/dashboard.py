"""Cards of the first page. Each app registers its own; the page asks who may see what (screens.md, home)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.core.registry import Registry


@dataclass(frozen=True)
class Card:
    """One card: the groups it is for, the template that draws it and the function that fills it.

    `context(user, now)` answers the template's variables or None when there is nothing to show.
    """

    title: Any
    groups: frozenset[str]
    template: str
    context: Callable[[Any, datetime], dict[str, Any] | None]
    wide: bool = False


cards: Registry[Card] = Registry("dashboard cards")
