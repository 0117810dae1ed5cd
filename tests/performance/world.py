"""Small helpers: months with figures, drawn samples, trainings with a quiz."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from apps.core.models import User
from apps.feedback.models import Category, Feedback
from apps.performance.models import AgentMonth, QualitySample, QuizQuestion, TrainingSession
from apps.performance.services import quality, training
from tests.factories import NOW, arrive

#: NOW lies in November 2026.
MONTH, LAST = date(2026, 11, 1), date(2026, 10, 1)
OCTOBER = NOW - timedelta(days=34)


def figures(person: User, month: date = LAST, **values: Any) -> AgentMonth:
    """A month with enough of everything, unless told otherwise."""
    base = {
        "handled": 60, "reopened": 3, "due": 60, "met": 54, "responses": 60, "response_median": 20.0,
        "response_p90": 90.0, "repairs": 40, "repaired": 30, "withdrawn": 8, "cost": 400, "answers": 40, "happy": 36,
        "quality_cases": 12, "quality_points": 120, "quality_most": 144,
    }  # fmt: skip
    return AgentMonth.objects.create(person=person, month=month, **(base | values))


def solved(person: User, count: int = 1, *, now: Any = OCTOBER, **values: Any) -> list[Feedback]:
    """Cases of a person resolved in October, written as an import of history would."""
    rows = []
    for number in range(count):
        case = arrive("A", now=now + timedelta(minutes=number))
        fields = {
            "assignee": person, "status": "closed", "resolved_at": now + timedelta(hours=3),
            "first_response_at": case.received_at + timedelta(minutes=30),
        } | values  # fmt: skip
        Feedback.objects.filter(pk=case.pk).update(**fields)
        rows.append(Feedback.objects.get(pk=case.pk))
    return rows


def sample(*people: User, each: int = 3) -> QualitySample:
    """The sample of October, of so many cases each."""
    for person in people:
        solved(person, each)
    return quality.draw_sample(month=LAST, by=None, now=NOW, seed="s")


def points(value: int = 2) -> dict[int, quality.Judgement]:
    """Every criterion with the same points."""
    return {row.pk: quality.Judgement(value) for row in quality.criteria()}


def make_training(trainer: User, *people: User, held: bool = True, **values: Any) -> TrainingSession:
    """With two questions: the first has one right answer (1), the second two (0 and 2)."""
    session = TrainingSession.objects.create(
        **({"topic": "怎么开口", "trainer": trainer, "starts_at": NOW - timedelta(hours=2)} | values)
    )
    for position, (kind, right) in enumerate((("single", [1]), ("multi", [0, 2]))):
        QuizQuestion.objects.create(
            session=session, position=position, text=f"第{position + 1}题", kind=kind, options=["甲", "乙", "丙"],
            right=right, explanation="因为",
        )  # fmt: skip
    training.invite(session=session, people=people, by=trainer, now=NOW)
    if held:
        training.hold(session=session, by=trainer, now=NOW)
    return session


def right_answers(session: TrainingSession) -> dict[int, list[int]]:
    """What passes."""
    return {question.pk: question.right for question in session.questions.all()}


def service() -> Category:
    """The category whose complaints propose trainings."""
    return Category.objects.get(code="SERVICE")
