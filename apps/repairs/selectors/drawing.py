"""Numbers as the points of an inline SVG line. No script, no library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, EDGE = 300, 60, 4


@dataclass(frozen=True, slots=True)
class Dot:
    """One point on the picture."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Line:
    """Stretches without a gap, the dots, the place of a mark, and the ends of the scale."""

    stretches: tuple[str, ...]
    dots: tuple[Dot, ...]
    low: float | None
    high: float | None
    mark: float | None = None
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.dots


def place(index: float, count: int) -> float:
    """Where the `index`-th of `count` stands."""
    return round(EDGE + (WIDTH - 2 * EDGE) * (index / max(count - 1, 1)), 1)


def line(values: Sequence[float | None], *, mark: float | None = None, upside_down: bool = False) -> Line:
    """A line through the known values; a gap where one is missing. `mark` is an index, between two where it is a fraction."""
    known = [value for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (None, None)
    stretches: list[list[Dot]] = [[]]
    for index, value in enumerate(values):
        if value is None or low is None or high is None:
            stretches.append([])
            continue
        share = (value - low) / (high - low) if high > low else 0.5
        if upside_down:
            share = 1 - share
        y = round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * share, 1)
        stretches[-1].append(Dot(place(index, len(values)), y))
    return Line(
        stretches=tuple(
            " ".join(f"{dot.x},{dot.y}" for dot in stretch) for stretch in stretches if len(stretch) > 1
        ),
        dots=tuple(dot for stretch in stretches for dot in stretch),
        low=low,
        high=high,
        mark=place(mark, len(values)) if mark is not None else None,
    )
