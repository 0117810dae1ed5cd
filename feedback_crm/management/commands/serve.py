"""One supervisor for web, worker and scheduler."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

GRACE_SECONDS = 15


class Command(BaseCommand):
    """`serve [--port N] [--host ADDRESS] [--web-workers N]`"""

    help = "Start web, worker and scheduler, and stop all of them together (Ctrl-C or SIGTERM)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--web-workers", type=int, default=2)

    def handle(self, *args: Any, **options: Any) -> None:
        """Start the three, wait until one ends or a signal comes, stop the rest."""
        host, port = options["host"], options["port"]
        self._port_is_free(host, port)
        # Links and QR codes lead here, unless the shop has told its own address.
        os.environ.setdefault("SITE_URL", f"http://localhost:{port}")
        python = sys.executable
        commands = {
            "web": [
                python,
                "-m",
                "gunicorn",
                "feedback_crm.wsgi",
                "--bind",
                f"{host}:{port}",
                "--workers",
                str(options["web_workers"]),
                "--threads",
                "4",
                "--timeout",
                "60",
                "--log-level",
                "warning",
                "--preload",
            ],
            # -B runs the scheduler inside this one worker; gossip and friends need a broker that can broadcast.
            "worker": [
                python,
                "-m",
                "celery",
                "-A",
                "feedback_crm",
                "worker",
                "-B",
                "--pool=prefork",
                "-c",
                "2",
                "--queues",
                "default,intake,messages,reports",
                "--without-gossip",
                "--without-mingle",
                "--without-heartbeat",
                "--loglevel",
                "warning",
            ],
        }
        stop_asked: list[int] = []

        def on_signal(number: int, frame: FrameType | None) -> None:
            stop_asked.append(number)

        signal.signal(signal.SIGINT, on_signal)
        signal.signal(signal.SIGTERM, on_signal)
        # Own process groups: a Ctrl-C in the terminal reaches only us, and we stop the others in order.
        running = {
            name: subprocess.Popen(command, cwd=settings.BASE_DIR, start_new_session=True)
            for name, command in commands.items()
        }
        self.stdout.write(f"\nfeedback_crm  http://{host}:{port}/admin/   (Ctrl-C stops everything)\n")
        self.stdout.flush()
        failed = None
        while not stop_asked and failed is None:
            time.sleep(0.3)
            failed = next((name for name, process in running.items() if process.poll() is not None), None)
        self._stop(running)
        if failed is not None:
            raise CommandError(f"{failed} ended by itself; everything was stopped. Its lines above say why.")

    def _stop(self, running: dict[str, subprocess.Popen[bytes]]) -> None:
        for process in running.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        for process in running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    @staticmethod
    def _port_is_free(host: str, port: int) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                raise CommandError(
                    f"Port {port} is taken; choose another: PORT={port + 1} make run"
                ) from error
