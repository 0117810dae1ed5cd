"""Doing what imports want: checking, running, undoing; one worker each, and taken over when it is gone.

A worker claims a run by compare-and-set and signs it with a name of its own; every write after that names the name, so
a worker that was thought dead and wakes up again changes nothing more. `sweep_imports` finds what is wanted and what
stood still, whatever the broker lost.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.files.base import File
from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError
from apps.core.models import ActionLog, StoredFile
from apps.core.services.files import drop, keep, local_path
from apps.core.services.notices import notify
from apps.core.workflow import perform
from apps.feedback.fileformats import FileRefused, MappingError
from apps.feedback.models import ImportRun
from apps.feedback.selectors.imports import mapping_of
from apps.feedback.services.file_import import ImportResult, import_file
from apps.feedback.services.import_undo import go_on_undoing
from apps.feedback.services.imports import kick, refusal
from apps.feedback.transitions import IMPORT

logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]
State = ImportRun.State
AT_WORK = (State.CHECKING, State.RUNNING, State.UNDOING)


def stale_before(now: datetime) -> datetime:
    """A worker whose last sign of life is older counts as gone."""
    return now - timedelta(seconds=settings.FEEDBACK_IMPORT_STALE_SECONDS)


def sweep_imports(*, clock: Clock, limit: int = 20) -> int:
    """Go on with every import that is wanted and that nobody works on; returns how many were worked on."""
    now = clock()
    wanted = (
        ImportRun.objects.filter(state__in=(*AT_WORK, State.QUEUED))
        .filter(Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=stale_before(now)))
        .exclude(Q(file__isnull=True) & ~Q(state=State.UNDOING))
        .order_by("id")
        .values_list("id", flat=True)[:limit]
    )
    worked = 0
    for run_id in list(wanted):
        try:
            worked += work_on(run_id=run_id, clock=clock)
        except (OperationalError, InterfaceError):
            # The database is away for all of them.
            raise
        except Exception:
            # One import that breaks must not keep the others waiting; what went wrong stands on it.
            logger.exception("import %s broke off", run_id)
            worked += 1
    return worked


def work_on(*, run_id: int, clock: Clock, at_once: bool = False) -> bool:
    """Do what the run wants, if nobody does; True when this call worked on it.

    `at_once` is a person waiting for something small: it need not wait for its turn.
    """
    run = ImportRun.objects.filter(pk=run_id).select_related("channel", "store", "file", "by").first()
    if run is None:
        return False
    now = clock()
    if not at_once and _others_at_work(run, now):
        return False
    if run.state == State.QUEUED and run.file_id is not None:
        if not _begin(run, now):
            return False
        _run(run, clock)
    elif run.state == State.RUNNING and run.file_id is not None:
        if not _take_over(run, now):
            return False
        _run(run, clock)
    elif run.state in (State.CHECKING, State.UNDOING):
        if not _sign(run, now):
            return False
        if run.state == State.CHECKING:
            _check(run, clock)
        else:
            _undo(run, clock)
    else:
        return False
    waiting = (
        ImportRun.objects.filter(state__in=(*AT_WORK, State.QUEUED), heartbeat_at__isnull=True)
        .exclude(Q(file__isnull=True) & ~Q(state=State.UNDOING))
        .exclude(pk=run_id)
        .order_by("id")
        .first()
    )
    if waiting is not None:
        kick(waiting.pk)
    return True


def _others_at_work(run: ImportRun, now: datetime) -> bool:
    """Imports leave room for the other background work: only so many are worked on at once."""
    alive = ImportRun.objects.filter(state__in=AT_WORK, heartbeat_at__gte=stale_before(now)).exclude(
        worker=""
    )
    return alive.exclude(pk=run.pk).count() >= settings.FEEDBACK_IMPORT_PARALLEL


def _begin(run: ImportRun, now: datetime) -> bool:
    return _claim(run, "work", now, expect={})


def _take_over(run: ImportRun, now: datetime) -> bool:
    if run.heartbeat_at is not None and run.heartbeat_at >= stale_before(now):
        return False
    seen = {"heartbeat_at": run.heartbeat_at} if run.heartbeat_at else {"heartbeat_at__isnull": True}
    return _claim(run, "take_over", now, expect=seen)


def _claim(run: ImportRun, verb: str, now: datetime, *, expect: dict[str, Any]) -> bool:
    changes = {"worker": uuid4().hex, "heartbeat_at": now}
    try:
        perform(
            IMPORT, run, verb, by=None, now=now, field="state", via="worker", changes=changes, expect=expect
        )
    except DomainError:
        # Somebody else has it, or it was paused a moment ago.
        return False
    return True


def _sign(run: ImportRun, now: datetime) -> bool:
    """Put this worker's name under a check or an undo that nobody works on."""
    name = uuid4().hex
    free = ImportRun.objects.filter(pk=run.pk, state=run.state).filter(
        Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=stale_before(now))
    )
    if not free.update(worker=name, heartbeat_at=now, updated_at=now):
        return False
    run.worker, run.heartbeat_at = name, now
    return True


