"""POST feedback/ and feedback/bulk/."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection

from apps.core.models import ActionLog, StaffNotice
from apps.customers.models import Customer, CustomerIdentity, Order, OrderItem
from apps.feedback.api.serializers import TakenOut
from apps.feedback.models import Entry, Feedback, FeedbackChange, SlaClock
from apps.feedback.selectors.reference import forget_reference
from apps.shop.models import TeamMember, WorkItem
from tests.feedback.api_fixtures import (  # noqa: F401
    A_TEXT,
    INQUIRY,
    S_TEXT,
    Client,
    api_client,
    clean_shop,
    counted,
    loaded_shop,
    other_clients,
)


def rows() -> dict[str, int]:
    """How many rows there are of everything a POST can make."""
    models = (Feedback, SlaClock, ActionLog, Customer, CustomerIdentity, WorkItem, StaffNotice, Entry)
    return {model.__name__: model.objects.count() for model in models}


# -- one -----------------------------------------------------------------------------------------------------
def test_channel_and_text_are_enough(client: Client) -> None:
    answer = client.send("feedback/", {"channel": "taobao", "text": S_TEXT})
    row = Feedback.objects.get()
    body = answer.json()
    assert answer.status_code == 201
    assert set(body) == set(TakenOut().fields)
    assert (body["id"], body["number"]) == (row.pk, f"F{row.pk:07d}")
    assert (body["tier"], body["kind"], body["outcome"], body["ignored"]) == ("S", "complaint", "created", [])
    assert (body["category"], body["subcategory"]) == ("SAFETY", "SAFETY_FOOD")
    assert (body["status"], row.source, row.status) == ("assigned", "api", "assigned")
    assert body["assignee"] == row.assignee.username and body["assignee_name"] == row.assignee.name
    assert [(d["kind"], d["state"]) for d in body["deadlines"]] == [
        (clock.kind, "running") for clock in row.clocks.order_by("id")
    ]
    assert body["due_at"] == min(d["due_at"] for d in body["deadlines"])
    assert body["similar_to"] is None


def test_every_field_reaches_the_case(client: Client, shop: dict[str, Any]) -> None:
    first = client.send("feedback/", {"channel": "taobao", "text": "还行", "external_id": "r0"}).json()
    order = Order.objects.create(order_no="2024010112345678")
    answer = client.send(
        "feedback/",
        {
            "channel": "taobao",
            "text": A_TEXT,
            "external_id": "r1",
            "rating": 1,
            "posted_at": "2026-01-01T10:00:00+08:00",
            "store": "西湖",
            "product_sku": "MUG-1",
            "order_no": order.order_no,
            "follow_up_to": "r0",
            "kind": "suggestion",
            "customer": {
                "external_id": "tb_anna",
                "nickname": "anna",
                "phone": "13800138000",
                "email": "a@b.cn",
                "shoe_size": 38,
            },
            "images": ["https://a.example/1.jpg"],
            "transcript": [{"who": "客服", "at": "2026-01-01T10:00:00+08:00", "text": "您好"}],
            "colour": "red",
        },
    )
    row = Feedback.objects.get(external_id="r1")
    assert answer.status_code == 201
    assert answer.json()["ignored"] == ["customer.shoe_size", "colour"]
    assert (row.rating, row.store, row.product, row.order) == (1, shop["west"], shop["product"], order)
    assert (row.parent_id, row.kind, row.image_urls) == (
        first["id"],
        "suggestion",
        ["https://a.example/1.jpg"],
    )
    assert row.posted_at.isoformat() == "2026-01-01T02:00:00+00:00"
    assert (row.customer.phone, row.customer.email) == ("13800138000", "a@b.cn")
    assert row.customer.identities.get().external_id == "tb_anna"
    assert [(e.speaker, e.text) for e in row.entries.all()] == [("客服", "您好")]


def test_the_same_again_is_unchanged_and_a_later_version_is_kept(client: Client) -> None:
    body = {"channel": "taobao", "text": "还行", "external_id": "r1", "rating": 3}
    first = client.send("feedback/", body)
    again = client.send("feedback/", body)
    later = client.send("feedback/", body | {"rating": 5, "text": "客服处理了，改好评"})
    assert [r.status_code for r in (first, again, later)] == [201, 200, 200]
    assert [r.json()["outcome"] for r in (first, again, later)] == ["created", "unchanged", "changed"]
    assert len({r.json()["id"] for r in (first, again, later)}) == 1
    assert FeedbackChange.objects.values_list("old_rating", "new_rating").get() == (3, 5)


def test_equal_text_by_another_author_is_linked(client: Client) -> None:
    first = client.send("feedback/", {"channel": "taobao", "text": A_TEXT}).json()
    second = client.send("feedback/", {"channel": "taobao", "text": A_TEXT}).json()
    assert second["similar_to"] == first["id"] and second["outcome"] == "created"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"channel": "nowhere"}, "unknown_channel", "channel"),
        ({"text": " \n　"}, "text_missing", "text"),
        ({"text": "好" * 100_001}, "text_too_long", "text"),
        ({"rating": 0}, "bad_rating", "rating"),
        ({"rating": 6}, "bad_rating", "rating"),
        ({"posted_at": "2999-01-01T00:00:00Z"}, "future_date", "posted_at"),
        ({"store": "nowhere"}, "unknown_store", "store"),
        ({"kind": "rant"}, "unknown_kind", "kind"),
    ],
)
def test_a_rule_answers_422_and_changes_nothing(client: Client, change: dict, code: str, field: str) -> None:
    before = rows()
    answer = client.send("feedback/", {"channel": "taobao", "text": A_TEXT} | change)
    problem = answer.json()
    assert answer.status_code == problem["status"] == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert (problem["code"], problem["errors"][0]["attr"]) == (code, field)
    assert rows() == before


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"text": None}, "text", "null"),
        ({"text": ["a"]}, "text", "invalid"),
        ({"text": {"a": 1}}, "text", "invalid"),
        ({"text": True}, "text", "invalid"),
        ({"text": "nul\x00"}, "text", "null_characters_not_allowed"),
        ({"channel": 5 * "0123456789"}, "channel", "max_length"),
        ({"rating": "five"}, "rating", "invalid"),
        ({"rating": 4.5}, "rating", "invalid"),
        ({"rating": True}, "rating", "invalid"),
        ({"rating": 10**300}, "rating", "max_value"),
        ({"rating": -(10**30)}, "rating", "min_value"),
        ({"posted_at": "yesterday"}, "posted_at", "invalid"),
        ({"posted_at": 10**18}, "posted_at", "invalid"),
        ({"posted_at": "0001-01-01T00:00:00"}, "posted_at", "out_of_range"),
        ({"posted_at": "9999-12-31T23:59:59-12:00"}, "posted_at", "overflow"),
        ({"external_id": "x" * 121}, "external_id", "max_length"),
        ({"external_id": ["x"]}, "external_id", "invalid"),
        ({"customer": "anna"}, "customer", "invalid"),
        ({"customer": {"email": "no"}}, "customer.email", "invalid"),
        ({"customer": {"phone": "1" * 31}}, "customer.phone", "max_length"),
        ({"images": "https://a.example/"}, "images", "not_a_list"),
        ({"images": ["javascript:alert(1)"]}, "images.0", "invalid"),
        ({"images": ["https://a.example/"] * 51}, "images", "max_length"),
        ({"transcript": [{"who": "a"}]}, "transcript.0.text", "required"),
        ({"transcript": {"who": "a"}}, "transcript", "not_a_list"),
    ],
)
def test_the_wrong_shape_answers_400_for_the_field(
    client: Client, change: dict, field: str, code: str
) -> None:
    before = rows()
    answer = client.send("feedback/", {"channel": "taobao", "text": A_TEXT} | change)
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (400, 400, "invalid")
    assert problem["errors"][0]["attr"] == field, problem
    assert code in [e["code"] for e in problem["errors"]]
    assert rows() == before


def test_what_is_missing_is_named(client: Client) -> None:
    answer = client.send("feedback/", {})
    assert answer.status_code == 400
    assert [(e["attr"], e["code"]) for e in answer.json()["errors"]] == [
        ("channel", "required"),
        ("text", "required"),
    ]


RAW = [
    b"",
    b"{",
    b"null",
    b"5",
    b'"text"',
    b"[]",
    b"[1,2]",
    b"\xff\xfe",
    b'{"channel": "taobao", "text": "\\ud800"}',
    b'{"channel": "taobao", "text": "a", "rating": NaN}',
    b'{"channel": "taobao", "text": "a", "rating": Infinity}',
    b'{"channel": "taobao", "text": "a", "rating": 1e999}',
    b'{"channel": "taobao", "text": "a", "rating": ' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b'{"channel": {"$ne": 1}, "text": "a"}',
    b'{"channel": "taobao", "text": "a", "posted_at": {"a": []}}',
    b'{"channel": "taobao", "text": "a", "customer": [[]]}',
]


@pytest.mark.parametrize("raw", RAW, ids=[repr(raw[:24]) for raw in RAW])
@pytest.mark.parametrize("path", ["feedback/", "customers/", "orders/", "stock/"])
def test_no_body_is_a_fault_of_ours(client: Client, raw: bytes, path: str) -> None:
    before = rows()
    answer = client.generic("POST", f"/api/v1/{path}", raw, content_type="application/json")
    assert rows() == before
    if raw == b"[1,2]" and path != "feedback/":
        assert (answer.status_code, answer.json()["rejected"]) == (200, 2)
        return
    assert answer.status_code in (400, 422), answer.content[:300]
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("raw", RAW, ids=[repr(raw[:24]) for raw in RAW])
def test_no_bulk_body_is_a_fault_of_ours(client: Client, raw: bytes) -> None:
    answer = client.generic("POST", "/api/v1/feedback/bulk/", raw, content_type="application/json")
    assert answer.status_code == 400 or answer.json()["created"] == 0
    assert Feedback.objects.count() == 0


def test_another_charset_or_type_is_refused_cleanly(client: Client) -> None:
    body = json.dumps({"channel": "taobao", "text": "hi"}).encode("utf-16")
    answer = client.generic(
        "POST", "/api/v1/feedback/", body, content_type="application/json; charset=utf-16"
    )
    assert answer.status_code == 400
    answer = client.generic("POST", "/api/v1/feedback/", b"a=b", content_type="text/plain")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_body_that_is_too_large_is_refused(client: Client) -> None:
    body = b'{"channel": "taobao", "text": "' + b"a" * (8 * 1024 * 1024) + b'"}'
    answer = client.generic("POST", "/api/v1/feedback/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_long_chinese_text_is_kept_whole(client: Client) -> None:
    text = "这个杯子漏水。" * 5000
    answer = client.send("feedback/", {"channel": "taobao", "text": text})
    assert answer.status_code == 201
    assert Feedback.objects.get().text == text


def test_masked_and_unreadable_phones_identify_nobody(client: Client) -> None:
    Customer.objects.create(nickname="without a phone")
    for phone in ("138****5678", "无", "138****5678"):
        answer = client.send("feedback/", {"channel": "taobao", "text": A_TEXT, "customer": {"phone": phone}})
        assert answer.status_code == 201
    assert list(Feedback.objects.values_list("customer_id", flat=True)) == [None, None, None]
    assert Customer.objects.count() == 1


# -- how much it costs ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "tier", "most"), [(A_TEXT, "S", 12), (S_TEXT, "S", 12), (INQUIRY, "B", 11)])
def test_channel_and_text_cost_at_most_twelve_queries(
    client: Client, text: str, tier: str, most: int
) -> None:
    client.send("feedback/", {"channel": "taobao", "text": text + "？"})
    answer, queries = counted(lambda: client.send("feedback/", {"channel": "taobao", "text": text}))
    assert (answer.status_code, answer.json()["tier"]) == (201, tier)
    assert answer.json()["assignee"] in ("ana", "ben")
    assert len(queries) == most <= 12, queries


def test_a_complaint_of_tier_a_costs_at_most_twelve_queries(client: Client) -> None:
    text = "衣服起球还褪色，跟描述不符，要求换货"
    client.send("feedback/", {"channel": "taobao", "text": text + "！"})
    answer, queries = counted(lambda: client.send("feedback/", {"channel": "taobao", "text": text}))
    assert answer.json()["tier"] == "A"
    assert len(queries) == 11, queries


def test_nobody_on_shift_costs_no_more(client: Client) -> None:
    TeamMember.objects.update(takes_work=False)
    forget_reference()
    client.send("feedback/", {"channel": "taobao", "text": S_TEXT + "！"})
    answer, queries = counted(lambda: client.send("feedback/", {"channel": "taobao", "text": S_TEXT}))
    assert (answer.json()["tier"], answer.json()["assignee"]) == ("S", None)
    assert len(queries) <= 12, queries


@pytest.mark.parametrize("text", [S_TEXT, "衣服起球还褪色，跟描述不符，要求换货", INQUIRY])
@pytest.mark.parametrize("by", ["product", "order"])
def test_all_references_cost_at_most_twenty_queries(client: Client, text: str, by: str) -> None:
    order = Order.objects.create(order_no="2024010112345678")
    OrderItem.objects.create(order=order, sku="MUG-1")
    client.send("feedback/", {"channel": "taobao", "text": "第一条", "external_id": "r0"})
    body = {
        "channel": "taobao",
        "text": text,
        "external_id": "r1",
        "rating": 1,
        "posted_at": "2026-01-01T10:00:00+08:00",
        "store": "west",
        "order_no": order.order_no,
        "follow_up_to": "r0",
        "kind": "complaint",
        "images": ["https://a.example/1.jpg"],
        "customer": {"external_id": "tb_anna", "nickname": "anna", "phone": "13800138000", "email": "a@b.cn"},
    }
    if by == "product":
        body["product_sku"] = "MUG-1"
    answer, queries = counted(lambda: client.send("feedback/", body))
    assert answer.status_code == 201
    assert len(queries) <= 20, queries
    known, queries = counted(
        lambda: client.send("feedback/", body | {"external_id": "r2", "text": text + "！"})
    )
    assert known.status_code == 201
    assert Customer.objects.count() == 1
    assert len(queries) <= 18, queries


# -- many ----------------------------------------------------------------------------------------------------
def test_one_bad_item_does_not_sink_the_others(client: Client) -> None:
    items: list[Any] = [
        {"channel": "taobao", "text": A_TEXT, "external_id": "r1"},
        {"channel": "taobao"},
        {"channel": "taobao", "text": A_TEXT, "rating": 9},
        "nonsense",
        {"channel": "taobao", "text": A_TEXT, "external_id": "r1"},
        {"channel": "taobao", "text": "改好评了", "external_id": "r1", "colour": "red"},
        {"channel": "taobao", "text": INQUIRY, "posted_at": "9999-12-31T23:59:59-12:00"},
    ]
    answer = client.send("feedback/bulk/", {"items": items})
    body = answer.json()
    assert answer.status_code == 200
    assert {k: body[k] for k in ("created", "unchanged", "changed", "rejected")} == {
        "created": 1,
        "unchanged": 1,
        "changed": 1,
        "rejected": 4,
    }
    results = body["results"]
    assert [r["index"] for r in results] == list(range(7))
    assert [r["status"] for r in results] == [
        "created",
        "rejected",
        "rejected",
        "rejected",
        "unchanged",
        "changed",
        "rejected",
    ]
    row = Feedback.objects.get()
    assert results[0] == {
        "index": 0,
        "status": "created",
        "id": row.pk,
        "number": row.number,
        "tier": row.tier,
    }
    assert results[1]["error"] == {"code": "required", "detail": "This field is required.", "attr": "text"}
    assert (results[2]["error"]["code"], results[2]["error"]["attr"]) == ("bad_rating", "rating")
    assert results[3]["error"]["code"] == "invalid"
    assert results[5]["ignored"] == ["colour"] and results[5]["id"] == row.pk


def test_a_bare_list_does_too(client: Client) -> None:
    answer = client.send("feedback/bulk/", [{"channel": "taobao", "text": f"第{i}条"} for i in range(3)])
    assert answer.json()["created"] == 3
    assert [r["id"] for r in answer.json()["results"]] == sorted(
        Feedback.objects.values_list("id", flat=True)
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "empty"),
        ({"items": []}, "empty"),
        ({}, "not_a_list"),
        ({"items": {"a": 1}}, "not_a_list"),
        ([{"channel": "taobao", "text": "a"}] * 1001, "too_many"),
    ],
)
def test_lists_that_cannot_be_taken(client: Client, body: Any, code: str) -> None:
    answer = client.send("feedback/bulk/", body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
    assert Feedback.objects.count() == 0


def test_bulk_costs_the_same_for_one_and_for_fifty(client: Client) -> None:
    def items(prefix: str, count: int) -> list[dict[str, Any]]:
        return [
            {
                "channel": "taobao",
                "text": f"{prefix}{i} {A_TEXT}",
                "external_id": f"{prefix}{i}",
                "store": "west",
                "product_sku": "MUG-1",
                "customer": {"external_id": f"{prefix}{i}", "phone": f"138{i:08d}"},
            }
            for i in range(count)
        ]

    client.send("feedback/bulk/", items("warm", 1))
    one, few = counted(lambda: client.send("feedback/bulk/", items("a", 1)))
    fifty, many = counted(lambda: client.send("feedback/bulk/", items("b", 50)))
    assert (one.json()["created"], fifty.json()["created"]) == (1, 50)
    if connection.vendor == "postgresql":
        # COPY is not counted; fetching 50 keys is one query more.
        assert len(many) <= len(few) + 1
    else:
        # SQLite takes at most 999 values in a statement, so wide rows go in several.
        assert len(many) <= len(few) + 15


def test_a_thousand_items(client: Client) -> None:
    answer = client.send(
        "feedback/bulk/",
        [{"channel": "taobao", "text": f"第{i}次来问", "external_id": str(i)} for i in range(1000)],
    )
    assert (answer.status_code, answer.json()["created"]) == (200, 1000)


# -- tokens bound to stores ----------------------------------------------------------------------------------
def test_a_token_bound_to_one_store_brings_feedback_of_that_store(
    client_for: Any, shop: dict[str, Any]
) -> None:
    bound = client_for(["feedback:write"], ["west"])
    assert bound.send("feedback/", {"channel": "taobao", "text": A_TEXT}).status_code == 201
    assert Feedback.objects.get().store == shop["west"]
    refused = bound.send("feedback/", {"channel": "taobao", "text": A_TEXT, "store": "east"})
    assert (refused.status_code, refused.json()["code"]) == (422, "not_permitted")
    assert Feedback.objects.count() == 1


def test_a_token_bound_to_stores_cannot_change_another_stores_review(client: Client, client_for: Any) -> None:
    client.send("feedback/", {"channel": "taobao", "text": A_TEXT, "external_id": "r1", "store": "east"})
    bound = client_for(["feedback:write"], ["west"], "west-only")
    answer = bound.send("feedback/bulk/", [{"channel": "taobao", "text": "好评", "external_id": "r1"}])
    assert answer.json()["results"][0]["error"]["code"] == "not_permitted"
    assert Feedback.objects.get().text == A_TEXT


def test_a_token_bound_to_two_stores_must_name_one(client_for: Any) -> None:
    answer = client_for(["feedback:write"], ["west", "east"]).send(
        "feedback/", {"channel": "taobao", "text": A_TEXT}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "store_missing")
