"""Hand-overs and their way back, shift notes, the morning digest."""

from __future__ import annotations

import io
import json
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone, translation

from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted
from apps.core.models import ActionLog, StaffNotice, User
from apps.feedback.models import Feedback, Handover, HandoverRow, Promise, ShiftNote, ShiftNoteRead
from apps.feedback.selectors import digest as digest_selector
from apps.feedback.selectors import handover as desk_selector
from apps.feedback.selectors.reference import forget_reference
from apps.feedback.services import digest, handover, moves, promises, shift_notes
from apps.feedback.services.background import forget_old
from apps.shop.models import CalendarDay, Leave, StaffProfile, TeamMember, WorkItem
from tests.factories import (
    NOW,
    Cast,
    arrive,
    at,
    case,
    make_profile,
    make_team,
    make_user,
    queries,
    verbs,
)
from tests.feedback.test_admin_feedback import login

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=30)
HANDOVER = "/admin/feedback/handover/"


def owned_by(person: User, *grades: str) -> list[Feedback]:
    """Cases of these grades that the person has."""
    out = []
    for grade in grades:
        feedback = arrive(grade)
        Feedback.objects.filter(pk=feedback.pk).update(assignee=person, status="assigned", claimed_at=NOW)
        out.append(case(feedback.pk))
    return out


def keyed(user: User, prefix: str) -> int:
    """How many notices of this sort a person got, whatever the language of their titles."""
    return StaffNotice.objects.filter(recipient=user, dedupe_key__startswith=prefix).count()


def work_item(owner: User, key: str = "test:1", **values: Any) -> WorkItem:
    return WorkItem.objects.create(kind="task", title="补货", owner=owner, origin_key=key, **values)


def planned(cast: Cast, *, way: str = "one", to: User | None = None, person: User | None = None) -> Handover:
    return handover.plan(
        person=person or cast.alice, way=way, to=to or (cast.bob if way == "one" else None), reason="休产假",
        by=cast.lin, now=LATER,
    )  # fmt: skip


def handed_over(cast: Cast, **options: Any) -> Handover:
    return handover.carry_out(handover=planned(cast, **options), by=cast.lin, now=LATER)


# -- to one colleague ------------------------------------------------------------------------------------------
def test_everything_open_goes_to_one_colleague_who_is_told_once(cast: Cast) -> None:
    mine = owned_by(cast.alice, "S", "A", "A", "B")
    (closed,) = owned_by(cast.alice, "A")
    moves.close(feedback=closed, by=cast.alice, now=NOW)
    item = work_item(cast.alice)
    StaffNotice.objects.all().delete()
    done = handed_over(cast)
    assert [case(row.pk).assignee for row in mine] == [cast.bob] * 4
    assert case(closed.pk).assignee == cast.alice
    item.refresh_from_db()
    assert item.owner == cast.bob
    assert Counter(done.rows.values_list("state", flat=True)) == {"moved": 5}
    assert [verbs(row)[-1] for row in mine] == ["assign"] * 4
    assert ActionLog.objects.get(model="shop.workitem", object_id=item.pk).reason == "休产假"
    (notice,) = StaffNotice.objects.filter(recipient=cast.bob)
    assert notice.level == "urgent" and mine[0].number in notice.body and "休产假" in notice.body


def test_the_plan_moves_nothing_and_says_what_it_would(cast: Cast) -> None:
    mine = owned_by(cast.alice, "A")
    plan = planned(cast)
    assert case(mine[0].pk).assignee == cast.alice and plan.done_at is None
    assert [(row.kind, row.object_id, row.to, row.state) for row in plan.rows.all()] == [
        ("feedback", mine[0].pk, cast.bob, "planned")
    ]


