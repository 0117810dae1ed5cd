"""Numbers that strangers write: in addresses, hidden fields and cells of files."""

from __future__ import annotations

from collections.abc import Iterable

# Every number of so many digits fits the 64 bits of a key.
MOST_DIGITS = 18


def whole_number(text: object) -> int | None:
    """The whole number that `text` is written as, or None: digits 0 to 9 alone, at most 18 of them.

    `str.isdigit` is no such check: it lets "²" pass, which `int` refuses, and numbers no column holds.
    """
    digits = str(text)
    if not 0 < len(digits) <= MOST_DIGITS or not (digits.isascii() and digits.isdecimal()):
        return None
    return int(digits)


def whole_numbers(texts: Iterable[object]) -> list[int]:
    """Those of `texts` that are whole numbers, in their order."""
    return [number for text in texts if (number := whole_number(text)) is not None]
