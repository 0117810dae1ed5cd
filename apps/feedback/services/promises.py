"""Promises to customers: made, kept, called off, and noticed when their time comes (R25)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from apps.core.choices import NoticeLevel
from apps.core.exceptions import InvalidInput, StaleState
from apps.core.models import ActionLog, User
from apps.core.services.notices import notify
from apps.core.workflow import perform
from apps.feedback.choices import PromiseState
from apps.feedback.models import Feedback, Promise
from apps.feedback.selectors.reference import reference
from apps.feedback.services.telling import address, people
from apps.feedback.transitions import PROMISE

# So long before its time whoever made a promise is reminded.
REMIND_BEFORE = timedelta(minutes=30)
# A date further ahead than this is a slip of the pen.
FURTHEST = timedelta(days=180)
SWEEP_ROWS = 500


@transaction.atomic
def make(*, feedback: Feedback, what: str, due_at: datetime, by: User, now: datetime) -> Promise:
    """Write down what the customer was promised and by when. Raises InvalidInput for a time that cannot be."""
    what = what.strip()
    if len(what) < 2:
        raise InvalidInput(_("Say what was promised."), field="what")
    if due_at <= now:
        raise InvalidInput(_("The time of a promise lies ahead."), field="due_at")
    if due_at > now + FURTHEST:
        raise InvalidInput(_("This is more than half a year ahead; check the date."), field="due_at")
    # The same button pressed twice promises once.
    if not Feedback.objects.select_for_update().filter(pk=feedback.pk).values_list("pk", flat=True).first():
        raise StaleState(_("This case is gone: its import was undone."))
    promise, created = Promise.objects.get_or_create(
        feedback=feedback,
        what=what[:200],
        due_at=due_at,
        status=PromiseState.OPEN,
        defaults={"made_by": by, "made_at": now, "updated_at": now},
    )
    if created:
        _log(feedback, "promise", by, now, reason=promise.what, due_at=due_at)
    return promise


def _log(
    feedback: Feedback, verb: str, by: User, now: datetime, *, reason: str, due_at: datetime | None = None
) -> None:
    # A line in the history of the case, whose state stays as it is.
    ActionLog.objects.create(
        model="feedback.feedback",
        object_id=feedback.pk,
        verb=verb,
        from_state=feedback.status,
        to_state=feedback.status,
        reason=reason,
        by=by,
        via="admin",
        at=now,
        data={"due_at": due_at.isoformat()} if due_at else {},
    )


@transaction.atomic
def keep(*, promise: Promise, by: User, now: datetime) -> None:
    """Done as promised; done late, it stays marked as broken."""
    changes = {"ended_at": now}
    if promise.due_at < now and promise.broken_at is None:
        changes["broken_at"] = promise.due_at
    perform(PROMISE, promise, "keep", by=by, now=now, via="admin", changes=changes)
    _log(promise.feedback, "promise_kept", by, now, reason=promise.what)


@transaction.atomic
def cancel(*, promise: Promise, by: User, now: datetime, reason: str) -> None:
    """The customer released us, or it was a mistake."""
    perform(PROMISE, promise, "cancel", by=by, now=now, reason=reason, via="admin", changes={"ended_at": now})
    _log(promise.feedback, "promise_cancelled", by, now, reason=f"{promise.what}: {reason}")


@transaction.atomic
def hand_on(
    *, promise: Promise, to: User, by: User, now: datetime, reason: str = "", back: bool = False
) -> ActionLog:
    """Another colleague sees to it, whoever owns the case. Of two who hand on at once, one wins.

    `back` returns it to whom it was taken from, who may have left meanwhile.
    """
    if not to.is_active and not back:
        raise InvalidInput(_("%(person)s no longer works here.") % {"person": to}, field="to")
    return perform(
        PROMISE,
        promise,
        "hand_on",
        by=by,
        now=now,
        reason=reason,
        via="admin",
        changes={"keeper_id": to.pk, "reminded_at": None},
        expect={"keeper_id": promise.keeper_id} if promise.keeper_id else {"keeper_id__isnull": True},
        data={"keeper": to.pk},
    )


def sweep_promises(*, now: datetime) -> dict[str, int]:
    """Remind half an hour before, tell when broken. Reads what is due only; running twice tells once."""
    done = {"reminded": 0, "broken": 0}
    due = (
        Promise.objects.filter(
            status=PromiseState.OPEN, due_at__lte=now + REMIND_BEFORE, broken_at__isnull=True
        )
        .select_related("feedback", "feedback__assignee", "made_by")
        .order_by("due_at")[:SWEEP_ROWS]
    )
    for promise in list(due):
        feedback = promise.feedback
        owner = promise.keeper_id or feedback.assignee_id or promise.made_by_id
        if promise.due_at <= now:
            with transaction.atomic():
                if not Promise.objects.filter(
                    pk=promise.pk, status=PromiseState.OPEN, broken_at__isnull=True
                ).update(broken_at=promise.due_at, updated_at=now):
                    continue
                told = [*([owner] if owner else []), *people(reference(), feedback, ("lead",))]
                notify(
                    recipients=told,
                    level=NoticeLevel.URGENT,
                    title=_("%(number)s: a promise was not kept in time") % {"number": feedback.number},
                    body=promise.what,
                    url=address(feedback.pk),
                    key=f"promise_broken:{promise.pk}",
                    now=now,
                )
            done["broken"] += 1
        elif promise.reminded_at is None and owner:
            with transaction.atomic():
                if not Promise.objects.filter(
                    pk=promise.pk, status=PromiseState.OPEN, reminded_at__isnull=True
                ).update(reminded_at=now, updated_at=now):
                    continue
                notify(
                    recipients=[owner],
                    level=NoticeLevel.WARNING,
                    title=_("%(number)s: a promise is due") % {"number": feedback.number},
                    body=promise.what,
                    url=address(feedback.pk),
                    key=f"promise_due:{promise.pk}",
                    now=now,
                )
            done["reminded"] += 1
    return done
