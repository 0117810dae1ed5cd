"""Outgoing webhooks: written down with what happened, sent by a worker, signed, tried again, never inside a request.

Headers: `X-Event`, `X-Delivery-Id` (the same for every attempt: receivers use it to do things once), `X-Timestamp`
(seconds), `X-Signature` = "sha256=" + HMAC-SHA256(secret, timestamp + "." + body).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import json
import logging
import os
import secrets
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from apps.automation.choices import DeliveryState, WebhookEvent
from apps.automation.models import WebhookDelivery, WebhookEndpoint
from apps.core import masking
from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError, InvalidInput
from apps.core.models import User
from apps.core.reference import touch
from apps.core.services.notices import notify
from apps.feedback.choices import EntryKind
from apps.feedback.models import Entry, Feedback
from apps.feedback.selectors.reference import reference

if TYPE_CHECKING:
    from apps.automation.book import Book

log = logging.getLogger(__name__)
STAMP = "automation"
TIMEOUT = 10
# Seconds for one message altogether: a receiver that answers byte by byte does not hold a worker. Less than CLAIM.
LONGEST = 30
# One run ends after this; the next one is due in seconds.
RUN_FOR = timedelta(seconds=50)
# Minutes after each failed attempt; the last one repeats until GIVE_UP has passed.
BACK_OFF = (1, 5, 15, 60, 120, 240)
GIVE_UP = timedelta(hours=24)
CLAIM = timedelta(minutes=2)
FAILURES = 10
ANSWERS = frozenset({"record_contact", "give_plan", "give_progress"})
COLUMNS = (
    "id",
    "text",
    "snippet",
    "rating",
    "kind",
    "sentiment",
    "emotion",
    "tier",
    "status",
    "received_at",
    "author_name",
    "order_no",
    "is_historical",
    "channel__code",
    "store__code",
    "product__sku",
    "category__code",
    "subcategory__code",
)


# -- writing down ----------
def queue(
    *,
    endpoints: Sequence[WebhookEndpoint],
    event: str,
    subjects: Iterable[tuple[int, str, dict[str, Any]]],
    now: datetime,
) -> int:
    """One message per address and (feedback id, instance, extra). Two queries; a known instance is not doubled."""
    subjects = list(subjects)
    if not endpoints or not subjects:
        return 0
    facts = {
        row["id"]: row
        for row in Feedback.objects.filter(pk__in={pk for pk, _i, _e in subjects}).order_by().values(*COLUMNS)
    }
    rows = [
        WebhookDelivery(
            endpoint=endpoint,
            event=event,
            instance=instance,
            body={
                "event": event,
                "at": now.isoformat(),
                "feedback": _body(facts[pk], whole=endpoint.send_personal),
                **extra,
            },
            next_attempt_at=now,
            created_at=now,
        )
        for endpoint in endpoints
        for pk, instance, extra in subjects
        # What was imported for the record is no news (decisions, item 3).
        if pk in facts and not (event == WebhookEvent.CREATED and facts[pk]["is_historical"])
    ]
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    return len(rows)


def _body(row: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    return {
        "id": row["id"],
        "number": f"F{row['id']:07d}",
        "channel": row["channel__code"],
        "store": row["store__code"],
        "product": row["product__sku"],
        "category": row["subcategory__code"] or row["category__code"],
        "kind": row["kind"],
        "sentiment": row["sentiment"],
        "emotion": row["emotion"],
        "tier": row["tier"],
        "status": row["status"],
        "rating": row["rating"],
        "received_at": row["received_at"].isoformat(),
        "text": row["text"] if whole else row["snippet"],
        "author": row["author_name"] if whole else masking.mask_name(row["author_name"]),
        "order_no": row["order_no"] if whole else masking.mask_order_no(row["order_no"]),
    }


def announce(*, rules: Book, source: str, items: list[list[Any]], now: datetime) -> None:
    """Tell the subscribed addresses what a batch is about."""
    if source == "arrivals":
        groups = {WebhookEvent.CREATED: [(item[0], f"in:{item[0]}", {}) for item in items]}
    else:
        moved = [(item[0], f"log:{item[1]}", {"verb": item[2]}) for item in items]
        answers = [subject for subject in moved if subject[2]["verb"] in ANSWERS]
        # Who is told of an answer gets its words: the programs behind the shop's own chats show them to the customer.
        words = (
            last_words({pk for pk, _i, _e in answers}) if rules.endpoints.get(WebhookEvent.REPLIED) else {}
        )
        groups = {
            WebhookEvent.MOVED: moved,
            WebhookEvent.REPLIED: [
                (pk, instance, extra | ({"reply": words[pk]} if pk in words else {}))
                for pk, instance, extra in answers
            ],
        }
    for event, subjects in groups.items():
        queue(endpoints=rules.endpoints.get(event, []), event=event, subjects=subjects, now=now)


def last_words(ids: set[int]) -> dict[int, dict[str, Any]]:
    """The newest answer to the customer on each of these cases, masked. One query."""
    rows = Entry.objects.filter(
        feedback__in=ids, kind__in=(EntryKind.CONTACT, EntryKind.REPLY, EntryKind.PLAN, EntryKind.PROGRESS)
    ).order_by("pk")
    return {
        row.feedback_id: {
            "text": masking.mask_text(row.text),
            "method": row.method,
            "automatic": row.is_automatic,
            "at": row.at.isoformat(),
        }
        for row in rows
    }


def somebody_reads() -> bool:
    """Whether an address in use is told of answers."""
    from apps.automation.book import book

    return bool(book().endpoints.get(WebhookEvent.REPLIED))


# -- addresses ----------
def new_secret(*, endpoint: WebhookEndpoint, by: User) -> str:
    """A fresh random secret; shown once by the caller."""
    endpoint.secret = secrets.token_urlsafe(32)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(secret=endpoint.secret)
    touch(STAMP)
    return endpoint.secret


def secret_of(endpoint: WebhookEndpoint) -> str:
    """The environment comes first: WEBHOOK_SECRET_<CODE>."""
    name = f"WEBHOOK_SECRET_{endpoint.code.upper().replace('-', '_')}"
    return os.environ.get(name) or endpoint.secret


def sign(*, secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over timestamp, a dot and the body, in hex."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def check_url(url: str) -> tuple[str, str, int]:
    """(scheme, host, port) of an address that may be called. Raises InvalidInput."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    allowed = {"https"} | ({"http"} if settings.WEBHOOK_ALLOW_HTTP else set())
    if parts.scheme not in allowed:
        raise InvalidInput(_("The address must begin with https://."), field="url")
    if not parts.hostname or parts.username or parts.password or port == -1:
        raise InvalidInput(_("This is no usable address."), field="url")
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def resolve(host: str, port: int) -> str:
    """The network address to connect to. Raises InvalidInput for addresses inside our own network (SSRF).

    The connection goes to the very address that was checked: a name that answers differently a moment later is no way
    around it.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise DomainError(
            _("The name %(host)s is not known.") % {"host": host}, code="unknown_host"
        ) from error
    addresses = [str(entry[4][0]) for entry in found]
    if not settings.WEBHOOK_ALLOW_PRIVATE:
        for address in addresses:
            if not _is_public(ipaddress.ip_address(address.split("%")[0])):
                raise InvalidInput(
                    _("%(host)s lies inside a private network; messages go to public addresses only.")
                    % {"host": host},
                    field="url",
                    code="private_address",
                )
    return addresses[0]


NAT64 = ipaddress.ip_network("64:ff9b::/96")
UNICAST = ipaddress.ip_network("2000::/3")


def _is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Also of an IPv4 address that travels inside an IPv6 one (mapped, 6to4, NAT64)."""
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
        if ip not in UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


