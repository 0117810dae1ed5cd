"""Hand-overs at the same moment, with real threads on PostgreSQL."""

from __future__ import annotations

from collections import Counter

import pytest

from apps.core.models import ActionLog, StaffNotice
from apps.feedback.models import Feedback, Handover, HandoverRow, ShiftNote
from apps.feedback.services import digest, handover, shift_notes
from apps.shop.models import WorkItem
from tests.factories import NOW, arrive, case, make_cast, make_user, verbs
from tests.feedback.test_races import SOON, at_once, faults

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("committed")]


def test_two_leads_hand_over_the_same_work_and_each_case_moves_once() -> None:
    cast = make_cast()
    cast.off_duty()
    carol, other = make_user("carol", "ops"), make_user("other", "ops-lead")
    cases = [arrive("A") for _ in range(12)]
    Feedback.objects.update(assignee=cast.alice, status="assigned")
    items = [
        WorkItem.objects.create(kind="task", title="补货", owner=cast.alice, origin_key=f"test:{n}")
        for n in range(4)
    ]
    plans = [
        handover.plan(person=cast.alice, way="one", to=to, reason="离职", by=by, now=SOON)
        for to, by in ((cast.bob, cast.lin), (carol, other))
    ]
    results = at_once(
        [
            lambda plan=plan, by=by: handover.carry_out(
                handover=Handover.objects.get(pk=plan.pk), by=by, now=SOON
            )
            for plan, by in zip(plans, (cast.lin, other), strict=True)
        ]
    )
    assert faults(results) == []
    assert [verbs(row).count("assign") for row in cases] == [1] * 12
    assert ActionLog.objects.filter(model="shop.workitem", verb="hand_on").count() == len(items)
    states = Counter(HandoverRow.objects.values_list("state", flat=True))
    assert states == {"moved": 16, "refused": 16}
    for row in HandoverRow.objects.filter(state="moved", kind="feedback"):
        assert case(row.object_id).assignee_id == row.to_id
    told = StaffNotice.objects.filter(dedupe_key__startswith="handover:").values_list("recipient", flat=True)
    assert len(told) == len(set(told))


def test_one_button_pressed_four_times_at_once_does_it_once() -> None:
    cast = make_cast()
    cast.off_duty()
    cases = [arrive("A") for _ in range(8)]
    Feedback.objects.update(assignee=cast.alice, status="assigned")
    plan = handover.plan(person=cast.alice, way="one", to=cast.bob, reason="离职", by=cast.lin, now=SOON)
    press = lambda: handover.carry_out(handover=Handover.objects.get(pk=plan.pk), by=cast.lin, now=SOON)  # noqa: E731
    assert faults(at_once([press] * 4)) == []
    assert [verbs(row).count("assign") for row in cases] == [1] * 8
    assert set(plan.rows.values_list("state", flat=True)) == {"moved"}
    assert StaffNotice.objects.filter(dedupe_key__startswith="handover:").count() == 1
    back = lambda: handover.undo(handover=Handover.objects.get(pk=plan.pk), by=cast.lin, now=SOON)  # noqa: E731
    assert faults(at_once([back] * 4)) == []
    assert [verbs(row).count("undo") for row in cases] == [1] * 8
    assert set(Feedback.objects.values_list("assignee__username", flat=True)) == {"alice"}


def test_two_digests_at_once_tell_everybody_once() -> None:
    make_cast()
    results = at_once([lambda: digest.send_digest(now=NOW)] * 4)
    assert faults(results) == []
    assert StaffNotice.objects.filter(dedupe_key__startswith="digest:").count() == 5


def test_one_note_for_a_button_pressed_four_times_at_once() -> None:
    cast = make_cast()
    write = lambda: shift_notes.write(team=cast.team, text="交接", by=cast.alice, now=NOW)  # noqa: E731
    assert faults(at_once([write] * 4)) == []
    assert ShiftNote.objects.count() == 1
