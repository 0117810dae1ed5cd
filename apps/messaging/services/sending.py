"""Claim → send → confirm (architecture, decision 5).

A short transaction claims a batch. Just before the gateway is called, `sending_at` is committed; right after its answer the
row is confirmed. So a worker that dies leaves behind: claimed rows that surely were not sent (taken back), and at most one
of which nobody knows (to check). Nothing is ever sent again without somebody's word.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from apps.core.models import ActionLog
from apps.customers.models import Customer
from apps.messaging import gate, wording
from apps.messaging.choices import SETTLED, WAITING, MessageChannel, MessageClass, MessageState
from apps.messaging.gateways import Answer, Outgoing, adapter_of
from apps.messaging.models import Gateway, OutboundMessage
from apps.messaging.selectors import Envelope, Recipient, Setup, recipients_of, setup
from apps.messaging.services import unsubscribe
from apps.messaging.services.outbox import announce, as_gate_reads
from apps.messaging.templates import variables_of
from apps.messaging.transitions import OUTBOUND

logger = logging.getLogger(__name__)

BATCH = 20
# Far longer than the time limits of one call; renewed before each.
LEASE = timedelta(minutes=3)
# One run ends after this; the next one is due in seconds anyway.
RUN_FOR = timedelta(seconds=50)
# Moves of the machine that are worth a line in the action log; what was simply sent says so itself.
LOGGED = frozenset({"fail", "doubt", "refuse", "bounce"})
Clock = Callable[[], datetime]


@dataclass
class Counts:
    """What one run did. `deferred` counts what waits: for its hours, or for the next attempt."""

    claimed: int = 0
    sent: int = 0
    failed: int = 0
    deferred: int = 0
    to_check: int = 0
    refused: int = 0

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return asdict(self)


def send_due(*, clock: Clock, limit: int | None = None, run_for: timedelta = RUN_FOR) -> Counts:
    """Send what is due, at most `limit` messages, for at most `run_for`. May run many times at once."""
    counts = Counts()
    started = clock()
    counts.to_check += release_expired(now=started)[1]
    while limit is None or counts.claimed < limit:
        now = clock()
        if now - started > run_for:
            break
        room = BATCH if limit is None else min(BATCH, limit - counts.claimed)
        token = secrets.token_hex(16)
        batch = claim(token=token, limit=room, now=now)
        if not batch:
            break
        counts.claimed += len(batch)
        _send_batch(batch, token, clock, counts)
    return counts


def claim(*, token: str, limit: int, now: datetime) -> list[OutboundMessage]:
    """Take up to `limit` due messages for this run; no other run gets the same."""
    states = sorted(OUTBOUND.get("claim").sources)  # type: ignore[union-attr]
    taken = {
        "state": MessageState.CLAIMED,
        "claim_token": token,
        "claimed_until": now + LEASE,
        "sending_at": None,
        "updated_at": now,
    }
    with transaction.atomic():
        due = OutboundMessage.objects.due(now)
        if connection.features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        ids = list(due.values_list("pk", flat=True)[:limit])
        # Without row locks, whoever updates first has it: the state is part of the question.
        OutboundMessage.objects.filter(pk__in=ids, state__in=states).update(**taken)
        rows = OutboundMessage.objects.filter(claim_token=token, state=MessageState.CLAIMED)
        return list(rows.select_related("template", "gateway").order_by("next_attempt_at", "pk"))


def release_expired(*, now: datetime) -> tuple[int, int]:
    """Leases that ran out: (taken back into the queue, to check because they may have been sent)."""
    expired = OutboundMessage.objects.filter(state=MessageState.CLAIMED, claimed_until__lt=now)
    with transaction.atomic():
        back = expired.filter(sending_at__isnull=True).update(
            state=MessageState.QUEUED,
            claim_token="",
            claimed_until=None,
            next_attempt_at=now,
            updated_at=now,
        )
    doubtful = 0
    for row in expired.filter(sending_at__isnull=False).order_by("pk"):
        doubtful += _settle(
            row,
            "doubt",
            row.claim_token,
            now,
            keep_token=True,
            error_code="lease_expired",
            error=wording.reason("lease_expired"),
        )
    return back, doubtful


def _send_batch(batch: Sequence[OutboundMessage], token: str, clock: Clock, counts: Counts) -> None:
    ready = setup()
    now = clock()
    recipients = recipients_of([Envelope.of(row) for row in batch], now=now)
    for row, recipient in zip(batch, recipients, strict=True):
        try:
            _send_one(row, recipient, token, ready, clock, counts)
        except Exception:
            # One message that cannot be prepared holds up nobody else, and is not tried for ever.
            logger.exception("message %s could not be sent", row.pk)
            _give_up(row, token, clock(), counts)


def _give_up(row: OutboundMessage, token: str, now: datetime, counts: Counts) -> None:
    """A fault of ours: surely not sent when the call had not begun, else nobody knows."""
    why = {"error_code": "fault", "error": wording.reason("fault"), "next_attempt_at": None}
    if row.sending_at is None:
        counts.failed += _settle(row, "fail", token, now, **why)
    else:
        counts.to_check += _settle(row, "doubt", token, now, keep_token=True, **why)


def _send_one(
    row: OutboundMessage, recipient: Recipient, token: str, ready: Setup, clock: Clock, counts: Counts
) -> None:
    now = clock()
    decision = gate.decide(as_gate_reads(row), recipient.person, now=now, rules=ready.rules)
    if _stopped(row, decision, token, now, counts):
        return
    gateway = _gateway(row, ready)
    if gateway is None:
        _try_later(row, Answer("later", code="no_gateway"), token, ready, now, counts)
        return
    outgoing = _outgoing(row, recipient, now)
    begun = _begin(row, gateway, token, ready, now)
    if begun is None:
        # Stopped, or taken back because we were slow: not ours any more.
        return
    if begun.outcome != gate.SEND:
        _stopped(row, begun, token, now, counts)
        return
    row.sending_at = now
    answer = _call(row, outgoing, gateway, now)
    _confirm(row, answer, token, ready, clock(), counts)


def _gateway(row: OutboundMessage, ready: Setup) -> Gateway | None:
    if row.channel == MessageChannel.STAFF_GROUP:
        return next((robot for robot in ready.robots if robot.pk == row.gateway_id), None)
    return ready.gateways.get(row.channel)


def _stopped(
    row: OutboundMessage, decision: gate.Decision, token: str, now: datetime, counts: Counts
) -> bool:
    if decision.outcome == gate.REFUSE:
        counts.refused += _settle(
            row,
            "refuse",
            token,
            now,
            error_code=decision.code,
            error=wording.reason(decision.code)[:300],
            next_attempt_at=None,
        )
        return True
    if decision.outcome == gate.DEFER:
        counts.deferred += _settle(
            row,
            "defer",
            token,
            now,
            error_code=decision.code,
            error=wording.reason(decision.code)[:300],
            not_before=decision.until,
            next_attempt_at=decision.until,
        )
        return True
    return False


def _begin(
    row: OutboundMessage, gateway: Gateway, token: str, ready: Setup, now: datetime
) -> gate.Decision | None:
    """Commit that the call comes now; None when the message is not ours any more.

    Marketing is looked at once more under a lock on its customer: two workers never pass the cap together, and whoever
    has just opted out gets nothing.
    """
    mine = OutboundMessage.objects.filter(pk=row.pk, state=MessageState.CLAIMED, claim_token=token)
    marks = {
        "sending_at": now,
        "claimed_until": now + LEASE,
        "attempts": F("attempts") + 1,
        "gateway_id": gateway.pk,
        "updated_at": now,
    }
    if row.message_class != MessageClass.MARKETING or row.customer_id is None:
        return gate.Decision(gate.SEND) if mine.update(**marks) else None
    with transaction.atomic():
        list(Customer.objects.select_for_update().filter(pk=row.customer_id).values_list("pk"))
        (recipient,) = recipients_of([Envelope.of(row)], now=now)
        decision = gate.decide(as_gate_reads(row), recipient.person, now=now, rules=ready.rules)
        if decision.outcome == gate.SEND and not mine.update(**marks):
            return None
        return decision


def _outgoing(row: OutboundMessage, recipient: Recipient, now: datetime) -> Outgoing:
    """The message as an adapter gets it; values in the order of the text, as some providers count theirs."""
    body, headers = row.body, {}
    if row.message_class == MessageClass.MARKETING and row.channel == MessageChannel.EMAIL:
        body, headers = unsubscribe.with_link(row, recipient.address, now=now)
    given = row.payload.get("values", {}) if isinstance(row.payload, dict) else {}
    template, values = row.template, given
    if template is not None and row.channel == MessageChannel.SMS:
        values = {name: given[name] for name in variables_of(template) if name in given}
    return Outgoing(
        idempotency_key=row.idempotency_key,
        channel=row.channel,
        address=recipient.address,
        body=body,
        title=row.title,
        link=row.link,
        message_class=row.message_class,
        template_code=template.code if template is not None else "",
        values=values,
        headers=headers,
    )


def _call(row: OutboundMessage, outgoing: Outgoing, gateway: Gateway, now: datetime) -> Answer:
    try:
        return adapter_of(gateway).send(gateway, outgoing, now=now)
    except Exception:
        # A fault of ours in the middle of a call: nobody knows what the provider made of it.
        logger.exception("message %s: gateway %s failed", row.pk, gateway.code)
        return Answer("unknown", code="fault")


def _confirm(
    row: OutboundMessage, answer: Answer, token: str, ready: Setup, now: datetime, counts: Counts
) -> None:
    text = (wording.reason(answer.code) or answer.text)[:300]
    code = answer.code[:40]
    if answer.outcome == "sent":
        counts.sent += _settle(
            row,
            "confirm",
            token,
            now,
            sent_at=now,
            provider_id=answer.provider_id[:100],
            error_code="",
            error="",
            next_attempt_at=None,
        )
    elif answer.outcome == "later":
        _try_later(row, answer, token, ready, now, counts)
    elif answer.outcome == "failed":
        counts.failed += _settle(row, "fail", token, now, error_code=code, error=text, next_attempt_at=None)
    elif answer.outcome == "refused":
        counts.refused += _settle(
            row, "refuse", token, now, error_code=code, error=text, next_attempt_at=None
        )
    else:
        counts.to_check += _settle(
            row,
            "doubt",
            token,
            now,
            keep_token=True,
            error_code=code or "unknown_outcome",
            error=text or wording.reason("unknown_outcome"),
            provider_id=answer.provider_id[:100],
            next_attempt_at=None,
        )


def _try_later(
    row: OutboundMessage, answer: Answer, token: str, ready: Setup, now: datetime, counts: Counts
) -> None:
    """Surely not sent: again after a pause that doubles, unless it was tried often enough or comes too late."""
    tried = OutboundMessage.objects.filter(pk=row.pk).values_list("attempts", flat=True).first() or 1
    if not row.sending_at and answer.code == "no_gateway":
        tried = row.attempts + 1
        OutboundMessage.objects.filter(pk=row.pk, claim_token=token).update(attempts=tried)
    text = (wording.reason(answer.code) or answer.text)[:300]
    again = now + max(
        gate.pause(tried, first=ready.policy.first_pause_seconds), timedelta(seconds=answer.retry_after)
    )
    if tried >= ready.policy.attempts:
        counts.failed += _settle(
            row, "fail", token, now, error_code=answer.code[:40], error=text, next_attempt_at=None
        )
    elif row.last_useful_at is not None and again > row.last_useful_at:
        counts.refused += _settle(
            row,
            "refuse",
            token,
            now,
            error_code="too_late",
            error=wording.reason("too_late"),
            next_attempt_at=None,
        )
    else:
        counts.deferred += _settle(
            row, "put_back", token, now, error_code=answer.code[:40], error=text, next_attempt_at=again
        )


def _settle(
    row: OutboundMessage,
    verb: str,
    token: str,
    now: datetime,
    *,
    keep_token: bool = False,
    **changes: Any,
) -> int:
    """One move of the machine: legal by the table, and only while the message is still this run's.

    Compare-and-set on the claim, so that a run which was given up for dead changes nothing that somebody has settled
    since; but its answer still counts where nobody has (to check → sent).
    """
    move = OUTBOUND.get(verb)
    assert move is not None
    assert move.target is not None
    values = changes | {"state": move.target, "updated_at": now, "claimed_until": None}
    if not keep_token:
        values["claim_token"] = ""
    if move.target in WAITING:
        # Surely not sent: the next attempt begins afresh.
        values["sending_at"] = None
    mine = OutboundMessage.objects.filter(pk=row.pk, claim_token=token, state__in=sorted(move.sources))
    with transaction.atomic():
        if not mine.exclude(claim_token="").update(**values):
            logger.warning("message %s: %s came too late", row.pk, verb)
            return 0
        if verb in LOGGED:
            ActionLog.objects.create(
                model=row._meta.label_lower,
                object_id=row.pk,
                verb=verb,
                from_state=row.state,
                to_state=move.target,
                reason=str(changes.get("error", "")),
                via="worker",
                at=now,
                data={"code": changes.get("error_code", "")},
            )
        if move.target in SETTLED:
            settled = [(row.pk, str(move.target))]
            transaction.on_commit(lambda: announce(settled, now))
    return 1