@dataclass(frozen=True)
class Answer:
    """What the other side said."""

    status: int
    text: str


class _PinnedHTTPS(http.client.HTTPSConnection):
    """Connects to the checked address, but speaks TLS with the name."""

    def __init__(self, host: str, address: str, port: int) -> None:
        super().__init__(host, port, timeout=TIMEOUT, context=ssl.create_default_context())
        self._address = address

    def connect(self) -> None:
        """To the address that was checked."""
        raw = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._context.wrap_socket(raw, server_hostname=self.host)  # type: ignore[attr-defined]


def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """One POST. No redirect is followed. Raises OSError, HTTPException or DomainError."""
    scheme, host, port = check_url(url)
    address = resolve(host, port)
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    caller: http.client.HTTPConnection
    if scheme == "https":
        caller = _PinnedHTTPS(host, address, port)
    else:
        caller = http.client.HTTPConnection(address, port, timeout=TIMEOUT)
    try:
        default = 443 if scheme == "https" else 80
        name = f"[{host}]" if ":" in host else host
        full = {
            "Host": name if port == default else f"{name}:{port}",
            "Content-Type": "application/json",
        } | headers
        caller.connect()
        line = caller.sock
        watch = threading.Timer(LONGEST, _hang_up, (line,))
        watch.daemon = True
        watch.start()
        try:
            caller.request("POST", target, body=body, headers=full)
            answer = caller.getresponse()
            return Answer(answer.status, answer.read(2000).decode("utf-8", "replace"))
        finally:
            watch.cancel()
    finally:
        caller.close()


def _hang_up(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


# -- sending ----------
def send_due(*, now: datetime, clock: Callable[[], datetime] | None = None, limit: int = 200) -> int:
    """Send what is due; answers how many were delivered. Any number of workers may run it.

    `clock` is asked anew for each message: receivers are slow, and a claim or a signature that is as old as the run
    would be no good.
    """
    delivered = 0
    for _round in range(limit):
        moment = clock() if clock else now
        if moment - now > RUN_FOR:
            break
        row = _claim(moment)
        if row is None:
            break
        delivered += _send(row, moment, clock)
    return delivered


def _due(now: datetime) -> Any:
    return (
        WebhookDelivery.objects.filter(endpoint__is_active=True, endpoint__paused_at__isnull=True)
        .filter(
            Q(status=DeliveryState.QUEUED, next_attempt_at__lte=now)
            | Q(status=DeliveryState.CLAIMED, claimed_until__lte=now)
        )
        .select_related("endpoint")
        .order_by("next_attempt_at", "id")
    )


@transaction.atomic
def _claim(now: datetime) -> WebhookDelivery | None:
    rows = _due(now)
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, of=("self",))
    row = rows.first()
    if row is None:
        return None
    changed = WebhookDelivery.objects.filter(pk=row.pk, status=row.status, attempts=row.attempts).update(
        status=DeliveryState.CLAIMED, attempts=F("attempts") + 1, claimed_until=now + CLAIM
    )
    if not changed:
        return None
    row.attempts += 1
    return row


