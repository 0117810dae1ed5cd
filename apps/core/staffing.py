"""What a higher app knows about a person's open work, for the pages of people further down the street."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.core.registry import Registry


@dataclass(frozen=True)
class OpenWork:
    """What a person still has to do, in one sentence, and where it is handed over."""

    count: int
    text: str
    url: str


# Each answers for (person, viewer, now), or None when the viewer may not hand over. Costs a few queries: one person only.
open_work: Registry[Callable[[Any, Any, datetime], OpenWork | None]] = Registry("open work of a person")


def open_work_of(person: Any, viewer: Any, now: datetime) -> list[OpenWork]:
    """What every app knows of a person's open work that the viewer may hand over."""
    return [found for ask in open_work if (found := ask(person, viewer, now)) is not None]
