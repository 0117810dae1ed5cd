"""Stopping at once: withdrawal in the ledger, the address remembered, what waits in the outbox refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from apps.core.exceptions import DomainError
from apps.core.models import ActionLog
from apps.customers.choices import Purpose
from apps.customers.models import Customer
from apps.customers.services.consent import record_consent
from apps.messaging import wording
from apps.messaging.choices import STOPPABLE, BlockScope, MessageChannel, MessageState
from apps.messaging.models import AddressBlock, OutboundMessage
from apps.messaging.selectors import CONTACT_CHANNELS, consent_purpose
from apps.messaging.services.outbox import told

MARKETING_PURPOSES = (Purpose.MARKETING, Purpose.BIRTHDAY, Purpose.SURVEY)


@transaction.atomic
def opt_out(
    *,
    channel: str,
    customers: Sequence[Customer],
    key: str,
    source: str,
    now: datetime,
    purposes: Iterable[str] = MARKETING_PURPOSES,
    evidence: str = "",
) -> int:
    """Nothing of these purposes goes to these people on this channel any more; returns how many messages it stopped.

    `key` is the address's keyed hash: it is remembered, so that an import or a new record does not bring it back.
    实施条例 art. 24: stop at once.
    """
    gone = list(purposes)
    ledger = CONTACT_CHANNELS.get(MessageChannel(channel))
    for customer in customers:
        for purpose in gone if ledger else ():
            try:
                with transaction.atomic():
                    record_consent(
                        customer=customer,
                        purpose=purpose,
                        channel=ledger,
                        granted=False,
                        source=source,
                        evidence=evidence,
                        now=now,
                        by=None,
                    )
            except DomainError:
                # Withdrawn already, or a record that lives on in another.
                continue
    if key and Purpose.MARKETING in gone:
        AddressBlock.objects.update_or_create(
            channel=channel,
            address_key=key,
            scope=BlockScope.MARKETING,
            defaults={"source": source[:60], "at": now},
        )
    return _stop_waiting(channel, customers, key, set(gone), now)


def _stop_waiting(
    channel: str, customers: Sequence[Customer], key: str, purposes: set[str], now: datetime
) -> int:
    who = Q(customer_id__in=[customer.pk for customer in customers])
    if key:
        who |= Q(recipient_key=f"a:{key}")
    # Claimed and not yet begun may still be stopped: the worker asks for its claim once more before it calls.
    waiting = Q(state__in=sorted(STOPPABLE)) | Q(state=MessageState.CLAIMED, sending_at__isnull=True)
    stopped: list[OutboundMessage] = []
    for row in OutboundMessage.objects.filter(who, waiting, channel=channel).order_by("pk"):
        if consent_purpose(row.message_class, row.purpose) not in purposes:
            continue
        changed = OutboundMessage.objects.filter(waiting, pk=row.pk).update(
            state=MessageState.REFUSED,
            error_code="opted_out",
            error=wording.reason("opted_out"),
            next_attempt_at=None,
            claim_token="",
            claimed_until=None,
            updated_at=now,
        )
        if changed:
            ActionLog.objects.create(
                model=row._meta.label_lower,
                object_id=row.pk,
                verb="refuse",
                from_state=row.state,
                to_state=MessageState.REFUSED,
                reason=wording.reason("opted_out"),
                via="optout",
                at=now,
            )
            row.state = MessageState.REFUSED
            stopped.append(row)
    told(stopped, now)
    return len(stopped)


def block_address(*, channel: str, key: str, source: str, now: datetime) -> None:
    """Never write to this address again, whatever the class: its owner had it erased (PIPL art. 47)."""
    AddressBlock.objects.get_or_create(
        channel=channel,
        address_key=key,
        scope=BlockScope.EVERYTHING,
        defaults={"source": source[:60], "at": now},
    )
