"""The verbs of a callback. Each compares-and-sets and leaves a log row; each attempt leaves a row of its own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.callbacks import guards, signals
from apps.callbacks.choices import ENDING, MISSED, REACHED, Block, CallbackState, Method, Outcome
from apps.callbacks.models import Callback, CallbackAttempt
from apps.callbacks.selectors.blocks import block_of, window_of, zone
from apps.callbacks.transitions import ASSIGN, CALLBACK, WORK
from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted, StaleState
from apps.core.masking import mask_text
from apps.core.models import ActionLog, User
from apps.core.services.notices import notify
from apps.core.services.reveals import reveal
from apps.core.workflow import check, perform
from apps.customers.choices import ContactChannel, Purpose
from apps.customers.models import ConsentEvent
from apps.customers.selectors import may_contact
from apps.customers.services.consent import record_consent
from apps.feedback.choices import Source, Status
from apps.feedback.incoming import IncomingFeedback
from apps.feedback.models import Feedback
from apps.feedback.selectors.reference import reference
from apps.feedback.services import moves
from apps.feedback.services.intake import take_in
from apps.feedback.services.new_feedback import keep_recording
from apps.feedback.services.telling import address, people

AGAIN: dict[str, Any] = {"told_at": None, "lead_told_at": None, "started_at": None}
LOW = 2


@dataclass(frozen=True, slots=True)
class Recording:
    """What was said about recording: announced? agreed? and the file, which is kept only after a yes (domain.md 2.4)."""

    announced: bool = False
    consented: bool | None = None
    upload: Any = None


def url_of(callback_id: int) -> str:
    """The call sheet."""
    return f"/admin/callbacks/callback/{callback_id}/change/"


def _not_the_handler(callback: Callback, by: User | None) -> None:
    if by is not None and callback.not_by_id == by.pk:
        raise NotPermitted(
            _("You handled this case. The customer is asked by a colleague, so that they can speak freely."),
            field="by",
        )


def _nobody_else_calls(callback: Callback, by: User | None) -> None:
    if (
        callback.status == CallbackState.CALLING
        and by is not None
        and callback.assignee_id not in (None, by.pk)
        and not by.has_perm(ASSIGN)
    ):
        raise StaleState(_("%(person)s is calling this customer now.") % {"person": callback.assignee})


def _may_call(callback: Callback, now: datetime, *, by_phone: bool = True) -> None:
    """Raises IllegalMove where the customer may not be called; a lasting obstacle calls the callback off."""
    block = block_of(callback, now)
    if block is not None:
        call_off(callback=callback, block=block, now=now)
        raise IllegalMove(
            _("%(why)s This callback was called off.") % {"why": block.label},
            code="blocked",
            block=block.value,
        )
    window = window_of(callback)
    if by_phone and not guards.is_open(now, window, zone()):
        raise IllegalMove(
            _("Customers are called between %(first)s and %(last)s.")
            % {"first": f"{window.opens:%H:%M}", "last": f"{window.closes:%H:%M}"},
            code="hours",
        )


def call_off(*, callback: Callback, block: Block, now: datetime) -> ActionLog | None:
    """The system calls a callback off, since the customer may not be called. None when somebody was quicker."""
    with suppress(StaleState, IllegalMove):
        return perform(
            CALLBACK,
            callback,
            "cancel",
            by=None,
            now=now,
            reason=str(block.label),
            changes={"end_reason": block.value, "finished_at": now},
            via="gate",
        )
    return None


def take(*, callback: Callback, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Begin the call. Of two people who begin at once, one wins and the other learns who.

    Consent, holds and hours are asked again here; whoever may not be called any more is called off.
    """
    check(CALLBACK, callback, "take", by=by, reason="")
    _not_the_handler(callback, by)
    _may_call(callback, now)
    earliest = guards.too_soon(now, _missed(callback), min_hours=callback.min_hours, zone=zone())
    if earliest is not None:
        # Asked before the telephone rings, not when the second try of a day is written down.
        raise IllegalMove(_too_soon(earliest), code="too_soon")
    try:
        return perform(
            CALLBACK,
            callback,
            "take",
            by=by,
            now=now,
            via=via,
            changes={"assignee_id": by.pk, "started_at": now},
        )
    except StaleState as error:
        present = Callback.objects.select_related("assignee").filter(pk=callback.pk).first()
        if present is None or present.assignee is None or present.status != CallbackState.CALLING:
            raise
        raise StaleState(
            _("%(person)s is calling this customer now.") % {"person": present.assignee}
        ) from error


