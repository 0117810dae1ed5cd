"""Ten thousand messages, two workers, one killed with -9 in the middle: none twice, none lost.

    python benchmarks/outbox.py --database-url postgres://postgres@127.0.0.1:5432/bench [--messages 10000]

Writes the messages into the outbox, starts a local HTTP gateway that checks each signature and counts posts by their
idempotency key, then two worker processes. When half of the messages have arrived, one worker is killed while it waits
for an answer; the other goes on. After the lease of the dead worker its messages are looked at: what it had not begun is
sent, what it was in the middle of stands at "to check". The database must be one that may be filled: its messages are
deleted first. Exit code 2 without a database, 1 when a message was posted twice, is lost, or stands in another state.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from common import use_database

SECRET = "bench-secret"
WORKERS = 2


class Provider(BaseHTTPRequestHandler):
    """Takes messages; holds the answer to one post of the worker that is to die."""

    protocol_version = "HTTP/1.1"
    # Head and body of an answer are two writes: without this the second waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    keys: list[str] = []
    unsigned = 0
    hold_at = 0
    held: list[int] = []
    lock = threading.Lock()
    someone_held = threading.Event()
    go = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        stamp = self.headers["X-Timestamp"]
        good = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        with self.lock:
            type(self).unsigned += self.headers["X-Signature"] != f"sha256={good}"
            self.keys.append(self.headers["Idempotency-Key"])
            hold = len(self.keys) == self.hold_at
        if hold:
            # The worker behind this connection is the one that dies.
            self.held.append(self.client_address[1])
            self.someone_held.set()
            self.go.wait(60)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A killed worker's connection is no news."""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--database-url", default="", help="postgres://… or sqlite:///…; its outbox is emptied"
    )
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def work() -> int:
    """One worker: runs until nothing is due."""
    from django.utils import timezone

    from apps.messaging.services.sending import send_due

    while send_due(clock=timezone.now).claimed:
        pass
    return 0


def port_owner(port: int, pids: list[int]) -> int:
    """The process whose connection comes from that port (Linux)."""
    wanted = None
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) == port:
            wanted = f"socket:[{fields[9]}]"
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if str(handle.readlink()) == wanted:
                    return pid
    return pids[0]


def measure(options: argparse.Namespace) -> int:
    """Write, send, kill, settle, count."""
    from django.db import connection
    from django.utils import timezone

    from apps.core.models import ActionLog
    from apps.core.reference import touch
    from apps.messaging.models import Gateway, InboundMessage, OutboundMessage
    from apps.messaging.selectors import STAMP
    from apps.messaging.services.outbox import Draft, enqueue
    from apps.messaging.services.sending import LEASE, send_due

    total = options.messages
    InboundMessage.objects.all().delete()
    OutboundMessage.objects.all().delete()
    ActionLog.objects.filter(model="messaging.outboundmessage").delete()
    server = Server(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Gateway.objects.filter(channel="app").exclude(code="bench").update(is_active=False)
    Gateway.objects.update_or_create(
        code="bench",
        defaults={
            "name": "bench",
            "kind": "signed_http",
            "channel": "app",
            "is_active": True,
            "config": {"base_url": f"http://127.0.0.1:{server.server_port}"},
        },
    )
    touch(STAMP)
    start = time.perf_counter()
    for first in range(0, total, 2000):
        enqueue(
            [
                Draft(
                    purpose="bench",
                    subject_key="bench:1",
                    channel="app",
                    address=f"member-{number}",
                    body=f"您好,您的反馈已处理完成({number})。",
                )
                for number in range(first, min(first + 2000, total))
            ],
            by=None,
            now=timezone.now(),
        )
    written = time.perf_counter() - start

    Provider.hold_at = total // 2
    command = [sys.executable, __file__, "--database-url", options.database_url, "--worker"]
    start = time.perf_counter()
    workers = [subprocess.Popen(command) for _ in range(WORKERS)]
    if not Provider.someone_held.wait(600):
        raise SystemExit("half of the messages never arrived")
    victim = port_owner(Provider.held[0], [worker.pid for worker in workers])
    os.kill(victim, signal.SIGKILL)
    killed_after = len(Provider.keys)
    Provider.go.set()
    for worker in workers:
        worker.wait()
    seconds = time.perf_counter() - start
    sent_before = OutboundMessage.objects.filter(state="sent").count()
    left = Counter(OutboundMessage.objects.exclude(state="sent").values_list("state", flat=True))
    # The lease of the dead worker ends.
    later = timezone.now() + LEASE * 2
    os.environ["GATEWAY_BENCH_SECRET"] = SECRET
    after = send_due(clock=lambda: later)
    states = Counter(OutboundMessage.objects.values_list("state", flat=True))
    posts = Counter(Provider.keys)
    known = dict(OutboundMessage.objects.values_list("idempotency_key", "state"))
    twice = sum(1 for n in posts.values() if n > 1)
    lost = sum(1 for key, state in known.items() if state == "sent" and key not in posts)
    unposted = total - len(posts)
    print(
        f"{connection.vendor}, {total} messages, {WORKERS} workers, worker {victim} killed after {killed_after} posts"
    )
    print(f"written into the outbox in {written:.1f} s ({total / written:.0f}/s)")
    print(
        f"sent by the workers {sent_before} in {seconds:.1f} s ({sent_before / seconds:.0f}/s); left: {dict(left)}"
    )
    print(f"after the lease: {after.sent} sent, {after.to_check} to check")
    print(f"rows: {dict(states)}; posts {len(Provider.keys)}, of different keys {len(posts)}")
    print(
        f"posted twice {twice}, sent without a post {lost}, never posted {unposted}, wrongly signed {Provider.unsigned}"
    )
    good = (
        not twice
        and not lost
        and not unposted
        and not Provider.unsigned
        and states["sent"] + states["to_check"] == total == len(known)
        and states["to_check"] == 1
        and all(known[key] in ("sent", "to_check") for key in posts)
    )
    print("goal reached" if good else "GOAL MISSED")
    server.shutdown()
    return 0 if good else 1


def main() -> int:
    """Exit code as described above."""
    options = arguments()
    os.environ["GATEWAY_BENCH_SECRET"] = SECRET
    use_database(options.database_url)
    return work() if options.worker else measure(options)


if __name__ == "__main__":
    sys.exit(main())
