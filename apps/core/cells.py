"""Cells of files that people open in a spreadsheet."""

from __future__ import annotations

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def neutral(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP: CSV injection)."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
