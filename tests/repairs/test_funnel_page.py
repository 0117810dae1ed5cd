"""The funnel page: who may see it, what it says with few and with many, bad dates, the file."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from apps.core.models import User
from apps.feedback.models import Category, Feedback
from apps.repairs.models import RepairCallbackDay, RepairCase, RepairDay, RepairPart, RepeatMonth
from apps.repairs.selectors import funnel
from apps.repairs.selectors.figures import Slice, local_day
from apps.repairs.services.rollup import rebuild_figures
from apps.shop.models import Store
from feedback_crm.unfold import in_repairs
from tests.factories import make_profile, make_store, make_user, queries, reads
from tests.repairs.test_figures import scatter

pytestmark = pytest.mark.django_db
PAGE = reverse("admin:repairs_repaircase_funnel")
FILE = reverse("admin:repairs_repaircase_funnel_csv")


@pytest.fixture
def lead() -> User:
    return make_user("lead", "ops-lead")


def seen_by(user: User, query: str = "", address: str = PAGE) -> Any:
    client = Client()
    client.force_login(user)
    return client.get(f"{address}{query}")


def filled(count: int = 60, seed: int = 1) -> list[RepairCase]:
    now = timezone.now()
    made = scatter(count, seed=seed, now=now)
    rebuild_figures(now=now)
    return made


def test_leads_management_analysts_and_auditors_see_it() -> None:
    for role in ("ops-lead", "care-lead", "pr-lead", "manager", "analyst", "auditor"):
        assert seen_by(make_user(role.replace("-", ""), role)).status_code == 200, role
    for role in ("ops", "care", "store", "dept", "legal"):
        user = make_user(role, role)
        assert seen_by(user).status_code == 403, role
        assert seen_by(user, address=FILE).status_code == 403, role


def test_an_empty_shop_is_told_how_figures_come_about(lead: User) -> None:
    html = seen_by(lead).content.decode()
    assert 'class="fc-empty"' in html
    assert reverse("admin:repairs_repaircase_changelist") in html
    assert "rf-steps" not in html


def test_the_page_says_what_was_counted(lead: User) -> None:
    made = filled()
    page = seen_by(lead).context["shown"]
    real = [case for case in made if case.status != "dismissed"]
    assert page.figures.total["opened"] == len(real)
    assert [step.count for step in page.steps][:2] == [
        len(real),
        sum(bool(case.contacted_at) for case in real),
    ]
    assert sum(part.count for part in page.outcomes) == len(real)
    assert round(sum(part.width for part in page.outcomes)) == 100
    for table in page.tables:
        assert sum(line.opened for line in table.lines) == len(real)
    assert page.as_of is not None


@pytest.mark.parametrize("query", ["", "?period=365&o=-success", "?tier=A"])
def test_few_and_many_cost_the_same_queries(lead: User, query: str) -> None:
    client = Client()
    client.force_login(lead)
    filled(1, seed=3)
    RepairCase.objects.update(contacted_at=timezone.now(), status="contacted", tier="A")
    rebuild_figures(now=timezone.now())
    client.get(PAGE + query)
    with queries() as few:
        client.get(PAGE + query)
    filled(50, seed=4)
    with queries() as many:
        client.get(PAGE + query)
    assert len(reads(few)) == len(reads(many))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?period=own", "first"),
        ("?period=own&first=2026-11-01", "last"),
        ("?period=own&first=2026-11-31&last=2026-12-01", "first"),
        ("?period=own&first=heute&last=2026-12-01", "first"),
        ("?period=own&first=2026-12-02&last=2026-12-01", "last"),
        ("?period=own&first=2020-01-01&last=2026-12-01", "last"),
        ("?period=yesterday", "period"),
        ("?store=999999", "store"),
        ("?period=own&first=9999-12-01&last=9999-12-31", "first"),
        ("?period=own&first=0001-01-01&last=0001-01-02", "first"),
        ("?agent=²", "agent"),
        ("?tier=X", "tier"),
    ],
)
def test_bad_filters_are_named_and_nothing_is_shown(lead: User, query: str, field: str) -> None:
    for address in (PAGE, FILE):
        answer = seen_by(lead, query, address)
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/html")
        assert answer.context["form"].errors[field]
        assert answer.context["shown"] is None
        assert 'role="alert"' in answer.content.decode()


def test_an_own_period_and_filters_narrow(lead: User) -> None:
    made = filled(80)
    day = local_day(made[0].opened_at)
    own = seen_by(lead, f"?period=own&first={day}&last={day}").context["shown"]
    assert own.figures.total["opened"] == sum(
        local_day(case.opened_at) == day and case.status != "dismissed" for case in made
    )
    store = Store.objects.get(code="s1")
    narrowed = seen_by(lead, f"?store={store.pk}&tier=S")
    assert narrowed.context["shown"].figures.total["opened"] == sum(
        case.store == store and case.tier == "S" and case.status != "dismissed" for case in made
    )
    # Links keep what was chosen and lead to the same rows of the queue.
    assert f"tab=contact&amp;store={store.pk}&amp;tier=S" in narrowed.content.decode()
    assert narrowed.context["shown"].repeat is None


def test_whoever_has_stores_sees_theirs_alone() -> None:
    made = filled(80)
    own = Store.objects.get(code="s1")
    narrow = make_user("narrow", "analyst")
    make_profile(narrow, stores=[own])
    page = seen_by(narrow).context["shown"]
    mine = [case for case in made if case.store == own and case.status != "dismissed"]
    assert page.figures.total["opened"] == len(mine)
    assert [line.name for table in page.tables if table.code == "store" for line in table.lines] == [str(own)]
    assert set(funnel.names(narrow).agent.values()) == {
        str(case.handler) for case in made if case.store == own and case.handler
    }
    # Medians come from the cases: also theirs alone.
    waits = sorted((c.contacted_at - c.opened_at).total_seconds() for c in mine if c.contacted_at)
    assert page.figures.p90.minutes * 60 <= waits[-1]
    nobody = make_user("nobody", "analyst")
    make_profile(nobody, stores=[make_store("leer")])
    assert not seen_by(nobody).context["shown"].figures.total["opened"]


def test_small_samples_tell_counts_and_are_not_ranked(lead: User) -> None:
    tops = list(Category.objects.filter(parent=None)[:3])
    filled(1)
    day = local_day(timezone.now())
    RepairPart.objects.all().delete()
    for top, closed, succeeded in ((tops[0], 40, 20), (tops[1], 20, 20), (tops[2], 3, 3)):
        RepairPart.objects.create(
            day=day,
            part="category",
            key=top.pk,
            tier="",
            opened=closed,
            closed=closed,
            succeeded=succeeded,
        )
    table = seen_by(lead, "?o=-success").context["shown"].tables[0]
    # Every success of a small sample would lead the list; it stands below instead.
    assert [line.name for line in table.lines] == [str(top) for top in tops]
    big, small, tiny = (line.success for line in table.lines)
    assert (big.big, big.is_small) == ("50.0%", False)
    assert (small.big, small.is_small) == ("100.0%", True)
    assert tiny.share.value is None
    assert "%" not in tiny.big
    up = seen_by(lead, "?o=opened").context["shown"].tables[0]
    assert [line.opened for line in up.lines] == [3, 20, 40]
    assert up.sorts["opened"]["aria"] == "ascending"
    assert "repaired" not in up.sorts


def test_young_callbacks_wait_in_grey(lead: User) -> None:
    day, channel = local_day(timezone.now()), filled(1)[0].channel
    RepairCallbackDay.objects.all().delete()
    row = RepairCallbackDay.objects.create(
        day=day - timedelta(days=30), opened_day=day - timedelta(days=33), channel=channel, tier="A", closed=12, withdrawn=2,
        revised=4,
    )  # fmt: skip
    cards = seen_by(lead).context["shown"].cards[5:8]
    assert [(card.pale, bool(card.note)) for card in cards] == [(True, True)] * 3
    RepairCallbackDay.objects.filter(pk=row.pk).update(day=day - timedelta(days=31))
    cards = seen_by(lead).context["shown"].cards[5:8]
    assert [card.big for card in cards] == ["16.7%", "33.3%", "50.0%"]
    assert not any(card.pale or card.note for card in cards)


def test_repeat_purchase_is_told_with_its_interval_or_not_at_all(lead: User) -> None:
    filled(1)
    month = (timezone.localdate() - timedelta(days=180)).replace(day=1)
    row = RepeatMonth.objects.create(month=month, quarter=month, cohort=10, pairs=9, again=8, others_again=1)
    shown = seen_by(lead, "?period=365").context["shown"].repeat
    assert shown["few"]
    assert "difference" not in shown
    RepeatMonth.objects.filter(pk=row.pk).update(cohort=90, pairs=80, again=60, others_again=30)
    shown = seen_by(lead, "?period=365").context["shown"].repeat
    assert (shown["difference"], shown["left_out"], shown["better"]) == ("+37.5", 10, True)
    # A young period says from when it can be compared.
    assert seen_by(lead, "?period=month").context["shown"].repeat["counted"].pairs == 0


def test_the_file_opens_in_a_spreadsheet_and_holds_no_formula(lead: User) -> None:
    made = filled()
    Store.objects.filter(code="s1").update(name="=1+1")
    answer = seen_by(lead, "?period=365", FILE)
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert "attachment" in answer["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len({len(row) for row in rows}) == 1
    assert int(rows[1][4]) == sum(case.status != "dismissed" for case in made)
    names = {row[1] for row in rows[2:]}
    assert "'=1+1" in names
    assert "=1+1" not in names


def test_every_step_and_column_has_words() -> None:
    assert set(funnel.COLUMN_LABELS) == {
        field.attname
        for field in RepairDay._meta.concrete_fields
        if field.get_internal_type() == "PositiveIntegerField"
    }
    assert {column for column, *_rest in funnel.STEPS} <= set(funnel.COLUMN_LABELS)


def test_the_queue_takes_the_links(lead: User) -> None:
    made = filled(10)
    wanted = Slice(
        local_day(made[0].opened_at), local_day(made[0].opened_at), channel=made[0].channel_id, tier="A"
    )
    Feedback.objects.update(snippet="差")
    assert seen_by(lead, address=funnel.queue_url(wanted, tab="open")).status_code == 200


def test_the_menu_lights_one_line() -> None:
    """The funnel's address lies below the queue's."""

    def at(path: str) -> bool:
        return in_repairs(RequestFactory().get(path))

    assert at("/admin/repairs/repaircase/") and at("/admin/repairs/repaircase/7/change/")
    assert not at("/admin/repairs/repaircase/funnel/") and not at("/admin/repairs/offer/")
