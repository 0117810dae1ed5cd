"""Indicators by code: numerator, denominator and where they come from (architecture, what several apps share).

Each app registers its own; whoever shows one asks here and says n beside it (domain.md 3.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from apps.core.registry import Registry


@dataclass(frozen=True, slots=True)
class Span:
    """Whole days of the shop's zone, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Point:
    """One period's figure. `hits` of `n` for shares; `value` is what is drawn, None where nothing may be said."""

    span: Span
    hits: float
    n: float
    value: float | None


@dataclass(frozen=True)
class Metric:
    """One indicator. `series(spans, scope)` answers one Point per span in a fixed number of queries.

    `scope` narrows by key: store, category, product, channel, agent (ids); what a metric cannot be narrowed by stands
    not in `narrows` and is ignored by nobody: asking for it raises KeyError. `better` is "up" or "down". `unit` is
    "share" (0 to 1), "count", "minutes", "cny" or "score". `matures_days`: how many days pass before a period is ripe.
    """

    code: str
    label: Any
    unit: str
    better: str
    series: Callable[[Sequence[Span], Mapping[str, int]], Sequence[Point]]
    definition: Any = ""
    narrows: frozenset[str] = field(default_factory=frozenset)
    matures_days: int = 0


metrics: Registry[Metric] = Registry("metrics")
