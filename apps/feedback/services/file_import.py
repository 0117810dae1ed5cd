"""Taking a platform's export in (R3, R5; peers 3.19, 4.6).

Rows stream through the file reader into intake in chunks, each its own transaction. A row is known by the file's
SHA-256 and its number, so a run that was killed goes on when the same file is given again, and nothing doubles.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from django.utils.translation import gettext as _

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
from apps.feedback.incoming import FOLLOW_UP_ROWS, IncomingCustomer, IncomingFeedback
from apps.feedback.marks import Marks
from apps.feedback.models import Channel, ImportRun
from apps.feedback.problem_texts import problem_text
from apps.feedback.selectors.reference import reference
from apps.feedback.services.intake import Near, Timings, take_in

CHUNK = 2000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
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
    """

    def __init__(self, stream: TextIO, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self.writer = csv.writer(stream)
        self.writer.writerow([*map(neutral, columns), "#row", "#problem"])

    def write(self, rejected: Rejected) -> None:
        """Add one row."""
        cells = [neutral(rejected.values.get(column, "")) for column in self.columns]
        self.writer.writerow([*cells, rejected.row, neutral(rejected.message)])


def neutral(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP: CSV injection)."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def unneutral(cell: str) -> str:
    """The cell as it was, when a rejects file comes back."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in FORMULA_STARTS else cell


def choose_mapping(source: RowSource, *, channel: str, wanted: str = "") -> Mapping:
    """The columns of a file: as told (`field=column,…` or a preset's name), else guessed. Raises MappingError."""
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
    row: int, cells: dict[str, str], mapping: Mapping, *, channel: str, zone: str
) -> list[IncomingFeedback]:
    """The feedback of one row: one, or two when the row carries a follow-up 追评. Raises ParseError."""
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
    rating = parse_rating(picked.get("rating"), mapping.values.get("rating"))
    item = IncomingFeedback(
        channel=value("channel").strip() or channel,
        text=value("text"),
        external_id=_identifier(picked.get("external_id")),
        rating=rating,
        posted_at=parse_datetime(picked.get("posted_at"), zone),
        store=value("store").strip(),
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
                follow_up_to=item.external_id or f"row:{row}",
                row=FOLLOW_UP_ROWS + row,
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
    mapping: str = "",
    encoding: str | None = None,
    historical: bool = False,
    as_new: bool = False,
    dry_run: bool = False,
    rejects: TextIO | None = None,
    progress: Callable[[float, ImportResult], None] | None = None,
    timings: Timings | None = None,
    name: str | None = None,
) -> ImportResult:
    """Import one file. Raises FileRefused or MappingError before anything is written, InvalidInput for the channel.

    Rows posted long ago are stored as historical unless `as_new` (decision 3). Bad rows are counted, named and
    written to `rejects`; the rest goes in. `progress(share, result)` is called after each chunk.
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
        if dry_run:
            run = _run_of(path, channel)
        else:
            run = _run_for(
                path,
                channel=channel,
                name=source.name,
                result=result,
                historical=historical,
                by=by,
                now=now(),
            )
            result.run_id = run.pk
        out = RejectsFile(rejects, source.columns) if rejects is not None else None
        near = Near()
        seen = Marks()
        zone = settings.TIME_ZONE
        for chunk, refused in _chunks(
            source, bound, channel=channel, zone=zone, result=result, timings=timings
        ):
            outcomes = []
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
            for rejected in sorted(refused, key=lambda r: r.row):
                _note(result, rejected, out)
            result.read = result.created + result.duplicates + result.rejected
            result.seconds = (timezone.now() - started).total_seconds()
            if not dry_run:
                _save(run, result)
            if progress is not None:
                progress(source.progress, result)
            timings.lap("report")
        if not dry_run:
            _save(run, result, done=True, now=now())
    return result


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
    source: RowSource, mapping: Mapping, *, channel: str, zone: str, result: ImportResult, timings: Timings
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
            for incoming in incoming_from(row, cells, mapping, channel=channel, zone=zone):
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


def _run_of(path: str | Path, channel: str) -> ImportRun:
    """What is known of this file, or a run that is not stored: for looking only."""
    found = ImportRun.objects.filter(sha256=_digest(path), channel__code=channel).first()
    return found or ImportRun()


def _digest(path: str | Path) -> str:
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
    digest = _digest(path)
    row = Channel.objects.get(code=channel)
    values = {
        "file_name": name[:200],
        "encoding": result.encoding[:20],
        "mapping": {"columns": result.mapping},
        "is_historical": historical,
        "started_at": now,
        "by": by,
    }
    try:
        run, _created = ImportRun.objects.get_or_create(sha256=digest, channel=row, defaults=values)
    except IntegrityError:
        run = ImportRun.objects.get(sha256=digest, channel=row)
    ImportRun.objects.filter(pk=run.pk).update(state=ImportRun.State.RUNNING, message="")
    return run


def _save(run: ImportRun, result: ImportResult, *, done: bool = False, now: datetime | None = None) -> None:
    values: dict[str, Any] = {
        "read": result.read,
        # A run that goes on after a stop counts what is there, not only what this process added.
        "created": max(result.created, run.created),
        "duplicates": result.duplicates,
        "near_duplicates": max(result.near_duplicates, run.near_duplicates),
        "rejected": result.rejected,
    }
    if done:
        values |= {"state": ImportRun.State.DONE, "finished_at": now}
    ImportRun.objects.filter(pk=run.pk).update(**values)


def grouped(result: ImportResult) -> Counter[str]:
    """How often each problem occurred."""
    return Counter({code: entry["count"] for code, entry in result.problems.items()})


__all__ = ("FileRefused", "ImportResult", "MappingError", "import_file")
