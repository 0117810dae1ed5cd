"""What a machine must leave to people (GB/T 47746-2026; domain.md 0.6): every reason found, none weighed.

The word lists are data (``data/gates.json``). They look at the whole normalised text: one word is enough, a false
alarm costs one answer by a person, a miss costs trust.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from apps.feedback.analysis import normalise

#: Every reason there is, in the order in which they are told.
REASONS = (
    "not_inquiry",
    "negative",
    "tier",
    "doubtful",
    "price",
    "refund",
    "compensation",
    "legal",
    "health",
    "personal_data",
    "human",
    "anger",
    "counterfeit",
    "elsewhere",
    "long",
    "several",
    "repeated",
)
#: Longer texts tell a story.
LONGEST = 120
#: Emotions of the reading that a person answers. Worry stops where it is about safety or genuineness.
FEELINGS = frozenset({"anger", "disappointment"})
_REFUNDS = frozenset({"REFUND_REFUSED", "REFUND_SLOW", "REFUND_FREIGHT"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What the reading of a case said, and whether the customer has asked before without being helped."""

    kind: str = "inquiry"
    sentiment: str = "neutral"
    emotion: str = "neutral"
    tier: str = "B"
    category: str = ""
    subcategory: str = ""
    s_review: bool = False
    repeated: bool = False


@lru_cache(maxsize=4)
def _patterns(words: tuple[tuple[str, tuple[str, ...]], ...]) -> dict[str, re.Pattern[str]]:
    return {code: re.compile("|".join(map(_expression, listed))) for code, listed in words if listed}


def _expression(word: str) -> str:
    """A word as written; shipped lists may also hold ``re:`` expressions, staff's own lists never do."""
    return word[3:] if word.startswith("re:") else re.escape(normalise(word))


@lru_cache(maxsize=1)
def shipped_words() -> dict[str, tuple[str, ...]]:
    """The lists this version ships with: reason → words."""
    raw = resources.files(__package__).joinpath("data", "gates.json").read_text(encoding="utf-8")
    return {code: tuple(words) for code, words in json.loads(raw).items()}


def stops(text: str, facts: Facts, words: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """The reasons why a person has to answer, in the order of REASONS; empty: a machine may."""
    found = set()
    if facts.kind != "inquiry":
        found.add("not_inquiry")
    if facts.sentiment == "negative" or facts.emotion in FEELINGS:
        found.add("negative")
    if facts.tier in ("S", "A"):
        found.add("tier")
    if facts.s_review:
        found.add("doubtful")
    if facts.category == "PRICE":
        found.add("price")
    if facts.category in ("SAFETY", "COUNTERFEIT"):
        found.add("health" if facts.category == "SAFETY" else "counterfeit")
    if facts.subcategory in _REFUNDS:
        found.add("refund")
    if facts.repeated:
        found.add("repeated")
    plain = normalise(text)
    close = re.sub(r"\s+", "", plain)
    if len(plain) > LONGEST * (1 if not text.isascii() else 3):
        found.add("long")
    if plain.count("?") > 2:
        found.add("several")
    lists = words if words is not None else shipped_words()
    patterns = _patterns(tuple((code, tuple(listed)) for code, listed in sorted(lists.items())))
    found |= {code for code, pattern in patterns.items() if pattern.search(plain) or pattern.search(close)}
    return [reason for reason in REASONS if reason in found]
