"""The verbs of a case (decisions, item 5). Each locks or compares-and-sets; each leaves a log row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Least
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted, StaleState
from apps.core.models import ActionLog, User
from apps.core.reference import touch
from apps.core.services.notices import notify
from apps.core.workflow import check, perform
from apps.feedback import signals, sla
from apps.feedback.choices import (
    OPEN,
    TIER_RANK,
    ClockKind,
    ContactMethod,
    EntryKind,
    Status,
    Tier,
    WaitReason,
)
from apps.feedback.models import Correction, Entry, Feedback, SlaClock, SlaPause
from apps.feedback.selectors.reference import STAMP, reference
from apps.feedback.services import clocks
from apps.feedback.services.dispatch import hand_out
from apps.feedback.services.grading import priority_of
from apps.feedback.services.telling import address, people
from apps.feedback.transitions import FEEDBACK
from apps.shop.models import WorkItem

REOPEN_WITHIN = timedelta(days=7)
MERGE_DEPTH = 20


def announce(feedback: Feedback, verb: str, by: User | None) -> None:
    """After the commit, tell higher apps."""
    by_id = by.pk if by else None
    transaction.on_commit(
        lambda: signals.moved.send(Feedback, feedback_id=feedback.pk, verb=verb, by_id=by_id)
    )


def _author(by: User | None, via: str) -> dict[str, Any]:
    # Nothing in the conversation is said by nobody.
    return {"by": by, "speaker": "" if by is not None else via[:60]}


@transaction.atomic
def claim(*, feedback: Feedback, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Become the owner. Takes what nobody has claimed yet, also what round robin gave to somebody else.

    Of two people who claim at once, one wins and the other learns who has it.
    """
    check(FEEDBACK, feedback, "claim", by=by, reason="")
    if feedback.claimed_at is not None:
        raise StaleState(_("%(person)s has claimed this already.") % {"person": feedback.assignee})
    try:
        log = perform(
            FEEDBACK,
            feedback,
            "claim",
            by=by,
            now=now,
            via=via,
            changes={"assignee_id": by.pk, "assigned_at": now, "claimed_at": now},
            expect={"claimed_at__isnull": True, "assignee_id": feedback.assignee_id}
            if feedback.assignee_id
            else {"claimed_at__isnull": True, "assignee_id__isnull": True},
        )
    except StaleState as error:
        present = Feedback.objects.select_related("assignee").filter(pk=feedback.pk).first()
        if present is None:
            raise StaleState(_("This feedback is gone: its import was undone.")) from error
        winner = present.assignee
        if winner is None:
            raise
        raise StaleState(_("%(person)s has claimed this already.") % {"person": winner}) from error
    announce(feedback, "claim", by)
    return log


@transaction.atomic
def assign(
    *,
    feedback: Feedback,
    to: User,
    by: User | None,
    now: datetime,
    reason: str = "",
    via: str = "admin",
    tell: bool = True,
) -> ActionLog:
    """Give the case to a colleague. The new owner is told, unless the caller tells (`tell`); "new" becomes "assigned"."""
    if not to.is_active:
        raise InvalidInput(_("%(person)s no longer works here.") % {"person": to}, field="assignee")
    if feedback.assignee_id == to.pk:
        raise InvalidInput(_("%(person)s has this already.") % {"person": to}, field="assignee")
    previous = feedback.assignee_id
    log = perform(
        FEEDBACK,
        feedback,
        "assign",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"assignee_id": to.pk, "assigned_at": now, "claimed_at": None},
        expect={"assignee_id": previous} if previous else {"assignee_id__isnull": True},
        data={"assignee": to.pk},
    )
    if feedback.status == Status.NEW:
        Feedback.objects.filter(pk=feedback.pk, status=Status.NEW).update(status=Status.ASSIGNED)
        feedback.status = Status.ASSIGNED
        _ends_in(log, Status.ASSIGNED)
    if tell and (by is None or by.pk != to.pk):
        notify(
            recipients=[to.pk],
            level=NoticeLevel.URGENT if feedback.tier == Tier.S else NoticeLevel.INFO,
            title=_("%(number)s is now yours") % {"number": feedback.number},
            body=feedback.snippet,
            url=address(feedback.pk),
            key=f"assign:{feedback.pk}:{log.pk}",
            now=now,
        )
    announce(feedback, "assign", by)
    return log


