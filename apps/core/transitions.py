"""States as tables: the legal moves of a record, in plain Python.

A table is the one source for the admin's buttons, the API's verbs and the refusals of
`apps.core.workflow.perform` (architecture, decision 4). Labels are lazy strings handed in by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Move:
    """One legal move.

    `verb` names it, `sources` are the states it may start from, `target` is the state it ends in (None: stays).
    `permission` is the full permission name the mover needs. `needs_reason` refuses an empty reason. `back` is the
    verb that undoes it where the table has a way back. `bulk` says whether it may be done to many rows at once.
    """

    verb: str
    label: Any
    sources: frozenset[str]
    target: str | None
    permission: str
    needs_reason: bool = False
    bulk: bool = False
    undoable: bool = False
    main: bool = False
    danger: bool = False
    help: Any = ""


@dataclass(frozen=True)
class TransitionTable:
    """All moves of one kind of record. Two moves never share a verb."""

    name: str
    states: tuple[str, ...]
    moves: tuple[Move, ...]
    _by_verb: dict[str, Move] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known = set(self.states)
        for move in self.moves:
            if move.verb in self._by_verb:
                raise ValueError(f"{self.name}: verb {move.verb} stands twice")
            unknown = (set(move.sources) | ({move.target} if move.target else set())) - known
            if unknown:
                raise ValueError(f"{self.name}: {move.verb} names unknown states {sorted(unknown)}")
            self._by_verb[move.verb] = move

    def get(self, verb: str) -> Move | None:
        """The move called `verb`, or None."""
        return self._by_verb.get(verb)

    def legal_from(self, state: str) -> list[Move]:
        """The moves that may start from `state`, in the table's order."""
        return [move for move in self.moves if state in move.sources]

    def verbs(self) -> list[str]:
        """All verbs, in the table's order."""
        return [move.verb for move in self.moves]


def states(*names: str) -> frozenset[str]:
    """Shorthand for the sources of a move."""
    return frozenset(names)


def every_but(all_states: Iterable[str], *names: str) -> frozenset[str]:
    """All states except `names`."""
    return frozenset(all_states) - frozenset(names)
