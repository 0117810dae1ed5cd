"""What higher apps add to the demo shop, and take away with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.core.registry import Registry


@dataclass(frozen=True)
class DemoPart:
    """`load(now=)` runs after the demo's history was played; `clear()` before anything of the demo goes, newest part first."""

    load: Callable[..., Any]
    clear: Callable[[], Any]


demo_parts: Registry[DemoPart] = Registry("parts of the demo shop")
