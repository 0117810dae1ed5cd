"""The outbox: writing messages into it, and what people do with them. Sending is `apps.messaging.services.sending`."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.models import ActionLog, User
from apps.core.services.files import store_file
from apps.core.workflow import perform
from apps.customers.models import Customer
from apps.customers.selectors import survivors
from apps.messaging import carrier, gate, wording
from apps.messaging.choices import (
    ASSISTED,
    SENDABLE,
    SETTLED,
    MessageChannel,
    MessageClass,
    MessageState,
)
from apps.messaging.models import Gateway, MessageTemplate, OutboundMessage
from apps.messaging.registries import TextCheck, TextFacts, text_checks, variables
from apps.messaging.selectors import (
    Envelope,
    Recipient,
    Setup,
    address_key,
    consent_purpose,
    recipients_of,
    setup,
)
from apps.messaging.signals import message_settled
from apps.messaging.templates import Missing, label_of, variables_of
from apps.messaging.transitions import OUTBOUND, SEND

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be: to a customer, or to an `address` on the channel.

    `purpose` says what for (“reply”, “result_notice”, “birthday:2026” …); what begins with marketing, birthday or
    survey needs that consent. `subject_key` names the record, e.g. "feedback:17". (purpose, subject_key, recipient,
    period_key) comes once: whoever may write several times about one record gives each its own `period_key`.
    `body` is final: rendered, approved. `is_answer` answers what the customer has just written and does not wait for
    the morning. `approved` says that somebody approved a text which needs it.
    """

    purpose: str
    subject_key: str
    channel: str
    body: str
    message_class: str = "service"
    customer: Customer | None = None
    address: str = ""
    template: MessageTemplate | None = None
    title: str = ""
    payload: dict[str, Any] = field(default_factory=dict)
    period_key: str = ""
    last_useful_at: datetime | None = None
    is_automatic: bool = False
    link: str = ""
    not_before: datetime | None = None
    zone: str = ""
    is_answer: bool = False
    approved: bool = False
    gateway: Gateway | None = None


def enqueue(
    draft_or_list: Draft | Sequence[Draft], *, by: User | None, now: datetime
) -> list[OutboundMessage]:
    """Write messages into the outbox, in the order given; a message that was there already is answered as it is.

    The gate looks at each: what it refuses is kept in the state refused with its reason, what must wait is deferred,
    what people carry to a platform stands at to_do, all else is queued and sent after the commit.
    Raises NotPermitted, or InvalidInput for what cannot be a message at all (no text, unknown channel, variables left).
    """
    drafts = [draft_or_list] if isinstance(draft_or_list, Draft) else list(draft_or_list)
    if by is not None and not by.has_perm(SEND):
        raise NotPermitted(_("You may not send messages."))
    for draft in drafts:
        _check(draft)
    drafts = _to_the_living(drafts)
    with transaction.atomic():
        for _attempt in range(3):
            known = _known(drafts)
            fresh: dict[Key, Draft] = {}
            for draft in drafts:
                if _key(draft) not in known:
                    # The same twice in one list: the first counts.
                    fresh.setdefault(_key(draft), draft)
            rows = _rows(list(fresh.values()), by=by, now=now)
            try:
                with transaction.atomic():
                    OutboundMessage.objects.bulk_create(rows, batch_size=500)
            except IntegrityError:
                # Somebody wrote the same message at this moment: theirs is the one.
                continue
            break
        else:
            raise IntegrityError("the outbox changed three times while it was written to")
        told(rows, now)
        if any(row.state == MessageState.QUEUED for row in rows):
            transaction.on_commit(nudge)
    known |= {_key_of(row): row for row in rows}
    return [known[_key(draft)] for draft in drafts]


def _check(draft: Draft) -> None:
    if draft.channel not in SENDABLE:
        raise InvalidInput(_("Choose the channel."), field="channel")
    if draft.message_class not in MessageClass.values:
        raise InvalidInput(_("Choose the class of the message."), field="message_class")
    if not draft.body.strip():
        raise InvalidInput(_("The message has no text."), field="body")
    left = [name for name in variables_of(draft.body) if variables.get(name) is not None]
    if left:
        raise Missing(
            _("Still to fill in: %(names)s.") % {"names": ", ".join(label_of(name) for name in left)},
            names=left,
            field="body",
        )
    if draft.channel == MessageChannel.STAFF_GROUP and draft.gateway is None:
        raise InvalidInput(_("Choose the group."), field="gateway")
    if draft.link and not draft.link.startswith(("https://", "http://", "/")):
        raise InvalidInput(_("A link begins with http:// or https://."), field="link")
    if len(draft.purpose) > 60 or len(draft.subject_key) > 80 or len(draft.period_key) > 80:
        raise ValueError("purpose, subject_key or period_key is too long")


