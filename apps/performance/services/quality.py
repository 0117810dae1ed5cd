"""The quality sample: drawing, reviewing; and coaching notes."""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted
from apps.core.masking import mask_text
from apps.core.models import ActionLog, StaffNotice, User
from apps.core.services.notices import notice_rows, notify
from apps.core.workflow import check, perform
from apps.feedback.choices import Status
from apps.feedback.models import Feedback
from apps.performance.choices import NoteKind, NoteState
from apps.performance.figures import draw, month_of, sample_size, step
from apps.performance.models import (
    CoachingNote,
    PerformancePolicy,
    QualityCriterion,
    QualityPoint,
    QualityReview,
    QualitySample,
)
from apps.performance.models.quality import POINTS
from apps.performance.selectors.people import may_see
from apps.performance.selectors.rollup import bounds
from apps.performance.services.months import this_month
from apps.performance.transitions import COACHING, QUALITY

DRAW = "performance.add_qualitysample"


def population(month: date) -> dict[int, list[int]]:
    """Person → cases of theirs that were resolved in the month and are not open again. One query."""
    start, end = bounds(month)
    rows = Feedback.objects.filter(
        resolved_at__gte=start, resolved_at__lt=end, status__in=(Status.RESOLVED, Status.CLOSED),
        assignee__isnull=False,
    ).order_by("assignee_id", "pk")  # fmt: skip
    cases: dict[int, list[int]] = defaultdict(list)
    for person, pk in rows.values_list("assignee_id", "pk").iterator(chunk_size=5000):
        cases[person].append(pk)
    return dict(cases)


def chosen(cases: Mapping[int, list[int]], seed: str, count: int, percent: int) -> dict[int, list[int]]:
    """Person → the cases that this seed draws."""
    return {
        person: draw(seed, ids, sample_size(len(ids), count, percent))
        for person, ids in sorted(cases.items())
    }


@transaction.atomic
def draw_sample(*, month: date, by: User | None, now: datetime, seed: str = "") -> QualitySample:
    """Draw the sample of a month that is over, once. The seed is made by chance unless given, and kept.

    Raises IllegalMove while the month runs, when it was drawn already and when there was nothing to draw.
    """
    month = month_of(month)
    if by is not None and not by.has_perm(DRAW):
        raise NotPermitted(_("You may not draw a quality sample."))
    if month >= this_month(now):
        raise IllegalMove(_("A sample is drawn once the month is over."))
    cases = population(month)
    if not cases:
        raise IllegalMove(_("In this month nobody resolved a case."))
    policy, seed = PerformancePolicy.now(), seed or secrets.token_hex(16)
    every = [pk for ids in cases.values() for pk in ids]
    try:
        with transaction.atomic():
            sample = QualitySample.objects.create(
                month=month,
                seed=seed,
                count=policy.sample_count,
                percent=policy.sample_percent,
                population=len(every),
                digest=hashlib.sha256(",".join(map(str, sorted(every))).encode()).hexdigest(),
                drawn_at=now,
                drawn_by=by,
            )
    except IntegrityError as error:
        raise IllegalMove(_("The sample of this month was drawn already.")) from error
    picked = chosen(cases, seed, policy.sample_count, policy.sample_percent)
    QualityReview.objects.bulk_create(
        (
            QualityReview(sample=sample, feedback_id=pk, person_id=person, created_at=now, updated_at=now)
            for person, ids in picked.items()
            for pk in ids
        ),
        batch_size=500,
    )
    return sample


def draw_last(*, now: datetime) -> QualitySample | None:
    """The sample of the month that ended last, unless it is there or there is nothing to draw."""
    month = step(this_month(now), -1)
    if QualitySample.objects.filter(month=month).exists():
        return None
    try:
        return draw_sample(month=month, by=None, now=now)
    except IllegalMove:
        return None


def criteria() -> list[QualityCriterion]:
    """The checklist of today. One query."""
    return list(QualityCriterion.objects.filter(is_active=True))


@dataclass(frozen=True)
class Judgement:
    """What a reviewer says of one criterion."""

    points: int
    comment: str = ""


@transaction.atomic
def submit(
    *, review: QualityReview, points: Mapping[int, Judgement], comment: str, by: User, now: datetime, via: str = "admin"
) -> ActionLog:  # fmt: skip
    """Save the checklist: criterion id → points 0–2. Raises InvalidInput while a criterion is missing.

    Nobody reviews a case they handled, nor one of a person they do not lead.
    """
    _may_review(review, by)
    rows = criteria()
    missing = [str(row) for row in rows if row.pk not in points]
    if missing or not rows:
        raise InvalidInput(_("Still without points: %(names)s") % {"names": ", ".join(missing) or "–"})
    for judgement in points.values():
        if not 0 <= judgement.points <= POINTS:
            raise InvalidInput(_("Points go from 0 to %(most)d.") % {"most": POINTS})
    got, most = sum(points[row.pk].points for row in rows), POINTS * len(rows)
    passed = got * 100 >= PerformancePolicy.now().pass_percent * most
    log = perform(
        QUALITY, review, "submit", by=by, now=now, via=via,
        changes={
            "points": got, "most": most, "passed": passed, "comment": mask_text(comment.strip())[:2000], "reviewer": by,
            "reviewed_at": now,
        },
    )  # fmt: skip
    QualityPoint.objects.filter(review=review).delete()
    QualityPoint.objects.bulk_create(
        QualityPoint(
            review=review,
            criterion=row,
            points=points[row.pk].points,
            comment=mask_text(points[row.pk].comment.strip())[:300],
        )
        for row in rows
    )
    notify(
        recipients=[review.person_id],
        level="info",
        title=_("A case of yours was reviewed: %(points)d of %(most)d points")
        % {"points": got, "most": most},
        key=f"quality:{review.pk}:{now:%Y%m%d%H%M}",
        now=now,
        url=reverse("admin:performance_qualityreview_change", args=[review.pk]),
    )
    return log


