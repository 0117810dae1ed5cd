"""Reference data kept in memory, reloaded when its stamp moves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from django.db.models import F

from apps.core.models import ReferenceStamp

Value = TypeVar("Value")


def touch(code: str) -> None:
    """Tell every process that the reference data `code` changed. Called by services and admin saves."""
    if not ReferenceStamp.objects.filter(code=code).update(version=F("version") + 1):
        ReferenceStamp.objects.get_or_create(code=code)


class Cached(Generic[Value]):
    """A value built from reference tables. `get()` costs one query, `load()` runs only after a change."""

    def __init__(self, code: str, load: Callable[[], Value]) -> None:
        self.code = code
        self.load = load
        self._lock = threading.Lock()
        self._kept: tuple[int, Value] | None = None

    def get(self) -> Value:
        """The present value."""
        version = ReferenceStamp.objects.filter(code=self.code).values_list("version", flat=True).first() or 0
        kept = self._kept
        if kept is not None and kept[0] == version:
            return kept[1]
        with self._lock:
            if self._kept is None or self._kept[0] != version:
                self._kept = (version, self.load())
            return self._kept[1]

    def forget(self) -> None:
        """Drop the kept value; tests call it, since their databases are made anew under the same process."""
        self._kept = None
