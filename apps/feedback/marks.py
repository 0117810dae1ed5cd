"""Remembering what a long run has met, in flat memory."""

from __future__ import annotations

import sqlite3

# So many are kept in memory; beyond, they go to a temporary file on disk that vanishes with the run.
IN_MEMORY = 200_000
Met = tuple[int, int | None]


class Marks:
    """By a 64-bit number what was met under it: the hash of a text, and the stars. Not for several threads."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._recent: dict[int, Met] = {}
        self._limit = in_memory
        self._disk: sqlite3.Connection | None = None

    def __setitem__(self, mark: int, met: Met) -> None:
        self._recent[mark] = met
        if len(self._recent) >= self._limit:
            self._spill()

    def get(self, mark: int) -> Met | None:
        """What was met last under this number, None if nothing was."""
        met = self._recent.get(mark)
        if met is None and self._disk is not None:
            met = self._disk.execute("SELECT text, rating FROM marks WHERE mark = ?", (mark,)).fetchone()
        return met

    def _spill(self) -> None:
        if self._disk is None:
            # "" is SQLite's own temporary database, on disk and deleted when closed.
            self._disk = sqlite3.connect("", isolation_level=None)
            self._disk.execute("PRAGMA journal_mode = OFF")
            self._disk.execute(
                "CREATE TABLE marks (mark INTEGER PRIMARY KEY, text INTEGER, rating INTEGER) WITHOUT ROWID"
            )
        self._disk.execute("BEGIN")
        self._disk.executemany(
            "INSERT OR REPLACE INTO marks VALUES (?, ?, ?)",
            ((mark, *self._recent[mark]) for mark in sorted(self._recent)),
        )
        self._disk.execute("COMMIT")
        self._recent.clear()
