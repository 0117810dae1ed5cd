"""Reading the figures of repairs: sums for the funnel page and indicators for everybody else (R31)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Aggregate, Q, Sum, TextField, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.metrics import Metric, Point, Span, metrics
from apps.core.statistics import Share
from apps.repairs.figures import BINS, RIPE_AFTER, Wait, from_bins, quantile
from apps.repairs.models import FiguresState, RepairCallbackDay, RepairDay, RepairPart, RepeatMonth
from apps.shop.selectors import scope_of

#: Whole days until a day of callbacks is ripe: the day itself and 30 more.
RIPE_DAYS = RIPE_AFTER.days + 1
AGAIN_DAYS = 90
GROUPS = {"category": "category_id", "store": "store_id", "agent": "handler_id"}
NARROWS = GROUPS | {"channel": "channel_id"}
COUNTS = tuple(
    name.attname
    for name in RepairDay._meta.concrete_fields
    if name.get_internal_type() == "PositiveIntegerField"
)
Sums = Counter[str]


def midnight(day: date) -> datetime:
    """When a day of the shop's zone begins."""
    return timezone.make_aware(datetime.combine(day, time.min))


def local_day(moment: datetime) -> date:
    """The day of the shop's zone."""
    return timezone.localtime(moment).date()


@dataclass(frozen=True, slots=True)
class Slice:
    """What is looked at: whole days of the shop's zone, both included, and what narrows it."""

    first: date
    last: date
    store: int | None = None
    category: int | None = None
    channel: int | None = None
    agent: int | None = None
    tier: str = ""

    def narrowed(self) -> dict[str, Any]:
        """As filters; the columns are called the same on figures and on cases."""
        wanted = {column: getattr(self, name) for name, column in NARROWS.items()} | {"tier": self.tier}
        return {column: value for column, value in wanted.items() if value}


@dataclass
class Figures:
    """Sums of one slice, whole and by group; by group under the key of the row, None for cases that name none.

    Of callbacks: `closed`, `withdrawn`, `revised` of those that are ripe, `unripe` of the younger ones.
    """

    slice: Slice
    total: Sums = field(default_factory=Counter)
    callbacks: Sums = field(default_factory=Counter)
    by: dict[str, dict[int | None, Sums]] = field(default_factory=dict)
    callbacks_by: dict[str, dict[int | None, Sums]] = field(default_factory=dict)
    median: Wait | None = None
    p90: Wait | None = None
    exact: bool = True


def read(user: Any, wanted: Slice, *, now: datetime) -> Figures:
    """The figures of a slice as far as a person may see them. Three queries beyond their scope, however many rows."""
    found = Figures(wanted)
    narrowed, waits = wanted.narrowed(), list[str]()
    sums = {name: Sum(name) for name in (*COUNTS, "cost")}
    if narrowed.keys() <= {"tier"} and _has_parts(user):
        parts = RepairPart.objects.filter(day__range=(wanted.first, wanted.last), tier=wanted.tier)
        found.total, found.by = _of_parts(parts, sums, waits)
    else:
        rows = RepairDay.objects.visible_to(user).filter(day__range=(wanted.first, wanted.last), **narrowed)
        found.total, found.by = _folded(rows, sums, waits)
    ripe = Q(day__lte=local_day(now) - timedelta(days=RIPE_DAYS))
    rows = RepairCallbackDay.objects.visible_to(user).filter(
        day__range=(wanted.first, wanted.last), **wanted.narrowed()
    )
    found.callbacks, found.callbacks_by = _folded(
        rows,
        {f"ripe_{name}": Sum(name, filter=ripe) for name in ("closed", "withdrawn", "revised")}
        | {"unripe": Sum("closed", filter=~ripe)},
    )
    _waits(found, waits)
    return found


