"""CSV of any size, one row at a time, without giving up at the first bad byte or quotation mark.

Reading is strict first, so that a stray quotation mark is *noticed* instead of swallowing the rows behind it;
the lines it swallowed are put back and read again. Row numbers count records as a spreadsheet shows them.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from apps.feedback.fileformats.encodings import UNDECODABLE, marking_decoder
from apps.feedback.fileformats.problems import FileRefused, Problem, RowProblem

Row = tuple[int, dict[str, str]]

#: A cell may hold this many characters; reviews of 100,000 exist, a megabyte is a broken file.
MAX_FIELD = 1_000_000
_MAX_RECORD = 4_000_000
_CHUNK = 256 * 1024
_SNIFF_LINES = 60
_DELIMITERS = (",", ";", "\t", "|")

# The module's limit (131,072) holds for the whole process; it is only ever raised here, never lowered.
csv.field_size_limit(max(csv.field_size_limit(), _MAX_RECORD + 1))


class Stream(Protocol):
    """What the reader needs of a file."""

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, empty at the end."""

    @property
    def consumed(self) -> int:
        """Bytes of the file on disk behind us."""

    def close(self) -> None:
        """Give the file back."""


class _RecordTooLong(Exception):
    """A record runs on and on: an unclosed quotation mark, or no table at all."""


class _Lines:
    """Lines of a stream, remembering those of the current record so that they can be put back."""

    def __init__(self, stream: Stream, encoding: str) -> None:
        self._stream = stream
        self._decoder = marking_decoder(encoding)
        self._source = self._generate()
        self._waiting: deque[str] = deque()
        self.taken: list[str] = []
        self.length = 0
        self.nul = False
        self.undecodable = False
        self.wrapped = False

    def begin(self) -> None:
        """A new record starts with the next line."""
        self.taken = []
        self.length = 0
        self.nul = self.undecodable = self.wrapped = False

    def put_back(self, lines: Sequence[str]) -> None:
        """Read these lines again."""
        self._waiting.extendleft(reversed(lines))

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self._source)
        if self.taken and self.length + len(line) > _MAX_RECORD:
            self._waiting.appendleft(line)
            raise _RecordTooLong
        self.taken.append(line)
        self.length += len(line)
        if "\0" in line:
            self.nul = True
            line = line.replace("\0", "")
        if UNDECODABLE in line:
            self.undecodable = True
        if '="' in line:
            self.wrapped = True
        return line

    def _generate(self) -> Iterator[str]:
        tail, ending, cut = "", "", False
        while True:
            data = self._stream.read(_CHUNK)
            text = self._decoder.decode(data, not data)
            if not ending and text:
                # Files of old Macs know only the carriage return.
                ending = "\r" if "\n" not in text and "\r" in text[:-1] else "\n"
            if ending and text:
                first, *rest = text.split(ending)
                if not cut:
                    tail += first
                if rest:
                    yield tail + ending
                    cut = False
                    tail = rest.pop()
                    for line in rest:
                        yield line + ending
                if len(tail) > _MAX_RECORD:
                    # A line without end: its beginning is enough to report it.
                    tail, cut = tail[: _MAX_RECORD + 1], True
            if not data:
                if tail:
                    yield tail
                return


_SEP = re.compile(r'"?sep=(.)"?\r?\n?', re.IGNORECASE)
_WRAPPED = re.compile(r'="(.*)"', re.DOTALL)


def header_names(cells: Sequence[str]) -> tuple[str, ...]:
    """Usable, unique column names: tidied, blank ones called ``#n`` after their place, repeats numbered."""
    names: list[str] = []
    for place, cell in enumerate(cells, 1):
        name = " ".join(re.sub(r"[\ufeff\u200b\0]", "", cell).replace(UNDECODABLE, "\ufffd").split())
        name = name or f"#{place}"
        unique, copy = name, 2
        while unique in names:
            unique, copy = f"{name} ({copy})", copy + 1
        names.append(unique)
    return tuple(names)


