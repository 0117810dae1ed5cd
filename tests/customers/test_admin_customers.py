"""The customer pages: found by hashes, shown masked, changed by whole values, merged and undone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from apps.core.models import User
from apps.customers.models import ConsentEvent, ContactHold, Customer, CustomerIdentity, CustomerMerge, Order
from apps.customers.registries import Panel, panels
from apps.customers.services import merging
from tests.factories import Cast, make_store, make_user, queries

pytestmark = pytest.mark.django_db
PHONE, EMAIL, NAME = "13812345678", "zhang.wei@example.com", "张伟明"
LIST = "/admin/customers/customer/"


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    """Pages need no collected files."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def boss(client: Client) -> User:
    user = make_user("boss", is_superuser=True)
    client.force_login(user)
    client.cookies["django_language"] = "en"
    return user


@pytest.fixture
def customer(db: None) -> Customer:
    row = Customer.objects.create(
        nickname="晚风",
        name=NAME,
        phone=PHONE,
        email=EMAIL,
        city="杭州",
        external_id="VIP-0007",
        tags=["old"],
    )
    CustomerIdentity.objects.create(
        customer=row, channel="taobao", external_id="tb_evening", created_at=datetime.now(UTC)
    )
    return row


def page(name: str, *args: Any) -> str:
    return reverse(f"admin:customers_customer_{name}", args=args)


# -- finding
@pytest.mark.parametrize(
    "text",
    [
        PHONE,
        "138 1234 5678",
        "+86 13812345678",
        "１３８１２３４５６７８",
        EMAIL,
        "Zhang.Wei@Example.com",
        "VIP-0007",
        "VIP",
        "晚",
        "tb_e",
        NAME,
    ],
)
def test_found(boss: User, client: Client, customer: Customer, text: str) -> None:
    Customer.objects.create(nickname="somebody else", phone="13900000000")
    assert [row.pk for row in client.get(LIST, {"q": text}).context["cl"].result_list] == [customer.pk]
    assert list(client.get(LIST, {"q": f"#{customer.pk}"}).context["cl"].result_list) == [customer]


@pytest.mark.parametrize(
    "text", ["1381234", "12345678", "zhang.wei", "@example.com", "IP-0007", "风", "伟明", "evening"]
)
def test_parts_of_personal_data_find_nobody(
    boss: User, client: Client, customer: Customer, text: str
) -> None:
    assert list(client.get(LIST, {"q": text}).context["cl"].result_list) == []


def test_search_costs_a_fixed_number_of_queries_and_no_scan(
    boss: User, client: Client, customer: Customer
) -> None:
    for number in range(5):
        Customer.objects.create(nickname=f"晚霞{number}")
    client.get(LIST, {"q": "晚"})
    with queries() as captured:
        assert len(client.get(LIST, {"q": "晚"}).context["cl"].result_list) == 6
    assert not [q for q in captured.captured_queries if "LIKE '%" in q["sql"] or "UPPER(" in q["sql"]]
    with queries() as few:
        client.get(LIST, {"q": "晚风"})
    assert len(few.captured_queries) == len(captured.captured_queries)


# -- the page
def test_every_tab_has_a_fixed_number_of_queries(boss: User, client: Client, customer: Customer) -> None:
    now = datetime.now(UTC)
    store = make_store("tabs")

    def fill(start: int, count: int) -> None:
        for number in range(start, start + count):
            Order.objects.create(order_no=f"T{number}", customer=customer, placed_at=now, store=store)
            ConsentEvent.objects.create(
                customer=customer,
                purpose="survey",
                channel="sms",
                granted=bool(number % 2),
                source="call",
                at=now,
                by=boss,
            )
            ContactHold.objects.create(customer=customer, reason="wish", starts_at=now, by=boss)
            CustomerIdentity.objects.create(
                customer=customer, channel="jd", external_id=f"jd{number}", created_at=now
            )

    def costs() -> dict[str, int]:
        out = {}
        for tab in ("profile", "timeline", "orders", "consents", "identities", "history"):
            with queries() as captured:
                assert client.get(page("change", customer.pk) + f"?tab={tab}").status_code == 200
            out[tab] = len(captured.captured_queries)
        return out

    fill(0, 1)
    costs()
    one = costs()
    fill(1, 5)
    assert costs() == one


def test_the_page_changes_nothing(boss: User, client: Client, customer: Customer) -> None:
    assert client.post(page("change", customer.pk), {"nickname": "x"}).status_code == 405
    assert client.get(page("delete", customer.pk)).status_code == 403
    history = client.get(page("history", customer.pk))
    assert history["Location"] == page("change", customer.pk) + "?tab=history"
    version = customer.history.first().history_id
    assert client.get(f"{LIST}{customer.pk}/history/{version}/").status_code == 404


