"""XLSX through openpyxl's streaming reader, behind a look at the archive: a workbook is a ZIP of XML.

Formulas are never calculated and cached results never trusted: the cell's text is the formula, with a note.
Numbers come out as the digits that were stored; where a spreadsheet has already rounded a long order number
(it keeps 15 digits) the value is shown in scientific form and noted, so that nobody takes it for exact.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from apps.feedback.fileformats.delimited import MAX_FIELD, header_names
from apps.feedback.fileformats.problems import FileRefused, Problem, RowProblem

Row = tuple[int, dict[str, str]]

#: Real workbooks unpack to 5-50 times their size.
MAX_RATIO = 200
_RATIO_FREE = 32 * 1024**2
_MAX_MEMBERS = 10_000
#: openpyxl holds the table of shared strings in memory.
MAX_SHARED_STRINGS = 256 * 1024**2
#: Sheets end here by the format (ECMA-376); a higher number is an attack.
_MAX_ROW = 1_048_576
_EXACT = 10**15


def check_archive(file: Path, limit: int) -> None:
    """Refuse what cannot be an honest workbook, from the archive's directory, before anything is unpacked.

    Raises ``FileRefused``: ``zip_bomb``, ``too_large``, ``wrong_type``, ``old_excel``, ``damaged``.
    """
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        packed = max(1, file.stat().st_size)
        if len(members) > _MAX_MEMBERS or unpacked > limit or _too_dense(unpacked, packed):
            raise FileRefused(Problem.ZIP_BOMB, unpacked=unpacked)
        names = {member.filename for member in members}
        if "xl/workbook.xml" not in names:
            kind = "another Office document" if "[Content_Types].xml" in names else "a ZIP archive"
            raise FileRefused(Problem.WRONG_TYPE, kind=kind)
        for member in members:
            if _too_dense(member.file_size, max(1, member.compress_size)):
                raise FileRefused(Problem.ZIP_BOMB, unpacked=member.file_size)
            if member.flag_bits & 1:
                raise FileRefused(Problem.OLD_EXCEL)
            if member.filename.endswith("sharedStrings.xml") and member.file_size > MAX_SHARED_STRINGS:
                raise FileRefused(Problem.TOO_LARGE, limit=MAX_SHARED_STRINGS)
            if member.filename.endswith((".xml", ".rels")):
                with archive.open(member) as stream:
                    # No spreadsheet program writes a DOCTYPE; entity bombs need one.
                    if b"<!doctype" in stream.read(4096).replace(b"\0", b"").lower():
                        raise FileRefused(Problem.DAMAGED, reason="DOCTYPE in XML")


def _too_dense(unpacked: int, packed: int) -> bool:
    return unpacked > _RATIO_FREE and unpacked > MAX_RATIO * packed


class WorkbookReader:
    """See ``RowSource``. One sheet; the workbook stays open between passes."""

    format = "xlsx"
    delimiter: str | None = None

    def __init__(self, file: Path, sheet: str | None, limit: int) -> None:
        check_archive(file, limit)
        self._number = 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about styles and extensions nobody reads here
                self._book = load_workbook(file, read_only=True, data_only=False, keep_links=False)
        except Exception as error:  # anything can be wrong inside, and openpyxl raises as it comes
            raise FileRefused(Problem.DAMAGED, reason=_reason(error)) from error
        try:
            self._sheet, self._header_row, self.columns = self._choose(sheet)
        except BaseException:
            self._book.close()
            raise
        self.sheet: str | None = self._sheet.title

    def _choose(self, wanted: str | None) -> tuple[Any, int, tuple[str, ...]]:
        sheets = [sheet for sheet in self._book.worksheets if wanted or sheet.sheet_state == "visible"]
        if wanted is not None:
            sheets = [sheet for sheet in sheets if sheet.title == wanted]
            if not sheets:
                raise FileRefused(
                    Problem.UNKNOWN_SHEET, sheet=wanted, sheets=", ".join(self._book.sheetnames)
                )
        for sheet in sheets:
            self._last_row = sheet.max_row or 0
            sheet.reset_dimensions()  # many tools write a wrong size, and rows outside it would be lost
            for number, cells in self._cells(sheet):
                texts = [_text(cell)[0] for cell in cells]
                while texts and not texts[-1].strip():
                    texts.pop()
                if texts:
                    return sheet, number, header_names(texts)
        raise FileRefused(Problem.EMPTY_FILE)

    def _cells(self, sheet: Any) -> Iterator[tuple[int, tuple[Any, ...]]]:
        try:
            for number, cells in enumerate(sheet.iter_rows(), 1):
                if number > _MAX_ROW:
                    raise FileRefused(Problem.TOO_MANY_ROWS, limit=_MAX_ROW)
                yield number, cells
        except FileRefused:
            raise
        except Exception as error:  # see above: damaged XML, a bad CRC, a shared string that is not there
            raise FileRefused(Problem.DAMAGED, reason=_reason(error)) from error

    def progress(self, size: int) -> float:
        """Share of the rows read, by the size the sheet claims."""
        return self._number / max(self._last_row, self._number, 1)

    def close(self) -> None:
        """Close the archive."""
        self._book.close()

    def rows(self) -> Iterator[Row | RowProblem]:
        """All data rows, from the top."""
        columns, width = self.columns, len(self.columns)
        for number, cells in self._cells(self._sheet):
            self._number = number
            if number <= self._header_row:
                continue
            texts: list[str] = []
            notes: list[RowProblem] = []
            for place, cell in enumerate(cells):
                text, note = _text(cell)
                texts.append(text)
                if note is not None:
                    column = columns[place] if place < width else f"#{place + 1}"
                    notes.append(RowProblem(number, column, note, {"value": _shown(cell)}, fatal=False))
            while texts and not texts[-1].strip() and len(texts) > width:
                texts.pop()
            if not any(map(str.strip, texts)) and not notes:
                continue
            texts += [""] * (width - len(texts))
            values = dict(zip(columns, texts, strict=False))
            if len(texts) > width:
                yield RowProblem(
                    number,
                    None,
                    Problem.RAGGED_ROW,
                    {"found": len(texts), "expected": width},
                    values=_cut(values | {f"#{n + 1}": texts[n] for n in range(width, len(texts))}),
                )
                continue
            long = next((name for name, text in values.items() if len(text) > MAX_FIELD), None)
            if long is not None:
                yield RowProblem(
                    number, long, Problem.FIELD_TOO_LONG, {"limit": MAX_FIELD}, values=_cut(values)
                )
                continue
            yield from notes
            yield number, values


def _cut(values: dict[str, str]) -> dict[str, str]:
    return {name: text[:1000] for name, text in values.items()}


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _shown(cell: Any) -> str:
    return str(getattr(cell.value, "text", None) or cell.value)[:100]


def _is_percent(cell: Any) -> bool:
    shown = str(getattr(cell, "number_format", "") or "")
    return "%" in shown and "%" in re.sub(r'"[^"]*"|\\.', "", shown)


def _text(cell: Any) -> tuple[str, Problem | None]:
    """A cell as text, and what has to be said about it."""
    value = cell.value
    if value is None:
        return "", None
    if cell.data_type == "f":
        # Array and data-table formulas come as objects that carry their text.
        return str(getattr(value, "text", None) or value), Problem.FORMULA
    if cell.data_type == "e":
        return "", Problem.CELL_ERROR
    if isinstance(value, str):
        return value, None
    if isinstance(value, bool):
        return ("TRUE" if value else "FALSE"), None
    if isinstance(value, int | float) and _is_percent(cell):
        # Stored as a share; people see, and mean, the percentage.
        return f"{Decimal(repr(value)) * 100:.10f}".rstrip("0").rstrip(".") + "%", None
    if isinstance(value, int):
        digits = str(abs(value))
        if len(digits) > 15 and re.fullmatch(r"\d{15}0+", digits):
            return f"{float(value):.14E}", Problem.LOSSY_NUMBER
        return str(value), None
    if isinstance(value, float):
        if abs(value) >= _EXACT:
            return f"{value:.14E}", Problem.LOSSY_NUMBER
        return (str(int(value)) if value.is_integer() else repr(value)), None
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds"), None
    if isinstance(value, date | time):
        return value.isoformat(), None
    if isinstance(value, timedelta):
        return str(value), None
    return str(value), None
