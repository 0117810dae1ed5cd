"""Trainings: attendance, quizzes with bad input, replays that stay masked, proposals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted
from apps.customers.models import Customer
from apps.feedback.models import Entry, Feedback
from apps.performance.models import (
    QuizAttempt,
    ReplayAnswer,
    ReplayCase,
    TrainingParticipant,
    TrainingProposal,
    TrainingSession,
)
from apps.performance.selectors import replay
from apps.performance.services import proposals, quality, training
from tests.factories import NOW, Cast, arrive, told
from tests.performance.world import make_training, points, right_answers, sample, service, solved

pytestmark = pytest.mark.django_db


def part_of(session: TrainingSession, person: Any) -> TrainingParticipant:
    return TrainingParticipant.objects.get(session=session, person=person)


def test_invited_once_and_told(cast: Cast) -> None:
    session = make_training(cast.lin, cast.alice, held=False)
    assert training.invite(session=session, people=[cast.alice, cast.bob], by=cast.lin, now=NOW) == 1
    assert told(cast.alice) == told(cast.bob) == 1
    with pytest.raises(NotPermitted):
        training.invite(session=session, people=[cast.sue], by=cast.alice, now=NOW)
    training.cancel(session=session, by=cast.lin, now=NOW, reason="讲师生病")
    assert told(cast.alice) == 2
    with pytest.raises(IllegalMove):
        training.invite(session=session, people=[cast.sue], by=cast.lin, now=NOW)


def test_attendance_is_noted_once_it_was_held(cast: Cast) -> None:
    session = make_training(cast.lin, cast.alice, held=False, starts_at=NOW + timedelta(days=1))
    pk = part_of(session, cast.alice).pk
    with pytest.raises(InvalidInput):
        training.hold(session=session, by=cast.lin, now=NOW)
    with pytest.raises(IllegalMove):
        training.note_attendance(session=session, states={pk: "attended"}, by=cast.lin, now=NOW)
    later = NOW + timedelta(days=2)
    training.hold(session=session, by=cast.lin, now=later)
    with pytest.raises(IllegalMove):
        training.note_attendance(session=session, states={pk: "nonsense"}, by=cast.lin, now=later)
    assert training.note_attendance(session=session, states={pk: "attended"}, by=cast.lin, now=later) == 1
    assert training.note_attendance(session=session, states={pk: "attended"}, by=cast.lin, now=later) == 0
    training.close(session=session, by=cast.lin, now=later)
    with pytest.raises(IllegalMove):
        training.note_attendance(session=session, states={pk: "absent"}, by=cast.lin, now=later)


def test_the_best_try_counts(cast: Cast) -> None:
    session = make_training(cast.lin, cast.alice)
    right = right_answers(session)
    first, second = sorted(right)
    for answers, points_ in (({first: [0], second: [0, 2]}, 1), (right, 2), ({first: [0], second: [1]}, 0)):
        assert training.take_quiz(session=session, answers=answers, by=cast.alice, now=NOW).points == points_
    part = part_of(session, cast.alice)
    assert (part.best_points, part.best_most, part.passed_at) == (2, 2, NOW)
    assert list(part.attempts.values_list("number", "passed")) == [(1, False), (2, True), (3, False)]


def test_a_quiz_refuses_what_cannot_be(cast: Cast) -> None:
    session = make_training(cast.lin, cast.alice)
    first, second = sorted(right_answers(session))
    for answers in (
        {},
        {first: [1]},
        {first: [7], second: [0]},
        {first: [0, 1], second: [0]},
        {first: [], second: [0]},
    ):
        with pytest.raises(InvalidInput):
            training.take_quiz(session=session, answers=answers, by=cast.alice, now=NOW)
    with pytest.raises(NotPermitted):
        training.take_quiz(session=session, answers=right_answers(session), by=cast.bob, now=NOW)
    training.close(session=session, by=cast.lin, now=NOW)
    with pytest.raises(IllegalMove):
        training.take_quiz(session=session, answers=right_answers(session), by=cast.alice, now=NOW)
    assert not QuizAttempt.objects.exists()


def test_tries_end(cast: Cast) -> None:
    session = make_training(cast.lin, cast.alice)
    for _try in range(training.TRIES_AT_MOST):
        training.take_quiz(session=session, answers=right_answers(session), by=cast.alice, now=NOW)
    with pytest.raises(IllegalMove):
        training.take_quiz(session=session, answers=right_answers(session), by=cast.alice, now=NOW)


# -- replay ----------
def told_story(cast: Cast) -> Feedback:
    """A case with phones and names in every line."""
    customer = Customer.objects.create(nickname="林小姐姐", name="林婉儿", phone="13800000001")
    (case,) = solved(
        cast.alice,
        customer=customer,
        text="我是林婉儿,13812345678,订单号20261100012345,漏发了",
        resolution="已给林婉儿补发",
    )
    lines = (
        ("reply", "林小姐姐您好,马上查"), ("note", "林婉儿以前也来过"), ("inbound", "电话13912345678找我"),
        ("contact", "已致电13912345678"), ("inbound", "收到了"),
    )  # fmt: skip
    for number, (kind, text) in enumerate(lines):
        Entry.objects.create(
            feedback=case, kind=kind, text=text, at=NOW + timedelta(minutes=number), by=cast.alice
        )
    return case


def test_a_replay_shows_nothing_personal(cast: Cast) -> None:
    case = told_story(cast)
    steps = replay.steps(case)
    assert [(len(step.said), len(step.answered)) for step in steps] == [(1, 1), (1, 1), (1, 0)]
    whole = repr(steps) + repr(replay.ending(case))
    for secret in ("林婉儿", "林小姐姐", "13812345678", "13912345678", "20261100012345", "以前也来过"):
        assert secret not in whole
    assert "138****5678" in whole


def test_answers_come_in_order_and_are_judged(cast: Cast) -> None:
    session = make_training(cast.lin, cast.alice)
    row = training.add_replay(
        session=session, number=told_story(cast).number, lesson="", by=cast.lin, now=NOW
    )
    answer, judged = training.answer_step(
        replay=row, step=0, steps=3, text="删掉差评就返现20元,电话13812345678", by=cast.alice, now=NOW
    )
    assert not judged.ok and answer.rules
    assert "13812345678" not in answer.text
    for step in (0, 2, 5):
        with pytest.raises(IllegalMove):
            training.answer_step(replay=row, step=step, steps=3, text="您好", by=cast.alice, now=NOW)
    _answer, judged = training.answer_step(
        replay=row, step=1, steps=3, text="非常抱歉,马上为您核实", by=cast.alice, now=NOW
    )
    assert judged.ok
    with pytest.raises(NotPermitted):
        training.answer_step(replay=row, step=0, steps=3, text="您好", by=cast.bob, now=NOW)
    assert training.start_over(replay=row, by=cast.alice) == 2
    assert not ReplayAnswer.objects.exists()


def test_only_closed_cases_are_replayed(cast: Cast) -> None:
    session = make_training(cast.lin)
    case = arrive("A")
    for number in (case.number, "F9999999", "nonsense", "", "F²"):
        with pytest.raises(InvalidInput):
            training.add_replay(session=session, number=number, lesson="", by=cast.lin, now=NOW)
    done = solved(cast.alice)[0]
    training.add_replay(session=session, number=done.number.lower(), lesson="", by=cast.lin, now=NOW)
    with pytest.raises(InvalidInput):
        training.add_replay(session=session, number=done.number, lesson="", by=cast.lin, now=NOW)
    assert ReplayCase.objects.count() == 1


# -- proposals ----------
def complain(cast: Cast, count: int, **values: Any) -> list[Feedback]:
    rows = []
    for number in range(count):
        case = arrive("A", now=NOW - timedelta(hours=number + 1))
        Feedback.objects.filter(pk=case.pk).update(
            **({"category": service(), "team": cast.team, "sentiment": "negative"} | values)
        )
        rows.append(case)
    return rows


def test_three_complaints_about_service_propose_a_training_for_the_team(cast: Cast) -> None:
    complain(cast, 2)
    assert proposals.sweep_proposals(now=NOW) == 0
    complain(cast, 1)
    assert (proposals.sweep_proposals(now=NOW), proposals.sweep_proposals(now=NOW)) == (1, 0)
    proposal = TrainingProposal.objects.get()
    assert (proposal.team, proposal.person, proposal.count) == (cast.team, None, 3)
    assert told(cast.lin) == 1


def test_whoever_served_the_customer_before_is_whom_it_is_about(cast: Cast) -> None:
    customer = Customer.objects.create(nickname="客")
    solved(cast.alice, customer=customer, now=NOW - timedelta(days=3))
    complain(cast, 3, team=None, customer=customer)
    assert proposals.sweep_proposals(now=NOW) == 1
    assert TrainingProposal.objects.get().person == cast.alice


def test_spam_and_old_files_are_held_against_nobody(cast: Cast) -> None:
    complain(cast, 3)
    Feedback.objects.filter(pk=Feedback.objects.latest("pk").pk).update(status="dismissed")
    assert proposals.sweep_proposals(now=NOW) == 0
    Feedback.objects.update(status="new", is_historical=True)
    assert proposals.sweep_proposals(now=NOW) == 0


def test_a_failed_sample_proposes_a_training(cast: Cast) -> None:
    for review in sample(cast.alice).reviews.select_related("feedback")[:2]:
        quality.submit(review=review, points=points(1), comment="", by=cast.lin, now=NOW)
    assert proposals.sweep_proposals(now=NOW) == 1
    assert TrainingProposal.objects.get().reason == "quality"


def test_accepting_makes_the_training(cast: Cast) -> None:
    complain(cast, 3)
    proposals.sweep_proposals(now=NOW)
    proposal = TrainingProposal.objects.get()
    with pytest.raises(DomainError):
        proposals.accept(proposal=proposal, topic="服务", starts_at=NOW, by=cast.alice, now=NOW)
    proposals.accept(proposal=proposal, topic="服务", starts_at=NOW + timedelta(days=2), by=cast.lin, now=NOW)
    assert proposal.session is not None
    people = set(proposal.session.participants.values_list("person__username", flat=True))
    assert people == {"alice", "bob", "lin"}
    with pytest.raises(IllegalMove):
        proposals.reject(proposal=proposal, by=cast.lin, now=NOW, reason="晚了")


def test_what_was_decided_is_not_counted_again(cast: Cast) -> None:
    complain(cast, 3)
    proposals.sweep_proposals(now=NOW)
    proposals.reject(proposal=TrainingProposal.objects.get(), by=cast.lin, now=NOW, reason="快递的事")
    assert proposals.sweep_proposals(now=NOW + timedelta(hours=1)) == 0
    complain(cast, 1)
    Feedback.objects.filter(category=service()).order_by("-pk").first()
    assert proposals.sweep_proposals(now=NOW + timedelta(hours=1)) == 0


def test_nobody_decides_about_themselves(cast: Cast) -> None:
    proposal = TrainingProposal.objects.create(person=cast.lin, reason="quality", count=2, counted_until=NOW)
    assert not TrainingProposal.objects.visible_to(cast.lin).exists()
    with pytest.raises(NotPermitted):
        proposals.reject(proposal=proposal, by=cast.lin, now=NOW, reason="我不需要")
    proposals.reject(proposal=proposal, by=cast.max, now=NOW, reason="已谈过")
