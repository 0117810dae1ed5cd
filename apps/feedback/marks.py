"""Remembering which ids a long run has met, in flat memory."""

from __future__ import annotations

import sqlite3

# So many are kept in memory; beyond, they go to a temporary file on disk that vanishes with the run.
IN_MEMORY = 200_000


class Marks:
    """A set of 64-bit numbers that grows on disk. Not for use by several threads."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._recent: set[int] = set()
        self._limit = in_memory
        self._disk: sqlite3.Connection | None = None

    def add(self, mark: int) -> None:
        """Remember `mark`."""
        self._recent.add(mark)
        if len(self._recent) >= self._limit:
            self._spill()

    def __contains__(self, mark: int) -> bool:
        if mark in self._recent:
            return True
        if self._disk is None:
            return False
        return self._disk.execute("SELECT 1 FROM marks WHERE mark = ?", (mark,)).fetchone() is not None

    def _spill(self) -> None:
        if self._disk is None:
            # "" is SQLite's own temporary database, on disk and deleted when closed.
            self._disk = sqlite3.connect("", isolation_level=None)
            self._disk.execute("PRAGMA journal_mode = OFF")
            self._disk.execute("CREATE TABLE marks (mark INTEGER PRIMARY KEY) WITHOUT ROWID")
        self._disk.execute("BEGIN")
        self._disk.executemany("INSERT OR IGNORE INTO marks VALUES (?)", ((m,) for m in sorted(self._recent)))
        self._disk.execute("COMMIT")
        self._recent.clear()
