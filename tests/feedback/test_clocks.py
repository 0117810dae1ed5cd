"""Service levels through real cases and the shipped policies (the vectors of domain.md 3.2)."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, ReasonNeeded
from apps.feedback.choices import OPEN, Status
from apps.feedback.models import Feedback, SlaClock, SlaEvent, SlaPause, SlaPolicy, SlaTarget
from apps.feedback.selectors.reference import forget_reference
from apps.feedback.services import moves
from apps.feedback.services.sweep import sweep_sla
from tests.factories import NOW, Cast, arrive, at, case, clocks, snapshot, told

pytestmark = pytest.mark.django_db
FRIDAY = at("11-20 18:30")


def dues(feedback: Feedback) -> dict[str, datetime | None]:
    return {kind: clock.due_at for kind, clock in clocks(feedback).items()}


def contact(feedback: Feedback, by: Any, now: datetime, **values: Any) -> None:
    moves.record_contact(feedback=feedback, how="phone", said="已致电顾客", by=by, now=now, **values)


def hold(feedback: Feedback, by: Any, now: datetime, **values: Any) -> None:
    moves.wait(feedback=feedback, why="customer", by=by, now=now, reason="等顾客照片", **values)


# -- deadlines -----------------------------------------------------------------------------------------------
VECTORS = [
    ("A", "11-20 18:30", {"first_response": "11-21 10:30", "resolved": "11-23 18:00"}),
    ("A", "11-25 10:00", {"first_response": "11-25 14:00", "resolved": "11-26 10:00"}),
    ("A", "11-25 20:00", {"first_response": "11-26 12:00", "resolved": "11-26 18:00"}),
    (
        "S",
        "11-22 23:50",
        {"first_response": "11-23 00:50", "plan_given": "11-23 23:50", "resolved": "11-27 18:00"},
    ),
    (
        "B",
        "11-20 18:30",
        {"first_response": "11-21 18:30", "progress_given": "11-25 18:00", "resolved": "12-04 18:00"},
    ),
    # Around the National Day of 2026 (1–7 October off, 20 September and 10 October worked).
    ("A", "09-30 17:00", {"first_response": "09-30 21:00", "resolved": "10-08 17:00"}),
    ("A", "10-09 17:00", {"first_response": "10-09 21:00", "resolved": "10-10 17:00"}),
]


@pytest.mark.parametrize(("grade", "start", "expected"), VECTORS)
def test_deadlines_by_the_shipped_policies(
    cast: Cast, grade: str, start: str, expected: dict[str, str]
) -> None:
    feedback = arrive(grade, now=at(start))
    assert dues(feedback) == {kind: at(due) for kind, due in expected.items()}
    first = min(expected, key=lambda kind: at(expected[kind]))
    assert (feedback.due_at, feedback.due_kind, feedback.due_from) == (at(expected[first]), first, at(start))
    assert {(c.state, c.cycle, c.started_at) for c in clocks(feedback).values()} == {
        ("running", 0, at(start))
    }


def test_the_pause_vector(cast: Cast) -> None:
    """A Wed 10:00, paused Wed 11:00, resumed Thu 10:00: solve by Thu 18:00."""
    feedback = arrive("A", now=at("11-25 10:00"))
    contact(feedback, cast.alice, at("11-25 10:10"))
    hold(feedback, cast.alice, at("11-25 11:00"))
    assert (clocks(feedback)["resolved"].state, dues(feedback)["resolved"]) == ("paused", None)
    assert case(feedback.pk).due_at is None
    moves.resume(feedback=feedback, by=cast.alice, now=at("11-26 10:00"))
    assert dues(feedback)["resolved"] == at("11-26 18:00")
    assert case(feedback.pk).due_at == at("11-26 18:00")


def test_praise_has_no_clock(cast: Cast) -> None:
    assert SlaClock.objects.filter(feedback=arrive("praise")).count() == 0


def test_clocks_keep_what_they_started_with(cast: Cast) -> None:
    feedback = arrive("A")
    before = SlaClock.objects.filter(feedback=feedback).order_by("pk").values()
    frozen = list(before)
    SlaTarget.objects.filter(policy__tier="A").update(value=1)
    SlaPolicy.objects.filter(tier="A").update(version=7)
    forget_reference()
    assert list(before.all()) == frozen
    newer = clocks(arrive("A"))["first_response"]
    assert (newer.value, newer.policy_version, newer.due_at) == (1, 7, NOW + timedelta(minutes=1))


# -- first response ------------------------------------------------------------------------------------------
def test_a_persons_contact_meets_the_first_promise(cast: Cast) -> None:
    feedback = arrive("A")
    contact(feedback, cast.alice, NOW + timedelta(hours=1))
    clock = clocks(feedback)["first_response"]
    assert (clock.state, clock.stopped_at, clock.breached_at) == ("met", NOW + timedelta(hours=1), None)
    stored = case(feedback.pk)
    assert (stored.due_kind, stored.due_at) == ("resolved", clocks(feedback)["resolved"].due_at)


def test_an_automaton_never_answers(cast: Cast) -> None:
    feedback = arrive("A")
    contact(feedback, None, NOW, is_automatic=True)
    assert clocks(feedback)["first_response"].state == "running"
    stored = case(feedback.pk)
    assert (stored.first_response_at, stored.status, stored.due_kind) == (None, "assigned", "first_response")


def test_a_late_answer_is_a_miss_even_before_the_sweep(cast: Cast) -> None:
    feedback = arrive("A")
    due = dues(feedback)["first_response"]
    contact(feedback, cast.alice, due + timedelta(seconds=1))
    clock = clocks(feedback)["first_response"]
    assert (clock.state, clock.breached_at) == ("missed", due)
    assert case(feedback.pk).breached_at == due
    assert SlaEvent.objects.filter(clock=clock, kind="breached").count() == 1


def test_a_call_made_in_time_but_written_down_late_is_in_time(cast: Cast) -> None:
    feedback = arrive("A")
    due = dues(feedback)["first_response"]
    contact(feedback, cast.alice, due + timedelta(hours=1), at=due)
    assert clocks(feedback)["first_response"].state == "met"
    assert case(feedback.pk).breached_at is None


def test_a_miss_on_record_is_not_talked_away_by_a_backdated_call(cast: Cast) -> None:
    feedback = arrive("A")
    due = dues(feedback)["first_response"]
    sweep_sla(now=due + timedelta(minutes=1))
    contact(feedback, cast.alice, due + timedelta(hours=1), at=due - timedelta(minutes=1))
    clock = clocks(feedback)["first_response"]
    assert (clock.state, clock.breached_at) == ("missed", due)
    assert case(feedback.pk).breached_at == due


# -- waiting -------------------------------------------------------------------------------------------------
def test_waiting_stops_the_second_promise_only(cast: Cast) -> None:
    feedback = arrive("S")
    first = dues(feedback)["first_response"]
    hold(feedback, cast.alice, NOW + timedelta(minutes=10))
    states = {kind: clock.state for kind, clock in clocks(feedback).items()}
    assert states == {"first_response": "running", "plan_given": "paused", "resolved": "paused"}
    stored = case(feedback.pk)
    assert (stored.due_at, stored.due_kind) == (first, "first_response")
    assert (stored.wait_reason, stored.wait_until) == ("customer", NOW + timedelta(minutes=10, hours=72))


def test_waiting_needs_a_reason_of_a_known_kind_and_time_ahead(cast: Cast) -> None:
    feedback = arrive("A")
    before = snapshot(feedback)
    for error, values in (
        (ReasonNeeded, {"why": "customer", "reason": "  "}),
        (InvalidInput, {"why": "lunch", "reason": "饿了"}),
        (InvalidInput, {"why": "customer", "reason": "等", "until": NOW}),
    ):
        with pytest.raises(error):
            moves.wait(feedback=feedback, by=cast.alice, now=NOW, **values)
        assert snapshot(feedback) == before
    contact(feedback, cast.alice, NOW)
    hold(feedback, cast.alice, NOW)
    with pytest.raises(IllegalMove):
        hold(feedback, cast.alice, NOW)
    assert SlaPause.objects.count() == 1


def test_seventy_two_hours_are_the_most_at_a_time(cast: Cast) -> None:
    feedback = arrive("A")
    hold(feedback, cast.alice, NOW, until=NOW + timedelta(days=30))
    assert case(feedback.pk).wait_until == NOW + timedelta(hours=72)
    moves.resume(feedback=feedback, by=cast.alice, now=NOW + timedelta(hours=1))
    hold(feedback, cast.alice, NOW + timedelta(hours=1), until=NOW + timedelta(hours=3))
    assert case(feedback.pk).wait_until == NOW + timedelta(hours=3)


@pytest.mark.parametrize("late", [0, 10])
def test_the_sweep_resumes_after_seventy_two_hours_and_its_delay_costs_the_customer_nothing(
    cast: Cast, late: int
) -> None:
    feedback = arrive("A", now=at("11-23 10:00"))
    contact(feedback, cast.alice, at("11-23 10:00"))
    hold(feedback, cast.alice, at("11-23 11:00"))
    assert sweep_sla(now=at("11-26 10:59")).resumed == 0
    assert sweep_sla(now=at("11-26 11:00") + timedelta(hours=late)).resumed == 1
    stored = case(feedback.pk)
    assert (stored.status, stored.wait_until) == ("in_progress", None)
    assert stored.pauses.get().ended_at == at("11-26 11:00")
    # Monday 11:00 to Thursday 11:00 are three workdays: Tuesday 10:00 moves to Friday 10:00.
    assert dues(feedback)["resolved"] == at("11-27 10:00")


def test_a_pause_outside_of_working_time_moves_nothing(cast: Cast) -> None:
    feedback = arrive("A", now=at("11-20 10:00"))
    due = dues(feedback)["resolved"]
    hold(feedback, cast.alice, at("11-20 18:00"))
    moves.resume(feedback=feedback, by=cast.alice, now=at("11-23 09:00"))
    assert dues(feedback)["resolved"] == due == at("11-23 10:00")


def test_a_pause_over_the_weekend_moves_by_its_working_part(cast: Cast) -> None:
    feedback = arrive("A", now=at("11-20 10:00"))
    hold(feedback, cast.alice, at("11-20 17:00"))
    moves.resume(feedback=feedback, by=cast.alice, now=at("11-23 09:30"))
    assert dues(feedback)["resolved"] == at("11-23 11:30")


def test_a_wall_clock_moves_by_the_whole_pause(cast: Cast) -> None:
    feedback = arrive("S", now=at("11-20 10:00"))
    hold(feedback, cast.alice, at("11-20 17:00"))
    moves.resume(feedback=feedback, by=cast.alice, now=at("11-22 17:00"))
    assert dues(feedback)["plan_given"] == at("11-23 10:00")


def test_two_pauses_add_up(cast: Cast) -> None:
    feedback = arrive("A", now=at("11-25 10:00"))
    for start, end in (("11-25 11:00", "11-25 12:00"), ("11-25 14:00", "11-25 15:30")):
        hold(feedback, cast.alice, at(start))
        moves.resume(feedback=feedback, by=cast.alice, now=at(end))
    assert dues(feedback)["resolved"] == at("11-26 12:30")


def test_seven_days_in_all_then_no_more_and_the_manager_knows(cast: Cast) -> None:
    feedback = arrive("A", now=at("11-02 10:00"))
    contact(feedback, cast.alice, at("11-02 10:00"))
    moment = at("11-02 10:00")
    for hours in (72, 72, 24):
        hold(feedback, cast.alice, moment)
        assert case(feedback.pk).wait_until == moment + timedelta(hours=hours)
        moment += timedelta(hours=hours)
        moves.resume(feedback=feedback, by=cast.alice, now=moment)
    before = snapshot(feedback)
    for _ in range(2):
        with pytest.raises(DomainError) as caught:
            hold(feedback, cast.alice, moment)
        assert caught.value.code == "refused" and snapshot(feedback) == before
    assert told(cast.max, feedback.number) == 1
    # Somebody who may not make anything wait cannot ring the manager either.
    other = arrive("A")
    with pytest.raises(DomainError):
        hold(other, cast.ann, NOW)
    assert told(cast.max) == 1


def test_what_is_missed_already_is_not_paused(cast: Cast) -> None:
    feedback = arrive("A")
    due = dues(feedback)["resolved"]
    hold(feedback, cast.alice, due + timedelta(minutes=1))
    clock = clocks(feedback)["resolved"]
    assert (clock.state, clock.due_at) == ("running", due)
    assert sweep_sla(now=due + timedelta(minutes=2)).breached == 2


# -- upgrades ------------------------------------------------------------------------------------------------
def test_an_upgrade_takes_the_earlier_of_old_and_new(cast: Cast) -> None:
    feedback = arrive("A", now=at("11-25 10:00"))
    moves.escalate(feedback=feedback, by=cast.alice, now=at("11-25 11:00"), reason="顾客要曝光")
    assert dues(feedback) == {
        "first_response": at("11-25 12:00"),  # 11:00 + 1 h before 14:00
        "plan_given": at("11-26 10:00"),  # the second promise of A before 11:00 + 24 h
        "resolved": at("11-26 10:00"),  # before five workdays
    }
    assert case(feedback.pk).due_at == at("11-25 12:00")


def test_an_upgrade_never_buys_time(cast: Cast) -> None:
    feedback = arrive("A", now=at("11-25 10:00"))
    moves.escalate(feedback=feedback, by=cast.alice, now=at("11-25 13:30"), reason="顾客要曝光")
    assert dues(feedback)["first_response"] == at("11-25 14:00")


def test_an_upgrade_b_to_a_drops_the_promise_a_does_not_know(cast: Cast) -> None:
    feedback = arrive("B", now=at("11-25 10:00"))
    moves.escalate(feedback=feedback, by=cast.alice, now=at("11-25 10:30"), reason="其实是投诉")
    current = clocks(feedback)
    assert {k: c.state for k, c in current.items()} == {
        "first_response": "running", "progress_given": "cancelled", "resolved": "running",
    }  # fmt: skip
    assert dues(feedback)["first_response"] == at("11-25 14:30")
    assert dues(feedback)["resolved"] == at("11-26 10:30")


def test_an_answer_given_stays_given_after_an_upgrade(cast: Cast) -> None:
    feedback = arrive("A", now=at("11-25 10:00"))
    contact(feedback, cast.alice, at("11-25 10:30"))
    moves.escalate(feedback=feedback, by=cast.alice, now=at("11-25 11:00"), reason="顾客要曝光")
    assert clocks(feedback)["first_response"].state == "met"
    assert case(feedback.pk).due_kind in ("plan_given", "resolved")


def test_waiting_after_an_upgrade_is_no_miss(cast: Cast) -> None:
    feedback = arrive("B", now=at("11-25 10:00"))
    contact(feedback, cast.alice, at("11-25 10:10"))
    moves.escalate(feedback=feedback, by=cast.alice, now=at("11-25 10:30"), reason="其实是投诉")
    due = dues(feedback)["resolved"]
    hold(feedback, cast.alice, at("11-25 11:00"))
    moves.resume(feedback=feedback, by=cast.alice, now=at("11-27 11:00"))
    assert dues(feedback)["resolved"] == at("11-30 10:30") and due == at("11-26 10:30")


def test_a_paused_promise_is_kept_through_an_upgrade(cast: Cast) -> None:
    feedback = arrive("A", now=at("11-25 10:00"))
    contact(feedback, cast.alice, at("11-25 10:10"))
    hold(feedback, cast.alice, at("11-25 11:00"))
    moves.escalate(feedback=feedback, by=cast.alice, now=at("11-25 12:00"), reason="顾客要曝光")
    moves.resume(feedback=feedback, by=cast.alice, now=at("11-25 13:00"))
    assert {k: c.state for k, c in clocks(feedback).items()} == {
        "first_response": "met", "plan_given": "running", "resolved": "running",
    }  # fmt: skip
    assert dues(feedback)["resolved"] == at("11-26 12:00")


# -- reopening -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("days", "answered", "again"),
    [
        (7, True, ["resolved"]),
        (7.01, True, ["first_response", "resolved"]),
        (1, False, ["first_response", "resolved"]),
    ],
)
def test_reopening_starts_the_right_promises_anew(
    cast: Cast, days: float, answered: bool, again: list[str]
) -> None:
    feedback = arrive("A")
    if answered:
        contact(feedback, cast.alice, NOW)
    moves.resolve(feedback=feedback, by=cast.alice, now=NOW, reason="已补发")
    later = NOW + timedelta(days=days)
    moves.reopen(feedback=feedback, by=cast.alice, now=later, reason="问题仍在")
    assert sorted(clocks(feedback, cycle=1)) == again
    assert {c.started_at for c in clocks(feedback, cycle=1).values()} == {later}
    assert {c.state for c in clocks(feedback, cycle=0).values()} == {"met"}
    stored = case(feedback.pk)
    assert stored.due_at == min(c.due_at for c in clocks(feedback, cycle=1).values())
    assert (stored.reopened, stored.resolved_at) == (1, None)


def test_reopening_never_erases_a_miss(cast: Cast) -> None:
    feedback = arrive("A")
    late = dues(feedback)["resolved"] + timedelta(hours=1)
    moves.resolve(feedback=feedback, by=cast.alice, now=late, reason="补发")
    missed = case(feedback.pk).breached_at
    moves.reopen(feedback=feedback, by=cast.alice, now=late, reason="问题仍在")
    assert case(feedback.pk).breached_at == missed is not None
    assert {c.state for c in clocks(feedback, cycle=0).values()} == {"missed"}
    moves.resolve(feedback=feedback, by=cast.alice, now=late, reason="补发")
    assert clocks(feedback, cycle=1)["resolved"].state == "met" and case(feedback.pk).breached_at == missed


# -- merging -------------------------------------------------------------------------------------------------
def merged(cast: Cast, now: datetime) -> tuple[Feedback, Feedback]:
    early, late = arrive("A", now=at("11-25 10:00")), arrive("A", now=at("11-25 13:00"))
    moves.merge(feedback=early, into=late, by=cast.lin, now=now, reason="同一件事")
    return early, late


def test_the_earliest_clock_wins(cast: Cast) -> None:
    early, late = merged(cast, at("11-25 13:30"))
    assert dues(late) == {"first_response": at("11-25 14:00"), "resolved": at("11-26 10:00")}
    assert case(late.pk).due_at == at("11-25 14:00")
    assert {c.state for c in clocks(early).values()} == {"cancelled"} and case(early.pk).due_at is None


def test_the_later_clock_changes_nothing(cast: Cast) -> None:
    early, late = arrive("A", now=at("11-25 10:00")), arrive("A", now=at("11-25 13:00"))
    before = dues(early)
    moves.merge(feedback=late, into=early, by=cast.lin, now=at("11-25 13:30"), reason="同一件事")
    assert dues(early) == before


def plain(feedback: Feedback) -> list[dict[str, Any]]:
    return list(SlaClock.objects.filter(feedback=feedback).order_by("pk").values())


def test_a_merge_is_taken_back_exactly(cast: Cast) -> None:
    early, late = arrive("A", now=at("11-25 10:00")), arrive("B", now=at("11-25 12:00"))
    # An upgraded target has a bound of its own, which must come back too.
    moves.escalate(feedback=late, by=cast.lin, now=at("11-25 12:30"), reason="其实是投诉")
    before = plain(early), plain(late)
    moves.merge(feedback=early, into=late, by=cast.lin, now=at("11-25 13:00"), reason="同一件事")
    assert plain(late) != before[1]
    moves.unmerge(feedback=case(early.pk), by=cast.lin, now=at("11-25 13:30"), reason="不是一件事")
    assert (plain(early), plain(late)) == before
    stored = case(early.pk)
    assert (stored.status, stored.merged_into, stored.due_at) == ("in_progress", None, at("11-25 14:00"))
    assert case(late.pk).due_at == at("11-25 16:30")


def test_unmerging_keeps_what_happened_meanwhile(cast: Cast) -> None:
    early, late = merged(cast, at("11-25 13:30"))
    contact(late, cast.alice, at("11-25 13:45"))
    sweep_sla(now=at("11-26 10:01"))
    moves.unmerge(feedback=case(early.pk), by=cast.lin, now=at("11-26 11:00"), reason="不是一件事")
    # The answer to the target is given, and its miss under the borrowed deadline stays a miss.
    target = clocks(late)
    assert (target["first_response"].state, target["resolved"].breached_at) == ("met", at("11-26 10:00"))
    assert target["resolved"].due_at == at("11-26 13:00")
    assert sweep_sla(now=at("11-26 11:00")).breached == 2  # both of the source, which nobody answered


def test_a_waiting_case_comes_back_from_a_merge_with_its_pause_counted(cast: Cast) -> None:
    source, target = arrive("A", now=at("11-25 10:00")), arrive("A", now=at("11-25 10:00"))
    hold(source, cast.alice, at("11-25 11:00"))
    moves.merge(feedback=source, into=target, by=cast.lin, now=at("11-25 12:00"), reason="同一件事")
    moves.unmerge(feedback=case(source.pk), by=cast.lin, now=at("11-25 12:30"), reason="不是一件事")
    assert dues(source)["resolved"] == at("11-26 11:00")
    assert {c.state for c in clocks(source).values()} == {"running"}


# -- whatever people do --------------------------------------------------------------------------------------
ACTS: dict[str, Any] = {
    "claim": lambda f, c, now: moves.claim(feedback=f, by=c.bob, now=now),
    "assign": lambda f, c, now: moves.assign(feedback=f, to=c.bob, by=c.lin, now=now),
    "contact": lambda f, c, now: contact(f, c.alice, now),
    "robot": lambda f, c, now: contact(f, None, now, is_automatic=True),
    "plan": lambda f, c, now: moves.give_plan(feedback=f, said="明天补发", by=c.alice, now=now),
    "progress": lambda f, c, now: moves.give_progress(feedback=f, said="在查", by=c.alice, now=now),
    "wait": lambda f, c, now: hold(f, c.alice, now),
    "resume": lambda f, c, now: moves.resume(feedback=f, by=c.alice, now=now),
    "resolve": lambda f, c, now: moves.resolve(feedback=f, by=c.alice, now=now, reason="好了"),
    "close": lambda f, c, now: moves.close(feedback=f, by=c.alice, now=now),
    "reopen": lambda f, c, now: moves.reopen(feedback=f, by=c.alice, now=now, reason="又来了"),
    "dismiss": lambda f, c, now: moves.dismiss(feedback=f, by=c.alice, now=now, reason="广告"),
    "escalate": lambda f, c, now: moves.escalate(feedback=f, by=c.alice, now=now, reason="急"),
    "raise": lambda f, c, now: moves.correct(feedback=f, values={"tier": "S"}, by=c.alice, now=now),
    "lower": lambda f, c, now: moves.correct(feedback=f, values={"tier": "B"}, by=c.alice, now=now),
    "merge": lambda f, c, now: moves.merge(feedback=f, into=c.other, by=c.lin, now=now, reason="同"),
    "unmerge": lambda f, c, now: moves.unmerge(feedback=f, by=c.lin, now=now, reason="不同"),
    "undo": lambda f, c, now: moves.undo(log=last_log(f), by=c.lin, now=now),
    "sweep": lambda f, c, now: sweep_sla(now=now),
}


def last_log(feedback: Feedback) -> Any:
    from apps.core.models import ActionLog

    logs = ActionLog.objects.filter(model="feedback.feedback", object_id=feedback.pk)
    return logs.order_by("-pk").first() or ActionLog(verb="", model="")


def check_invariants(feedback: Feedback, misses: set[int]) -> None:
    stored = case(feedback.pk)
    assert stored.status in Status.values
    rows = list(SlaClock.objects.filter(feedback=feedback))
    running = [c.due_at for c in rows if c.state == "running"]
    assert all(due is not None for due in running)
    assert stored.due_at == (min(running) if running else None)
    # Nothing runs once the work is over; nothing stands still unless the case waits.
    if stored.status not in OPEN:
        assert not [c for c in rows if c.state in ("running", "paused")]
    if stored.status != "waiting":
        assert not [c for c in rows if c.state == "paused"]
        assert (stored.wait_until, stored.wait_reason) == (None, "")
        assert not stored.pauses.filter(ended_at__isnull=True).exists()
    for clock in rows:
        if clock.breached_at is not None:
            misses.add(clock.pk)
    assert misses == {c.pk for c in rows if c.breached_at is not None}, "a miss was lost"
    if misses:
        assert stored.breached_at == min(c.breached_at for c in rows if c.breached_at)
        assert (
            set(SlaEvent.objects.filter(feedback=feedback, kind="breached").values_list("clock", flat=True))
            == misses
        )
    total = sum(((p.ended_at or p.until) - p.started_at for p in stored.pauses.all()), timedelta())
    assert total <= timedelta(days=7)


STEPS = st.tuples(st.sampled_from(sorted(ACTS)), st.sampled_from([0, 7, 45, 300, 1500, 5000, 12000]))


@settings(
    max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
@given(grade=st.sampled_from("SAB"), steps=st.lists(STEPS, min_size=4, max_size=14))
def test_no_sequence_of_moves_breaks_a_case(cast: Cast, grade: str, steps: list[tuple[str, int]]) -> None:
    with transaction.atomic():
        cast.other = arrive("B")  # type: ignore[attr-defined]
        feedback, now, misses = arrive(grade), NOW, set[int]()
        for verb, minutes in steps:
            now += timedelta(minutes=minutes)
            with suppress(DomainError):
                ACTS[verb](case(feedback.pk), cast, now)
            check_invariants(feedback, misses)
            check_invariants(cast.other, set())  # type: ignore[attr-defined]
        transaction.set_rollback(True)