def _to_the_living(drafts: list[Draft]) -> list[Draft]:
    """Whoever was merged gets it in the record they live on in."""
    from dataclasses import replace

    ends = survivors([draft.customer for draft in drafts if draft.customer is not None])
    if not ends:
        return drafts
    return [
        replace(draft, customer=ends[draft.customer.pk])
        if draft.customer is not None and draft.customer.pk in ends
        else draft
        for draft in drafts
    ]


def recipient_key(draft: Draft) -> str:
    """Who gets it, for "once": the customer, else the address by its hash, else the group."""
    if draft.gateway is not None and draft.channel == MessageChannel.STAFF_GROUP:
        return f"g:{draft.gateway.pk}"
    if draft.customer is not None:
        return f"c:{draft.customer.pk}"
    return f"a:{address_key(draft.channel, draft.address)}"


Key = tuple[str, str, str, str]


def _key(draft: Draft) -> Key:
    return draft.purpose, draft.subject_key, recipient_key(draft), draft.period_key


def _key_of(row: OutboundMessage) -> Key:
    return row.purpose, row.subject_key, row.recipient_key, row.period_key


def _known(drafts: Sequence[Draft]) -> dict[Key, OutboundMessage]:
    """Messages that are there already. A customer's own count also where they came under a record merged since."""
    keys = {_key(draft) for draft in drafts}
    ids = {draft.customer.pk for draft in drafts if draft.customer is not None}
    rows = OutboundMessage.objects.filter(
        Q(recipient_key__in={key[2] for key in keys}) | Q(customer_id__in=ids),
        purpose__in={key[0] for key in keys},
        subject_key__in={key[1] for key in keys},
        period_key__in={key[3] for key in keys},
    ).order_by("-pk")
    found: dict[Key, OutboundMessage] = {}
    for row in rows:
        found[_key_of(row)] = row
        if row.customer_id is not None:
            found.setdefault((row.purpose, row.subject_key, f"c:{row.customer_id}", row.period_key), row)
    return {key: row for key, row in found.items() if key in keys}


def _rows(drafts: Sequence[Draft], *, by: User | None, now: datetime) -> list[OutboundMessage]:
    if not drafts:
        return []
    ready = setup()
    envelopes = [
        Envelope(
            channel=draft.channel,
            message_class=draft.message_class,
            purpose=draft.purpose,
            customer_id=draft.customer.pk if draft.customer is not None else None,
            address=draft.address,
            zone=draft.zone,
            body=draft.body,
            recipient_key=recipient_key(draft),
            is_automatic=draft.is_automatic,
        )
        for draft in drafts
    ]
    objections = Objections(ready, now)
    rows = []
    for draft, envelope, recipient in zip(drafts, envelopes, recipients_of(envelopes, now=now), strict=True):
        row = OutboundMessage(
            purpose=draft.purpose,
            subject_key=draft.subject_key,
            customer=draft.customer,
            recipient_key=envelope.recipient_key,
            period_key=draft.period_key,
            idempotency_key=secrets.token_hex(16),
            channel=draft.channel,
            message_class=draft.message_class,
            template=draft.template,
            template_version=draft.template.version if draft.template is not None else 0,
            title=draft.title[:200],
            body=draft.body,
            link=draft.link[:500],
            payload=draft.payload | ({"approved": True} if draft.approved else {}),
            address=draft.address,
            zone=draft.zone,
            respects_quiet_hours=_waits_for_morning(draft),
            not_before=draft.not_before,
            last_useful_at=draft.last_useful_at,
            gateway=draft.gateway,
            is_automatic=draft.is_automatic,
            by=by,
            created_at=now,
            updated_at=now,
        )
        _place(row, draft, recipient, ready, objections, now)
        rows.append(row)
    return rows


def _waits_for_morning(draft: Draft) -> bool:
    if draft.is_answer or draft.channel in ASSISTED or draft.channel == MessageChannel.STAFF_GROUP:
        return False
    if draft.message_class == MessageClass.SAFETY:
        return False
    if draft.message_class == MessageClass.MARKETING:
        return True
    return draft.template is not None and draft.template.respects_quiet_hours


