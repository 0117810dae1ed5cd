"""Links by which people look at and change their own choices, and what they do there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.core.exceptions import DomainError, StaleState
from apps.core.hashing import keyed_hash, token_digest
from apps.customers.choices import CustomerState, Purpose
from apps.customers.models import Customer
from apps.customers.selectors import may_contact, surviving
from apps.customers.services.consent import record_consent
from apps.messaging.choices import BlockScope, MessageChannel
from apps.messaging.models import AddressBlock, ConsentLink, OutboundMessage
from apps.messaging.selectors import CONTACT_CHANNELS, address_key
from apps.messaging.services.optout import MARKETING_PURPOSES, opt_out

# The wording of the page: whoever grants there has read this version.
TEXT_VERSION = "u-2026-11"


def link_for(*, channel: str, customer: Customer | None, address: str, now: datetime) -> str:
    """The address of somebody's own page. The same person gets the same address; only its hash is kept."""
    key = address_key(channel, address)
    who = f"c{customer.pk}" if customer is not None else key
    token = keyed_hash(f"consent-link:{channel}:{who}")[:48]
    ConsentLink.objects.get_or_create(
        token_hash=token_digest(token),
        defaults={"channel": channel, "customer": customer, "address_key": key, "created_at": now},
    )
    return settings.SITE_URL + reverse("consent:choices", args=[token])


def with_link(row: OutboundMessage, address: str, *, now: datetime) -> tuple[str, dict[str, str]]:
    """A marketing e-mail's text and headers: a link in the text, one click in the mail program (RFC 8058)."""
    link = link_for(channel=row.channel, customer=row.customer, address=address, now=now)
    headers = {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    more = _("No more of these? Choose here:")
    body = row.body if link in row.body else f"{row.body}\n\n{more} {link}"
    return body, headers


@dataclass(frozen=True, slots=True)
class Choice:
    """One purpose, and whether its owner wants it."""

    purpose: str
    label: Any
    granted: bool


def find(token: str) -> ConsentLink | None:
    """The link of a token, None when nobody made it or its owner's record is gone."""
    if not token.isascii() or len(token) > 64:
        return None
    link = ConsentLink.objects.select_related("customer").filter(token_hash=token_digest(token)).first()
    if link is not None and link.customer is not None:
        link.customer = surviving(link.customer)
        if link.customer.state == CustomerState.ERASED:
            return None
    return link


def choices_of(link: ConsentLink) -> list[Choice]:
    """What its owner has chosen so far. Without a customer record there is only what was refused."""
    channel = CONTACT_CHANNELS[MessageChannel(link.channel)]
    if link.customer is None:
        blocked = AddressBlock.objects.filter(
            channel=link.channel, address_key=link.address_key, scope=BlockScope.MARKETING
        ).exists()
        return [Choice(Purpose.MARKETING, Purpose.MARKETING.label, not blocked)]
    return [
        Choice(
            purpose, Purpose(purpose).label, may_contact(link.customer.pk, purpose=purpose, channel=channel)
        )
        for purpose in MARKETING_PURPOSES
    ]


@transaction.atomic
def save_choices(*, link: ConsentLink, wanted: set[str], now: datetime) -> bool:
    """Keep what its owner chose; answers whether anything changed. Taking back works at once."""
    changed = False
    before = choices_of(link)
    for choice in before:
        if choice.purpose in wanted and not choice.granted:
            changed = _grant(link, choice.purpose, now) or changed
    # Whoever wants none at all is believed for every purpose, also those nobody ever asked about.
    gone = [
        choice.purpose for choice in before if choice.purpose not in wanted and (choice.granted or not wanted)
    ]
    if gone:
        changed = changed or any(choice.granted for choice in before if choice.purpose in gone)
        opt_out(
            channel=link.channel,
            customers=[link.customer] if link.customer is not None else [],
            key=link.address_key,
            purposes=gone,
            source=_("own page"),
            now=now,
        )
    return changed


def stop_all(*, link: ConsentLink, now: datetime) -> None:
    """One click: nothing of the kind any more on this channel."""
    save_choices(link=link, wanted=set(), now=now)


def _grant(link: ConsentLink, purpose: str, now: datetime) -> bool:
    if link.customer is None:
        # An address without a record: what was refused is taken back, no more.
        deleted, _rows = AddressBlock.objects.filter(
            channel=link.channel, address_key=link.address_key, scope=BlockScope.MARKETING
        ).delete()
        return bool(deleted)
    try:
        record_consent(
            customer=link.customer,
            purpose=purpose,
            channel=CONTACT_CHANNELS[MessageChannel(link.channel)],
            granted=True,
            source=_("own page"),
            text_version=TEXT_VERSION,
            now=now,
            by=None,
        )
    except StaleState:
        return False
    except DomainError:
        # Storage only: a new consent is not taken, a withdrawal always is.
        return False
    return True
