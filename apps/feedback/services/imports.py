"""The steps of an import in the back office: file, columns, check, run (R3, R5; screens.md, import).

Everything a step needs lies on the run, so a page may be reloaded or left at any time. Work that takes longer is
wanted by state and done by `import_work`; the broker only makes it start sooner.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInput, NotPermitted, StaleState
from apps.core.models import ActionLog, StoredFile, User
from apps.core.numbers import whole_numbers
from apps.core.services.files import drop, keep, local_path
from apps.core.workflow import check as check_move
from apps.core.workflow import perform
from apps.feedback.fileformats import FIELDS, FileRefused, Mapping
from apps.feedback.models import Channel, ImportMapping, ImportRun
from apps.feedback.problem_texts import fix_text, problem_text
from apps.feedback.selectors.imports import header_key, read_sample
from apps.feedback.selectors.reference import reference
from apps.feedback.services.file_import import own_columns, run_of
from apps.feedback.transitions import IMPORT
from apps.shop.models import Store

logger = logging.getLogger(__name__)
PERMISSION = "feedback.import_feedback"
CSV_TYPE = ("text/csv", ".csv")
TYPES = (
    (b"PK\x03\x04", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx"),
    (b"\x1f\x8b", "application/gzip", ".csv.gz"),
)


@dataclass(frozen=True)
class Given:
    """A file that was given. `known` means the same content was given for this channel before."""

    run: ImportRun
    known: bool


def refusal(error: Any) -> str:
    """What a person reads about a file or mapping that cannot be used, and what to do."""
    text, fix = problem_text(str(error.code), error.params), fix_text(str(error.code))
    return f"{text} {fix}".strip()


def may_import(user: User) -> None:
    """Raises NotPermitted for who may not import."""
    if not user.has_perm(PERMISSION):
        raise NotPermitted(_("You may not import files."))


def give_file(
    *,
    upload: File,
    channel: Channel,
    by: User,
    now: datetime,
    store: Store | None = None,
    mode: str = ImportRun.Mode.AUTO,
    snapshot: MappingType[str, Any] | None = None,
) -> Given:
    """Take a file in as a draft. Raises InvalidInput with what to do when it cannot be read at all.

    A file known for this channel is not kept twice: its run is answered instead, and learns the file if it came by
    the command and has none.
    """
    may_import(by)
    name = PurePath(upload.name or "file").name[:200]
    limit = settings.FEEDBACK_IMPORT_MAX_MB
    if upload.size > limit * 1024 * 1024:
        raise InvalidInput(
            _(
                "%(name)s is larger than %(limit)d MB. Export a shorter period, so that the files become smaller."
            )
            % {"name": name, "limit": limit},
            field="file",
        )
    declared = clean_snapshot(snapshot)
    upload.seek(0)
    head = upload.read(8)
    content_type, suffix = next((found[1:] for found in TYPES if head.startswith(found[0])), CSV_TYPE)
    stored = keep(upload=upload, by=by, now=now, content_type=content_type, suffix=suffix)
    try:
        return _given(
            stored, name=name, channel=channel, by=by, now=now, store=store, mode=mode, declared=declared
        )
    except Exception:
        # Whatever went wrong: no file stays behind that no run knows.
        drop(stored)
        raise


def _given(
    stored: StoredFile,
    *,
    name: str,
    channel: Channel,
    by: User,
    now: datetime,
    store: Store | None,
    mode: str,
    declared: dict[str, str],
) -> Given:
    """The draft of a file that is kept already; the caller drops the file if this raises."""
    try:
        with local_path(stored) as path:
            sample = read_sample(
                path, name=name, encoding=None, limit=settings.FEEDBACK_IMPORT_AT_ONCE_ROWS + 1
            )
    except FileRefused as error:
        raise InvalidInput(refusal(error), field="file", code=str(error.code)) from error
    if not sample.seen:
        raise InvalidInput(
            _("The file names columns but has no row below them. Choose a file with at least one row."),
            field="file",
            code="empty_file",
        )
    origin = _origin(sample, channel)
    try:
        with transaction.atomic():
            known = run_of(stored.sha256, channel.pk)
            if known is None:
                run = ImportRun.objects.create(
                    sha256=stored.sha256,
                    channel=channel,
                    file_name=name,
                    file=stored,
                    corrects=origin,
                    encoding=sample.encoding[:20],
                    header=list(sample.columns),
                    store=store,
                    mode=mode,
                    is_historical=mode == ImportRun.Mode.HISTORICAL,
                    snapshot=declared,
                    state=ImportRun.State.DRAFT,
                    checked={"rows_hint": sample.seen if sample.whole else None},
                    started_at=now,
                    updated_at=now,
                    by=by,
                )
                _log(run, "give", by=by, now=now)
                return Given(run, known=False)
    except IntegrityError:
        known = run_of(stored.sha256, channel.pk)
        if known is None:
            raise
    if known.file_id is None and ImportRun.objects.filter(pk=known.pk, file__isnull=True).update(
        file=stored, header=list(sample.columns), updated_at=now
    ):
        known.file = stored
    else:
        drop(stored)
    return Given(known, known=True)


def _origin(sample: Any, channel: Channel) -> ImportRun | None:
    """The run whose rejects file this is: rejects files name it in each row."""
    if "#import" not in sample.columns:
        return None
    named = whole_numbers(cells.get("#import", "") for _row, cells in sample.rows)
    return ImportRun.objects.filter(pk=named[0], channel=channel).first() if named else None


def clean_snapshot(snapshot: MappingType[str, Any] | None) -> dict[str, str]:
    """The declaration “this file is complete for a store and a period” as data, or {} (decision 14).

    Raises InvalidInput when the store or an end of the period is missing or the period runs backwards.
    """
    if not snapshot:
        return {}
    store, first, last = snapshot.get("store"), snapshot.get("from"), snapshot.get("to")
    if store is None:
        raise InvalidInput(_("A complete list needs its store."), field="snapshot_store")
    if not isinstance(first, date):
        raise InvalidInput(_("A complete list needs its first day."), field="snapshot_from")
    if not isinstance(last, date):
        raise InvalidInput(_("A complete list needs its last day."), field="snapshot_to")
    if last < first:
        raise InvalidInput(_("The last day lies before the first."), field="snapshot_to")
    return {"store": store.code, "from": first.isoformat(), "to": last.isoformat()}


def set_options(
    *,
    run: ImportRun,
    channel: Channel,
    store: Store | None,
    mode: str,
    snapshot: MappingType[str, Any] | None,
    by: User,
    now: datetime,
) -> ActionLog:
    """Change channel, store, new or historical and the declaration of a draft; a check has to be made anew."""
    declared = clean_snapshot(snapshot)
    known = run_of(run.sha256, channel.pk)
    if known is not None and known.pk != run.pk:
        raise InvalidInput(_("This file was given for this channel before."), field="channel", code="known")
    changes: dict[str, Any] = {
        "store_id": store.pk if store else None,
        "mode": mode,
        "is_historical": mode == ImportRun.Mode.HISTORICAL,
        "snapshot": declared,
        "checked": _hint(run),
    }
    if channel.pk != run.channel_id:
        # Other platforms name their columns otherwise.
        changes |= {"channel_id": channel.pk, "mapping": {}}
    try:
        return perform(IMPORT, run, "edit", by=by, now=now, changes=changes, field="state", via="admin")
    except IntegrityError as error:
        raise InvalidInput(
            _("This file was given for this channel before."), field="channel", code="known"
        ) from error


def _hint(run: ImportRun) -> dict[str, Any]:
    return {"rows_hint": run.checked.get("rows_hint")}


def choose_columns(
    *,
    run: ImportRun,
    fields: MappingType[str, str],
    values: MappingType[str, MappingType[str, str | int]],
    encoding: str,
    columns: tuple[str, ...],
    by: User,
    now: datetime,
) -> ActionLog:
    """Keep what the columns mean, on the run and for the next file with this header. Raises InvalidInput."""
    check_move(IMPORT, run, "edit", by=by, reason="", field="state")
    unknown = [name for name in fields if name not in FIELDS] + [
        column for column in fields.values() if column not in columns
    ]
    if unknown:
        raise InvalidInput(
            _("The file has no such column: %(name)s.") % {"name": unknown[0]}, field="columns"
        )
    if "text" not in fields:
        raise InvalidInput(
            _("Say which column holds what the customer said: choose “text” above it."),
            field="columns",
            code="missing_column",
        )
    ref = reference()
    for name, pairs in values.items():
        for target in pairs.values():
            good = {
                "rating": lambda t: str(t) in {"1", "2", "3", "4", "5"},
                "channel": lambda t: t in ref.channels,
                "store": lambda t: ref.store(str(t)) is not None,
            }.get(name, lambda t: True)
            if not good(target):
                raise InvalidInput(_("%(value)s cannot be used here.") % {"value": target}, field="columns")
    kept = {"fields": dict(fields), "values": {name: dict(pairs) for name, pairs in values.items() if pairs}}
    log = perform(
        IMPORT,
        run,
        "edit",
        by=by,
        now=now,
        via="admin",
        field="state",
        changes={
            "mapping": kept | {"columns": str(Mapping(kept["fields"], kept["values"]))},
            "encoding": encoding[:20],
            "header": list(columns),
            "checked": _hint(run),
            "message": "",
        },
    )
    ImportMapping.objects.update_or_create(
        channel_id=run.channel_id,
        header_key=header_key(own_columns(columns)),
        defaults={"mapping": kept, "encoding": encoding[:20], "by": by, "used_at": now},
    )
    return log


# -- moves
WANTED: dict[str, Any] = {"worker": "", "heartbeat_at": None, "message": ""}


def ask_check(
    *, run: ImportRun, by: User, now: datetime, via: str = "admin", at_once: bool = False
) -> ActionLog:
    """Want the dry run; `at_once` means the caller does it itself. Raises InvalidInput as long as no columns are chosen."""
    if not (run.mapping.get("fields") or {}).get("text"):
        raise InvalidInput(
            _("Say which column holds what the customer said: choose “text” above it."),
            field="columns",
            code="missing_column",
        )
    changes = WANTED | {"share": 0.0, "seconds": 0.0, "checked": _hint(run)}
    log = perform(IMPORT, run, "check", by=by, now=now, via=via, field="state", changes=changes)
    return log if at_once else _kicked(log, run)


def start(*, run: ImportRun, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Want the real run. Whoever starts it is told when it is done."""
    changes = WANTED | {"share": 0.0, "seconds": 0.0, "started_at": now, "by_id": by.pk, "problems": {}}
    log = perform(IMPORT, run, "start", by=by, now=now, via=via, field="state", changes=changes)
    return _kicked(log, run)


