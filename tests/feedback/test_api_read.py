"""GET feedback/ and feedback/{id}/: pages, filters, masking, who sees what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.core.models import ActionLog
from apps.customers.models import Customer
from apps.feedback.api.serializers import FeedbackOut
from apps.feedback.incoming import IncomingCustomer, IncomingFeedback
from apps.feedback.models import Feedback
from apps.feedback.services.intake import take_in
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

PHONE = "13812345678"


def brought(*items: IncomingFeedback, now: Any = None) -> list[Feedback]:
    """Feedback taken in, in order."""
    outcomes = take_in(items, source="api", now=now or datetime.now(UTC))
    assert [outcome.state for outcome in outcomes] == ["created"] * len(items)
    found = Feedback.objects.in_bulk([outcome.feedback_id for outcome in outcomes])
    return [found[outcome.feedback_id] for outcome in outcomes]


def ids(answer: Any) -> list[int]:
    """The ids of a page."""
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


# -- pages ---------------------------------------------------------------------------------------------------
def test_pages_lose_and_repeat_nothing_when_all_arrived_at_one_moment(client: Client) -> None:
    made = brought(*[IncomingFeedback("taobao", f"第{i}次来问") for i in range(25)])
    seen, links, answer = [], [], client.read("feedback/", page_size=4)
    while True:
        seen += ids(answer)
        links.append(answer.json()["previous"])
        if not answer.json()["next"]:
            break
        answer = client.get(answer.json()["next"])
    assert seen == sorted((row.pk for row in made), reverse=True)
    assert links[0] is None and all(links[1:])
    back = client.get(links[3])
    assert ids(back) == seen[8:12]
    first = client.get(client.get(links[1]).json()["previous"] or links[1])
    assert ids(first) == seen[:4]


def test_pages_go_by_arrival_before_number(client: Client) -> None:
    now = datetime.now(UTC)
    (late,) = brought(IncomingFeedback("taobao", "一"), now=now)
    (early,) = brought(IncomingFeedback("taobao", "二"), now=now - timedelta(hours=1))
    answer = client.read("feedback/", page_size=1)
    assert ids(answer) == [late.pk]
    assert ids(client.get(answer.json()["next"])) == [early.pk]


def test_a_new_arrival_does_not_shift_the_pages(client: Client) -> None:
    made = brought(*[IncomingFeedback("taobao", f"第{i}次来问") for i in range(4)])
    answer = client.read("feedback/", page_size=2)
    brought(IncomingFeedback("taobao", "刚刚到"))
    assert ids(client.get(answer.json()["next"])) == [made[1].pk, made[0].pk]


@pytest.mark.parametrize(
    "cursor",
    ["x", "bm90IGpzb24", "WzFd", "WyJuIiwieCIsMV0", "8J+YgA", "WyJuIiwgIjIwMjYtMDEtMDFUMDA6MDA6MDAiLCAxXQ"],
)
def test_a_foreign_cursor_is_refused(client: Client, cursor: str) -> None:
    answer = client.read("feedback/", cursor=cursor)
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "cursor")


def test_page_size_is_bounded(client: Client) -> None:
    brought(*[IncomingFeedback("taobao", f"第{i}次来问") for i in range(210)])
    assert len(ids(client.read("feedback/", page_size=100_000))) == 200
    assert len(ids(client.read("feedback/", page_size="many"))) == 50


def test_a_page_costs_the_same_for_one_and_for_fifty(client: Client, shop: dict[str, Any]) -> None:
    def items(start: int, count: int) -> list[IncomingFeedback]:
        return [
            IncomingFeedback(
                "taobao",
                f"{A_TEXT}{i}",
                store="west",
                product_sku="MUG-1",
                customer=IncomingCustomer(external_id=f"c{i}", phone=f"138{i:08d}"),
            )
            for i in range(start, start + count)
        ]

    brought(*items(0, 1))
    one, few = counted(lambda: client.read("feedback/"))
    brought(*items(1, 49))
    fifty, many = counted(lambda: client.read("feedback/"))
    assert (len(ids(one)), len(ids(fifty))) == (1, 50)
    assert len(many) == len(few) == 3, many


# -- filters -------------------------------------------------------------------------------------------------
@pytest.fixture
def three(client: Client, shop: dict[str, Any]) -> dict[str, Feedback]:
    """A food poisoning in the west, a question in the east on another channel, an old one."""
    now = datetime.now(UTC)
    (old,) = brought(IncomingFeedback("jd", "物流太慢了", external_id="old"), now=now - timedelta(days=3))
    sick, asks = brought(
        IncomingFeedback("taobao", S_TEXT, store="west", product_sku="MUG-1"),
        IncomingFeedback("hotline", INQUIRY, store="east", customer=IncomingCustomer(phone=PHONE)),
        now=now,
    )
    Feedback.objects.filter(pk=sick.pk).update(assignee=shop["ana"])
    Feedback.objects.filter(pk=asks.pk).update(assignee=shop["ben"])
    return {"old": old, "sick": sick, "asks": asks}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["asks", "sick", "old"]),
        ({"tier": "S"}, ["sick"]),
        ({"tier": ["S", "B"]}, ["asks", "sick"]),
        ({"kind": "inquiry"}, ["asks"]),
        ({"status": "assigned"}, ["asks", "sick", "old"]),
        ({"status": "closed"}, []),
        ({"category": "SAFETY"}, ["sick"]),
        ({"category": "SAFETY_FOOD"}, ["sick"]),
        ({"channel": "hotline"}, ["asks"]),
        ({"store": "west"}, ["sick"]),
        ({"product": "MUG-1"}, ["sick"]),
        ({"product": "none"}, []),
        ({"assignee": "ben"}, ["asks"]),
        ({"external_id": "old"}, ["old"]),
        ({"q": "中毒"}, ["sick"]),
        ({"q": PHONE}, ["asks"]),
        ({"q": "不存在的词"}, []),
        ({"tier": "S", "store": "east"}, []),
    ],
)
def test_filters(client: Client, three: dict[str, Feedback], query: dict, found: list[str]) -> None:
    query = query | ({"tier": query["tier"]} if "tier" in query else {})
    expected = [three[name].pk for name in found]
    if query.get("tier") == ["S", "B"]:
        expected = [row.pk for row in (three["asks"], three["sick"], three["old"]) if row.tier in "SB"]
    assert ids(client.read("feedback/", **query)) == expected


def test_received_range(client: Client, three: dict[str, Feedback]) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert ids(client.read("feedback/", received_after=yesterday)) == [three["asks"].pk, three["sick"].pk]
    assert ids(client.read("feedback/", received_before=yesterday)) == [three["old"].pk]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"tier": "X"}, "tier"),
        ({"status": "open"}, "status"),
        ({"kind": "rant"}, "kind"),
        ({"sentiment": "sad"}, "sentiment"),
        ({"category": "NOPE"}, "category"),
        ({"channel": "nope"}, "channel"),
        ({"store": "nope"}, "store"),
        ({"received_after": "yesterday"}, "received_after"),
        ({"q": "x" * 201}, "q"),
        ({"q": "\x00"}, "q"),
        ({"external_id": "\x00"}, "external_id"),
        ({"product": "\x00"}, "product"),
        ({"assignee": "\x00"}, "assignee"),
        ({"category": "\x00"}, "category"),
    ],
)
def test_a_mistaken_filter_is_refused_not_answered_empty(client: Client, query: dict, field: str) -> None:
    answer = client.read("feedback/", **query)
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, field), answer.content


# -- one, and masking ----------------------------------------------------------------------------------------
@pytest.fixture
def personal(shop: dict[str, Any]) -> Feedback:
    """A text with a phone in it, by somebody with a name."""
    (row,) = brought(
        IncomingFeedback(
            "taobao",
            f"请打我电话{PHONE}，订单号2024010112345678",
            order_no="2024010112345678",
            store="west",
            customer=IncomingCustomer(external_id="anna", nickname="安娜13812345678", phone=PHONE),
        )
    )
    Customer.objects.update(name="王小明")
    return row


def test_a_case_is_masked(client: Client, personal: Feedback) -> None:
    body = client.read(f"feedback/{personal.pk}/").json()
    assert set(body) == set(FeedbackOut().fields)
    assert body["text"] == "请打我电话138****5678，订单号****5678"
    assert body["order_no"] == "****5678"
    assert body["customer"] == {
        "id": personal.customer_id,
        "external_id": None,
        "name": "王**",
        "phone": "138****5678",
        "member_tier": "",
    }
    assert PHONE not in str(client.read(f"feedback/{personal.pk}/").content)
    assert PHONE not in str(client.read("feedback/").content)
    assert not ActionLog.objects.filter(verb="read_whole").exists()


def test_the_unmask_scope_shows_it_whole_and_leaves_a_log_row(client_for: Any, personal: Feedback) -> None:
    whole = client_for(["feedback:read", "customers:unmask"])
    body = whole.read(f"feedback/{personal.pk}/").json()
    assert PHONE in body["text"] and body["customer"]["phone"] == PHONE
    assert (body["customer"]["name"], body["order_no"]) == ("王小明", "2024010112345678")
    log = ActionLog.objects.get(verb="read_whole")
    assert (log.via, log.data) == ("api:erp", {"model": "feedback.feedback", "ids": [personal.pk]})


def test_a_token_bound_to_stores_sees_only_theirs(client_for: Any, three: dict[str, Feedback]) -> None:
    bound = client_for(["feedback:read", "feedback:write", "feedback:move"], ["west"])
    assert ids(bound.read("feedback/")) == [three["sick"].pk]
    assert bound.read(f"feedback/{three['sick'].pk}/").status_code == 200
    for answer in (
        bound.read(f"feedback/{three['asks'].pk}/"),
        bound.change(f"feedback/{three['asks'].pk}/", {"tier": "S"}),
        bound.send(f"feedback/{three['asks'].pk}/moves/", {"verb": "close"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("pk", [0, 999_999_999, 10**19, 10**40])
def test_what_is_not_there_is_404(client: Client, pk: int) -> None:
    answer = client.read(f"feedback/{pk}/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_other_methods_are_405(client: Client) -> None:
    assert client.put("/api/v1/feedback/", {}, format="json").status_code == 405
    assert client.delete("/api/v1/feedback/1/").status_code == 405
    assert client.read("feedback/bulk/").status_code == 405
