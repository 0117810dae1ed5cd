"""Stock levels from a file: store, SKU, pieces, reorder point (R23)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from apps.core.cells import neutral
from apps.core.exceptions import InvalidInput
from apps.feedback.fileformats import FileRefused, RowProblem, open_rows
from apps.feedback.selectors.reference import reference
from apps.shop.services.stock import Count, set_levels

NAMES = {
    "store": ("store", "门店", "店铺", "门店编码", "店铺名称"),
    "sku": ("sku", "商品编码", "货号", "SKU编码"),
    "level": ("level", "stock", "库存", "现有库存", "库存数量"),
    "reorder_point": ("reorder_point", "补货点", "安全库存", "再订货点"),
}
BATCH = 1000


@dataclass
class Report:
    """What became of a file. `rejects`: (row in the file, its values, why)."""

    read: int = 0
    states: dict[str, int] = field(default_factory=dict)
    rejects: list[tuple[int, dict[str, str], str]] = field(default_factory=list)


def import_stock(*, path: Path, now: datetime) -> Report:
    """Bring stock up to date from a CSV or XLSX file. A bad row stays outside and is named. Raises InvalidInput."""
    report = Report()
    try:
        with open_rows(path) as source:
            columns = _columns(source.columns)
            for part in _parts(source, columns, report):
                answers = set_levels(counts=[count for _row, _values, count in part], now=now)
                for (number, values, _count), answer in zip(part, answers, strict=True):
                    report.states[answer.state] = report.states.get(answer.state, 0) + 1
                    if answer.state == "rejected":
                        report.rejects.append((number, values, answer.message))
    except FileRefused as error:
        raise InvalidInput(_("The file cannot be read: %(why)s") % {"why": error}, field="file") from error
    return report


def _columns(present: tuple[str, ...]) -> dict[str, str]:
    lowered = {name.strip().lower(): name for name in present}
    found = {
        field_name: lowered[name.lower()]
        for field_name, names in NAMES.items()
        for name in names
        if name.lower() in lowered
    }
    missing = [name for name in ("store", "sku", "level") if name not in found]
    if missing:
        raise InvalidInput(
            _("The file lacks the column %(names)s.")
            % {"names": _(", ").join(NAMES[name][1] for name in missing)},
            field="file",
        )
    return found


def _parts(
    source: Any, columns: dict[str, str], report: Report
) -> Iterator[list[tuple[int, dict[str, str], Count]]]:
    part: list[tuple[int, dict[str, str], Count]] = []
    for item in source:
        if isinstance(item, RowProblem):
            if item.fatal:
                report.rejects.append((item.row, {}, str(item.code)))
            continue
        number, values = item
        report.read += 1
        try:
            part.append((number, values, _count(values, columns)))
        except InvalidInput as error:
            report.states["rejected"] = report.states.get("rejected", 0) + 1
            report.rejects.append((number, values, str(error.message)))
        if len(part) >= BATCH:
            yield part
            part = []
    if part:
        yield part


def _count(values: dict[str, str], columns: dict[str, str]) -> Count:
    name = values.get(columns["store"], "").strip()
    store = reference().store(name)
    point = values.get(columns.get("reorder_point", ""), "").strip()
    return Count(
        # Names and other names serve as well as codes.
        store=store.code if store is not None else name,
        sku=values.get(columns["sku"], "").strip(),
        level=_whole(values.get(columns["level"], ""), negative=True),
        reorder_point=_whole(point) if point else None,
    )


def _whole(text: str, *, negative: bool = False) -> int:
    try:
        number = int(float(text.replace(",", "").strip()))
    except (ValueError, OverflowError) as error:
        raise InvalidInput(_("“%(value)s” is no number.") % {"value": text[:40]}) from error
    if abs(number) > 10_000_000 or (number < 0 and not negative):
        raise InvalidInput(_("“%(value)s” is out of range.") % {"value": text[:40]})
    return number


def write_rejects(report: Report, path: Path) -> None:
    """The rows that stayed outside, with the reason, as CSV that Excel opens."""
    names = list(dict.fromkeys(name for _row, values, _why in report.rejects for name in values))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([_("row"), *names, _("reason")])
        for number, values, why in report.rejects:
            cells = [values.get(name, "") for name in names]
            writer.writerow([number, *map(neutral, cells), why])