def test_pressing_again_moves_nothing_and_tells_nobody(cast: Cast) -> None:
    mine = owned_by(cast.alice, "A", "B")
    done = handed_over(cast)
    logs, notices = ActionLog.objects.count(), StaffNotice.objects.count()
    # Meanwhile one came back by hand: a second press must not take it away again.
    moves.assign(feedback=case(mine[0].pk), to=cast.alice, by=cast.lin, now=LATER)
    logs, notices = ActionLog.objects.count(), StaffNotice.objects.count()
    handover.carry_out(handover=done, by=cast.lin, now=LATER + timedelta(minutes=5))
    assert (ActionLog.objects.count(), StaffNotice.objects.count()) == (logs, notices)
    assert case(mine[0].pk).assignee == cast.alice and case(mine[1].pk).assignee == cast.bob


def test_a_run_that_was_cut_short_goes_on_where_it_stopped(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = owned_by(cast.alice, "A", "A", "A")
    plan, seen, real = planned(cast), [], handover._give

    def dies_at_second(pk: int, *args: Any, **options: Any) -> None:
        seen.append(pk)
        if len(seen) == 2:
            raise KeyboardInterrupt
        real(pk, *args, **options)

    monkeypatch.setattr(handover, "_give", dies_at_second)
    with pytest.raises(KeyboardInterrupt):
        handover.carry_out(handover=plan, by=cast.lin, now=LATER)
    monkeypatch.setattr(handover, "_give", real)
    assert Counter(case(row.pk).assignee.username for row in mine) == {"alice": 2, "bob": 1}
    handover.carry_out(handover=plan, by=cast.lin, now=LATER)
    assert [case(row.pk).assignee for row in mine] == [cast.bob] * 3
    assert [verbs(row).count("assign") for row in mine] == [1, 1, 1]
    assert keyed(cast.bob, "handover:") == 1


def test_a_case_that_went_elsewhere_meanwhile_is_left_alone_and_named(cast: Cast) -> None:
    mine = owned_by(cast.alice, "A", "A")
    plan = planned(cast)
    moves.assign(feedback=case(mine[0].pk), to=cast.lin, by=cast.lin, now=LATER)
    handover.carry_out(handover=plan, by=cast.lin, now=LATER)
    rows = {row.object_id: row for row in plan.rows.all()}
    assert (rows[mine[0].pk].state, rows[mine[1].pk].state) == ("refused", "moved")
    assert "Lin" in rows[mine[0].pk].why and case(mine[0].pk).assignee == cast.lin


def test_promises_go_with_their_case_and_others_get_a_keeper(cast: Cast) -> None:
    open_case, done_case = owned_by(cast.alice, "A", "A")
    with_case, apart = (
        promises.make(feedback=f, what="周五前退款", due_at=NOW + timedelta(hours=3), by=cast.alice, now=NOW)
        for f in (open_case, done_case)
    )
    moves.resolve(feedback=case(done_case.pk), by=cast.alice, now=NOW, reason="已安排退款")
    done = handed_over(cast)
    assert sorted(done.rows.values_list("kind", flat=True)) == ["feedback", "promise"]
    with_case.refresh_from_db()
    apart.refresh_from_db()
    assert (with_case.keeper, apart.keeper, apart.made_by) == (None, cast.bob, cast.alice)
    promises.sweep_promises(now=NOW + timedelta(hours=2, minutes=45))
    assert keyed(cast.bob, "promise_due:") == 2 and keyed(cast.alice, "promise_due:") == 0


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"way": "one", "to": None}, "to"),
        ({"way": "sideways"}, "way"),
        ({"reason": " "}, "reason"),
    ],
)
def test_a_plan_that_cannot_be_names_its_field(cast: Cast, values: dict[str, Any], field: str) -> None:
    owned_by(cast.alice, "A")
    given = {"way": "one", "to": cast.bob, "reason": "离职"} | values
    with pytest.raises(InvalidInput) as caught:
        handover.plan(person=cast.alice, by=cast.lin, now=LATER, **given)
    assert caught.value.params["field"] == field and not Handover.objects.exists()


