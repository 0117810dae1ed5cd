"""The consent ledger and contact holds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission

from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted, StaleState
from apps.core.models import User
from apps.customers.models import ConsentEvent, ContactHold, Customer
from apps.customers.selectors import consents_now, holds_now, may_contact, timeline_of
from apps.customers.services.consent import record_consent, release_hold, set_hold
from tests.factories import NOW, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(db: None) -> User:
    user = make_user("clerk")
    user.user_permissions.set(
        Permission.objects.filter(
            codename__in=["add_consentevent", "view_consentevent", "add_contacthold", "change_contacthold"]
        )
    )
    return user


@pytest.fixture
def customer(db: None) -> Customer:
    return Customer.objects.create(nickname="晚风", phone="13812345678")


def say(customer: Customer, clerk: User | None, **values: object) -> ConsentEvent:
    base = {
        "purpose": "marketing",
        "channel": "sms",
        "granted": True,
        "source": "store counter",
        "text_version": "2026-01",
        "now": NOW,
        "by": clerk,
    }
    return record_consent(customer=customer, **(base | values))  # type: ignore[arg-type]


def test_the_newest_entry_is_what_holds(customer: Customer, clerk: User) -> None:
    assert not may_contact(customer.pk, purpose="marketing", channel="sms"), "silence is no consent"
    say(customer, clerk)
    assert may_contact(customer.pk, purpose="marketing", channel="sms")
    assert not may_contact(customer.pk, purpose="marketing", channel="email")
    assert not may_contact(customer.pk, purpose="birthday", channel="sms")
    say(customer, clerk, granted=False, text_version="", now=NOW + timedelta(days=1))
    assert not may_contact(customer.pk, purpose="marketing", channel="sms")
    assert list(ConsentEvent.objects.order_by("id").values_list("granted", flat=True)) == [True, False]
    assert [(s.purpose, s.channel, s.granted) for s in consents_now(customer.pk)] == [
        ("marketing", "sms", False)
    ]


def test_a_withdrawal_for_every_channel_reaches_each(customer: Customer, clerk: User) -> None:
    say(customer, clerk)
    say(customer, clerk, channel="any", now=NOW + timedelta(days=1))
    say(customer, clerk, channel="any", granted=False, now=NOW + timedelta(days=2))
    assert not may_contact(customer.pk, purpose="marketing", channel="sms")
    say(customer, None, channel="sms", granted=False, now=NOW + timedelta(days=3))
    say(customer, None, channel="sms", now=NOW + timedelta(days=4))
    assert may_contact(customer.pk, purpose="marketing", channel="sms")


@pytest.mark.parametrize(
    ("values", "error", "field"),
    [
        ({"purpose": "everything"}, InvalidInput, "purpose"),
        ({"channel": "pigeon"}, InvalidInput, "channel"),
        ({"purpose": "recording", "channel": "sms"}, InvalidInput, "channel"),
        ({"source": " "}, InvalidInput, "source"),
        ({"text_version": ""}, InvalidInput, "text_version"),
    ],
)
def test_what_is_refused(
    customer: Customer, clerk: User, values: dict[str, object], error: type[DomainError], field: str
) -> None:
    with pytest.raises(error) as caught:
        say(customer, clerk, **values)
    assert caught.value.params["field"] == field
    assert ConsentEvent.objects.count() == 0


def test_twice_the_same_is_refused(customer: Customer, clerk: User) -> None:
    say(customer, clerk)
    with pytest.raises(StaleState):
        say(customer, clerk)
    assert ConsentEvent.objects.count() == 1


def test_permission_and_state(customer: Customer, clerk: User) -> None:
    with pytest.raises(NotPermitted):
        say(customer, make_user("stranger"))
    Customer.objects.filter(pk=customer.pk).update(state="restricted")
    with pytest.raises(IllegalMove):
        say(customer, clerk)
    say(customer, clerk, granted=False, text_version="")
    Customer.objects.filter(pk=customer.pk).update(state="erased")
    with pytest.raises(IllegalMove):
        say(customer, clerk, granted=False, channel="email")


def test_holds_begin_now_end_and_are_released(customer: Customer, clerk: User) -> None:
    hold = set_hold(customer=customer, reason="lawsuit", by=clerk, now=NOW, ends_at=NOW + timedelta(days=2))
    assert holds_now(customer.pk, NOW) == [hold]
    assert holds_now(customer.pk, NOW + timedelta(days=2)) == []
    release_hold(hold=hold, by=clerk, now=NOW + timedelta(hours=1))
    assert holds_now(customer.pk, NOW + timedelta(hours=2)) == []
    with pytest.raises(StaleState):
        release_hold(hold=hold, by=clerk, now=NOW)
    for values, error in (
        ({"reason": ""}, InvalidInput),
        ({"reason": "x y", "ends_at": NOW}, InvalidInput),
        ({"reason": "x y", "by": make_user("stranger")}, NotPermitted),
    ):
        with pytest.raises(error):
            set_hold(**({"customer": customer, "by": clerk, "now": NOW} | values))  # type: ignore[arg-type]
    assert ContactHold.objects.count() == 1


def test_the_timeline_tells_what_the_reader_may_know(customer: Customer, clerk: User) -> None:
    say(customer, clerk, source="call 13912345678")
    (event,) = timeline_of(customer.pk, clerk)
    assert (event.at, event.kind, event.text) == (NOW, "consent", "call 139****5678")
    assert timeline_of(customer.pk, make_user("stranger")) == []