def _ends_in(log: ActionLog, state: str) -> None:
    # A move that keeps the state by the table may carry the case on, e.g. from new to assigned.
    ActionLog.objects.filter(pk=log.pk).update(to_state=state)
    log.to_state = state


@transaction.atomic
def record_contact(
    *,
    feedback: Feedback,
    how: str,
    said: str,
    by: User | None,
    now: datetime,
    at: datetime | None = None,
    via: str = "admin",
    is_automatic: bool = False,
) -> ActionLog:
    """How, when and what was said to the customer. A person's contact stops the first-response clock; a machine's

    never does (decisions, item 2). `at` may lie in the past (a call made an hour ago), not before the case arrived
    and not in the future.
    """
    if how not in ContactMethod.values:
        raise InvalidInput(_("Say how the customer was contacted."), field="how")
    if len(said.strip()) < 2:
        raise InvalidInput(_("Say what was said; a colleague must be able to go on from here."), field="said")
    at = at or now
    if at > now:
        raise InvalidInput(_("A contact cannot lie in the future."), field="at")
    if at < feedback.received_at:
        raise InvalidInput(_("This lies before the feedback arrived."), field="at")
    human = not is_automatic
    moves_on = human and feedback.status in (Status.NEW, Status.ASSIGNED)
    changes: dict[str, Any] = {}
    if human and feedback.first_response_at is None:
        changes["first_response_at"] = at
    if human and feedback.assignee_id is None and by is not None:
        changes |= {"assignee_id": by.pk, "assigned_at": now, "claimed_at": now}
    log = perform(
        FEEDBACK, feedback, "record_contact", by=by, now=now, via=via, changes=changes, data={"how": how}
    )
    if moves_on:
        Feedback.objects.filter(pk=feedback.pk).update(status=Status.IN_PROGRESS)
        _ends_in(log, Status.IN_PROGRESS)
        feedback.status = Status.IN_PROGRESS
    Entry.objects.create(
        feedback=feedback,
        kind=EntryKind.CONTACT,
        method=how,
        text=said.strip(),
        at=at,
        is_automatic=is_automatic,
        **_author(by, via),
    )
    if human:
        clocks.stop(feedback, [ClockKind.FIRST_RESPONSE], now=at)
    announce(feedback, "record_contact", by)
    return log


@transaction.atomic
def _given(
    verb: str,
    kind: str,
    entry_kind: str,
    *,
    feedback: Feedback,
    said: str,
    by: User | None,
    now: datetime,
    via: str,
) -> ActionLog:
    if len(said.strip()) < 2:
        raise InvalidInput(_("Say what the customer was told."), field="said")
    log = perform(FEEDBACK, feedback, verb, by=by, now=now, via=via, reason=said)
    Entry.objects.create(feedback=feedback, kind=entry_kind, text=said.strip(), at=now, **_author(by, via))
    # Whoever gives a plan or reports progress has spoken to the customer.
    if feedback.first_response_at is None:
        Feedback.objects.filter(pk=feedback.pk).update(first_response_at=now)
        feedback.first_response_at = now
    if feedback.status in (Status.NEW, Status.ASSIGNED):
        Feedback.objects.filter(pk=feedback.pk).update(status=Status.IN_PROGRESS)
        _ends_in(log, Status.IN_PROGRESS)
        feedback.status = Status.IN_PROGRESS
    clocks.stop(feedback, [ClockKind.FIRST_RESPONSE, kind], now=now)
    announce(feedback, verb, by)
    return log


