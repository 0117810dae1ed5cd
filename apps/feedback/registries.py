"""What higher apps show on the page of a case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.core.registry import Registry


@dataclass(frozen=True)
class CasePanel:
    """A card beside a case. `context(feedback, user, now)` fills the template, or answers None to show nothing."""

    title: Any
    template: str
    context: Callable[[Any, Any, datetime], dict[str, Any] | None]


case_panels: Registry[CasePanel] = Registry("panels of a case")
