"""Figures from outside, by form or file (R70). The same twice changes nothing; a correction keeps what stood there."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from simple_history.utils import bulk_create_with_history

from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.models import User
from apps.feedback.fileformats import FileRefused, ParseError, RowProblem, open_rows, parse_datetime
from apps.feedback.problem_texts import problem_text
from apps.feedback.services.file_import import neutral, unneutral
from apps.repairs.choices import ValueSource
from apps.repairs.models import ExternalIndicator, IndicatorUpload, IndicatorValue
from apps.shop.models import Store
from apps.shop.selectors import scope_of

ENTER = "repairs.add_indicatorvalue"
MAX_ROWS, MAX_BYTES, BATCH = 20_000, 5 * 1024 * 1024, 500
OLDEST = timedelta(days=366 * 3)
SHOWN_PROBLEMS = 50
# How the columns may be called.
COLUMNS = {
    "day": ("day", "date", "日期", "统计日期", "时间"),
    "store": ("store", "shop", "门店", "店铺", "店铺名称", "门店编码"),
    "indicator": ("indicator", "metric", "指标", "指标名称", "指标编码"),
    "value": ("value", "数值", "值", "指标值"),
}


@dataclass
class Written:
    """What became of the figures."""

    created: int = 0
    changed: int = 0
    same: int = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure to be kept."""

    indicator: ExternalIndicator
    store: Store
    day: date
    value: Decimal


@dataclass
class _Result:
    read: int = 0
    good: dict[tuple[int, int, date], Figure] = field(default_factory=dict)
    problems: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)


def stores_of(user: User) -> list[Store]:
    """The stores whose figures a person may see and enter."""
    scope = scope_of(user, see_all="feedback.see_all_feedback")
    rows = Store.objects.filter(is_active=True)
    return list(rows if scope.everything else rows.filter(pk__in=scope.stores))


def to_decimal(text: str) -> Decimal | None:
    """12,345 · 98.6% · ４．９ → a number with at most four places; None where it is none."""
    plain = (
        text.strip()
        .translate(str.maketrans("０１２３４５６７８９．％，－", "0123456789.%,-"))
        .replace(",", "")
    )
    plain = plain.removesuffix("%").strip()
    try:
        value = Decimal(plain)
    except InvalidOperation:
        return None
    if not value.is_finite() or abs(value) >= Decimal(10) ** 10:
        return None
    return value.quantize(Decimal("0.0001"))


def problem_of(indicator: ExternalIndicator, value: Decimal) -> str:
    """Why a value cannot be this indicator's; "" when it can."""
    if not indicator.refuses(value):
        return ""
    if indicator.highest is None:
        return _("%(name)s cannot be below %(least)s.") % {
            "name": indicator,
            "least": f"{indicator.least.normalize():f}",
        }
    return _("%(name)s lies between %(least)s and %(most)s.") % {
        "name": indicator,
        "least": f"{indicator.least.normalize():f}",
        "most": f"{indicator.highest.normalize():f}",
    }


@transaction.atomic
def keep(*, figures: Sequence[Figure], source: str, by: User, now: datetime) -> Written:
    """Write these figures. New rows are added, other values replace what stood there and leave a version, equal ones
    change nothing. Two queries for each 500 and one for each correction.
    """
    done = Written()
    rows = list(figures)
    for start in range(0, len(rows), BATCH):
        chunk = rows[start : start + BATCH]
        for attempt in range(3):
            try:
                with transaction.atomic():
                    created, changed, same = _keep(chunk, source=source, by=by)
                break
            except IntegrityError:
                # Somebody wrote the same day at this moment: look again, theirs is now what stood there.
                if attempt == 2:
                    raise
        done.created, done.changed, done.same = (
            done.created + created,
            done.changed + changed,
            done.same + same,
        )
    return done


