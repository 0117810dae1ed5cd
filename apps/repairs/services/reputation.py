"""The verbs of reputation actions (R33)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.choices import NoticeLevel
from apps.core.models import ActionLog, User
from apps.core.services.approvals import holders
from apps.core.services.notices import notify
from apps.core.workflow import perform
from apps.repairs.choices import ACTION_OPEN
from apps.repairs.models import ReputationAction
from apps.repairs.transitions import CHECK, REPUTATION_ACTION

SWEEP_ROWS = 500


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


def start(*, action: ReputationAction, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Somebody is on it."""
    return perform(REPUTATION_ACTION, action, "start", by=by, now=now, via=via)


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


def drop(*, action: ReputationAction, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """It will not be done."""
    return perform(REPUTATION_ACTION, action, "drop", by=by, now=now, reason=reason, via=via)


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