def give_plan(
    *, feedback: Feedback, said: str, by: User | None, now: datetime, via: str = "admin"
) -> ActionLog:
    """The customer knows what we will do: the second clock of S."""
    return _given(
        "give_plan",
        ClockKind.PLAN_GIVEN,
        EntryKind.PLAN,
        feedback=feedback,
        said=said,
        by=by,
        now=now,
        via=via,
    )


def give_progress(
    *, feedback: Feedback, said: str, by: User | None, now: datetime, via: str = "admin"
) -> ActionLog:
    """The customer knows how far we are: the second clock of B."""
    return _given(
        "give_progress",
        ClockKind.PROGRESS_GIVEN,
        EntryKind.PROGRESS,
        feedback=feedback,
        said=said,
        by=by,
        now=now,
        via=via,
    )


def wait(
    *,
    feedback: Feedback,
    why: str,
    by: User | None,
    now: datetime,
    reason: str,
    until: datetime | None = None,
    via: str = "admin",
) -> ActionLog:
    """Let the second clock stand still (domain.md 3.2): for at most 72 hours at a time and seven days in all.

    Past the seven days nothing pauses any more and the manager is told.
    """
    if why not in WaitReason.values:
        raise InvalidInput(_("Say what we are waiting for."), field="why")
    check(FEEDBACK, feedback, "wait", by=by, reason=reason)
    limit = sla.pause_limit(clocks.pauses_of(feedback.pk), now)
    if not limit.allowed:
        # Outside of the transaction below: the refusal must not take the notice with it.
        notify(
            recipients=reference().managers,
            level=NoticeLevel.WARNING,
            title=_("%(number)s has waited seven days in all") % {"number": feedback.number},
            url=address(feedback.pk),
            key=f"pause_cap:{feedback.pk}",
            now=now,
        )
        raise DomainError(
            _("This case has waited seven days in all; it cannot wait longer. Resolve or escalate it.")
        )
    until = min(until, limit.resume_at) if until else limit.resume_at
    if until <= now:
        raise InvalidInput(_("The time to wait until lies in the past."), field="until")
    with transaction.atomic():
        log = perform(
            FEEDBACK,
            feedback,
            "wait",
            by=by,
            now=now,
            reason=reason,
            via=via,
            changes={"wait_reason": why, "wait_until": until},
            data={"until": until.isoformat()},
        )
        SlaPause.objects.create(feedback=feedback, reason=why, note=reason[:300], started_at=now, until=until)
        clocks.pause(feedback, now=now)
        announce(feedback, "wait", by)
    return log


@transaction.atomic
def resume(
    *, feedback: Feedback, by: User | None, now: datetime, reason: str = "", via: str = "admin"
) -> ActionLog:
    """Go on; deadlines move by the working part of the pause."""
    log = perform(
        FEEDBACK,
        feedback,
        "resume",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"wait_reason": "", "wait_until": None},
    )
    _end_pause(feedback, now)
    announce(feedback, "resume", by)
    return log


def _end_pause(feedback: Feedback, now: datetime) -> None:
    # A sweep that comes late does not lengthen the pause.
    SlaPause.objects.filter(feedback=feedback, ended_at__isnull=True).update(
        ended_at=Least("until", Value(now))
    )
    clocks.resume(reference(), feedback, now=now)


@transaction.atomic
def resolve(
    *, feedback: Feedback, by: User | None, now: datetime, reason: str, via: str = "admin"
) -> ActionLog:
    """The problem is solved; `reason` says how. Stops every clock that still runs."""
    was_waiting = feedback.status == Status.WAITING
    log = perform(
        FEEDBACK,
        feedback,
        "resolve",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"resolved_at": now, "resolution": reason.strip(), "wait_reason": "", "wait_until": None},
    )
    if was_waiting:
        _end_pause(feedback, now)
    clocks.stop(feedback, ClockKind.values, now=now)
    announce(feedback, "resolve", by)
    return log


