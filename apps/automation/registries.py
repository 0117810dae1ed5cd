"""What rules are made of. Each app registers the fields, events and actions it knows; higher apps add theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.core.registry import Registry

# A feedback as rules see it: its columns, and what loaders added. `_at` is the moment of the event.
Facts = dict[str, Any]
Choices = Sequence[tuple[Any, str]]


@dataclass(frozen=True)
class Field:
    """A field that conditions may name.

    `type`: choice, tree (categories with everything below), number, text, bool, list or segment. `columns` are read
    with the batch; `value(facts)` answers the value (default: the first column). `load(rows)` adds to all rows of a
    batch what is no column, with a fixed number of queries, and runs only when a rule needs it. `show(value)` says
    a value in words.
    """

    label: Any
    type: str
    columns: tuple[str, ...] = ()
    value: Callable[[Facts], Any] | None = None
    choices: Callable[[], Choices] | None = None
    load: Callable[[Sequence[Facts]], None] | None = None
    show: Callable[[Any], str] | None = None
    unit: Any = ""
    # tree: the codes of a choice and of everything below it → the values that count.
    expand: Callable[[Iterable[Any]], set[Any]] | None = None


@dataclass(frozen=True)
class Segment:
    """A group of customers another app defines. `members(customer_ids)` answers those within it; one query."""

    label: Any
    members: Callable[[Iterable[int]], set[int]]


@dataclass(frozen=True)
class Event:
    """Something that happens to a feedback.

    `source` is the stream of rows that tells about it (`Source`), `wants(detail)` narrows it, e.g. to some moves.
    `params` are asked for on the rule's page.
    """

    label: Any
    source: str
    wants: Callable[[Any, Mapping[str, Any]], bool] | None = None
    params: tuple[Param, ...] = ()


@dataclass(frozen=True)
class Source:
    """A stream of rows. `rows(after, until, limit)` answers (row id, feedback id, detail, at) in order of the ids;

    it reads ids above `after` and, where given, moments from `since`. `lasting` sources are swept by row number;
    others make their batches themselves.
    """

    rows: Callable[..., list[tuple[int, int, Any, datetime]]]
    lasting: bool = True
    settle_minutes: int = 15
    # Whether the detail is part of what makes an event another one.
    keyed_by_detail: bool = False


@dataclass(frozen=True)
class Param:
    """A parameter of an action or event. `type`: choice, number, text, long."""

    name: str
    label: Any
    type: str = "text"
    choices: Callable[[], Choices] | None = None
    required: bool = True
    default: Any = ""
    least: float | None = None
    most: float | None = None


@dataclass
class Match:
    """A feedback that a rule acts on. `outcomes` says per action what became of it."""

    facts: Facts
    instance: str
    chain: list[int]
    run_id: int
    detail: Any = None
    outcomes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def feedback_id(self) -> int:
        """Its key."""
        return self.facts["id"]


@dataclass
class Work:
    """What an action gets beside its matches: the rule, the moment, and where made moves are noted."""

    rule: Any
    now: datetime
    # (ActionLog id, chain) of moves that were made.
    origins: list[tuple[int, list[int]]] = field(default_factory=list)


@dataclass(frozen=True)
class Action:
    """Something a rule does. `run(work, params, matches)` answers one outcome code or sentence per match.

    It runs inside the batch's transaction and writes in bulk where it can. `proposes` actions only make proposals.
    `sentence(params)` says it in words; `needs` are columns it reads from the facts.
    """

    label: Any
    run: Callable[[Work, dict[str, Any], list[Match]], list[str]]
    params: tuple[Param, ...] = ()
    proposes: bool = False
    needs: tuple[str, ...] = ()
    help: Any = ""


# `executors[kind](proposal, by, now) -> str`: carries a confirmed proposal out, says what became of it.
Executor = Callable[..., str]

fields: Registry[Field] = Registry("condition fields")
segments: Registry[Segment] = Registry("customer segments")
events: Registry[Event] = Registry("automation events")
sources: Registry[Source] = Registry("event sources")
actions: Registry[Action] = Registry("automation actions")
executors: Registry[Executor] = Registry("proposal executors")
