"""Outgoing webhooks against a local server: signed, retried, paused, replayed, never inside a request or a private net."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from apps.automation.models import WebhookDelivery, WebhookEndpoint
from apps.automation.services import engine, outbox
from apps.core.exceptions import DomainError
from apps.core.reference import touch
from apps.feedback.models import Feedback
from tests.factories import NOW, Cast, arrive, take, told, voice

pytestmark = pytest.mark.django_db


class Hearer(HTTPServer):
    answers: list[int]
    heard: list[tuple[dict[str, str], bytes]]


@pytest.fixture
def server(settings: Any) -> Iterator[Hearer]:
    settings.WEBHOOK_ALLOW_PRIVATE = settings.WEBHOOK_ALLOW_HTTP = True

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            here.heard.append((dict(self.headers), body))
            status = here.answers.pop(0) if here.answers else 200
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write("好的 13812345678".encode())

        def log_message(self, *args: Any) -> None:
            pass

    here = Hearer(("127.0.0.1", 0), Handler)
    here.answers, here.heard = [], []
    thread = threading.Thread(target=here.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield here
    here.shutdown()
    here.server_close()


def endpoint(server: Hearer | None = None, **values: Any) -> WebhookEndpoint:
    url = f"http://127.0.0.1:{server.server_port}/in?x=1" if server else "https://example.com/in"
    row = WebhookEndpoint.objects.create(
        code="erp", name="ERP", **({"url": url, "secret": "s" * 40, "events": ["feedback.created"]} | values)
    )
    touch("automation")
    return row


def told_about(row: Feedback) -> WebhookDelivery:
    for pk in engine.arrived(feedback_ids=[row.pk], now=NOW):
        engine.work_on(batch_id=pk, now=NOW)
    return WebhookDelivery.objects.get()


def test_a_message_is_signed_masked_sent_once_and_can_be_replayed(server: Hearer, cast: Cast) -> None:
    endpoint(server)
    (outcome,) = take(voice("请回电 13812345678", customer={"nickname": "王小明"}), grade="A")
    row = Feedback.objects.get(pk=outcome.feedback_id)
    delivery = told_about(row)
    assert not server.heard, "nothing is sent where it happens"
    assert outbox.send_due(now=NOW) == 1 and outbox.send_due(now=NOW) == 0
    headers, body = server.heard[0]
    signed = hmac.new(b"s" * 40, headers["X-Timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["X-Signature"] == f"sha256={signed}" and headers["X-Delivery-Id"] == str(delivery.pk)
    sent = json.loads(body)
    assert (
        sent["feedback"]["number"] == row.number
        and "13812345678" not in body.decode()
        and "王小明" not in body.decode()
    )
    delivery.refresh_from_db()
    assert (delivery.status, delivery.response_status) == (
        "delivered",
        200,
    ) and "13812345678" not in delivery.response
    outbox.replay(delivery=delivery, by=cast.lin, now=NOW)
    outbox.send_due(now=NOW)
    assert server.heard[1][0]["X-Delivery-Id"] == str(delivery.pk) and server.heard[1][1] == body


def test_failures_are_tried_again_with_growing_pauses_and_given_up_after_a_day(
    server: Hearer, cast: Cast
) -> None:
    endpoint(server)
    delivery = told_about(arrive("A"))
    server.answers = [500, 302, 503]
    outbox.send_due(now=NOW)
    assert outbox.send_due(now=NOW + timedelta(seconds=30)) == 0 and len(server.heard) == 1
    outbox.send_due(now=NOW + timedelta(minutes=1))
    # A redirect is an answer like any other: it is not followed.
    assert len(server.heard) == 2
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("queued", 2, 302)
    outbox.send_due(now=NOW + timedelta(hours=25))
    delivery.refresh_from_db()
    assert delivery.status == "failed"


def test_an_address_that_keeps_failing_is_paused_and_the_lead_told(server: Hearer, cast: Cast) -> None:
    row = endpoint(server, failures=outbox.FAILURES - 1)
    told_about(arrive("A"))
    server.answers = [500]
    outbox.send_due(now=NOW)
    row.refresh_from_db()
    assert row.paused_at is not None and told(cast.lin, "ERP") == 1
    assert outbox.send_due(now=NOW + timedelta(hours=1)) == 0
    outbox.resume(endpoint=row, by=cast.lin, now=NOW)
    assert outbox.send_due(now=NOW + timedelta(hours=1)) == 1


def test_a_dead_receiver_neither_breaks_nor_delays_intake(settings: Any, cast: Cast) -> None:
    """Trap: posted inside the request, connection error not caught (django-helpdesk webhooks.py)."""
    settings.WEBHOOK_ALLOW_PRIVATE = settings.WEBHOOK_ALLOW_HTTP = True
    endpoint(url="http://127.0.0.1:9/in")
    delivery = told_about(arrive("A"))
    assert outbox.send_due(now=NOW) == 0
    delivery.refresh_from_db()
    assert delivery.status == "queued" and "refused" in delivery.error.lower()


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://10.1.2.3/x",
        "https://169.254.169.254/latest",
        "https://[::1]/x",
        "https://[::ffff:192.168.0.1]/x",
        # The same places by other names: decimal, hexadecimal, nothing, IPv4 inside IPv6 (mapped, 6to4, NAT64, compatible).
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://0.0.0.0/x",
        "https://[2002:7f00:1::]/x",
        "https://[64:ff9b::a01:203]/x",
        "https://[::7f00:1]/x",
        "https://[fec0::1]/x",
        "http://93.184.216.34/x",
        "ftp://example.com/x",
        "https://user:pw@93.184.216.34/",
    ],
)
def test_private_and_odd_addresses_are_refused(url: str, cast: Cast) -> None:
    with pytest.raises(DomainError):
        _scheme, host, port = outbox.check_url(url)
        outbox.resolve(host, port)
    endpoint(url=url)
    delivery = told_about(arrive("A"))
    outbox.send_due(now=NOW)
    delivery.refresh_from_db()
    assert delivery.status == "queued" and delivery.error


def test_public_addresses_are_called() -> None:
    for address in ("93.184.216.34", "2400:3200::1", "64:ff9b::5db8:d822"):
        assert outbox.resolve(address, 443) == address


def test_a_claim_and_a_signature_are_as_young_as_their_message(server: Hearer, cast: Cast) -> None:
    """Slow receivers: with the run's own start as claim, a second worker would send the same at the same time."""
    endpoint(server)
    rows = [arrive("A") for _ in range(3)]
    for pk in engine.arrived(feedback_ids=[row.pk for row in rows], now=NOW):
        engine.work_on(batch_id=pk, now=NOW)
    ticks = iter(range(0, 400, 20))
    assert outbox.send_due(now=NOW, clock=lambda: NOW + timedelta(seconds=next(ticks))) == 2
    stamps = [int(headers["X-Timestamp"]) - int(NOW.timestamp()) for headers, _body in server.heard]
    assert stamps == [0, 40]
    assert WebhookDelivery.objects.filter(status="queued").count() == 1, "the next run goes on"


def test_a_receiver_that_answers_byte_by_byte_does_not_hold_a_worker(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_ALLOW_PRIVATE = settings.WEBHOOK_ALLOW_HTTP = True
    monkeypatch.setattr(outbox, "LONGEST", 0.2, raising=False)
    done = threading.Event()

    def drip(listener: socket.socket) -> None:
        line, _address = listener.accept()
        with line, contextlib.suppress(OSError):
            line.sendall(b"HTTP")
            while not done.wait(0.03):
                line.sendall(b"a")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,), daemon=True)
        thread.start()
        threading.Timer(3, done.set).start()
        begun = time.monotonic()
        with pytest.raises((OSError, http.client.HTTPException)):
            outbox.post(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"{}", {})
        assert time.monotonic() - begun < 2
        done.set()