def test_work_goes_neither_to_the_person_nor_to_somebody_who_left(cast: Cast) -> None:
    owned_by(cast.alice, "A")
    gone = make_user("gone", "ops", is_active=False)
    for to in (cast.alice, gone):
        with pytest.raises(InvalidInput):
            handover.plan(person=cast.alice, way="one", to=to, reason="离职", by=cast.lin, now=LATER)


def test_nothing_open_is_said(cast: Cast) -> None:
    with pytest.raises(InvalidInput):
        planned(cast)


def test_only_leads_hand_over(cast: Cast) -> None:
    owned_by(cast.alice, "A")
    plan = planned(cast)
    for act in (
        lambda: handover.plan(
            person=cast.alice, way="one", to=cast.bob, reason="离职", by=cast.bob, now=LATER
        ),
        lambda: handover.carry_out(handover=plan, by=cast.bob, now=LATER),
    ):
        with pytest.raises(NotPermitted):
            act()
    client = login(cast.bob)
    for url in ("", "people/", f"person/{cast.alice.pk}/", f"{plan.pk}/change/"):
        assert client.get(HANDOVER + url).status_code == 403, url
    for url in ("do", "undo", "return", "drop"):
        assert client.post(f"{HANDOVER}{plan.pk}/{url}/").status_code == 403, url
        assert login(cast.lin).get(f"{HANDOVER}{plan.pk}/{url}/").status_code == 405, url
    assert case(plan.rows.get().object_id).assignee == cast.alice


# -- spread ----------------------------------------------------------------------------------------------------
def test_spread_goes_by_turns_over_those_who_are_here(cast: Cast) -> None:
    carol, dan, eve = (make_user(name, "ops") for name in ("carol", "dan", "eve"))
    for person in (carol, dan):
        make_profile(person, capacity=500)
        TeamMember.objects.create(team=cast.team, user=person)
    make_profile(eve, capacity=500, shift=[{"days": [5], "from": "09:00", "to": "18:00"}])
    TeamMember.objects.create(team=cast.team, user=eve)
    Leave.objects.create(user=dan, first_day=date(2026, 11, 18), last_day=date(2099, 1, 1))
    forget_reference()
    mine = owned_by(cast.alice, *["A"] * 6)
    Feedback.objects.update(team=cast.team)
    handed_over(cast, way="spread")
    assert Counter(case(row.pk).assignee.username for row in mine) == {"bob": 3, "carol": 3}


def test_spread_respects_capacity_and_names_what_has_nobody(cast: Cast) -> None:
    mine = owned_by(cast.alice, "S", "A", "A", "A")
    Feedback.objects.update(team=cast.team)
    StaffProfile.objects.filter(user=cast.bob).update(capacity=2)
    forget_reference()
    done = handed_over(cast, way="spread")
    assert Counter(done.rows.values_list("state", flat=True)) == {"moved": 2, "refused": 2}
    assert case(mine[0].pk).assignee == cast.bob, "S goes out first"
    assert sum(case(row.pk).assignee == cast.alice for row in mine) == 2
    # Planning raises no alarm about an empty pool: the lead sees it on the page.
    assert keyed(cast.lin, "empty_pool:") == 0


def test_spread_gives_work_items_in_turn_to_the_team(cast: Cast) -> None:
    carol = make_user("carol", "ops")
    TeamMember.objects.create(team=cast.team, user=carol)
    forget_reference()
    for number in range(4):
        work_item(cast.alice, f"test:{number}")
    handed_over(cast, way="spread")
    assert Counter(WorkItem.objects.values_list("owner__username", flat=True)) == {"bob": 2, "carol": 2}


