"""Expected errors. An edge shows their message to a person; anything else is a fault and gets logged."""

from __future__ import annotations

from typing import Any


class DomainError(Exception):
    """A rule said no. `code` is stable for programs, `message` is for people, in their language."""

    code = "refused"
    status = 409

    def __init__(self, message: Any, *, code: str | None = None, **params: Any) -> None:
        super().__init__(str(message))
        self.message = message
        if code:
            self.code = code
        self.params = params


class IllegalMove(DomainError):
    """The table has no such move from the present state."""

    code = "illegal_move"


class StaleState(DomainError):
    """Somebody else moved the record first: the compare-and-set changed no row."""

    code = "stale_state"


class NotPermitted(DomainError):
    """The person lacks the permission the move names, or does not see the record."""

    code = "not_permitted"
    status = 403


class ReasonNeeded(DomainError):
    """The move asks for a reason and none was given."""

    code = "reason_needed"
    status = 422


class InvalidInput(DomainError):
    """A value cannot be used; `field` in params names it."""

    code = "invalid"
    status = 422
