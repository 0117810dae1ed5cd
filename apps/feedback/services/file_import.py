"""Taking a platform's export in (R3, R5; peers 3.19, 4.6).

Rows stream through the file reader into intake in chunks, each its own transaction. A row is known by the file's
SHA-256 and its number, so a run that was killed goes on when the same file is given again, and nothing doubles.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.cells import FORMULA_STARTS, neutral
from apps.core.exceptions import InvalidInput
from apps.core.models import User
from apps.feedback.choices import Source
from apps.feedback.fileformats import (
    FileRefused,
    Mapping,
    MappingError,
    ParseError,
    RowProblem,
    RowSource,
    clean_nickname,
    guess,
    open_rows,
    parse_datetime,
    parse_mapping,
    parse_order_no,
    parse_phone,
    parse_rating,
    presets,
    split_images,
)
from apps.feedback.incoming import FOLLOW_UP_ROWS, IncomingCustomer, IncomingFeedback, Outcome
from apps.feedback.marks import Marks
from apps.feedback.models import Channel, Feedback, ImportRun, SnapshotRow
from apps.feedback.problem_texts import problem_text
from apps.feedback.selectors.reference import reference
from apps.feedback.services.intake import Near, Timings, take_in

CHUNK = 2000
# What a rejects file adds to the columns of the file it came from.
EXTRA_COLUMNS = ("#row", "#problem", "#import")
# Of each kind of problem this many rows are named; the rejects file has them all.
EXAMPLES = 20


@dataclass
class ImportResult:
    """What one run did. `read = created + duplicates + rejected`; near duplicates are created and linked."""

    read: int = 0
    created: int = 0
    duplicates: int = 0
    near_duplicates: int = 0
    rejected: int = 0
    seconds: float = 0.0
    notes: int = 0
    # Later versions of known reviews; they are among the duplicates.
    changed: int = 0
    # Somebody paused the run or another worker has it: the rest waits.
    stopped: bool = False
    problems: dict[str, dict[str, Any]] = field(default_factory=dict)
    encoding: str = ""
    mapping: str = ""
    run_id: int | None = None

    def counts(self) -> dict[str, Any]:
        """The fixed interface of `import_feedback --json`."""
        return {
            "read": self.read,
            "created": self.created,
            "duplicates": self.duplicates,
            "near_duplicates": self.near_duplicates,
            "rejected": self.rejected,
            "seconds": round(self.seconds, 3),
        }


@dataclass(slots=True)
class Rejected:
    """A row that stays outside, with what to say about it."""

    row: int
    values: dict[str, str]
    code: str
    field: str
    message: str


class RejectsFile:
    """The rows to fix and give again: the file's own columns, then the row number and what is wrong.

    Written as UTF-8 with BOM, so that Excel shows Chinese; cells that a spreadsheet would calculate are neutralised.
    With `run` every row names the import it was refused by, and extra columns of an earlier round fall away.
    """

    def __init__(self, stream: TextIO, columns: tuple[str, ...], run: int | None = None) -> None:
        self.columns = columns if run is None else own_columns(columns)
        self.run = [] if run is None else [run]
        self.writer = csv.writer(stream)
        extra = EXTRA_COLUMNS[: 2 + len(self.run)]
        self.writer.writerow([*map(neutral, self.columns), *extra])

    def write(self, rejected: Rejected) -> None:
        """Add one row."""
        cells = [neutral(rejected.values.get(column, "")) for column in self.columns]
        self.writer.writerow([*cells, rejected.row, neutral(rejected.message), *self.run])


def own_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns a platform wrote, without those a rejects file added."""
    return tuple(column for column in columns if column not in EXTRA_COLUMNS)