# -- the way back ----------------------------------------------------------------------------------------------
def test_undo_restores_everything_untouched_and_leaves_what_was_worked_on(cast: Cast) -> None:
    mine = owned_by(cast.alice, "A", "A", "B")
    item = work_item(cast.alice)
    done = handed_over(cast)
    moves.add_note(feedback=case(mine[1].pk), text="已看过", by=cast.bob, now=LATER + timedelta(minutes=1))
    handover.undo(handover=done, by=cast.lin, now=LATER + timedelta(minutes=2))
    assert [case(row.pk).assignee.username for row in mine] == ["alice", "bob", "alice"]
    back = case(mine[0].pk)
    assert (back.claimed_at, back.status) == (NOW, "assigned") and verbs(back)[-1] == "undo"
    item.refresh_from_db()
    assert item.owner == cast.alice
    assert Counter(done.rows.values_list("state", flat=True)) == {"undone": 3, "moved": 1}
    assert done.rows.get(state="moved").why and keyed(cast.bob, "handover_undone:") == 1
    logs = ActionLog.objects.count()
    handover.undo(handover=done, by=cast.lin, now=LATER + timedelta(minutes=3))
    assert ActionLog.objects.count() == logs
    with pytest.raises(IllegalMove):
        handover.carry_out(handover=done, by=cast.lin, now=LATER + timedelta(minutes=4))


def test_undo_reaches_somebody_who_was_switched_off(cast: Cast) -> None:
    owned_by(cast.alice, "A")
    item = work_item(cast.alice)
    done = handed_over(cast)
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)
    done = Handover.objects.get(pk=done.pk)
    handover.undo(handover=done, by=cast.lin, now=LATER)
    item.refresh_from_db()
    assert item.owner == cast.alice and set(done.rows.values_list("state", flat=True)) == {"undone"}


def test_nothing_is_undone_before_anything_was_done(cast: Cast) -> None:
    owned_by(cast.alice, "A")
    with pytest.raises(IllegalMove):
        handover.undo(handover=planned(cast), by=cast.lin, now=LATER)


def test_back_from_leave_the_open_and_untouched_returns(cast: Cast) -> None:
    mine = owned_by(cast.alice, "A", "A", "A")
    leave = Leave.objects.create(
        user=cast.alice, first_day=date(2026, 11, 18), last_day=date(2026, 11, 18), stand_in=cast.bob
    )
    done = handed_over(cast)
    with pytest.raises(InvalidInput):
        handover.give_back(handover=done, by=cast.lin, now=LATER)
    leave.delete()
    moves.close(feedback=case(mine[0].pk), by=cast.bob, now=LATER)
    moves.record_contact(feedback=case(mine[1].pk), how="phone", said="已致电", by=cast.bob, now=LATER)
    # The system's own doings do not count as touching: a wait that ended, a clock that warned.
    ActionLog.objects.create(
        model="feedback.feedback", object_id=mine[2].pk, verb="resume", by=None, at=LATER + timedelta(hours=1)
    )
    handover.give_back(handover=done, by=cast.lin, now=NOW + timedelta(days=1))
    assert [case(row.pk).assignee.username for row in mine] == ["bob", "bob", "alice"]
    assert keyed(cast.alice, "handover_returned:") == 1
    handover.give_back(handover=done, by=cast.lin, now=NOW + timedelta(days=1))
    assert keyed(cast.alice, "handover_returned:") == 1 and verbs(mine[2]).count("assign") == 2


def test_plans_nobody_confirmed_are_forgotten_after_a_day(cast: Cast) -> None:
    owned_by(cast.alice, "A")
    kept = handed_over(cast, person=cast.alice)
    owned_by(cast.alice, "A")
    planned(cast)
    forget_old(now=LATER + timedelta(hours=23))
    assert Handover.objects.count() == 2
    forget_old(now=LATER + timedelta(hours=25))
    assert list(Handover.objects.all()) == [kept]


