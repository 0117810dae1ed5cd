"""Feedback that names an order before the shop's own system sends it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from apps.customers import signals
from apps.customers.models import Customer, Order
from apps.customers.services.upsert import upsert_orders
from apps.feedback.models import Feedback
from apps.feedback.services.orders import link_orders, link_recent
from tests.factories import NOW, Cast, case, make_store, queries, take, voice

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=2)


@pytest.fixture
def write(django_capture_on_commit_callbacks: Any) -> Callable[..., None]:
    """Writes orders as the API does and lets happen what follows the commit."""

    def run(*orders: dict[str, Any], now: Any = LATER) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            upsert_orders(orders=orders, now=now)

    return run


def links(*outcomes: Any) -> list[tuple[Any, Any, Any]]:
    """(order number, customer's number, store code) of each."""
    rows = Feedback.objects.in_bulk([outcome.feedback_id for outcome in outcomes])
    return [
        (
            row.order.order_no if row.order else None,
            row.customer.external_id if row.customer else None,
            row.store.code if row.store else None,
        )
        for row in (rows[outcome.feedback_id] for outcome in outcomes)
    ]


def test_an_order_that_comes_later_finds_its_feedback(cast: Cast, write: Callable[..., None]) -> None:
    make_store("far")
    said = take(
        voice(order_no="o1"),
        voice(order_no="o1", store="far", customer={"phone": "13800001234"}),
        voice(order_no="o2"),
        voice(order_no="o3"),
        voice(),
    )
    own = Customer.objects.get(phone="13800001234")
    Customer.objects.filter(pk=own.pk).update(external_id="own")
    # Half of it first, and one order that nobody named.
    write(
        {"order_no": "o1", "store": cast.store.code, "customer": {"external_id": "c1"}},
        {"order_no": "o2"},
        {"order_no": "o9", "store": "far"},
    )
    assert links(*said) == [
        ("o1", "c1", "renmin"),
        ("o1", "own", "far"),
        ("o2", None, None),
        (None, None, None),
        (None, None, None),
    ]
    assert {case(o.feedback_id).updated_at for o in said} == {NOW, LATER}
    # An order that comes again unchanged finds what came between; what is linked stays as it is.
    (fourth,) = take(voice(order_no="o3"))
    write({"order_no": "o3"})
    before = list(Feedback.objects.order_by("pk").values())
    write({"order_no": "o3"}, {"order_no": "o1", "customer": {"external_id": "c5"}}, now=LATER + timedelta(1))
    assert links(said[3], fourth) == [("o3", None, None)] * 2
    assert list(Feedback.objects.order_by("pk").values()) == before


def test_nothing_is_linked_before_the_orders_are_committed(
    cast: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    (said,) = take(voice(order_no="o1"))
    with django_capture_on_commit_callbacks() as callbacks:
        upsert_orders(orders=[{"order_no": "o1"}, {"order_no": "o2", "store": "nowhere"}], now=LATER)
    assert links(said) == [(None, None, None)]
    assert len(callbacks) == 1
    callbacks[0]()
    assert links(said) == [("o1", None, None)]


def test_fifty_orders_ask_what_one_asks(cast: Cast) -> None:
    def cost(code: str, count: int) -> int:
        numbers = [f"{code}{n}" for n in range(count)]
        take(*(voice(order_no=number) for number in numbers))
        Order.objects.bulk_create(Order(order_no=number, store=cast.store) for number in numbers)
        ids = list(Order.objects.filter(order_no__in=numbers).values_list("pk", flat=True))
        with queries() as captured:
            assert link_orders(order_ids=ids, now=LATER) == count
        return len(captured)

    assert cost("a", 1) == cost("b", 50)


def test_what_was_written_at_the_same_moment_is_linked_a_little_later(cast: Cast) -> None:
    said = [
        *take(voice(order_no="o1"), now=NOW - timedelta(minutes=59)),
        *take(voice(order_no="o2"), now=NOW - timedelta(minutes=61)),
    ]
    # Without the signal: as if each transaction had not yet seen the other.
    for number in ("o1", "o2"):
        Order.objects.create(order_no=number)
    assert link_recent(now=NOW) == 1
    assert [number for number, _customer, _store in links(*said)] == ["o1", None]
    assert link_recent(now=NOW) == 0


def test_a_listener_that_fails_does_not_fail_the_order(write: Callable[..., None]) -> None:
    def broken(sender: Any, **values: Any) -> None:
        raise RuntimeError("listener fell over")

    signals.orders_written.connect(broken)
    try:
        write({"order_no": "o1"})
    finally:
        signals.orders_written.disconnect(broken)
    assert Order.objects.count() == 1