def _folded(
    rows: Any, sums: Mapping[str, Any], waits: list[str] | None = None
) -> tuple[Sums, dict[str, dict[int | None, Sums]]]:
    """One query by all groups at once; each single one is added up here. `waits` is given the times to contact."""
    names = list(sums)
    total: Sums = Counter()
    by: dict[str, dict[int | None, Sums]] = {group: defaultdict(Counter) for group in GROUPS}
    columns = list(GROUPS.values())
    asked = {f"sum_{name}": sums[name] for name in names}
    if waits is not None:
        asked["all_waits"] = Joined("waits")
    for row in rows.order_by().values(*columns).annotate(**asked):
        if waits is not None:
            waits.append(row["all_waits"] or "")
        counts = {name: value for name in names if (value := row[f"sum_{name}"])}
        total.update(counts)
        for group, column in GROUPS.items():
            by[group][row[column]].update(counts)
    return total, by


def _has_parts(user: Any) -> bool:
    """Whether the whole shop may be seen, and was added up to its end at least once. One query beyond the scope."""
    if not scope_of(user, see_all="feedback.see_all_feedback").everything:
        return False
    present = state()
    return present is not None and present.seen_up_to is not None


def _of_parts(
    rows: Any, sums: Mapping[str, Any], waits: list[str]
) -> tuple[Sums, dict[str, dict[int | None, Sums]]]:
    """The same for the whole shop, where each group was added up by itself. One query."""
    total: Sums = Counter()
    by: dict[str, dict[int | None, Sums]] = {group: defaultdict(Counter) for group in GROUPS}
    asked = {f"sum_{name}": value for name, value in sums.items()} | {"all_waits": Joined("waits")}
    for row in rows.order_by().values("part", "key").annotate(**asked):
        counts = Counter({name: value for name in sums if (value := row[f"sum_{name}"])})
        by[row["part"]][row["key"]] = counts
        if row["part"] == RepairPart.Part.CATEGORY:
            # Every case has one category or none: these rows hold each of them once.
            total.update(counts)
            waits.append(row["all_waits"] or "")
    return total, by