# -- pages -----------------------------------------------------------------------------------------------------
def test_from_the_list_of_people_to_the_undone_hand_over(cast: Cast) -> None:
    mine = owned_by(cast.alice, "S", "A")
    client = login(cast.lin)
    assert f"person/{cast.alice.pk}/" in client.get(f"{HANDOVER}people/").content.decode()
    person = f"{HANDOVER}person/{cast.alice.pk}/"
    assert client.get(person).status_code == 200
    bad = client.post(person, {"way": "one", "to": "", "reason": "离职交接"})
    assert bad.status_code == 200 and "离职交接" in bad.content.decode() and not Handover.objects.exists()
    answer = client.post(person, {"way": "one", "to": cast.bob.pk, "reason": "离职"})
    plan = Handover.objects.get()
    assert answer["Location"] == f"{HANDOVER}{plan.pk}/change/"
    assert mine[0].number in client.get(answer["Location"]).content.decode()
    assert case(mine[0].pk).assignee == cast.alice
    client.post(f"{HANDOVER}{plan.pk}/do/")
    client.post(f"{HANDOVER}{plan.pk}/do/")
    assert [verbs(row).count("assign") for row in mine] == [1, 1]
    assert client.get(f"{HANDOVER}{plan.pk}/change/").status_code == 200
    client.post(f"{HANDOVER}{plan.pk}/undo/")
    assert case(mine[0].pk).assignee == cast.alice


def test_a_plan_can_be_dropped_but_not_one_that_was_done(cast: Cast) -> None:
    owned_by(cast.alice, "A")
    client, plan = login(cast.lin), planned(cast)
    client.post(f"{HANDOVER}{plan.pk}/drop/")
    assert not Handover.objects.exists()
    done = handed_over(cast)
    client.post(f"{HANDOVER}{done.pk}/drop/")
    assert Handover.objects.filter(pk=done.pk).exists()


def test_the_stand_in_is_chosen_already(cast: Cast) -> None:
    owned_by(cast.alice, "A")
    today = timezone.localdate()
    Leave.objects.create(user=cast.alice, first_day=today, last_day=today, stand_in=cast.bob)
    page = login(cast.lin).get(f"{HANDOVER}person/{cast.alice.pk}/")
    form = page.context["form"]
    assert (form.initial["way"], form.initial["to"]) == ("one", cast.bob.pk)


def test_the_pages_ask_the_same_for_1_and_50(cast: Cast) -> None:
    client, counts = login(cast.lin), []
    owned_by(cast.alice, "A")
    plan = planned(cast)
    urls = [f"{HANDOVER}people/", f"{HANDOVER}person/{cast.alice.pk}/"]
    for size in (1, 50):
        if size > 1:
            owned_by(cast.alice, *["A"] * 49)
            for number in range(5):
                owned_by(make_user(f"extra{number}", "ops"), "A")
            plan = planned(cast)
        numbers = []
        for url in [*urls, f"{HANDOVER}{plan.pk}/change/", "/admin/"]:
            client.get(url)
            with queries() as captured:
                assert client.get(url).status_code == 200
            numbers.append(len(captured))
        counts.append(numbers)
    assert counts[0] == counts[1]


def test_switching_somebody_off_warns_of_their_open_work(cast: Cast) -> None:
    owned_by(cast.alice, "A")
    admin = make_user("root", is_superuser=True)
    url = f"/admin/core/user/{cast.alice.pk}/change/"
    client = login(admin)
    assert f"person/{cast.alice.pk}/" in client.get(url).content.decode()
    data = {"username": "alice", "name": "Alice", "email": "", "is_staff": "on", "groups": []}
    answer = client.post(url, data, follow=True)
    cast.alice.refresh_from_db()
    assert not cast.alice.is_active
    assert any(f"person/{cast.alice.pk}/" in str(m) for m in answer.context["messages"])


def test_a_leave_that_begins_today_warns_and_one_that_begins_later_does_not(cast: Cast) -> None:
    owned_by(cast.alice, "A")
    client, today = login(cast.lin), timezone.localdate()
    for first, warned in ((today, True), (today + timedelta(days=3), False)):
        data = {"user": cast.alice.pk, "first_day": first, "last_day": first + timedelta(days=1), "note": ""}
        answer = client.post("/admin/shop/leave/add/", data, follow=True)
        assert answer.status_code == 200
        assert any("handover" in str(m) for m in answer.context["messages"]) == warned