def _options(run: ImportRun) -> dict[str, Any]:
    mapping = mapping_of(run.mapping)
    return {
        "channel": run.channel.code,
        "by": run.by,
        "mapping": mapping if mapping is not None else "",
        "encoding": run.encoding if run.file is not None and not run.file.suffix.endswith("xlsx") else None,
        "store": run.store.code if run.store else "",
        "historical": run.mode == ImportRun.Mode.HISTORICAL,
        "as_new": run.mode == ImportRun.Mode.NEW,
        "name": run.file_name,
        "run": run,
    }


def _read(
    run: ImportRun,
    clock: Clock,
    *,
    dry_run: bool,
    progress: Callable[[float, ImportResult], bool | None] | None,
) -> tuple[ImportResult, StoredFile | None]:
    """Read the file with its rejects beside it; answers the result and the rejects as a kept file, if there are any."""
    assert run.file is not None
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        target = Path(folder) / "rejects.csv"
        with local_path(run.file) as path, target.open("w", encoding="utf-8-sig", newline="") as rejects:
            result = import_file(
                path=path, now=clock, dry_run=dry_run, rejects=rejects, progress=progress, **_options(run)
            )
        if result.stopped or not result.rejected:
            return result, None
        with target.open("rb") as written:
            stem = run.file_name.rsplit(".", 1)[0][:150]
            kept = keep(
                upload=File(written, name=f"{stem}-{_('rejected')}.csv"),
                by=run.by,
                now=clock(),
                content_type="text/csv",
                suffix=".csv",
            )
    return result, kept


def _check(run: ImportRun, clock: Clock) -> None:
    """The dry run, kept on the run for its page."""

    def tell(share: float, result: ImportResult) -> bool:
        now = clock()
        return bool(
            ImportRun.objects.filter(pk=run.pk, worker=run.worker, state=State.CHECKING).update(
                share=min(1.0, share),
                seconds=result.seconds,
                heartbeat_at=now,
                updated_at=now,
                read=result.read,
            )
        )

    try:
        result, rejects = _read(run, clock, dry_run=True, progress=tell)
    except (FileRefused, MappingError, DomainError, OSError) as error:
        text = (
            refusal(error)
            if hasattr(error, "code") and hasattr(error, "params") and not isinstance(error, DomainError)
            else str(error)
        )
        _settle(run, "check_failed", clock(), {"message": text[:300], "read": 0})
        return
    except (OperationalError, InterfaceError):
        # The database was away: the check stands still and is taken over.
        raise
    except Exception:
        text = _(
            "An unexpected error stopped the check; nothing was imported. Try again or give the file anew."
        )
        _settle(run, "check_failed", clock(), {"message": text[:300], "read": 0})
        raise
    if result.stopped:
        return
    hint = run.checked.get("rows_hint")
    found = result.counts() | {
        "changed": result.changed,
        "notes": result.notes,
        "problems": result.problems,
        "rows_hint": hint,
    }
    changes = {"checked": found, "share": 0.0, "seconds": 0.0, "read": 0}
    _settle(run, "checked", clock(), changes, rejects=rejects)


