"""The sweep: who is told when, each step once, only what is due, and one bad row stops nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.core.models import StaffNotice
from apps.feedback.models import Feedback, SlaClock, SlaEvent
from apps.feedback.services import moves, sweep
from apps.feedback.services.sweep import sweep_sla
from apps.shop.models import Department
from tests.factories import NOW, Cast, arrive, at, case, clocks, queries, take, told, voice

pytestmark = pytest.mark.django_db
START = at("11-25 10:00")


def run(text: str) -> dict[str, int]:
    result = sweep_sla(now=at(text))
    return {k: v for k, v in vars(result).items() if v}


def notices(feedback: Feedback) -> list[tuple[str, str]]:
    """(who, level) of what the sweep told about a case, in order."""
    rows = StaffNotice.objects.filter(dedupe_key__startswith="sla:", url__contains=f"/{feedback.pk}/")
    return list(rows.order_by("pk").values_list("recipient__username", "level"))


def events(feedback: Feedback) -> list[tuple[str, str, int]]:
    rows = SlaEvent.objects.filter(feedback=feedback).order_by("pk")
    return list(rows.values_list("clock__kind", "kind", "step"))


def test_owner_at_half_lead_at_four_fifths_everybody_at_the_end(cast: Cast) -> None:
    head = cast.bob
    Department.objects.filter(name="供应链").update(head=head)
    from apps.feedback.selectors.reference import forget_reference

    forget_reference()
    feedback = arrive("A", now=START)
    moves.assign(
        feedback=feedback, to=cast.alice, by=None, now=START
    ) if feedback.assignee != cast.alice else None
    # First response: 10:00 to 14:00, so 12:00, 13:12 and 14:00; nothing else is due by then.
    assert run("11-25 11:59") == {}
    assert run("11-25 12:00") == {"examined": 1, "warned": 1}
    assert notices(feedback) == [("alice", "warning")]
    assert run("11-25 13:11") == {}
    assert run("11-25 13:12") == {"examined": 1, "warned": 1, "escalated": 1}
    assert notices(feedback)[1:] == [("alice", "warning"), ("lin", "warning")]
    assert run("11-25 14:00") == {"examined": 1, "breached": 1, "escalated": 1}
    assert notices(feedback)[3:] == [(name, "urgent") for name in ("alice", "lin", "max", "bob")]
    assert events(feedback) == [
        ("first_response", "warned", 0), ("first_response", "warned", 1), ("first_response", "breached", 0),
    ]  # fmt: skip
    stored, clock = case(feedback.pk), clocks(feedback)["first_response"]
    assert (stored.breached_at, clock.breached_at, clock.state) == (
        at("11-25 14:00"),
        at("11-25 14:00"),
        "running",
    )
    assert clock.next_check_at is None


def test_s_reaches_the_manager_after_thirty_minutes(cast: Cast) -> None:
    feedback = arrive("S", now=START)
    assert run("11-25 10:29") == {}
    assert run("11-25 10:30") == {"examined": 1, "warned": 1, "escalated": 1}
    assert notices(feedback) == [("alice", "urgent"), ("max", "urgent")]


def test_without_owner_the_lead_is_reminded(cast: Cast) -> None:
    cast.off_duty()
    feedback = arrive("A", now=START)
    run("11-25 12:00")
    assert notices(feedback) == [("lin", "warning")]


def test_a_sweep_that_runs_twice_tells_nobody_twice(cast: Cast) -> None:
    feedback = arrive("A", now=START)
    for text in ("11-25 12:00", "11-25 14:00"):
        run(text)
        before = notices(feedback), events(feedback)
        assert run(text) == {}
        assert (notices(feedback), events(feedback)) == before


def test_a_crash_after_telling_repeats_nothing(cast: Cast) -> None:
    """The event and the notice are unique in the database, so that a clock set back finds both there."""
    feedback = arrive("A", now=START)
    clock = clocks(feedback)["first_response"]
    run("11-25 14:00")
    before = notices(feedback), sorted(events(feedback))
    SlaClock.objects.filter(pk=clock.pk).update(next_check_at=clock.next_check_at, next_step=clock.next_step)
    run("11-25 14:00")
    assert (notices(feedback), sorted(events(feedback))) == before
    assert case(feedback.pk).breached_at == at("11-25 14:00")


def test_after_a_standstill_only_the_last_step_is_told(cast: Cast) -> None:
    feedback = arrive("A", now=START)
    assert run("11-25 16:00") == {"examined": 2, "warned": 3, "breached": 1, "escalated": 2}
    assert [who for who, _level in notices(feedback)] == ["alice", "lin", "max", "alice"]
    assert clocks(feedback)["first_response"].breached_at == at("11-25 14:00")


def test_the_second_miss_of_a_case_goes_to_the_top(cast: Cast) -> None:
    boss = cast.max
    SlaTargetSteps.only_owner("A")
    feedback = arrive("A", now=START)
    assert run("11-25 14:00")["breached"] == 1
    assert told(boss) == 0
    assert run("11-26 10:00")["breached"] == 1
    assert told(boss) == 1
    assert case(feedback.pk).breached_at == at("11-25 14:00")


class SlaTargetSteps:
    """Warnings as a shop might edit them."""

    @staticmethod
    def set(tier: str, steps: list[dict[str, Any]]) -> None:
        from apps.feedback.models import SlaTarget
        from apps.feedback.selectors.reference import forget_reference

        SlaTarget.objects.filter(policy__tier=tier).update(steps=steps)
        forget_reference()

    @classmethod
    def only_owner(cls, tier: str) -> None:
        cls.set(tier, [{"percent": 100, "tell": ["owner"]}])


def test_steps_after_the_deadline_follow_each_other_once(cast: Cast) -> None:
    SlaTargetSteps.set(
        "A", [{"minutes_after": 30, "tell": ["manager"]}, {"minutes_after": 90, "tell": ["lead"]}]
    )
    feedback = arrive("A", now=START)
    assert run("11-25 14:00") == {"examined": 1, "breached": 1, "escalated": 1}
    assert run("11-25 14:29") == {}
    assert run("11-25 14:30") == {"examined": 1, "escalated": 1}
    assert run("11-25 15:30") == {"examined": 1, "escalated": 1}
    assert run("11-25 18:00") == {}
    assert [who for who, _level in notices(feedback)] == ["alice", "lin", "max", "lin"]
    assert [kind for _clock, kind, _step in events(feedback)] == ["breached", "escalated", "escalated"]


def test_an_upgrade_warns_anew(cast: Cast) -> None:
    feedback = arrive("A", now=START)
    run("11-25 12:00")
    moves.escalate(feedback=feedback, by=cast.alice, now=at("11-25 12:10"), reason="顾客要曝光")
    before = len(notices(feedback))
    run("11-25 12:40")
    assert notices(feedback)[before:] == [("alice", "urgent"), ("max", "urgent")]


def test_a_miss_is_never_unset(cast: Cast) -> None:
    feedback = arrive("A", now=START)
    run("11-25 14:00")
    moves.escalate(feedback=feedback, by=cast.alice, now=at("11-25 14:05"), reason="顾客要曝光")
    moves.record_contact(
        feedback=case(feedback.pk), how="phone", said="已致电", by=cast.alice, now=at("11-25 14:10")
    )
    moves.resolve(feedback=case(feedback.pk), by=cast.alice, now=at("11-25 14:20"), reason="好了")
    moves.reopen(feedback=case(feedback.pk), by=cast.alice, now=at("11-25 14:30"), reason="又来了")
    first = clocks(feedback, cycle=0)["first_response"]
    assert (first.state, first.breached_at) == ("missed", at("11-25 14:00"))
    assert case(feedback.pk).breached_at == at("11-25 14:00")
    assert ("first_response", "breached", 0) in events(feedback)


def test_only_what_is_due_is_looked_at(cast: Cast) -> None:
    take(*(voice() for _ in range(40)), grade="B", now=START)
    due = arrive("S", now=START)
    with queries() as captured:
        assert run("11-25 10:30") == {"examined": 1, "warned": 1, "escalated": 1}
    assert notices(due)
    busy = [
        q["sql"]
        for q in captured.captured_queries
        if "slaclock" in q["sql"] and q["sql"].startswith("SELECT")
    ]
    assert all("next_check_at" in sql and "LIMIT" in sql for sql in busy)
    with queries() as idle:
        assert run("11-25 10:30") == {}
    assert len(idle) <= 6


@pytest.mark.parametrize("count", [60, 600])
def test_the_number_of_queries_does_not_follow_the_number_of_clocks(cast: Cast, count: int) -> None:
    """600 clocks make two batches; every case misses at its own moment."""
    for _part in range(0, count, 50):
        take(*(voice() for _ in range(50)), grade="S", now=START)
    pks = list(SlaClock.objects.filter(kind="first_response").order_by("pk").values_list("pk", flat=True))[
        :count
    ]
    SlaClock.objects.exclude(pk__in=pks).delete()
    for n, pk in enumerate(pks):
        moment = START + timedelta(seconds=n)
        SlaClock.objects.filter(pk=pk).update(due_at=moment, next_check_at=moment)
    with queries() as captured:
        result = sweep_sla(now=START + timedelta(hours=2))
    assert (result.examined, result.breached) == (count, count)
    assert (
        Feedback.objects.filter(breached_at__isnull=False).values("breached_at").distinct().count() == count
    )
    batches = -(-count // sweep.BATCH)
    # SQLite writes 500 rows in several statements, since it takes only so many values in one.
    assert len(captured) <= 30 * batches, len(captured)


def test_one_bad_clock_stops_nothing(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    bad, good = arrive("A", now=START), arrive("A", now=START)
    SlaClock.objects.filter(feedback=bad, kind="first_response").update(unit="nonsense")
    assert run("11-25 14:00") == {"examined": 2, "breached": 1, "warned": 2, "escalated": 2, "faults": 1}
    assert case(good.pk).breached_at == at("11-25 14:00") and case(bad.pk).breached_at is None
    assert clocks(bad)["first_response"].next_check_at == at("11-25 15:00")
    assert "clock could not be computed" in caplog.text.lower() or "could not be computed" in caplog.text
    assert run("11-25 14:01") == {}


def test_one_case_that_cannot_resume_stops_nothing(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = arrive("A", now=START), arrive("A", now=START)
    for feedback in (bad, good):
        moves.wait(
            feedback=feedback,
            why="customer",
            by=cast.alice,
            now=START,
            reason="等",
            until=START + timedelta(hours=1),
        )
    real = moves.resume

    def resume(*, feedback: Feedback, **values: Any) -> Any:
        if feedback.pk == bad.pk:
            raise ZeroDivisionError
        return real(feedback=feedback, **values)

    monkeypatch.setattr(moves, "resume", resume)
    assert run("11-25 11:00") == {"resumed": 1, "faults": 1}
    assert (case(bad.pk).status, case(good.pk).status) == ("waiting", "in_progress")
    assert run("11-25 11:01") == {}
    assert case(bad.pk).wait_until == at("11-25 12:00")


def test_what_is_over_or_stands_still_is_left_alone(cast: Cast) -> None:
    closed, dismissed, waiting = (arrive("A", now=START) for _ in range(3))
    moves.close(feedback=closed, by=cast.alice, now=START)
    moves.dismiss(feedback=dismissed, by=cast.alice, now=START, reason="广告")
    moves.record_contact(feedback=waiting, how="phone", said="已致电", by=cast.alice, now=START)
    moves.wait(feedback=waiting, why="third_party", by=cast.alice, now=START, reason="等物流")
    assert run("11-27 10:00") == {}
    assert Feedback.objects.filter(breached_at__isnull=False).count() == 0
    assert NOW < START
