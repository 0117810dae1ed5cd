"""Setting up the shop: every step by its page, bad input, repetition, and who may."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from apps.core.models import ActionLog, User
from apps.feedback.models import Channel
from apps.feedback.selectors.reference import reference
from apps.shop.models import (
    CalendarDay,
    Company,
    Department,
    StaffProfile,
    Store,
    Team,
    TeamMember,
    WorkCalendar,
)
from feedback_crm.setup import state
from feedback_crm.setup.views import CODES
from tests.factories import make_store, make_user, queries
from tests.feedback.test_admin_feedback import login

pytestmark = pytest.mark.django_db
BASE = "/admin/setup/"


@pytest.fixture
def boss(db: None) -> User:
    return make_user("boss", "admin", is_superuser=True)


@pytest.fixture
def client(boss: User) -> Client:
    return login(boss)


def post(client: Client, step: str, do: str, **data: Any) -> Any:
    return client.post(f"{BASE}{step}/", {"do": do, **data})


def invite(client: Client, username: str = "xiaoli", role: str = "ops", **data: Any) -> Any:
    values = {"username": username, "name": "小李", "role": role, "team": "", "shift": "", "capacity": "30"}
    return post(client, "team", "invite", **(values | data))


# -- who may -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("group", ["ops", "ops-lead", "care-lead", "analyst", "auditor", "store"])
def test_others_get_403_on_every_step(group: str) -> None:
    client = login(make_user("other", group))
    for url in [BASE, *(f"{BASE}{code}/" for code in CODES)]:
        assert client.get(url).status_code == 403, url
        assert client.post(url, {"do": "live"}).status_code == 403, url
    assert "admin/setup" not in client.get("/admin/").content.decode()


def test_managers_and_admins_may(boss: User) -> None:
    for user in (boss, make_user("m", "manager"), make_user("a", "admin")):
        client = login(user)
        for code in CODES:
            assert client.get(f"{BASE}{code}/").status_code == 200, code
    assert Client().get(BASE).status_code == 302
    assert client.get(f"{BASE}nonsense/").status_code == 404


# -- steps -------------------------------------------------------------------------------------------------
def test_the_first_page_is_the_first_step_not_done(client: Client) -> None:
    assert client.get(BASE).context["step"] == "shop"
    assert post(client, "shop", "name", name="知味小店").status_code == 302
    assert Company.objects.get().name == "知味小店"
    assert client.get(BASE).context["step"] == "stores"
    post(client, "shop", "name", name="知味大店")
    assert Company.objects.get().name == "知味大店"
    bad = post(client, "shop", "name", name="x")
    assert bad.status_code == 200 and bad.context["form"].errors["name"]


def test_a_store_is_added_once_and_a_taken_code_is_refused(client: Client) -> None:
    data = {
        "name": "徐汇店",
        "code": "SH01",
        "kind": "physical",
        "platform": "",
        "city": "上海",
        "manager": "",
    }
    for _time in range(2):
        assert post(client, "stores", "store", **data).status_code == 302
    assert Store.objects.get().city == "上海"
    assert reference().store("徐汇店") is not None
    taken = post(client, "stores", "store", **(data | {"name": "静安店"}))
    assert taken.status_code == 200 and taken.context["form"].errors["code"]
    assert 'value="静安店"' in taken.content.decode() and Store.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"code": "上海一店"}, "code"),
        ({"kind": "platform"}, "platform"),
        ({"kind": "cart"}, "kind"),
        ({"manager": "999999"}, "manager"),
    ],
)
def test_a_bad_store_names_its_field(client: Client, change: dict[str, str], field: str) -> None:
    data = {"name": "徐汇店", "code": "SH01", "kind": "physical", "platform": "", "city": "", "manager": ""}
    answer = post(client, "stores", "store", **(data | change))
    assert answer.status_code == 200 and list(answer.context["form"].errors) == [field]
    assert not Store.objects.exists()


def hours(**days: str) -> dict[str, str]:
    return {f"service-weekly_{day}": days.get(f"d{day}", "09:00-12:00, 13:30-18:00") for day in range(7)}


def test_hours_with_a_break_are_kept_and_never_overwritten_by_loading(client: Client) -> None:
    assert post(client, "hours", "service", **hours(d6="")).status_code == 302
    row = WorkCalendar.objects.get(code="service")
    assert row.weekly[0] == [["09:00", "12:00"], ["13:30", "18:00"]] and row.weekly[6] == []
    from apps.feedback.services.reference_data import load_feedback_reference

    load_feedback_reference()
    row.refresh_from_db()
    assert row.weekly[6] == []


def test_bad_hours_name_their_day_and_keep_what_was_typed(client: Client) -> None:
    answer = post(client, "hours", "service", **hours(d2="9点到6点"))
    text = answer.content.decode()
    assert answer.status_code == 200 and "9点到6点" in text and "周三" in text
    never = post(client, "hours", "service", **{f"service-weekly_{day}": "" for day in range(7)})
    assert never.status_code == 200
    assert WorkCalendar.objects.get(code="service").weekly[2] == [["09:00", "21:00"]]


def test_missing_holidays_are_loaded(client: Client) -> None:
    CalendarDay.objects.filter(date__year=timezone.localdate().year).delete()
    assert not state.done_steps()["hours"]
    for _time in range(2):
        post(client, "hours", "holidays")
    days = CalendarDay.objects.filter(date__year=timezone.localdate().year)
    assert days.filter(kind="holiday").count() > 10


def test_an_invited_person_logs_in_with_the_password_shown_once_and_must_change_it(client: Client) -> None:
    department = Department.objects.order_by("code")[0]
    data = {"team-name": "客服一组", "team-code": "cs1", "team-department": department.pk}
    for _time in range(2):
        assert post(client, "team", "team", **data).status_code == 302
    team = Team.objects.get()
    answer = invite(client, team=team.pk, shift="周一至周五 09:00-18:00", capacity="20")
    password = answer.context["made"]["password"]
    assert answer.content.decode().count(password) == 1 and "no-store" in answer["Cache-Control"]
    user = User.objects.get(username="xiaoli")
    assert [g.name for g in user.groups.all()] == ["ops"] and user.is_staff and not user.is_superuser
    profile = StaffProfile.objects.get(user=user)
    assert profile.capacity == 20 and profile.shift[0]["from"] == "09:00"
    assert TeamMember.objects.get(user=user).takes_work
    assert password not in client.get(f"{BASE}team/").content.decode()

    person = Client()
    person.post("/admin/login/", {"username": "xiaoli", "password": password, "next": "/admin/"})
    change = reverse("admin:password_change")
    for url in ("/admin/", "/admin/feedback/feedback/"):
        assert person.get(url)["Location"] == change
    own = "Zhi-wei-2026-xiaoli"
    answer = person.post(change, {"old_password": password, "new_password1": own, "new_password2": own})
    assert answer.status_code == 302
    assert person.get("/admin/").status_code == 200
    user.refresh_from_db()
    assert not user.must_change_password and user.check_password(own)
    # From now on nobody resets it from here.
    client.post(f"{BASE}team/", {"do": "renew", "person": user.pk})
    user.refresh_from_db()
    assert user.check_password(own)


def test_a_lead_leads_and_gets_no_work_by_turns(client: Client) -> None:
    team = Team.objects.create(code="cs", name="客服", department=Department.objects.order_by("code")[0])
    invite(client, "lead", "ops-lead", team=team.pk)
    member = TeamMember.objects.get(user__username="lead")
    assert (member.role, member.takes_work) == ("lead", False)
    assert state.has_role("ops-lead")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": ""}, "username"),
        ({"username": "小 李"}, "username"),
        ({"username": "BOSS"}, "username"),
        ({"role": "integration"}, "role"),
        ({"capacity": "0"}, "capacity"),
        ({"shift": "随便"}, "shift"),
        ({"team": "999"}, "team"),
    ],
)
def test_a_bad_invitation_names_its_field_and_makes_nobody(
    client: Client, change: dict[str, str], field: str
) -> None:
    before = User.objects.count()
    answer = invite(client, **change)
    assert answer.status_code == 200 and list(answer.context["form"].errors) == [field]
    assert User.objects.count() == before


def test_the_same_invitation_twice_makes_one_account_and_a_lost_password_can_be_renewed(
    client: Client,
) -> None:
    first = invite(client).context["made"]["password"]
    assert invite(client).context["form"].errors["username"]
    user = User.objects.get(username="xiaoli")
    answer = post(client, "team", "renew", person=user.pk)
    second = answer.context["made"]["password"]
    user.refresh_from_db()
    assert first != second and user.check_password(second) and user.must_change_password


def test_managers_make_no_administrators_and_do_not_reach_their_passwords(client: Client) -> None:
    invite(client, "chief", "admin")
    chief = User.objects.get(username="chief")
    old = chief.password
    manager = login(make_user("m", "manager"))
    answer = invite(manager, "second", "admin")
    assert answer.context["form"].errors["role"] and not User.objects.filter(username="second").exists()
    post(manager, "team", "renew", person=chief.pk)
    post(manager, "team", "renew", person=User.objects.get(username="boss").pk)
    chief.refresh_from_db()
    assert chief.password == old


def test_channels_are_switched_with_their_usual_store(client: Client) -> None:
    store = make_store("SH01")
    data = {"on": ["taobao", "jd"], "store_taobao": str(store.pk), "store_jd": ""}
    assert post(client, "channels", "channels", **data).status_code == 302
    assert set(Channel.objects.filter(is_active=True).values_list("code", flat=True)) == {"taobao", "jd"}
    assert Channel.objects.get(code="taobao").default_store == store
    changes = Channel.history.count()
    post(client, "channels", "channels", **data)
    assert Channel.history.count() == changes, "nothing changed, nothing is written"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"on": ["nowhere"]},
        {"on": ["taobao"], "store_taobao": "999999"},
        {"on": ["taobao"], "store_taobao": "x"},
        {"on": ["taobao"], "store_nowhere": ""},
    ],
)
def test_bad_channels_change_nothing_and_stay_ticked(client: Client, data: dict[str, Any]) -> None:
    before = list(Channel.objects.order_by("pk").values())
    answer = post(client, "channels", "channels", **data)
    assert answer.status_code == 200 and answer.context["error"]
    assert list(Channel.objects.order_by("pk").values()) == before
    ticked = re.findall(r'name="on" value="(\w+)" checked', answer.content.decode())
    assert ticked == [code for code in data.get("on", []) if code != "nowhere"]


# -- demo and live -----------------------------------------------------------------------------------------
def test_clearing_needs_the_word_and_goes_to_the_background(
    client: Client, boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.feedback import tasks

    make_store("SH01")
    asked: list[int] = []
    monkeypatch.setattr(tasks.clear_demo_task, "delay", asked.append)
    word = client.get(f"{BASE}demo/").context["word"]
    wrong = post(client, "demo", "clear", word="yes")
    assert wrong.status_code == 200 and wrong.context["form"].errors["word"] and asked == []
    assert post(client, "demo", "clear", word=word).status_code == 302 and asked == [boss.pk]


def test_a_demo_account_does_not_clear_itself_away(monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.feedback import tasks

    make_store("SH01")
    asked: list[int] = []
    monkeypatch.setattr(tasks.clear_demo_task, "delay", asked.append)
    client = login(make_user("jiangping", "manager"))
    word = client.get(f"{BASE}demo/").context["word"]
    assert post(client, "demo", "clear", word=word).context["form"].errors and asked == []


def test_the_task_clears_and_tells(boss: User) -> None:
    from apps.core.models import StaffNotice
    from apps.feedback.tasks import clear_demo_task

    make_store("SH01")
    make_user("linyue", "ops")
    clear_demo_task(boss.pk)
    assert not Store.objects.exists() and not User.objects.filter(username="linyue").exists()
    assert StaffNotice.objects.get(recipient=boss).url == f"{BASE}demo/"


def fill(client: Client) -> None:
    post(client, "shop", "name", name="知味小店")
    data = {"name": "徐汇店", "code": "XH1", "kind": "physical", "platform": "", "city": "", "manager": ""}
    post(client, "stores", "store", **data)
    team = Team.objects.create(code="cs", name="客服", department=Department.objects.order_by("code")[0])
    invite(client, "one", "ops", team=team.pk)
    invite(client, "two", "ops-lead", team=team.pk)


def test_nobody_goes_live_with_something_missing_and_everybody_once(client: Client, boss: User) -> None:
    post(client, "live", "live")
    assert not Company.objects.filter(live_at__isnull=False).exists()
    assert "setup" in client.get("/admin/").content.decode()
    fill(client)
    for _time in range(2):
        assert post(client, "live", "live").status_code == 302
    row = Company.objects.get()
    assert row.live_at is not None and row.live_by == boss
    assert ActionLog.objects.filter(model="shop.company", verb="go_live").count() == 1
    home = login(make_user("m", "manager")).get("/admin/").content.decode()
    assert "su-" not in home and "setup/shop" not in home


def test_the_list_before_going_live_names_what_stands_still(client: Client, settings: Any) -> None:
    PeriodicTask.objects.filter(task__endswith="sweep_sla_task").update(last_run_at=timezone.now())
    before = [point.ok for point in state.points(timezone.now())]
    later = [point.ok for point in state.points(timezone.now() + state.SILENT * 2)]
    assert sum(before) == sum(later) + 1
    settings.DEBUG = True
    settings.SITE_URL = "http://localhost:8000"
    assert sum(point.ok for point in state.points(timezone.now())) < len(before)


def test_every_step_costs_the_same_for_1_and_50(client: Client) -> None:
    counts = []
    department = Department.objects.order_by("code")[0]
    for start, end in ((0, 1), (1, 40)):
        for number in range(start, end):
            make_store(f"S{number}")
            user = make_user(f"p{number}", "ops")
            team = Team.objects.create(code=f"t{number}", name=f"组{number}", department=department)
            TeamMember.objects.create(team=team, user=user)
        numbers = []
        for code in CODES:
            client.get(f"{BASE}{code}/")
            with queries() as captured:
                client.get(f"{BASE}{code}/")
            numbers.append(len(captured))
        counts.append(numbers)
    assert counts[0] == counts[1]
