"""Handing over all open work of somebody who leaves or is away: planned, carried out row by row, taken back (R16)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted, StaleState
from apps.core.masking import mask_text
from apps.core.models import ActionLog, User
from apps.core.services.notices import notify
from apps.feedback.choices import HandoverKind, HandoverRowState, HandoverWay, Tier
from apps.feedback.models import Entry, Feedback, Handover, HandoverRow, Promise
from apps.feedback.selectors import handover as selector
from apps.feedback.selectors.reference import reference
from apps.feedback.services import moves, promises
from apps.feedback.services.dispatch import Dispatcher, team_of
from apps.shop.models import TeamMember, WorkItem
from apps.shop.selectors import away_today
from apps.shop.services import work

ASSIGN = "feedback.assign_feedback"
# A notice names so many; the queue shows the rest.
LISTED = 20
# A plan nobody confirmed is forgotten after this.
KEEP_PLANS = timedelta(days=1)
MINE = "/admin/feedback/feedback/?tab=mine&o=due"
WORK_ITEMS = "/admin/shop/workitem/"


def _must_be_allowed(by: User) -> None:
    if not by.has_perm(ASSIGN):
        raise NotPermitted(_("You may not hand over other people's work."))


@transaction.atomic
def plan(*, person: User, way: str, to: User | None, reason: str, by: User, now: datetime) -> Handover:
    """Work out who would get what, and keep it. Nothing changes hands before `carry_out`.

    `one`: everything to `to`. `spread`: feedback by the turns of round robin in its own team, with shift, leave,
    stand-ins and capacity (`Dispatcher`), without the person themselves; promises and work items in turn over those
    at work in the person's teams. A row nobody can take has no receiver and stays where it is.
    Raises InvalidInput that names its field, NotPermitted.
    """
    _must_be_allowed(by)
    reason = mask_text(reason.strip())[:300]
    if way not in HandoverWay.values:
        raise InvalidInput(_("Choose how the work is handed over."), field="way")
    if len(reason) < 2:
        raise InvalidInput(_("Say why: whoever gets the work reads it."), field="reason")
    if way == HandoverWay.ONE:
        if to is None:
            raise InvalidInput(_("Choose a colleague first."), field="to")
        if to.pk == person.pk:
            raise InvalidInput(_("Choose somebody else: this is the person whose work it is."), field="to")
        if not to.is_active or not to.is_staff:
            raise InvalidInput(_("%(person)s no longer works here.") % {"person": to}, field="to")
    cases = list(
        selector.cases_of(person, by)
        .most_urgent_first()
        .only(
            "id", "tier", "tier_rank", "due_at", "snippet", "team_id", "category_id", "subcategory_id",
            "store_id", "channel_id",
        )[: selector.MOST]
    )  # fmt: skip
    room = selector.MOST - len(cases)
    kept = list(selector.promises_of(person, by).order_by("due_at", "id")[:room])
    items = list(selector.work_of(person).order_by("due_at", "id")[: room - len(kept)])
    if not (cases or kept or items):
        raise InvalidInput(_("%(person)s has no open work.") % {"person": person})
    handover = Handover.objects.create(
        person=person,
        way=way,
        to=to if way == HandoverWay.ONE else None,
        reason=reason,
        by=by,
        planned_at=now,
    )
    receivers: Iterable[int | None]
    if way == HandoverWay.ONE:
        receivers = [to.pk if to else None] * (len(cases) + len(kept) + len(items))
    else:
        receivers = _spread(person, cases, len(kept) + len(items), now=now)
    rows = [
        *((HandoverKind.FEEDBACK, r.pk, f"{r.number} {r.snippet}", r.tier, r.due_at) for r in cases),
        *((HandoverKind.PROMISE, r.pk, mask_text(r.what), "", r.due_at) for r in kept),
        *((HandoverKind.WORK, r.pk, mask_text(r.title), "", r.due_at) for r in items),
    ]
    HandoverRow.objects.bulk_create(
        [
            HandoverRow(
                handover=handover, kind=kind, object_id=pk, label=label[:300], tier=tier, due_at=due, to_id=user_id
            )
            for (kind, pk, label, tier, due), user_id in zip(rows, receivers, strict=True)
        ]
    )  # fmt: skip
    return handover


def _spread(person: User, cases: list[Any], others: int, *, now: datetime) -> list[int | None]:
    """User ids for the cases and for so many other pieces of work; None where nobody is free."""
    ref = reference()
    known = {team.id: team for team in ref.teams}
    teams = [known.get(row.team_id or 0) or team_of(ref, row) for row in cases]
    own = [
        known[pk]
        for pk in TeamMember.objects.filter(user=person).order_by("id").values_list("team_id", flat=True)
        if pk in known
    ]
    dispatcher = Dispatcher(ref, now, without=frozenset({person.pk}))
    used = [team for team in (*own, *teams) if team is not None]
    dispatcher.lock(used)
    given: list[int | None] = [
        dispatcher.pick(team, row.tier) if team is not None else None
        for row, team in zip(cases, teams, strict=True)
    ]
    here = dict.fromkeys(pk for team in (own or used) for pk in dispatcher.here(team))
    turn = cycle(here) if here else None
    given += [next(turn) if turn else None for _number in range(others)]
    dispatcher.save_turns()
    return given


def carry_out(*, handover: Handover, by: User, now: datetime) -> Handover:
    """Do what the plan says, each row by itself; tell each receiver once. Doing it again does what is left, if any."""
    _must_be_allowed(by)
    if handover.undone_at or handover.returned_at:
        raise IllegalMove(_("This hand-over was taken back; make a new one."))
    people = User.objects.in_bulk(
        [handover.person_id, *handover.rows.exclude(to=None).values_list("to_id", flat=True).distinct()]
    )
    for pk in list(handover.rows.filter(state=HandoverRowState.PLANNED).values_list("pk", flat=True)):
        _give(pk, handover, people, by=by, now=now)
    Handover.objects.filter(pk=handover.pk, done_at__isnull=True).update(done_at=now)
    handover.refresh_from_db()
    _tell(
        handover,
        handover.rows.filter(state=HandoverRowState.MOVED),
        key=f"handover:{handover.pk}",
        now=now,
        title=lambda count: ngettext(
            "%(person)s hands over to you: %(count)d piece of work",
            "%(person)s hands over to you: %(count)d pieces of work",
            count,
        ),
    )
    return handover


@transaction.atomic
def _give(pk: int, handover: Handover, people: dict[int, User], *, by: User, now: datetime) -> None:
    # The row is locked, so that two presses of one button do it once.
    row = HandoverRow.objects.select_for_update().filter(pk=pk, state=HandoverRowState.PLANNED).first()
    if row is None:
        return
    if row.to_id is None:
        row.state, row.why = HandoverRowState.REFUSED, _("Nobody is on shift with room for it.")
    else:
        try:
            with transaction.atomic():
                log = _move(
                    row, handover.person_id, people[row.to_id], by=by, now=now, reason=handover.reason
                )
            row.state, row.log_id, row.why = HandoverRowState.MOVED, log.pk, ""
        except DomainError as error:
            row.state, row.why = HandoverRowState.REFUSED, str(error.message)[:300]
    row.save(update_fields=["state", "log_id", "why"])


def _move(
    row: HandoverRow, from_id: int, to: User, *, by: User, now: datetime, reason: str, back: bool = False
) -> ActionLog:
    """One piece of work from one person to another, if the first still has it. Raises DomainError."""
    if row.kind == HandoverKind.FEEDBACK:
        case = Feedback.objects.visible_to(by).select_related("assignee").filter(pk=row.object_id).first()
        if case is None:
            raise InvalidInput(_("Not found, or not yours to see."))
        if case.assignee_id != from_id:
            _gone(case.assignee)
        return moves.assign(feedback=case, to=to, by=by, now=now, reason=reason, tell=False)
    if row.kind == HandoverKind.PROMISE:
        promise = (
            Promise.objects.select_related("keeper", "feedback__assignee").filter(pk=row.object_id).first()
        )
        if promise is None:
            raise InvalidInput(_("Not found, or not yours to see."))
        keeper = promise.keeper or promise.feedback.assignee
        if (keeper.pk if keeper else promise.made_by_id) != from_id:
            _gone(keeper)
        return promises.hand_on(promise=promise, to=to, by=by, now=now, reason=reason, back=back)
    item = WorkItem.objects.select_related("owner").filter(pk=row.object_id).first()
    if item is None:
        raise InvalidInput(_("Not found, or not yours to see."))
    if item.owner_id != from_id:
        _gone(item.owner)
    return work.hand_on(item=item, to=to, by=by, now=now, reason=reason, back=back)


def _gone(holder: User | None) -> None:
    raise StaleState(
        _("%(person)s has this now.") % {"person": holder} if holder else _("Nobody has this now.")
    )


def _tell(handover: Handover, rows: Any, *, key: str, now: datetime, title: Any) -> None:
    """One notice per receiver with the list of what came."""
    lists: dict[int, list[HandoverRow]] = defaultdict(list)
    for row in rows.order_by("id"):
        if row.to_id is not None:
            lists[row.to_id].append(row)
    for user_id, mine in lists.items():
        _notice(user_id, mine, handover, key=key, now=now, title=title)


def _notice(
    user_id: int, mine: list[HandoverRow], handover: Handover, *, key: str, now: datetime, title: Any
) -> None:
    lines = [f"{row.tier} {row.label}".strip()[:120] for row in mine[:LISTED]]
    if len(mine) > LISTED:
        lines.append(
            ngettext("and %(count)d more", "and %(count)d more", len(mine) - LISTED)
            % {"count": len(mine) - LISTED}
        )
    cases = any(row.kind != HandoverKind.WORK for row in mine)
    notify(
        recipients=[user_id],
        level=NoticeLevel.URGENT if any(row.tier == Tier.S for row in mine) else NoticeLevel.INFO,
        title=title(len(mine)) % {"person": handover.person, "count": len(mine)},
        body="\n".join([handover.reason, *lines]),
        url=MINE if cases else WORK_ITEMS,
        key=key,
        now=now,
    )


def _touched(row: HandoverRow) -> str:
    """Why a piece of work can no longer be taken back as if nothing had been; empty if nobody did anything to it."""
    model = {
        HandoverKind.FEEDBACK: "feedback.feedback",
        HandoverKind.PROMISE: "feedback.promise",
        HandoverKind.WORK: "shop.workitem",
    }[HandoverKind(row.kind)]
    acted = ActionLog.objects.filter(
        model=model, object_id=row.object_id, pk__gt=row.log_id or 0, by__isnull=False
    )
    log = ActionLog.objects.filter(pk=row.log_id).first()
    if acted.exists() or (
        row.kind == HandoverKind.FEEDBACK
        and log is not None
        and Entry.objects.filter(feedback_id=row.object_id, at__gt=log.at, by__isnull=False).exists()
    ):
        return _("Somebody has worked on it since; it stays.")
    return ""


def undo(*, handover: Handover, by: User, now: datetime) -> Handover:
    """Take the whole back: each row to what it was, as long as nothing happened to it since. Repeatable."""
    return _back(handover, by=by, now=now, exact=True)


def give_back(*, handover: Handover, by: User, now: datetime) -> Handover:
    """The person is here again: what is still open and untouched becomes theirs again, and they are told once.

    Differs from `undo` in that the system itself may have acted meanwhile (a wait that ended, a clock that warned).
    Raises InvalidInput while the person is away.
    """
    person = handover.person
    if not person.is_active:
        raise InvalidInput(_("%(person)s no longer works here.") % {"person": person})
    if away_today([person.pk], timezone.localdate(now)):
        raise InvalidInput(_("%(person)s is still on leave today.") % {"person": person})
    return _back(handover, by=by, now=now, exact=False)


def _back(handover: Handover, *, by: User, now: datetime, exact: bool) -> Handover:
    _must_be_allowed(by)
    if handover.done_at is None:
        raise IllegalMove(_("Nothing was handed over yet."))
    done: list[HandoverRow] = []
    for pk in list(
        handover.rows.filter(state=HandoverRowState.MOVED).order_by("-id").values_list("pk", flat=True)
    ):
        row = _take_back(pk, handover, by=by, now=now, exact=exact)
        if row is not None:
            done.append(row)
    field = "undone_at" if exact else "returned_at"
    Handover.objects.filter(pk=handover.pk, **{f"{field}__isnull": True}).update(**{field: now})
    handover.refresh_from_db()
    done.reverse()
    if not done:
        return handover
    if exact:
        _tell(
            handover,
            handover.rows.filter(pk__in=[row.pk for row in done]),
            key=f"handover_undone:{handover.pk}",
            now=now,
            title=lambda count: ngettext(
                "Back to %(person)s: %(count)d piece of work is no longer yours",
                "Back to %(person)s: %(count)d pieces of work are no longer yours",
                count,
            ),
        )
    else:
        _notice(
            handover.person_id,
            done,
            handover,
            key=f"handover_returned:{handover.pk}:{done[0].pk}",
            now=now,
            title=lambda count: ngettext(
                "Yours again: %(count)d piece of work", "Yours again: %(count)d pieces of work", count
            ),
        )
    return handover


@transaction.atomic
def _take_back(pk: int, handover: Handover, *, by: User, now: datetime, exact: bool) -> HandoverRow | None:
    """The row if it went back."""
    row = HandoverRow.objects.select_for_update().filter(pk=pk, state=HandoverRowState.MOVED).first()
    if row is None or row.to_id is None:
        return None
    try:
        with transaction.atomic():
            why = _touched(row)
            if why:
                raise StaleState(why)
            if exact and row.kind == HandoverKind.FEEDBACK:
                moves.undo(log=ActionLog.objects.get(pk=row.log_id), by=by, now=now)
            else:
                _move(
                    row,
                    row.to_id,
                    handover.person,
                    by=by,
                    now=now,
                    reason=_("Undone") if exact else _("Given back"),
                    back=exact,
                )
        row.state, row.why = HandoverRowState.UNDONE if exact else HandoverRowState.RETURNED, ""
    except DomainError as error:
        row.why = str(error.message)[:300]
    row.save(update_fields=["state", "why"])
    return row if row.state != HandoverRowState.MOVED else None


def forget_plans(*, now: datetime) -> int:
    """Drop plans nobody confirmed."""
    old = Handover.objects.filter(done_at__isnull=True, planned_at__lt=now - KEEP_PLANS)
    # A run that was cut short has moved something already: that stays, and can be continued.
    gone, _rows = old.exclude(rows__state=HandoverRowState.MOVED).delete()
    return gone