def _keep(chunk: Sequence[Figure], *, source: str, by: User) -> tuple[int, int, int]:
    known = {
        (row.indicator_id, row.store_id, row.day): row
        for row in IndicatorValue.objects.select_for_update(of=("self",)).filter(
            indicator_id__in={figure.indicator.pk for figure in chunk},
            store_id__in={figure.store.pk for figure in chunk},
            day__range=(min(figure.day for figure in chunk), max(figure.day for figure in chunk)),
        )
    }
    fresh, changed, same = [], 0, 0
    for figure in chunk:
        row = known.get((figure.indicator.pk, figure.store.pk, figure.day))
        if row is None:
            fresh.append(
                IndicatorValue(
                    indicator=figure.indicator,
                    store=figure.store,
                    day=figure.day,
                    value=figure.value,
                    source=source,
                    by=by,
                )
            )
        elif row.value == figure.value:
            same += 1
        else:
            row.value, row.source, row.by = figure.value, source, by
            row._history_user = by
            row.save()
            changed += 1
    if fresh:
        bulk_create_with_history(fresh, IndicatorValue, batch_size=BATCH, default_user=by)
    return len(fresh), changed, same


def enter_day(
    *, store: Store, day: date, values: Mapping[ExternalIndicator, Decimal | None], by: User, now: datetime
) -> Written:
    """All figures of one store and day, as typed; empty ones are left as they are.

    Raises NotPermitted (not their store), InvalidInput (a day to come, a value that cannot be).
    """
    _may_enter(by, store)
    _check_day(day, now)
    figures = []
    for indicator, value in values.items():
        if value is None:
            continue
        if problem := problem_of(indicator, value):
            raise InvalidInput(problem, field=f"i{indicator.pk}")
        figures.append(Figure(indicator, store, day, value.quantize(Decimal("0.0001"))))
    return keep(figures=figures, source=ValueSource.FORM, by=by, now=now)


def _may_enter(by: User, store: Store) -> None:
    if not by.has_perm(ENTER) or store.pk not in {row.pk for row in stores_of(by)}:
        raise NotPermitted(_("You may not enter figures of this store."))


def _check_day(day: date, now: datetime) -> None:
    today = timezone.localdate(now)
    if day > today:
        raise InvalidInput(_("This day is still to come."), field="day")
    if day < today - OLDEST:
        raise InvalidInput(_("This day lies more than three years back."), field="day")


