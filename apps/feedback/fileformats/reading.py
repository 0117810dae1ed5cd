"""Opening an export: what is it, is it safe, and one iterator of rows for every format.

Constant memory for CSV of any size (plain or gzip). XLSX is streamed too, except for its table of shared
strings, whose size is limited.
"""

from __future__ import annotations

import codecs
import gzip
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from apps.feedback.fileformats.delimited import DelimitedReader
from apps.feedback.fileformats.encodings import detect_encoding
from apps.feedback.fileformats.problems import FileRefused, Problem, RowProblem
from apps.feedback.fileformats.workbook import WorkbookReader

Row = tuple[int, dict[str, str]]

#: Default limit of a file, unpacked.
# Python has these beside what texts are written in.
NO_TEXT = frozenset(
    {
        "idna",
        "punycode",
        "undefined",
        "unicode_escape",
        "raw_unicode_escape",
        "unicode-escape",
        "raw-unicode-escape",
    }
)
LIMIT_BYTES = 2 * 1024**3
#: gzip reaches about 1000:1 on nothing but zeros; real exports stay under 30:1.
MAX_GZIP_RATIO = 200
_RATIO_FREE = 64 * 1024**2

_SIGNATURES = (
    (b"%PDF", "PDF"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TEXT_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _Unpacked:
    """A readable stream that counts what comes out of it and refuses what cannot be true."""

    def __init__(self, path: Path, packed: bool, limit: int) -> None:
        self._raw = cast(BinaryIO, path.open("rb"))
        self._stream: BinaryIO = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw)) if packed else self._raw
        self._packed = packed
        self._limit = limit
        self._read = 0

    def read(self, size: int) -> bytes:
        try:
            chunk = self._stream.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FileRefused(Problem.DAMAGED, reason=str(error)) from error
        except OSError as error:
            raise FileRefused(Problem.UNREADABLE, reason=error.strerror or str(error)) from error
        self._read += len(chunk)
        if self._packed and self._read > _RATIO_FREE and self._read > MAX_GZIP_RATIO * max(1, self.consumed):
            raise FileRefused(Problem.ZIP_BOMB, unpacked=self._read)
        if self._read > self._limit:
            raise FileRefused(Problem.TOO_LARGE, limit=self._limit)
        return chunk

    @property
    def consumed(self) -> int:
        """Bytes of the file on disk behind us."""
        return 0 if self._raw.closed else self._raw.tell()

    def close(self) -> None:
        if self._stream is not self._raw:
            self._stream.close()
        self._raw.close()


