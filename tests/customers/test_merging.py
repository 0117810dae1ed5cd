"""Merging two records of one person, and making them two again."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.exceptions import (
    DomainError,
    IllegalMove,
    InvalidInput,
    NotPermitted,
    ReasonNeeded,
    StaleState,
)
from apps.core.models import ActionLog, User
from apps.customers.models import (
    ConsentEvent,
    ContactHold,
    Customer,
    CustomerIdentity,
    CustomerMerge,
    Order,
)
from apps.customers.registries import movers
from apps.customers.selectors import surviving
from apps.customers.services import merging
from tests.factories import NOW, Cast, arrive, make_user

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def clerk(db: None) -> User:
    user = make_user("clerk")
    user.user_permissions.set(Permission.objects.filter(codename="merge_customer"))
    return user


def person(number: int, *, rows: int = 2, **values: Any) -> Customer:
    """A customer with identities, orders, consents and a hold."""
    customer = Customer.objects.create(**values)
    for row in range(rows):
        CustomerIdentity.objects.create(
            customer=customer, channel="taobao", external_id=f"tb{number}-{row}", created_at=NOW
        )
        Order.objects.create(order_no=f"O{number}-{row}", customer=customer)
    return customer


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row that a merge may touch, without the moment of the last change."""
    labels = {mover.model for mover in movers} | {"customers.customer"}
    tables = {}
    for label in sorted(labels):
        rows = apps.get_model(label)._base_manager.order_by("pk").values()
        tables[label] = [{k: v for k, v in row.items() if k != "updated_at"} for row in rows]
    return tables


def merge(source: Customer, target: Customer, by: User, reason: str = "same phone") -> CustomerMerge:
    return merging.merge(source=source, target=target, by=by, now=NOW, reason=reason)


def test_every_relation_to_a_customer_is_decided() -> None:
    assert merging.undecided() == set()
    moved = {f"{mover.model}.{mover.field}" for mover in movers}
    assert moved & set(merging.NOT_MOVED) == set()
    assert set(merging.NOT_MOVED) <= merging.relations()
    assert {
        "customers.order.customer",
        "customers.customeridentity.customer",
        "customers.consentevent.customer",
        "customers.contacthold.customer",
        "feedback.feedback.customer",
    } <= moved


def test_rows_move_and_the_source_stays_as_a_signpost(clerk: User, cast: Cast) -> None:
    old = person(1, nickname="old", phone="13812345678", city="杭州", tags=["vip", "a"], external_id="C1")
    new = person(2, nickname="new", email="new@example.com", tags=["a"])
    case = arrive("A", customer={"phone": "13812345678"})
    assert case.customer_id == old.pk
    plan = merging.preview(source=old, target=new)
    record = merge(old, new, clerk)
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.state, old.merged_into_id, old.phone, old.external_id) == (
        "merged",
        new.pk,
        "13812345678",
        "C1",
    )
    assert (new.nickname, new.phone, new.email, new.city, new.tags, new.external_id) == (
        "new",
        "13812345678",
        "new@example.com",
        "杭州",
        ["a", "vip"],
        None,
    )
    assert new.phone_hash == old.phone_hash
    assert Order.objects.filter(customer=new).count() == 4
    assert CustomerIdentity.objects.filter(customer=new).count() >= 4
    case.refresh_from_db()
    assert case.customer_id == new.pk
    assert plan.rows == sum(len(ids) for ids in record.moved.values())
    assert set(record.filled) == {"phone", "city", "tags"}
    assert "13812345678" not in str(record.filled), "values are kept as keyed hashes only"
    assert "杭州" not in str(record.filled)
    assert surviving(old) == new
    logs = ActionLog.objects.filter(model="customers.customer", verb="merge")
    assert set(logs.values_list("object_id", flat=True)) == {old.pk, new.pk}
    assert old.history.first().history_user == clerk


