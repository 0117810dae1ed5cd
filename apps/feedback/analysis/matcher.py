"""Find every occurrence of a few thousand words in one pass.

An automaton in pure Python spends its time in the interpreter; here the bigrams of the text are made
by C code and looked up in a dict, so that only real candidates cost Python steps (about 5 µs for a
typical review).
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from operator import add, itemgetter
from typing import Generic, TypeVar

T = TypeVar("T")


class Matcher(Generic[T]):
    """Maps words to payloads and reports ``(start, end, payload)`` in text order."""

    __slots__ = ("_heads", "_singles")

    def __init__(self, words: Iterable[tuple[str, T]]) -> None:
        by_head: dict[str, dict[int, dict[str, T]]] = {}
        self._singles: dict[str, T] = {}
        for word, payload in words:
            if len(word) == 1:
                self._singles[word] = payload
            elif word:
                by_head.setdefault(word[:2], {}).setdefault(len(word), {})[word] = payload
        # Hundreds of words begin with 没有: one lookup per length beats one comparison per word.
        self._heads = {head: tuple(lengths.items()) for head, lengths in by_head.items()}

    def find(self, text: str, characters: Set[str]) -> list[tuple[int, int, T]]:
        """All occurrences; ``characters`` is ``set(text)``, which the caller has at hand."""
        found: list[tuple[int, int, T]] = []
        for index, lengths in enumerate(map(self._heads.get, map(add, text, text[1:]))):
            if lengths is not None:
                for length, words in lengths:
                    payload = words.get(text[index : index + length])
                    if payload is not None:
                        found.append((index, index + length, payload))
        for word in self._singles.keys() & characters:
            payload = self._singles[word]
            start = text.find(word)
            while start >= 0:
                found.append((start, start + 1, payload))
                start = text.find(word, start + 1)
        found.sort(key=itemgetter(0, 1))
        return found
