"""How a higher app plugs into a lower one without being imported by it (architecture, the street)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Registry(Generic[Item]):
    """Named items in the order of their `order`; a code may be registered once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._items: dict[str, tuple[int, Item]] = {}

    def register(self, code: str, item: Item, *, order: int = 100) -> None:
        """Add `item`. Registering the same object again is harmless, another object under the code is an error."""
        present = self._items.get(code)
        if present is not None and present[1] is not item:
            raise ValueError(f"{self.name}: {code} is registered already")
        self._items[code] = (order, item)

    def get(self, code: str) -> Item | None:
        """The item registered as `code`, or None."""
        entry = self._items.get(code)
        return entry[1] if entry else None

    def codes(self) -> list[str]:
        """All codes in display order."""
        return [code for code, _ in sorted(self._items.items(), key=lambda pair: (pair[1][0], pair[0]))]

    def __iter__(self) -> Iterator[Item]:
        return (self._items[code][1] for code in self.codes())

    def __len__(self) -> int:
        return len(self._items)
