"""Searching Chinese: two characters must hit an index. Plain Python.

A text is cut into pairs of neighbouring Chinese characters (and the last one of each run) and whole Latin words or
numbers; a single character is found as the beginning of a pair. On
PostgreSQL these are the lexemes of a tsvector under a GIN index; on SQLite the body is scanned.
"""

from __future__ import annotations

import re
import unicodedata

from apps.feedback.analysis import to_simplified

# Longer texts are searchable by their first part; a tsvector has an upper bound of 1 MB.
MAX_INDEXED = 4000
_RUN = re.compile(r"[\u3400-\u9fff]+|[a-z0-9]+")


def body_of(masked: str, external_id: str = "") -> str:
    """What is searched: the masked text in one spelling (half width, lower case, simplified), and the platform id."""
    text = to_simplified(unicodedata.normalize("NFKC", masked[:MAX_INDEXED])).lower()
    return f"{text} {external_id.lower()}" if external_id else text


def grams(body: str) -> set[str]:
    """The lexemes of a body."""
    found: set[str] = set()
    for run in _RUN.findall(body):
        if run[0] >= "\u3400":
            found.update(map(str.__add__, run, run[1:]))
            found.add(run[-1])
        else:
            found.add(run[:40])
    return found


def vector(body: str) -> str:
    """The body as tsvector text. Lexemes hold letters and digits only, so nothing needs escaping."""
    found = grams(body)
    return "'" + "' '".join(found) + "'" if found else ""


def query(words: str) -> str:
    """A search phrase as tsquery text: all of its pairs; a Latin word also by its beginning. "" matches nothing."""
    parts: list[str] = []
    for run in _RUN.findall(body_of(words)):
        if run[0] >= "\u3400":
            if len(run) == 1:
                parts.append(f"'{run}':*")
            parts += [f"'{run[i : i + 2]}'" for i in range(len(run) - 1)]
        else:
            parts.append(f"'{run[:40]}':*")
    return " & ".join(parts)
