"""The performer of moves and the tables it obeys."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from apps.core.exceptions import IllegalMove, NotPermitted, ReasonNeeded, StaleState
from apps.core.models import ActionLog
from apps.core.transitions import Move, TransitionTable, every_but, states
from apps.core.workflow import perform
from apps.feedback.models import Feedback, SlaClock
from apps.feedback.services import moves
from apps.feedback.transitions import FEEDBACK
from apps.shop.models import WorkItem
from apps.shop.services import work
from apps.shop.transitions import WORK_ITEM
from tests.factories import NOW, Cast, arrive, case, snapshot

pytestmark = pytest.mark.django_db


def do(feedback: Feedback, verb: str, **values: object) -> ActionLog:
    return perform(FEEDBACK, feedback, verb, **({"by": None, "now": NOW} | values))


def refused(feedback: Feedback, error: type[Exception], verb: str, **values: object) -> Exception:
    """The move is refused and nothing changes."""
    before = snapshot(feedback)
    with pytest.raises(error) as caught:
        do(feedback, verb, **values)
    assert snapshot(feedback) == before
    return caught.value


def test_a_move_writes_state_changes_and_one_log_row(cast: Cast) -> None:
    feedback = arrive()
    later = NOW + timedelta(minutes=5)
    log = do(
        feedback, "wait", by=cast.alice, now=later, reason="等物流", via="admin",
        changes={"wait_reason": "third_party", "wait_until": later + timedelta(hours=1)}, data={"n": 1},
    )  # fmt: skip
    stored = case(feedback.pk)
    assert (stored.status, stored.wait_reason, stored.updated_at) == ("waiting", "third_party", later)
    assert (feedback.status, feedback.wait_reason, feedback.updated_at) == ("waiting", "third_party", later)
    log.refresh_from_db()
    assert (log.model, log.object_id, log.verb) == ("feedback.feedback", feedback.pk, "wait")
    assert (log.from_state, log.to_state, log.reason) == ("assigned", "waiting", "等物流")
    assert (log.by, log.via, log.at) == (cast.alice, "admin", later)
    assert log.data == {"n": 1, "old": {"wait_reason": "", "wait_until": None}}


def test_old_moments_and_rows_are_kept_as_plain_values(cast: Cast) -> None:
    feedback = arrive()
    log = do(feedback, "assign", changes={"assigned_at": None, "assignee": cast.bob})
    assert datetime.fromisoformat(log.data["old"]["assigned_at"]) == NOW
    assert log.data["old"]["assignee"] == cast.alice.pk


def test_unknown_and_illegal_moves_are_refused(cast: Cast) -> None:
    feedback = arrive()
    assert refused(feedback, IllegalMove, "fly").params == {"verb": "fly"}
    assert refused(feedback, IllegalMove, "resume").params == {"verb": "resume", "state": "assigned"}


def test_who_lacks_the_permission_is_refused(cast: Cast) -> None:
    feedback = arrive()
    assert refused(feedback, NotPermitted, "claim", by=cast.ann).status == 403
    refused(feedback, NotPermitted, "assign", by=cast.alice)
    do(feedback, "assign", by=cast.lin)


@pytest.mark.parametrize("reason", ["", "  \n "])
def test_a_move_that_needs_a_reason_takes_no_blank_one(cast: Cast, reason: str) -> None:
    error = refused(arrive(), ReasonNeeded, "resolve", by=cast.alice, reason=reason)
    assert error.params["field"] == "reason"


def test_the_system_needs_no_permission_but_a_reason(cast: Cast) -> None:
    refused(arrive(), ReasonNeeded, "wait", by=None)


def test_a_stale_copy_changes_nothing(cast: Cast) -> None:
    feedback = arrive()
    mine, hers = case(feedback.pk), case(feedback.pk)
    do(hers, "close", by=cast.bob)
    refused(mine, StaleState, "close", by=cast.alice)
    assert ActionLog.objects.filter(object_id=feedback.pk, verb="close").count() == 1


def test_expectations_are_part_of_the_compare_and_set(cast: Cast) -> None:
    feedback = arrive()
    refused(feedback, StaleState, "claim", expect={"assignee_id": cast.bob.pk})
    do(feedback, "claim", expect={"assignee_id": cast.alice.pk})


# -- tables --------------------------------------------------------------------------------------------------
TABLES = {"feedback": (FEEDBACK, "new"), "work item": (WORK_ITEM, "open")}


@pytest.mark.parametrize("name", TABLES)
def test_every_state_can_be_reached(name: str) -> None:
    table, start = TABLES[name]
    reached, grew = {start}, True
    while grew:
        found = {m.target for m in table.moves if m.target and reached & m.sources}
        grew = not found <= reached
        reached |= found
    assert reached == set(table.states)


@pytest.mark.parametrize("name", TABLES)
def test_every_state_can_be_left(name: str) -> None:
    table, _start = TABLES[name]
    stuck = [s for s in table.states if not any(m.target not in (None, s) for m in table.legal_from(s))]
    assert stuck == []


def test_every_verb_has_its_service() -> None:
    names = {"note": "add_note"}
    for verb in FEEDBACK.verbs():
        assert callable(getattr(moves, names.get(verb, verb))), verb
    for verb in WORK_ITEM.verbs():
        assert callable(getattr(work, verb)), verb


def test_every_verb_has_its_form_and_button() -> None:
    from apps.feedback.admin import feedback as pages
    from apps.feedback.admin import forms

    asking = {verb for verb in FEEDBACK.verbs() if FEEDBACK.get(verb).needs_reason}
    for verb in FEEDBACK.verbs():
        form = pages.FORMS.get(verb, forms.MoveForm)
        if verb in asking:
            assert "reason" in form.base_fields, verb


def test_permissions_named_by_the_tables_exist() -> None:
    from django.contrib.auth.models import Permission

    known = {
        f"{app}.{code}" for app, code in Permission.objects.values_list("content_type__app_label", "codename")
    }
    assert {m.permission for table, _ in TABLES.values() for m in table.moves} <= known


def test_undoable_moves_are_the_ones_that_keep_what_they_overwrite() -> None:
    assert [m.verb for m in FEEDBACK.moves if m.undoable] == ["claim", "assign", "close", "correct"]


def test_a_table_refuses_a_verb_twice_and_unknown_states() -> None:
    go = Move("go", "Go", states("a"), "b", "x.y")
    with pytest.raises(ValueError, match="stands twice"):
        TransitionTable("t", ("a", "b"), (go, go))
    with pytest.raises(ValueError, match=r"unknown states \['b'\]"):
        TransitionTable("t", ("a",), (go,))
    table = TransitionTable("t", ("a", "b"), (go,))
    assert table.legal_from("a") == [go] and table.legal_from("b") == [] and table.get("run") is None
    assert every_but(("a", "b", "c"), "b") == {"a", "c"}


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (Feedback, {"status": "lost"}),
        (Feedback, {"tier": "Z"}),
        (Feedback, {"rating": 6}),
        (SlaClock, {"state": "lost"}),
        (WorkItem, {"status": "lost"}),
    ],
)
def test_the_database_refuses_unknown_states(cast: Cast, model: type, values: dict[str, object]) -> None:
    arrive("S")
    row = model.objects.values().get() if model is not SlaClock else None
    with pytest.raises(IntegrityError), transaction.atomic():
        model.objects.update(**values)
    if row:
        assert model.objects.values().get() == row
