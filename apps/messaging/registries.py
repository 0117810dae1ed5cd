"""Where higher apps plug into messages: variables of templates, checks of texts, handlers of what customers write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from apps.core.registry import Registry


@dataclass(frozen=True, slots=True)
class Variable:
    """A name templates may use. `example` fills previews."""

    name: str
    label: Any
    example: str


class TextFinding(Protocol):
    """What a check says about a text: `action` is block, require_approval, defer or warn."""

    action: str
    title: Any
    message: Any


@dataclass(frozen=True, slots=True)
class TextFacts:
    """What a check may want to know about the text it reads."""

    channel: str
    message_class: str
    purpose: str
    at: datetime


# The whitelist: a template that names anything else cannot be saved.
variables: Registry[Variable] = Registry("template variables")
# `prepare(now)` → `check(text, facts)`: prepared once for all messages that are written together, however many; the
# first finding that blocks stops a message.
TextCheck = Callable[[str, TextFacts], Iterable[TextFinding]]
text_checks: Registry[Callable[[datetime], TextCheck]] = Registry("checks of texts")
# `handle(inbound, now)` in the order of registration until one answers True.
inbound_handlers: Registry[Callable[[Any, datetime], bool]] = Registry("handlers of inbound messages")
# `link(subject_key, channel)` → address of the satisfaction survey, "" where there is none.
satisfaction_link: Registry[Callable[[str, str], str]] = Registry("satisfaction links")
# `values(subject_key, user)` → values of a real record for the preview of a template, None when it is not theirs
# or the person may not see it.
preview_values: Registry[Callable[[str, Any], Mapping[str, str] | None]] = Registry("values for previews")
