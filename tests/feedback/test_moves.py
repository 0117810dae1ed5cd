"""The verbs of a case: who may, what they write, how they are taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted, StaleState
from apps.core.models import ActionLog, StaffNotice, User
from apps.feedback import signals
from apps.feedback.models import Category, Correction, Entry, Feedback
from apps.feedback.services import moves
from apps.shop.models import Department, WorkItem
from tests.factories import (
    NOW,
    Cast,
    arrive,
    case,
    clocks,
    make_profile,
    make_store,
    make_user,
    snapshot,
    told,
    verbs,
)

pytestmark = pytest.mark.django_db
SOON = NOW + timedelta(minutes=30)


@pytest.fixture
def case_of_nobody(cast: Cast) -> Feedback:
    cast.off_duty()
    return arrive("A")


def refuses(feedback: Feedback, error: type[Exception], act: Callable[[], Any]) -> Any:
    """The action is refused and nothing of the case changes."""
    before = snapshot(feedback)
    with pytest.raises(error) as caught:
        act()
    assert snapshot(feedback) == before
    return caught.value


# -- claim, assign -------------------------------------------------------------------------------------------
def test_claiming_makes_the_owner(cast: Cast, case_of_nobody: Feedback) -> None:
    log = moves.claim(feedback=case_of_nobody, by=cast.alice, now=SOON)
    stored = case(case_of_nobody.pk)
    assert (stored.status, stored.assignee, stored.assigned_at, stored.claimed_at) == (
        "assigned",
        cast.alice,
        SOON,
        SOON,
    )
    assert (log.verb, log.from_state, log.to_state, log.by) == ("claim", "new", "assigned", cast.alice)


def test_what_round_robin_gave_may_be_claimed_by_another_once(cast: Cast) -> None:
    feedback = arrive()
    assert feedback.assignee == cast.alice
    moves.claim(feedback=feedback, by=cast.bob, now=SOON)
    assert case(feedback.pk).assignee == cast.bob
    error = refuses(
        feedback, StaleState, lambda: moves.claim(feedback=case(feedback.pk), by=cast.alice, now=SOON)
    )
    assert "Bob" in str(error)


def test_a_stale_claim_names_the_winner(cast: Cast, case_of_nobody: Feedback) -> None:
    mine = case(case_of_nobody.pk)
    moves.claim(feedback=case_of_nobody, by=cast.bob, now=SOON)
    error = refuses(mine, StaleState, lambda: moves.claim(feedback=mine, by=cast.alice, now=SOON))
    assert "Bob" in str(error)


def test_claiming_needs_the_permission(cast: Cast, case_of_nobody: Feedback) -> None:
    refuses(case_of_nobody, NotPermitted, lambda: moves.claim(feedback=case_of_nobody, by=cast.ann, now=SOON))


def test_assigning_tells_the_new_owner(cast: Cast, case_of_nobody: Feedback) -> None:
    log = moves.assign(feedback=case_of_nobody, to=cast.bob, by=cast.lin, now=SOON, reason="熟悉物流")
    stored = case(case_of_nobody.pk)
    assert (stored.status, stored.assignee, stored.assigned_at, stored.claimed_at) == (
        "assigned",
        cast.bob,
        SOON,
        None,
    )
    assert (log.from_state, log.to_state, log.reason) == ("new", "assigned", "熟悉物流")
    assert ActionLog.objects.get(pk=log.pk).to_state == "assigned"
    assert told(cast.bob, stored.number) == 1


def test_assigning_keeps_the_state_of_work_begun_and_yourself_needs_no_notice(cast: Cast) -> None:
    feedback = arrive()
    moves.record_contact(feedback=feedback, how="phone", said="已致电", by=cast.alice, now=SOON)
    moves.assign(feedback=feedback, to=cast.lin, by=cast.lin, now=SOON)
    assert case(feedback.pk).status == "in_progress" and told(cast.lin) == 0


def test_assigning_is_refused_to_the_gone_the_present_owner_and_by_those_who_may_not(cast: Cast) -> None:
    feedback = arrive()
    gone = make_user("gone", "ops", is_active=False)
    refuses(feedback, InvalidInput, lambda: moves.assign(feedback=feedback, to=gone, by=cast.lin, now=SOON))
    refuses(
        feedback, InvalidInput, lambda: moves.assign(feedback=feedback, to=cast.alice, by=cast.lin, now=SOON)
    )
    refuses(
        feedback, NotPermitted, lambda: moves.assign(feedback=feedback, to=cast.bob, by=cast.alice, now=SOON)
    )
    assert StaffNotice.objects.count() == 0


# -- contact, plan, progress ---------------------------------------------------------------------------------
def test_a_contact_is_kept_and_starts_the_work(cast: Cast) -> None:
    feedback = arrive()
    earlier = NOW + timedelta(minutes=5)
    log = moves.record_contact(
        feedback=feedback, how="phone", said=" 致电顾客,已道歉 ", by=cast.alice, now=SOON, at=earlier
    )
    stored = case(feedback.pk)
    assert (stored.status, stored.first_response_at) == ("in_progress", earlier)
    (entry,) = stored.entries.all()
    assert (entry.kind, entry.method, entry.text, entry.at, entry.by) == (
        "contact", "phone", "致电顾客,已道歉", earlier, cast.alice,
    )  # fmt: skip
    assert (log.to_state, log.data["how"]) == ("in_progress", "phone")
    moves.record_contact(feedback=stored, how="chat", said="再次确认", by=cast.alice, now=SOON)
    assert case(feedback.pk).first_response_at == earlier


def test_whoever_answers_what_nobody_has_becomes_the_owner(cast: Cast, case_of_nobody: Feedback) -> None:
    moves.record_contact(feedback=case_of_nobody, how="chat", said="您好", by=cast.bob, now=SOON)
    stored = case(case_of_nobody.pk)
    assert (stored.assignee, stored.claimed_at) == (cast.bob, SOON)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"how": "pigeon"}, "how"),
        ({"said": " "}, "said"),
        ({"said": "好"}, "said"),
        ({"at": SOON + timedelta(seconds=1)}, "at"),
        ({"at": NOW - timedelta(seconds=1)}, "at"),
    ],
)
def test_a_contact_must_make_sense(cast: Cast, values: dict[str, Any], field: str) -> None:
    feedback = arrive()
    given = {"how": "phone", "said": "致电", "by": cast.alice, "now": SOON} | values
    assert (
        refuses(feedback, InvalidInput, lambda: moves.record_contact(feedback=feedback, **given)).params[
            "field"
        ]
        == field
    )


@pytest.mark.parametrize(
    ("grade", "act", "kind", "entry"),
    [("S", moves.give_plan, "plan_given", "plan"), ("B", moves.give_progress, "progress_given", "progress")],
)
def test_plan_and_progress_speak_to_the_customer(
    cast: Cast, grade: str, act: Any, kind: str, entry: str
) -> None:
    feedback = arrive(grade)
    log = act(feedback=feedback, said="明天补发", by=cast.alice, now=SOON)
    stored = case(feedback.pk)
    assert (stored.status, stored.first_response_at, log.reason) == ("in_progress", SOON, "明天补发")
    states = {k: c.state for k, c in clocks(stored).items()}
    assert states == {"first_response": "met", kind: "met", "resolved": "running"}
    assert stored.entries.get().kind == entry
    refuses(stored, InvalidInput, lambda: act(feedback=stored, said="", by=cast.alice, now=SOON))


# -- resolve, close, reopen, dismiss, escalate ---------------------------------------------------------------
def test_resolving_says_how_and_stops_every_clock(cast: Cast) -> None:
    feedback = arrive("S")
    log = moves.resolve(feedback=feedback, by=cast.alice, now=SOON, reason=" 已补发 ")
    stored = case(feedback.pk)
    assert (stored.status, stored.resolved_at, stored.resolution, stored.due_at) == (
        "resolved",
        SOON,
        "已补发",
        None,
    )
    assert {c.state for c in clocks(stored).values()} == {"met"} and log.from_state == "assigned"


def test_resolving_out_of_waiting_ends_the_wait(cast: Cast) -> None:
    feedback = arrive()
    moves.wait(feedback=feedback, why="customer", by=cast.alice, now=NOW, reason="等照片")
    moves.resolve(feedback=feedback, by=cast.alice, now=SOON, reason="已补发")
    stored = case(feedback.pk)
    assert (stored.status, stored.wait_until, stored.wait_reason) == ("resolved", None, "")
    assert stored.pauses.get().ended_at == SOON


def test_dismissing_cancels_what_is_no_longer_owed(cast: Cast) -> None:
    feedback = arrive()
    moves.dismiss(feedback=feedback, by=cast.alice, now=SOON, reason="广告")
    stored = case(feedback.pk)
    assert (stored.status, stored.closed_at, stored.due_at, stored.text) == (
        "dismissed",
        SOON,
        None,
        feedback.text,
    )
    assert {c.state for c in clocks(stored).values()} == {"cancelled"}


def test_escalating_raises_one_step_and_tells_lead_and_manager(cast: Cast) -> None:
    feedback = arrive("B")
    for expected in ("A", "S", "S"):
        log = moves.escalate(feedback=feedback, by=cast.alice, now=SOON, reason="顾客要曝光")
        feedback = case(feedback.pk)
        assert (feedback.tier, feedback.tier_rank, log.data["tier"]) == (
            expected,
            {"A": 1, "S": 0}[expected],
            expected,
        )
    assert (told(cast.lin), told(cast.max)) == (3, 3)
    assert WorkItem.objects.get().origin_key == f"feedback:{feedback.pk}:self_check"


def test_reopening_without_owner_makes_the_reopener_responsible(cast: Cast, case_of_nobody: Feedback) -> None:
    moves.close(feedback=case_of_nobody, by=cast.bob, now=NOW)
    moves.reopen(feedback=case_of_nobody, by=cast.bob, now=SOON, reason="顾客又来了")
    stored = case(case_of_nobody.pk)
    assert (stored.status, stored.assignee, stored.reopened, stored.closed_at) == (
        "in_progress",
        cast.bob,
        1,
        None,
    )


def test_notes_stop_nothing_and_blank_ones_are_refused(cast: Cast) -> None:
    feedback = arrive()
    entry = moves.add_note(feedback=feedback, text=" 老顾客 ", by=cast.alice, now=SOON)
    assert (entry.kind, entry.text) == ("note", "老顾客")
    assert {c.state for c in clocks(feedback).values()} == {"running"} and case(
        feedback.pk
    ).first_response_at is None
    refuses(
        feedback, InvalidInput, lambda: moves.add_note(feedback=feedback, text=" ", by=cast.alice, now=SOON)
    )
    refuses(
        feedback, NotPermitted, lambda: moves.add_note(feedback=feedback, text="看看", by=cast.ann, now=SOON)
    )


def test_listeners_hear_of_moves_after_commit(cast: Cast, django_capture_on_commit_callbacks: Any) -> None:
    feedback, heard = arrive(), []

    def listen(sender: Any, **values: Any) -> None:
        heard.append((values["feedback_id"], values["verb"], values["by_id"]))

    signals.moved.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            moves.resolve(feedback=feedback, by=cast.alice, now=SOON, reason="好了")
            assert heard == []
    finally:
        signals.moved.disconnect(listen)
    assert heard == [(feedback.pk, "resolve", cast.alice.pk)]


# -- merge ---------------------------------------------------------------------------------------------------
def test_merging_points_to_the_target_and_loses_nothing(cast: Cast) -> None:
    source, target = arrive("A", now=NOW), arrive("A", now=NOW)
    moves.add_note(feedback=source, text="原来的备注", by=cast.alice, now=NOW)
    moves.merge(feedback=source, into=target, by=cast.lin, now=SOON, reason="同一件事")
    stored = case(source.pk)
    assert (stored.status, stored.merged_into_id, stored.due_at) == ("merged", target.pk, None)
    assert Entry.objects.filter(feedback=source).count() == 1 and list(target.merged_from.all()) == [stored]


def test_merges_that_make_no_sense_are_refused(cast: Cast) -> None:
    one, two, three = arrive(), arrive(), arrive()

    def merge(source: Feedback, target: Feedback, by: User = cast.lin) -> Any:
        return lambda: moves.merge(feedback=source, into=target, by=by, now=SOON, reason="同一件事")

    refuses(one, InvalidInput, merge(one, one))
    refuses(one, NotPermitted, merge(one, two, cast.alice))
    merge(one, two)()
    # Not into a merged one, no chains, no rings.
    refuses(three, IllegalMove, merge(three, case(one.pk)))
    refuses(two, IllegalMove, merge(case(two.pk), three))
    refuses(one, IllegalMove, merge(case(one.pk), three))


# -- correcting ----------------------------------------------------------------------------------------------
def test_a_correction_is_kept_as_training_data(cast: Cast) -> None:
    feedback = arrive("B")
    Feedback.objects.filter(pk=feedback.pk).update(needs_review=True, s_review=True)
    sub = Category.objects.get(code="QUALITY_FRESH")
    log = moves.correct(
        feedback=case(feedback.pk), by=cast.alice, now=SOON,
        values={"kind": "complaint", "sentiment": "negative", "category": sub.parent, "subcategory": sub},
    )  # fmt: skip
    stored = case(feedback.pk)
    assert (stored.kind, stored.sentiment, stored.subcategory) == ("complaint", "negative", sub)
    assert (stored.needs_review, stored.s_review) == (False, False)
    assert stored.department == Department.objects.get(name="供应链")
    old = Category.objects.get(code="SUGGESTION_ASK")
    (row,) = Correction.objects.all()
    assert row.before == {
        "kind": "inquiry", "sentiment": "neutral", "category_id": old.parent_id, "subcategory_id": old.pk,
        "department_id": old.department_id,
    }  # fmt: skip
    assert row.after == {
        "kind": "complaint", "sentiment": "negative", "category_id": sub.parent_id, "subcategory_id": sub.pk,
        "department_id": sub.department_id,
    }  # fmt: skip
    assert (row.by, row.at, row.reading_version, log.verb) == (cast.alice, SOON, "test", "correct")


def test_confirming_a_doubtful_reading_clears_the_doubt(cast: Cast) -> None:
    feedback = arrive("B")
    Feedback.objects.filter(pk=feedback.pk).update(needs_review=True)
    assert moves.correct(feedback=feedback, values={"kind": "inquiry"}, by=cast.alice, now=SOON) is not None
    assert not case(feedback.pk).needs_review
    before = snapshot(feedback)
    assert moves.correct(feedback=feedback, values={"kind": "inquiry"}, by=cast.alice, now=SOON) is None
    assert snapshot(feedback) == before and Correction.objects.count() == 1


def test_a_correction_to_s_starts_its_clocks_and_alarms(cast: Cast) -> None:
    feedback = arrive("B")
    moves.correct(feedback=feedback, values={"tier": "S"}, by=cast.alice, now=SOON)
    stored = case(feedback.pk)
    assert (stored.tier, stored.tier_rank, stored.due_at) == ("S", 0, SOON + timedelta(hours=1))
    assert (told(cast.lin), told(cast.max)) == (1, 1)
    assert WorkItem.objects.count() == 1


def test_a_tier_corrected_down_keeps_its_promises(cast: Cast) -> None:
    feedback = arrive("S")
    moves.correct(feedback=feedback, values={"tier": "B"}, by=cast.alice, now=SOON)
    stored = case(feedback.pk)
    assert (stored.tier, stored.tier_rank, stored.due_at) == ("B", 2, feedback.due_at)
    assert {c.state for c in clocks(stored).values()} == {"running"}


@pytest.mark.parametrize(
    "values", [{"status": "closed"}, {"tier": "Z"}, {"kind": "rant"}, {"emotion": "bored"}]
)
def test_a_correction_takes_known_values_only(cast: Cast, values: dict[str, str]) -> None:
    feedback = arrive()
    refuses(
        feedback,
        InvalidInput,
        lambda: moves.correct(feedback=feedback, values=values, by=cast.alice, now=SOON),
    )
    assert Correction.objects.count() == 0


def test_category_and_sub_category_belong_together(cast: Cast) -> None:
    feedback = arrive()
    values = {
        "category": Category.objects.get(code="PRICE"),
        "subcategory": Category.objects.get(code="STORE_NOISE"),
    }
    refuses(
        feedback,
        InvalidInput,
        lambda: moves.correct(feedback=feedback, values=values, by=cast.alice, now=SOON),
    )
    moves.correct(feedback=feedback, values={"category": values["category"]}, by=cast.alice, now=SOON)
    assert case(feedback.pk).subcategory is None


# -- undo ----------------------------------------------------------------------------------------------------
def without(rows: tuple[Any, ...]) -> tuple[Any, ...]:
    """A snapshot without its log and the moment of the last change."""
    feedback, clocks_, pauses, entries, _logs = rows
    return [{**row, "updated_at": None} for row in feedback], clocks_, pauses, entries


def test_claim_assign_and_close_are_taken_back_exactly(cast: Cast, case_of_nobody: Feedback) -> None:
    acts: list[Callable[[Feedback], ActionLog]] = [
        lambda f: moves.claim(feedback=f, by=cast.alice, now=SOON),
        lambda f: moves.assign(feedback=f, to=cast.bob, by=cast.lin, now=SOON),
        lambda f: moves.close(feedback=f, by=cast.alice, now=SOON),
    ]
    for act in acts:
        before = without(snapshot(case_of_nobody))
        log = act(case(case_of_nobody.pk))
        assert without(snapshot(case_of_nobody)) != before
        moves.undo(log=log, by=log.by, now=SOON + timedelta(minutes=1))
        assert without(snapshot(case_of_nobody)) == before, log.verb
        undone = ActionLog.objects.order_by("-pk").first()
        assert (undone.verb, undone.from_state, undone.to_state) == ("undo", log.to_state, log.from_state)
        assert undone.data == {"undone": log.pk}


def test_undo_of_a_late_close_lets_the_clock_that_was_in_time_go_on(cast: Cast) -> None:
    feedback = arrive("A")
    late = clocks(feedback)["first_response"].due_at + timedelta(minutes=1)
    log = moves.close(feedback=feedback, by=cast.alice, now=late)
    moves.undo(log=log, by=cast.alice, now=late)
    stored = case(feedback.pk)
    assert {k: c.state for k, c in clocks(stored).items()} == {
        "first_response": "missed",
        "resolved": "running",
    }
    assert stored.breached_at is not None and stored.due_at == clocks(stored)["resolved"].due_at


def test_undo_is_refused_after_something_else_happened(cast: Cast, case_of_nobody: Feedback) -> None:
    log = moves.claim(feedback=case_of_nobody, by=cast.alice, now=SOON)
    moves.record_contact(feedback=case_of_nobody, how="phone", said="已致电", by=cast.alice, now=SOON)
    refuses(case_of_nobody, StaleState, lambda: moves.undo(log=log, by=cast.alice, now=SOON))


def test_undo_twice_is_refused(cast: Cast, case_of_nobody: Feedback) -> None:
    log = moves.claim(feedback=case_of_nobody, by=cast.alice, now=SOON)
    moves.undo(log=log, by=cast.alice, now=SOON)
    refuses(case_of_nobody, StaleState, lambda: moves.undo(log=log, by=cast.alice, now=SOON))


def test_undo_is_for_the_doer_or_a_lead_and_for_undoable_moves(cast: Cast, case_of_nobody: Feedback) -> None:
    log = moves.claim(feedback=case_of_nobody, by=cast.alice, now=SOON)
    refuses(case_of_nobody, NotPermitted, lambda: moves.undo(log=log, by=cast.bob, now=SOON))
    moves.undo(log=log, by=cast.lin, now=SOON)
    feedback = arrive()
    contact = moves.record_contact(feedback=feedback, how="phone", said="已致电", by=cast.alice, now=SOON)
    refuses(feedback, IllegalMove, lambda: moves.undo(log=contact, by=cast.alice, now=SOON))


# -- many at once --------------------------------------------------------------------------------------------
def test_bulk_answers_for_every_row_by_itself(cast: Cast, case_of_nobody: Feedback) -> None:
    mine, taken, gone = case_of_nobody, arrive(), 10**9
    moves.claim(feedback=taken, by=cast.bob, now=NOW)
    closed = arrive("praise")
    out = moves.bulk(
        ids=[mine.pk, taken.pk, gone, closed.pk],
        act=lambda row: moves.claim(feedback=row, by=cast.alice, now=SOON),
        by=cast.alice,
    )
    assert [(pk, log is not None, bool(why)) for pk, log, why in out] == [
        (mine.pk, True, False), (taken.pk, False, True), (gone, False, True), (closed.pk, False, True),
    ]  # fmt: skip
    assert "Bob" in out[1][2]
    assert (case(mine.pk).assignee, case(taken.pk).assignee, case(closed.pk).assignee) == (
        cast.alice,
        cast.bob,
        None,
    )
    assert verbs(closed) == []


def test_bulk_touches_only_what_the_person_sees(cast: Cast) -> None:
    feedback = arrive()
    ((pk, log, why),) = moves.bulk(
        ids=[feedback.pk], act=lambda row: moves.claim(feedback=row, by=cast.sue, now=SOON), by=cast.sue
    )
    assert (pk, log, bool(why)) == (feedback.pk, None, True)
    assert case(feedback.pk).claimed_at is None


# -- who sees what -------------------------------------------------------------------------------------------
def seen_by(user: User) -> set[str]:
    fresh = User.objects.get(pk=user.pk)
    return set(Feedback.objects.visible_to(fresh).values_list("external_id", flat=True))


def test_everybody_sees_theirs(cast: Cast) -> None:
    nanjing = make_store("nanjing")
    cast.off_duty()
    arrive("A", external_id="renmin", store="renmin")
    arrive("A", external_id="nanjing", store="nanjing")
    nowhere = arrive("A", external_id="nowhere")
    arrive("S", external_id="safety")
    everything = {"renmin", "nanjing", "nowhere", "safety"}

    for user in (cast.alice, cast.lin, cast.max, cast.ann):
        assert seen_by(user) == everything, user
    assert seen_by(make_user("root", is_superuser=True)) == everything
    # The store's people see their store; a manager of two sees both; and everybody what is given to them.
    assert seen_by(cast.sue) == {"renmin"}
    nanjing.manager = cast.sue
    nanjing.save()
    assert seen_by(cast.sue) == {"renmin", "nanjing"}
    moves.assign(feedback=nowhere, to=cast.sue, by=cast.lin, now=SOON)
    assert seen_by(cast.sue) == {"renmin", "nanjing", "nowhere"}

    # A profile that names stores narrows also those who may see all.
    narrow = make_user("narrow", "ops")
    make_profile(narrow, stores=[nanjing])
    assert seen_by(narrow) == {"nanjing"}

    quality = make_user("quality", "dept")
    make_profile(quality, department=Department.objects.get(name="质检品控"))
    assert seen_by(quality) == {"safety"}

    assert seen_by(make_user("nobody", "store")) == set()
    assert seen_by(make_user("groupless")) == set()