def may_see_number(callback: Callback, by: User) -> bool:
    """Whoever has to make an open call has to see whom to ring, also without the right to see every customer whole."""
    return (
        callback.is_open
        and callback.assignee_id == by.pk
        and callback.not_by_id != by.pk
        and by.has_perm(WORK)
        and bool(callback.customer.phone)
    )


def see_number(*, callback: Callback, reason: str, by: User, now: datetime) -> str:
    """The number to ring, for whoever makes the call: with a reason and an audit row, as every look at whole data.

    Raises NotPermitted for anybody else, IllegalMove where the customer may not be called.
    """
    if not may_see_number(callback, by):
        raise NotPermitted(_("Only the person who makes this call sees the number here."))
    block = block_of(callback, now)
    if block is not None:
        raise IllegalMove(str(block.label), code="blocked", block=block.value)
    seen = reveal(
        record=callback.customer,
        fields=["phone"],
        permission=WORK,
        reason=f"{callback.number} · {reason.strip()}" if reason.strip() else "",
        by=by,
        now=now,
    )
    return seen["phone"]


@transaction.atomic
def assign(
    *,
    callback: Callback,
    to: User,
    by: User | None,
    now: datetime,
    reason: str = "",
    via: str = "admin",
) -> ActionLog:
    """Give it to a colleague, who is told. Never to whoever handled the case."""
    if not to.is_active:
        raise InvalidInput(_("%(person)s no longer works here.") % {"person": to}, field="to")
    if callback.not_by_id == to.pk:
        raise InvalidInput(
            _("%(person)s handled this and therefore does not ask the customer about it.") % {"person": to},
            field="to",
        )
    if callback.assignee_id == to.pk:
        raise InvalidInput(_("%(person)s has this already.") % {"person": to}, field="to")
    before = callback.assignee_id
    log = perform(
        CALLBACK,
        callback,
        "assign",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"assignee_id": to.pk},
        expect={"assignee_id": before} if before else {"assignee_id__isnull": True},
        data={"assignee": to.pk},
    )
    if by is None or by.pk != to.pk:
        notify(
            recipients=[to.pk],
            level=NoticeLevel.INFO,
            title=_("Callback %(number)s is now yours") % {"number": callback.number},
            body=mask_text(callback.reason),
            url=url_of(callback.pk),
            key=f"callback_assign:{log.pk}",
            now=now,
        )
    return log


# -- what came of a call ----------
def record_result(*, callback: Callback, outcome: str, **values: Any) -> ActionLog:
    """The result of a call, whichever it is: see `finish` and `record_attempt`."""
    if outcome in ENDING:
        values.pop("next_at", None)
        return finish(callback=callback, outcome=outcome, **values)
    for name in ("satisfaction", "answers"):
        values.pop(name, None)
    return record_attempt(callback=callback, outcome=outcome, **values)


def _begin(
    callback: Callback, verb: str, outcome: str, *, by: User | None, now: datetime, method: str
) -> None:
    """What every result asks first. What was begun in time is written down in any case."""
    if method not in Method.values:
        raise InvalidInput(_("Say how the customer was asked."), field="method")
    check(CALLBACK, callback, verb, by=by, reason="")
    _not_the_handler(callback, by)
    _nobody_else_calls(callback, by)
    # A wish of the customer is kept whenever it is heard.
    if callback.status != CallbackState.CALLING and outcome not in (Outcome.REFUSED, Outcome.WRONG_NUMBER):
        _may_call(callback, now, by_phone=method == Method.PHONE)


def _attempt(
    callback: Callback,
    outcome: str,
    *,
    by: User | None,
    now: datetime,
    note: str,
    method: str,
    recording: Recording | None,
) -> CallbackAttempt:
    said = recording or Recording()
    row = CallbackAttempt(
        callback=callback,
        number=(callback.attempt_rows.aggregate(n=Max("number"))["n"] or 0) + 1,
        round=callback.round,
        at=now,
        method=method,
        outcome=outcome,
        note=note.strip()[:2000],
        by=by,
        announced_at=(callback.started_at or now) if said.announced or said.consented else None,
        consented=said.consented if said.announced or said.consented else None,
    )
    if said.upload:
        if outcome in MISSED or outcome == Outcome.WRONG_NUMBER:
            # Whoever spoke, it was not this customer: there is nobody whose yes could be written down.
            raise InvalidInput(
                _("The customer was not reached: there is no talk whose recording could be kept."),
                field="recording",
            )
        if not said.consented or by is None:
            raise InvalidInput(
                _("A recording can be kept only with the customer's recorded consent."), field="recording"
            )
        row.consent, row.file = keep_recording(
            customer=callback.customer, upload=said.upload, evidence=callback.number, by=by, now=now
        )
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise StaleState(
            _("Somebody else has just changed this. Look at it again before you go on.")
        ) from error
    return row


