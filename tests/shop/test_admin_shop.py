"""Work items by buttons, stock by colour, calendars and shifts as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.models import ActionLog, ReferenceStamp, StaffNotice, User
from apps.shop.models import CalendarDay, Department, StaffProfile, StockLevel, WorkCalendar, WorkItem
from tests.factories import Cast, make_product, make_profile, make_store, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    """Pages need no collected files."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def boss(client: Client) -> User:
    user = make_user("boss", is_superuser=True)
    client.force_login(user)
    return user


def item(number: int = 0, **values: Any) -> WorkItem:
    return WorkItem.objects.create(
        **({"kind": "task", "title": f"work {number}", "origin_key": f"test:{number}"} | values)
    )


def move(pk: int, verb: str) -> str:
    return reverse("admin:shop_workitem_move", args=[pk, verb])


CHANGELIST = "/admin/shop/workitem/"


# -- moves
def test_start_is_one_click_and_a_get_only_shows(boss: User, client: Client) -> None:
    work = item()
    page = client.get(move(work.pk, "start"))
    assert page.status_code == 200
    work.refresh_from_db()
    assert (work.status, ActionLog.objects.count()) == ("open", 0)
    answer = client.post(move(work.pk, "start"), {"next": CHANGELIST})
    assert (answer.status_code, answer["Location"]) == (302, CHANGELIST)
    work.refresh_from_db()
    assert (work.status, work.owner) == ("doing", boss)
    log = ActionLog.objects.get()
    assert (log.model, log.object_id, log.verb, log.from_state, log.to_state, log.by, log.via) == (
        "shop.workitem",
        work.pk,
        "start",
        "open",
        "doing",
        boss,
        "admin",
    )


def test_done_needs_evidence(boss: User, client: Client) -> None:
    work = item(status="doing")
    for text in ("", "  ", "ok"):
        answer = client.post(move(work.pk, "finish"), {"reason": text})
        assert list(answer.context["form"].errors) == ["reason"]
        work.refresh_from_db()
        assert work.status == "doing"
    client.post(move(work.pk, "finish"), {"reason": "fridge at 4 °C, batch removed"})
    work.refresh_from_db()
    assert (work.status, work.evidence, work.done_at is not None) == (
        "done",
        "fridge at 4 °C, batch removed",
        True,
    )
    client.post(move(work.pk, "redo"), {"reason": "photo missing"})
    work.refresh_from_db()
    assert (work.status, work.evidence, work.done_at) == ("open", "", None)
    assert list(ActionLog.objects.order_by("id").values_list("verb", "reason")) == [
        ("finish", "fridge at 4 °C, batch removed"),
        ("redo", "photo missing"),
    ]


def test_illegal_unknown_and_stale_moves_change_nothing(boss: User, client: Client) -> None:
    work = item(status="done")
    answer = client.post(move(work.pk, "start"))
    assert answer.status_code == 200
    assert len(answer.context["messages"]) == 1
    assert client.post(move(work.pk, "fly")).status_code == 404
    assert client.post(move(999999, "start")).status_code == 404
    other = item(1)
    client.post(move(other.pk, "cancel"), {"reason": "twice", "seen": "doing"})
    other.refresh_from_db()
    assert (other.status, ActionLog.objects.count()) == ("open", 0)


def test_next_never_leads_off_this_site(boss: User, client: Client) -> None:
    work = item()
    answer = client.post(move(work.pk, "start"), {"next": "https://evil.example/"})
    assert answer["Location"] == reverse("admin:shop_workitem_change", args=[work.pk])


def test_the_state_is_no_form_field(boss: User, client: Client) -> None:
    work = item()
    address = reverse("admin:shop_workitem_change", args=[work.pk])
    data = {
        "title": "new title",
        "kind": "task",
        "body": "",
        "due_at_0": "",
        "due_at_1": "",
        "status": "done",
        "evidence": "x",
    }
    assert client.post(address, data).status_code == 302
    work.refresh_from_db()
    assert (work.title, work.status, work.evidence, work.origin_key) == ("new title", "open", "", "test:0")


def test_many_at_once_each_with_its_outcome(boss: User, client: Client) -> None:
    rows = [item(0), item(1, status="done"), item(2)]
    ids = [row.pk for row in rows]
    page = client.post(CHANGELIST + "?what=all", {"action": "move_start", "_selected_action": ids})
    assert page.status_code == 200
    assert [row.pk for row in page.context["impossible"]] == [ids[1]]
    assert ActionLog.objects.count() == 0, "choosing the action only asks"
    answer = client.post(
        reverse("admin:shop_workitem_bulk_move", args=["start"]), {"ids": ids, "next": CHANGELIST}
    )
    assert [(o.record, o.ok) for o in answer.context["outcomes"]] == [
        ("work 0", True),
        ("work 1", False),
        ("work 2", True),
    ]
    assert (answer.context["done"], answer.context["refused"]) == (2, 1)
    assert list(WorkItem.objects.order_by("pk").values_list("status", flat=True)) == [
        "doing",
        "done",
        "doing",
    ]
    bulk = reverse("admin:shop_workitem_bulk_move", args=["start"])
    assert client.get(bulk).status_code == 405
    assert (
        client.post(reverse("admin:shop_workitem_bulk_move", args=["finish"]), {"ids": ids}).status_code
        == 403
    )