@transaction.atomic
def close(
    *, feedback: Feedback, by: User | None, now: datetime, reason: str = "", via: str = "admin"
) -> ActionLog:
    """Nothing more to do."""
    log = perform(
        FEEDBACK, feedback, "close", by=by, now=now, reason=reason, via=via, changes={"closed_at": now}
    )
    clocks.stop(feedback, ClockKind.values, now=now)
    announce(feedback, "close", by)
    return log


@transaction.atomic
def reopen(
    *, feedback: Feedback, by: User | None, now: datetime, reason: str, via: str = "admin"
) -> ActionLog:
    """Take it up again. Within seven days the case goes on with a new second clock; later, or when nobody ever

    answered, it also gets a new first clock. Where neither an owner nor a person who reopens is there, it is handed
    out like something that has just come in.
    """
    ended = feedback.resolved_at or feedback.closed_at or feedback.updated_at
    answered = feedback.first_response_at is not None
    log = perform(
        FEEDBACK,
        feedback,
        "reopen",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={
            "resolved_at": None,
            "closed_at": None,
            "reopened": feedback.reopened + 1,
            "assignee_id": feedback.assignee_id or (by.pk if by else None),
        },
    )
    ref = reference()
    if feedback.assignee_id is None:
        # "In progress" with nobody would be found by no sweep and could be claimed by nobody.
        _ends_in(log, Status.NEW)
        feedback.status = Status.NEW
        hand_out(ref, feedback, now=now)
        Feedback.objects.filter(pk=feedback.pk).update(
            status=feedback.status,
            team_id=feedback.team_id,
            assignee_id=feedback.assignee_id,
            assigned_at=feedback.assigned_at,
            claimed_at=None,
        )
        feedback.claimed_at = None
    kinds = [target.kind for target in ref.targets.get(feedback.tier, [])]
    if answered and now - ended <= REOPEN_WITHIN:
        kinds = [kind for kind in kinds if kind != ClockKind.FIRST_RESPONSE]
    clocks.start_cycle(ref, feedback, now=now, kinds=kinds)
    announce(feedback, "reopen", by)
    return log


@transaction.atomic
def dismiss(
    *, feedback: Feedback, by: User | None, now: datetime, reason: str, via: str = "admin"
) -> ActionLog:
    """Spam or nothing to act on: clocks are cancelled, the text stays."""
    log = perform(
        FEEDBACK, feedback, "dismiss", by=by, now=now, reason=reason, via=via, changes={"closed_at": now}
    )
    clocks.cancel_running(feedback, now=now)
    announce(feedback, "dismiss", by)
    return log


@transaction.atomic
def escalate(
    *, feedback: Feedback, by: User | None, now: datetime, reason: str, via: str = "admin"
) -> ActionLog:
    """Raise the tier one step (B → A → S) and tell lead and manager. S stays S; they are told all the same."""
    tier = {"B": "A", "A": "S", "S": "S"}[feedback.tier]
    log = perform(
        FEEDBACK,
        feedback,
        "escalate",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"tier": tier, "tier_rank": TIER_RANK[tier]},
        data={"tier": tier},
    )
    _after_tier(feedback, log.data["old"]["tier"], now=now)
    notify(
        recipients=people(reference(), feedback, ("lead", "manager")),
        level=NoticeLevel.URGENT,
        title=_("%(number)s was escalated to %(tier)s") % {"number": feedback.number, "tier": tier},
        body=reason,
        url=address(feedback.pk),
        key=f"escalate:{log.pk}",
        now=now,
    )
    announce(feedback, "escalate", by)
    return log


def _after_tier(feedback: Feedback, old: str, *, now: datetime) -> None:
    """Clocks follow a tier that rose; a tier that fell leaves promises as they are."""
    from apps.feedback.services.self_check import open_self_checks

    if TIER_RANK[feedback.tier] >= TIER_RANK[old] or not feedback.is_open:
        return
    ref = reference()
    clocks.upgrade(ref, feedback, now=now)
    if feedback.tier == Tier.S:
        open_self_checks(ref, [feedback], now=now)