def _send(row: WebhookDelivery, now: datetime, clock: Callable[[], datetime] | None = None) -> bool:
    body = json.dumps(row.body, ensure_ascii=False, separators=(",", ":")).encode()
    stamp = str(int(now.timestamp()))
    headers = {
        "X-Event": row.event,
        "X-Delivery-Id": str(row.replay_of_id or row.pk),
        "X-Timestamp": stamp,
        "X-Signature": "sha256=" + sign(secret=secret_of(row.endpoint), timestamp=stamp, body=body),
        "User-Agent": "feedback_crm",
    }
    status: int | None = None
    text = error = ""
    try:
        answer = post(row.endpoint.url, body, headers)
        status, text = answer.status, masking.mask_text(answer.text)[:500]
        if not 200 <= status < 300:
            error = _("The other side answered %(status)d.") % {"status": status}
    except DomainError as refusal:
        error = str(refusal.message)
    except (OSError, http.client.HTTPException, ValueError) as fault:
        error = f"{type(fault).__name__}: {fault}"
    _settle(row, now=clock() if clock else now, ok=not error, status=status, text=text, error=error[:300])
    return not error


@transaction.atomic
def _settle(
    row: WebhookDelivery, *, now: datetime, ok: bool, status: int | None, text: str, error: str
) -> None:
    over = now - row.created_at >= GIVE_UP
    wait = BACK_OFF[min(row.attempts, len(BACK_OFF)) - 1]
    state = DeliveryState.DELIVERED if ok else DeliveryState.FAILED if over else DeliveryState.QUEUED
    WebhookDelivery.objects.filter(pk=row.pk, status=DeliveryState.CLAIMED, attempts=row.attempts).update(
        status=state,
        response_status=status,
        response=text,
        error=error,
        claimed_until=None,
        next_attempt_at=None if ok or over else now + timedelta(minutes=wait),
        settled_at=now if ok or over else None,
    )
    endpoints = WebhookEndpoint.objects.filter(pk=row.endpoint_id)
    if ok:
        endpoints.exclude(failures=0).update(failures=0)
        return
    endpoints.update(failures=F("failures") + 1)
    if endpoints.filter(failures__gte=FAILURES, paused_at__isnull=True).update(paused_at=now):
        touch(STAMP)
        notify(
            recipients=[*reference().ops_leads, *reference().managers],
            level=NoticeLevel.WARNING,
            title=_("Messages to “%(name)s” are paused") % {"name": row.endpoint.name},
            body=_("%(count)d attempts in a row failed. The last error: %(error)s")
            % {"count": FAILURES, "error": error},
            url=f"/admin/automation/webhookendpoint/{row.endpoint_id}/change/",
            key=f"webhook_paused:{row.endpoint_id}:{now:%Y%m%d%H}",
            now=now,
        )


def resume(*, endpoint: WebhookEndpoint, by: User, now: datetime) -> None:
    """Go on after a pause; what waits is sent."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(paused_at=None, failures=0)
    touch(STAMP)


def replay(*, delivery: WebhookDelivery, by: User, now: datetime) -> WebhookDelivery:
    """Send a message again, with the same delivery number, so that a receiver that has it does nothing twice."""
    if delivery.status not in (DeliveryState.DELIVERED, DeliveryState.FAILED):
        raise DomainError(_("This message is still on its way."))
    return WebhookDelivery.objects.create(
        endpoint_id=delivery.endpoint_id,
        event=delivery.event,
        instance=f"replay:{delivery.pk}:{int(now.timestamp() * 1000)}",
        body=delivery.body,
        next_attempt_at=now,
        created_at=now,
        replay_of_id=delivery.replay_of_id or delivery.pk,
    )


def test_message(*, endpoint: WebhookEndpoint, by: User, now: datetime) -> WebhookDelivery:
    """A message that says nothing, to see whether the other side hears."""
    return WebhookDelivery.objects.create(
        endpoint=endpoint,
        event=WebhookEvent.TEST,
        instance=f"test:{int(now.timestamp() * 1000)}",
        body={"event": WebhookEvent.TEST, "at": now.isoformat()},
        next_attempt_at=now,
        created_at=now,
    )


def forget_old(*, now: datetime, days: int) -> int:
    """Settled messages past their time."""
    gone, _rows = WebhookDelivery.objects.filter(settled_at__lt=now - timedelta(days=days)).delete()
    return gone
