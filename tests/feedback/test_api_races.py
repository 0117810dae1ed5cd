"""What happens when callers meet. On PostgreSQL only: SQLite lets one writer in at a time."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection, connections

from apps.core.models import IdempotentRequest
from apps.customers.models import Customer, Order, OrderItem
from apps.feedback.models import Feedback
from apps.feedback.selectors.reference import forget_reference
from apps.shop.models import StockLevel
from tests.feedback.api_fixtures import A_TEXT, Client, load_shop, make_token

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL"),
]


def at_once(count: int, work: Any) -> list[Any]:
    """The answers of `count` threads that start together."""
    barrier, answers = threading.Barrier(count), []

    def run(number: int) -> None:
        try:
            barrier.wait()
            answers.append(work(number))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == count
    return answers


@pytest.mark.django_db(transaction=True)
def test_eight_writers_of_one_review_make_one_case() -> None:
    load_shop()
    key = make_token()[1]
    body = {
        "channel": "taobao",
        "text": A_TEXT,
        "external_id": "r1",
        "customer": {"external_id": "tb_anna", "phone": "13800138000"},
    }
    answers = at_once(8, lambda _number: Client(key).send("feedback/", body))
    assert sorted(a.status_code for a in answers) == [200] * 7 + [201]
    assert Feedback.objects.count() == 1 and Customer.objects.count() == 1
    assert len({a.json()["id"] for a in answers}) == 1
    forget_reference()


@pytest.mark.django_db(transaction=True)
def test_eight_calls_with_one_key_do_the_work_once() -> None:
    load_shop()
    key = make_token()[1]
    body = {"channel": "taobao", "text": A_TEXT}
    answers = at_once(8, lambda _number: Client(key).send("feedback/", body, idempotency_key="k1"))
    assert Feedback.objects.count() == 1
    assert IdempotentRequest.objects.get().status == 201
    states = sorted((a.status_code, a.headers.get("Idempotent-Replayed", "")) for a in answers)
    assert states.count((201, "")) == 1
    assert {code for code, _replayed in states} <= {201, 409}
    forget_reference()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["customers/", "orders/", "stock/"])
def test_eight_writers_of_the_same_new_numbers_make_each_once(path: str) -> None:
    load_shop()
    key = make_token()[1]
    bodies = {
        "customers/": [
            {"external_id": f"c{i}", "name": f"n{i}", "phone": f"1380000000{i}"} for i in range(6)
        ],
        "orders/": [
            {"order_no": f"o{i}", "items": [{"sku": "MUG-1"}], "customer": {"external_id": f"c{i}"}}
            for i in range(6)
        ],
        "stock/": [{"store": store, "sku": "MUG-1", "level": 5} for store in ("west", "east")],
    }
    body = bodies[path]
    # Half of them in the opposite order: the classic way into a dead-lock.
    answers = at_once(8, lambda number: Client(key).send(path, body if number % 2 else body[::-1]))
    assert [a.status_code for a in answers] == [200] * 8
    assert sum(a.json()["created"] for a in answers) == len(body)
    assert sum(a.json()["rejected"] for a in answers) == 0
    counts = (
        Customer.objects.count(),
        Order.objects.count(),
        OrderItem.objects.count(),
        StockLevel.objects.count(),
    )
    assert counts == {"customers/": (6, 0, 0, 0), "orders/": (6, 6, 6, 0), "stock/": (0, 0, 0, 2)}[path]
    forget_reference()


@pytest.mark.django_db(transaction=True)
def test_eight_lists_of_the_same_reviews_in_both_orders_make_each_once() -> None:
    load_shop()
    key = make_token()[1]
    body = [
        {
            "channel": "taobao",
            "text": f"{A_TEXT}{i}",
            "external_id": f"r{i}",
            "customer": {"external_id": f"c{i}"},
        }
        for i in range(8)
    ]
    answers = at_once(
        8, lambda number: Client(key).send("feedback/bulk/", body if number % 2 else body[::-1])
    )
    assert [a.status_code for a in answers] == [200] * 8
    assert sum(a.json()["created"] for a in answers) == Feedback.objects.count() == 8
    assert Customer.objects.count() == 8
    forget_reference()
