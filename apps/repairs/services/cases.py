"""Opening repairs and the talk with the customer (R26)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInput
from apps.core.models import ActionLog, User
from apps.core.workflow import check
from apps.feedback.choices import ContactMethod, Sentiment, Status, Tier
from apps.feedback.models import Feedback
from apps.feedback.services import moves as feedback_moves
from apps.feedback.services.replies import asks_for_review
from apps.repairs.choices import RepairStatus
from apps.repairs.models import ContactTry, RepairCase, RepairPolicy
from apps.repairs.selectors.facts import for_update
from apps.repairs.selectors.reference import policy
from apps.repairs.services.moving import move
from apps.repairs.transitions import REPAIR, TALKING

LABEL = "repairs.repaircase"


def negative(rules: RepairPolicy) -> Q:
    """Which feedback is a negative review: by its stars, or by its text where the policy says so."""
    by_stars = Q(rating__lte=rules.stars_up_to)
    if not rules.without_stars:
        return by_stars
    return by_stars | Q(rating__isnull=True, sentiment=Sentiment.NEGATIVE)


@transaction.atomic
def open_for(*, feedback_ids: Sequence[int], now: datetime) -> int:
    """Open repairs for the negative reviews among these; those that have one keep it. Four statements, however many.

    Historical rows and follow-ups open none: a follow-up belongs to its first review (decisions, items 3 and 14).
    """
    rules = policy()
    if not rules.opens_by_itself or not feedback_ids:
        return 0
    rows = list(
        Feedback.objects.filter(
            negative(rules),
            pk__in=feedback_ids,
            channel__is_review_platform=True,
            is_historical=False,
            parent__isnull=True,
            repair__isnull=True,
        ).exclude(status__in=(Status.MERGED, Status.DISMISSED))
    )
    return len(_open(rows, by=None, now=now))


def _open(rows: Sequence[Feedback], *, by: User | None, now: datetime, reason: str = "") -> list[RepairCase]:
    if not rows:
        return []
    cases = [
        RepairCase(
            feedback=row,
            # What the machine was unsure of, a person looks at first.
            status=RepairStatus.COLLECTED if row.needs_review and by is None else RepairStatus.TRIAGED,
            channel_id=row.channel_id,
            store_id=row.store_id,
            category_id=row.category_id,
            customer_id=row.customer_id,
            tier=row.tier,
            first_rating=row.rating,
            # A negative review is open from its arrival, whenever somebody looks.
            opened_at=row.received_at if by is None else now,
            opened_by=by,
            updated_at=now,
            next_due_at=row.due_at or now,
        )
        for row in rows
    ]
    RepairCase.objects.bulk_create(cases, ignore_conflicts=True, batch_size=1000)
    made = list(RepairCase.objects.filter(feedback__in=[row.pk for row in rows], updated_at=now))
    ActionLog.objects.bulk_create(
        [
            ActionLog(
                model=LABEL,
                object_id=case.pk,
                verb="open_repair",
                to_state=case.status,
                by=by,
                via="intake" if by is None else "admin",
                at=case.opened_at,
                reason=reason,
            )
            for case in made
        ],
        batch_size=1000,
    )
    return made


@transaction.atomic
def open_by_hand(*, feedback: Feedback, by: User, now: datetime, reason: str = "") -> RepairCase:
    """Open a repair for one feedback, also an old one or one from a channel without stars. Asking twice opens one."""
    if not by.has_perm("repairs.work_repaircase"):
        from apps.core.exceptions import NotPermitted

        raise NotPermitted(_("You may not work on repairs."))
    if feedback.status in (Status.MERGED, Status.DISMISSED):
        raise InvalidInput(_("Merged and dismissed feedback is not repaired."))
    if feedback.parent_id is not None:
        raise InvalidInput(_("A follow-up belongs to its first review: open that one."))
    present = RepairCase.objects.filter(feedback=feedback).first()
    if present is not None:
        return present
    _open([feedback], by=by, now=now, reason=reason)
    return RepairCase.objects.get(feedback=feedback)


def triage(*, case: RepairCase, by: User | None, now: datetime, via: str = "admin") -> ActionLog:
    """A person has looked at the reading; what they corrected on the feedback comes along."""
    feedback = Feedback.objects.get(pk=case.feedback_id)
    return move(case, "triage", by=by, now=now, via=via, changes=copied(feedback))


def copied(feedback: Feedback) -> dict[str, Any]:
    """What a repair copies from its feedback."""
    return {
        "store_id": feedback.store_id,
        "category_id": feedback.category_id,
        "customer_id": feedback.customer_id,
        "tier": feedback.tier,
    }


@transaction.atomic
def contact(
    *,
    case: RepairCase,
    how: str,
    said: str,
    wishes: str,
    by: User,
    now: datetime,
    apologised: bool = True,
    refuses_review_contact: bool = False,
    via: str = "admin",
) -> ActionLog:
    """The customer was reached: an apology was made, somebody listened. Stops the first-response clock of the feedback.

    `said` must not speak of the review: first help, nothing else (domain.md 6). Raises GuardFailed.
    """
    _known_way(how)
    log = move(
        case,
        "contact",
        by=by,
        now=now,
        via=via,
        known={
            "apologised": apologised,
            "listened": len(wishes.strip()) >= 2,
            "mentions_review": asks_for_review(said),
        },
        changes={
            "apologised": apologised,
            "wishes": wishes.strip(),
            "refuses_review_contact": case.refuses_review_contact or refuses_review_contact,
            "contacted_at": case.contacted_at or now,
            "handler_id": case.handler_id or by.pk,
        },
        data={"how": how},
    )
    ContactTry.objects.create(case=case, at=now, method=how, reached=True, note=said.strip(), by=by)
    _on_feedback(case, how=how, said=f"{said.strip()}\n{wishes.strip()}", by=by, now=now, via=via)
    return log


def _known_way(how: str) -> None:
    if how not in ContactMethod.values:
        raise InvalidInput(_("Say how the customer was contacted."), field="how")


def _on_feedback(case: RepairCase, *, how: str, said: str, by: User, now: datetime, via: str) -> None:
    feedback = Feedback.objects.get(pk=case.feedback_id)
    if feedback.is_open:
        feedback_moves.record_contact(feedback=feedback, how=how, said=said, by=by, now=now, via=via)
    else:
        feedback_moves.add_note(feedback=feedback, text=said, by=by, now=now, via=via)


@transaction.atomic
def try_contact(
    *, case: RepairCase, how: str, note: str, by: User, now: datetime, via: str = "admin"
) -> ActionLog:
    """A try in vain. It is no first response: nobody was reached."""
    _known_way(how)
    log = move(case, "try_contact", by=by, now=now, via=via, reason=note.strip(), data={"how": how})
    ContactTry.objects.create(case=case, at=now, method=how, reached=False, note=note.strip(), by=by)
    return log


def give_up_contact(*, case: RepairCase, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Nobody could be reached, on several days: a public reply is what is left."""
    return move(case, "give_up_contact", by=by, now=now, via=via)


