"""The one performer of state changes (architecture, decision 4)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db import models, transaction
from django.utils.translation import gettext as _

from apps.core.exceptions import IllegalMove, NotPermitted, ReasonNeeded, StaleState
from apps.core.models import ActionLog, User
from apps.core.transitions import Move, TransitionTable

Record = TypeVar("Record", bound=models.Model)


def check(
    table: TransitionTable,
    record: models.Model,
    verb: str,
    *,
    by: User | None,
    reason: str,
    field: str = "status",
) -> Move:
    """The move `verb` if it is legal from the record's state, permitted to `by` and carries its reason.

    `by=None` is the system itself (a sweep, the intake): it needs no permission.
    Raises IllegalMove, NotPermitted or ReasonNeeded.
    """
    move = table.get(verb)
    if move is None:
        raise IllegalMove(_("There is no move called “%(verb)s”.") % {"verb": verb}, verb=verb)
    state = getattr(record, field)
    if state not in move.sources:
        shown = dict(record._meta.get_field(field).flatchoices).get(state, state)
        raise IllegalMove(
            _("“%(move)s” is not possible while this is “%(state)s”.") % {"move": move.label, "state": shown},
            verb=verb,
            state=state,
        )
    if by is not None and not by.has_perm(move.permission):
        raise NotPermitted(_("You may not do “%(move)s”.") % {"move": move.label}, verb=verb)
    if move.needs_reason and not reason.strip():
        raise ReasonNeeded(_("“%(move)s” needs a reason.") % {"move": move.label}, verb=verb, field="reason")
    return move


@transaction.atomic
def perform(
    table: TransitionTable,
    record: Record,
    verb: str,
    *,
    by: User | None,
    now: datetime,
    reason: str = "",
    changes: dict[str, Any] | None = None,
    expect: dict[str, Any] | None = None,
    via: str = "",
    data: dict[str, Any] | None = None,
    field: str = "status",
) -> ActionLog:
    """Do one move: check, compare-and-set in one UPDATE, one log row. Returns the log row.

    1. The move must be legal, permitted and reasoned (`check`).
    2. One UPDATE whose WHERE names the state the mover saw, plus `expect`; 0 rows changed raises StaleState, so of
       two people who press the same button one wins and the other is told.
    3. `changes` are written with it and set on `record`, with their former values kept in the log for undo.
    Work that must follow a commit is queued by the calling service with transaction.on_commit.
    """
    move = check(table, record, verb, by=by, reason=reason, field=field)
    changes = dict(changes or {})
    before = getattr(record, field)
    after = move.target or before
    old = {name: getattr(record, name) for name in changes}
    guard = {"pk": record.pk, field: before} | (expect or {})
    updated = (
        type(record)._default_manager.filter(**guard).update(**{field: after, "updated_at": now} | changes)
    )
    if updated != 1:
        raise StaleState(
            _("Somebody else has just changed this. Look at it again before you go on."), verb=verb
        )
    for name, value in ({field: after, "updated_at": now} | changes).items():
        setattr(record, name, value)
    return ActionLog.objects.create(
        model=record._meta.label_lower,
        object_id=record.pk,
        verb=verb,
        from_state=before,
        to_state=after,
        reason=reason,
        by=by,
        via=via,
        at=now,
        data=(data or {}) | {"old": {k: _plain(v) for k, v in old.items()}},
    )


def _plain(value: Any) -> Any:
    # Log data is JSON: moments become ISO text, amounts text, related rows their key.
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, models.Model):
        return value.pk
    return value
