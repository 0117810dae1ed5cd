"""Every problem a file, a row or a value can have, as a code with an English template.

Callers store and compare the codes and show a translated text; the templates are the message ids.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as default
from enum import StrEnum


class Problem(StrEnum):
    """Codes. ``Problem.RAGGED_ROW == "ragged_row"``; ``.template`` is its English text for ``str.format``."""

    template: str

    def __new__(cls, code: str, template: str) -> Problem:
        member = str.__new__(cls, code)
        member._value_ = code
        member.template = template
        return member

    # -- the file is refused
    UNREADABLE = "unreadable", "The file cannot be read: {reason}."
    EMPTY_FILE = "empty_file", "The file is empty."
    NO_HEADER = "no_header", "The first row must name the columns."
    WRONG_TYPE = "wrong_type", "This is no CSV or XLSX file (it looks like {kind})."
    OLD_EXCEL = "old_excel", "Old or password-protected Excel files are not read; save it as XLSX or CSV."
    DAMAGED = "damaged", "The file is damaged: {reason}."
    TOO_LARGE = "too_large", "The file holds more than {limit} bytes."
    TOO_MANY_ROWS = "too_many_rows", "The file has more than {limit} rows."
    ZIP_BOMB = "zip_bomb", "The file unpacks to {unpacked} bytes, which is not believable for its size."
    UNKNOWN_ENCODING = "unknown_encoding", "There is no encoding called {encoding}."
    UNKNOWN_SHEET = "unknown_sheet", "There is no sheet called {sheet}; the file has {sheets}."

    # -- a row is refused
    BAD_ENCODING = "bad_encoding", "Some characters are not valid {encoding}."
    RAGGED_ROW = "ragged_row", "The row has {found} cells, the header {expected}."
    BROKEN_ROW = "broken_row", "The row cannot be read as CSV: {reason}."
    UNCLOSED_QUOTE = "unclosed_quote", "A quotation mark is never closed."
    FIELD_TOO_LONG = "field_too_long", "A cell holds more than {limit} characters."

    # -- the row is read, with a note
    NUL_REMOVED = "nul_removed", "NUL characters were removed."
    FORMULA = "formula", "The cell is a formula; its text was taken, it was not calculated."
    CELL_ERROR = "cell_error", "The cell holds the spreadsheet error {value}; it was read as empty."
    LOSSY_NUMBER = "lossy_number", "{value} was shortened by a spreadsheet; the exact number is lost."

    # -- a value is refused
    BAD_DATE = "bad_date", "{value} is no date and time."
    BAD_RATING = "bad_rating", "{value} is no rating from 1 to 5."
    BAD_ORDER_NO = "bad_order_no", "{value} is no order number."
    BAD_PHONE = "bad_phone", "{value} is no phone number."
    BAD_VALUE = "bad_value", "{value} is not among the values of the mapping: {known}."

    # -- the mapping is refused
    BAD_MAPPING = "bad_mapping", "{part} is not of the form field=column."
    UNKNOWN_FIELD = "unknown_field", "There is no field {field}; there are {known}."
    DUPLICATE_FIELD = "duplicate_field", "The field {field} is mapped twice."
    MISSING_COLUMN = "missing_column", "No column for {field}; the file has {found}."
    UNKNOWN_PRESET = "unknown_preset", "There is no mapping called {name}; there are {known}."

    def render(self, params: dict[str, object]) -> str:
        """The English text; for logs and developers, people get a translation."""
        return self.template.format(**params)


class FileRefused(Exception):
    """The whole file cannot be used. ``code`` is a ``Problem``, ``params`` fill its template.

    Raised by ``open_rows``; while iterating only for what shows late (a damaged archive, a limit passed).
    """

    def __init__(self, code: Problem, **params: object) -> None:
        self.code = code
        self.params = params
        super().__init__(code.render(params))


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Something wrong with one row.

    ``row``     number of the row in the file as a spreadsheet shows it; the header usually is row 1.
    ``field``   column it happened in, or None when it concerns the row.
    ``fatal``   True: this stands *instead of* the row. False: a note; the row itself follows.
    ``values``  what could be read of the row, for the report of rejected rows.
    """

    row: int
    field: str | None
    code: Problem
    params: dict[str, object] = default(default_factory=dict)
    fatal: bool = True
    values: dict[str, str] = default(default_factory=dict)