def unneutral(cell: str) -> str:
    """The cell as it was, when a rejects file comes back."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in FORMULA_STARTS else cell


def choose_mapping(source: RowSource, *, channel: str, wanted: str | Mapping = "") -> Mapping:
    """The columns of a file: as told (`field=column,…` or a preset's name), else guessed. Raises MappingError."""
    if isinstance(wanted, Mapping):
        return wanted.bind(source.columns)
    if wanted and "=" in wanted:
        return parse_mapping(wanted).bind(source.columns)
    if wanted:
        if wanted not in presets():
            raise MappingError(
                # The fixed list tells what would have worked.
                code=_problem("unknown_preset"),
                name=wanted,
                known=", ".join(sorted(presets())),
            )
        return guess(source.columns, wanted, _sample(source)).mapping
    return guess(source.columns, channel, _sample(source)).mapping


def _problem(code: str) -> Any:
    from apps.feedback.fileformats import Problem

    return Problem(code)


def _sample(source: RowSource, rows: int = 50) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for item in source:
        if not isinstance(item, RowProblem):
            found.append(item[1])
            if len(found) >= rows:
                break
    return found


def incoming_from(
    row: int, cells: dict[str, str], mapping: Mapping, *, channel: str, zone: str, store: str = ""
) -> list[IncomingFeedback]:
    """The feedback of one row: one, or two when the row carries a follow-up 追评. Raises ParseError.

    `store` is whose the row is when it names none.
    """
    picked = {name: unneutral(cell) for name, cell in mapping.pick(cells).items()}

    def value(name: str) -> str:
        cell = picked.get(name, "")
        return str(mapping.translate(name, cell)) if cell and name in mapping.values else cell

    customer = None
    nickname = clean_nickname(picked.get("customer_nickname"))
    phone = parse_phone(picked.get("customer_phone")) or ""
    external = value("customer_external_id")
    if nickname or phone or external or picked.get("customer_email"):
        customer = IncomingCustomer(
            external_id=external.strip(),
            nickname=nickname.text if nickname else "",
            phone=phone,
            email=picked.get("customer_email", "").strip(),
        )
    stars = mapping.values.get("rating")
    if stars is not None and not mapping.strict and picked.get("rating", "").strip() not in stars:
        stars = None
    rating = parse_rating(picked.get("rating"), stars)
    item = IncomingFeedback(
        channel=value("channel").strip() or channel,
        text=value("text"),
        external_id=_identifier(picked.get("external_id")),
        rating=rating,
        posted_at=parse_datetime(picked.get("posted_at"), zone),
        store=value("store").strip() or store,
        product_sku=_identifier(picked.get("product_sku")),
        order_no=parse_order_no(picked.get("order_no")) or "",
        customer=customer,
        images=split_images(picked.get("images")),
        follow_up_to=_identifier(picked.get("follow_up_to")),
        kind=value("kind").strip(),
        row=row,
    )
    if reply := value("reply").strip():
        item.transcript.append({"who": "shop", "text": reply})
    out = [item]
    if later := value("follow_up_text").strip():
        out.append(
            IncomingFeedback(
                channel=item.channel,
                text=later,
                external_id=f"{item.external_id}#2" if item.external_id else "",
                store=item.store,
                product_sku=item.product_sku,
                order_no=item.order_no,
                customer=customer,
                posted_at=item.posted_at,
                follow_up_to=item.external_id,
                row=FOLLOW_UP_ROWS + row,
                follow_up_row=row,
            )
        )
    return out


def _identifier(cell: str | None) -> str:
    # Review numbers get spoiled by spreadsheets just as order numbers do.
    if not cell:
        return ""
    return parse_order_no(cell) or ""


def import_file(
    *,
    path: str | Path,
    channel: str,
    now: Callable[[], datetime] = timezone.now,
    by: User | None = None,
    mapping: str | Mapping = "",
    encoding: str | None = None,
    store: str = "",
    historical: bool = False,
    as_new: bool = False,
    dry_run: bool = False,
    rejects: TextIO | None = None,
    progress: Callable[[float, ImportResult], bool | None] | None = None,
    timings: Timings | None = None,
    name: str | None = None,
    run: ImportRun | None = None,
) -> ImportResult:
    """Import one file. Raises FileRefused or MappingError before anything is written, InvalidInput for the channel.

    Rows posted long ago are stored as historical unless `as_new` (decision 3). Bad rows are counted, named and
    written to `rejects`; the rest goes in. `progress(share, result)` is called after each chunk; if it answers False
    the import stops there and can go on later.

    `run` is a run that a worker has claimed: the import goes on only as long as the run is running and carries the
    worker's name. Without it the run is found by the file's SHA-256 and the channel, and taken over.
    """
    timings = timings if timings is not None else Timings()
    started = timezone.now()
    if channel not in reference().channels:
        raise InvalidInput(
            _("There is no channel “%(code)s”; there are: %(known)s")
            % {"code": channel, "known": ", ".join(sorted(reference().channels))},
            code="unknown_channel",
            field="channel",
        )
    result = ImportResult()
    with open_rows(path, encoding=encoding, name=name) as source:
        bound = choose_mapping(source, channel=channel, wanted=mapping)
        result.encoding, result.mapping = source.encoding or source.format, str(bound)
        # A dry run needs to know which rows of this file are in already.
        claimed = run is not None
        if run is None and dry_run:
            run = _run_of(path, channel)
        elif run is None:
            run = _run_for(
                path,
                channel=channel,
                name=source.name,
                result=result,
                historical=historical,
                by=by,
                now=now(),
            )
        assert run is not None
        result.run_id = run.pk
        tally = Tally(run)
        out = (
            RejectsFile(rejects, source.columns, run.pk if claimed else None) if rejects is not None else None
        )
        near = Near()
        seen = Marks()
        zone = settings.TIME_ZONE
        for chunk, refused in _chunks(
            source, bound, channel=channel, zone=zone, store=store, result=result, timings=timings
        ):
            outcomes = []
            # The chunk and its counts are one transaction that holds the run: whoever pauses, undoes or takes it
            # over waits for the chunk, so no row comes in behind the back of an undo.
            with transaction.atomic():
                if not dry_run and not tally.mine():
                    result.stopped = True
                    break
                if chunk:
                    outcomes = take_in(
                        [item for _row, _cells, item in chunk],
                        source=Source.FILE,
                        now=now(),
                        by=by,
                        run=run,
                        historical=historical,
                        near=near,
                        timings=timings,
                        historical_after_days=None if as_new else settings.FEEDBACK_HISTORICAL_AFTER_DAYS,
                        dry_run=seen if dry_run else None,
                    )
                timings.start()
                if run.is_snapshot and not dry_run:
                    note_seen(run, outcomes)
                for (row, cells, _item), outcome in zip(chunk, outcomes, strict=True):
                    if row >= FOLLOW_UP_ROWS:
                        # Part of a row that is counted already.
                        continue
                    if outcome.state == "created":
                        result.created += 1
                        result.near_duplicates += outcome.similar_to is not None
                    elif outcome.state == "rejected":
                        refused.append(Rejected(row, cells, outcome.code, outcome.field, outcome.message))
                    else:
                        result.duplicates += 1
                        result.changed += outcome.state == "changed"
                for rejected in sorted(refused, key=lambda r: r.row):
                    _note(result, rejected, out)
                result.read = result.created + result.duplicates + result.rejected
                result.seconds = (timezone.now() - started).total_seconds()
                if not dry_run and not tally.save(result, share=source.progress, now=now()):
                    result.stopped = True
                timings.lap("report")
            timings.lap("commit")
            if progress is not None and progress(source.progress, result) is False:
                result.stopped = True
            if result.stopped:
                break
        if not dry_run and not claimed:
            tally.save(result, share=1, now=now())
            ImportRun.objects.filter(pk=run.pk, state=ImportRun.State.RUNNING, worker="").update(
                state=ImportRun.State.DONE, finished_at=now()
            )
    return result


def note_seen(run: ImportRun, outcomes: Sequence[Outcome]) -> None:
    """Remember which reviews a complete list has shown. One statement."""
    seen = {outcome.feedback_id for outcome in outcomes if outcome.feedback_id is not None}
    SnapshotRow.objects.bulk_create(
        [SnapshotRow(run=run, feedback_id=pk) for pk in sorted(seen)], ignore_conflicts=True
    )


def _note(result: ImportResult, rejected: Rejected, out: RejectsFile | None) -> None:
    result.rejected += 1
    entry = result.problems.setdefault(
        rejected.code, {"message": rejected.message, "field": rejected.field, "count": 0, "rows": []}
    )
    entry["count"] += 1
    if len(entry["rows"]) < EXAMPLES:
        entry["rows"].append(rejected.row)
    if out is not None:
        out.write(rejected)


Chunk = list[tuple[int, dict[str, str], IncomingFeedback]]


def _chunks(
    source: RowSource,
    mapping: Mapping,
    *,
    channel: str,
    zone: str,
    store: str,
    result: ImportResult,
    timings: Timings,
) -> Iterator[tuple[Chunk, list[Rejected]]]:
    """Rows as plain values, in chunks, each with what was refused on the way."""
    chunk: Chunk = []
    refused: list[Rejected] = []
    lossy: dict[int, RowProblem] = {}
    timings.start()
    for item in source:
        if isinstance(item, RowProblem):
            if item.fatal:
                refused.append(
                    Rejected(
                        item.row,
                        dict(item.values),
                        str(item.code),
                        item.field or "",
                        problem_text(item.code, item.params),
                    )
                )
            else:
                result.notes += 1
                if str(item.code) == "lossy_number":
                    lossy[item.row] = item
            continue
        row, cells = item
        try:
            note = lossy.pop(row, None)
            if note is not None and note.field in mapping.columns.values():
                raise ParseError(note.code, **note.params)
            for incoming in incoming_from(row, cells, mapping, channel=channel, zone=zone, store=store):
                chunk.append((incoming.row or row, cells, incoming))
        except ParseError as error:
            refused.append(Rejected(row, cells, str(error.code), "", problem_text(error.code, error.params)))
        if len(chunk) >= CHUNK or len(refused) >= CHUNK:
            timings.lap("file and values")
            yield chunk, refused
            chunk, refused = [], []
            timings.start()
    timings.lap("file and values")
    if chunk or refused:
        yield chunk, refused


def run_of(sha256: str, channel_id: int) -> ImportRun | None:
    """The run of this file and channel; one that was undone is no longer it."""
    return (
        ImportRun.objects.filter(sha256=sha256, channel_id=channel_id)
        .exclude(state=ImportRun.State.UNDONE)
        .first()
    )


def _run_of(path: str | Path, channel: str) -> ImportRun:
    """What is known of this file, or a run that is not stored: for looking only."""
    return run_of(digest_of(path), reference().channels[channel].pk) or ImportRun()


def digest_of(path: str | Path) -> str:
    """SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _run_for(
    path: str | Path,
    *,
    channel: str,
    name: str,
    result: ImportResult,
    historical: bool,
    by: User | None,
    now: datetime,
) -> ImportRun:
    """The run of this file, made if need be, and taken over from whoever has it.

    Raises InvalidInput while the run is being undone.
    """
    digest = digest_of(path)
    row = Channel.objects.get(code=channel)
    values = {
        "file_name": name[:200],
        "encoding": result.encoding[:20],
        "mapping": {"columns": result.mapping},
        "is_historical": historical,
        "started_at": now,
        "by": by,
    }
    not_undone = ImportRun.objects.exclude(state=ImportRun.State.UNDONE)
    try:
        run, _created = not_undone.get_or_create(sha256=digest, channel=row, defaults=values)
    except IntegrityError:
        run = not_undone.get(sha256=digest, channel=row)
    taken = ImportRun.objects.filter(pk=run.pk).exclude(state=ImportRun.State.UNDOING)
    if not taken.update(
        state=ImportRun.State.RUNNING, worker="", message="", heartbeat_at=now, updated_at=now
    ):
        raise InvalidInput(
            _("This import is just being undone. Wait until that is done, then import again."), code="undoing"
        )
    run.state, run.worker = ImportRun.State.RUNNING, ""
    return run


class Tally:
    """The counts of a run across its attempts.

    A run that goes on after a stop meets its own rows again. They are no duplicates: they are what it created before.
    """

    def __init__(self, run: ImportRun) -> None:
        self.run = run
        self.created = self.near = self.changed = 0
        if run.pk is not None:
            # The unique key on (run, row) answers this from the index.
            rows = Feedback.objects.filter(import_run=run, source_row__lt=FOLLOW_UP_ROWS)
            self.created = rows.order_by().count()
            if self.created:
                self.near = rows.filter(similar_to__isnull=False).order_by().count()
                self.changed = run.changed

    def mine(self) -> bool:
        """Whether the run is still this worker's to go on with; holds it until the end of the transaction."""
        run = self.run
        held = ImportRun.objects.select_for_update(no_key=True).filter(
            pk=run.pk, worker=run.worker, state=ImportRun.State.RUNNING
        )
        return held.order_by().values_list("pk", flat=True).first() is not None

    def save(self, result: ImportResult, *, share: float, now: datetime) -> bool:
        """Write counts and sign of life; False when the run is no longer this worker's to go on with."""
        created = self.created + result.created
        read = max(result.read, created)
        run = self.run
        return bool(
            ImportRun.objects.filter(pk=run.pk, worker=run.worker, state=ImportRun.State.RUNNING).update(
                read=read,
                created=created,
                duplicates=max(0, read - created - result.rejected),
                changed=self.changed + result.changed,
                near_duplicates=self.near + result.near_duplicates,
                rejected=result.rejected,
                problems=result.problems,
                seconds=run.seconds + result.seconds,
                share=min(1.0, share),
                heartbeat_at=now,
                updated_at=now,
            )
        )


def grouped(result: ImportResult) -> Counter[str]:
    """How often each problem occurred."""
    return Counter({code: entry["count"] for code, entry in result.problems.items()})


__all__ = ("FileRefused", "ImportResult", "MappingError", "import_file")