# -- shift notes -----------------------------------------------------------------------------------------------
def test_a_note_is_kept_masked_and_read_by_the_team(cast: Cast) -> None:
    note = shift_notes.write(team=cast.team, text="13812345678 明早回电\n缺货未解决", by=cast.alice, now=NOW)
    assert "13812345678" not in note.text and "缺货" in note.text and note.shift == "day"
    assert shift_notes.mark_read(note=note, by=cast.bob, now=LATER)
    assert not shift_notes.mark_read(note=note, by=cast.bob, now=LATER)
    assert not shift_notes.mark_read(note=note, by=cast.alice, now=LATER)
    assert list(ShiftNoteRead.objects.values_list("user__username", flat=True)) == ["bob"]


def test_strangers_neither_write_nor_confirm_nor_see_a_note(cast: Cast) -> None:
    dora = make_user("dora", "ops")
    with pytest.raises(NotPermitted):
        shift_notes.write(team=cast.team, text="你好", by=dora, now=NOW)
    note = shift_notes.write(team=cast.team, text="交接内容", by=cast.alice, now=NOW)
    with pytest.raises(NotPermitted):
        shift_notes.mark_read(note=note, by=dora, now=NOW)
    client = login(dora)
    assert "交接内容" not in client.get("/admin/feedback/shiftnote/").content.decode()
    assert client.post(f"/admin/feedback/shiftnote/{note.pk}/read/").status_code == 404
    refused = client.post(
        "/admin/feedback/shiftnote/write/", {"team": cast.team.pk, "shift": "day", "text": "乱写"}
    )
    assert refused.status_code == 403 and ShiftNote.objects.count() == 1
    assert "交接内容" in login(cast.bob).get("/admin/feedback/shiftnote/").content.decode()
    # A lead of another team reads it, but does not confirm for the team.
    peter = make_user("peter", "ops-lead")
    client = login(peter)
    assert "交接内容" in client.get("/admin/feedback/shiftnote/").content.decode()
    assert client.post(f"/admin/feedback/shiftnote/{note.pk}/read/").status_code == 403


def test_a_note_too_long_comes_back_with_what_was_typed(cast: Cast) -> None:
    client = login(cast.alice)
    data = {"team": cast.team.pk, "shift": "day", "text": "长" * 2001}
    answer = client.post("/admin/feedback/shiftnote/write/", data)
    assert answer.status_code == 200 and "长" * 2001 in answer.content.decode()
    assert answer.context["form"].errors["text"] and not ShiftNote.objects.exists()
    for text in (" ", ""):
        with pytest.raises(InvalidInput):
            shift_notes.write(team=cast.team, text=text, by=cast.alice, now=NOW)


def test_one_button_pressed_twice_leaves_one_note(cast: Cast) -> None:
    for minutes in (0, 1, 30):
        shift_notes.write(
            team=cast.team, text="同一句话", by=cast.alice, now=NOW + timedelta(minutes=minutes)
        )
    assert ShiftNote.objects.count() == 2


def test_notes_are_never_changed_or_deleted(cast: Cast) -> None:
    note = shift_notes.write(team=cast.team, text="交接内容", by=cast.alice, now=NOW)
    root = make_user("root", is_superuser=True)
    for person in (cast.alice, root):
        client = login(person)
        client.post(f"/admin/feedback/shiftnote/{note.pk}/change/", {"text": "改了"})
        assert client.post(f"/admin/feedback/shiftnote/{note.pk}/delete/", {"post": "yes"}).status_code == 403
    note.refresh_from_db()
    assert note.text == "交接内容"