def test_panels_of_higher_apps_are_tabs_for_those_who_may(
    boss: User, client: Client, customer: Customer
) -> None:
    panel = Panel(
        "Coupons",
        "admin/customers/tab_timeline.html",
        lambda row, user: {"events": []},
        "customers.view_order",
    )
    panels.register("test-coupons", panel)
    try:
        shown = client.get(page("change", customer.pk) + "?tab=panel-test-coupons")
        assert shown.context["tab"] == "panel-test-coupons"
        looker = make_user("looker")
        looker.user_permissions.set(Permission.objects.filter(codename="view_customer"))
        client.force_login(looker)
        hidden = client.get(page("change", customer.pk) + "?tab=panel-test-coupons")
        assert hidden.context["tab"] == "timeline"
        assert list(hidden.context["tabs"]) == ["timeline", "identities", "profile"]
    finally:
        panels._items.pop("test-coupons")


# -- editing
def form_data(**values: str) -> dict[str, str]:
    shown = {
        "nickname": "晚风",
        "name": "张**",
        "phone": "138****5678",
        "email": "z****@example.com",
        "gender": "",
        "city": "杭州",
        "member_tier": "",
        "external_id": "VIP-0007",
        "birth_year": "",
        "birth_month": "",
        "birth_day": "",
        "tags": "old",
        "note": "",
    }
    return shown | values


def test_masks_that_come_back_untouched_keep_the_values(
    boss: User, client: Client, customer: Customer
) -> None:
    html = client.get(page("edit", customer.pk)).content.decode()
    for secret in (PHONE, EMAIL, NAME):
        assert secret not in html
    for mask in ("138****5678", "z****@example.com", "张**"):
        assert f'value="{mask}"' in html
    answer = client.post(page("edit", customer.pk), form_data(city="上海", tags="old\nnew\n\nnew"))
    assert (answer.status_code, answer["Location"]) == (302, page("change", customer.pk))
    customer.refresh_from_db()
    assert (customer.name, customer.phone, customer.email) == (NAME, PHONE, EMAIL)
    assert (customer.city, customer.tags) == ("上海", ["old", "new"])


def test_a_whole_new_value_replaces_and_an_empty_one_removes(
    boss: User, client: Client, customer: Customer
) -> None:
    client.post(page("edit", customer.pk), form_data(phone="13900001111", email=""))
    customer.refresh_from_db()
    assert (customer.phone, customer.email, customer.email_hash, customer.name) == (
        "13900001111",
        "",
        "",
        NAME,
    )
    assert [row.pk for row in client.get(LIST, {"q": "13900001111"}).context["cl"].result_list] == [
        customer.pk
    ]


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"phone": "139****1111"}, {"phone": ["Type the whole new value, without stars."]}),
        ({"phone": "call me"}, {"phone": ["This is no telephone number."]}),
        ({"phone": "12"}, {"phone": ["This is no telephone number."]}),
        ({"email": "nobody"}, {"email": ["This is no e-mail address."]}),
        ({"birth_month": "13", "birth_day": "1"}, {"birth_month": ["The month lies between 1 and 12."]}),
        ({"birth_month": "3"}, {"birth_day": ["Month and day belong together."]}),
        ({"birth_month": "4", "birth_day": "31"}, {"birth_day": ["This month has no such day."]}),
        (
            {"birth_month": "1", "birth_day": "31", "birth_is_lunar": "on"},
            {"birth_day": ["This month has no such day."]},
        ),
        ({"birth_year": "1800"}, {"birth_year": ["The year lies between 1900 and 2100."]}),
        ({"tags": "x" * 31}, {"tags": ["Line 1 is longer than 30 characters."]}),
    ],
)
def test_what_cannot_be_right_is_explained(
    boss: User, client: Client, customer: Customer, change: dict[str, str], errors: dict[str, list[str]]
) -> None:
    before = Customer.objects.filter(pk=customer.pk).values().get()
    answer = client.post(page("edit", customer.pk), form_data(**change))
    assert dict(answer.context["adminform"].form.errors) == errors
    assert Customer.objects.filter(pk=customer.pk).values().get() == before


def test_two_customers_without_a_number_are_no_conflict(boss: User, client: Client) -> None:
    for name in ("a", "b"):
        empty = dict.fromkeys(form_data(), "")
        assert client.post(page("add"), empty | {"nickname": name}).status_code == 302
    assert list(Customer.objects.values_list("external_id", flat=True)) == [None, None]


def test_merged_records_are_signposts(boss: User, client: Client, customer: Customer) -> None:
    other = Customer.objects.create(nickname="x")
    Customer.objects.filter(pk=other.pk).update(state="merged", merged_into=customer)
    shown = client.get(page("change", other.pk))
    assert shown.context["survivor"] == customer
    assert (shown.context["edit_url"], shown.context["merge_url"]) == ("", "")
    assert client.get(page("edit", other.pk)).status_code == 403