@transaction.atomic
def merge(
    *, feedback: Feedback, into: Feedback, by: User | None, now: datetime, reason: str, via: str = "admin"
) -> ActionLog:
    """Make `feedback` part of `into`. Nothing moves and nothing is lost: the source points to its target.

    The earlier clock wins: where the source was due sooner, the target takes over that deadline.
    """
    if feedback.pk == into.pk:
        raise InvalidInput(_("A case cannot be merged into itself."), field="into")
    # Locked in the order of keys, so that two merges in opposite directions cannot dead-lock or form a ring.
    locked = {
        row.pk: row
        for row in Feedback.objects.select_for_update().filter(pk__in=[feedback.pk, into.pk]).order_by("pk")
    }
    for row in (feedback, into):
        if row.pk not in locked:
            raise StaleState(_("%(number)s is gone: its import was undone.") % {"number": row.number})
    into = locked[into.pk]
    if into.status == Status.MERGED:
        raise IllegalMove(_("%(number)s is itself part of another case.") % {"number": into.number})
    if feedback.merged_from.exists():
        raise IllegalMove(
            _("Other cases are part of %(number)s; merge the other way round.") % {"number": feedback.number}
        )
    log = perform(
        FEEDBACK,
        feedback,
        "merge",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"merged_into_id": into.pk, "wait_reason": "", "wait_until": None},
        data={"into": into.pk},
    )
    SlaPause.objects.filter(feedback=feedback, ended_at__isnull=True).update(ended_at=now)
    taken: list[dict[str, Any]] = []
    target_clocks = {clock.kind: clock for clock in SlaClock.objects.filter(feedback=into, state="running")}
    for clock in SlaClock.objects.filter(feedback=feedback, state="running"):
        other = target_clocks.get(clock.kind)
        if other is not None and clock.due_at and other.due_at and clock.due_at < other.due_at:
            taken.append(
                {
                    "clock": other.pk,
                    "due_at": other.due_at.isoformat(),
                    "started_at": other.started_at.isoformat(),
                    "due_cap": other.due_cap.isoformat() if other.due_cap else None,
                }
            )
            SlaClock.objects.filter(pk=other.pk).update(
                due_at=clock.due_at,
                started_at=min(clock.started_at, other.started_at),
                due_cap=clock.due_at,
                next_check_at=min(other.next_check_at or clock.due_at, clock.due_at),
            )
    ActionLog.objects.filter(pk=log.pk).update(data=log.data | {"taken": taken})
    clocks.cancel_running(feedback, now=now)
    clocks.refresh_due(into)
    announce(feedback, "merge", by)
    return log


@transaction.atomic
def unmerge(
    *, feedback: Feedback, by: User | None, now: datetime, reason: str, via: str = "admin"
) -> ActionLog:
    """Undo a merge: the case works on by itself, the target gets its own deadline back where it still runs."""
    merge_log = (
        ActionLog.objects.filter(model="feedback.feedback", object_id=feedback.pk, verb="merge")
        .order_by("-id")
        .first()
    )
    target_id = feedback.merged_into_id
    log = perform(
        FEEDBACK,
        feedback,
        "unmerge",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"merged_into_id": None},
    )
    for entry in merge_log.data.get("taken", []) if merge_log else []:
        cap = entry.get("due_cap")
        clocks.set_back(
            reference(),
            SlaClock.objects.filter(pk=entry["clock"], state="running"),
            now=now,
            due_at=datetime.fromisoformat(entry["due_at"]),
            started_at=datetime.fromisoformat(entry["started_at"]),
            due_cap=datetime.fromisoformat(cap) if cap else None,
        )
    clocks.set_back(
        reference(),
        SlaClock.objects.filter(
            feedback=feedback, state="cancelled", stopped_at=merge_log.at if merge_log else None
        ),
        now=now,
    )
    clocks.refresh_due(feedback)
    if target_id:
        clocks.refresh_due(Feedback.objects.get(pk=target_id))
    announce(feedback, "unmerge", by)
    return log


