"""JSON lines in, JSON lines out: the pure part of the ``analyse`` command."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any

from .reader import Reader
from .types import Reading


def as_dict(reading: Reading) -> dict[str, Any]:
    """The public fields of a reading, in the order of the interface contract (decisions 8)."""
    return {
        "kind": reading.kind,
        "sentiment": reading.sentiment,
        "sentiment_score": reading.sentiment_score,
        "emotion": reading.emotion,
        "category": reading.category,
        "subcategory": reading.subcategory,
        "tier": reading.tier,
        "s_review": reading.s_review,
        "needs_review": reading.needs_review,
        "confidence": reading.confidence,
        "keywords": list(reading.keywords),
        "spans": [
            {"start": s.start, "end": s.end, "word": s.word, "role": s.role, "code": s.code}
            for s in reading.spans
        ],
    }


def analyse_lines(lines: Iterable[str], use_rating: bool, reader: Reader) -> Iterator[str]:
    """Read one JSON object per line and yield one JSON object per non-blank line.

    Input ``{"id", "text", "rating"?}``; a line that cannot be read yields ``{"id", "error", "line"}``
    and the stream goes on. Output is ASCII-safe where it must be: a lone surrogate in an id is escaped,
    so that the line can always be encoded. Long texts are bounded by ``reader.MAX_SCAN``.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip("\ufeff \t\r\n"):
            yield _dump(_analyse(line, number, use_rating, reader))


def _analyse(line: str, number: int, use_rating: bool, reader: Reader) -> dict[str, Any]:
    try:
        item = json.loads(line.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return {"id": None, "error": "not valid JSON", "line": number}
    if not isinstance(item, dict):
        return {"id": None, "error": "not a JSON object", "line": number}
    identity = item.get("id")
    # JSON has no NaN, but Python's parser accepts it and could not write it back.
    finite = not isinstance(identity, float) or isfinite(identity)
    if not finite or not (identity is None or isinstance(identity, str | int | float)):
        return {"id": None, "error": "id must be text or a number", "line": number}
    text = item.get("text")
    if not isinstance(text, str):
        return {"id": identity, "error": "text is missing or not text", "line": number}
    rating = None
    if use_rating and item.get("rating") is not None:
        rating = _rating(item["rating"])
        if rating is None:
            return {"id": identity, "error": "rating must be a whole number from 1 to 5", "line": number}
    return {"id": identity, **as_dict(reader.read(text, rating))}


def _rating(value: object) -> int | None:
    if isinstance(value, str):
        value = value.strip()
        if value not in {"1", "2", "3", "4", "5"}:
            return None
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value not in (1, 2, 3, 4, 5):
        return None
    return int(value)


def _dump(value: dict[str, Any]) -> str:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value)
    return text