texts = st.sampled_from(["", "甲", "乙"])
fields = st.fixed_dictionaries(
    {
        "nickname": texts,
        "name": texts,
        "gender": st.sampled_from(["", "f", "m"]),
        "phone": st.sampled_from(["", "13812345678", "13900000000"]),
        "email": st.sampled_from(["", "a@example.com", "b@example.com"]),
        "city": texts,
        "member_tier": st.sampled_from(["", "gold"]),
        "note": texts,
        "birth_year": st.sampled_from([None, 1990]),
        "birth_month": st.sampled_from([None, 3]),
        "birth_day": st.sampled_from([None, 14]),
        "birth_is_lunar": st.booleans(),
        "tags": st.lists(st.sampled_from(["x", "y", "z"]), unique=True, max_size=3),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=fields, other=fields, rows=st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_merge_and_undo_give_back_exactly_the_same_rows(
    clerk: User, one: dict[str, Any], other: dict[str, Any], rows: tuple[int, int]
) -> None:
    for model in (Order, CustomerIdentity, CustomerMerge, Customer):
        model.objects.all().delete()
    old, new = person(1, rows=rows[0], **one), person(2, rows=rows[1], **other)
    before = everything()
    record = merge(old, new, clerk)
    old.refresh_from_db()
    assert old.state == "merged"
    done = merging.undo(merge=record, by=clerk, now=LATER)
    assert everything() == before
    assert (done.left, done.kept_fields) == (0, ())
    again = merge(Customer.objects.get(pk=new.pk), Customer.objects.get(pk=old.pk), clerk)
    merging.undo(merge=again, by=clerk, now=LATER)
    assert everything() == before, "the other way round too"


def test_undo_leaves_what_changed_since(clerk: User) -> None:
    old = person(1, phone="13812345678", city="杭州", tags=["vip"])
    new = person(2)
    third = person(3)
    record = merge(old, new, clerk)
    moved = Order.objects.filter(customer=new, order_no__startswith="O1").first()
    Order.objects.filter(pk=moved.pk).update(customer=third)
    came = Order.objects.create(order_no="since", customer=new)
    fresh = Customer.objects.get(pk=new.pk)
    fresh.city, fresh.tags = "上海", ["vip", "own"]
    fresh.save()
    done = merging.undo(merge=record, by=clerk, now=LATER)
    moved.refresh_from_db()
    came.refresh_from_db()
    fresh.refresh_from_db()
    assert (done.returned, done.left) == (3, 1)
    assert len(done.kept_fields) == 1
    assert (moved.customer, came.customer_id) == (third, new.pk)
    assert (fresh.city, fresh.phone, fresh.phone_hash, fresh.tags) == ("上海", "", "", ["own"])
    record.refresh_from_db()
    assert (record.undone_at, record.undone_by) == (LATER, clerk)
    with pytest.raises(StaleState):
        merging.undo(merge=record, by=clerk, now=LATER)


def test_what_is_refused_changes_nothing(clerk: User) -> None:
    one, two, three = person(1), person(2), person(3)
    gone = person(4, state="erased")
    held = person(5, state="restricted")
    stranger = make_user("stranger")
    before = everything()
    refusals: list[tuple[type[DomainError], Customer, Customer, User, str]] = [
        (NotPermitted, one, two, stranger, "same"),
        (ReasonNeeded, one, two, clerk, " "),
        (InvalidInput, one, one, clerk, "same"),
        (IllegalMove, one, gone, clerk, "same"),
        (IllegalMove, held, two, clerk, "same"),
    ]
    for error, source, target, by, reason in refusals:
        with pytest.raises(error):
            merge(source, target, by, reason)
    assert (everything(), CustomerMerge.objects.count()) == (before, 0)

    merge(one, two, clerk)
    for source, target in ((one, two), (one, three), (two, one), (three, one)):
        with pytest.raises(StaleState):
            merge(source, target, clerk)
    assert CustomerMerge.objects.count() == 1


def test_chains_are_followed_and_undone_from_the_end(clerk: User) -> None:
    one, two, three = person(1), person(2), person(3)
    before = everything()
    first = merge(one, two, clerk)
    second = merge(two, three, clerk)
    assert surviving(Customer.objects.get(pk=one.pk)) == three
    assert Order.objects.filter(customer=three).count() == 6
    with pytest.raises(IllegalMove):
        merging.undo(merge=first, by=clerk, now=LATER)
    merging.undo(merge=second, by=clerk, now=LATER)
    merging.undo(merge=first, by=clerk, now=LATER)
    assert everything() == before


def test_rows_that_the_target_has_already_stay_and_are_named(
    clerk: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No table here has such a rule yet; recipients of campaigns and coupons will."""
    one, two = person(1), person(2)
    Order.objects.filter(order_no="O1-0").update(channel="jd")
    Order.objects.filter(order_no="O2-0").update(channel="jd")
    Order.objects.filter(order_no="O1-1").update(channel="pdd")
    real = merging._companions
    monkeypatch.setattr(
        merging, "_companions", lambda model, name: [("channel",)] if model is Order else real(model, name)
    )
    before = everything()
    plan = merging.preview(source=one, target=two)
    assert [count for _label, count in plan.stays] == [1]
    record = merge(one, two, clerk)
    assert list(Order.objects.filter(customer=one).values_list("order_no", flat=True)) == ["O1-0"]
    assert record.moved["customers.order.customer"] == [Order.objects.get(order_no="O1-1").pk]
    merging.undo(merge=record, by=clerk, now=LATER)
    assert everything() == before


def test_consents_and_holds_go_along(clerk: User) -> None:
    one, two = person(1, rows=0), person(2, rows=0)
    consent = ConsentEvent.objects.create(
        customer=one, purpose="survey", channel="sms", granted=False, source="call", at=NOW, by=clerk
    )
    hold = ContactHold.objects.create(customer=one, reason="lawsuit", starts_at=NOW, by=clerk)
    merge(one, two, clerk)
    consent.refresh_from_db()
    hold.refresh_from_db()
    assert (consent.customer, hold.customer) == (two, two)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_merges_of_one_source_at_once_one_wins() -> None:
    clerk = make_user("clerk", is_superuser=True)
    source, left, right = person(1), person(2), person(3)
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def run(target: Customer) -> None:
        try:
            barrier.wait(timeout=10)
            merging.merge(
                source=Customer.objects.get(pk=source.pk),
                target=target,
                by=clerk,
                now=NOW,
                reason="same phone",
            )
            outcomes.append("won")
        except StaleState:
            outcomes.append("told")
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(target,)) for target in (left, right)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(outcomes) == ["told", "won"]
    record = CustomerMerge.objects.get()
    assert Order.objects.filter(customer_id=record.target_id).count() == 4
    assert Order.objects.filter(customer=source).count() == 0


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_merging_both_ways_at_once_ends_in_one_record() -> None:
    clerk = make_user("clerk", is_superuser=True)
    one, two = person(1), person(2)
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def run(source_id: int, target_id: int) -> None:
        try:
            pair = Customer.objects.in_bulk([source_id, target_id])
            barrier.wait(timeout=10)
            merging.merge(
                source=pair[source_id], target=pair[target_id], by=clerk, now=NOW, reason="same phone"
            )
            outcomes.append("won")
        except StaleState:
            outcomes.append("told")
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=(one.pk, two.pk)),
        threading.Thread(target=run, args=(two.pk, one.pk)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(outcomes) == ["told", "won"]
    assert sorted(Customer.objects.values_list("state", flat=True)) == ["active", "merged"]
