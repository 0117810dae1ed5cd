"""The verbs of a work item."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.core.choices import NoticeLevel
from apps.core.exceptions import InvalidInput
from apps.core.models import ActionLog, User
from apps.core.services.notices import notify
from apps.core.workflow import perform
from apps.shop.models import WorkItem
from apps.shop.transitions import WORK_ITEM


def staff_origin() -> str:
    """The origin of work that a person, not an event, asked for."""
    return f"staff:{uuid.uuid4().hex}"


def tell_owner(*, item: WorkItem, by: User, now: datetime, url: str = "") -> None:
    """Tell whoever became the owner, unless they did it themselves. Once an owner and hour of asking."""
    if item.owner_id is None or item.owner_id == by.pk:
        return
    notify(
        recipients=[item.owner_id],
        level=NoticeLevel.INFO,
        title=_("Work for you: %(title)s") % {"title": item.title},
        body=item.body,
        url=url,
        key=f"work:{item.pk}:{now:%Y%m%d%H}",
        now=now,
    )


def hand_on(
    *,
    item: WorkItem,
    to: User,
    by: User,
    now: datetime,
    reason: str = "",
    via: str = "admin",
    back: bool = False,
) -> ActionLog:
    """Give it to a colleague; the state stays. Of two who hand on at once, one wins. Tells nobody: callers gather.

    `back` returns it to whom it was taken from, who may have left meanwhile.
    """
    if not to.is_active and not back:
        raise InvalidInput(_("%(person)s no longer works here.") % {"person": to}, field="owner")
    if item.owner_id == to.pk:
        raise InvalidInput(_("%(person)s has this already.") % {"person": to}, field="owner")
    return perform(
        WORK_ITEM,
        item,
        "hand_on",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"owner_id": to.pk},
        expect={"owner_id": item.owner_id} if item.owner_id else {"owner_id__isnull": True},
        data={"owner": to.pk},
    )


def start(*, item: WorkItem, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Somebody is on it; without an owner, whoever starts becomes it."""
    changes = {"owner_id": by.pk} if item.owner_id is None else {}
    return perform(WORK_ITEM, item, "start", by=by, now=now, via=via, changes=changes)


@transaction.atomic
def finish(*, item: WorkItem, evidence: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Done, with what was found and done. Evidence of fewer than four characters proves nothing."""
    text = evidence.strip()
    if 0 < len(text) < 4:
        raise InvalidInput(_("Say what was found and done; this is the evidence."), field="reason")
    changes: dict[str, Any] = {"evidence": text, "done_at": now}
    if item.owner_id is None:
        changes["owner_id"] = by.pk
    return perform(WORK_ITEM, item, "finish", by=by, now=now, reason=text, via=via, changes=changes)


def cancel(*, item: WorkItem, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Not needed any more."""
    return perform(WORK_ITEM, item, "cancel", by=by, now=now, reason=reason.strip(), via=via)


def redo(*, item: WorkItem, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Open it again; the old evidence stays in the log."""
    return perform(
        WORK_ITEM,
        item,
        "redo",
        by=by,
        now=now,
        reason=reason.strip(),
        via=via,
        changes={"evidence": "", "done_at": None},
    )
