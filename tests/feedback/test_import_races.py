"""Several workers and people at one import at the same moment, with real threads on PostgreSQL."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from apps.core.models import ActionLog
from apps.feedback.models import Channel, Feedback, ImportRun
from apps.feedback.services import file_import, import_undo, import_work, imports, intake, moves
from apps.feedback.services.import_undo import undo
from tests.factories import Cast, case, make_cast, take, voice
from tests.feedback.test_races import at_once, faults

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("committed")]
ROWS = 200


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are the threads of the test."""
    from apps.feedback import tasks

    monkeypatch.setattr(tasks.work_on_import_task, "delay", lambda run_id: None)


def content() -> bytes:
    return ("评价内容\n" + "".join(f"第{n}条评价说快递太慢了等了{n}天\n" for n in range(ROWS))).encode()


def queued(cast: Cast, data: bytes = b"", **more: str) -> ImportRun:
    now = timezone.now()
    run = imports.give_file(
        upload=SimpleUploadedFile("a.csv", data or content()),
        channel=Channel.objects.get(code="taobao"),
        by=cast.alice,
        now=now,
    ).run
    imports.choose_columns(
        run=run, fields={"text": "评价内容"} | more, values={}, encoding="utf-8", columns=("评价内容", *more.values()), by=cast.alice, now=now
    )  # fmt: skip
    imports.ask_check(run=run, by=cast.alice, now=now)
    import_work.work_on(run_id=run.pk, clock=timezone.now)
    run.refresh_from_db()
    imports.start(run=run, by=cast.alice, now=now)
    return run


def work(run: ImportRun) -> Any:
    return lambda: import_work.work_on(run_id=run.pk, clock=timezone.now)


def test_eight_workers_and_one_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_import, "CHUNK", 50)
    run = queued(make_cast())
    results = at_once([work(run)] * 8)
    assert faults(results) == []
    assert results.count(True) == 1
    run.refresh_from_db()
    assert (run.state, run.created, Feedback.objects.count()) == ("done", ROWS, ROWS)
    assert ActionLog.objects.filter(model="feedback.importrun", verb__in=("work", "take_over")).count() == 1


def test_the_same_file_given_by_four_at_once_is_one_draft() -> None:
    cast = make_cast()

    def give() -> Any:
        return imports.give_file(
            upload=SimpleUploadedFile("a.csv", content()),
            channel=Channel.objects.get(code="taobao"),
            by=cast.alice,
            now=timezone.now(),
        ).known

    results = at_once([give] * 4)
    assert faults(results) == []
    assert sorted(results) == [False, True, True, True]
    assert ImportRun.objects.count() == 1


def test_pause_while_it_runs_wins_and_nothing_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_import, "CHUNK", 10)
    cast = make_cast()
    run = queued(cast)

    def pause() -> Any:
        while ImportRun.objects.get(pk=run.pk).state != "running":
            pass
        return imports.pause(run=ImportRun.objects.get(pk=run.pk), by=cast.alice, now=timezone.now())

    results = at_once([work(run), pause])
    assert faults(results) == []
    run.refresh_from_db()
    assert run.state == "paused"
    assert Feedback.objects.count() < ROWS
    imports.resume(run=run, by=cast.alice, now=timezone.now())
    work(run)()
    run.refresh_from_db()
    assert (run.state, run.created, run.duplicates, Feedback.objects.count()) == ("done", ROWS, 0, ROWS)


def test_who_claims_while_it_is_undone_keeps_the_case_or_hears_that_it_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(import_undo, "CHUNK", 10)
    cast = make_cast()
    run = queued(cast)
    work(run)()
    run.refresh_from_db()
    ids = list(Feedback.objects.order_by("-id").values_list("id", flat=True))

    def claim_all() -> list[int]:
        won = []
        for pk in ids[::3]:
            try:
                moves.claim(feedback=case(pk), by=cast.bob, now=timezone.now())
            except Feedback.DoesNotExist:
                continue
            except Exception as error:
                if getattr(error, "code", "") not in ("stale_state", "illegal_move"):
                    raise
                continue
            won.append(pk)
        return won

    def note_all() -> list[int]:
        won = []
        for pk in ids[1::3]:
            try:
                moves.add_note(feedback=case(pk), text="看一下这条", by=cast.bob, now=timezone.now())
            except Feedback.DoesNotExist:
                continue
            except Exception as error:
                if getattr(error, "code", "") not in ("stale_state", "illegal_move"):
                    raise
                continue
            won.append(pk)
        return won

    undo(run=run, by=cast.lin, now=timezone.now(), reason="导错渠道")
    done, claimed, noted = at_once([work(run), claim_all, note_all])
    assert faults([done, claimed, noted]) == [], (done, claimed, noted)
    stayed = set(Feedback.objects.values_list("id", flat=True))
    assert stayed == {*claimed, *noted}
    run.refresh_from_db()
    assert (run.state, run.undone) == ("done" if stayed else "undone", ROWS - len(stayed))
    assert not ActionLog.objects.filter(model="feedback.feedback").exclude(object_id__in=stayed).exists()


def test_two_undo_it_at_once_and_one_does() -> None:
    cast = make_cast()
    run = queued(cast)
    work(run)()

    def ask() -> Any:
        mine = ImportRun.objects.get(pk=run.pk)
        return lambda: undo(run=mine, by=cast.lin, now=timezone.now(), reason="导错渠道")

    results = at_once([ask() for _ in range(4)])
    assert faults(results) == []
    assert sum(isinstance(r, ActionLog) for r in results) == 1
    results = at_once([work(run)] * 4)
    assert results.count(True) == 1
    assert faults(results) == []
    assert Feedback.objects.count() == 0


def test_an_undo_waits_for_the_rows_that_are_just_coming_in(monkeypatch: pytest.MonkeyPatch) -> None:
    cast = make_cast()
    run = queued(cast)
    inside, real = threading.Event(), intake._alarm

    def slow(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        inside.set()
        time.sleep(1)

    monkeypatch.setattr(intake, "_alarm", slow)

    def pause_and_undo() -> str:
        assert inside.wait(30)
        mine = ImportRun.objects.get(pk=run.pk)
        imports.pause(run=mine, by=cast.alice, now=timezone.now())
        undo(run=mine, by=cast.lin, now=timezone.now(), reason="导错渠道", at_once=True)
        work(run)()
        return ImportRun.objects.get(pk=run.pk).state

    results = at_once([work(run), pause_and_undo])
    assert faults(results) == [] and results[1] == "undone"
    run.refresh_from_db()
    # Every row that came in went again; none is left that nobody can take back.
    assert (run.created, run.undone, Feedback.objects.count()) == (ROWS, ROWS, 0)


def test_a_chunk_that_meets_another_writer_still_looks_again() -> None:
    cast = make_cast()
    other = [voice(f"第{n}条评价说快递太慢了等了{n}天", external_id=f"r{n}") for n in range(ROWS)]
    lines = "".join(f"r{n},第{n}条评价说快递太慢了等了{n}天\n" for n in range(ROWS))
    run = queued(cast, f"评价ID,评价内容\n{lines}".encode(), external_id="评价ID")
    results = at_once([work(run), *[lambda: take(*other, now=timezone.now())] * 3])
    assert faults(results) == []
    run.refresh_from_db()
    assert (run.state, run.read, Feedback.objects.count()) == ("done", ROWS, ROWS)
    assert run.created + run.duplicates == ROWS