def as_gate_reads(row: OutboundMessage) -> gate.Message:
    """A message as plain values."""
    return gate.Message(
        message_class=row.message_class,
        needs_consent=bool(consent_purpose(row.message_class, row.purpose)),
        respects_quiet_hours=row.respects_quiet_hours,
        not_before=row.not_before,
        last_useful_at=row.last_useful_at,
    )


def _place(
    row: OutboundMessage,
    draft: Draft,
    recipient: Recipient,
    ready: Setup,
    objections: Objections,
    now: datetime,
) -> None:
    """Set the state in which a new message begins."""
    decision = gate.decide(as_gate_reads(row), recipient.person, now=now, rules=ready.rules)
    if decision.outcome == gate.REFUSE:
        _refuse(row, decision.code, wording.reason(decision.code))
        return
    code, text = objections.to(draft)
    if code:
        _refuse(row, code, text)
    elif row.channel in ASSISTED:
        row.state = MessageState.TO_DO
    elif row.channel != MessageChannel.STAFF_GROUP and row.channel not in ready.gateways:
        _refuse(row, "no_gateway", wording.reason("no_gateway"))
    elif decision.outcome == gate.DEFER:
        row.state, row.next_attempt_at = MessageState.DEFERRED, decision.until
        row.not_before = max(filter(None, (row.not_before, decision.until)))
        row.error_code, row.error = decision.code, wording.reason(decision.code)[:300]
    else:
        row.state, row.next_attempt_at = MessageState.QUEUED, now


def _refuse(row: OutboundMessage, code: str, text: str) -> None:
    row.state, row.error_code, row.error = MessageState.REFUSED, code, text[:300]


class Objections:
    """What carriers and the registered checks have against texts. Prepared once; equal texts are read once."""

    def __init__(self, ready: Setup, now: datetime) -> None:
        self.refused_words, self.now = ready.policy.refused_words, now
        self._checks: list[TextCheck] | None = None
        self._said: dict[tuple[str, ...], tuple[str, str]] = {}

    def to(self, draft: Draft) -> tuple[str, str]:
        """(code, sentence), ("", "") when there is none."""
        if draft.channel == MessageChannel.STAFF_GROUP:
            return "", ""
        key = (draft.channel, draft.message_class, draft.purpose, str(draft.approved), draft.body)
        if key not in self._said:
            self._said[key] = self._read(draft)
        return self._said[key]

    def _read(self, draft: Draft) -> tuple[str, str]:
        if draft.channel == MessageChannel.SMS:
            problems = carrier.problems(
                draft.body, message_class=draft.message_class, refused_words=self.refused_words
            )
            if problems:
                return "carrier", " ".join(wording.sentence(problem) for problem in problems)
        if self._checks is None:
            self._checks = [prepare(self.now) for prepare in text_checks]
        facts = TextFacts(draft.channel, draft.message_class, draft.purpose, self.now)
        findings = [finding for check in self._checks for finding in check(draft.body, facts)]
        for finding in findings:
            if finding.action == "block":
                return "text_blocked", f"{finding.title}: {finding.message}"
        for finding in findings:
            if finding.action == "require_approval" and not draft.approved:
                return "needs_approval", f"{finding.title}: {finding.message}"
        return "", ""


def told(rows: Sequence[OutboundMessage], now: datetime) -> None:
    """After the commit, tell higher apps which of these are settled."""
    settled = [(row.pk, str(row.state)) for row in rows if row.state in SETTLED]
    if settled:
        transaction.on_commit(lambda: announce(settled, now))


def announce(settled: Sequence[tuple[int, str]], now: datetime) -> None:
    """Send `message_settled` for each; a listener that fails is logged and holds up nobody."""
    for pk, state in settled:
        for receiver, result in message_settled.send_robust(
            sender=OutboundMessage, message_id=pk, state=state, at=now
        ):
            if isinstance(result, Exception):
                logger.error("message %s %s: %r failed", pk, state, receiver, exc_info=result)


def nudge() -> None:
    """Tell a worker now. When the broker is down the sweep finds the messages within seconds."""
    from apps.messaging.tasks import send_due_messages_task

    try:
        send_due_messages_task.delay()
    except Exception as error:
        logger.warning("messages wait for the sweep: %s", error)


