"""Two nights at once, two leads at one score, one quiz handed in twice."""

from __future__ import annotations

import pytest

from apps.core.exceptions import DomainError
from apps.performance.models import AgentMonth, MonthlyScore, QualitySample, QuizAttempt, TrainingProposal
from apps.performance.services import months, proposals, quality, scores, training
from tests.factories import NOW, make_cast
from tests.feedback.test_races import at_once, faults
from tests.performance.test_training import complain
from tests.performance.world import LAST, figures, make_training, right_answers, solved

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("committed")]


def test_two_nights_at_once_count_once() -> None:
    cast = make_cast()
    solved(cast.alice, 2)
    complain(cast, 3)
    out = at_once([lambda: months.rebuild(month=LAST, now=NOW) for _ in range(3)])
    assert not faults(out) and not any(isinstance(result, Exception) for result in out)
    assert AgentMonth.objects.filter(person=cast.alice, month=LAST, category__isnull=True).count() == 1
    out = at_once([lambda: quality.draw_sample(month=LAST, by=None, now=NOW) for _ in range(3)])
    assert not faults(out) and QualitySample.objects.count() == 1
    out = at_once([lambda: proposals.sweep_proposals(now=NOW) for _ in range(3)])
    assert not faults(out) and TrainingProposal.objects.count() == 1


def test_two_leads_publish_one_score() -> None:
    cast = make_cast()
    figures(cast.alice)
    out = at_once([lambda: scores.draft(month=LAST, now=NOW) for _ in range(2)])
    assert not faults(out)
    copies = [MonthlyScore.objects.get() for _ in range(2)]
    people = [cast.lin, cast.max]
    out = at_once(
        [
            lambda row=row, by=by: scores.publish(row=row, by=by, now=NOW)
            for row, by in zip(copies, people, strict=True)
        ]
    )
    assert not faults(out)
    assert sum(isinstance(result, DomainError) for result in out) == 1


def test_tries_at_once_are_counted_one_by_one() -> None:
    cast = make_cast()
    session = make_training(cast.lin, cast.alice)
    answers = right_answers(session)
    out = at_once(
        [
            lambda: training.take_quiz(session=session, answers=answers, by=cast.alice, now=NOW)
            for _ in range(3)
        ]
    )
    assert not faults(out)
    assert sorted(QuizAttempt.objects.values_list("number", flat=True)) == [1, 2, 3]