def _may_review(review: QualityReview, by: User) -> None:
    if review.person_id == by.pk or review.feedback.assignee_id == by.pk:
        raise NotPermitted(_("Whoever handled a case does not review it."))
    if not may_see(by, review.person_id):
        raise NotPermitted(_("You do not lead this person."))


def skip(*, review: QualityReview, by: User, now: datetime, reason: str, via: str = "admin") -> ActionLog:
    """The case says nothing about the person."""
    _may_review(review, by)
    return perform(QUALITY, review, "skip", by=by, now=now, reason=reason, via=via)


@transaction.atomic
def reopen(*, review: QualityReview, by: User, now: datetime, reason: str, via: str = "admin") -> ActionLog:
    """The points are given anew; the old ones stay in the log."""
    _may_review(review, by)
    return perform(
        QUALITY, review, "reopen", by=by, now=now, reason=reason, via=via,
        changes={"points": None, "most": None, "passed": None, "reviewer": None, "reviewed_at": None},
    )  # fmt: skip


# -- coaching ----------
@transaction.atomic
def write_note(
    *,
    person: User,
    kind: str,
    text: str,
    by: User,
    now: datetime,
    feedback: Feedback | None = None,
    review: QualityReview | None = None,
    follow_up_on: date | None = None,
) -> CoachingNote:
    """A note to a person one leads; the person is told. Raises NotPermitted, InvalidInput."""
    if person.pk == by.pk:
        raise NotPermitted(_("Nobody writes a coaching note to themselves."))
    if not by.has_perm("performance.add_coachingnote") or not may_see(by, person.pk):
        raise NotPermitted(_("You do not lead this person."))
    if len(text.strip()) < 2 or kind not in NoteKind.values:
        raise InvalidInput(_("Write what you want to say."), field="text")
    if follow_up_on is not None and follow_up_on < timezone.localdate(now):
        raise InvalidInput(_("The day lies in the past."), field="follow_up_on")
    note = CoachingNote.objects.create(
        person=person,
        author=by,
        kind=kind,
        text=text.strip()[:2000],
        feedback=feedback,
        review=review,
        follow_up_on=follow_up_on,
    )
    notify(
        recipients=[person.pk],
        level="info",
        title=_("%(person)s wrote you a coaching note") % {"person": by},
        key=f"coaching:{note.pk}",
        now=now,
        url=reverse("admin:performance_coachingnote_change", args=[note.pk]),
    )
    return note


@transaction.atomic
def acknowledge(
    *, note: CoachingNote, by: User, now: datetime, answer: str = "", via: str = "admin"
) -> ActionLog:
    """The person has read it and may answer. Raises NotPermitted for everybody else."""
    if note.person_id != by.pk:
        raise NotPermitted(_("Only the person it is for can say so."))
    return perform(
        COACHING, note, "acknowledge", by=by, now=now, via=via,
        changes={"seen_at": now, "answer": answer.strip()[:1000]},
    )  # fmt: skip


def close_note(*, note: CoachingNote, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Followed up. The author, or whoever leads the person; never the person."""
    check(COACHING, note, "close", by=by, reason="")
    if note.person_id == by.pk or not (note.author_id == by.pk or may_see(by, note.person_id)):
        raise NotPermitted(_("You do not lead this person."))
    return perform(COACHING, note, "close", by=by, now=now, via=via)


def remind_follow_ups(*, now: datetime) -> int:
    """Tell authors whose follow-up day has come, once each."""
    due = list(
        CoachingNote.objects.filter(follow_up_on__lte=timezone.localdate(now), reminded_at__isnull=True)
        .exclude(status=NoteState.CLOSED)
        .select_related("person")[:500]
    )
    rows: list[Any] = []
    for note in due:
        rows += notice_rows(
            recipients=[note.author_id],
            level="info",
            title=_("Follow up with %(person)s today") % {"person": note.person},
            key=f"follow-up:{note.pk}",
            now=now,
            url=reverse("admin:performance_coachingnote_change", args=[note.pk]),
        )
    StaffNotice.objects.bulk_create(rows, ignore_conflicts=True)
    CoachingNote.objects.filter(pk__in=[note.pk for note in due]).update(reminded_at=now)
    return len(due)
