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
    "bad_value": _("Go back to the columns and say what this value means."),
    "bad_order_no": _("Correct the order number, or leave the column out."),
    "bad_phone": _("Correct the phone number, or leave the column out."),
    "broken_row": _("Open the file in a spreadsheet and save it as XLSX, which has no such problems."),
    "unclosed_quote": _("Close the quotation mark in this row, or save the file as XLSX."),
    "field_too_long": _("Shorten the cell; such a length usually comes from a broken file."),
    "text_too_long": _("Shorten the text."),
    "external_id_too_long": _("Look whether the right column was chosen for the number."),
    "order_no_too_long": _("Look whether the right column was chosen for the order number."),
    "product_sku_too_long": _("Look whether the right column was chosen for the SKU."),
    "unknown_channel": _("Say in the columns which channel this value means, or leave the column out."),
    "unknown_kind": _("Say in the columns which kind this value means, or leave the column out."),
    "wrong_type": _("Export again as CSV or XLSX; a web page called .xls can be saved as XLSX in Excel."),
    "old_excel": _("Open it in Excel or WPS and save it as XLSX without a password."),
    "damaged": _("Download the export again; it was probably cut off on the way."),
    "unreadable": _("Download the export again and give it once more."),
    "empty_file": _("Choose a file with a header and at least one row."),
    "no_header": _("The first row must name the columns; do not delete it from the export."),
    "too_large": _("Export a shorter period, so that the files become smaller."),
    "too_many_rows": _("Export a shorter period, so that the files become smaller."),
    "zip_bomb": _("Save it anew as plain CSV or XLSX; this archive is not opened for safety."),
    "unknown_encoding": _("Choose UTF-8 or GB18030."),
    "missing_column": _("Choose the columns again: the file does not have what was chosen."),
}
# What a file turned out to be, as `fileformats` calls it.
KINDS = {
    "PDF": _("PDF"),
    "an image": _("an image"),
    "a RAR archive": _("a RAR archive"),
    "a 7z archive": _("a 7z archive"),
    "a bzip2 archive": _("a bzip2 archive"),
    "an xz archive": _("an xz archive"),
    "a ZIP archive": _("a ZIP archive"),
    "a packed XLSX or ZIP": _("a packed XLSX or ZIP"),
    "another Office document": _("another Office document"),
    "a web page or XML": _("a web page or XML"),
    "JSON": _("JSON"),
    "a binary file": _("a binary file"),
}


def problem_text(code: str, params: Mapping[str, Any]) -> str:
    """The problem in the reader's language."""
    template = TEXTS.get(str(code))
    if template is None:
        return str(code)
    kind = params.get("kind")
    return str(template).format(**(dict(params) | ({"kind": KINDS.get(str(kind), kind)} if kind else {})))


def fix_text(code: str) -> str:
    """How to fix it, or ""."""
    return str(FIXES.get(str(code), ""))


def known_codes() -> set[str]:
    """Every code a file problem may have."""
    return {str(problem) for problem in Problem}
