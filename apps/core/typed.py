"""What people and programs type where a number is meant."""

from __future__ import annotations

# The largest key a database holds has 19 digits, but not every number of 19 digits is one.
MOST_DIGITS = 18


def whole_number(text: object) -> int | None:
    """The whole number in plain digits 0-9, None for everything else: "", "-1", "²", "１２", a hundred digits.

    `str.isdigit` lets through what `int` refuses and what no column holds.
    """
    if not isinstance(text, str) or len(text) > MOST_DIGITS or not (text.isascii() and text.isdecimal()):
        return None
    return int(text)


def whole_numbers(texts: list[str]) -> list[int]:
    """Those of `texts` that are whole numbers, in their order."""
    return [number for text in texts if (number := whole_number(text)) is not None]