def _missed(callback: Callback) -> list[datetime]:
    # Of every round: planning it again is no leave to ring twice in one day. Whoever has asked to be called since has
    # lifted it: their wish may be for this afternoon.
    newest = callback.attempt_rows.order_by("-number").values_list("outcome", flat=True).first()
    if newest == Outcome.CALL_LATER:
        return []
    return list(callback.attempt_rows.filter(outcome__in=MISSED).values_list("at", flat=True))


def _too_soon(earliest: datetime) -> str:
    return _("The customer did not pick up before; the next attempt may be made from %(moment)s.") % {
        "moment": f"{timezone.localtime(earliest):%m-%d %H:%M}"
    }


def record_attempt(
    *,
    callback: Callback,
    outcome: str,
    by: User | None,
    now: datetime,
    note: str = "",
    method: str = Method.PHONE,
    next_at: datetime | None = None,
    recording: Recording | None = None,
    via: str = "admin",
) -> ActionLog:
    """Nobody picked up, or the customer asked to be called later. Plans the next try.

    Calls nobody took lie on different days, `min_hours` apart, and are never more than `max_attempts`: the last one
    ends the callback as not reached. A customer's wish for later does not count. Raises InvalidInput for a second try
    on one day.
    """
    if outcome not in Outcome.values or outcome in ENDING:
        raise InvalidInput(_("This outcome ends the callback."), field="outcome")
    _begin(callback, "record_attempt", outcome, by=by, now=now, method=method)
    missed = outcome in MISSED
    at_home, window = zone(), window_of(callback)
    if missed:
        earliest = guards.too_soon(now, _missed(callback), min_hours=callback.min_hours, zone=at_home)
        if earliest is not None:
            raise InvalidInput(_too_soon(earliest), field="outcome", code="too_soon")
    elif next_at is None:
        raise InvalidInput(_("When does the customer want to be called?"), field="next_at")
    if next_at is not None and next_at <= now:
        raise InvalidInput(_("The next call lies in the past."), field="next_at")
    with transaction.atomic():
        tries = callback.tries + missed
        expect = {"tries": callback.tries, "due_at": callback.due_at}
        _attempt(callback, outcome, by=by, now=now, note=note, method=method, recording=recording)
        if missed and tries >= callback.max_attempts:
            return _give_up(callback, outcome, tries=tries, by=by, now=now, note=note, via=via, expect=expect)
        due = guards.next_try(now, min_hours=callback.min_hours, window=window, zone=at_home)
        if next_at is not None:
            least = guards.too_soon(next_at, [now], min_hours=callback.min_hours, zone=at_home)
            # A wish may be for this afternoon; a try of ours may not.
            due = guards.allowed(least if missed and least else next_at, window, at_home)
        return perform(
            CALLBACK,
            callback,
            "record_attempt",
            by=by,
            now=now,
            via=via,
            changes=AGAIN
            | {"tries": tries, "due_at": due, "outcome": outcome, "note": note.strip() or callback.note},
            expect=expect,
            data={"outcome": outcome},
        )


def _give_up(
    callback: Callback,
    outcome: str,
    *,
    by: User | None,
    now: datetime,
    note: str,
    via: str,
    tries: int | None = None,
    expect: dict[str, Any] | None = None,
) -> ActionLog:
    log = perform(
        CALLBACK,
        callback,
        "give_up",
        by=by,
        now=now,
        via=via,
        changes={
            "tries": callback.tries if tries is None else tries,
            "outcome": outcome,
            "note": note.strip() or callback.note,
            "finished_at": now,
            "finished_by_id": by.pk if by else None,
        },
        expect=expect,
        data={"outcome": outcome},
    )
    announce(callback)
    return log


def give_up(*, callback: Callback, now: datetime) -> ActionLog:
    """The system ends a callback that has no attempt left."""
    with transaction.atomic():
        return _give_up(
            callback, callback.outcome or Outcome.NO_ANSWER, by=None, now=now, note="", via="sweep"
        )