def test_the_card_shows_notes_and_costs_the_same(cast: Cast) -> None:
    client, counts = login(cast.bob), []
    for size in (1, 20):
        for number in range(size):
            note = shift_notes.write(
                team=cast.team, text=f"第{size}批第{number}条", by=cast.alice, now=timezone.now()
            )
            shift_notes.mark_read(note=note, by=cast.lin, now=timezone.now())
        client.get("/admin/")
        with queries() as captured:
            page = client.get("/admin/").content.decode()
        counts.append(len(captured))
        assert f"第{size}批第{size - 1}条" in page and "Lin" in page
    assert counts[0] == counts[1]
    last = ShiftNote.objects.order_by("-pk")[0]
    client.post(f"/admin/feedback/shiftnote/{last.pk}/read/")
    assert ShiftNoteRead.objects.filter(note=last, user=cast.bob).count() == 1


# -- digest ----------------------------------------------------------------------------------------------------
HOLIDAY, MAKEUP, SUNDAY = at("2026-10-01 08:45"), at("2026-10-10 08:45"), at("2026-10-18 08:45")


def test_make_up_workdays_have_a_digest_and_holidays_have_none(cast: Cast) -> None:
    assert MAKEUP.weekday() == 5 and HOLIDAY.weekday() < 5
    assert digest.send_digest(now=HOLIDAY) == {"workday": 0, "readers": 0, "sent": 0}
    assert digest.send_digest(now=SUNDAY)["sent"] == 0
    done = digest.send_digest(now=MAKEUP)
    # Alice, Bob, Lin, Max and Sue; Ann only looks at figures.
    assert done == {"workday": 1, "readers": 5, "sent": 5}
    assert not StaffNotice.objects.filter(recipient=cast.ann).exists()


def test_a_day_the_staff_closed_has_no_digest(cast: Cast) -> None:
    monday = at("2026-11-23 08:45")
    assert digest_selector.is_workday(monday.date())
    CalendarDay.objects.create(date=monday.date(), kind="closed")
    assert digest.send_digest(now=monday)["sent"] == 0


def test_twice_is_once(cast: Cast) -> None:
    assert digest.send_digest(now=NOW)["sent"] == 5
    assert digest.send_digest(now=NOW + timedelta(hours=1))["sent"] == 0
    assert StaffNotice.objects.filter(dedupe_key__startswith="digest:").count() == 5
    assert digest.send_digest(now=NOW + timedelta(days=1))["sent"] == 5


def test_the_schedule_sends_from_8_45_till_noon(cast: Cast) -> None:
    for moment, sent in (("08:44", 0), ("12:00", 0), ("08:45", 5), ("08:50", 0)):
        assert digest.send_when_due(now=at(f"2026-11-18 {moment}"))["sent"] == sent, moment


def test_whoever_switched_it_off_gets_none(cast: Cast) -> None:
    client = login(cast.alice)
    client.post("/admin/digest/", {"on": "0"})
    assert digest.send_digest(now=NOW)["sent"] == 4
    assert not StaffNotice.objects.filter(recipient=cast.alice).exists()
    client.post("/admin/digest/", {"on": "1"})
    assert digest.send_digest(now=NOW)["sent"] == 1


def lines(user: User, now: Any) -> dict[str, str]:
    person = User.objects.prefetch_related("groups").get(pk=user.pk)
    with translation.override("en"):
        found = digest_selector.digests([person], now)[user.pk]
    return {line.label: line.value for _heading, each in found.sections for line in each}