# -- consents and holds
def test_consent_and_hold_by_form(boss: User, client: Client, customer: Customer) -> None:
    consent = page("consent", customer.pk)
    prefilled = client.get(consent + "?purpose=survey&channel=sms&granted=no").context["form"].initial
    assert prefilled == {"purpose": "survey", "channel": "sms", "granted": "no"}
    assert ConsentEvent.objects.count() == 0
    data = {
        "purpose": "survey",
        "channel": "sms",
        "granted": "yes",
        "source": "counter",
        "text_version": "",
        "evidence": "",
    }
    refused = client.post(consent, data)
    assert dict(refused.context["form"].errors) == {
        "text_version": ["Name the wording the customer agreed to."]
    }
    assert client.post(consent, data | {"text_version": "2026-01"}).status_code == 302
    row = ConsentEvent.objects.get()
    assert (row.customer, row.purpose, row.channel, row.granted, row.by) == (
        customer,
        "survey",
        "sms",
        True,
        boss,
    )

    assert client.post(page("hold", customer.pk), {"reason": "lawsuit", "ends_at": ""}).status_code == 302
    hold = ContactHold.objects.get()
    release = page("release", customer.pk, hold.pk)
    client.get(release)
    hold.refresh_from_db()
    assert hold.released_at is None
    client.post(release)
    hold.refresh_from_db()
    assert hold.released_at is not None


# -- merging
def test_merge_by_preview_and_undo_by_button(boss: User, client: Client, customer: Customer) -> None:
    other = Customer.objects.create(nickname="夜风", phone=PHONE)
    Order.objects.create(order_no="M1", customer=other)
    assert client.get(page("change", customer.pk)).context["same"] == [other]
    find = page("merge", customer.pk)
    assert client.get(find).context["likely"] == [other]
    assert client.post(find, {"other": "夜"}).context["found"] == [other]
    assert dict(client.post(find, {"other": "nobody"}).context["form"].errors) == {
        "other": ["Nobody else was found by this."]
    }
    address = page("merge_with", customer.pk, other.pk)
    preview = client.get(address)
    assert (preview.context["source"], preview.context["target"], preview.context["plan"].rows) == (
        other,
        customer,
        1,
    )
    turned = client.get(address + f"?stays={other.pk}")
    assert (turned.context["source"], turned.context["target"]) == (customer, other)
    assert CustomerMerge.objects.count() == 0
    client.post(address, {"stays": customer.pk, "reason": ""})
    assert CustomerMerge.objects.count() == 0
    done = client.post(address, {"stays": customer.pk, "reason": "same phone, asked by call"})
    assert done["Location"] == page("change", customer.pk)
    record = CustomerMerge.objects.get()
    assert (record.source, record.target, record.by) == (other, customer, boss)
    assert Order.objects.get().customer == customer
    undo = reverse("admin:customers_customermerge_undo", args=[record.pk])
    client.get(undo)
    assert Order.objects.get().customer == customer
    assert client.post(undo)["Location"] == page("change", other.pk)
    assert Order.objects.get().customer == other
    again = client.post(undo)
    assert again["Location"] == reverse("admin:customers_customermerge_change", args=[record.pk])


def test_undoing_a_merge_tells_what_stays(boss: User, client: Client, customer: Customer) -> None:
    other, third = (Customer.objects.create(nickname=name) for name in ("夜风", "晨风"))
    Order.objects.bulk_create(Order(order_no=f"M{n}", customer=other) for n in range(3))
    record = merging.merge(source=other, target=customer, by=boss, now=datetime.now(UTC), reason="同一人")
    Order.objects.filter(order_no="M1").update(customer=third)
    undo = reverse("admin:customers_customermerge_undo", args=[record.pk])
    told = [str(message) for message in client.post(undo, follow=True).context["messages"]]
    assert told == [
        "Undone: 2 rows went back.",
        "1 row was changed since and stays where it is.",
    ]


# -- orders
def test_orders_are_found_by_their_whole_number_only(boss: User, client: Client, customer: Customer) -> None:
    order = Order.objects.create(order_no="2026112200012345", customer=customer)
    address = "/admin/customers/order/"
    assert list(client.get(address, {"q": "2026112200012345"}).context["cl"].result_list) == [order]
    assert list(client.get(address, {"q": "20261122"}).context["cl"].result_list) == []


def test_store_staff_see_their_stores_orders(cast: Cast, client: Client, customer: Customer) -> None:
    mine = Order.objects.create(order_no="1", customer=customer, store=cast.store)
    theirs = Order.objects.create(order_no="2", customer=customer, store=make_store("elsewhere"))
    client.force_login(cast.sue)
    assert list(client.get("/admin/customers/order/").context["cl"].result_list) == [mine]
    missing = client.get(reverse("admin:customers_order_change", args=[theirs.pk]))
    assert missing.status_code == 302, "the admin sends people back from what they cannot see"