class Joined(Aggregate):
    """Texts of a group in one, between commas."""

    function = "STRING_AGG"
    output_field = TextField()

    def __init__(self, name: str, **extra: Any) -> None:
        super().__init__(name, Value(",", output_field=TextField()), **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """There it has another name."""
        return super().as_sql(compiler, connection, function="GROUP_CONCAT", **context)


def _waits(found: Figures, texts: Iterable[str]) -> None:
    """Median and P90 of time to contact, to the second. From bins where days were added up before seconds were kept."""
    took = [int(part) for text in texts for part in text.split(",") if part]
    found.exact = len(took) == found.total["contacted"]
    if found.exact:
        took.sort()
        found.median, found.p90 = quantile(took, 0.5), quantile(took, 0.9)
        return
    bins = [found.total[name] for name, _edge in BINS]
    found.median, found.p90 = from_bins(bins, 0.5), from_bins(bins, 0.9)


def state() -> FiguresState | None:
    """How fresh the figures are. One query."""
    return FiguresState.objects.filter(pk=1).first()


@dataclass(frozen=True, slots=True)
class Repeat:
    """Repeat purchase over whole months."""

    months: tuple[date, ...]
    cohort: int
    pairs: int
    again: int
    others_again: int


def repeat(first: date, last: date, *, now: datetime) -> Repeat:
    """Repaired customers and matched others over the months that touch the period and are ripe. One query."""
    rows = [
        row
        for row in RepeatMonth.objects.filter(month__gte=first.replace(day=1), month__lte=last)
        if local_day(now) >= ripe_from(row.month)
    ]
    return Repeat(
        months=tuple(sorted({row.month for row in rows})),
        cohort=sum(row.cohort for row in rows),
        pairs=sum(row.pairs for row in rows),
        again=sum(row.again for row in rows),
        others_again=sum(row.others_again for row in rows),
    )


def ripe_from(month: date) -> date:
    """The first day on which the 90 days of everybody of this month are over."""
    following = (month.replace(day=1) + timedelta(days=32)).replace(day=1)
    return following + timedelta(days=AGAIN_DAYS)


# -- indicators ----------
def _by_span(
    model: Any, spans: Sequence[Span], scope: Mapping[str, int], sums: Iterable[str]
) -> list[Counter[str]]:
    """Sums of each span. One query, whatever the spans."""
    # What cannot be narrowed by raises KeyError, as the registry promises.
    narrowed = {NARROWS[key]: value for key, value in scope.items()}
    if not spans:
        return []
    first, last = min(span.first for span in spans), max(span.last for span in spans)
    rows = model.objects.filter(day__range=(first, last), **narrowed).order_by().values("day")
    names = list(sums)
    days = {
        row["day"]: {name: row[f"sum_{name}"] or 0 for name in names}
        for row in rows.annotate(**{f"sum_{name}": Sum(name) for name in names})
    }
    counted = []
    for span in spans:
        done: Counter[str] = Counter()
        for day, values in days.items():
            if span.first <= day <= span.last:
                done.update(values)
        counted.append(done)
    return counted


def _shares(
    model: Any, hits: tuple[str, ...], base: tuple[str, ...]
) -> Callable[[Sequence[Span], Mapping[str, int]], list[Point]]:
    def series(spans: Sequence[Span], scope: Mapping[str, int]) -> list[Point]:
        points = []
        sums = _by_span(model, spans, scope, dict.fromkeys((*hits, *base)))
        for span, counts in zip(spans, sums, strict=True):
            share = Share(sum(counts[name] for name in hits), sum(counts[name] for name in base))
            points.append(Point(span, share.hits, share.n, share.value))
        return points

    return series


def cost_per_case(spans: Sequence[Span], scope: Mapping[str, int]) -> list[Point]:
    """What was spent on repairs whose offer was accepted, for each of them."""
    points = []
    for span, counts in zip(spans, _by_span(RepairDay, spans, scope, ("cost", "accepted")), strict=True):
        cost, n = float(counts["cost"]), counts["accepted"]
        points.append(Point(span, cost, n, cost / n if n else None))
    return points


CONTACT_IN_TIME = _(
    "First talks within the promised time, of all that were due; open ones past their time count as late."
)
SUCCESS = _(
    "Repairs whose callback said 4 or 5, of all that were closed. Removals by the platform and misread reviews are left out."
)
SATISFACTION = _("Callbacks that said 4 or 5, of all callbacks with an answer.")
WITHDRAWAL = _(
    "Reviews deleted by the customer within 30 days after the callback, of those closed with a callback at least 30 days ago. "
    "Removals by the platform are left out."
)
REVISION = _(
    "Reviews raised to 4 stars or more within 30 days after the callback, of those closed with a callback at least 30 days ago."
)
REPAIRED = _(
    "Deleted by the customer or raised to 4 stars or more within 30 days after the callback: withdrawal and revision together."
)
APPEALS = _("Appeals that the platform upheld, of those it has decided.")
COST = _("Spent on remedies, for each repair whose offer was accepted.")


def register() -> None:
    """Called once when Django starts."""
    closed, decided = ("closed",), ("appeals_upheld", "appeals_rejected")
    day, after = RepairDay, RepairCallbackDay
    for order, (code, label, unit, better, series, definition, ripe) in enumerate(
        (
            ("repair_success", _("Repair success"), "share", "up", _shares(day, ("succeeded",), closed), SUCCESS, 0),
            ("repair_withdrawal", _("Withdrawal rate"), "share", "up", _shares(after, ("withdrawn",), closed), WITHDRAWAL, RIPE_DAYS),
            ("repair_revision", _("Revision rate"), "share", "up", _shares(after, ("revised",), closed), REVISION, RIPE_DAYS),
            ("repair_repaired", _("Repaired reviews"), "share", "up", _shares(after, ("withdrawn", "revised"), closed), REPAIRED, RIPE_DAYS),
            ("repair_contact_in_time", _("Contacted in time"), "share", "up", _shares(day, ("contact_in_time",), ("contact_due",)), CONTACT_IN_TIME, 0),
            ("repair_appeal_success", _("Appeal success"), "share", "up", _shares(day, ("appeals_upheld",), decided), APPEALS, 0),
            ("repair_cost_per_case", _("Cost per repair"), "cny", "down", cost_per_case, COST, 0),
        )
    ):  # fmt: skip
        metrics.register(
            code,
            Metric(
                code=code,
                label=label,
                unit=unit,
                better=better,
                series=series,
                definition=definition,
                narrows=frozenset(NARROWS),
                matures_days=ripe,
            ),
            order=320 + order,
        )
