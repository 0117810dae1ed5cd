"""What is counted about a person's work, and how a score is made of it. Plain Python (R34; domain.md 3.3 and 6)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from math import ceil
from typing import Any

#: Share of the whole weight that tempting figures may carry together: paying for withdrawn reviews drives harassment.
TEMPTING_AT_MOST = 1 / 3
#: Below this part of the weights nothing is said: a score of leftovers would be no score.
LEAST_COUNTED = 0.5


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its unit, which way is better, and whether weight on it tempts people to press customers."""

    code: str
    unit: str
    better: str
    tempting: bool = False
    penalty: bool = False


FIGURES: dict[str, Figure] = {
    figure.code: figure
    for figure in (
        Figure("handled", "count", "up"),
        Figure("on_time", "share", "up"),
        Figure("response_median", "minutes", "down"),
        Figure("response_p90", "minutes", "down"),
        Figure("repair_success", "share", "up"),
        Figure("csat", "share", "up"),
        Figure("reopened", "share", "down"),
        Figure("cost", "cny", "down"),
        Figure("quality", "share", "up"),
        Figure("callbacks", "count", "up"),
        Figure("withdrawn", "share", "up", tempting=True),
        Figure("compliance", "count", "down", penalty=True),
    )
}


@dataclass(frozen=True, slots=True)
class Rule:
    """How much one figure weighs, where it earns full points (`best`) and where none (`worst`).

    For a penalty `weight` is what one hit costs, in points of the score; `best` and `worst` are not read.
    """

    figure: str
    weight: float
    best: float = 0.0
    worst: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the explanation of a score. `points` (0–100) is None where the figure was left out, `why` says so."""

    figure: str
    value: float | None
    n: int
    weight: float
    best: float
    worst: float
    points: float | None
    why: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Result:
    """A score of 0–100 with its parts; None where too little was seen to say anything."""

    score: float | None
    parts: tuple[Part, ...]


def objections(rules: Sequence[Rule]) -> list[str]:
    """Why these weights may not be used, as codes: empty, unknown, twice, negative, flat, direction, tempting.

    Weight on withdrawn or revised reviews must stay within a third of the whole: staff paid by them press customers,
    which is harassment and an unfair practice (反不正当竞争法; domain.md 6, "Do not pay on 撤销率 alone").
    """
    found: list[str] = []
    known = [rule for rule in rules if rule.figure in FIGURES]
    if len(known) < len(rules):
        found.append("unknown")
    if len({rule.figure for rule in rules}) < len(rules):
        found.append("twice")
    if any(rule.weight < 0 for rule in rules):
        found.append("negative")
    earning = [rule for rule in known if not FIGURES[rule.figure].penalty and rule.weight > 0]
    whole = sum(rule.weight for rule in earning)
    if whole <= 0:
        return [*found, "empty"]
    if any(rule.best == rule.worst for rule in earning):
        found.append("flat")
    elif any((rule.best > rule.worst) != (FIGURES[rule.figure].better == "up") for rule in earning):
        found.append("direction")
    tempting = sum(rule.weight for rule in earning if FIGURES[rule.figure].tempting)
    if tempting > whole * TEMPTING_AT_MOST + 1e-9:
        found.append("tempting")
    return found


def grade(value: float, best: float, worst: float) -> float:
    """0–100: where `value` lies between worst and best.

    >>> grade(0.85, 0.95, 0.75)
    50.0
    """
    return round(min(1.0, max(0.0, (value - worst) / (best - worst))) * 100, 1)


def score(rules: Sequence[Rule], seen: Mapping[str, tuple[float | None, int]], least_n: int) -> Result:
    """A score from values with their n. Figures with fewer than `least_n` are left out and the rest weighs more.

    Counts and penalties need no least n: each is complete by itself. What tempts never weighs more than its part of what
    was counted: where much was left out, it is left out too.
    """
    parts: list[Part] = []
    tempting = 0.0
    earned = counted = whole = penalty = 0.0
    for rule in rules:
        figure = FIGURES[rule.figure]
        value, n = seen.get(rule.figure, (None, 0))
        line = {
            "figure": rule.figure, "value": value, "n": n, "weight": rule.weight, "best": rule.best, "worst": rule.worst,
        }  # fmt: skip
        if rule.weight == 0:
            continue
        if figure.penalty:
            lost = (value or 0) * rule.weight
            penalty += lost
            parts.append(Part(**line, points=-lost))  # type: ignore[arg-type]
            continue
        whole += rule.weight
        if value is None:
            parts.append(Part(**line, points=None, why="none"))  # type: ignore[arg-type]
        elif figure.unit != "count" and n < least_n:
            parts.append(Part(**line, points=None, why="few"))  # type: ignore[arg-type]
        else:
            points = grade(value, rule.best, rule.worst)
            earned += points * rule.weight
            counted += rule.weight
            tempting += rule.weight if figure.tempting else 0
            parts.append(Part(**line, points=points))  # type: ignore[arg-type]
    if tempting > counted * TEMPTING_AT_MOST + 1e-9:
        lone = [part for part in parts if FIGURES[part.figure].tempting and part.points is not None]
        earned -= sum((part.points or 0) * part.weight for part in lone)
        counted -= tempting
        parts = [replace(part, points=None, why="tempting") if part in lone else part for part in parts]
    if whole <= 0 or counted < whole * LEAST_COUNTED:
        return Result(None, tuple(parts))
    return Result(round(max(0.0, earned / counted - penalty), 1), tuple(parts))


# -- minutes ----------
def median(values: Sequence[float]) -> float | None:
    """The middle one; of an even number the mean of the two in the middle. `values` are sorted."""
    if not values:
        return None
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` of all do not exceed (nearest rank). `values` are sorted."""
    return values[max(ceil(share * len(values)) - 1, 0)] if values else None


# -- samples ----------
def sample_size(population: int, count: int, percent: int) -> int:
    """How many cases of a person are looked at: `count`, or `percent` of them where that is more."""
    return min(population, max(count, ceil(population * percent / 100)))


def draw(seed: str, ids: Iterable[int], size: int) -> list[int]:
    """`size` of `ids`, at random but the same for the same seed; a case more or less moves few others."""
    ranked = sorted(ids, key=lambda pk: hashlib.sha256(f"{seed}:{pk}".encode()).digest())
    return ranked[:size]


# -- months ----------
def month_of(day: date) -> date:
    """The first day of its month."""
    return day.replace(day=1)


def step(month: date, by: int) -> date:
    """The first day of the month `by` months later (earlier when negative)."""
    number = month.year * 12 + month.month - 1 + by
    return date(number // 12, number % 12 + 1, 1)


# -- quizzes ----------
def mark(questions: Sequence[frozenset[int]], answers: Sequence[frozenset[int]]) -> int:
    """How many questions were answered exactly as they should be; a half-right choice of several is not right."""
    return sum(bool(right) and right == given for right, given in zip(questions, answers, strict=True))