def test_staff_see_and_move_only_their_own_work(cast: Cast, client: Client) -> None:
    elsewhere = make_store("elsewhere")
    mine, theirs, given = item(0, store=cast.store), item(1, store=elsewhere), item(2, owner=cast.sue)
    client.force_login(cast.sue)
    shown = client.get(CHANGELIST).context["cl"].result_list
    assert {row.pk for row in shown} == {mine.pk, given.pk}
    assert client.get(move(theirs.pk, "start")).status_code == 404
    assert client.post(move(theirs.pk, "start")).status_code == 404
    client.post(reverse("admin:shop_workitem_bulk_move", args=["start"]), {"ids": [theirs.pk, mine.pk]})
    theirs.refresh_from_db()
    mine.refresh_from_db()
    assert (theirs.status, mine.status) == ("open", "doing")


def test_department_staff_see_their_departments_work(client: Client) -> None:
    one, two = Department.objects.order_by("code")[:2]
    person = make_user("dept", "dept")
    make_profile(person, department=one)
    mine, _theirs = item(0, department=one), item(1, department=two)
    client.force_login(person)
    assert [row.pk for row in client.get(CHANGELIST).context["cl"].result_list] == [mine.pk]


def test_new_work_names_its_origin_and_tells_its_owner(boss: User, client: Client, cast: Cast) -> None:
    answer = client.post(
        reverse("admin:shop_workitem_add"),
        {
            "title": "count the fridge",
            "kind": "task",
            "body": "",
            "due_at_0": "",
            "due_at_1": "",
            "owner": cast.alice.pk,
        },
    )
    assert answer.status_code == 302
    work = WorkItem.objects.get()
    assert work.origin_key.startswith("staff:")
    assert (work.status, StaffNotice.objects.get(recipient=cast.alice).url) == (
        "open",
        reverse("admin:shop_workitem_change", args=[work.pk]),
    )


def test_the_list_shows_open_work_unless_asked_otherwise(boss: User, client: Client) -> None:
    now = datetime.now(UTC)
    late = item(0, due_at=now - timedelta(hours=2))
    soon = item(1, due_at=now + timedelta(hours=1, minutes=30))
    item(2, status="done")
    mine = item(3, owner=boss)

    def shown(**query: str) -> list[int]:
        return [row.pk for row in client.get(CHANGELIST, query).context["cl"].result_list]

    assert shown() == [late.pk, soon.pk, mine.pk]
    assert shown(what="overdue") == [late.pk]
    assert shown(what="mine") == [mine.pk]
    assert len(shown(what="all")) == 4


# -- stock
def test_stock_is_coloured_and_counted_by_its_own_store(cast: Cast, client: Client) -> None:
    from django.contrib import admin

    now = datetime.now(UTC) - timedelta(days=1)
    elsewhere = make_store("elsewhere")
    levels = [
        StockLevel.objects.create(
            store=cast.store, product=make_product(f"S{n}"), level=n, reorder_point=3, counted_at=now
        )
        for n in (0, 3, 9)
    ]
    model_admin = admin.site._registry[StockLevel]
    assert [model_admin.show_level(level)[0] for level in levels] == ["red", "amber", "green"]
    theirs = StockLevel.objects.create(store=elsewhere, product=cast.product, level=1, counted_at=now)
    client.force_login(cast.sue)
    low = client.get("/admin/shop/stocklevel/", {"stock": "low"}).context["cl"].result_list
    assert [level.pk for level in low] == [levels[0].pk, levels[1].pk]
    found = client.get("/admin/shop/stocklevel/", {"q": "S9"}).context["cl"].result_list
    assert [level.pk for level in found] == [levels[2].pk]
    change = reverse("admin:shop_stocklevel_change", args=[levels[0].pk])
    assert client.post(change, {"level": "7", "reorder_point": "3"}).status_code == 302
    levels[0].refresh_from_db()
    assert (levels[0].level, levels[0].counted_at > now) == (7, True)
    other = reverse("admin:shop_stocklevel_change", args=[theirs.pk])
    assert client.post(other, {"level": "7", "reorder_point": "3"}).status_code == 403


# -- calendars and shifts
def week(**days: str) -> dict[str, str]:
    return {f"weekly_{day}": "09:00-18:00" for day in range(7)} | {
        f"weekly_{key[1:]}": text for key, text in days.items()
    }


def calendar_data(**values: str) -> dict[str, str]:
    return (
        {"name": "Test", "code": "test", "zone": "Asia/Shanghai", "standard_day_minutes": "540"}
        | week()
        | values
    )


