"""The pages of callbacks: agenda, list, call sheet, planning by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.callbacks.choices import Block
from apps.callbacks.models import Callback, CallbackPlan
from apps.callbacks.selectors.agenda import home_card
from apps.callbacks.services import demo
from apps.callbacks.services.scheduling import Wanted, schedule_many
from apps.core.models import ActionLog, Reveal, User
from apps.customers.models import ConsentEvent, ContactHold, Customer
from apps.feedback.models import Feedback
from tests.factories import Cast, arrive, at, queries

pytestmark = pytest.mark.django_db
LIST = "/admin/callbacks/callback/"


def now_at_ten(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pages read the clock; customers are not called at night."""
    ten = at(f"{timezone.localdate()} 10:00")
    monkeypatch.setattr(timezone, "now", lambda: ten)
    return ten


def plan(count: int = 1, start: int = 0, **values: Any) -> list[Callback]:
    people = Customer.objects.bulk_create(
        Customer(nickname=f"客{n}", name="张小明", phone=f"138{n:08d}").with_hashes()
        for n in range(start, start + count)
    )
    now = timezone.now()
    defaults = {"reason": "问题解决了吗", "due_at": now + timedelta(minutes=30)}
    return schedule_many(
        [Wanted(f"k{start}-{n}", who, **(defaults | values)) for n, who in enumerate(people)], now=now
    )


