"""The one way a repair moves: locked, guarded, performed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.core.exceptions import DomainError
from apps.core.models import ActionLog, User
from apps.core.workflow import check, perform
from apps.repairs.guard_texts import cure, what
from apps.repairs.guards import unmet
from apps.repairs.models import RepairCase
from apps.repairs.selectors.facts import facts_of, for_update, next_due
from apps.repairs.transitions import REPAIR


class GuardFailed(DomainError):
    """A condition of the move does not hold. `missing` in params are the guards' codes."""

    code = "guard"
    status = 409


@transaction.atomic
def move(
    case: RepairCase,
    verb: str,
    *,
    by: User | None,
    now: datetime,
    reason: str = "",
    changes: dict[str, Any] | None = None,
    known: dict[str, Any] | None = None,
    via: str = "admin",
    data: dict[str, Any] | None = None,
) -> ActionLog:
    """Make one move of the table if its guards hold (`known` tells them what the database does not).

    The row is locked first, so that what the guards saw is what is written. Raises IllegalMove, NotPermitted, ReasonNeeded
    or GuardFailed; `case` shows the new state afterwards.
    """
    locked = for_update(case.pk)
    step = check(REPAIR, locked, verb, by=by, reason=reason)
    facts = facts_of(locked, by=by, now=now, **(known or {}))
    refuse(verb, unmet(verb, facts))
    target = step.target or locked.status
    changes = dict(changes or {})
    for name, value in changes.items():
        setattr(locked, name, value)
    if step.target is not None:
        changes.setdefault("next_due_at", next_due(locked, target, now=now))
    log = perform(REPAIR, locked, verb, by=by, now=now, reason=reason, changes=changes, via=via, data=data)
    for field in RepairCase._meta.concrete_fields:
        setattr(case, field.attname, getattr(locked, field.attname))
    return log


def refuse(verb: str, missing: list[str]) -> None:
    """Raise GuardFailed with every missing condition and its cure, if there is one."""
    if not missing:
        return
    step = REPAIR.get(verb)
    lines = [_("%(what)s – %(cure)s") % {"what": what(code), "cure": cure(code)} for code in missing]
    raise GuardFailed(
        _("“%(move)s” is not possible yet: %(why)s")
        % {"move": step.label if step else verb, "why": " ".join(lines)},
        missing=missing,
        verb=verb,
    )
