"""What people read about a problem in a file: the translated templates of `fileformats.problems` and how to fix it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.feedback.fileformats import Problem

# Spelled out once more, because the translation tool must see the texts; a test holds both lists together.
TEXTS = {
    "unreadable": _("The file cannot be read: {reason}."),
    "empty_file": _("The file is empty."),
    "no_header": _("The first row must name the columns."),
    "wrong_type": _("This is no CSV or XLSX file (it looks like {kind})."),
    "old_excel": _("Old or password-protected Excel files are not read; save it as XLSX or CSV."),
    "damaged": _("The file is damaged: {reason}."),
    "too_large": _("The file holds more than {limit} bytes."),
    "too_many_rows": _("The file has more than {limit} rows."),
    "zip_bomb": _("The file unpacks to {unpacked} bytes, which is not believable for its size."),
    "unknown_encoding": _("There is no encoding called {encoding}."),
    "unknown_sheet": _("There is no sheet called {sheet}; the file has {sheets}."),
    "bad_encoding": _("Some characters are not valid {encoding}."),
    "ragged_row": _("The row has {found} cells, the header {expected}."),
    "broken_row": _("The row cannot be read as CSV: {reason}."),
    "unclosed_quote": _("A quotation mark is never closed."),
    "field_too_long": _("A cell holds more than {limit} characters."),
    "nul_removed": _("NUL characters were removed."),
    "formula": _("The cell is a formula; its text was taken, it was not calculated."),
    "cell_error": _("The cell holds the spreadsheet error {value}; it was read as empty."),
    "lossy_number": _("{value} was shortened by a spreadsheet; the exact number is lost."),
    "bad_date": _("{value} is no date and time."),
    "bad_rating": _("{value} is no rating from 1 to 5."),
    "bad_order_no": _("{value} is no order number."),
    "bad_phone": _("{value} is no phone number."),
    "bad_value": _("{value} is not among the values of the mapping: {known}."),
    "bad_mapping": _("{part} is not of the form field=column."),
    "unknown_field": _("There is no field {field}; there are {known}."),
    "duplicate_field": _("The field {field} is mapped twice."),
    "missing_column": _("No column for {field}; the file has {found}."),
    "unknown_preset": _("There is no mapping called {name}; there are {known}."),
}
FIXES = {
    "lossy_number": _(
        "Export again with the column as text, or save the column as text before it is opened in Excel."
    ),
    "bad_date": _("Write dates like 2025-09-01 08:05."),
    "bad_rating": _("Use 1 to 5, or give a value map such as rating=column:好评→5,差评→1."),
    "bad_encoding": _("Save the file as UTF-8, or name its encoding."),
    "ragged_row": _("Look for commas or line breaks inside a cell that is not in quotation marks."),
    "unknown_store": _("Create the store, or add this name to a store's other names."),
    "future_date": _("Check the date's year and the time zone."),
    "text_missing": _("Rows without a text cannot become feedback."),
}


def problem_text(code: str, params: Mapping[str, Any]) -> str:
    """The problem in the reader's language."""
    template = TEXTS.get(str(code))
    if template is None:
        return str(code)
    return str(template).format(**params)


def fix_text(code: str) -> str:
    """How to fix it, or ""."""
    return str(FIXES.get(str(code), ""))


def known_codes() -> set[str]:
    """Every code a file problem may have."""
    return {str(problem) for problem in Problem}
