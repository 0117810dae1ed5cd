"""A gateway that says what a test wants, and people to write to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from apps.core.reference import touch
from apps.customers.models import ConsentEvent, Customer
from apps.messaging.choices import GatewayKind
from apps.messaging.gateways import ADAPTERS
from apps.messaging.gateways.base import Adapter, Answer, Outgoing, sent
from apps.messaging.models import Gateway
from apps.messaging.selectors import STAMP
from apps.messaging.services.outbox import Draft
from tests.factories import NOW, at

BEFORE = at("11-01 10:00")


class Recorder(Adapter):
    """Takes everything; `answers` come first, one a message. `during` runs in the middle of a call."""

    channels = ADAPTERS[GatewayKind.CONSOLE].channels

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.answers: list[Answer | Exception] = []
        self.during: Callable[[Outgoing], None] = lambda outgoing: None

    def send(self, gateway: Any, outgoing: Outgoing, *, now: datetime) -> Answer:
        self.sent.append(outgoing)
        self.during(outgoing)
        answer = self.answers.pop(0) if self.answers else sent(f"p{len(self.sent)}")
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Stands in for the test gateway of every channel."""
    recorder = Recorder()
    monkeypatch.setitem(ADAPTERS, GatewayKind.CONSOLE, recorder)
    yield recorder


@pytest.fixture
def zhang(db: None) -> Customer:
    return Customer.objects.create(name="张三", phone="13812345678", email="zhang@example.com")


def agree(
    customer: Customer, *, granted: bool = True, channel: str = "any", moment: datetime = BEFORE
) -> None:
    for purpose in ("marketing", "birthday", "survey"):
        ConsentEvent.objects.create(
            customer=customer,
            purpose=purpose,
            channel=channel,
            granted=granted,
            source="test",
            text_version="1",
            at=moment,
        )


def draft(customer: Customer | None = None, **values: Any) -> Draft:
    """A service SMS unless something else is wanted."""
    base: dict[str, Any] = {
        "purpose": "reply",
        "subject_key": "feedback:1",
        "channel": "sms",
        "body": "您好,已为您换新并寄出。",
        "customer": customer,
    }
    return Draft(**(base | values))


def marketing(customer: Customer | None = None, **values: Any) -> Draft:
    base: dict[str, Any] = {
        "purpose": "marketing:autumn",
        "message_class": "marketing",
        "body": "秋季新品上架,拒收请回复R",
        "subject_key": "campaign:1",
    }
    return draft(customer, **(base | values))


def use(kind: str, channel: str, code: str = "mine", **config: Any) -> Gateway:
    """Make this the gateway of its channel."""
    Gateway.objects.filter(channel=channel).update(is_active=False)
    row = Gateway.objects.create(
        code=code, name=code, kind=kind, channel=channel, config=config, is_active=True
    )
    touch(STAMP)
    return row


__all__ = ("NOW", "Recorder", "agree", "draft", "marketing", "use")
