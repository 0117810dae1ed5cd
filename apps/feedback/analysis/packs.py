"""Word packs: the taxonomy and the lexicon, compiled for matching.

The shapes are those of ``data/taxonomy.json`` and ``data/lexicon.json`` (domain.md section 4), so that a
shop's edited reference data can be passed in unchanged. Keys a shop's lexicon lacks are taken from the
shipped one; a key that is present wins, even when it is empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any
from zlib import crc32

from .matcher import Matcher
from .normalise import normalise

# Notes for people stand in brackets after a word: 墙壁发霉(门店卫生类).
_NOTE = re.compile(r"\(.*?\)")

EMOTIONS = ("anger", "disappointment", "anxiety", "suggestion", "satisfaction")
KINDS = ("inquiry", "suggestion", "claim")


@dataclass(slots=True)
class Entry:
    """Everything one word of the packs means."""

    word: str
    categories: list[str] = field(default_factory=list)
    s_groups: list[str] = field(default_factory=list)  # auto, review, regulator, fault
    emotions: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    competitor: str = ""
    shields: set[str] = field(default_factory=set)  # codes a hit of which does not count inside this word
    guards: set[str] = field(default_factory=set)  # words which do not count inside this word
    first: int = 0  # position in the reference data: makes ties deterministic


@dataclass(slots=True, frozen=True)
class Node:
    """A taxonomy node as far as reading needs it."""

    code: str
    parent: str
    tier: str
    order: int


class Packs:
    """Compiled reference data."""

    def __init__(
        self,
        taxonomy: Sequence[Mapping[str, Any]],
        lexicon: Mapping[str, Any],
        competitors: Iterable[str] = (),
    ) -> None:
        self.nodes: dict[str, Node] = {}
        self._entries: dict[str, Entry] = {}
        for order, node in enumerate(taxonomy):
            code = node["code"]
            self.nodes[code] = Node(code, node.get("parent") or "", node.get("default_tier") or "A", order)
            # Unverified words were never seen in real reviews: believed, but they wait in their own list
            # so that an administrator can see which words still lack evidence.
            for word in [*node.get("keywords", ()), *node.get("unverified_keywords", ())]:
                self._add(word, "categories", code)
            for word in node.get("exclusions", ()):
                self._shield(word, code)
        default = shipped_lexicon()
        signals = {**default["s_keywords"], **lexicon.get("s_keywords", {})}
        for group, key in (
            ("auto", "auto_S"),
            ("review", "review_S"),
            ("regulator", "regulator_S"),
            ("fault", "fault_S"),
        ):
            for word in signals.get(key, ()):
                self._add(word, "s_groups", group)
        for target, phrases in signals.get("false_friends", {}).items():
            for phrase in phrases:
                entry = self._entry(phrase)
                if entry is not None:
                    entry.guards.add(normalise(target))
        emotions = {**default["emotion"], **lexicon.get("emotion", {})}
        for emotion in EMOTIONS:
            for word in emotions.get(emotion, {}).get("words", ()):
                self._add(word, "emotions", emotion)
            for word in emotions.get(emotion, {}).get("exclusions", ()):
                self._shield(word, f"emotion:{emotion}")
        kinds = {**default.get("kind", {}), **lexicon.get("kind", {})}
        for kind in KINDS:
            for word in kinds.get(kind, {}).get("words", ()):
                self._add(word, "kinds", kind)
            for word in kinds.get(kind, {}).get("exclusions", ()):
                self._shield(word, f"kind:{kind}")
        self.competitors = tuple(
            dict.fromkeys(name for name in (*competitors, *lexicon.get("competitors", ())) if name)
        )
        for name in self.competitors:
            entry = self._entry(name)
            if entry is not None:
                entry.competitor = name
        self.version = fingerprint(taxonomy, lexicon, self.competitors)
        self.s_codes = frozenset(signals.get("s_subcategories", ()))
        self.review_words = frozenset(map(normalise, signals.get("review_S", ())))
        self.doubt = _alternation(signals.get("doubt_prefix", ()))
        self.elsewhere = _alternation(signals.get("past_or_other_prefix", ()))
        self.negators = tuple(
            sorted(map(normalise, signals.get("negation_prefix", ())), key=len, reverse=True)
        )
        self.matcher: Matcher[Entry] = Matcher(self._entries.items())

    def _entry(self, word: str) -> Entry | None:
        key = normalise(_NOTE.sub("", word))
        if not key:
            return None
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = Entry(key, first=len(self._entries))
        return entry

    def _add(self, word: str, slot: str, code: str) -> None:
        entry = self._entry(word)
        if entry is not None and code not in getattr(entry, slot):
            getattr(entry, slot).append(code)

    def _shield(self, word: str, code: str) -> None:
        entry = self._entry(word)
        if entry is not None:
            entry.shields.add(code)

    def top(self, code: str) -> str:
        """The top-level code above ``code`` (or itself); a shop may have removed the subcategory."""
        node = self.nodes.get(code)
        return node.parent or node.code if node else code.partition("_")[0]


def fingerprint(
    taxonomy: Sequence[Mapping[str, Any]], lexicon: Mapping[str, Any], competitors: Sequence[str]
) -> str:
    """Eight hex digits which change with any word, so that a reading can name the words it was made with."""
    canonical = json.dumps([taxonomy, lexicon, competitors], sort_keys=True, ensure_ascii=False)
    return f"{crc32(canonical.encode('utf-8', 'replace')):08x}"


def _alternation(words: Iterable[str]) -> re.Pattern[str]:
    ordered = sorted({normalise(word) for word in words} - {""}, key=lambda word: (-len(word), word))
    return re.compile("|".join(map(re.escape, ordered)) or r"(?!)")


def _load(name: str) -> Any:
    return json.loads(resources.files(__package__).joinpath("data", name).read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def shipped_version() -> str:
    """Fingerprint of the shipped word lists."""
    return fingerprint(shipped_taxonomy(), shipped_lexicon(), ())


@lru_cache(maxsize=1)
def shipped_taxonomy() -> list[dict[str, Any]]:
    """The shipped taxonomy; do not modify the returned list."""
    taxonomy: list[dict[str, Any]] = _load("taxonomy.json")
    return taxonomy


@lru_cache(maxsize=1)
def shipped_lexicon() -> dict[str, Any]:
    """The shipped lexicon; do not modify the returned dict."""
    lexicon: dict[str, Any] = _load("lexicon.json")
    return lexicon
