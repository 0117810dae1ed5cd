"""What goes wrong between two runs, two people and two plans."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from apps.callbacks.models import Callback
from apps.callbacks.selectors import agenda
from apps.callbacks.services import calls, picking
from apps.callbacks.services.scheduling import Wanted, schedule, schedule_many
from apps.callbacks.services.sweep import sweep_callbacks
from apps.core.exceptions import IllegalMove, InvalidInput
from apps.core.models import StaffNotice, User
from apps.customers.selectors import may_contact
from apps.feedback.models import Feedback
from apps.feedback.selectors.reference import forget_reference
from apps.feedback.services import moves
from apps.shop.models import Leave
from tests.callbacks.test_callbacks import WAV, active_plan, agree, person, plan_one, solved
from tests.factories import NOW, Cast, case, make_user, queries, told

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def again(feedback: Feedback, cast: Cast, *, now: Any) -> Feedback:
    """Opened again and resolved an hour later."""
    moves.reopen(feedback=case(feedback.pk), by=cast.lin, now=now, reason="又坏了")
    Feedback.objects.filter(pk=feedback.pk).update(assignee=cast.alice, status="in_progress")
    moves.resolve(feedback=case(feedback.pk), by=cast.alice, now=now + timedelta(hours=1), reason="再次补发")
    return case(feedback.pk)


def test_a_case_resolved_twice_before_the_call_is_called_about_once(cast: Cast) -> None:
    feedback = solved(cast, hours_ago=1)
    active_plan(cast)
    sweep_callbacks(now=NOW)
    first = Callback.objects.get()
    # Reopened and resolved while the call was still more than a day away, so that no sweep saw it open.
    again(feedback, cast, now=NOW + timedelta(hours=1))
    sweep_callbacks(now=NOW + timedelta(hours=3))
    first.refresh_from_db()
    assert (first.status, first.end_reason) == ("cancelled", "case_open")
    second = Callback.objects.open().get()
    assert second.due_at > first.due_at
    assert sweep_callbacks(now=NOW + timedelta(hours=4)).planned == 0
    assert Callback.objects.open().count() == 1


def test_a_plan_leaves_out_whom_a_colleague_calls_about_the_case(cast: Cast) -> None:
    feedback = solved(cast)
    # Planned before the case was resolved, to be made after it.
    Feedback.objects.filter(pk=feedback.pk).update(status="in_progress", resolved_at=None)
    picking.plan_for_case(
        feedback=case(feedback.pk), reason="好了吗", due_at=NOW + DAY, by=cast.lin, now=NOW - timedelta(days=3, hours=1)
    )  # fmt: skip
    Feedback.objects.filter(pk=feedback.pk).update(status="resolved", resolved_at=NOW - 2 * DAY)
    active_plan(cast)
    assert sweep_callbacks(now=NOW).planned == 0
    assert Callback.objects.count() == 1


def test_a_call_its_repair_plans_takes_the_place_of_the_plans(cast: Cast) -> None:
    feedback = solved(cast)
    active_plan(cast)
    sweep_callbacks(now=NOW)
    by_plan = Callback.objects.get()
    assert feedback.customer is not None
    with queries() as captured:
        mine = schedule(
            key="repair:7:1", customer=feedback.customer, reason="补救后回访", due_at=NOW + 3 * DAY, now=NOW,
            feedback=feedback, subject_key="repair:7",
        )  # fmt: skip
    assert captured
    by_plan.refresh_from_db()
    assert (by_plan.status, by_plan.end_reason) == ("cancelled", "planned")
    assert mine.is_open
    sweep_callbacks(now=NOW + timedelta(hours=1))
    assert list(Callback.objects.open()) == [mine]


def test_a_callback_is_not_opened_again_beside_another_about_the_case(cast: Cast) -> None:
    feedback = solved(cast)
    values: dict[str, Any] = {"feedback": case(feedback.pk), "reason": "好了吗", "by": cast.lin, "now": NOW}
    old = picking.plan_for_case(due_at=NOW + DAY, **values)
    calls.cancel(callback=old, by=cast.lin, now=NOW, reason="不用了")
    picking.plan_for_case(due_at=NOW + DAY, **values)
    with pytest.raises(IllegalMove):
        calls.reopen(callback=old, due_at=NOW + DAY, by=cast.lin, now=NOW, reason="还是要")


def test_a_case_that_was_merged_is_not_called_about(cast: Cast) -> None:
    feedback = solved(cast)
    active_plan(cast)
    sweep_callbacks(now=NOW)
    Feedback.objects.filter(pk=feedback.pk).update(status="merged")
    callback = Callback.objects.get()
    with pytest.raises(IllegalMove):
        calls.take(callback=callback, by=cast.bob, now=NOW)
    callback.refresh_from_db()
    assert (callback.status, callback.end_reason) == ("cancelled", "case_gone")


def test_the_second_call_of_a_day_is_refused_before_it_is_made(cast: Cast) -> None:
    callback = plan_one(assignee=cast.bob)
    calls.take(callback=callback, by=cast.bob, now=NOW)
    calls.record_attempt(callback=callback, outcome="no_answer", by=cast.bob, now=NOW)
    for hours in (1, 8):
        with pytest.raises(IllegalMove) as refused:
            calls.take(callback=callback, by=cast.bob, now=NOW + timedelta(hours=hours))
        assert refused.value.code == "too_soon"
    calls.take(callback=callback, by=cast.bob, now=NOW + DAY)
    assert callback.status == "calling"


def test_planning_it_again_is_no_leave_to_ring_twice_a_day(cast: Cast) -> None:
    callback = plan_one(assignee=cast.bob)
    for day in range(3):
        calls.record_attempt(callback=callback, outcome="no_answer", by=cast.bob, now=NOW + day * DAY)
    assert callback.status == "unreached"
    last = NOW + 2 * DAY
    calls.reopen(
        callback=callback, due_at=last + timedelta(hours=2), by=cast.bob, now=last + timedelta(hours=1), reason="再试"
    )  # fmt: skip
    with pytest.raises(IllegalMove):
        calls.take(callback=callback, by=cast.bob, now=last + timedelta(hours=3))
    calls.take(callback=callback, by=cast.bob, now=last + DAY)
    calls.record_attempt(callback=callback, outcome="no_answer", by=cast.bob, now=last + DAY)
    # The round of three begins anew.
    assert (callback.status, callback.tries) == ("planned", 1)


def test_a_newer_yes_to_every_channel_does_not_outlive_a_refusal(cast: Cast) -> None:
    customer = person()
    agree(customer, granted=False)
    agree(customer, channel="any")
    callback = plan_one(customer, is_service=False, assignee=cast.bob)
    assert callback.is_open
    calls.finish(callback=callback, outcome="refused", by=cast.bob, now=NOW)
    for purpose in ("survey", "marketing"):
        assert not may_contact(customer.pk, purpose=purpose, channel="phone")
    assert plan_one(customer, key="later", is_service=False).end_reason == "opted_out"


@pytest.mark.parametrize("outcome", ["no_answer", "busy", "wrong_number"])
def test_nobody_reached_is_nobody_recorded(cast: Cast, outcome: str) -> None:
    callback = plan_one(assignee=cast.bob)
    said = calls.Recording(announced=True, consented=True, upload=SimpleUploadedFile("a.wav", WAV))
    with pytest.raises(InvalidInput) as refused:
        calls.record_result(callback=callback, outcome=outcome, by=cast.bob, now=NOW, recording=said)
    assert refused.value.params["field"] == "recording"
    assert not callback.customer.consents.exists()
    assert not callback.attempt_rows.exists()


def test_a_run_that_dies_before_the_notices_are_written_has_told_nobody(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback = plan_one(assignee=cast.bob, due_at=NOW + timedelta(hours=1))
    later = NOW + timedelta(hours=2)

    def killed(*args: Any, **values: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(StaffNotice.objects), "bulk_create", killed)
        with pytest.raises(KeyboardInterrupt):
            sweep_callbacks(now=later)
    callback.refresh_from_db()
    assert callback.told_at is None
    sweep_callbacks(now=later)
    assert told(cast.bob) == 1


def test_whoever_left_or_is_on_leave_does_not_keep_a_call(cast: Cast) -> None:
    leaver = make_user("leaver", "care")
    due = NOW + timedelta(hours=2)
    left, away, later, fine = (
        plan_one(key="left", assignee=leaver, due_at=due),
        plan_one(key="away", assignee=cast.alice, due_at=due),
        plan_one(key="later", assignee=cast.alice, due_at=NOW + 5 * DAY),
        plan_one(key="fine", assignee=cast.bob, due_at=due),
    )
    Callback.objects.filter(pk=away.pk).update(team=cast.team)
    User.objects.filter(pk=leaver.pk).update(is_active=False)
    Leave.objects.create(user=cast.alice, first_day=NOW.date(), last_day=(NOW + 60 * DAY).date())
    forget_reference()
    sweep_callbacks(now=NOW)
    for row in (left, away, later, fine):
        row.refresh_from_db()
    assert left.assignee is None
    assert away.assignee == cast.bob
    assert (later.assignee, fine.assignee) == (cast.alice, cast.bob)
    assert sweep_callbacks(now=NOW + timedelta(minutes=5)).assigned == 0


def test_a_plans_person_who_left_gets_no_calls(cast: Cast) -> None:
    solved(cast)
    leaver = make_user("leaver", "care", is_active=False)
    active_plan(cast, team=None, person=leaver)
    sweep_callbacks(now=NOW)
    assert Callback.objects.get().assignee is None


def test_a_team_without_anybody_does_not_keep_others_waiting(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.callbacks.services.sweep.CHUNK", 2)
    from apps.shop.models import Team

    empty = Team.objects.create(code="empty", name="空组", department=cast.team.department)
    rows = [plan_one(key=f"k{n}", due_at=NOW + timedelta(hours=1, minutes=n)) for n in range(5)]
    Callback.objects.filter(pk__in=[row.pk for row in rows[:4]]).update(team=empty)
    Callback.objects.filter(pk=rows[4].pk).update(team=cast.team)
    forget_reference()
    assert sweep_callbacks(now=NOW).assigned == 1


def test_a_busy_day_does_not_empty_the_next(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agenda, "A_DAY", 3)
    schedule_many(
        [Wanted(f"a{n}", person(), "回访", NOW + timedelta(hours=1)) for n in range(50)]
        + [Wanted(f"b{n}", person(), "回访", NOW + DAY) for n in range(2)],
        now=NOW,
    )
    found = agenda.agenda(cast.lin, who="all", first=NOW.date(), days=7, now=NOW)
    shown = [(len(column.rows), column.more) for column in found["columns"]]
    assert shown == [(3, 47), (2, 0)] + [(0, 0)] * 5


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "2026-02-30", "%00"])
@pytest.mark.parametrize("page", ["agenda/", "calendar/"])
def test_days_beyond_the_calendar_are_no_fault(cast: Cast, page: str, day: str) -> None:
    client = Client()
    client.force_login(cast.alice)
    assert client.get(f"/admin/callbacks/callback/{page}?from={day}").status_code == 200


def test_numbers_typed_into_a_reason_are_masked_wherever_it_stands(cast: Cast) -> None:
    now = timezone.now()
    row = schedule(
        key="m", customer=person(), reason="打13912345678问问", due_at=now + timedelta(minutes=1), now=now,
        assignee=cast.alice,
    )  # fmt: skip
    Callback.objects.filter(pk=row.pk).update(due_at=now)
    sweep_callbacks(now=now + timedelta(minutes=1))
    client = Client()
    client.force_login(cast.alice)
    for address in ("", "agenda/", f"{row.pk}/change/"):
        html = client.get(f"/admin/callbacks/callback/{address}").content.decode()
        assert "问问" in html, address
        assert "13912345678" not in html, address
    assert "13912345678" not in client.get("/admin/").content.decode()
    assert not StaffNotice.objects.filter(body__contains="13912345678").exists()