# -- what people do ----------
def objection_now(message: OutboundMessage, *, now: datetime) -> str:
    """Why a message that people carry may not go at this moment, "" when it may: the gate is asked again, as a worker
    asks it before each call."""
    (recipient,) = recipients_of([Envelope.of(message)], now=now)
    decision = gate.decide(as_gate_reads(message), recipient.person, now=now, rules=setup().rules)
    return "" if decision.outcome == gate.SEND else wording.reason(decision.code) or decision.code


def mark_sent(
    *, message: OutboundMessage, proof: str, by: User, now: datetime, file: File | None = None
) -> ActionLog:
    """A person has sent it on the platform. `proof` says how that can be seen, `file` may show it."""
    changes: dict[str, Any] = {"proof": proof.strip()[:500], "sent_at": now, "by": by}
    with transaction.atomic():
        if file is not None:
            changes["proof_file"] = store_file(upload=file, by=by, now=now)
        return _move(message, "mark_sent", by=by, now=now, reason=proof, changes=changes)


def retry(*, message: OutboundMessage, by: User, now: datetime, reason: str = "") -> ActionLog:
    """Try again what failed or was refused; gate and checks look at it again. What people carry goes back on their
    list. Raises InvalidInput where the text itself is what stands in the way: write it anew."""
    assisted = message.channel in ASSISTED
    _code, objection = Objections(setup(), now).to(_draft_of(message))
    if objection:
        raise InvalidInput(objection, code=_code)
    changes: dict[str, Any] = {
        "error_code": "",
        "error": "",
        "attempts": 0,
        "claim_token": "",
        "sending_at": None,
        "next_attempt_at": None if assisted else now,
        # It did not arrive: to a provider that takes each key once, another attempt is a new message.
        "idempotency_key": secrets.token_hex(16),
        "provider_id": "",
    }
    if assisted:
        decision = gate.decide(
            as_gate_reads(message),
            recipients_of([Envelope.of(message)], now=now)[0].person,
            now=now,
            rules=setup().rules,
        )
        if decision.outcome == gate.REFUSE:
            raise InvalidInput(wording.reason(decision.code), code=decision.code)
    return _move(message, "do_again" if assisted else "retry", by=by, now=now, reason=reason, changes=changes)


def _draft_of(message: OutboundMessage) -> Draft:
    """What the checks of texts read, of a stored message."""
    return Draft(
        purpose=message.purpose,
        subject_key=message.subject_key,
        channel=message.channel,
        body=message.body,
        message_class=message.message_class,
        approved=bool(message.payload.get("approved")),
    )


def cancel(*, message: OutboundMessage, by: User, now: datetime, reason: str = "") -> ActionLog:
    """It will not be sent. Only while it waits."""
    return _move(
        message,
        "cancel",
        by=by,
        now=now,
        reason=reason,
        changes={"next_attempt_at": None, "error": reason[:300]},
    )


def resolve_check(
    *, message: OutboundMessage, sent: bool, by: User, now: datetime, reason: str = ""
) -> ActionLog:
    """Settle what nobody knew: it was sent, or it was not and is sent again. Needs a reason: what shows it."""
    if sent:
        changes: dict[str, Any] = {
            "sent_at": message.sending_at or now,
            "proof": reason.strip()[:500],
            "claim_token": "",
            "error": "",
            "error_code": "",
        }
        return _move(message, "resolve_sent", by=by, now=now, reason=reason, changes=changes)
    changes = {
        "next_attempt_at": now,
        "attempts": 0,
        "claim_token": "",
        "sending_at": None,
        "error": "",
        "error_code": "",
        # The provider may know the old key as used: what is sent again is a new message to it.
        "idempotency_key": secrets.token_hex(16),
    }
    return _move(message, "resolve_not_sent", by=by, now=now, reason=reason, changes=changes)


def _move(
    message: OutboundMessage,
    verb: str,
    *,
    by: User,
    now: datetime,
    reason: str,
    changes: dict[str, Any],
) -> ActionLog:
    with transaction.atomic():
        log = perform(
            OUTBOUND,
            message,
            verb,
            by=by,
            now=now,
            reason=reason,
            changes=changes,
            field="state",
            via="admin",
        )
        told([message], now)
        if message.state == MessageState.QUEUED:
            transaction.on_commit(nudge)
    return log
