"""People of the demo shop: counted months, a reviewed sample, notes, trainings with quiz and replay."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path

from django.db.models import Count, F, Q
from django.utils import timezone

from apps.core.exceptions import DomainError
from apps.core.models import ActionLog, StaffNotice, User
from apps.feedback.choices import Source
from apps.feedback.models import Category, Feedback
from apps.feedback.services.demo import demo_usernames
from apps.performance.choices import NoteKind
from apps.performance.figures import step
from apps.performance.models import (
    AgentMonth,
    CoachingNote,
    MonthlyScore,
    MonthRoll,
    QualityReview,
    QualitySample,
    QuizQuestion,
    TrainingProposal,
    TrainingSession,
)
from apps.performance.services import months, proposals, quality, scores, training

SEED = "demo"
FILE = Path(__file__).resolve().parent.parent / "reference" / "demo.json"


def _of_role(role: str) -> User | None:
    """The first of the demo's people with this role."""
    return (
        User.objects.filter(username__in=demo_usernames(), groups__name=role, is_active=True)
        .order_by("pk")
        .first()
    )


def load(*, now: datetime) -> int:
    """Through the real services; answers how many people have figures. Nothing without the demo shop."""
    lead, boss = _of_role("ops-lead"), _of_role("manager")
    if lead is None or boss is None:
        return 0
    story = json.loads(FILE.read_text("utf-8"))
    this = months.this_month(now)
    last = step(this, -1)
    _sample(last, boss, story, now)
    for back in range(5, -1, -1):
        months.rebuild(month=step(this, -back), now=now)
    _scores(last, boss, now)
    _trainings(lead, story, now)
    proposals.sweep_proposals(now=now)
    return AgentMonth.objects.filter(month=this, category__isnull=True).count()


def _sample(month: object, boss: User, story: dict[str, list[dict[str, object]]], now: datetime) -> None:
    try:
        sample = quality.draw_sample(month=month, by=None, now=now, seed=SEED)  # type: ignore[arg-type]
    except DomainError:
        return
    criteria = quality.criteria()
    said = cycle(story["reviews"])
    rows = list(
        sample.reviews.exclude(person=boss).select_related("feedback", "person").order_by("person_id", "pk")
    )
    # The last ones still wait, so that there is something to do.
    for row in rows[: max(len(rows) - 4, 0)]:
        words = next(said)
        low: list[str] = words["low"]  # type: ignore[assignment]
        points = {c.pk: quality.Judgement(1 if c.code in low else 2) for c in criteria}
        quality.submit(review=row, points=points, comment=str(words["comment"]), by=boss, now=now)
    done = [row for row in rows if row.points is not None][: len(story["notes"])]
    for row, note in zip(done, story["notes"], strict=False):
        quality.write_note(
            person=row.person,
            kind=str(note["kind"]),
            text=str(note["text"]),
            feedback=row.feedback,
            review=row,
            follow_up_on=timezone.localdate(now) + timedelta(days=14)
            if note["kind"] == NoteKind.AGREED
            else None,
            by=boss,
            now=now,
        )


def _scores(month: object, boss: User, now: datetime) -> None:
    scores.draft(month=month, now=now)  # type: ignore[arg-type]
    rows = MonthlyScore.objects.exclude(person=boss).filter(month=month).select_related("person")
    for row in list(rows.order_by(F("score").desc(nulls_last=True), "person_id"))[:3]:
        scores.publish(row=row, by=boss, now=now)


def _trainings(lead: User, story: dict[str, list[dict[str, object]]], now: datetime) -> None:
    people = list(
        User.objects.filter(
            username__in=demo_usernames(), groups__name__in=("ops", "care"), is_active=True
        ).distinct()
    )
    category = Category.objects.filter(code="SERVICE").first()
    day = timezone.localtime(now).replace(hour=15, minute=0, second=0, microsecond=0)
    for number, entry in enumerate(story["trainings"]):
        held = number == 0
        session = TrainingSession.objects.create(
            topic=str(entry["topic"]),
            goal=str(entry["goal"]),
            category=category,
            trainer=lead,
            starts_at=day - timedelta(days=3) if held else day + timedelta(days=4),
            place=str(entry["place"]),
        )
        for position, question in enumerate(entry["questions"]):  # type: ignore[arg-type, var-annotated]
            QuizQuestion.objects.create(session=session, position=position, **question)
        training.invite(session=session, people=people, by=lead, now=now - timedelta(days=6))
        if held:
            _held(session, lead, people, now)


def _held(session: TrainingSession, lead: User, people: list[User], now: datetime) -> None:
    training.hold(session=session, by=lead, now=now - timedelta(days=2))
    rows = list(session.participants.order_by("pk"))
    training.note_attendance(
        session=session,
        states={row.pk: "excused" if number == 3 else "attended" for number, row in enumerate(rows)},
        by=lead,
        now=now - timedelta(days=2),
    )
    right = {question.pk: question.right for question in session.questions.all()}
    for person in people[:2]:
        training.take_quiz(session=session, answers=right, by=person, now=now - timedelta(days=1))
    told = Feedback.objects.filter(
        source=Source.DEMO, status__in=("resolved", "closed"), entries__kind__in=("contact", "reply", "inbound")
    )  # fmt: skip
    case = (
        told.filter(sentiment="negative", text__regex=".{16,}")
        .annotate(lines=Count("entries"))
        .order_by("-lines", "pk")
        .first()
    )
    if case is not None:
        training.add_replay(
            session=session, number=case.number, lesson="先致歉、再核实，方案不附任何条件。", by=lead, now=now
        )


def clear() -> int:
    """Everything about people of the demo shop goes, and about whoever tried their hand at its cases."""
    worked = Feedback.objects.filter(source=Source.DEMO, assignee__isnull=False).values("assignee_id")
    people = User.objects.filter(Q(username__in=demo_usernames()) | Q(pk__in=worked))
    gone = 0
    TrainingProposal.objects.filter(person__in=people).delete()
    TrainingProposal.objects.filter(team__members__user__in=people).delete()
    CoachingNote.objects.filter(person__in=people).delete()
    CoachingNote.objects.filter(author__in=people).delete()
    sessions = TrainingSession.objects.filter(trainer__in=people)
    for label, rows in (
        ("performance.trainingsession", sessions),
        ("performance.qualityreview", QualityReview.objects.filter(person__in=people)),
        ("performance.monthlyscore", MonthlyScore.objects.filter(person__in=people)),
    ):
        ids = list(rows.values_list("pk", flat=True))
        ActionLog.objects.filter(model=label, object_id__in=ids).delete()
        gone += rows.model._base_manager.filter(pk__in=ids).delete()[0]
    QualitySample.objects.filter(reviews__isnull=True).delete()
    AgentMonth.objects.filter(person__in=people).delete()
    MonthRoll.objects.filter(status="open").exclude(month__in=AgentMonth.objects.values("month")).delete()
    StaffNotice.objects.filter(recipient__in=people, url__startswith="/admin/performance/").delete()
    return gone
