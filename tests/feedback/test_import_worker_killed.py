"""`kill -9` of the worker of an import page, in its own process, on a real database: the sweep goes on with it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.feedback.models import Feedback, ImportRun
from tests.feedback.test_import_killed import MANY, ROOT, big_file

GIVE = """
import sys
from django.core.files.base import File
from django.utils import timezone
from apps.core.models import User
from apps.feedback.models import Channel
from apps.feedback.services import import_work, imports
by, now = User.objects.create(username="giver", is_superuser=True, is_staff=True), timezone.now()
with open({path!r}, "rb") as file:
    run = imports.give_file(upload=File(file, name="a.csv"), channel=Channel.objects.get(code="taobao"), by=by, now=now).run
imports.choose_columns(run=run, fields={{"text": "评价内容", "customer_nickname": "买家昵称"}}, values={{}},
    encoding="utf-8", columns=("评价内容", "买家昵称"), by=by, now=now)
imports.ask_check(run=run, by=by, now=now, at_once=True)
import_work.work_on(run_id=run.pk, clock=timezone.now)
run.refresh_from_db()
assert run.checked["created"] == {many}, run.checked
imports.start(run=run, by=by, now=now)
"""
SWEEP = """
from datetime import timedelta
from django.utils import timezone
from apps.feedback.services.import_work import sweep_imports
print(sweep_imports(clock=lambda: timezone.now() + timedelta(minutes={minutes})))
"""


def shell(code: str, url: str, var: Path, **streams: Any) -> subprocess.Popen[bytes]:
    """Django code in a process of its own."""
    environment = os.environ | {"DATABASE_URL": url, "VAR_DIR": str(var)}
    return subprocess.Popen(
        [sys.executable, "manage.py", "shell", "-c", code], cwd=ROOT, env=environment, **streams
    )


def finished(process: subprocess.Popen[bytes]) -> bytes:
    out, _err = process.communicate(timeout=300)
    assert process.returncode == 0
    return out


def killed_and_swept(tmp_path: Path, url: str, count: Callable[[], int]) -> None:
    """Give a file, kill its worker in the middle, look that a fresh heart is left alone and a still one is not."""
    var = tmp_path / "var"
    path = big_file(tmp_path / "big.csv")
    finished(shell(GIVE.format(path=str(path), many=MANY), url, var))
    worker = shell(SWEEP.format(minutes=0), url, var, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not count() and worker.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert worker.poll() is None
        worker.send_signal(signal.SIGKILL)
    finally:
        worker.kill()
        worker.wait()
    time.sleep(0.2)
    there = count()
    assert 0 < there < MANY
    # Its heart beat a moment ago: perhaps it is only slow.
    assert finished(shell(SWEEP.format(minutes=0), url, var, stdout=subprocess.PIPE)).split()[-1] == b"0"
    assert count() == there
    assert finished(shell(SWEEP.format(minutes=10), url, var, stdout=subprocess.PIPE)).split()[-1] == b"1"
    assert count() == MANY


def test_on_sqlite_the_sweep_goes_on_with_the_same_rows(tmp_path: Path, committed: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("has its own test on PostgreSQL")
    file = tmp_path / "shop.sqlite3"
    database = sqlite3.connect(file, timeout=20)
    connection.ensure_connection()
    connection.connection.backup(database)

    def stored() -> int:
        return int(database.execute("SELECT COUNT(*) FROM feedback_feedback").fetchone()[0])

    killed_and_swept(tmp_path, f"sqlite:///{file}", stored)
    rows = database.execute(
        "SELECT COUNT(DISTINCT source_row), MIN(source_row), MAX(source_row) FROM feedback_feedback"
    )
    assert rows.fetchone() == (MANY, 2, MANY + 1)
    run = database.execute("SELECT state, read, created, duplicates, rejected FROM feedback_importrun")
    assert run.fetchall() == [("done", MANY, MANY, 0, 0)]
    database.close()


@pytest.mark.postgres
def test_on_postgres_the_sweep_goes_on_with_the_same_rows(tmp_path: Path, committed: None) -> None:
    url = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{connection.settings_dict['NAME']}"
    killed_and_swept(tmp_path, url, Feedback.objects.count)
    rows = sorted(Feedback.objects.values_list("source_row", flat=True))
    assert rows == list(range(2, MANY + 2))
    run = ImportRun.objects.get()
    assert (run.state, run.read, run.created, run.duplicates) == ("done", MANY, MANY, 0)
