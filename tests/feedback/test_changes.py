"""A review that changes later: history, reopening, a tier that rises (R4)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.feedback.models import Feedback, SlaEvent
from apps.feedback.services import moves
from apps.shop.models import WorkItem
from tests.factories import NOW, Cast, arrive, case, clocks, read_as, snapshot, take, told, verbs, voice

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1)


def change(
    feedback: Feedback, grade: str, *, text: str = "改过的话", rating: int | None = None, **options: object
) -> Feedback:
    (outcome,) = take(
        voice(text, external_id=feedback.external_id, rating=rating),
        grade=grade,
        now=options.pop("now", LATER),
        **options,
    )
    assert (outcome.state, outcome.feedback_id) == ("changed", feedback.pk)
    return case(feedback.pk)


def test_nothing_new_writes_nothing(cast: Cast) -> None:
    feedback = arrive("A", external_id="r1", rating=2)
    before = snapshot(feedback)
    assert take(voice(feedback.text, external_id="r1"), now=LATER)[0].state == "unchanged"
    assert snapshot(feedback) == before and feedback.changes.count() == 0


def test_stars_alone_are_a_change_too(cast: Cast) -> None:
    feedback = arrive("A", external_id="r1", rating=2)
    changed = change(feedback, "A", text=feedback.text, rating=4)
    assert (changed.rating, changed.text) == (4, feedback.text)
    (row,) = changed.changes.all()
    assert (row.old_rating, row.new_rating, row.old_text, row.new_text) == (
        2,
        4,
        feedback.text,
        feedback.text,
    )


def test_each_change_is_kept_in_order(cast: Cast) -> None:
    feedback = arrive("A", external_id="r1", rating=2)
    change(feedback, "A", text="第二版的话")
    change(feedback, "A", text="第三版的话", rating=5, now=LATER + timedelta(days=1))
    rows = case(feedback.pk).changes.values_list("old_text", "new_text", "old_rating", "new_rating")
    assert list(rows) == [(feedback.text, "第二版的话", 2, 2), ("第二版的话", "第三版的话", 2, 5)]


def test_praise_that_turns_into_a_complaint_becomes_somebodys_work(cast: Cast) -> None:
    feedback = arrive("praise", external_id="r1", rating=5)
    assert feedback.status == "closed"
    changed = change(feedback, "A", rating=1)
    assert (changed.status, changed.closed_at, changed.kind, changed.tier) == (
        "assigned",
        None,
        "complaint",
        "A",
    )
    assert (changed.team, changed.assignee, changed.assigned_at) == (cast.team, cast.alice, LATER)
    assert {c.started_at for c in clocks(changed).values()} == {LATER}
    assert set(clocks(changed)) == {"first_response", "resolved"}
    assert changed.due_at == clocks(changed)["first_response"].due_at
    assert verbs(changed) == ["dispatch", "changed"]


def test_without_anybody_free_it_is_new_and_waits_for_dispatch(cast: Cast) -> None:
    cast.alice.is_away = cast.bob.is_away = True
    cast.alice.save()
    cast.bob.save()
    changed = change(arrive("praise", external_id="r1"), "A")
    assert (changed.status, changed.assignee, changed.team) == ("new", None, cast.team)


def test_praise_that_turns_into_s_alarms_as_an_arrival_does(cast: Cast) -> None:
    feedback = arrive("praise", external_id="r1", store="renmin")
    assert told(cast.max) == 0
    changed = change(feedback, "S")
    assert (changed.tier, changed.tier_rank, changed.due_at) == ("S", 0, LATER + timedelta(hours=1))
    assert (told(cast.lin), told(cast.max)) == (1, 1)
    assert WorkItem.objects.get().origin_key == f"feedback:{feedback.pk}:self_check"


def test_an_open_case_whose_tier_rises_has_its_clocks_rebased(cast: Cast) -> None:
    feedback = arrive("B", external_id="r1")
    changed = change(feedback, "S", now=NOW + timedelta(hours=1))
    assert changed.tier == "S" and changed.status == "assigned"
    assert changed.due_at == NOW + timedelta(hours=2)
    assert told(cast.max) == 1


def test_a_tier_never_falls_through_a_change(cast: Cast) -> None:
    feedback = arrive("S", external_id="r1")
    changed = change(feedback, "praise", rating=5)
    assert (changed.tier, changed.status, changed.due_at) == ("S", "assigned", feedback.due_at)
    assert changed.sentiment == "positive"
    assert {c.state for c in clocks(changed).values()} == {"running"}


def test_a_closed_complaint_that_turned_to_praise_stays_closed(cast: Cast) -> None:
    feedback = arrive("A", external_id="r1")
    moves.close(feedback=feedback, by=cast.alice, now=NOW)
    assert change(feedback, "praise").status == "closed"


def test_a_closed_complaint_that_is_renewed_goes_back_to_its_owner(cast: Cast) -> None:
    feedback = arrive("A", external_id="r1")
    moves.resolve(feedback=feedback, by=cast.alice, now=NOW, reason="补发")
    moves.close(feedback=feedback, by=cast.alice, now=NOW)
    changed = change(feedback, "A")
    assert (changed.status, changed.assignee, changed.resolved_at, changed.closed_at) == (
        "assigned",
        cast.alice,
        None,
        None,
    )
    assert sorted(clocks(changed, cycle=1)) == ["first_response", "resolved"]
    assert clocks(changed, cycle=0)["resolved"].state == "met"


def test_history_is_changed_without_becoming_work(cast: Cast) -> None:
    (outcome,) = take(voice(external_id="r1"), grade="praise", historical=True)
    changed = change(case(outcome.feedback_id), "S")
    assert (changed.status, changed.due_at, clocks(changed)) == ("closed", None, {})
    assert told(cast.max) == 0 and WorkItem.objects.count() == 0


def test_a_miss_survives_every_change(cast: Cast) -> None:
    feedback = arrive("A", external_id="r1")
    late = clocks(feedback)["resolved"].due_at + timedelta(hours=1)
    moves.close(feedback=feedback, by=cast.alice, now=late)
    missed = case(feedback.pk).breached_at
    assert missed is not None
    changed = change(feedback, "S", now=late + timedelta(hours=1))
    assert changed.breached_at == missed
    assert SlaEvent.objects.filter(feedback=feedback, kind="breached").count() == 2


def test_the_first_reading_of_the_new_text_is_kept_with_its_reasons(cast: Cast) -> None:
    feedback = arrive("B", external_id="r1")
    with read_as("A", keywords=("慢",), reasons=("because",)):
        take(voice("改过的话", external_id="r1"), now=LATER)
    stored = case(feedback.pk)
    assert (stored.reading["keywords"], stored.reading["reasons"]) == (["慢"], ["because"])
    assert stored.category.code == "LOGISTICS"
