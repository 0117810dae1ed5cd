"""Shares of small samples (domain.md 3.3; Brown, Cai, DasGupta 2001 recommend Wilson for small n)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

#: Below this only counts are shown; below MANY the share comes with its interval and a word of warning.
FEW, MANY = 10, 30


def wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a share. (0, 1) without any observation.

    >>> tuple(round(x, 3) for x in wilson(3, 20))
    (0.052, 0.36)
    """
    if n <= 0:
        return 0.0, 1.0
    share = hits / n
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Share:
    """A share with what it rests on."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The share, or None where so few were seen that only the counts may be told."""
        return self.hits / self.n if self.n >= FEW else None

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, Wilson."""
        return wilson(self.hits, self.n)

    @property
    def is_small(self) -> bool:
        """Whether to say that the sample is small."""
        return self.n < MANY


def newcombe(hits: int, n: int, other_hits: int, other_n: int) -> tuple[float, float, float]:
    """The difference of two shares with its 95 % interval (Newcombe 1998, method 10: from two Wilson intervals).

    >>> tuple(round(x, 3) for x in newcombe(56, 70, 48, 80))
    (0.2, 0.052, 0.334)
    """
    share, other = hits / n, other_hits / other_n
    (low, high), (other_low, other_high) = wilson(hits, n), wilson(other_hits, other_n)
    down = sqrt((share - low) ** 2 + (other_high - other) ** 2)
    up = sqrt((high - share) ** 2 + (other - other_low) ** 2)
    return share - other, share - other - down, share - other + up
