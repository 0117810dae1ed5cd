"""Several workers at once, and one that is killed in the middle of a call."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.core.reference import touch
from apps.customers.models import Customer
from apps.messaging.models import Gateway, OutboundMessage
from apps.messaging.selectors import STAMP
from apps.messaging.services.outbox import enqueue
from apps.messaging.services.sending import LEASE, send_due
from tests.messaging.conftest import Recorder, agree, draft, marketing

COUNT, THREADS = 120, 8


def together(act: Any, count: int = THREADS) -> None:
    barrier = threading.Barrier(count)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            barrier.wait()
            act()
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed


@pytest.mark.postgres
@pytest.mark.usefixtures("committed")
def test_eight_workers_send_each_message_once(gateway: Recorder) -> None:
    drafts = [draft(address=f"1390000{n:04}", period_key=str(n)) for n in range(COUNT)]
    enqueue(drafts, by=None, now=timezone.now())
    claimed: list[int] = []
    together(lambda: claimed.append(send_due(clock=timezone.now).claimed))
    keys = Counter(out.idempotency_key for out in gateway.sent)
    assert len(keys) == COUNT
    assert set(keys.values()) == {1}
    assert sum(claimed) == COUNT
    assert sum(1 for n in claimed if n) > 1
    assert set(OutboundMessage.objects.values_list("state", flat=True)) == {"sent"}


@pytest.mark.postgres
@pytest.mark.usefixtures("committed")
def test_eight_writers_write_one_message_and_two_workers_keep_the_cap(gateway: Recorder) -> None:
    person = Customer.objects.create(phone="13812345678")
    agree(person)
    # By day in the recipient's zone, whatever the clock of the machine says.
    noon = timezone.now().replace(hour=4, minute=0)
    together(lambda: enqueue(marketing(person), by=None, now=noon))
    assert OutboundMessage.objects.count() == 1
    enqueue(
        [marketing(person, subject_key=f"campaign:{n}", body=f"{n}号新品,拒收请回复R") for n in range(2, 9)],
        by=None,
        now=noon,
    )
    together(lambda: send_due(clock=lambda: noon, limit=1))
    assert len(gateway.sent) == 1
    assert Counter(OutboundMessage.objects.values_list("state", flat=True)) == {"sent": 1, "deferred": 7}


class Slow(BaseHTTPRequestHandler):
    """Counts posts by their key; the fifth hangs until it is let go."""

    protocol_version = "HTTP/1.1"
    keys: list[str] = []
    hung = threading.Event()
    go = threading.Event()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.keys.append(self.headers["Idempotency-Key"])
        if len(self.keys) == 5:
            self.hung.set()
            self.go.wait(20)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def slow() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    Slow.go.set()
    server.shutdown()
    server.server_close()


@pytest.mark.postgres
@pytest.mark.usefixtures("committed")
def test_a_worker_killed_in_a_call_leaves_one_doubt_and_no_double(
    slow: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Gateway.objects.filter(channel="app").update(is_active=False)
    Gateway.objects.create(
        code="k9", name="k9", kind="signed_http", channel="app", is_active=True, config={"base_url": slow}
    )
    touch(STAMP)
    monkeypatch.setenv("GATEWAY_K9_SECRET", "s")
    enqueue(
        [draft(channel="app", address=f"m{n}", period_key=str(n)) for n in range(12)],
        by=None,
        now=timezone.now(),
    )
    database = connection.settings_dict
    url = f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "send_due_messages", "--json"],
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": url, "VAR_DIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert Slow.hung.wait(30), worker.stderr
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert Counter(OutboundMessage.objects.values_list("state", flat=True)) == {"sent": 4, "claimed": 8}
    # Nobody touches them while the lease runs; after it the surely unsent go, the doubtful one waits for a person.
    assert send_due(clock=timezone.now).claimed == 0
    later = timezone.now() + LEASE + timedelta(seconds=5)
    counts = send_due(clock=lambda: later)
    assert (counts.sent, counts.to_check) == (7, 1)
    assert max(Counter(Slow.keys).values()) == 1
    assert len(Slow.keys) == 12
    (doubt,) = OutboundMessage.objects.filter(state="to_check")
    assert doubt.idempotency_key == Slow.keys[4]
