"""What the import pages show: the first rows of a file, guesses, what may be undone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Value
from django.db.models.functions import Cast, Concat

from apps.core import masking
from apps.core.models import ActionLog
from apps.feedback.choices import EntryKind, Kind, Status
from apps.feedback.fileformats import (
    FIELDS,
    Mapping,
    MappingError,
    ParseError,
    RowProblem,
    guess,
    open_rows,
    parse_rating,
)
from apps.feedback.models import Feedback, ImportMapping, ImportRun
from apps.feedback.querysets import FeedbackQuerySet
from apps.feedback.registries import work_of_people
from apps.feedback.selectors.reference import reference
from apps.shop.choices import WorkStatus
from apps.shop.models import WorkItem
from apps.shop.selectors import scope_of

SHOWN_ROWS = 20
# So many rows tell which values a column has.
SAMPLE_ROWS = 500
# A column with more different values is no column of kinds.
FEW_VALUES = 15
VALUE_FIELDS = ("rating", "kind", "channel", "store")
CELL = 80


def imports_visible_to(user: Any, queryset: models.QuerySet) -> models.QuerySet:
    """The imports a person may see: all, or, for people of single stores, those they made (decision 12)."""
    scope = scope_of(user, see_all="feedback.see_all_feedback")
    return queryset if scope.everything else queryset.filter(by_id=user.pk)


# -- the file
@dataclass
class Sample:
    """The beginning of a file."""

    columns: tuple[str, ...]
    encoding: str
    format: str
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    # Rows seen while looking; all of them when `whole`.
    seen: int = 0
    whole: bool = False


def read_sample(path: Path, *, name: str, encoding: str | None, limit: int = SAMPLE_ROWS) -> Sample:
    """The first rows. Raises FileRefused."""
    with open_rows(path, name=name, encoding=encoding or None) as source:
        sample = Sample(source.columns, source.encoding or "", source.format)
        for item in source:
            if isinstance(item, RowProblem):
                if item.fatal:
                    sample.seen += 1
                    if len(sample.problems) < SHOWN_ROWS:
                        sample.problems.append(item)
            else:
                sample.seen += 1
                if len(sample.rows) < SAMPLE_ROWS:
                    sample.rows.append(item)
            if sample.seen >= limit:
                return sample
        sample.whole = True
    return sample


def header_key(columns: Sequence[str]) -> str:
    """What recognises the export of one platform: the names of its columns in their order."""
    return hashlib.sha256("\x1f".join(columns).encode()).hexdigest()


def mapping_of(data: dict[str, Any]) -> Mapping | None:
    """A stored mapping, or None when nothing was chosen yet."""
    fields = {name: column for name, column in (data.get("fields") or {}).items() if name in FIELDS}
    return Mapping(fields, data.get("values") or {}, strict=False) if fields else None


def first_mapping(run: ImportRun, sample: Sample, columns: Sequence[str]) -> tuple[Mapping, str]:
    """(the mapping to begin with, where it comes from): chosen before, remembered, guessed or nothing."""
    chosen = mapping_of(run.mapping)
    if chosen is not None:
        return chosen, "chosen"
    remembered = ImportMapping.objects.filter(
        channel_id=run.channel_id, header_key=header_key(columns)
    ).first()
    if remembered is not None and (known := mapping_of(remembered.mapping)) is not None:
        return known, "remembered"
    try:
        guessed = guess(columns, run.channel.code, [cells for _row, cells in sample.rows[:50]]).mapping
        return Mapping(guessed.columns, guessed.values, strict=False), "guessed"
    except MappingError:
        return Mapping({}, {}, strict=False), ""


@dataclass
class ValueMap:
    """One field whose few values have to be said in our words: (value in the file, what it is taken for)."""

    field: str
    column: str
    choices: list[tuple[str, str]]
    pairs: list[tuple[str, str]]


def value_maps(mapping: Mapping, sample: Sample) -> list[ValueMap]:
    """The value maps worth showing: few different values, and not all of them plain."""
    found = []
    for name in VALUE_FIELDS:
        column = mapping.columns.get(name)
        if column is None:
            continue
        values = list(
            dict.fromkeys(cell for _row, cells in sample.rows if (cell := cells.get(column, "").strip()))
        )
        known = mapping.values.get(name, {})
        values = list(dict.fromkeys([*values, *known])) if len(values) <= FEW_VALUES else []
        if not values or all(_is_plain(name, value) for value in values):
            continue
        pairs = [(value, str(known.get(value, "")) or _guessed(name, value)) for value in values[:30]]
        found.append(ValueMap(name, column, _choices(name), pairs))
    return found


def _is_plain(name: str, value: str) -> bool:
    if name == "rating":
        return value in {"1", "2", "3", "4", "5"}
    return _guessed(name, value) != ""


def _guessed(name: str, value: str) -> str:
    ref = reference()
    if name == "rating":
        try:
            return str(parse_rating(value) or "")
        except ParseError:
            return ""
    if name == "kind":
        return value if value in Kind.values else ""
    if name == "channel":
        return value if value in ref.channels else ""
    store = ref.store(value)
    return store.code if store else ""


def _choices(name: str) -> list[tuple[str, str]]:
    ref = reference()
    if name == "rating":
        return [(str(stars), "★" * stars) for stars in range(5, 0, -1)]
    if name == "kind":
        return [(code, str(label)) for code, label in Kind.choices]
    if name == "channel":
        return [(code, str(channel)) for code, channel in ref.channels.items() if channel.is_active]
    return [(store.code, store.name) for store in ref.stores.values() if store.is_active]


class Shown(str):
    """A cell as the preview shows it; `spoilt` when a spreadsheet has cut a long number to 1.23E+17."""

    spoilt = False


_CUT = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d{1,3}")


def shown_cell(cell: str, name: str) -> Shown:
    """A cell of the preview: masked by what it is said to be, and short. What is spoilt shows as it stands: nobody
    can be known by it, and masked it would look like a good number.
    """
    if _CUT.fullmatch(cell.strip()):
        spoilt = Shown(cell.strip()[:CELL])
        spoilt.spoilt = True
        return spoilt
    if name == "customer_phone":
        text = masking.mask_phone(cell)
    elif name == "customer_email":
        text = masking.mask_email(cell)
    elif name == "customer_nickname":
        text = masking.mask_name(cell) if cell else ""
    elif name == "order_no":
        text = masking.mask_order_no(cell)
    else:
        text = masking.mask_text(cell)
    return Shown(text if len(text) <= CELL else text[: CELL - 1] + "…")


def is_small(run: ImportRun) -> bool:
    """Whether a check takes only a moment: few rows, and few texts in the channel to compare them with."""
    rows = run.checked.get("rows_hint")
    recent = Feedback.objects.filter(channel_id=run.channel_id).order_by("-received_at")[:20_001]
    return rows is not None and rows < settings.FEEDBACK_IMPORT_AT_ONCE_ROWS and recent.count() <= 20_000


# -- undo
# Relations of a feedback that an import makes itself, or that fall away with the row.
OWN_RELATIONS = frozenset({"search", "clocks", "sla_events", "similar", "snapshot_rows"})


def holders_of(model: type[models.Model]) -> list[Any]:
    """Every relation that points to rows of a model, those that have no name on the model ("+") included."""
    return [
        relation
        for relation in model._meta.get_fields(include_hidden=True)
        if isinstance(relation, models.ForeignObjectRel) and relation.auto_created and not relation.concrete
    ]


def untouched_rows(run: ImportRun) -> FeedbackQuerySet:
    """The rows of a run that nobody has worked on: nothing but what intake and dispatch did.

    Touched is a row somebody claimed, answered, corrected or wrote on, one that a later file changed, one whose
    follow-up came from elsewhere, and one that any other app holds on to.
    """
    rows: Any = Feedback.objects.filter(
        Q(status__in=(Status.NEW, Status.ASSIGNED)) | Q(status=Status.CLOSED, closed_at=F("created_at")),
        import_run=run,
        claimed_at__isnull=True,
        first_response_at__isnull=True,
        merged_into__isnull=True,
        reopened=0,
    )
    by_people = ActionLog.objects.filter(
        model="feedback.feedback", object_id=OuterRef("pk"), by__isnull=False
    )
    rows = rows.exclude(Exists(by_people))
    for relation in holders_of(Feedback):
        name = relation.get_accessor_name()
        if name in OWN_RELATIONS:
            continue
        others = relation.related_model._default_manager.filter(**{relation.field.name: OuterRef("pk")})
        worked = work_of_people.get(name)
        if worked is not None:
            others = worked(others)
        elif name == "entries":
            others = others.exclude(kind=EntryKind.TRANSCRIPT)
        elif name == "changes" and run.finished_at is not None:
            others = others.filter(seen_at__gt=run.finished_at)
        elif name == "follow_ups":
            others = others.exclude(import_run=run)
        rows = rows.exclude(Exists(others))
    key = Concat(Value("feedback:"), Cast(OuterRef("pk"), models.CharField()), Value(":self_check"))
    checks = WorkItem.objects.filter(origin_key=key).exclude(status=WorkStatus.OPEN)
    return rows.exclude(Q(tier_rank=0) & Exists(checks))


@dataclass
class UndoPreview:
    """What undoing would do."""

    rows: int
    untouched: int
    touched: list[Feedback]
    changed: int

    @property
    def touched_count(self) -> int:
        """Rows that stay."""
        return self.rows - self.untouched


def undo_preview(run: ImportRun, user: Any) -> UndoPreview:
    """How many rows would go, and which were touched (the first twenty this person may see)."""
    rows = Feedback.objects.filter(import_run=run)
    untouched = untouched_rows(run)
    count, free = rows.order_by().count(), untouched.order_by().count()
    touched: list[Feedback] = []
    if free < count:
        touched = list(
            Feedback.objects.visible_to(user)
            .filter(import_run=run)
            .exclude(pk__in=untouched.order_by().values("pk"))
            .order_by("id")
            .select_related("assignee")
            .defer("text", "resolution")[:20]
        )
    return UndoPreview(count, free, touched, run.changed)