# -- files ----------
def import_file(*, upload: File, by: User, now: datetime) -> IndicatorUpload:
    """Take a CSV or XLSX file in: columns day, store, indicator, value. Good rows are kept, the others offered back.

    Raises NotPermitted, InvalidInput where the file as a whole cannot be used.
    """
    if not by.has_perm(ENTER):
        raise NotPermitted(_("You may not enter figures."))
    if (upload.size or 0) > MAX_BYTES:
        raise InvalidInput(
            _("The file is larger than %(limit)d MB.") % {"limit": MAX_BYTES // 1024 // 1024}, field="file"
        )
    result = _Result()
    name = PurePath(upload.name or "file.csv").name[:200]
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("file" + PurePath(name).suffix.lower()[:8])
        with path.open("wb") as target:
            upload.seek(0)
            for chunk in upload.chunks():
                target.write(chunk)
        try:
            with open_rows(path, max_rows=MAX_ROWS, limit_bytes=MAX_BYTES * 20) as source:
                _read(source, result, by=by, now=now)
        except FileRefused as error:
            raise InvalidInput(problem_text(error.code, error.params), field="file") from error
    with transaction.atomic():
        done = keep(figures=list(result.good.values()), source=ValueSource.FILE, by=by, now=now)
        return IndicatorUpload.objects.create(
            file_name=name,
            at=now,
            by=by,
            read=result.read,
            created=done.created,
            changed=done.changed,
            same=done.same,
            rejected=len(result.problems),
            problems=[{"row": row, "why": why} for row, why, _cells in result.problems[:SHOWN_PROBLEMS]],
            rejects=_rejects(result.problems),
        )


def _columns(names: Sequence[str]) -> dict[str, str]:
    found = {}
    plain = {name.strip().lower(): name for name in names}
    for column, spellings in COLUMNS.items():
        match = next((plain[spelling] for spelling in spellings if spelling in plain), None)
        if match is None:
            raise InvalidInput(
                _("There is no column “%(name)s”. The first row names the columns: 日期, 门店, 指标, 数值.")
                % {"name": spellings[2] if column != "value" else spellings[1]},
                field="file",
            )
        found[column] = match
    return found


def _read(source: Any, result: _Result, *, by: User, now: datetime) -> None:
    columns = _columns(source.columns)
    stores: dict[str, Store] = {}
    for store in stores_of(by):
        for word in (store.code, store.name, *store.aliases):
            stores.setdefault(str(word).strip().lower(), store)
    indicators: dict[str, ExternalIndicator] = {}
    for row in ExternalIndicator.objects.filter(is_active=True):
        for word in (row.code, row.name_zh, row.name_en):
            indicators.setdefault(word.strip().lower(), row)
    for number, cells, problem in _rows(source):
        picked = {name: unneutral(cells.get(column, "")).strip() for name, column in columns.items()}
        if not problem and not picked["value"]:
            # A line of the template that nobody filled.
            continue
        result.read += 1
        if problem:
            result.problems.append((number, problem, picked if any(picked.values()) else cells))
            continue
        try:
            figure = _figure(picked, stores, indicators, now)
        except InvalidInput as error:
            result.problems.append((number, str(error.message), picked))
            continue
        key = (figure.indicator.pk, figure.store.pk, figure.day)
        known = result.good.get(key)
        if known is not None and known.value != figure.value:
            result.problems.append(
                (number, _("The file gives another value for this day, store and indicator above."), picked)
            )
            continue
        result.good[key] = figure


def _rows(source: Any) -> Iterator[tuple[int, dict[str, str], str]]:
    """(row, cells, problem); notes are passed over."""
    for entry in source:
        if isinstance(entry, RowProblem):
            if entry.fatal:
                yield entry.row, dict(entry.values), problem_text(entry.code, entry.params)
            continue
        number, cells = entry
        yield number, cells, ""


def _figure(
    cells: Mapping[str, str],
    stores: Mapping[str, Store],
    indicators: Mapping[str, ExternalIndicator],
    now: datetime,
) -> Figure:
    try:
        moment = parse_datetime(cells["day"], settings.TIME_ZONE)
    except ParseError as error:
        raise InvalidInput(
            _("“%(value)s” is no date. Write it like 2026-11-18.") % {"value": cells["day"][:40]}
        ) from error
    if moment is None:
        raise InvalidInput(_("The date is missing."))
    day = moment.date()
    _check_day(day, now)
    store = stores.get(cells["store"].lower())
    if store is None:
        raise InvalidInput(
            _("“%(value)s” is no store you may enter figures for.") % {"value": cells["store"][:40]}
        )
    indicator = indicators.get(cells["indicator"].lower())
    if indicator is None:
        raise InvalidInput(_("There is no indicator “%(value)s”.") % {"value": cells["indicator"][:40]})
    value = to_decimal(cells["value"])
    if value is None:
        raise InvalidInput(_("“%(value)s” is no number.") % {"value": cells["value"][:40]})
    if problem := problem_of(indicator, value):
        raise InvalidInput(problem)
    return Figure(indicator, store, day, value)


def _rejects(problems: Sequence[tuple[int, str, dict[str, str]]]) -> str:
    """The refused rows as CSV with the reason, ready to be put right and brought again; formulas neutralised."""
    if not problems:
        return ""
    stream = io.StringIO()
    stream.write("\ufeff")
    writer = csv.writer(stream)
    writer.writerow(["日期", "门店", "指标", "数值", _("row in the file"), _("problem")])
    for row, why, cells in problems:
        values = [cells.get(name, "") for name in ("day", "store", "indicator", "value")]
        if not any(values):
            values = [*list(cells.values())[:4], "", "", "", ""][:4]
        writer.writerow([*(neutral(value) for value in values), row, neutral(why)])
    return stream.getvalue()


def template_csv(*, by: User, now: datetime) -> str:
    """An empty file to fill: yesterday, each store the person sees, each of its indicators."""
    stream = io.StringIO()
    stream.write("\ufeff")
    writer = csv.writer(stream)
    writer.writerow(["日期", "门店", "指标", "数值"])
    day = (timezone.localdate(now) - timedelta(days=1)).isoformat()
    indicators = list(ExternalIndicator.objects.filter(is_active=True))
    for store in stores_of(by)[:20]:
        for indicator in indicators:
            if indicator.platform in ("", store.platform):
                writer.writerow([day, neutral(store.name), neutral(indicator.name_zh), ""])
    return stream.getvalue()