class RowSource:
    """The rows of one file. Iterating yields, for each data row, exactly one of

    * ``(row_number, {column: text})``, possibly preceded by notes (``RowProblem`` with ``fatal=False``), or
    * a ``RowProblem`` with ``fatal=True``.

    Empty rows are passed over. Iterating again starts over, so a dry run and the real run can share a source.
    ``counts`` holds how often each problem code occurred in the last iteration.

    ``columns``   header names in order; blank ones are called ``#3`` after their place, repeated ones get a
                  number: ``备注 (2)``.
    ``encoding``  ``utf-8``, ``utf-8-sig``, ``utf-16``, ``gb18030``, … or None for XLSX.
    ``format``    ``csv`` or ``xlsx``; ``delimiter`` belongs to CSV, ``sheet`` to XLSX.
    """

    def __init__(
        self,
        reader: DelimitedReader | WorkbookReader,
        *,
        name: str,
        size: int,
        encoding: str | None,
        max_rows: int | None,
    ) -> None:
        self._reader = reader
        self._max_rows = max_rows
        self.name = name
        self.size = size
        self.encoding = encoding
        self.format = reader.format
        self.columns: tuple[str, ...] = reader.columns
        self.delimiter = reader.delimiter
        self.sheet = reader.sheet
        self.counts: Counter[Problem] = Counter()

    def __iter__(self) -> Iterator[Row | RowProblem]:
        self.counts = Counter()
        rows = 0
        for item in self._reader.rows():
            if isinstance(item, RowProblem):
                self.counts[item.code] += 1
                rows += item.fatal
            else:
                rows += 1
            if self._max_rows is not None and rows > self._max_rows:
                raise FileRefused(Problem.TOO_MANY_ROWS, limit=self._max_rows)
            yield item

    @property
    def progress(self) -> float:
        """Share of the file behind the current row, 0 … 1; an estimate good enough for a progress bar."""
        return min(1.0, self._reader.progress(self.size))

    def close(self) -> None:
        """Give files back. Further iteration is undefined."""
        self._reader.close()

    def __enter__(self) -> RowSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_rows(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
    limit_bytes: int = LIMIT_BYTES,
    max_rows: int | None = None,
) -> RowSource:
    """Open a CSV (also ``.gz``) or XLSX export. What it is, is read from its content, never from its name.

    ``name``         what the person called the file; only for reports.
    ``encoding``     skips detection (otherwise BOM, then strict UTF-8, then GB18030).
    ``delimiter``    skips sniffing among comma, semicolon, tab and bar.
    ``sheet``        of a workbook; default is the first visible one that has cells.
    ``limit_bytes``  of the content, unpacked.
    ``max_rows``     data rows; iterating past it raises ``FileRefused`` (``too_many_rows``).

    Raises ``FileRefused``.
    """
    file = Path(path)
    shown = name or file.name
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            start = opened.read(8)
    except OSError as error:
        raise FileRefused(Problem.UNREADABLE, reason=error.strerror or str(error)) from error
    if not size:
        raise FileRefused(Problem.EMPTY_FILE)
    if size > limit_bytes:
        raise FileRefused(Problem.TOO_LARGE, limit=limit_bytes)
    if encoding is not None:
        try:
            found = codecs.lookup(encoding)
        except (LookupError, ValueError) as error:
            raise FileRefused(Problem.UNKNOWN_ENCODING, encoding=encoding) from error
        if not getattr(found, "_is_text_encoding", True) or found.name in NO_TEXT:
            raise FileRefused(Problem.UNKNOWN_ENCODING, encoding=encoding)

    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        book = _open_workbook(file, sheet, limit_bytes)
        return RowSource(book, name=shown, size=size, encoding=None, max_rows=max_rows)

    packed = start.startswith(b"\x1f\x8b")

    def fresh() -> _Unpacked:
        return _Unpacked(file, packed, limit_bytes)

    stream = fresh()
    try:
        head = stream.read(4096)
        _refuse_other_types(head)
        if encoding is None:
            encoding = detect_encoding(head, stream.read)
    finally:
        stream.close()
    reader = DelimitedReader(fresh, encoding, delimiter)
    return RowSource(reader, name=shown, size=size, encoding=encoding, max_rows=max_rows)


def _refuse_other_types(head: bytes) -> None:
    if not head:
        raise FileRefused(Problem.EMPTY_FILE)
    if head.startswith(_OLE):
        raise FileRefused(Problem.OLD_EXCEL)
    if head.startswith(b"PK\x03\x04"):
        raise FileRefused(Problem.WRONG_TYPE, kind="a packed XLSX or ZIP")
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            raise FileRefused(Problem.WRONG_TYPE, kind=kind)
    start = head.lstrip(codecs.BOM_UTF8).lstrip().lower()
    if start.startswith((b"<html", b"<!doctype", b"<table", b"<?xml")):
        # Many shop tools call a web page ".xls".
        raise FileRefused(Problem.WRONG_TYPE, kind="a web page or XML")
    if start[:1] in (b"{", b"[") and b'":' in head:
        raise FileRefused(Problem.WRONG_TYPE, kind="JSON")
    if not head.startswith(_TEXT_BOMS) and head.count(0) > len(head) // 10:
        raise FileRefused(Problem.WRONG_TYPE, kind="a binary file")


def _open_workbook(file: Path, sheet: str | None, limit: int) -> WorkbookReader:
    try:
        return WorkbookReader(file, sheet, limit)
    except FileRefused:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise FileRefused(Problem.DAMAGED, reason=str(error)) from error
    except OSError as error:
        raise FileRefused(Problem.UNREADABLE, reason=error.strerror or str(error)) from error
