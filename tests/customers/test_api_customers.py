"""customers/ and orders/: upsert by number, read masked."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from apps.core.models import ActionLog
from apps.customers.api.serializers import CustomerOut, OrderOut
from apps.customers.models import Customer, Order, OrderItem
from apps.feedback.incoming import IncomingCustomer, IncomingFeedback
from apps.feedback.services.intake import take_in
from tests.feedback.api_fixtures import (  # noqa: F401
    Client,
    api_client,
    clean_shop,
    counted,
    loaded_shop,
    other_clients,
)

PHONE = "13812345678"
ANNA = {
    "external_id": "c1",
    "name": "王小明",
    "nickname": "小明",
    "phone": PHONE,
    "email": "ming@example.org",
    "gender": "m",
    "city": "杭州",
    "member_tier": "gold",
    "birth_year": 1990,
    "birth_month": 5,
    "birth_day": 6,
    "birth_is_lunar": True,
    "tags": ["vip"],
    "note": f"电话{PHONE}",
}


def lines(answer: Any) -> list[tuple[str, str]]:
    """(status, code of the refusal) of each item."""
    assert answer.status_code == 200, answer.content
    return [(r["status"], r.get("error", {}).get("code", "")) for r in answer.json()["results"]]


# -- customers -----------------------------------------------------------------------------------------------
def test_a_customer_is_made_then_changed_then_unchanged(client: Client) -> None:
    made = client.send("customers/", ANNA)
    row = Customer.objects.get()
    assert (made.status_code, made.json()) == (201, {"index": 0, "status": "created", "id": row.pk})
    assert {name: getattr(row, name) for name in ANNA} == ANNA
    assert row.phone_hash and row.email_hash
    changed = client.send("customers/", {"external_id": "c1", "city": "上海", "shoe_size": 38})
    assert (changed.status_code, changed.json()["status"], changed.json()["ignored"]) == (
        200,
        "changed",
        ["shoe_size"],
    )
    assert client.send("customers/", {"external_id": "c1", "city": "上海"}).json()["status"] == "unchanged"
    row.refresh_from_db()
    assert (row.city, row.name, row.phone) == ("上海", "王小明", PHONE)
    assert [(h.history_type, h.city) for h in row.history.order_by("history_id")] == [
        ("+", "杭州"),
        ("~", "上海"),
    ]


def test_a_new_phone_can_be_found(client: Client) -> None:
    client.send("customers/", ANNA)
    client.send("customers/", {"external_id": "c1", "phone": "+86 139-0000-0000"})
    assert client.read("customers/", phone="13900000000").json()["results"][0]["external_id"] == "c1"
    assert client.read("customers/", phone=PHONE).json()["results"] == []


def test_a_list_with_repeats_and_mistakes(client: Client) -> None:
    answer = client.send(
        "customers/",
        {
            "items": [
                {"external_id": "c1", "name": "甲"},
                {"name": "nobody"},
                {"external_id": "c1", "name": "乙"},
                {"external_id": "c2", "birth_month": 13},
                {"external_id": "c3", "gender": "x"},
                {"external_id": "c1", "name": "乙"},
            ]
        },
    )
    assert lines(answer) == [
        ("created", ""),
        ("rejected", "required"),
        ("changed", ""),
        ("rejected", "max_value"),
        ("rejected", "invalid_choice"),
        ("unchanged", ""),
    ]
    row = Customer.objects.get()
    assert row.name == "乙" and {r["id"] for r in answer.json()["results"] if "id" in r} == {row.pk}


def test_a_number_takes_over_the_person_that_intake_made(client: Client) -> None:
    take_in(
        [IncomingFeedback("taobao", "杯子漏水", customer=IncomingCustomer(external_id="tb", phone=PHONE))],
        source="api",
        now=datetime.now(UTC),
    )
    person = Customer.objects.get()
    answer = client.send("customers/", {"external_id": "c1", "phone": PHONE, "name": "王小明"})
    assert (answer.json()["status"], answer.json()["id"]) == ("changed", person.pk)
    assert Customer.objects.values_list("external_id", "name").get() == ("c1", "王小明")
    # Another number with the same phone is another person: families share phones.
    assert client.send("customers/", {"external_id": "c2", "phone": PHONE}).json()["status"] == "created"


def test_two_unnumbered_people_behind_one_phone_are_not_guessed(client: Client) -> None:
    for _twice in range(2):
        Customer(phone=PHONE).save()
    assert client.send("customers/", {"external_id": "c1", "phone": PHONE}).json()["status"] == "created"
    assert Customer.objects.count() == 3


def test_masked_values_neither_find_nor_overwrite(client: Client) -> None:
    client.send("customers/", ANNA)
    answer = client.send(
        "customers/", {"external_id": "c1", "phone": "138****5678", "email": "m***@example.org"}
    )
    assert answer.json()["status"] == "unchanged"
    assert Customer.objects.values_list("phone", "email").get() == (PHONE, "ming@example.org")


def test_a_merged_number_means_whoever_it_was_merged_into(client: Client) -> None:
    target = Customer.objects.create(external_id="c2", name="乙")
    Customer.objects.create(external_id="c1", state="merged", merged_into=target)
    answer = client.send("customers/", {"external_id": "c1", "city": "上海"})
    assert (answer.json()["status"], answer.json()["id"]) == ("changed", target.pk)
    target.refresh_from_db()
    assert (target.external_id, target.city) == ("c2", "上海")


def test_a_merged_number_stays_with_its_record(client: Client) -> None:
    target = Customer.objects.create(name="乙")
    Customer.objects.create(external_id="c1", state="merged", merged_into=target)
    answer = client.send("customers/", {"external_id": "c1", "city": "上海"})
    assert (answer.json()["status"], answer.json()["id"]) == ("changed", target.pk)
    order = client.send("orders/", {"order_no": "o1", "customer": {"external_id": "c1"}})
    assert order.status_code == 201
    assert Order.objects.get().customer_id == target.pk
    target.refresh_from_db()
    assert (target.external_id, target.city) == (None, "上海")


@pytest.mark.parametrize(
    "known",
    [{"phone": PHONE}, {"email": "ming@example.org"}, {"external_id": "c1"}],
    ids=["phone", "email", "number"],
)
def test_what_a_merged_customer_was_known_by_leads_to_the_survivor(
    client: Client, client_for: Any, known: dict[str, str]
) -> None:
    target = Customer.objects.create(external_id="c9", phone="13900000000")
    middle = Customer.objects.create(state="merged", merged_into=target)
    gone = {"external_id": "c1", "phone": PHONE, "email": "ming@example.org"}
    Customer.objects.create(state="merged", merged_into=middle, **gone)
    assert client.send("orders/", {"order_no": "o1", "store": "west", "customer": known}).status_code == 201
    assert Order.objects.get().customer_id == target.pk
    for reader in (client, client_for(["customers:read"], ["west"])):
        assert [row["id"] for row in reader.read("customers/", **known).json()["results"]] == [target.pk]
    assert len(client.read("orders/", customer="c1").json()["results"]) == 1
    assert Customer.objects.count() == 3


def test_changes_by_both_names_of_one_person_meet(client: Client) -> None:
    target = Customer.objects.create(external_id="c2")
    Customer.objects.create(external_id="c1", state="merged", merged_into=target)
    client.send("customers/", [{"external_id": "c1", "city": "上海"}, {"external_id": "c2", "name": "乙"}])
    target.refresh_from_db()
    assert (target.city, target.name) == ("上海", "乙")


def test_an_unnumbered_survivor_takes_the_number_that_comes_with_the_old_phone(client: Client) -> None:
    target = Customer.objects.create(name="乙")
    for _twice in range(2):
        Customer.objects.create(phone=PHONE, state="merged", merged_into=target)
    answer = client.send("customers/", {"external_id": "c1", "phone": PHONE})
    assert (answer.json()["status"], answer.json()["id"]) == ("changed", target.pk)
    # Somebody who has the phone now comes first.
    living = Customer.objects.create(phone="13900000000")
    Customer.objects.create(phone="13900000000", state="merged", merged_into=target)
    client.send("orders/", {"order_no": "o1", "customer": {"phone": "13900000000"}})
    assert Order.objects.get().customer_id == living.pk


def test_merges_cost_the_same_for_one_and_for_fifty(client: Client) -> None:
    def people(prefix: str, count: int, *, merged: bool) -> list[dict[str, Any]]:
        for i in range(count):
            end = Customer.objects.create()
            if merged:
                Customer.objects.create(external_id=f"{prefix}{i}", state="merged", merged_into=end)
            else:
                Customer.objects.create(external_id=f"{prefix}{i}")
        return [{"external_id": f"{prefix}{i}", "name": "甲"} for i in range(count)]

    def cost(prefix: str, count: int, *, merged: bool) -> int:
        body = people(prefix, count, merged=merged)
        return len(counted(lambda: client.send("customers/", body))[1])

    plain, one, fifty = cost("a", 1, merged=False), cost("b", 1, merged=True), cost("c", 50, merged=True)
    assert one == plain + 1
    assert fifty <= one + (0 if connection.vendor == "postgresql" else 4)


@pytest.mark.parametrize("state", ["erased", "restricted"])
def test_erased_and_restricted_customers_are_not_filled(client: Client, state: str) -> None:
    Customer.objects.create(external_id="c1", state=state)
    answer = client.send("customers/", ANNA)
    assert (answer.status_code, answer.json()["code"]) == (422, f"customer_{state}")
    assert Customer.objects.values_list("name", "phone").get() == ("", "")


def test_customers_cost_the_same_for_one_and_for_fifty(client: Client) -> None:
    def people(prefix: str, count: int) -> list[dict[str, Any]]:
        return [{"external_id": f"{prefix}{i}", "name": "甲", "phone": f"138{i:08d}"} for i in range(count)]

    one = counted(lambda: client.send("customers/", people("a", 1)))[1]
    made, fifty = counted(lambda: client.send("customers/", people("b", 50)))
    assert made.json()["created"] == 50
    again, changed = counted(
        lambda: client.send("customers/", [p | {"city": "上海"} for p in people("b", 50)])
    )
    assert again.json()["changed"] == 50
    spare = 0 if connection.vendor == "postgresql" else 4
    assert len(fifty) <= len(one) + spare
    assert len(changed) <= len(one) + spare


def test_customers_are_masked(client: Client, client_for: Any) -> None:
    client.send("customers/", ANNA)
    pk = Customer.objects.get().pk
    body = client.read(f"customers/{pk}/").json()
    assert set(body) == set(CustomerOut().fields)
    assert (body["name"], body["phone"], body["email"], body["note"]) == (
        "王**",
        "138****5678",
        "m****@example.org",
        "电话138****5678",
    )
    assert (body["birth_year"], body["birth_month"], body["birth_day"]) == (None, 5, None)
    assert PHONE not in str(client.read("customers/").content)
    whole = client_for(["customers:read", "customers:unmask"]).read(f"customers/{pk}/").json()
    assert {name: whole[name] for name in ANNA} == ANNA
    assert ActionLog.objects.get(verb="read_whole").data == {"model": "customers.customer", "ids": [pk]}


def test_customer_filters_and_pages(client: Client) -> None:
    client.send("customers/", [ANNA, {"external_id": "c2", "email": "a@b.example"}, {"external_id": "c3"}])

    def found(**query: Any) -> list[str]:
        return [row["external_id"] for row in client.read("customers/", **query).json()["results"]]

    assert found() == ["c3", "c2", "c1"]
    assert found(external_id="c2") == found(email="A@b.example") == ["c2"]
    assert found(phone=PHONE) == found(member_tier="gold") == ["c1"]
    assert found(phone="nothing") == []
    page = client.read("customers/", page_size=2).json()
    assert [row["external_id"] for row in client.get(page["next"]).json()["results"]] == ["c1"]


def test_a_token_bound_to_stores_sees_who_ordered_there(client: Client, client_for: Any) -> None:
    client.send(
        "orders/",
        [
            {"order_no": "o1", "store": "west", "customer": {"external_id": "c1"}},
            {"order_no": "o2", "store": "east", "customer": {"external_id": "c2"}},
        ],
    )
    bound = client_for(["customers:read"], ["west"])
    assert [row["external_id"] for row in bound.read("customers/").json()["results"]] == ["c1"]
    assert [row["store"] for row in bound.read("orders/").json()["results"]] == ["west"]
    east = Order.objects.get(order_no="o2")
    assert bound.read(f"orders/{east.pk}/").status_code == 404
    assert bound.read(f"customers/{east.customer_id}/").status_code == 404


# -- orders --------------------------------------------------------------------------------------------------
ORDER = {
    "order_no": "2024010112345678",
    "channel": "taobao",
    "store": "west",
    "status": "shipped",
    "placed_at": "2026-01-01T10:00:00+08:00",
    "delivered_at": None,
    "total": "199.90",
    "carrier": "顺丰",
    "tracking_no": "SF1234567890",
    "customer": {"external_id": "c1", "nickname": "小明", "phone": PHONE},
    "items": [
        {"sku": "MUG-1", "quantity": 2, "price": "49.95", "batch": "B7"},
        {"sku": "UNKNOWN", "price": 100},
    ],
}


def test_an_order_is_made_with_lines_and_customer(client: Client, shop: dict[str, Any]) -> None:
    made = client.send("orders/", ORDER)
    order = Order.objects.select_related("customer").get()
    assert (made.status_code, made.json()) == (201, {"index": 0, "status": "created", "id": order.pk})
    assert (order.store, order.status, order.total, order.tracking_no) == (
        shop["west"],
        "shipped",
        Decimal("199.90"),
        "SF1234567890",
    )
    assert (order.customer.external_id, order.customer.phone) == ("c1", PHONE)
    assert list(order.items.order_by("id").values_list("sku", "product", "quantity", "price", "batch")) == [
        ("MUG-1", shop["product"].pk, 2, Decimal("49.95"), "B7"),
        ("UNKNOWN", None, 1, Decimal("100.00"), ""),
    ]


def test_an_order_again_is_unchanged_or_changed(client: Client) -> None:
    client.send("orders/", ORDER)
    kept = list(OrderItem.objects.order_by("id").values_list("id", flat=True))
    assert client.send("orders/", ORDER).json()["status"] == "unchanged"
    assert list(OrderItem.objects.order_by("id").values_list("id", flat=True)) == kept
    answer = client.send("orders/", {"order_no": ORDER["order_no"], "status": "delivered"})
    assert answer.json()["status"] == "changed"
    order = Order.objects.get()
    assert (order.status, order.carrier, order.items.count()) == ("delivered", "顺丰", 2)
    answer = client.send("orders/", {"order_no": ORDER["order_no"], "items": [{"sku": "MUG-1"}]})
    assert answer.json()["status"] == "changed"
    assert list(OrderItem.objects.values_list("sku", "quantity")) == [("MUG-1", 1)]
    assert client.send("orders/", {"order_no": ORDER["order_no"], "items": []}).json()["status"] == "changed"
    assert OrderItem.objects.count() == 0


def test_an_order_never_changes_a_customer(client: Client) -> None:
    client.send("customers/", ANNA)
    client.send(
        "orders/", ORDER | {"customer": {"external_id": "c1", "nickname": "别人", "phone": "13900000000"}}
    )
    assert Customer.objects.values_list("nickname", "phone").get() == ("小明", PHONE)


def test_an_order_finds_its_customer_by_phone(client: Client) -> None:
    client.send("customers/", ANNA)
    client.send("orders/", {"order_no": "o1", "customer": {"phone": PHONE}})
    client.send("orders/", {"order_no": "o2", "customer": {"nickname": "路人"}})
    assert list(Order.objects.order_by("order_no").values_list("customer__external_id", flat=True)) == [
        "c1",
        None,
    ]


@pytest.mark.parametrize("wrapped", [True, False])
def test_many_orders(client: Client, wrapped: bool) -> None:
    orders: list[Any] = [
        {"order_no": "o1", "items": [{"sku": "MUG-1"}], "customer": {"external_id": "c1"}},
        {"order_no": "o2", "store": "nowhere"},
        {"order_no": "o1", "items": [{"sku": "MUG-1"}, {"sku": "X"}], "status": "shipped"},
        {"order_no": "o3", "total": "NaN"},
        {"order_no": "o4", "total": "-1"},
        {"order_no": "o5", "items": [{"sku": "X", "quantity": 0}]},
        {"order_no": "o6", "total": 1e300},
        7,
    ]
    answer = client.send("orders/", {"items": orders} if wrapped else orders)
    assert lines(answer) == [
        ("created", ""),
        ("rejected", "unknown_store"),
        ("changed", ""),
        ("rejected", "invalid"),
        ("rejected", "min_value"),
        ("rejected", "min_value"),
        ("rejected", "max_digits"),
        ("rejected", "invalid"),
    ]
    order = Order.objects.get()
    assert (order.status, order.items.count(), order.customer.external_id) == ("shipped", 2, "c1")


def test_orders_cost_the_same_for_one_and_for_fifty(client: Client) -> None:
    def orders(prefix: str, count: int) -> list[dict[str, Any]]:
        return [
            ORDER
            | {
                "order_no": f"{prefix}{i}",
                "customer": {"external_id": f"{prefix}{i}", "phone": f"138{i:08d}"},
            }
            for i in range(count)
        ]

    one = counted(lambda: client.send("orders/", orders("a", 1)))[1]
    made, fifty = counted(lambda: client.send("orders/", orders("b", 50)))
    assert made.json()["created"] == 50
    assert len(fifty) <= len(one) + (0 if connection.vendor == "postgresql" else 4)


def test_a_bound_token_writes_orders_of_its_store_only(client: Client, client_for: Any) -> None:
    client.send("orders/", {"order_no": "east-1", "store": "east"})
    bound = client_for(["orders:write"], ["west"])
    answer = bound.send(
        "orders/",
        [
            {"order_no": "o1"},
            {"order_no": "o2", "store": "east"},
            {"order_no": "east-1", "status": "cancelled"},
            {"order_no": "east-1", "store": "west"},
        ],
    )
    assert lines(answer) == [("created", "")] + [("rejected", "not_permitted")] * 3
    assert Order.objects.get(order_no="o1").store.code == "west"
    assert Order.objects.values_list("status", "store__code").get(order_no="east-1") == ("placed", "east")


def test_orders_are_masked(client: Client, client_for: Any) -> None:
    client.send("orders/", ORDER)
    pk = Order.objects.get().pk
    body = client.read(f"orders/{pk}/").json()
    assert set(body) == set(OrderOut().fields)
    assert (body["order_no"], body["tracking_no"], body["total"]) == ("****5678", "****7890", "199.90")
    assert body["items"][0] == {"sku": "MUG-1", "quantity": 2, "price": "49.95", "batch": "B7"}
    whole = client_for(["customers:read", "customers:unmask"]).read(f"orders/{pk}/").json()
    assert (whole["order_no"], whole["tracking_no"]) == (ORDER["order_no"], ORDER["tracking_no"])
    assert [
        r["id"]
        for r in client.read("orders/", order_no=ORDER["order_no"], status="shipped").json()["results"]
    ] == [pk]
    assert client.read("orders/", customer="c1", placed_after="2026-01-02T00:00:00Z").json()["results"] == []


def test_a_page_of_orders_costs_the_same_for_one_and_for_fifty(client: Client) -> None:
    client.send("orders/", ORDER)
    few = counted(lambda: client.read("orders/"))[1]
    client.send("orders/", [ORDER | {"order_no": f"o{i}"} for i in range(49)])
    answer, many = counted(lambda: client.read("orders/"))
    assert len(answer.json()["results"]) == 50 and len(many) == len(few) == 3