@transaction.atomic
def add_note(*, feedback: Feedback, text: str, by: User | None, now: datetime, via: str = "admin") -> Entry:
    """An internal note; the customer never sees it and no clock stops. An outside program, which is nobody's person,
    is named by its door.
    """
    if len(text.strip()) < 2:
        raise InvalidInput(_("The note is empty."), field="text")
    check(FEEDBACK, feedback, "note", by=by, reason="")
    # Its import may just be undone: then there is nothing left to write on.
    if not Feedback.objects.select_for_update().filter(pk=feedback.pk).exists():
        raise StaleState(_("This feedback is gone: its import was undone."))
    return Entry.objects.create(
        feedback=feedback, kind=EntryKind.NOTE, text=text.strip(), at=now, **_author(by, via)
    )


CORRECTABLE = ("kind", "tier", "sentiment", "emotion", "category", "subcategory")


@transaction.atomic
def correct(
    *, feedback: Feedback, values: dict[str, Any], by: User | None, now: datetime, via: str = "admin"
) -> ActionLog | None:
    """Put the machine's reading right (R17). Kept as training data; answers None when nothing differs.

    A tier that rises re-bases the clocks; a miss is never erased. Category and sub-category must belong together.
    """
    unknown = set(values) - set(CORRECTABLE)
    if unknown:
        raise InvalidInput(
            _("These cannot be corrected: %(fields)s") % {"fields": ", ".join(sorted(unknown))}
        )
    locked = Feedback.objects.select_for_update().filter(pk=feedback.pk).first()
    if locked is None:
        raise StaleState(_("This feedback is gone: its import was undone."))
    feedback = locked
    for name in ("kind", "tier", "sentiment", "emotion"):
        if name in values and values[name] not in dict(Feedback._meta.get_field(name).flatchoices):
            raise InvalidInput(_("Unknown value “%(value)s”.") % {"value": values[name]}, field=name)
    changes: dict[str, Any] = {n: values[n] for n in ("kind", "tier", "sentiment", "emotion") if n in values}
    if "category" in values or "subcategory" in values:
        category = values.get("category", feedback.category)
        sub = values.get("subcategory", None if "category" in values else feedback.subcategory)
        if sub is not None and category is not None and sub.parent_id != category.pk:
            raise InvalidInput(
                _("“%(sub)s” does not belong to “%(category)s”.") % {"sub": sub, "category": category},
                field="subcategory",
            )
        changes |= {
            "category_id": category.pk if category else None,
            "subcategory_id": sub.pk if sub else None,
            "department_id": (sub or category).department_id if (sub or category) else None,
        }
    changes = {name: value for name, value in changes.items() if getattr(feedback, name) != value}
    reviewed = {"needs_review": False, "s_review": False}
    if not changes and not feedback.needs_review and not feedback.s_review:
        return None
    old_tier = feedback.tier
    before = {name: getattr(feedback, name) for name in changes}
    if "tier" in changes:
        changes["tier_rank"] = TIER_RANK[changes["tier"]]
    if changes.keys() & {"tier", "sentiment"}:
        changes["priority"] = _priority(feedback, changes)
    data: dict[str, Any] = {}
    if "tier" in changes and feedback.is_open:
        data = {"clocks": clocks.snapshot(feedback), "checked": _self_checks(feedback).exists()}
    log = perform(
        FEEDBACK, feedback, "correct", by=by, now=now, via=via, changes=changes | reviewed, data=data
    )
    Correction.objects.create(
        feedback=feedback,
        before=before,
        after={name: value for name, value in changes.items() if name not in ("tier_rank", "priority")},
        reading_version=feedback.reading_version,
        by=by,
        at=now,
    )
    if "tier" in changes:
        _after_tier(feedback, old_tier, now=now)
        if feedback.tier == Tier.S and feedback.is_open:
            notify(
                recipients=people(reference(), feedback, ("lead", "manager")),
                level=NoticeLevel.URGENT,
                title=_("S · %(number)s: respond within the hour") % {"number": feedback.number},
                body=feedback.snippet,
                url=address(feedback.pk),
                key=f"s:{feedback.pk}",
                now=now,
            )
    return log