def end_talks(*, case: RepairCase, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """No agreement. The live offer is taken back and a public reply is due."""
    from apps.repairs.services.offers import drop_offer

    with transaction.atomic():
        log = move(case, "end_talks", by=by, now=now, reason=reason, via=via)
        drop_offer(case, by=by, now=now, reason=reason)
    return log


def keep(
    *, case: RepairCase, by: User | None, now: datetime, reason: str = "", via: str = "admin"
) -> ActionLog:
    """The review stays as it is, the customer is satisfied."""
    return move(case, "keep", by=by, now=now, reason=reason, via=via, changes={"outcome_at": now})


def dismiss(
    *, case: RepairCase, reason: str, by: User | None, now: datetime, via: str = "admin"
) -> ActionLog:
    """Misread: no negative review of this shop."""
    return move(case, "dismiss", by=by, now=now, reason=reason, via=via, changes={"outcome_at": now})


@transaction.atomic
def reopen(*, case: RepairCase, reason: str, by: User | None, now: datetime, via: str = "admin") -> ActionLog:
    """Take it up again, e.g. after an angry follow-up. What was given and the one invitation stay used."""
    log = move(
        case,
        "reopen",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={
            "outcome_at": None,
            "reopened_at": now,
            "outcome_change_id": None,
            "outcome_follow_up_id": None,
            "unseen_since": None,
            "satisfaction": None,
        },
    )
    feedback = Feedback.objects.get(pk=case.feedback_id)
    if not feedback.is_open and feedback.status in (Status.RESOLVED, Status.CLOSED):
        feedback_moves.reopen(feedback=feedback, by=by, now=now, reason=reason, via=via)
    return log


@transaction.atomic
def follow_feedback(*, feedback_id: int, now: datetime) -> None:
    """A colleague corrected, merged or dismissed the feedback: its repair follows."""
    case = RepairCase.objects.filter(feedback_id=feedback_id).first()
    if case is None:
        return
    locked = for_update(case.pk)
    feedback = locked.feedback
    RepairCase.objects.filter(pk=case.pk).update(**copied(feedback), updated_at=now)
    gone = feedback.status in (Status.MERGED, Status.DISMISSED)
    if gone and locked.status in (RepairStatus.COLLECTED, RepairStatus.TRIAGED):
        check(REPAIR, locked, "dismiss", by=None, reason="-")
        why = (
            _("The feedback was merged.")
            if feedback.status == Status.MERGED
            else _("The feedback was dismissed.")
        )
        dismiss(case=locked, reason=why, by=None, now=now, via="sweep")


def may_talk(case: RepairCase) -> bool:
    """Whether tries to reach the customer may be noted now."""
    return case.status in TALKING


def urgent(case: RepairCase) -> bool:
    """Whether a lead has to make the contact."""
    return case.tier == Tier.S