def test_each_role_reads_its_own_figures(cast: Cast) -> None:
    morning = at("2026-11-19 08:45")
    mine = owned_by(cast.alice, "S", "A", "B")
    other = arrive("A", store="renmin")
    Feedback.objects.filter(pk=other.pk).update(assignee=None, status="new")
    Feedback.objects.update(team=cast.team)
    moves.record_contact(feedback=case(mine[1].pk), how="phone", said="已致电", by=cast.alice, now=LATER)
    promises.make(feedback=mine[1], what="今天回电", due_at=at("2026-11-19 15:00"), by=cast.alice, now=NOW)
    Feedback.objects.filter(pk=mine[2].pk).update(
        status="waiting", wait_reason="customer", wait_until=at("2026-11-19 18:00")
    )
    work_item(cast.sue, store=cast.store, due_at=at("2026-11-18 18:00"))
    Leave.objects.create(user=cast.bob, first_day=date(2026, 11, 19), last_day=date(2026, 11, 19))

    own = lines(cast.alice, morning)
    overdue = str(Feedback.objects.filter(assignee=cast.alice, due_at__lte=morning).count())
    assert own["open, mine"] == "3" and own["overdue"] == overdue != "0"
    assert own["resume today"] == "1" and own["promised for today"] == "1"

    lead = lines(cast.lin, morning)
    assert (lead["S open"], lead["unassigned"]) == ("1", "1")
    assert lead["first response yesterday, median"] == "30 min (n=1)"
    assert lead["first response on time yesterday"] == "1 of 1"
    assert lead["on leave today"] == "1 · Bob"

    whole = lines(cast.max, morning)
    assert whole["received yesterday"] == "4 (a week before: 0)"

    place = lines(cast.sue, morning)
    assert (place["open feedback"], place["work items open"], place["work items overdue"]) == ("1", "1", "1")


def test_a_lead_reads_their_own_teams_only(cast: Cast) -> None:
    pia = make_user("pia", "ops-lead")
    make_team("other", [cast.bob], leads=[pia])
    owned_by(cast.alice, "S")
    Feedback.objects.update(team=cast.team)
    assert lines(cast.lin, NOW)["S open"] == "1" and lines(pia, NOW)["S open"] == "0"


def test_the_number_of_queries_does_not_grow_with_people(cast: Cast) -> None:
    counts = []
    for size in (0, 50):
        for number in range(size):
            person = make_user(f"p{number}", "store" if number % 3 else "ops-lead")
            make_profile(person, stores=[cast.store] if number % 2 else [])
            TeamMember.objects.create(team=cast.team, user=person)
            owned_by(person, "A") if number < 5 else None
        StaffNotice.objects.all().delete()
        with queries() as captured:
            done = digest.send_digest(now=NOW)
        counts.append(len(captured))
        assert done["sent"] == size + 5
    assert counts[0] == counts[1]


def test_the_command_pretends_a_day_and_refuses_nonsense(cast: Cast) -> None:
    out = io.StringIO()
    call_command("send_digest", "--on", "2026-10-10", "--json", stdout=out)
    assert json.loads(out.getvalue().splitlines()[-1]) == {"workday": 1, "readers": 5, "sent": 5}
    assert StaffNotice.objects.filter(dedupe_key__startswith="digest:20261010:").count() == 5
    for text in ("morgen", "2026-13-40"):
        with pytest.raises(CommandError):
            call_command("send_digest", "--on", text, stdout=out)


def test_the_notice_speaks_the_shops_language(cast: Cast, settings: Any) -> None:
    digest.send_digest(now=NOW)
    notice = StaffNotice.objects.get(recipient=cast.alice)
    assert notice.url == "/admin/digest/" and "11-18" in notice.title
    page = login(cast.alice).get(notice.url).content.decode()
    assert "?tab=mine" in page


def test_a_channels_usual_store_takes_what_names_none(cast: Cast) -> None:
    from apps.feedback.models import Channel

    Channel.objects.filter(code="taobao").update(default_store=cast.store)
    forget_reference()
    assert arrive("A").store == cast.store
    assert arrive("A", channel="jd").store is None


def test_counts_of_a_desk(cast: Cast) -> None:
    owned_by(cast.alice, "S", "A", "A")
    work_item(cast.alice, due_at=NOW - timedelta(hours=1))
    desk = desk_selector.desk(cast.alice, cast.lin, NOW)
    assert (desk.tiers, desk.work, desk.work_overdue, desk.total) == ({"S": 1, "A": 2, "B": 0}, 1, 1, 4)
    assert HandoverRow.objects.count() == 0 and Promise.objects.count() == 0
    with pytest.raises(DomainError):
        handover.give_back(handover=Handover(person=cast.alice), by=cast.bob, now=NOW)
