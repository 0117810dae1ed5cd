"""Reads over messages: the shop's rules, the gateway of a channel, what the gate must know of many recipients at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from apps.core.hashing import email_key, keyed_hash, phone_key
from apps.core.reference import Cached
from apps.customers.choices import ContactChannel, CustomerState, Purpose
from apps.customers.models import ConsentEvent, ContactHold, Customer, CustomerIdentity
from apps.messaging import gate
from apps.messaging.carrier import REFUSED_WORDS
from apps.messaging.choices import (
    ASSISTED,
    REACHED,
    BlockScope,
    InboundState,
    MessageChannel,
    MessageClass,
    MessageState,
)
from apps.messaging.models import AddressBlock, Gateway, InboundMessage, MessagingPolicy, OutboundMessage

STAMP = "messaging"
# Consent is asked for by channel; on platforms only a "for every channel" counts.
CONTACT_CHANNELS = {
    MessageChannel.SMS: ContactChannel.SMS,
    MessageChannel.WECHAT: ContactChannel.WECHAT,
    MessageChannel.EMAIL: ContactChannel.EMAIL,
    MessageChannel.APP: ContactChannel.APP,
}
# Under which channel's identity an address stands: openids of the official account, member numbers of the app.
IDENTITIES: dict[str, str] = {MessageChannel.WECHAT: "wechat_mp", MessageChannel.APP: "app"}
# Purposes of messages that need a consent of their own whatever their class (domain.md 2.1).
CONSENT_PURPOSES = {
    "marketing": Purpose.MARKETING,
    "birthday": Purpose.BIRTHDAY,
    "survey": Purpose.SURVEY,
}
OPEN_TEXTS = frozenset({MessageState.QUEUED, MessageState.DEFERRED, MessageState.TO_DO, MessageState.CLAIMED})


@dataclass(frozen=True)
class Setup:
    """The rules and the gateways in use, kept in memory."""

    policy: MessagingPolicy
    gateways: dict[str, Gateway]
    robots: tuple[Gateway, ...]

    @property
    def rules(self) -> gate.Rules:
        """As the gate reads them."""
        policy = self.policy
        return gate.Rules(
            soft=gate.Window(policy.soft_from, policy.soft_until),
            hard=gate.Window(policy.hard_from, policy.hard_until),
            cap_day=policy.cap_day,
            cap_month=policy.cap_month,
        )


def _load() -> Setup:
    policy = MessagingPolicy.objects.first() or MessagingPolicy(refused_words=list(REFUSED_WORDS))
    rows = list(Gateway.objects.filter(is_active=True).order_by("pk"))
    return Setup(
        policy=policy,
        gateways={row.channel: row for row in rows if row.channel != MessageChannel.STAFF_GROUP},
        robots=tuple(row for row in rows if row.channel == MessageChannel.STAFF_GROUP),
    )


_setup: Cached[Setup] = Cached(STAMP, _load)


def setup() -> Setup:
    """The present rules and gateways. One query."""
    return _setup.get()


def forget_setup() -> None:
    """Tests call it."""
    _setup.forget()


# -- addresses ----------
def address_key(channel: str, address: str) -> str:
    """The keyed hash by which an address is known."""
    if not address:
        return ""
    if channel == MessageChannel.SMS:
        return phone_key(address)
    if channel == MessageChannel.EMAIL:
        return email_key(address)
    return keyed_hash(f"{channel}:{address}")


def consent_purpose(message_class: str, purpose: str) -> str:
    """The purpose a consent must name for this message; "" when it needs none."""
    if message_class == MessageClass.SAFETY:
        return ""
    head = purpose.partition(":")[0].partition("_")[0]
    if head in CONSENT_PURPOSES:
        return CONSENT_PURPOSES[head]
    return Purpose.MARKETING if message_class == MessageClass.MARKETING else ""


def zone_of(name: str) -> tzinfo:
    """The recipient's zone, the shop's where it is not known."""
    if name:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            pass
    return ZoneInfo(settings.TIME_ZONE)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the gate is asked about: one message on its way to somebody."""

    channel: str
    message_class: str
    purpose: str
    customer_id: int | None
    address: str
    zone: str
    body: str
    recipient_key: str
    is_automatic: bool = False
    message_id: int = 0

    @classmethod
    def of(cls, message: OutboundMessage) -> Envelope:
        """Of a stored message."""
        return cls(
            channel=message.channel,
            message_class=message.message_class,
            purpose=message.purpose,
            customer_id=message.customer_id,
            address=message.address,
            zone=message.zone,
            body=message.body,
            recipient_key=message.recipient_key,
            is_automatic=message.is_automatic,
            message_id=message.pk or 0,
        )


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a message goes, and what the gate must know of its owner."""

    address: str
    person: gate.Person


def recipients_of(envelopes: Sequence[Envelope], *, now: datetime) -> list[Recipient]:
    """For each envelope its recipient, in a fixed number of queries however many there are."""
    ids = {envelope.customer_id for envelope in envelopes if envelope.customer_id is not None}
    customers = Customer.objects.in_bulk(ids) if ids else {}
    identities = _identities(envelopes, ids)
    held = _held(ids, now) if ids else set()
    consents = _consents(envelopes)
    addresses = [
        envelope.address
        or _own_address(envelope.channel, customers.get(envelope.customer_id or 0), identities)
        for envelope in envelopes
    ]
    keys = [
        address_key(envelope.channel, address) for envelope, address in zip(envelopes, addresses, strict=True)
    ]
    blocks = _blocks(envelopes, keys)
    recent = _recent(envelopes, now)
    found = []
    for envelope, address, key in zip(envelopes, addresses, keys, strict=True):
        customer = customers.get(envelope.customer_id or 0)
        granted, granted_at = _consent_of(envelope, consents)
        opted_out_at = blocks.get((envelope.channel, key, BlockScope.MARKETING)) if key else None
        others = [row for row in recent.get(envelope.recipient_key, ()) if row["id"] != envelope.message_id]
        if envelope.customer_id is not None:
            seen = {row["id"] for row in others}
            others += [
                row
                for row in recent.get(f"customer {envelope.customer_id}", ())
                if row["id"] not in seen and row["id"] != envelope.message_id
            ]
        found.append(
            Recipient(
                address=address,
                person=gate.Person(
                    zone=zone_of(envelope.zone),
                    has_address=bool(address) or envelope.channel in (*ASSISTED, MessageChannel.STAFF_GROUP),
                    state=customer.state if customer is not None else CustomerState.ACTIVE,
                    held=envelope.customer_id in held,
                    erased_address=bool(key) and (envelope.channel, key, BlockScope.EVERYTHING) in blocks,
                    # A consent given after the opt-out counts again.
                    opted_out=opted_out_at is not None
                    and not (granted and granted_at is not None and granted_at > opted_out_at),
                    consent=granted,
                    same_text=_same_text(envelope, others, now),
                    reached=tuple(
                        row["sent_at"] or row["sending_at"] or row["created_at"]
                        for row in others
                        if row["message_class"] == MessageClass.MARKETING
                        and row["channel"] == envelope.channel
                        and (row["state"] in REACHED or (row["state"] == "claimed" and row["sending_at"]))
                    ),
                ),
            )
        )
    return found


def _identities(envelopes: Iterable[Envelope], ids: set[int]) -> dict[tuple[int, str], str]:
    """Openids and app accounts of the customers, where some envelope needs them."""
    wanted = {
        IDENTITIES[envelope.channel]: envelope.channel
        for envelope in envelopes
        if envelope.channel in IDENTITIES and not envelope.address
    }
    if not wanted or not ids:
        return {}
    rows = CustomerIdentity.objects.filter(channel__in=wanted, customer_id__in=ids).order_by("pk")
    return {
        (customer_id, wanted[channel]): external_id
        for customer_id, channel, external_id in rows.values_list("customer_id", "channel", "external_id")
    }


def _own_address(channel: str, customer: Customer | None, identities: dict[tuple[int, str], str]) -> str:
    if customer is None:
        return ""
    if channel == MessageChannel.SMS:
        return customer.phone
    if channel == MessageChannel.EMAIL:
        return customer.email
    return identities.get((customer.pk, channel), "")


def _held(ids: set[int], now: datetime) -> set[int]:
    holds = ContactHold.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=now),
        customer_id__in=ids,
        starts_at__lte=now,
        released_at__isnull=True,
    )
    return set(holds.values_list("customer_id", flat=True))


Consents = dict[tuple[int, str, str], tuple[int, bool, datetime]]


def _consents(envelopes: Iterable[Envelope]) -> Consents:
    """The newest word on every purpose and channel, as `customers.selectors.may_contact` reads it for one."""
    pairs = {
        (envelope.customer_id, purpose)
        for envelope in envelopes
        if envelope.customer_id is not None
        and (purpose := consent_purpose(envelope.message_class, envelope.purpose))
    }
    if not pairs:
        return {}
    rows = ConsentEvent.objects.filter(
        customer_id__in={pair[0] for pair in pairs}, purpose__in={pair[1] for pair in pairs}
    ).order_by("at", "id")
    return {
        (customer_id, purpose, channel): (number, granted, at)
        for number, (customer_id, purpose, channel, granted, at) in enumerate(
            rows.values_list("customer_id", "purpose", "channel", "granted", "at")
        )
    }


def _consent_of(envelope: Envelope, consents: Consents) -> tuple[bool | None, datetime | None]:
    purpose = consent_purpose(envelope.message_class, envelope.purpose)
    if not purpose or envelope.customer_id is None:
        return None, None
    channel = CONTACT_CHANNELS.get(MessageChannel(envelope.channel), ContactChannel.ANY)
    words = [
        word
        for name in {channel, ContactChannel.ANY}
        if (word := consents.get((envelope.customer_id, purpose, name))) is not None
    ]
    if not words:
        return None, None
    _number, granted, at = max(words)
    return granted, at


def _blocks(envelopes: Sequence[Envelope], keys: Sequence[str]) -> dict[tuple[str, str, str], datetime]:
    wanted = {key for key in keys if key}
    if not wanted:
        return {}
    rows = AddressBlock.objects.filter(
        channel__in={envelope.channel for envelope in envelopes}, address_key__in=wanted
    )
    return {(row.channel, row.address_key, row.scope): row.at for row in rows}


def _needs_recent(envelope: Envelope) -> bool:
    return envelope.message_class == MessageClass.MARKETING or envelope.is_automatic


def _recent(envelopes: Iterable[Envelope], now: datetime) -> dict[str, list[dict[str, Any]]]:
    """What the same people were sent of late, by recipient and by customer (two records of one may have merged)."""
    asked = [envelope for envelope in envelopes if _needs_recent(envelope)]
    if not asked:
        return {}
    marketing = any(envelope.message_class == MessageClass.MARKETING for envelope in asked)
    # A message may have waited a while between being written and being sent.
    since = now - (timedelta(days=60) if marketing else gate.DAY)
    rows = OutboundMessage.objects.filter(
        Q(recipient_key__in={envelope.recipient_key for envelope in asked})
        | Q(customer_id__in={envelope.customer_id for envelope in asked if envelope.customer_id is not None}),
        created_at__gte=since,
    ).order_by()
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows.values(
        "id", "recipient_key", "customer_id", "channel", "message_class", "state", "sent_at", "sending_at",
        "created_at", "body", "purpose",
    ):  # fmt: skip
        found[row["recipient_key"]].append(row)
        if row["customer_id"] is not None:
            found[f"customer {row['customer_id']}"].append(row)
    return found


def _same_text(envelope: Envelope, others: Iterable[dict[str, Any]], now: datetime) -> bool:
    """Whether an automaton would say the same again. What people write is theirs to repeat."""
    if not _needs_recent(envelope) or envelope.channel == MessageChannel.STAFF_GROUP:
        return False
    counted = REACHED if envelope.message_id else REACHED | OPEN_TEXTS
    return any(
        row["body"] == envelope.body
        and row["channel"] == envelope.channel
        and row["state"] in counted
        and row["created_at"] > now - gate.DAY
        for row in others
    )


# -- for screens ----------
HANDS = ("to_do", "to_check", "failed")


def work_by_hand(user: Any, *, limit: int = 100) -> dict[str, int]:
    """How many messages wait for a person, by state, each counted up to `limit`."""
    rows = OutboundMessage.objects.visible_to(user)
    return {state: rows.filter(state=state).order_by()[: limit + 1].count() for state in HANDS}


def open_inbound(user: Any, *, limit: int = 100) -> int:
    """How many inbound messages nobody took."""
    rows = InboundMessage.objects.visible_to(user).filter(state=InboundState.OPEN)
    return rows.order_by()[: limit + 1].count()


def messages_about(subject_key: str, user: Any, *, limit: int = 50) -> list[OutboundMessage]:
    """Every message about one record that this person may see, newest first. One query beyond their scope."""
    rows = OutboundMessage.objects.visible_to(user).about(subject_key)
    return list(rows.select_related("customer", "template", "by", "gateway")[:limit])


def local(moment: datetime) -> str:
    """Day and time in the shop's zone."""
    return timezone.localtime(moment).strftime("%m-%d %H:%M")