def _priority(feedback: Feedback, changes: dict[str, Any]) -> int:
    """The priority of the reading as it is now known to be (R13); how many had the same problem is of no use later."""
    return priority_of(
        reference(),
        tier=changes.get("tier", feedback.tier),
        text=feedback.text,
        strength=float(feedback.reading.get("strength", 0.0)),
        same_problem=0,
        member_tier=feedback.customer.member_tier if feedback.customer else "",
        sentiment=changes.get("sentiment", feedback.sentiment),
    )


def _self_checks(feedback: Feedback) -> QuerySet[WorkItem]:
    return WorkItem.objects.filter(origin_key=f"feedback:{feedback.pk}:self_check")


def undo(*, log: ActionLog, by: User, now: datetime) -> Feedback:
    """Take back one undoable move, as long as nothing has happened to the case since."""
    move = FEEDBACK.get(log.verb)
    if move is None or not move.undoable or log.model != "feedback.feedback":
        raise IllegalMove(_("This cannot be undone."))
    if log.by_id != by.pk and not by.has_perm("feedback.assign_feedback"):
        raise NotPermitted(_("Only the person who did this, or a lead, can undo it."))
    with transaction.atomic():
        feedback = Feedback.objects.select_for_update().get(pk=log.object_id)
        newest = ActionLog.objects.filter(model=log.model, object_id=log.object_id).order_by("-id").first()
        if newest is None or newest.pk != log.pk:
            raise StaleState(
                _("%(number)s has moved on since; undo is not possible.") % {"number": feedback.number}
            )
        old = dict(log.data.get("old", {}))
        changes: dict[str, Any] = {}
        for name, value in old.items():
            if name.endswith("_at") and value is not None:
                value = datetime.fromisoformat(value)
            changes[name] = value
        Feedback.objects.filter(pk=feedback.pk).update(status=log.from_state, updated_at=now, **changes)
        if log.verb == "correct":
            # What was taken back must not teach the machine.
            Correction.objects.filter(feedback=feedback, at=log.at, by_id=log.by_id).delete()
            if "clocks" in log.data:
                clocks.restore(feedback, log.data["clocks"], now=now)
                # The store need not check itself for what was never urgent; what it has begun goes on.
                if not log.data["checked"]:
                    _self_checks(feedback).filter(status="open").delete()
        if log.verb == "close" and log.from_state in OPEN:
            # Clocks that closing stopped run on; what it found to be late stays late.
            clocks.set_back(
                reference(),
                SlaClock.objects.filter(feedback=feedback, stopped_at=log.at, state="met"),
                now=now,
            )
        ActionLog.objects.create(
            model=log.model,
            object_id=feedback.pk,
            verb="undo",
            from_state=log.to_state,
            to_state=log.from_state,
            by=by,
            via="admin",
            at=now,
            data={"undone": log.pk},
        )
        feedback.refresh_from_db()
        clocks.refresh_due(feedback)
    return feedback


def bulk(
    *, ids: list[int], act: Callable[[Feedback], ActionLog | None], by: User
) -> list[tuple[int, ActionLog | None, str]]:
    """Do one move to many cases, each by itself: (id, log row, why not). One refusal does not stop the others."""
    out: list[tuple[int, ActionLog | None, str]] = []
    rows = {
        row.pk: row for row in Feedback.objects.visible_to(by).select_related("assignee").filter(pk__in=ids)
    }
    for pk in ids:
        row = rows.get(pk)
        if row is None:
            out.append((pk, None, _("Not found, or not yours to see.")))
            continue
        try:
            out.append((pk, act(row), ""))
        except DomainError as error:
            out.append((pk, None, str(error.message)))
    return out


def forget_reference_cache() -> None:
    """Tell every process that teams, rules or policies changed."""
    touch(STAMP)


def local_text(moment: datetime) -> str:
    """A moment as people here write it."""
    return timezone.localtime(moment).strftime("%m-%d %H:%M")
