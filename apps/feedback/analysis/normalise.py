"""Bring customer text into one spelling, and remember where every character came from.

The word lists are written in simplified Chinese with half-width punctuation, while customers write
full-width letters, traditional characters, control characters and 好好好好好. Everything is matched on
the normalised text; everything shown to staff points into the original (R7: explainable readings).

Most characters map one to one, so the common path is a single ``str.translate`` and the offsets stay
the same. Only text with runs, zero-width characters or folded blanks needs a map of offsets.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from apps.core.chinese import to_simplified, traditional_table

__all__ = ("Normalised", "normalise", "normalise_mapped", "to_simplified")

# Ranges whose NFKC form is one character: Kangxi radicals, circled digits, compatibility ideographs.
_COMPATIBILITY_RANGES = (
    (0x2460, 0x2474),
    (0x2F00, 0x2FD6),
    (0x3000, 0x3001),
    (0xF900, 0xFAFF),
    (0xFF01, 0xFFEF),
)

# Zero-width joiners stay: they hold emoji families together. Variation selectors go: ❤️ must equal ❤.
_FOLDED = re.compile(
    "[\u00ad\u200b\u200c\u200e\u200f\u2060\ufe0e\ufe0f\ufeff]+"  # invisible
    r"|^\s+|\s+$|\s{2,}"  # blanks
    r"|([^\d\s])\1{2,}"  # runs; digits stay, 10000 is a price
)


@lru_cache(maxsize=1)
def _one_to_one() -> dict[int, int]:
    table: dict[int, int] = {}
    for low, high in _COMPATIBILITY_RANGES:
        for code in range(low, high):
            form = unicodedata.normalize("NFKC", chr(code))
            if len(form) == 1 and form != chr(code):
                table[code] = ord(form)
    # A control character separates words at least as well as a blank does. A lone surrogate cannot be
    # encoded, so it must not survive into keywords or log lines.
    table.update(dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029], 0x20))
    table.update(dict.fromkeys(range(0xD800, 0xE000), 0xFFFD))
    table.update({code: code + 32 for code in range(ord("A"), ord("Z") + 1)})
    table.update({code: code - 0xFF21 + ord("a") for code in range(0xFF21, 0xFF3B)})
    table.update(traditional_table())
    return table


@dataclass(slots=True, frozen=True)
class Normalised:
    """Normalised text and, unless it is one to one, the original index of every character."""

    text: str
    offsets: tuple[int, ...] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Translate a span of the normalised text into the original one."""
        if self.offsets is None or end <= start:
            return start, end
        return self.offsets[start], self.offsets[end - 1] + 1


def normalise_mapped(text: str) -> Normalised:
    """Normalise and keep the way back to the original offsets."""
    plain = text.translate(_one_to_one())
    if _FOLDED.search(plain) is None:
        return Normalised(plain)
    parts: list[str] = []
    offsets: list[int] = []
    position = 0
    for match in _FOLDED.finditer(plain):
        start, end = match.span()
        parts.append(plain[position:start])
        offsets.extend(range(position, start))
        run = match.group(1)
        if run is not None:
            # Two remain, so that 差差差 and 好好好好 meet their entries in the lists.
            parts.append(run * 2)
            offsets.extend((start, start + 1))
        elif plain[start].isspace() and start > 0 and end < len(plain):
            parts.append(" ")
            offsets.append(start)
        position = end
    parts.append(plain[position:])
    offsets.extend(range(position, len(plain)))
    return Normalised("".join(parts), tuple(offsets))


def normalise(text: str) -> str:
    """Half-width, lower-case, simplified, blanks folded, runs shortened to two, emoji kept."""
    return normalise_mapped(text).text
