"""The verbs of reputation actions (R33)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.choices import NoticeLevel
from apps.core.exceptions import StaleState
from apps.core.models import ActionLog, User
from apps.core.services.approvals import holders
from apps.core.services.notices import notify
from apps.core.workflow import perform
from apps.repairs.choices import ACTION_OPEN
from apps.repairs.models import ReputationAction
from apps.repairs.transitions import CHECK, REPUTATION_ACTION
from apps.shop.choices import WorkKind, WorkStatus
from apps.shop.models import WorkItem
from apps.shop.transitions import WORK_ITEM

SWEEP_ROWS = 500
WORK_OPEN = (WorkStatus.OPEN, WorkStatus.DOING)


def address(action: ReputationAction) -> str:
    """Where staff find it."""
    return f"/admin/repairs/reputationaction/{action.pk}/change/"


def tell_owner(*, action: ReputationAction, by: User, now: datetime) -> None:
    """Tell whoever has it now, unless they gave it to themselves. Once an owner."""
    if action.owner_id == by.pk:
        return
    notify(
        recipients=[action.owner_id],
        level=NoticeLevel.INFO,
        title=_("Reputation action for you: %(title)s") % {"title": action.title},
        body=action.what[:500],
        url=address(action),
        key=f"reputation:{action.pk}",
        now=now,
    )


def origin(action: ReputationAction) -> str:
    """By which its one piece of work is known."""
    return f"reputation:{action.pk}"


def _work_of(action: ReputationAction) -> dict[str, Any]:
    """Field of the action: what it is on the work item."""
    end = timezone.make_aware(datetime.combine(action.due_on, time(23, 59)))
    return {
        "title": {"title": action.title},
        "what": {"body": action.what},
        "owner": {"owner_id": action.owner_id},
        "due_on": {"due_at": end},
        "store": {"store_id": action.store_id},
        "product": {"product_id": action.product_id},
    }


def keep_work(*, action: ReputationAction, now: datetime, changed: Iterable[str] = ()) -> None:
    """The one piece of work of whoever has it, among their other work; `changed` fields of the action are carried over.

    What a colleague has handed on or ended there stays so.
    """
    if not action.is_open:
        return
    parts = _work_of(action)
    values = {"kind": WorkKind.TASK, "url": address(action)}
    for part in parts.values():
        values |= part
    item, made = WorkItem.objects.get_or_create(origin_key=origin(action), defaults=values)
    wanted: dict[str, Any] = {}
    for name in changed:
        wanted |= parts.get(name, {})
    if wanted and not made:
        WorkItem.objects.filter(pk=item.pk, status__in=WORK_OPEN).update(**wanted, updated_at=now)


def _move_work(
    action: ReputationAction, verb: str, *, by: User, now: datetime, reason: str = "", **changes: Any
) -> None:
    item = WorkItem.objects.filter(origin_key=origin(action)).first()
    move = WORK_ITEM.get(verb)
    if item is None or move is None or item.status not in move.sources:
        return
    # Whoever may move the action need not hold a permission for work items.
    mover = by if by.has_perm(move.permission) else None
    try:
        with transaction.atomic():
            perform(WORK_ITEM, item, verb, by=mover, now=now, reason=reason, changes=changes)
    except StaleState:
        # Its owner ended it at this very moment.
        return


@transaction.atomic
def start(*, action: ReputationAction, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Somebody is on it."""
    log = perform(REPUTATION_ACTION, action, "start", by=by, now=now, via=via)
    keep_work(action=action, now=now)
    _move_work(action, "start", by=by, now=now)
    return log


@transaction.atomic
def finish(
    *, action: ReputationAction, reason: str, by: User, now: datetime, via: str = "admin"
) -> ActionLog:
    """Done, and what was done. Whoever may conclude whether it worked is told."""
    log = perform(
        REPUTATION_ACTION,
        action,
        "finish",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"outcome": reason.strip(), "done_on": timezone.localdate(now)},
    )
    _move_work(action, "finish", by=by, now=now, reason=reason, evidence=reason.strip(), done_at=now)
    if action.created_by_id is not None and action.created_by_id != by.pk:
        notify(
            recipients=[action.created_by_id],
            level=NoticeLevel.INFO,
            title=_("Done, to be checked: %(title)s") % {"title": action.title},
            body=reason[:500],
            url=address(action),
            key=f"reputation_done:{action.pk}",
            now=now,
        )
    return log


def check(*, action: ReputationAction, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """The conclusion after before and after were compared."""
    return perform(
        REPUTATION_ACTION,
        action,
        "check",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"conclusion": reason.strip()},
    )


@transaction.atomic
def drop(*, action: ReputationAction, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """It will not be done."""
    log = perform(REPUTATION_ACTION, action, "drop", by=by, now=now, reason=reason, via=via)
    _move_work(action, "cancel", by=by, now=now, reason=reason)
    return log


def sweep_overdue(*, now: datetime) -> int:
    """Tell owner and leads of what is past its day, once each; answers how many. Reads what is due only."""
    today = timezone.localdate(now)
    rows = ReputationAction.objects.filter(
        status__in=ACTION_OPEN, due_on__lt=today, told_late_at__isnull=True
    ).order_by("due_on", "id")[:SWEEP_ROWS]
    found = list(rows)
    leads = holders(CHECK) if found else []
    done = 0
    for action in found:
        with transaction.atomic():
            late = ReputationAction.objects.filter(
                pk=action.pk, status__in=ACTION_OPEN, told_late_at__isnull=True
            )
            if not late.update(told_late_at=now):
                continue
            notify(
                recipients=[action.owner_id, *leads],
                level=NoticeLevel.WARNING,
                title=_("Overdue: %(title)s") % {"title": action.title},
                body=_("Was due on %(day)s.") % {"day": action.due_on.isoformat()},
                url=address(action),
                key=f"reputation_late:{action.pk}:{action.due_on:%Y%m%d}",
                now=now,
            )
        done += 1
    return done
