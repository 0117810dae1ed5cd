"""What comes back: answers of customers, opt-outs, delivery receipts."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.models import ActionLog, User
from apps.core.workflow import perform
from apps.customers.choices import CustomerState
from apps.customers.models import Customer, CustomerIdentity
from apps.customers.selectors import living
from apps.messaging import carrier, wording
from apps.messaging.choices import REACHED, InboundState, MessageChannel, MessageState
from apps.messaging.models import InboundMessage, MessageTemplate, OutboundMessage
from apps.messaging.registries import inbound_handlers
from apps.messaging.selectors import IDENTITIES, address_key, setup
from apps.messaging.services.optout import opt_out
from apps.messaging.services.outbox import Draft, announce, enqueue
from apps.messaging.signals import message_received
from apps.messaging.templates import render, variables_of
from apps.messaging.transitions import INBOUND, OUTBOUND
from apps.shop.models import Company

logger = logging.getLogger(__name__)

LONGEST = 4000
# A handler that a crash cut off is asked again after this.
HALF_DONE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """One thing a provider delivers: what a customer wrote (`text`), or how a message of ours fared (`receipt`).

    `external_id` is the provider's number of this very item. A receipt names our message by the provider's number
    (`provider_id`) or our own key (`idempotency_key`); `receipt` is "delivered" or "failed".
    """

    channel: str
    address: str = ""
    text: str = ""
    external_id: str = ""
    at: datetime | None = None
    receipt: str = ""
    provider_id: str = ""
    idempotency_key: str = ""
    code: str = ""
    error: str = ""
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """duplicate, opted_out, handled, open – or of a receipt: delivered, failed, unknown. With the row's key.

    error: it could not be taken in and should be delivered again.
    """

    state: str
    inbound_id: int | None = None
    message_id: int | None = None
    stopped: int = 0


def receive(items: Sequence[IncomingMessage], *, gateway_code: str, now: datetime) -> list[Outcome]:
    """Take these in, in their order. What came before is answered “duplicate” and changes nothing.

    Each item stands by itself: one that fails is logged and does not sink the others.
    """
    found = []
    for item in items:
        try:
            found.append(_receive_one(item, gateway_code=gateway_code, now=now))
        except Exception:
            logger.exception("an item of %s could not be taken in", gateway_code)
            found.append(Outcome("error"))
    return found


def _receive_one(item: IncomingMessage, *, gateway_code: str, now: datetime) -> Outcome:
    if item.receipt:
        return _receipt(item, gateway_code=gateway_code, now=now)
    with transaction.atomic():
        try:
            row = _store(item, gateway_code=gateway_code, now=now)
        except IntegrityError:
            return Outcome("duplicate")
        stopped = _opt_out(row, now) if carrier.is_opt_out(row.text) else None
    transaction.on_commit(lambda: _say_received(row.pk))
    if stopped is not None:
        return Outcome("opted_out", row.pk, stopped=stopped)
    return Outcome(settle(row, now=now), row.pk)


def _external_id(item: IncomingMessage) -> str:
    """The provider's number, else one made of who wrote what when."""
    if item.external_id:
        return item.external_id[:120]
    parts = (item.channel, item.address, item.text, item.at.isoformat() if item.at else "")
    return "sha256:" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _store(item: IncomingMessage, *, gateway_code: str, now: datetime) -> InboundMessage:
    key = address_key(item.channel, item.address)
    people = customers_of(item.channel, item.address)
    with transaction.atomic():
        return InboundMessage.objects.create(
            gateway_code=gateway_code[:40],
            external_id=_external_id(item),
            channel=item.channel,
            # Two records with one phone: whose word it is, a person decides.
            customer=people[0] if len(people) == 1 else None,
            address=item.address[:254],
            address_key=key,
            text=item.text.replace("\x00", "")[:LONGEST],
            payload=item.payload,
            in_reply_to=_answers(key, [person.pk for person in people], item.channel),
            sent_at=item.at or now,
            received_at=now,
            updated_at=now,
        )


def customers_of(channel: str, address: str) -> list[Customer]:
    """The people behind an address, merged records followed. Two queries at most, and one for each merge."""
    key = address_key(channel, address)
    if not key:
        return []
    if channel == MessageChannel.SMS:
        found = Customer.objects.filter(phone_hash=key)
    elif channel == MessageChannel.EMAIL:
        found = Customer.objects.filter(email_hash=key)
    elif channel in IDENTITIES:
        ids = CustomerIdentity.objects.filter(channel=IDENTITIES[channel], external_id=address)
        found = Customer.objects.filter(pk__in=ids.values("customer_id"))
    else:
        return []
    ids_living = living(found)
    return list(Customer.objects.filter(pk__in=ids_living).exclude(state=CustomerState.ERASED).order_by("pk"))


def _answers(key: str, customer_ids: list[int], channel: str) -> OutboundMessage | None:
    """The newest message that went to this address: what they most likely answer."""
    if not key:
        return None
    rows = OutboundMessage.objects.filter(
        Q(customer_id__in=customer_ids) | Q(recipient_key=f"a:{key}"),
        channel=channel,
        state__in=sorted(REACHED),
    )
    return rows.order_by("-created_at", "-pk").first()


