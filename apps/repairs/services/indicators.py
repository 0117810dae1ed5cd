"""Figures from outside, by form or file (R70). The same twice changes nothing; a correction keeps what stood there."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.models import User
from apps.feedback.fileformats import FileRefused, ParseError, Problem, RowProblem, open_rows, parse_datetime
from apps.feedback.problem_texts import problem_text
from apps.feedback.services.file_import import neutral, unneutral
from apps.repairs.choices import IndicatorUnit, ValueSource
from apps.repairs.models import ExternalIndicator, IndicatorUpload, IndicatorValue
from apps.shop.models import Store
from apps.shop.selectors import scope_of

ENTER = "repairs.add_indicatorvalue"
MAX_ROWS, MAX_BYTES, BATCH = 20_000, 5 * 1024 * 1024, 500
OLDEST = timedelta(days=366 * 3)
SHOWN_PROBLEMS = 50
TEMPLATE_STORES = 200
GROUPED = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
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
    """12,345 · 98.6% · ４．９ → a number with at most four places; None where it is none. 4,9 may mean 4.9 or 49: none."""
    plain = text.strip().translate(str.maketrans("０１２３４５６７８９．％，－", "0123456789.%,-"))
    plain = plain.removesuffix("%").strip()
    if "_" in plain or ("," in plain and not GROUPED.fullmatch(plain)):
        return None
    try:
        value = Decimal(plain.replace(",", ""))
    except InvalidOperation:
        return None
    if not value.is_finite() or abs(value) >= Decimal(10) ** 10:
        return None
    value = value.quantize(Decimal("0.0001"))
    return value if abs(value) < Decimal(10) ** 10 else None


def value_of(indicator: ExternalIndicator, text: str) -> Decimal:
    """What is written, as this indicator's value. Raises InvalidInput with what is wrong and what to do."""
    value = to_decimal(text)
    if value is None:
        raise InvalidInput(_("“%(value)s” is no number. Write it like 1234 or 98.6.") % {"value": text[:40]})
    percent = text.strip().endswith(("%", "％"))
    if percent and indicator.unit != IndicatorUnit.PERCENT:
        raise InvalidInput(
            _("“%(value)s”: %(name)s is not measured in percent.") % {"value": text[:40], "name": indicator}
        )
    if not percent and indicator.unit == IndicatorUnit.PERCENT and 0 < value <= 1:
        # Spreadsheets keep 98.6 % as 0.986.
        raise InvalidInput(
            _("“%(value)s” could be a share or a percentage: write %(name)s with “%%”, e.g. 98.6%%.")
            % {"value": text[:40], "name": indicator}
        )
    if problem := problem_of(indicator, value):
        raise InvalidInput(problem)
    return value


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
    change nothing. A few queries for each 500.
    """
    done = Written()
    # In one order whoever writes: two files at once wait for each other instead of locking each other out, and each
    # chunk spans few days.
    rows = sorted(figures, key=lambda figure: (figure.indicator.pk, figure.store.pk, figure.day))
    for start in range(0, len(rows), BATCH):
        chunk = rows[start : start + BATCH]
        for attempt in range(3):
            try:
                with transaction.atomic():
                    created, changed, same = _keep(chunk, source=source, by=by, now=now)
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


def _keep(chunk: Sequence[Figure], *, source: str, by: User, now: datetime) -> tuple[int, int, int]:
    there = (
        IndicatorValue.objects.select_for_update(of=("self",))
        .filter(
            indicator_id__in={figure.indicator.pk for figure in chunk},
            store_id__in={figure.store.pk for figure in chunk},
            day__range=(min(figure.day for figure in chunk), max(figure.day for figure in chunk)),
        )
        .order_by("indicator_id", "store_id", "day")
    )
    known = {(row.indicator_id, row.store_id, row.day): row for row in there}
    fresh, changed, same = [], [], 0
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
            row.value, row.source, row.by, row.updated_at = figure.value, source, by, now
            changed.append(row)
    if fresh:
        bulk_create_with_history(fresh, IndicatorValue, batch_size=BATCH, default_user=by)
    if changed:
        bulk_update_with_history(
            changed,
            IndicatorValue,
            ["value", "source", "by", "updated_at"],
            batch_size=BATCH,
            default_user=by,
        )
    return len(fresh), len(changed), same


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


Thing = TypeVar("Thing", Store, ExternalIndicator)
# By every name; a name may belong to several, a code belongs to one.
Named = dict[str, list[Thing]]


def _call(names: Named[Thing], thing: Thing, code: str, *others: str) -> None:
    for word in dict.fromkeys(str(word).strip().lower() for word in (code, *others)):
        if word:
            names.setdefault(word, []).append(thing)


def _the_one(found: Sequence[Thing], word: str) -> list[Thing]:
    """Whose code it is, where several are called so."""
    return [thing for thing in found if thing.code.lower() == word] or list(found)


def _read(source: Any, result: _Result, *, by: User, now: datetime) -> None:
    columns = _columns(source.columns)
    stores: Named[Store] = {}
    for store in stores_of(by):
        _call(stores, store, store.code, store.name, *store.aliases)
    indicators: Named[ExternalIndicator] = {}
    for row in ExternalIndicator.objects.filter(is_active=True):
        _call(indicators, row, row.code, row.name_zh, row.name_en)
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
    broken: dict[int, str] = {}
    for entry in source:
        if isinstance(entry, RowProblem):
            if entry.fatal:
                yield entry.row, dict(entry.values), problem_text(entry.code, entry.params)
            elif entry.code == Problem.CELL_ERROR:
                # The cell is read as empty; without this the row would pass for one that nobody filled.
                broken[entry.row] = problem_text(entry.code, entry.params)
            continue
        number, cells = entry
        yield number, cells, broken.pop(number, "")


def _figure(
    cells: Mapping[str, str],
    stores: Named[Store],
    indicators: Named[ExternalIndicator],
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
    word = cells["store"].lower()
    shops = _the_one(stores.get(word, ()), word)
    if not shops:
        raise InvalidInput(
            _("“%(value)s” is no store you may enter figures for. Write its name or code as in the template.")
            % {"value": cells["store"][:40]}
        )
    if len(shops) > 1:
        raise InvalidInput(
            _("Several stores are called “%(value)s”: write the code of the one you mean (%(codes)s).")
            % {"value": cells["store"][:40], "codes": ", ".join(shop.code for shop in shops[:5])}
        )
    indicator = _indicator(cells["indicator"], indicators, shops[0])
    store, value = shops[0], value_of(indicator, cells["value"])
    return Figure(indicator, store, day, value)


def _indicator(name: str, indicators: Named[ExternalIndicator], store: Store) -> ExternalIndicator:
    word = name.lower()
    known = indicators.get(word, ())
    if not known:
        raise InvalidInput(
            _("There is no indicator “%(value)s”. Write its name or code as in the template.")
            % {"value": name[:40]}
        )
    # Platforms name different figures alike: the store says whose is meant.
    fitting = _the_one([row for row in known if row.platform in ("", store.platform)], word)
    if not fitting:
        raise InvalidInput(
            _("“%(value)s” is a figure of another platform than that of %(store)s.")
            % {"value": name[:40], "store": store}
        )
    own = [row for row in fitting if row.platform == store.platform] if len(fitting) > 1 else fitting
    if len(own) != 1:
        raise InvalidInput(
            _("Several indicators are called “%(value)s”: write the code of the one you mean (%(codes)s).")
            % {"value": name[:40], "codes": ", ".join(row.code for row in fitting[:5])}
        )
    return own[0]


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
    for store in stores_of(by)[:TEMPLATE_STORES]:
        for indicator in indicators:
            if indicator.platform in ("", store.platform):
                writer.writerow([day, neutral(store.name), neutral(indicator.name_zh), ""])
    return stream.getvalue()