def finish(
    *,
    callback: Callback,
    outcome: str,
    by: User | None,
    now: datetime,
    satisfaction: int | None = None,
    answers: Sequence[str] = (),
    note: str = "",
    method: str = Method.PHONE,
    recording: Recording | None = None,
    via: str = "admin",
) -> ActionLog:
    """The customer was reached, refused, or is not under this number.

    Not satisfied with a case: it is opened again within seven days, later its owner is told (R44). A refusal is kept in
    the consent ledger and stops further calls that need consent. A wrong number ends as not reached.
    """
    if outcome not in ENDING:
        raise InvalidInput(_("Choose what came of the call."), field="outcome")
    if satisfaction is not None and not 1 <= satisfaction <= 5:
        raise InvalidInput(_("Satisfaction is a number from 1 to 5."), field="satisfaction")
    if outcome not in REACHED:
        satisfaction, answers = None, ()
    if satisfaction is not None and (
        (outcome == Outcome.SATISFIED and satisfaction <= LOW)
        or (outcome == Outcome.UNSATISFIED and satisfaction > LOW + 1)
    ):
        raise InvalidInput(_("The stars say something else than the outcome."), field="satisfaction")
    _begin(callback, "finish", outcome, by=by, now=now, method=method)
    given = [
        {"question": question, "answer": text.strip()[:500]}
        for question, text in zip(callback.questions, answers, strict=False)
        if text.strip()
    ]
    with transaction.atomic():
        _attempt(callback, outcome, by=by, now=now, note=note, method=method, recording=recording)
        if outcome == Outcome.WRONG_NUMBER:
            return _give_up(callback, outcome, by=by, now=now, note=note, via=via)
        log = perform(
            CALLBACK,
            callback,
            "finish",
            by=by,
            now=now,
            via=via,
            changes={
                "outcome": outcome,
                "satisfaction": satisfaction,
                "answers": given,
                "note": note.strip(),
                "finished_at": now,
                "finished_by_id": by.pk if by else None,
            },
            data={"outcome": outcome, "satisfaction": satisfaction},
        )
        if outcome == Outcome.REFUSED:
            _keep_wish(callback, by=by, now=now)
        elif outcome == Outcome.UNSATISFIED or (satisfaction or 5) <= LOW:
            _follow_up(callback, by=by, now=now)
        announce(callback)
    return log


def announce(callback: Callback) -> None:
    """After the commit, tell higher apps how a callback ended."""
    values = {
        "callback_id": callback.pk,
        "subject_key": callback.subject_key,
        "outcome": callback.outcome,
        "satisfaction": callback.satisfaction,
    }
    transaction.on_commit(lambda: signals.callback_finished.send(Callback, **values))


def _keep_wish(callback: Callback, *, by: User | None, now: datetime) -> None:
    """No more calls that need consent (实施条例 art. 24: stop at once). The system writes it, so that everybody's

    ear counts, whatever they may do with consents.
    """
    for purpose in (Purpose.SURVEY, Purpose.MARKETING):
        said: dict[str, Any] = {
            "customer": callback.customer,
            "purpose": purpose,
            "channel": ContactChannel.PHONE,
            "granted": False,
            "source": "callback",
            "evidence": f"{callback.number} · {by or ''}",
        }
        try:
            with transaction.atomic():
                record_consent(now=now, by=None, **said)
        except StaleState:
            # Calls were refused before, then a yes to every channel came: it must not outlive this newer no.
            if may_contact(callback.customer_id, purpose=purpose, channel=ContactChannel.PHONE):
                ConsentEvent.objects.create(at=now, **said)
        except DomainError:
            continue
    others = Callback.objects.open().filter(customer_id=callback.customer_id).exclude(purpose="service")
    for other in others.exclude(pk=callback.pk):
        call_off(callback=other, block=Block.OPTED_OUT, now=now)


def _follow_up(callback: Callback, *, by: User | None, now: datetime) -> None:
    if callback.feedback_id is None:
        return
    case = Feedback.objects.select_related("assignee").get(pk=callback.feedback_id)
    ended = case.resolved_at or case.closed_at
    reopened = False
    if (
        callback.outcome == Outcome.UNSATISFIED
        and case.status in (Status.RESOLVED, Status.CLOSED)
        and ended is not None
        and now - ended <= moves.REOPEN_WITHIN
    ):
        # Asking was permitted; what follows from the answer needs no permission of its own.
        judge = by if by is not None and by.has_perm("feedback.work_feedback") else None
        with suppress(DomainError), transaction.atomic():
            moves.reopen(
                feedback=case,
                by=judge,
                now=now,
                reason=_("Callback %(number)s: the customer is not satisfied.") % {"number": callback.number},
                via="callback",
            )
            reopened = True
    title = (
        _("%(number)s is open again: not satisfied in the callback")
        if reopened
        else _("Not satisfied in the callback about %(number)s")
    )
    notify(
        recipients=people(reference(), case, ("owner", "lead")),
        level=NoticeLevel.WARNING,
        title=title % {"number": case.number},
        body=mask_text(callback.note),
        url=address(case.pk),
        key=f"callback_low:{callback.pk}:{callback.round}",
        now=now,
    )