def _undo(run: ImportRun, clock: Clock) -> None:
    """Take rows back; an undo that cannot go on ends as one that left rows, and may be asked for again."""
    try:
        go_on_undoing(run=run, clock=clock)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        now = clock()
        text = _(
            "An unexpected error stopped the undo; rows that are taken back stay away. Try “Undo” again."
        )
        changes = {"message": text[:300], "finished_at": run.finished_at or now}
        _settle(run, "undone_partly", now, changes)
        raise


def _run(run: ImportRun, clock: Clock) -> None:
    """The real run. What goes wrong for good is said on the run; what may pass is left to the next sweep."""
    try:
        result, rejects = _read(run, clock, dry_run=False, progress=None)
    except (FileRefused, MappingError) as error:
        _failed(run, clock(), refusal(error))
        return
    except (DomainError, FileNotFoundError) as error:
        _failed(run, clock(), str(error))
        return
    except (OperationalError, InterfaceError):
        # The database was away: the run stands still and is taken over.
        raise
    except Exception:
        _failed(
            run,
            clock(),
            _("An unexpected error stopped the import; rows that are in stay in. Try “Import again”."),
        )
        raise
    if result.stopped:
        return
    now = clock()
    log = _settle(run, "finish", now, {"finished_at": now, "share": 1.0}, rejects=rejects)
    if log is not None:
        _tell_done(run, log, now)


def _failed(run: ImportRun, now: datetime, message: str) -> None:
    log = _settle(run, "fail", now, {"message": message[:300], "finished_at": now})
    if log is not None and run.by_id is not None:
        notify(
            recipients=[run.by_id],
            level=NoticeLevel.WARNING,
            title=_("Import of %(file)s failed") % {"file": run.file_name[:100]},
            body=message,
            url=page_of(run.pk),
            key=f"import:{run.pk}:{log.pk}",
            now=now,
        )


def _settle(
    run: ImportRun, verb: str, now: datetime, changes: dict[str, Any], *, rejects: StoredFile | None = None
) -> ActionLog | None:
    """End the work on a run, if it is still this worker's. The former rejects file gives way."""
    former = run.rejects_file
    changes = changes | {"worker": "", "heartbeat_at": None}
    if verb in ("checked", "finish"):
        changes["rejects_file_id"] = rejects.pk if rejects is not None else None
    try:
        log = perform(
            IMPORT,
            run,
            verb,
            by=None,
            now=now,
            field="state",
            via="worker",
            changes=changes,
            expect={"worker": run.worker},
        )
    except DomainError:
        if rejects is not None:
            drop(rejects)
        return None
    if "rejects_file_id" in changes and former is not None:
        drop(former)
    return log


def _tell_done(run: ImportRun, log: ActionLog, now: datetime) -> None:
    run.refresh_from_db(fields=["created", "duplicates", "rejected"])
    if run.by_id is None:
        return
    notify(
        recipients=[run.by_id],
        level=NoticeLevel.WARNING if run.rejected else NoticeLevel.INFO,
        title=_("Import of %(file)s is done") % {"file": run.file_name[:100]},
        body=_("%(created)d created, %(duplicates)d known already, %(rejected)d rejected.")
        % {"created": run.created, "duplicates": run.duplicates, "rejected": run.rejected},
        url=page_of(run.pk),
        key=f"import:{run.pk}:{log.pk}",
        now=now,
    )


def page_of(run_id: int) -> str:
    """The import's page. Spelled out, since it is a fixed address and workers need not load every page for it."""
    return f"/admin/feedback/importrun/{run_id}/change/"