def _opt_out(row: InboundMessage, now: datetime) -> int:
    """Stop at once, remember it, say so once a day."""
    people = customers_of(row.channel, row.address)
    stopped = opt_out(
        channel=row.channel,
        customers=people,
        key=row.address_key,
        source=_("answered “%(word)s”") % {"word": row.text.strip()[:10]},
        evidence=f"inbound:{row.pk}",
        now=now,
    )
    _mark(row, InboundState.OPTED_OUT, "opt_out", now)
    if setup().policy.optout_reply:
        try:
            with transaction.atomic():
                _confirm(row, people, now)
        except Exception:
            # A template that cannot be filled must never bring back what its owner has just stopped.
            logger.exception("inbound message %s: the opt-out could not be confirmed", row.pk)
    return stopped


def _confirm(row: InboundMessage, people: list[Customer], now: datetime) -> None:
    template = MessageTemplate.objects.filter(
        scene="optout_confirm", channel=row.channel, is_active=True
    ).first()
    if template is None:
        return
    brand = Company.objects.values_list("name", flat=True).first() or _("the shop")
    values = {name: brand if name == "brand" else "" for name in variables_of(template)}
    enqueue(
        Draft(
            purpose="optout_confirm",
            subject_key=f"address:{row.address_key[:32]}",
            channel=row.channel,
            customer=people[0] if len(people) == 1 else None,
            address=row.address,
            body=render(template, values),
            template=template,
            payload={"values": values},
            period_key=timezone.localtime(now).date().isoformat(),
            is_automatic=True,
            is_answer=True,
        ),
        by=None,
        now=now,
    )


def settle(row: InboundMessage, *, now: datetime) -> str:
    """Hand it to the registered handlers in their order until one takes it; what nobody takes stays open."""
    for code in inbound_handlers.codes():
        handle = inbound_handlers.get(code)
        assert handle is not None
        try:
            with transaction.atomic():
                taken = handle(row, now)
                if taken:
                    _mark(row, InboundState.HANDLED, code, now)
        except Exception:
            # A fault in a higher app must not lose what a customer said: it stays, and staff see it.
            logger.exception("inbound message %s: handler %s failed", row.pk, code)
            continue
        if taken:
            return str(InboundState.HANDLED)
    _mark(row, InboundState.OPEN, "", now)
    return str(InboundState.OPEN)


def _mark(row: InboundMessage, state: str, by: str, now: datetime) -> None:
    """Machine moves start from “received” only: what a person has settled meanwhile stays settled."""
    row.state, row.handled_by, row.updated_at = state, by[:60], now
    InboundMessage.objects.filter(pk=row.pk, state=InboundState.RECEIVED).update(
        state=state, handled_by=row.handled_by, updated_at=now
    )


def _say_received(pk: int) -> None:
    for receiver, result in message_received.send_robust(sender=InboundMessage, inbound_id=pk):
        if isinstance(result, Exception):
            logger.error("inbound message %s: %r failed", pk, receiver, exc_info=result)


def settle_received(*, now: datetime, limit: int = 200) -> int:
    """Messages whose handlers a crash cut off; returns how many were settled."""
    rows = InboundMessage.objects.filter(state=InboundState.RECEIVED, received_at__lt=now - HALF_DONE)
    found = list(rows.select_related("customer").order_by("pk")[:limit])
    for row in found:
        settle(row, now=now)
    return len(found)


def look_at(*, inbound: InboundMessage, by: User, now: datetime) -> ActionLog:
    """A person has read it and nothing is to be done."""
    return perform(INBOUND, inbound, "look_at", by=by, now=now, field="state", via="admin")


# -- receipts ----------
def _receipt(item: IncomingMessage, *, gateway_code: str, now: datetime) -> Outcome:
    """How a message of ours fared. A receipt also settles what nobody knew: it proves that it was sent."""
    row = _of_receipt(item, gateway_code)
    if row is None:
        return Outcome("unknown")
    delivered = item.receipt == "delivered"
    verb = "deliver" if delivered else "bounce"
    move = OUTBOUND.get(verb)
    assert move is not None
    assert move.target is not None
    at = item.at or now
    values: dict[str, Any] = {
        "state": move.target,
        "updated_at": now,
        "claim_token": "",
        "claimed_until": None,
        "next_attempt_at": None,
    }
    if item.provider_id and not row.provider_id:
        values["provider_id"] = item.provider_id[:100]
    if delivered:
        values |= {
            "delivered_at": at,
            "sent_at": row.sent_at or row.sending_at or at,
            "error": "",
            "error_code": "",
        }
    else:
        said = " ".join(part for part in (wording.reason("receipt"), item.error) if part)
        values |= {"error_code": (item.code or "receipt")[:40], "error": said[:300]}
    with transaction.atomic():
        known = OutboundMessage.objects.filter(pk=row.pk, state__in=sorted(move.sources))
        if not known.update(**values):
            return Outcome("duplicate", message_id=row.pk)
        if not delivered:
            ActionLog.objects.create(
                model=row._meta.label_lower,
                object_id=row.pk,
                verb=verb,
                from_state=row.state,
                to_state=move.target,
                reason=str(values["error"]),
                via="receipt",
                at=now,
            )
        settled = [(row.pk, str(move.target))]
        transaction.on_commit(lambda: announce(settled, now))
    return Outcome(str(MessageState.DELIVERED if delivered else MessageState.FAILED), message_id=row.pk)


def _of_receipt(item: IncomingMessage, gateway_code: str) -> OutboundMessage | None:
    rows = OutboundMessage.objects.filter(gateway__code=gateway_code)
    if item.idempotency_key:
        row = rows.filter(idempotency_key=item.idempotency_key).first()
        if row is not None:
            return row
    return rows.filter(provider_id=item.provider_id).order_by("-pk").first() if item.provider_id else None
