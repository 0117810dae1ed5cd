"""What higher apps show on the page of a case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.core.registry import Registry


@dataclass(frozen=True)
class CasePanel:
    """A card beside a case. `context(feedback, user, now)` fills the template, or answers None to show nothing."""

    title: Any
    template: str
    context: Callable[[Any, Any, datetime], dict[str, Any] | None]


case_panels: Registry[CasePanel] = Registry("panels of a case")


@dataclass(frozen=True)
class InvitationKeeper:
    """Who keeps the one invitation to look at a review again (decisions, item 16).

    `facts(feedback, now)` are facts for the law that replace what a case alone knows. `claim(feedback, text=, message=, by=,
    now=)` takes the invitation for a message that is being written, in its transaction, or raises DomainError.
    """

    facts: Callable[[Any, datetime], Mapping[str, Any]]
    claim: Callable[..., None]


invitations: Registry[InvitationKeeper] = Registry("keepers of invitations")

# Relation of a feedback ("repair") → which of its rows are work of a person: `worked(rows)` narrows them. What a program
# alone has made does not keep an import from being undone; it goes with its feedback.
work_of_people: Registry[Callable[[Any], Any]] = Registry("work of people on feedback")
