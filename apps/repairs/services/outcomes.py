"""How a review ended: seen in a later import, or confirmed by a person with proof (decisions, item 14)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.core.files.base import File
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.core.exceptions import DomainError
from apps.core.models import ActionLog, User
from apps.core.services.files import IMAGES, store_file
from apps.feedback.choices import Sentiment
from apps.feedback.models import Feedback, FeedbackChange
from apps.repairs.choices import ENDED, RepairStatus
from apps.repairs.models import RepairCase
from apps.repairs.selectors.reference import policy
from apps.repairs.services.cases import negative, open_for, reopen
from apps.repairs.services.moving import move
from apps.repairs.services.offers import drop_offer, tell_handler
from apps.repairs.transitions import FREE

PROOFS = IMAGES | frozenset({"application/pdf"})


def is_better(change: FeedbackChange) -> bool:
    """Whether a later version of a review has more stars, and enough of them."""
    return (
        change.new_rating is not None
        and change.new_rating >= policy().better_from
        and (change.old_rating is None or change.new_rating > change.old_rating)
    )


def is_kind(follow_up: Feedback) -> bool:
    """Whether a follow-up review speaks well: by its stars, else by its text."""
    if follow_up.rating is not None:
        return follow_up.rating >= policy().better_from
    return follow_up.sentiment == Sentiment.POSITIVE


@transaction.atomic
def see_revised(
    *,
    case: RepairCase,
    now: datetime,
    change: FeedbackChange | None = None,
    follow_up: Feedback | None = None,
    by: User | None = None,
    via: str = "import",
) -> ActionLog:
    """A later import showed more stars, or a kind follow-up: the review counts as revised. Nobody can say so by hand."""
    better = (change is not None and change.feedback_id == case.feedback_id and is_better(change)) or (
        follow_up is not None and follow_up.parent_id == case.feedback_id and is_kind(follow_up)
    )
    log = move(
        case,
        "see_revised",
        by=by,
        now=now,
        via=via,
        known={"seen_better": better},
        changes={
            "outcome_at": now,
            "outcome_change_id": change.pk if change else None,
            "outcome_follow_up_id": follow_up.pk if follow_up else None,
            "unseen_since": None,
        },
    )
    drop_offer(case, by=None, now=now, reason=_("The review was revised."))
    return log


@transaction.atomic
def confirm_gone(
    *,
    case: RepairCase,
    by_platform: bool,
    reason: str,
    proof: File | None,
    by: User | None,
    now: datetime,
    via: str = "admin",
) -> ActionLog:
    """A person has looked at the platform: the review that was missing in a complete list was withdrawn by its author,
    or removed by the platform. Needs a proof; the two are never mixed."""
    stored = store_file(upload=proof, by=by, now=now, allowed=PROOFS) if proof is not None else None
    log = move(
        case,
        "confirm_removed" if by_platform else "confirm_withdrawn",
        by=by,
        now=now,
        reason=reason,
        via=via,
        known={"proof": stored is not None},
        changes={
            "outcome_at": now,
            "outcome_proof_id": stored.pk if stored else None,
            "outcome_by_id": by.pk if by else None,
        },
    )
    drop_offer(case, by=None, now=now, reason=_("The review is gone."))
    return log


@transaction.atomic
def still_there(*, case: RepairCase, by: User, now: datetime) -> None:
    """A person has looked and found it: the list was not complete after all."""
    RepairCase.objects.filter(pk=case.pk).update(unseen_since=None, unseen_run=None, updated_at=now)


def mark_unseen(
    *, run_id: int, channel_id: int, store_id: int, first: datetime, last: datetime, now: datetime
) -> int:
    """After a complete list was imported: reviews of its store and period that are not in it are missing since now.

    Two statements. Says nothing about why: a person looks (decision 14). Reviews that are in it are missing no more.
    """
    from apps.feedback.models import SnapshotRow

    seen = SnapshotRow.objects.filter(run_id=run_id).values("feedback_id")
    cases = RepairCase.objects.filter(
        channel_id=channel_id,
        store_id=store_id,
        feedback__posted_at__gte=first,
        feedback__posted_at__lt=last,
    ).exclude(feedback__external_id="")
    cases.filter(unseen_since__isnull=False, feedback_id__in=seen).update(
        unseen_since=None, unseen_run=None, updated_at=now
    )
    gone = (RepairStatus.WITHDRAWN, RepairStatus.REMOVED, RepairStatus.DISMISSED)
    return (
        cases.filter(unseen_since__isnull=True)
        .exclude(status__in=gone)
        .exclude(feedback_id__in=seen)
        .update(unseen_since=now, unseen_run_id=run_id, updated_at=now)
    )


def look_at_changes(*, changes: Iterable[FeedbackChange], now: datetime) -> int:
    """Later versions of reviews: better ones end their repair, worse ones open or reopen it. Safe to repeat."""
    done = 0
    for change in changes:
        case = RepairCase.objects.filter(feedback_id=change.feedback_id).first()
        newest = not FeedbackChange.objects.filter(feedback_id=change.feedback_id, pk__gt=change.pk).exists()
        if not newest:
            continue
        if case is None:
            done += open_for(feedback_ids=[change.feedback_id], now=now)
        elif is_better(change):
            done += _quietly_revised(case, now=now, change=change)
        elif case.status in ENDED and _turned_bad(change):
            done += _quietly_reopened(
                case, now=now, reason=_("The review was changed for the worse."), key=f"c{change.pk}"
            )
    return done


def _turned_bad(change: FeedbackChange) -> bool:
    worse = (
        change.new_rating is not None
        and change.old_rating is not None
        and change.new_rating < change.old_rating
    )
    return worse and Feedback.objects.filter(negative(policy()), pk=change.feedback_id).exists()


def look_at_follow_ups(*, follow_ups: Iterable[Feedback], now: datetime) -> int:
    """Follow-up reviews: kind ones end the repair of their first review, angry ones open it again. Safe to repeat."""
    done = 0
    for follow_up in follow_ups:
        case = RepairCase.objects.filter(feedback_id=follow_up.parent_id).first()
        if case is None:
            continue
        if is_kind(follow_up):
            done += _quietly_revised(case, now=now, follow_up=follow_up)
        elif follow_up.sentiment == Sentiment.NEGATIVE and case.status in ENDED:
            done += _quietly_reopened(
                case, now=now, reason=_("The customer followed up, still unhappy."), key=f"f{follow_up.pk}"
            )
    return done


def _quietly_revised(
    case: RepairCase,
    *,
    now: datetime,
    change: FeedbackChange | None = None,
    follow_up: Feedback | None = None,
) -> int:
    if case.status not in FREE:
        return 0
    # Each change and follow-up revises a case once: what came after it is not undone by it.
    key = f"c{change.pk}" if change is not None else f"f{follow_up.pk if follow_up else 0}"
    if ActionLog.objects.filter(
        model="repairs.repaircase", object_id=case.pk, verb="see_revised", data__cause=key
    ).exists():
        return 0
    try:
        with transaction.atomic():
            log = see_revised(case=case, now=now, change=change, follow_up=follow_up)
            ActionLog.objects.filter(pk=log.pk).update(data=log.data | {"cause": key})
    except DomainError:
        return 0
    tell_handler(
        case,
        _("%(number)s: the review was revised") % {"number": case.number},
        now=now,
        key=f"repair_revised:{case.pk}",
    )
    return 1


def _quietly_reopened(case: RepairCase, *, now: datetime, reason: str, key: str) -> int:
    # Each change and follow-up opens a case once, however often a sweep meets it.
    if ActionLog.objects.filter(
        model="repairs.repaircase", object_id=case.pk, verb="reopen", data__cause=key
    ).exists():
        return 0
    try:
        with transaction.atomic():
            log = reopen(case=case, reason=reason, by=None, now=now, via="import")
            ActionLog.objects.filter(pk=log.pk).update(data=log.data | {"cause": key})
    except DomainError:
        return 0
    tell_handler(
        case,
        _("%(number)s: the customer is unhappy again") % {"number": case.number},
        now=now,
        key=f"repair_again:{key}",
    )
    return 1


def recent_follow_ups(now: datetime) -> Iterable[Feedback]:
    """Follow-ups of the last two days on reviews under repair."""
    return Feedback.objects.filter(
        Q(parent__repair__isnull=False), received_at__gte=now - timedelta(days=2)
    ).order_by("pk")[:2000]
