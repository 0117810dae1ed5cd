"""Malicious reviews: evidence and appeals (R29). Few stars alone are never malicious."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInput
from apps.core.models import ActionLog, User
from apps.core.services.files import AUDIO, IMAGES, store_file
from apps.core.workflow import perform
from apps.feedback.models import Feedback
from apps.repairs.choices import AppealStatus, Ground
from apps.repairs.models import Appeal, Evidence, RepairCase
from apps.repairs.selectors.reference import appeal_rule
from apps.repairs.services.moving import move
from apps.repairs.services.offers import drop_offer
from apps.repairs.transitions import APPEAL

FILES = IMAGES | AUDIO | frozenset({"application/pdf"})


def suspect(*, case: RepairCase, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Somebody suspects malice: nothing is claimed yet, evidence is gathered. An offer not yet accepted is off."""
    with transaction.atomic():
        log = move(case, "suspect", by=by, now=now, reason=reason, via=via)
        drop_offer(case, by=by, now=now, reason=reason)
    return log


@transaction.atomic
def add_evidence(
    *,
    case: RepairCase,
    ground: str,
    what: str,
    captured_at: datetime,
    by: User,
    now: datetime,
    file: File | None = None,
    via: str = "admin",
) -> Evidence:
    """Keep one piece of evidence with the SHA-256 of its file and the time it was captured.

    Raises InvalidInput: unknown ground, nothing said, captured in the future, the same file for the same ground.
    """
    if ground not in Ground.values:
        raise InvalidInput(_("Choose what it shows."), field="ground")
    if len(what.strip()) < 4:
        raise InvalidInput(_("Say what the evidence shows and where it is from."), field="what")
    if captured_at > now:
        raise InvalidInput(_("It cannot have been captured in the future."), field="captured_at")
    move(case, "add_evidence", by=by, now=now, via=via, data={"ground": ground})
    stored = store_file(upload=file, by=by, now=now, allowed=FILES) if file is not None else None
    try:
        with transaction.atomic():
            return Evidence.objects.create(
                case=case,
                ground=ground,
                what=what.strip(),
                file=stored,
                sha256=stored.sha256 if stored else "",
                captured_at=captured_at,
                by=by,
                at=now,
            )
    except IntegrityError:
        raise InvalidInput(_("This file is there already for this ground."), field="file") from None


@transaction.atomic
def clear(*, case: RepairCase, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Not malicious after all: back to the customer."""
    return move(case, "clear", by=by, now=now, reason=reason, via=via)


@transaction.atomic
def file_appeal(
    *, case: RepairCase, case_number: str, statement: str, by: User, now: datetime, via: str = "admin"
) -> Appeal:
    """The appeal has been filed at the platform under `case_number`. Keeps a hash over everything that was handed in.

    Raises GuardFailed: fewer than two grounds, no ground of malice, evidence without file, window over, third appeal.
    """
    move(case, "appeal", by=by, now=now, via=via, known={"case_number": len(case_number.strip()) >= 3})
    rule = appeal_rule(case.channel_id)
    evidence = list(Evidence.objects.filter(case=case).order_by("pk"))
    appeal = Appeal.objects.create(
        case=case,
        round=Appeal.objects.filter(case=case).count() + 1,
        status=AppealStatus.FILED,
        grounds=sorted({row.ground for row in evidence}),
        case_number=case_number.strip(),
        statement=statement.strip(),
        evidence_hash=hash_of(evidence),
        filed_at=now,
        filed_by=by,
        answer_due_at=now + timedelta(days=rule.answer_days),
        second_until=None,
        updated_at=now,
    )
    RepairCase.objects.filter(pk=case.pk).update(next_due_at=appeal.answer_due_at)
    case.next_due_at = appeal.answer_due_at
    return appeal


def hash_of(evidence: list[Evidence]) -> str:
    """SHA-256 over ground, time, text and file hash of each piece, in order: what was handed in can be shown later."""
    digest = hashlib.sha256()
    for row in evidence:
        digest.update(
            "\x1f".join((row.ground, row.captured_at.isoformat(), row.what, row.sha256)).encode() + b"\x1e"
        )
    return digest.hexdigest()


@transaction.atomic
def uphold(
    *, case: RepairCase, answer: str, proof: File | None, by: User, now: datetime, via: str = "admin"
) -> ActionLog:
    """The platform agreed. Counted as removed by the platform, never as a success of repairing."""
    stored = store_file(upload=proof, by=by, now=now, allowed=FILES) if proof is not None else None
    log = move(
        case,
        "uphold",
        by=by,
        now=now,
        reason=answer,
        via=via,
        known={"proof": stored is not None},
        changes={
            "outcome_at": now,
            "outcome_by_id": by.pk,
            "outcome_proof_id": stored.pk if stored else None,
        },
    )
    perform(
        APPEAL,
        _filed(case),
        "uphold",
        by=by,
        now=now,
        via=via,
        changes={
            "decided_at": now,
            "decided_by_id": by.pk,
            "answer": answer.strip(),
            "proof_id": stored.pk if stored else None,
        },
    )
    return log


@transaction.atomic
def reject(*, case: RepairCase, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """The platform refused. A second appeal is possible while its window is open and something new is found."""
    appeal = _filed(case)
    days = appeal_rule(case.channel_id).second_days
    until = now + timedelta(days=days) if days and appeal.round == 1 else None
    perform(
        APPEAL,
        appeal,
        "reject",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={
            "decided_at": now,
            "decided_by_id": by.pk,
            "answer": reason.strip(),
            "second_until": until,
        },
    )
    return move(case, "reject_appeal", by=by, now=now, reason=reason, via=via)


def end_appeal(*, case: RepairCase, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """No (further) appeal: the review stays, a public reply says what we know."""
    return move(case, "end_appeal", by=by, now=now, reason=reason, via=via)


def _filed(case: RepairCase) -> Appeal:
    appeal = Appeal.objects.filter(case=case, status=AppealStatus.FILED).order_by("-round").first()
    if appeal is None:
        raise InvalidInput(_("No appeal is filed."))
    return appeal


def hints(feedback: Feedback) -> list[str]:
    """Grounds that our own data points to, for a person to check; none of them is proof. Two queries at most."""
    found = []
    if feedback.order_id is None and not feedback.order_no:
        found.append(Ground.NEVER_BOUGHT)
    if feedback.similar_to_id is not None and (feedback.similarity or 0) >= 0.95:
        found.append(Ground.SAME_TEXT)
    return [str(ground) for ground in found]
