"""The callback after a remedy (R30; domain.md 6): planned here, made by `apps.callbacks`, its result taken back."""

from __future__ import annotations

import contextlib
import hashlib
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from apps.callbacks.choices import CallbackState, Outcome
from apps.callbacks.models import Callback
from apps.callbacks.services.calls import cancel, finish
from apps.callbacks.services.scheduling import schedule
from apps.core.exceptions import DomainError, InvalidInput, NotPermitted
from apps.core.models import ActionLog, User
from apps.feedback.choices import ContactMethod, Status
from apps.feedback.models import Feedback
from apps.feedback.services import moves as feedback_moves
from apps.repairs.choices import RepairStatus
from apps.repairs.guards import SATISFIED_FROM
from apps.repairs.models import RepairCase
from apps.repairs.selectors.reference import policy
from apps.repairs.services.moving import move

PREFIX = "repair:"


def subject_of(case: RepairCase) -> str:
    """How callbacks name a repair."""
    return f"{PREFIX}{case.pk}"


def drawn_for_other_caller(case_id: int, round_no: int, share: int) -> bool:
    """Whether this callback is among the share that somebody else than the handler makes. The same answer every time."""
    digest = hashlib.sha256(f"repair:{case_id}:{round_no}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < share


@transaction.atomic
def plan(*, case: RepairCase, by: User | None, now: datetime, via: str = "admin") -> Callback | None:
    """Plan the callback of a case that was carried out; None where the customer is not known (a result is then entered
    by hand). One for each time a remedy was carried out."""
    if case.customer is None:
        return None
    rules = policy()
    round_no = case.callback_round + 1
    other = drawn_for_other_caller(case.pk, round_no, rules.other_caller_share)
    move(case, "plan_callback", by=by, now=now, via=via, changes={"callback_round": round_no})
    callback = schedule(
        key=f"{PREFIX}{case.pk}:{round_no}",
        customer=case.customer,
        feedback=case.feedback,
        subject_key=subject_of(case),
        reason=_("Repair %(number)s: is it solved?") % {"number": case.number},
        due_at=now + timedelta(hours=rules.callback_hours),
        not_by=case.handler if other else None,
        assignee=None if other else case.handler,
        is_service=True,
        # Whoever carried the remedy out need not be allowed to plan calls.
        by=None,
        now=now,
    )
    RepairCase.objects.filter(pk=case.pk).update(next_due_at=callback.due_at)
    case.next_due_at = callback.due_at
    return callback


def latest(case: RepairCase) -> Callback | None:
    """The callback of the present round."""
    return Callback.objects.filter(key=f"{PREFIX}{case.pk}:{case.callback_round}").first()


@transaction.atomic
def take_result(
    *,
    case: RepairCase,
    satisfaction: int,
    by: User | None,
    now: datetime,
    note: str = "",
    via: str = "callback",
) -> ActionLog:
    """What the customer said in the callback, 1 to 5. Below 4 the feedback opens again and the handler is told."""
    if not 1 <= satisfaction <= 5:
        raise InvalidInput(_("Satisfaction is a number from 1 to 5."), field="satisfaction")
    good = satisfaction >= SATISFIED_FROM
    log = move(
        case,
        "satisfied" if good else "unsatisfied",
        by=by,
        now=now,
        reason=note.strip(),
        via=via,
        known={"satisfaction": satisfaction},
        changes={"satisfaction": satisfaction, "called_back_at": now},
    )
    if not good:
        feedback = Feedback.objects.get(pk=case.feedback_id)
        if feedback.status in (Status.RESOLVED, Status.CLOSED):
            why = _("Callback: %(stars)d of 5.") % {"stars": satisfaction}
            feedback_moves.reopen(feedback=feedback, by=by, now=now, reason=f"{why} {note}".strip(), via=via)
    return log


@transaction.atomic
def record_result(
    *, case: RepairCase, satisfaction: int, how: str, said: str, by: User, now: datetime, via: str = "admin"
) -> ActionLog:
    """The result without a planned callback: the customer wrote or called. Not by the handler where somebody else was
    drawn to ask."""
    if how not in ContactMethod.values:
        raise InvalidInput(_("Say how the customer was contacted."), field="how")
    if len(said.strip()) < 2:
        raise InvalidInput(_("Write down what the customer said."), field="said")
    callback = latest(case) if case.status == RepairStatus.CALLBACK else None
    if callback is not None and callback.not_by_id == by.pk:
        raise NotPermitted(_("This callback was drawn to be made by somebody who did not handle the case."))
    log = take_result(case=case, satisfaction=satisfaction, by=by, now=now, note=said, via=via)
    if callback is not None:
        _close(callback, satisfaction=satisfaction, note=said, by=by, now=now)
    return log


def _close(callback: Callback, *, satisfaction: int, note: str, by: User, now: datetime) -> None:
    """The planned call need not be made any more: it carries the same result, else it is called off."""
    outcome = (
        Outcome.SATISFIED
        if satisfaction >= SATISFIED_FROM
        else Outcome.NEUTRAL
        if satisfaction == SATISFIED_FROM - 1
        else Outcome.UNSATISFIED
    )
    try:
        with transaction.atomic():
            finish(
                callback=callback,
                outcome=outcome,
                satisfaction=satisfaction,
                note=note.strip()[:2000],
                by=by,
                now=now,
            )
    except DomainError:
        with contextlib.suppress(DomainError):
            cancel(callback=callback, reason=_("The result was entered on the repair."), by=by, now=now)


def call_off_stale(*, now: datetime) -> int:
    """Calls about repairs that went on or ended without them: whoever made one would ask about what is over, and a repair

    that was opened again would be called about twice. A call that has begun is left alone.
    """
    # Read before the repairs: a call planned in between is not among them, its repair would not be waited for yet.
    planned = list(
        Callback.objects.filter(
            subject_key__startswith=PREFIX, key__startswith=PREFIX, status=CallbackState.PLANNED
        )
    )
    waited_for = {
        f"{PREFIX}{pk}:{round_no}"
        for pk, round_no in RepairCase.objects.filter(status=RepairStatus.CALLBACK).values_list(
            "pk", "callback_round"
        )
    }
    count = 0
    for row in planned:
        if row.key in waited_for:
            continue
        with contextlib.suppress(DomainError):
            cancel(
                callback=row,
                reason=_("The repair has gone on without this call."),
                by=None,
                now=now,
                via="sweep",
            )
            count += 1
    return count


def given_up(case: RepairCase) -> bool:
    """Whether the callback of the present round was tried to its end and nobody was reached."""
    callback = latest(case)
    return callback is not None and ended_in_vain(callback)


#: A verdict without stars counts as so many.
STARS = {Outcome.SATISFIED: 4, Outcome.NEUTRAL: 3, Outcome.UNSATISFIED: 2}


def stars_of(callback: Callback) -> int | None:
    """What the customer gave, else what their verdict amounts to; None where nobody was reached."""
    return callback.satisfaction or STARS.get(callback.outcome)  # type: ignore[call-overload]


def ended_in_vain(callback: Callback) -> bool:
    """Not reached after every try, not to be called at all, or wrong number: nobody will say whether it is solved."""
    return callback.status in ("unreached", "cancelled") or (
        callback.status == "done" and not stars_of(callback)
    )


@transaction.atomic
def missed(*, case: RepairCase, by: User | None, now: datetime, via: str = "callback") -> ActionLog:
    """Nobody was reached: the public reply says what was done."""
    return move(case, "callback_missed", by=by, now=now, via=via, known={"callback_given_up": given_up(case)})


def on_finished(*, callback_id: int, now: datetime) -> None:
    """A callback has come to its end: its result moves the repair. Safe to repeat; a repair that went on is left alone."""
    callback = Callback.objects.filter(pk=callback_id).first()
    if callback is None or not callback.subject_key.startswith(PREFIX):
        return
    case = RepairCase.objects.filter(pk=int(callback.subject_key.removeprefix(PREFIX))).first()
    if (
        case is None
        or case.status != RepairStatus.CALLBACK
        or callback.key != f"{PREFIX}{case.pk}:{case.callback_round}"
    ):
        return
    stars = stars_of(callback)
    if stars:
        take_result(case=case, satisfaction=stars, by=None, now=now)
    elif ended_in_vain(callback):
        missed(case=case, by=None, now=now)
