"""What several people and programs do at the same moment, with real threads on PostgreSQL."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from apps.core.exceptions import DomainError, StaleState
from apps.core.models import ActionLog, StaffNotice
from apps.customers.models import Customer, CustomerIdentity
from apps.feedback.models import Feedback, FeedbackSearch, ImportRun, SlaClock, SlaEvent
from apps.feedback.selectors.reference import reference
from apps.feedback.services import moves
from apps.feedback.services.background import dispatch_waiting
from apps.feedback.services.sweep import SweepResult, sweep_sla
from apps.shop.models import TeamMember, WorkItem
from tests.factories import (
    NOW,
    FixedReader,
    arrive,
    at,
    case,
    make_cast,
    make_profile,
    make_user,
    reading,
    take,
    verbs,
    voice,
)

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("committed")]
SOON = NOW + timedelta(minutes=10)


def at_once(acts: list[Callable[[], Any]]) -> list[Any]:
    """Run all of them in threads that start together; answers what each returned or raised."""
    barrier, out = threading.Barrier(len(acts)), [None] * len(acts)

    def run(index: int) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            out[index] = acts[index]()
        except Exception as error:
            out[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not any(thread.is_alive() for thread in threads)
    return out


def faults(results: list[Any]) -> list[Any]:
    """What went wrong that no rule asked for."""
    return [r for r in results if isinstance(r, Exception) and not isinstance(r, DomainError)]


def read_all_as(grade: str) -> None:
    """Every text is read as of this grade, in all threads."""
    reference().reader = FixedReader(reading(grade))  # type: ignore[assignment]


def test_eight_claim_one_case_and_one_wins() -> None:
    cast = make_cast()
    people = [make_user(f"p{n}", "ops") for n in range(8)]
    cast.off_duty()
    feedback = arrive("A")

    def claim(person: Any) -> Callable[[], Any]:
        mine = case(feedback.pk)
        return lambda: moves.claim(feedback=mine, by=person, now=SOON)

    results = at_once([claim(person) for person in people])
    winners = [people[n] for n, result in enumerate(results) if isinstance(result, ActionLog)]
    assert len(winners) == 1
    losers = [r for r in results if isinstance(r, StaleState)]
    assert len(losers) == 7 and all(str(winners[0]) in str(error) for error in losers), results
    assert case(feedback.pk).assignee == winners[0] and verbs(feedback) == ["claim"]


@pytest.mark.parametrize("verb", ["close", "resolve"])
def test_eight_end_one_case_and_one_row_says_so(verb: str) -> None:
    cast = make_cast()
    feedback = arrive("A")
    values = {"close": {}, "resolve": {"reason": "已补发"}}[verb]

    def end() -> Callable[[], Any]:
        mine = case(feedback.pk)
        return lambda: getattr(moves, verb)(feedback=mine, by=cast.alice, now=SOON, **values)

    results = at_once([end() for _ in range(8)])
    assert [type(r).__name__ for r in results].count("ActionLog") == 1 and faults(results) == []
    assert verbs(feedback).count(verb) == 1
    assert {c.state for c in feedback.clocks.all()} == {"met"}


def test_the_same_voice_through_two_doors_at_once_is_one_row() -> None:
    make_cast()
    read_all_as("S")
    for n in range(5):
        item = {"external_id": f"r{n}", "customer": {"external_id": f"c{n}", "phone": f"1380000000{n}"}}
        results = at_once([lambda item=item: take(voice("吃完就过敏了", **item)) for _ in range(4)])
        assert faults(results) == []
        states = Counter(outcome.state for (outcome,) in results)
        assert states == {"created": 1, "unchanged": 3}
        assert len({outcome.feedback_id for (outcome,) in results}) == 1
    assert Feedback.objects.count() == FeedbackSearch.objects.count() == Customer.objects.count() == 5
    assert CustomerIdentity.objects.count() == 5 and WorkItem.objects.count() == 5
    assert StaffNotice.objects.filter(recipient__username="max").count() == 5


@pytest.mark.parametrize("size", [20, 60])
def test_two_lists_that_meet_in_the_middle_lose_and_double_nothing(size: int) -> None:
    """In opposite order, which would dead-lock if nobody looked again; sixty go in by COPY."""
    make_cast()
    read_all_as("A")

    def items(numbers: Any, channel: str = "taobao") -> list[Any]:
        return [
            voice(
                f"第{n}封来信的内容", external_id=f"r{n}", channel=channel, customer={"external_id": f"c{n}"}
            )
            for n in numbers
        ]

    results = at_once(
        [
            lambda: take(*items(range(size))),
            lambda: take(*items(reversed(range(size)))),
            lambda: take(*items(range(size // 2, size + size // 2))),
        ]
    )
    assert faults(results) == []
    total = size + size // 2
    assert Feedback.objects.count() == Feedback.objects.values("external_id").distinct().count() == total
    assert Customer.objects.count() == CustomerIdentity.objects.count() == total
    assert sum(o.state == "created" for outcomes in results for o in outcomes) == total
    for feedback in Feedback.objects.select_related("customer").prefetch_related("customer__identities"):
        assert feedback.customer.identities.get().external_id == feedback.external_id.replace("r", "c")


def test_round_robin_under_four_threads_gives_everybody_the_same_share() -> None:
    cast = make_cast()
    for name in ("carol", "dan"):
        person = make_user(name, "ops")
        make_profile(person, capacity=500)
        TeamMember.objects.create(team=cast.team, user=person)
    from apps.feedback.selectors.reference import forget_reference

    forget_reference()
    read_all_as("A")

    def many() -> None:
        for size in (1, 3, 1, 2, 1, 4):
            take(*(voice() for _ in range(size)))

    assert faults(at_once([many] * 4)) == []
    shares = Counter(Feedback.objects.values_list("assignee__username", flat=True))
    assert shares == {"alice": 12, "bob": 12, "carol": 12, "dan": 12}


def test_capacity_holds_under_four_threads() -> None:
    cast = make_cast()
    type(cast.alice.profile).objects.update(capacity=5)
    from apps.feedback.selectors.reference import forget_reference

    forget_reference()
    read_all_as("A")
    assert faults(at_once([lambda: [take(voice()) for _ in range(5)]] * 4)) == []
    assert Counter(Feedback.objects.values_list("assignee__username", flat=True)) == {
        "alice": 5,
        "bob": 5,
        None: 10,
    }


def test_two_workers_dispatch_what_waits_once() -> None:
    cast = make_cast()
    cast.off_duty()
    for _ in range(6):
        arrive("A")
    TeamMember.objects.filter(role="member").update(takes_work=True)
    from apps.feedback.selectors.reference import forget_reference

    forget_reference()
    results = at_once([lambda: dispatch_waiting(now=SOON)] * 3)
    assert faults(results) == [] and sum(results) == 6
    assert ActionLog.objects.filter(verb="dispatch").count() == 6
    assert Counter(Feedback.objects.values_list("assignee__username", flat=True)) == {"alice": 3, "bob": 3}


def test_two_sweeps_at_once_take_each_step_once() -> None:
    make_cast()
    start = at("11-25 10:00")
    for _ in range(4):
        take(*(voice() for _ in range(50)), grade="A", now=start)
    for moment in ("11-25 12:00", "11-25 13:12", "11-25 14:00"):
        results = at_once([lambda moment=moment: sweep_sla(now=at(moment))] * 3)
        assert faults(results) == []
        assert sum(r.examined for r in results) == 200
    assert Counter(SlaEvent.objects.values_list("kind", "step")) == {
        ("warned", 0): 200, ("warned", 1): 200, ("breached", 0): 200,
    }  # fmt: skip
    keys = StaffNotice.objects.filter(dedupe_key__startswith="sla:").values_list("dedupe_key", flat=True)
    # The owner three times, the lead twice, the manager once.
    assert len(keys) == len(set(keys)) == 200 * 6
    assert Feedback.objects.filter(breached_at=at("11-25 14:00")).count() == 200


def test_people_who_act_while_the_sweep_runs_neither_block_nor_lose_a_miss() -> None:
    cast = make_cast()
    start, due = at("11-25 10:00"), at("11-25 14:00")
    outcomes = take(*(voice() for _ in range(49)), grade="A", now=start)
    ids = [outcome.feedback_id for outcome in outcomes]

    def contact_all(order: list[int]) -> None:
        for pk in order:
            try:
                moves.record_contact(
                    feedback=case(pk),
                    how="phone",
                    said="已致电",
                    by=cast.alice,
                    now=due + timedelta(minutes=1),
                )
            except DomainError:
                continue

    def sweep_often() -> list[SweepResult]:
        return [sweep_sla(now=due + timedelta(minutes=1)) for _ in range(10)]

    results = at_once([lambda: contact_all(ids), lambda: contact_all(ids[::-1]), sweep_often, sweep_often])
    assert faults(results) == []
    sweep_sla(now=due + timedelta(minutes=1))
    first = SlaClock.objects.filter(kind="first_response")
    assert set(first.values_list("state", "breached_at")) == {("missed", due)}
    assert Feedback.objects.filter(breached_at=due).count() == 49
    assert SlaEvent.objects.filter(kind="breached").values("clock").distinct().count() == 49


def test_a_wait_that_ends_is_resumed_once() -> None:
    cast = make_cast()
    feedback = arrive("A")
    moves.wait(
        feedback=feedback,
        why="customer",
        by=cast.alice,
        now=NOW,
        reason="等照片",
        until=NOW + timedelta(hours=1),
    )
    results = at_once([lambda: sweep_sla(now=NOW + timedelta(hours=2))] * 4)
    assert faults(results) == [] and sum(r.resumed for r in results) == 1
    assert verbs(feedback).count("resume") == 1


def test_merges_in_opposite_directions_leave_one_case_to_work_on() -> None:
    cast = make_cast()
    for _ in range(5):
        one, two = arrive("A"), arrive("A")

        def merge(source: Feedback, target: Feedback) -> Callable[[], Any]:
            return lambda: moves.merge(
                feedback=case(source.pk), into=case(target.pk), by=cast.lin, now=SOON, reason="同一件事"
            )

        results = at_once([merge(one, two), merge(two, one)])
        assert faults(results) == []
        assert sorted([case(one.pk).status, case(two.pk).status]) == ["assigned", "merged"]


def test_two_people_undo_the_same_move_and_it_happens_once() -> None:
    cast = make_cast()
    feedback = arrive("A")
    log = moves.close(feedback=feedback, by=cast.alice, now=SOON)
    results = at_once([lambda: moves.undo(log=log, by=cast.lin, now=SOON)] * 4)
    assert faults(results) == [] and sum(isinstance(r, Feedback) for r in results) == 1
    assert verbs(feedback) == ["dispatch", "close", "undo"] and case(feedback.pk).status == "assigned"


def test_the_same_file_imported_by_two_at_once_is_imported_once(tmp_path: Any) -> None:
    from apps.feedback.services.file_import import import_file

    make_cast()
    path = tmp_path / "a.csv"
    path.write_text("评价内容\n" + "".join(f"第{n}条评价说得很清楚\n" for n in range(300)), encoding="utf-8")
    results = at_once([lambda: import_file(path=path, channel="taobao")] * 2)
    assert faults(results) == []
    assert Feedback.objects.count() == 300 and ImportRun.objects.count() == 1
    assert sorted((r.created, r.duplicates) for r in results) == [(0, 300), (300, 0)]