def test_a_week_is_typed_as_text(boss: User, client: Client) -> None:
    before = ReferenceStamp.objects.get(code="feedback").version
    data = calendar_data() | week(d0="09:00-12:00, 13:30-18:00", d5="休息", d6="")
    assert client.post(reverse("admin:shop_workcalendar_add"), data).status_code == 302
    row = WorkCalendar.objects.get(code="test")
    assert row.weekly[0] == [["09:00", "12:00"], ["13:30", "18:00"]]
    assert row.weekly[1] == [["09:00", "18:00"]]
    assert row.weekly[5:] == [[], []]
    assert ReferenceStamp.objects.get(code="feedback").version == before + 1
    page = client.get(reverse("admin:shop_workcalendar_change", args=[row.pk])).content.decode()
    assert 'value="09:00-12:00, 13:30-18:00"' in page
    assert page.count('for="id_weekly_') == 7


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"weekly_2": "nine to five"}, "weekly", "Wed: “nine to five” is not of the form 09:00-18:00."),
        ({"weekly_0": "09:00-12:00, 11:00-18:00"}, "weekly", "Mon: 09:00-12:00 and 11:00-18:00 overlap."),
        (
            {f"weekly_{day}": "" for day in range(7)},
            "weekly",
            "The calendar never opens: fill in at least one day.",
        ),
        ({"weekly_0": "20:00-10:00"}, "weekly", "The night of Mon runs into the opening of the next day."),
        ({"zone": "Asia/Nowhere"}, "zone", "“Asia/Nowhere” is no time zone; example: Asia/Shanghai"),
        ({"standard_day_minutes": "5"}, "standard_day_minutes", "A workday has between 15 and 1440 minutes."),
    ],
)
def test_a_week_that_makes_no_sense_is_explained(
    boss: User, client: Client, change: dict[str, str], field: str, message: str
) -> None:
    client.cookies["django_language"] = "en"
    answer = client.post(reverse("admin:shop_workcalendar_add"), calendar_data(**change))
    assert answer.status_code == 200
    assert dict(answer.context["adminform"].form.errors) == {field: [message]}
    assert not WorkCalendar.objects.filter(code="test").exists()


def test_a_days_special_hours(boss: User, client: Client) -> None:
    client.cookies["django_language"] = "en"
    address = reverse("admin:shop_calendarday_add")
    base = {"calendar": "", "date": "2030-05-01", "note": ""}
    for data, message in (
        (base | {"kind": "special", "windows": ""}, "Special hours need hours, such as “10:00-16:00”."),
        (
            base | {"kind": "closed", "windows": "10:00-16:00"},
            "Only special hours have hours here; choose that kind or leave this empty.",
        ),
        (base | {"kind": "special", "windows": "noon"}, "“noon” is not of the form 09:00-18:00."),
    ):
        assert dict(client.post(address, data).context["adminform"].form.errors) == {"windows": [message]}
    assert client.post(address, base | {"kind": "special", "windows": "10:00-16:00"}).status_code == 302
    day = CalendarDay.objects.get(date="2030-05-01")
    assert (day.windows, day.edited) == ([["10:00", "16:00"]], True)


def test_missing_holidays_are_named_and_loaded_by_post(boss: User, client: Client, time_machine: Any) -> None:
    time_machine.move_to("2026-11-20 10:00:00+08:00", tick=False)
    CalendarDay.objects.filter(date__year=2026).delete()
    page = client.get("/admin/shop/workcalendar/")
    assert page.context["missing_years"] == [2026, 2027]
    load = reverse("admin:shop_calendarday_load")
    client.get(load + "?year=2026")
    assert not CalendarDay.objects.filter(date__year=2026).exists(), "a GET loads nothing"
    client.post(load, {"year": "2026"})
    loaded = CalendarDay.objects.filter(date__year=2026).count()
    assert loaded > 20
    client.post(load, {"year": "2026"})
    assert CalendarDay.objects.filter(date__year=2026).count() == loaded
    assert client.get("/admin/shop/calendarday/").context["missing_years"] == [2027]


def test_a_shift_is_typed_as_text(boss: User, client: Client, cast: Cast) -> None:
    profile = StaffProfile.objects.get(user=cast.alice)
    address = reverse("admin:shop_staffprofile_change", args=[profile.pk])
    data = {
        "user": cast.alice.pk,
        "department": "",
        "capacity": "30",
        "shift": "周一至周五 09:00-18:00；周六 13:00-21:30",
    }
    assert client.post(address, data).status_code == 302
    profile.refresh_from_db()
    assert profile.shift == [
        {"days": [0, 1, 2, 3, 4], "from": "09:00", "to": "18:00"},
        {"days": [5], "from": "13:00", "to": "21:30"},
    ]
    client.cookies["django_language"] = "en"
    page = client.get(address).content.decode()
    assert "Mon-Fri 09:00-18:00; Sat 13:00-21:30" in page
    answer = client.post(address, data | {"shift": "sometimes"})
    assert dict(answer.context["adminform"].form.errors) == {
        "shift": ["“sometimes” has no hours such as 09:00-18:00."]
    }