class DelimitedReader:
    """See ``RowSource``. ``fresh`` opens the stream anew for every pass."""

    format = "csv"
    sheet: str | None = None

    def __init__(self, fresh: Callable[[], Stream], encoding: str, delimiter: str | None) -> None:
        self._fresh = fresh
        self._encoding = encoding
        self._stream: Stream | None = None
        stream = fresh()
        try:
            lines = _first_lines(_Lines(stream, encoding))
        finally:
            stream.close()
        said = _SEP.fullmatch(lines[0]) if lines else None
        if said:
            lines = lines[1:]
            delimiter = delimiter or said[1]
        if not any(line.strip() for line in lines):
            raise FileRefused(Problem.EMPTY_FILE)
        self.delimiter = delimiter or _sniff(lines)
        header = next((row for row in _lenient(lines, self.delimiter) if any(map(str.strip, row))), None)
        if header is None:
            raise FileRefused(Problem.NO_HEADER)
        self.columns = header_names(header)

    def progress(self, size: int) -> float:
        """Share of the file read."""
        return self._stream.consumed / size if self._stream else 0.0

    def close(self) -> None:
        """Close the stream of an unfinished pass."""
        if self._stream is not None:
            self._stream.close()

    def rows(self) -> Iterator[Row | RowProblem]:
        """All data rows, from the top."""
        self.close()
        stream = self._stream = self._fresh()
        try:
            yield from self._rows(_Lines(stream, self._encoding))
        finally:
            stream.close()

    def _rows(self, lines: _Lines) -> Iterator[Row | RowProblem]:
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        columns, width = self.columns, len(self.columns)
        number, header_due = 0, True
        while True:
            lines.begin()
            number += 1
            broken: RowProblem | None = None
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _RecordTooLong) as error:
                cells, broken = self._mend(lines, error, number)
            if header_due:
                # Read leniently when the source was opened; here it only has to be passed.
                if not (number == 1 and _SEP.fullmatch(lines.taken[0])):
                    header_due = not (broken or any(map(str.strip, cells)))
                continue
            if broken is None and len(cells) != width:
                if not any(map(str.strip, cells)):
                    continue
                while len(cells) > width and not cells[-1].strip():
                    cells.pop()
                if len(cells) != width:
                    broken = self._ragged(lines, cells, number)
            if broken is not None:
                yield broken
                continue
            if lines.wrapped:
                # ="123" is how shop tools keep spreadsheets from shortening long numbers.
                cells = [found[1] if (found := _WRAPPED.fullmatch(cell)) else cell for cell in cells]
            if lines.length > MAX_FIELD or lines.undecodable:
                problem = self._unusable(cells, number)
                if problem is not None:
                    yield problem
                    continue
            if not any(map(str.strip, cells)):
                continue
            if lines.nul:
                yield RowProblem(number, None, Problem.NUL_REMOVED, fatal=False)
            yield number, dict(zip(columns, cells, strict=True))

    def _unusable(self, cells: list[str], number: int) -> RowProblem | None:
        for column, cell in zip(self.columns, cells, strict=True):
            if len(cell) > MAX_FIELD:
                return RowProblem(
                    number, column, Problem.FIELD_TOO_LONG, {"limit": MAX_FIELD}, values=self._values(cells)
                )
            if UNDECODABLE in cell:
                return RowProblem(
                    number,
                    column,
                    Problem.BAD_ENCODING,
                    {"encoding": self._encoding},
                    values=self._values(cells),
                )
        return None

    def _values(self, cells: Sequence[str]) -> dict[str, str]:
        """What can be shown of a refused row; long cells are cut, cells without a column are numbered."""
        names = [*self.columns, *(f"#{n}" for n in range(len(self.columns) + 1, len(cells) + 1))]
        return {
            name: cell[:1000].replace(UNDECODABLE, "\ufffd") for name, cell in zip(names, cells, strict=False)
        }

    def _mend(self, lines: _Lines, error: Exception, number: int) -> tuple[list[str], RowProblem | None]:
        """After a strict error: read one line leniently, or give up on it and put those behind it back."""
        taken = lines.taken
        alone = _lenient_line(taken[0], self.delimiter)
        if len(taken) > 1:
            lines.put_back(taken[1:])
            return [], RowProblem(number, None, Problem.UNCLOSED_QUOTE, values=self._values(alone))
        if len(taken[0]) > _MAX_RECORD:
            return [], RowProblem(
                number, None, Problem.FIELD_TOO_LONG, {"limit": MAX_FIELD}, values=self._values(alone)
            )
        if "end of data" in str(error):
            return [], RowProblem(number, None, Problem.UNCLOSED_QUOTE, values=self._values(alone))
        if len(alone) == len(self.columns):
            return alone, None  # "quoted"and more: sloppy, but there is only one way to read it
        return [], RowProblem(
            number, None, Problem.BROKEN_ROW, {"reason": str(error)}, values=self._values(alone)
        )

    def _ragged(self, lines: _Lines, cells: list[str], number: int) -> RowProblem:
        long = next((place for place, cell in enumerate(cells) if len(cell) > MAX_FIELD), None)
        if long is not None:
            column = self.columns[long] if long < len(self.columns) else None
            return RowProblem(
                number, column, Problem.FIELD_TOO_LONG, {"limit": MAX_FIELD}, values=self._values(cells)
            )
        following = lines.taken[1:]
        if any(len(_lenient_line(line, self.delimiter)) == len(self.columns) for line in following):
            # A quotation mark opened here closed at the next one, rows further down: those rows are whole.
            lines.put_back(following)
            alone = _lenient_line(lines.taken[0], self.delimiter)
            return RowProblem(number, None, Problem.UNCLOSED_QUOTE, values=self._values(alone))
        return RowProblem(
            number,
            None,
            Problem.RAGGED_ROW,
            {"found": len(cells), "expected": len(self.columns)},
            values=self._values(cells),
        )


def _first_lines(source: _Lines) -> list[str]:
    """Enough lines to see the header and the delimiter."""
    lines: list[str] = []
    while len(lines) < _SNIFF_LINES and sum(map(len, lines)) < _CHUNK:
        source.begin()
        line = next(source, None)
        if line is None:
            break
        lines.append(line)
    return lines


def _lenient(lines: Sequence[str], delimiter: str) -> Iterator[list[str]]:
    return csv.reader((line.replace("\0", "") for line in lines), delimiter=delimiter, strict=False)


def _lenient_line(line: str, delimiter: str) -> list[str]:
    # A lone carriage return inside a line is no line break here.
    tidy = line.rstrip("\r\n").replace("\r", " ").replace("\0", "")
    return next(csv.reader([tidy], delimiter=delimiter, strict=False), [])


def _sniff(lines: Sequence[str]) -> str:
    """The delimiter that splits the header and most rows alike; comma when nothing splits the header."""
    best, best_score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        try:
            widths = [len(row) for row in _lenient(lines, delimiter) if any(map(str.strip, row))]
        except csv.Error:
            widths = [len(_lenient_line(line, delimiter)) for line in lines if line.strip()]
        if not widths or widths[0] < 2:
            continue
        score = (round(widths.count(widths[0]) / len(widths), 2), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best