def pause(*, run: ImportRun, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Stop after the chunk that is being written; rows that are in stay in."""
    return perform(IMPORT, run, "pause", by=by, now=now, via=via, field="state", changes={"worker": ""})


def resume(*, run: ImportRun, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Go on where it was paused."""
    log = perform(IMPORT, run, "resume", by=by, now=now, via=via, field="state", changes=dict(WANTED))
    return _kicked(log, run)


def again(*, run: ImportRun, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Read the same file once more: what is in stays, what was rejected or undone is tried again.

    Raises InvalidInput for a run of the command, which kept no copy of its file.
    """
    if run.file_id is None:
        raise InvalidInput(_("No copy of this file was kept: give the file again to go on."))
    if not (run.mapping.get("fields") or {}).get("text"):
        # Imported by the command: the columns it used are written as text.
        raise InvalidInput(_("The columns of this import are not known here; run the command again."))
    changes = WANTED | {"share": 0.0, "seconds": 0.0, "finished_at": None, "by_id": by.pk, "problems": {}}
    log = perform(IMPORT, run, "again", by=by, now=now, via=via, field="state", changes=changes)
    return _kicked(log, run)


@transaction.atomic
def discard(*, run: ImportRun, by: User, now: datetime) -> None:
    """Throw a draft away with its file; nothing came in by it."""
    may_import(by)
    locked = ImportRun.objects.select_for_update().filter(
        pk=run.pk, state__in=(ImportRun.State.DRAFT, ImportRun.State.READY)
    )
    if not locked.exists() or run.rows.exists():  # type: ignore[attr-defined]
        raise StaleState(_("Only an import that has not begun can be thrown away."))
    _log(run, "discard", by=by, now=now)
    files = [file for file in (run.file, run.rejects_file) if file is not None]
    locked.delete()
    for file in files:
        if not ImportRun.objects.filter(file=file).exists():
            drop(file)


def record_download(*, run: ImportRun, stored: StoredFile, by: User, now: datetime) -> None:
    """Rejected rows leave with personal data whole; who took them is on record."""
    may_import(by)
    _log(run, "download_rejects", by=by, now=now, data={"file": stored.sha256})


def _log(run: ImportRun, verb: str, *, by: User, now: datetime, data: dict[str, Any] | None = None) -> None:
    ActionLog.objects.create(
        model=ImportRun._meta.label_lower,
        object_id=run.pk,
        verb=verb,
        from_state=run.state,
        to_state=run.state,
        by=by,
        via="admin",
        at=now,
        data=(data or {}) | {"name": run.file_name},
    )


def _kicked(log: ActionLog, run: ImportRun) -> ActionLog:
    pk = run.pk
    transaction.on_commit(lambda: kick(pk))
    return log


def kick(run_id: int) -> None:
    """Tell a worker now. When the broker is down the sweep finds the run, since what is wanted lies in the database."""
    from apps.feedback.tasks import work_on_import_task

    try:
        work_on_import_task.delay(run_id)
    except Exception as error:
        logger.warning("import %s waits for the sweep: %s", run_id, error)
