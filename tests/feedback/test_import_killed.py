"""`kill -9` in the middle of an import: the real command in its own process, on a real database."""

from __future__ import annotations

import json
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

from apps.feedback.models import Feedback, FeedbackSearch, ImportRun

ROOT = Path(__file__).resolve().parents[2]
MANY = 5_000


def big_file(path: Path) -> Path:
    """No ids, so that only (file, row) tells the rows apart; every fourth text stands four times."""
    rows = (f"第{n // 4}位顾客说快递太慢了等了{n // 4}天,客{n}" for n in range(MANY))
    path.write_text("\n".join(["评价内容,买家昵称", *rows]), encoding="utf-8")
    return path


def start(path: Path, url: str, var: Path, **streams: Any) -> subprocess.Popen[bytes]:
    """The command as a person starts it."""
    command = [sys.executable, "manage.py", "import_feedback", str(path), "--channel", "taobao", "--json"]
    return subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"DATABASE_URL": url, "VAR_DIR": str(var)}, **streams
    )


def kill_in_the_middle(path: Path, url: str, var: Path, count: Callable[[], int]) -> int:
    """Start it, SIGKILL it once some rows are in, answer how many are."""
    process = start(path, url, var, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 120
        while not count() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.poll() is None, process.stderr.read().decode()[-2000:]
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert process.returncode == -signal.SIGKILL
    return int(count())


def test_on_sqlite_nothing_is_lost_or_doubled(tmp_path: Path, committed: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("has its own test on PostgreSQL")
    file = tmp_path / "shop.sqlite3"
    database = sqlite3.connect(file, timeout=20)
    # The loaded test database as a file; inside of a transaction SQLite would wait for its end for ever.
    connection.ensure_connection()
    connection.connection.backup(database)

    def stored() -> int:
        return database.execute("SELECT COUNT(*) FROM feedback_feedback").fetchone()[0]

    url, path = f"sqlite:///{file}", big_file(tmp_path / "big.csv")
    there = kill_in_the_middle(path, url, tmp_path / "var", stored)
    assert 0 < there < MANY
    again = start(path, url, tmp_path / "var", stdout=subprocess.PIPE)
    out, _err = again.communicate(timeout=300)
    result = json.loads(out.splitlines()[-1])
    assert again.returncode == 0
    assert (result["read"], result["created"], result["duplicates"]) == (MANY, MANY - there, there)
    rows, distinct, runs = database.execute(
        "SELECT COUNT(*), COUNT(DISTINCT source_row), COUNT(DISTINCT import_run_id) FROM feedback_feedback"
    ).fetchone()
    assert (rows, distinct, runs) == (MANY, MANY, 1)
    # Nothing half: every row has its search entry, and its clocks if it has a deadline.
    assert database.execute("SELECT COUNT(*) FROM feedback_feedbacksearch").fetchone()[0] == MANY
    orphans = "due_at IS NOT NULL AND id NOT IN (SELECT feedback_id FROM feedback_slaclock)"
    assert database.execute(f"SELECT COUNT(*) FROM feedback_feedback WHERE {orphans}").fetchone()[0] == 0
    database.close()


@pytest.mark.postgres
def test_on_postgres_nothing_is_lost_or_doubled(tmp_path: Path, committed: None) -> None:
    name = connection.settings_dict["NAME"]
    url = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{name}"
    path = big_file(tmp_path / "big.csv")
    there = kill_in_the_middle(path, url, tmp_path / "var", Feedback.objects.count)
    # What was on its way to the server when the process died may still have arrived.
    time.sleep(0.2)
    there = Feedback.objects.count()
    assert 0 < there < MANY
    out, _err = start(path, url, tmp_path / "var", stdout=subprocess.PIPE).communicate(timeout=300)
    result = json.loads(out.splitlines()[-1])
    assert (result["read"], result["created"], result["duplicates"]) == (MANY, MANY - there, there)
    assert Feedback.objects.values("source_row").distinct().count() == Feedback.objects.count() == MANY
    assert FeedbackSearch.objects.count() == MANY
    assert not Feedback.objects.filter(due_at__isnull=False, clocks=None).exists()
    assert ImportRun.objects.get().state == "done"