def staff(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize(
    "page", ["", "?what=mine", "agenda/?who=all", "agenda/?who=team&days=1", "calendar/"]
)
def test_pages_cost_the_same_for_one_and_for_thirty(
    cast: Cast, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_at_ten(monkeypatch)
    client = staff(cast.alice)
    plan(1, assignee=cast.alice)
    client.get(LIST + page)
    with queries() as one:
        assert client.get(LIST + page).status_code == 200
    plan(29, start=1, assignee=cast.alice)
    with queries() as many:
        assert client.get(LIST + page).status_code == 200
    assert len(one) == len(many)


def test_a_call_from_the_sheet(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    now_at_ten(monkeypatch)
    feedback = arrive("A", now=timezone.now() - timedelta(days=4), store=cast.store.code)
    (row,) = plan(feedback=feedback, not_by=cast.alice)
    Callback.objects.filter(pk=row.pk).update(questions=["解决了吗", "满意吗"])
    client, url = staff(cast.bob), f"{LIST}{row.pk}/"
    page = client.get(url + "change/").content.decode()
    assert "138****0000" in page and "13800000000" not in page and "张小明" not in page
    assert "data-sheet" in page and feedback.number in page
    client.post(url + "move/take/", {"seen": "planned"})
    row.refresh_from_db()
    assert row.status == "calling"
    bad = client.post(
        url + "result/",
        {"outcome": "reached_satisfied", "satisfaction": "1", "method": "phone", "note": "别丢"},
    )
    assert bad.status_code == 422 and "别丢" in bad.content.decode()
    answer = client.post(
        url + "result/",
        {
            "outcome": "reached_satisfied",
            "satisfaction": "5",
            "method": "phone",
            "answer_0": "解决了",
            "note": "好",
        },
    )
    assert answer.status_code == 302
    row.refresh_from_db()
    assert (row.status, row.satisfaction, row.answers) == (
        "done",
        5,
        [{"question": "解决了吗", "answer": "解决了"}],
    )
    done = client.get(url + "change/").content.decode()
    assert "data-sheet" not in done and "解决了" in done
    raised = client.post(url + "raise/", {"text": "另外上次的茶叶有异味"})
    assert raised.status_code == 302
    assert Feedback.objects.filter(channel__code="callback", customer=row.customer).count() == 1


def test_the_handler_sees_why_not(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    now_at_ten(monkeypatch)
    (row,) = plan(not_by=cast.alice)
    client, url = staff(cast.alice), f"{LIST}{row.pk}/"
    page = client.get(url + "change/").content.decode()
    assert "data-sheet" not in page and "请由同事回访" in page
    client.post(url + "result/", {"outcome": "reached_satisfied", "method": "phone"})
    row.refresh_from_db()
    assert row.status == "planned"


def test_who_may_what(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    now_at_ten(monkeypatch)
    (row,) = plan()
    reader = staff(cast.ann)
    assert reader.get(f"{LIST}{row.pk}/change/").status_code == 200
    assert reader.post(f"{LIST}{row.pk}/result/", {"outcome": "no_answer"}).status_code == 403
    assert reader.post(f"{LIST}{row.pk}/raise/", {"text": "新问题"}).status_code == 403
    assert reader.post(f"{LIST}{row.pk}/move/take/").status_code == 403
    assert reader.get(f"{LIST}pick/").status_code == 403
    assert reader.post(f"{LIST}pick/plan/").status_code == 403
    assert staff(cast.sue).get(f"{LIST}{row.pk}/change/").status_code == 404
    assert staff(cast.bob).post(f"{LIST}{row.pk}/move/assign/", {"to": cast.bob.pk}).status_code == 403
    assert staff(cast.bob).get(f"{LIST}{row.pk}/result/").status_code == 405


def test_whoever_makes_the_call_sees_the_number(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    now_at_ten(monkeypatch)
    (row,) = plan(assignee=cast.alice)
    sheet, number = f"{LIST}{row.pk}/change/", f"{LIST}{row.pk}/number/"
    alice, bob = staff(cast.alice), staff(cast.bob)
    assert not cast.alice.has_perm("customers.unmask_customer")
    assert number in alice.get(sheet).content.decode()
    asked = alice.get(number)
    assert asked.status_code == 200 and "13800000000" not in asked.content.decode()
    without = alice.post(number, {"fields_wanted": ["phone"], "reason": ""})
    assert "13800000000" not in without.content.decode() and not Reveal.objects.exists()
    shown = alice.post(number, {"fields_wanted": ["phone"], "reason": "回访"})
    assert "13800000000" in shown.content.decode() and "no-store" in shown["Cache-Control"]
    look = Reveal.objects.get()
    assert (look.model, look.object_id, look.fields, look.by) == (
        "customers.customer",
        row.customer_id,
        ["phone"],
        cast.alice,
    )
    assert row.number in look.reason and "回访" in look.reason
    # A colleague who does not make the call, whoever only reads, a call that is over, a customer to be left alone.
    assert number not in bob.get(sheet).content.decode()
    assert bob.post(number, {"fields_wanted": ["phone"], "reason": "看看"}).status_code == 403
    assert staff(cast.ann).get(number).status_code == 403
    assert alice.get(f"/admin/customers/customer/{row.customer_id}/reveal/").status_code == 403
    ContactHold.objects.create(customer=row.customer, reason="勿扰", starts_at=timezone.now(), by=cast.lin)
    held = alice.post(number, {"fields_wanted": ["phone"], "reason": "回访"})
    assert "13800000000" not in held.content.decode()
    Callback.objects.filter(pk=row.pk).update(status="cancelled", finished_at=timezone.now())
    assert alice.get(number).status_code == 403
    assert Reveal.objects.count() == 1


def test_bulk_moves(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    now_at_ten(monkeypatch)
    rows = plan(3)
    client = staff(cast.lin)
    client.post(f"{LIST}moves/bulk/assign/", {"ids": [row.pk for row in rows], "to": cast.bob.pk})
    assert Callback.objects.filter(assignee=cast.bob).count() == 3
    later = timezone.localtime(timezone.now() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
    client.post(
        f"{LIST}moves/bulk/postpone/", {"ids": [row.pk for row in rows], "due_at": later, "reason": "节假日"}
    )
    assert {timezone.localtime(row.due_at).strftime("%Y-%m-%dT%H:%M") for row in Callback.objects.all()} == {
        later
    }


def test_a_list_is_previewed_then_planned(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    now = now_at_ten(monkeypatch)
    yes, no = (Customer.objects.create(nickname=f"客{n}", phone=f"1370000000{n}") for n in range(2))
    ConsentEvent.objects.create(
        customer=yes, purpose="survey", channel="phone", granted=True, source="test", at=now - timedelta(9)
    )
    client = staff(cast.alice)
    plan_id = CallbackPlan.objects.get(code="hand-picked").pk
    when = timezone.localtime(now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    page = client.post(
        f"{LIST}pick/",
        {"plan": plan_id, "reason": "节后回访", "due_at": when, "customers": f"#{yes.pk}\n#{no.pk}\nX9"},
    )
    text = page.content.decode()
    assert str(Block.NO_CONSENT.label) in text and "X9" in text
    assert not Callback.objects.exists()
    chosen = page.context["chosen"]["due_at"].isoformat()
    client.post(
        f"{LIST}pick/plan/",
        {"plan": plan_id, "reason": "节后回访", "due_at": chosen, "customer": [yes.pk, no.pk]},
    )
    assert [row.customer for row in Callback.objects.all()] == [yes]
    for bad in (
        {},
        {"plan": "x", "customer": "²", "due_at": "morgen"},
        {"plan": plan_id, "customer": yes.pk},
    ):
        assert client.post(f"{LIST}pick/plan/", bad).status_code == 302


def test_cards_beside_case_customer_and_on_the_first_page(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = now_at_ten(monkeypatch)
    feedback = arrive("A", now=now - timedelta(days=1), store=cast.store.code)
    who = Customer.objects.create(nickname="林", phone="13700000001")
    Feedback.objects.filter(pk=feedback.pk).update(customer=who)
    client = staff(cast.alice)
    case_page = f"/admin/feedback/feedback/{feedback.pk}/change/"
    assert f"{LIST}case/{feedback.pk}/" in client.get(case_page).content.decode()
    when = timezone.localtime(now + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")
    answer = client.post(f"{LIST}case/{feedback.pk}/", {"reason": "处理好了吗", "due_at": when})
    assert answer.status_code == 302
    row = Callback.objects.get()
    assert f"{LIST}{row.pk}/change/" in client.get(case_page).content.decode()
    tab = client.get(f"/admin/customers/customer/{who.pk}/change/?tab=panel-callbacks").content.decode()
    assert "处理好了吗" in tab
    assert "回访" in client.get("/admin/").content.decode()


def test_the_card_counts_the_rows_its_figures_open(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    now = now_at_ten(monkeypatch)
    plan(1, assignee=cast.alice)
    for start, (due, who) in enumerate(
        [
            (now - timedelta(days=2), cast.alice),
            (now - timedelta(hours=1), cast.bob),
            (now - timedelta(days=1), None),
            (now + timedelta(days=3), None),
        ],
        start=1,
    ):
        (row,) = plan(1, start=start, assignee=who)
        Callback.objects.filter(pk=row.pk).update(due_at=due, assignee=who)
    card = home_card(cast.alice, now)
    assert card is not None
    client = staff(cast.alice)
    for figure in card["figures"]:
        listed = client.get(figure["url"]).context["cl"].result_count
        assert listed == figure["count"], figure


def test_a_plan_is_edited_in_words(cast: Cast) -> None:
    client = staff(cast.lin)
    row = CallbackPlan.objects.get(code="after-case-72h")
    url = f"/admin/callbacks/callbackplan/{row.pk}/change/"
    assert client.get(url).status_code == 200
    data = {
        "name_zh": "结案回访", "purpose": "service", "is_active": "on", "hours_after": "48", "every_days": "180",
        "tiers": ["S"], "sample_percent": "50", "quiet_days": "14", "attempts": "3", "min_hours": "20",
        "questions": "一\n二\n三\n四",
    }  # fmt: skip
    assert client.post(url, data).status_code == 200
    assert client.post(url, data | {"questions": "一\n二"}).status_code == 302
    row.refresh_from_db()
    assert (row.hours_after, row.tiers, row.questions, row.is_active) == (48, ["S"], ["一", "二"], True)
    assert row.seen_until is not None


def test_the_demo_goes_without_a_trace(cast: Cast) -> None:
    now = timezone.now()
    before = ActionLog.objects.count()
    for number in range(3):
        made = arrive("A", now=now - timedelta(days=9 - number * 3))
        who = Customer.objects.create(
            nickname="演示", phone=f"1370000000{number}", external_id=f"DEMO-{number}"
        )
        Feedback.objects.filter(pk=made.pk).update(
            source="demo", status="resolved", customer=who, resolved_at=now - timedelta(days=8 - number * 3)
        )
    User.objects.create(username="suman", is_staff=True, is_superuser=True)
    logs = ActionLog.objects.count() - before
    assert demo.load(now=now) == 3
    assert Callback.objects.filter(status="done").count() >= 1
    assert demo.clear() == 3
    assert not Callback.objects.exists()
    assert ActionLog.objects.count() - before == logs