# -- plans change ----------
def postpone(
    *, callback: Callback, due_at: datetime, by: User | None, now: datetime, reason: str, via: str = "admin"
) -> ActionLog:
    """To another time, moved into the allowed hours."""
    if due_at <= now:
        raise InvalidInput(_("The next call lies in the past."), field="due_at")
    _nobody_else_calls(callback, by)
    due = guards.allowed(due_at, window_of(callback), zone())
    return perform(
        CALLBACK,
        callback,
        "postpone",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes=AGAIN | {"due_at": due},
    )


def put_back(*, callback: Callback, by: User | None, now: datetime, via: str = "admin") -> ActionLog:
    """Begun by mistake, or forgotten: nobody is calling."""
    _nobody_else_calls(callback, by)
    return perform(CALLBACK, callback, "put_back", by=by, now=now, via=via, changes={"started_at": None})


def cancel(
    *, callback: Callback, by: User | None, now: datetime, reason: str, via: str = "admin"
) -> ActionLog:
    """Nobody calls about it."""
    _nobody_else_calls(callback, by)
    return perform(
        CALLBACK,
        callback,
        "cancel",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"end_reason": reason.strip()[:300], "finished_at": now},
    )


def reopen(
    *, callback: Callback, due_at: datetime, by: User | None, now: datetime, reason: str, via: str = "admin"
) -> ActionLog:
    """Plan it again, with a new round of attempts. Raises IllegalMove while the customer may not be called."""
    if due_at <= now:
        raise InvalidInput(_("The next call lies in the past."), field="due_at")
    check(CALLBACK, callback, "reopen", by=by, reason=reason)
    block = block_of(callback, now)
    if block is not None:
        raise IllegalMove(str(block.label), code="blocked")
    others = Callback.objects.open().filter(feedback_id=callback.feedback_id).exclude(pk=callback.pk)
    if callback.feedback_id is not None and others.exists():
        raise IllegalMove(_("A callback about this case is planned already."), code="planned")
    return perform(
        CALLBACK,
        callback,
        "reopen",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes=AGAIN
        | {
            "due_at": guards.allowed(due_at, window_of(callback), zone()),
            "tries": 0,
            "round": callback.round + 1,
            "outcome": "",
            "satisfaction": None,
            "answers": [],
            "end_reason": "",
            "finished_at": None,
            "finished_by_id": None,
        },
    )


@transaction.atomic
def raise_feedback(*, callback: Callback, text: str, by: User, now: datetime) -> Feedback:
    """The customer said something new: it becomes feedback of the channel “callback”, once for each callback."""
    if not by.has_perm(WORK) or not by.has_perm("feedback.add_feedback"):
        raise NotPermitted(_("You may not enter feedback."))
    if len(text.strip()) < 2:
        raise InvalidInput(_("Write down what the customer said."), field="text")
    locked = (
        Callback.objects.select_for_update(of=("self",)).select_related("feedback__store").get(pk=callback.pk)
    )
    if locked.raised_id is not None:
        raise IllegalMove(_("This callback has led to a feedback already."))
    about = locked.feedback
    (outcome,) = take_in(
        [
            IncomingFeedback(
                channel="callback",
                text=text,
                external_id=f"callback-{locked.pk}",
                posted_at=now,
                store=about.store.code if about is not None and about.store is not None else "",
            )
        ],
        source=Source.FORM,
        now=now,
        by=by,
    )
    if outcome.feedback_id is None:
        raise InvalidInput(outcome.message, code=outcome.code, field=outcome.field)
    Feedback.objects.filter(pk=outcome.feedback_id, customer__isnull=True).update(
        customer_id=locked.customer_id
    )
    Callback.objects.filter(pk=locked.pk).update(raised_id=outcome.feedback_id, updated_at=now)
    ActionLog.objects.create(
        model="callbacks.callback",
        object_id=locked.pk,
        verb="raise_feedback",
        from_state=locked.status,
        to_state=locked.status,
        by=by,
        via="admin",
        at=now,
        data={"feedback": outcome.feedback_id},
    )
    callback.raised_id = outcome.feedback_id
    return Feedback.objects.get(pk=outcome.feedback_id)
