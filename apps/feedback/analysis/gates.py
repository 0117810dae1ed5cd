"""Which rules are worth trying on a text: those that share a character or pair with it.

Dozens of rules each ask "is one of my characters here?". Turned round, one set intersection answers for all
of them, since most texts open only a few gates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import Generic, TypeVar

Rule = TypeVar("Rule")


class Gates(Generic[Rule]):
    """Rules by the keys that open them; `open` answers them in their own order."""

    __slots__ = ("_by_key", "_keys", "_rules")

    def __init__(self, rules: Iterable[Rule], gate: Callable[[Rule], Iterable[str]]) -> None:
        self._rules = tuple(rules)
        by_key: dict[str, set[int]] = {}
        for number, rule in enumerate(self._rules):
            for key in gate(rule):
                by_key.setdefault(key, set()).add(number)
        self._by_key = {key: tuple(numbers) for key, numbers in by_key.items()}
        self._keys = frozenset(by_key)

    def open(self, present: Set[str]) -> list[Rule]:
        """The rules whose gate shares a key with `present`."""
        keys = self._keys & present
        if not keys:
            return []
        by_key = self._by_key
        numbers: set[int] = set()
        for key in keys:
            numbers.update(by_key[key])
        rules = self._rules
        return [rules[number] for number in sorted(numbers)]
