"""Traditional characters in simplified form, one to one. Plain Python: readings and legal checks both use it."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

TRADITIONAL_FILE = "traditional.tsv"


@lru_cache(maxsize=1)
def traditional_table() -> dict[int, int]:
    """The character table for `str.translate`, generated from OpenCC (feedback/analysis/training/build_traditional)."""
    text = resources.files("apps.core").joinpath("data", TRADITIONAL_FILE).read_text(encoding="utf-8")
    table: dict[int, int] = {}
    for line in text.splitlines():
        if line.startswith("#") or not line:
            continue
        source, _, targets = line.partition("\t")
        table.update((ord(a), ord(b)) for a, b in zip(source, targets, strict=True))
    return table


def to_simplified(text: str) -> str:
    """Replace traditional characters one by one; length and offsets stay the same."""
    return text.translate(traditional_table())
