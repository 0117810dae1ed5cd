"""The funnel page: figures of repairs in words, bars and tables (screens.md: no number without its n)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from apps.core.models import User
from apps.core.statistics import FEW, MANY, Share, newcombe
from apps.feedback.models import Category, Channel
from apps.feedback.templatetags.feedback_ui import span_text
from apps.repairs.choices import RepairStatus
from apps.repairs.figures import OUTCOMES, Wait
from apps.repairs.models import RepairDay
from apps.repairs.selectors import figures
from apps.repairs.selectors.figures import Figures, Repeat, Slice, Sums
from apps.shop.models import Store
from apps.shop.selectors import scope_of

QUEUE = "/admin/repairs/repaircase/"
#: Column of the sums → label, meaning, tab of the queue in which such repairs wait for their next step.
STEPS: tuple[tuple[str, Any, Any, str], ...] = (
    (
        "opened",
        pgettext_lazy("repair funnel", "Negative reviews"),
        gettext_lazy("Repairs that opened in the period, without those found to be misread."),
        "contact",
    ),
    (
        "contacted",
        pgettext_lazy("repair funnel", "Contacted"),
        gettext_lazy("The customer was reached and listened to."),
        "offer",
    ),
    (
        "proposed",
        pgettext_lazy("repair funnel", "Offer made"),
        gettext_lazy("At least one offer was made to the customer."),
        "offer",
    ),
    (
        "accepted",
        pgettext_lazy("repair funnel", "Offer accepted"),
        gettext_lazy("The customer accepted an offer."),
        "remedy",
    ),
    (
        "executed",
        pgettext_lazy("repair funnel", "Carried out"),
        gettext_lazy("Every remedy was done and proven."),
        "callback",
    ),
    (
        "called_back",
        pgettext_lazy("repair funnel", "Called back"),
        gettext_lazy("The customer said in a callback how satisfied they are."),
        "callback",
    ),
    (
        "once_satisfied",
        pgettext_lazy("repair funnel", "Satisfied"),
        gettext_lazy("The callback said 4 or 5 of 5."),
        "invite",
    ),
    (
        "invited",
        pgettext_lazy("repair funnel", "Invited"),
        gettext_lazy("Invited once to look at the review again. Not inviting is no failure."),
        "invite",
    ),
    (
        "repaired_invited",
        pgettext_lazy("repair funnel", "Repaired after invitation"),
        gettext_lazy(
            "Deleted or raised by the customer after the invitation, until today. "
            "What happened without an invitation stands under the outcomes."
        ),
        "ended",
    ),
)
OUTCOME_COLOURS = {
    "withdrawn": "green",
    "revised": "teal",
    "kept": "blue",
    "kept_public": "grey",
    "removed": "purple",
    "still_open": "amber",
}
SORTABLE = ("opened", "in_time", "success", "csat", "cost")
GROUP_LABELS = {
    "category": gettext_lazy("By category"),
    "store": gettext_lazy("By store"),
    "agent": gettext_lazy("By agent"),
}


@dataclass
class Said:
    """A share in words. `big` is what stands out, `under` what it rests on."""

    share: Share
    big: str
    under: str

    @property
    def is_small(self) -> bool:
        """Whether to say so."""
        return 0 < self.share.n < MANY

    @property
    def counts(self) -> str:
        """Hits and n."""
        return counted(self.share)

    @property
    def span(self) -> str:
        """95 %, Wilson."""
        return interval(self.share)


def percent(value: float) -> str:
    """A share for people."""
    return f"{value * 100:.1f}%"


def said(hits: int, n: int) -> Said:
    """Below 10 counts only; below 30 with its interval and a word of warning (domain.md 3.3)."""
    share = Share(hits, n)
    if not n:
        return Said(share, "—", _("none yet (n = 0)"))
    counts = counted(share)
    if share.value is None:
        return Said(share, counts, _("too few for a share"))
    if share.is_small:
        under = (counts, interval(share), _("small sample"))
        return Said(share, percent(share.value), " · ".join(under))
    return Said(share, percent(share.value), counts)


def counted(share: Share) -> str:
    """Hits and n."""
    return _("%(hits)d of %(n)d") % {"hits": share.hits, "n": share.n}


def interval(share: Share) -> str:
    """95 %, Wilson."""
    low, high = share.interval
    return f"{percent(low)}–{percent(high)}"


@dataclass
class Step:
    """One bar."""

    label: Any
    meaning: Any
    count: int
    width: float
    passed: Said | None
    url: str


@dataclass
class Part:
    """One piece of the stacked bar."""

    label: Any
    colour: str
    count: int
    start: float
    width: float
    share: str
    url: str


@dataclass
class CardFigure:
    """One card."""

    label: Any
    big: str
    under: str
    meaning: Any
    small: bool = False
    pale: bool = False
    note: str = ""
    url: str = ""
    url_label: Any = ""


@dataclass
class Line:
    """One row of a table by category, store or agent."""

    name: str
    url: str
    opened: int
    still_open: int
    open_url: str
    in_time: Said
    success: Said
    csat: Said
    repaired: Said
    cost: Decimal
    accepted: int

    @property
    def cost_each(self) -> Decimal | None:
        """For each accepted offer."""
        return self.cost / self.accepted if self.accepted else None

    @property
    def cost_text(self) -> str:
        """For people."""
        return money(self.cost_each)

    def order(self, column: str, *, down: bool) -> tuple[bool, float, str]:
        """Where it stands. Small samples are not ranked: they stand behind the others, the largest first."""
        if column == "opened":
            small, value = False, float(self.opened)
        elif column == "cost":
            small, value = self.accepted < MANY, float(self.cost_each or 0)
        else:
            share: Share = getattr(self, column).share
            small, value = share.n < MANY, share.hits / share.n if share.n else 0.0
        if small:
            return True, -self.opened, self.name
        return False, -value if down else value, self.name


@dataclass
class Table:
    """Lines of one group with the links that sort them."""

    code: str
    label: Any
    lines: list[Line]
    sorts: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class Page:
    """Everything the template draws."""

    figures: Figures
    steps: list[Step]
    outcomes: list[Part]
    cards: list[CardFigure]
    tables: list[Table]
    asides: list[str]
    as_of: datetime | None
    repeat: dict[str, Any] | None


@dataclass
class Names:
    """Choices of the filters, which also name the rows of the tables. Four queries."""

    store: dict[int, str]
    category: dict[int, str]
    channel: dict[int, str]
    agent: dict[int, str]


def names(user: Any) -> Names:
    """What the figures may be narrowed by; agents are those who handled a repair that the person may see."""
    handled = RepairDay.objects.visible_to(user).filter(handler=OuterRef("pk"))
    return Names(
        store={row.pk: str(row) for row in Store.objects.all()},
        category={row.pk: str(row) for row in Category.objects.filter(parent__isnull=True)},
        channel={row.pk: str(row) for row in Channel.objects.all()},
        agent={row.pk: str(row) for row in User.objects.filter(Exists(handled)).order_by("username")},
    )


def page(user: Any, wanted: Slice, known: Names, params: Mapping[str, str], *, now: datetime) -> Page:
    """The whole page. `params` are the filters as they stand in the address, for links. Six queries beyond the scope."""
    found = figures.read(user, wanted, now=now)
    status = figures.state()
    whole = not any((wanted.store, wanted.category, wanted.channel, wanted.agent, wanted.tier))
    again = (
        _repeat(figures.repeat(wanted.first, wanted.last, now=now), wanted)
        if whole and _sees_all(user)
        else None
    )
    total = found.total
    return Page(
        figures=found,
        steps=_steps(total, wanted),
        outcomes=_outcomes(total, wanted),
        cards=_cards(found, wanted),
        tables=[_table(found, group, known, params) for group in figures.GROUPS],
        asides=_asides(total),
        as_of=status.refreshed_at if status else None,
        repeat=again,
    )


def _sees_all(user: Any) -> bool:
    return scope_of(user, see_all="feedback.see_all_feedback").everything


def queue_url(wanted: Slice, **more: Any) -> str:
    """The queue, narrowed as far as it can be."""
    narrowed = {name: getattr(wanted, name) for name in ("store", "category", "channel", "tier")}
    return f"{QUEUE}?{urlencode({name: value for name, value in (more | narrowed).items() if value})}"


def _steps(total: Sums, wanted: Slice) -> list[Step]:
    steps, before = [], 0
    for column, label, meaning, tab in STEPS:
        count = total[column]
        steps.append(
            Step(
                label=label,
                meaning=meaning,
                count=count,
                width=round(100 * count / total["opened"], 2) if total["opened"] else 0,
                # A case that was put right by hand may lack a step; a share above one would say nothing.
                passed=said(min(count, before), before) if column != "opened" else None,
                url=queue_url(wanted, tab=tab),
            )
        )
        before = count
    return steps


def _outcomes(total: Sums, wanted: Slice) -> list[Part]:
    labels = {column: RepairStatus(status).label for column, status in OUTCOMES.items()}
    labels["still_open"] = pgettext("repairs", "Still open")
    opened, start, parts = total["opened"], 0.0, []
    for column, colour in OUTCOME_COLOURS.items():
        count = total[column]
        width = 100 * count / opened if opened else 0.0
        url = (
            queue_url(wanted, tab="open")
            if column == "still_open"
            else queue_url(wanted, tab="ended", status=OUTCOMES[column])
        )
        share = percent(count / opened) if opened >= FEW else ""
        parts.append(Part(labels[column], colour, count, round(start, 3), round(width, 3), share, url))
        start += width
    return parts


def _asides(total: Sums) -> list[str]:
    """What stands beside the funnel: each with its count, none when there is nothing to say."""
    lines = (
        (total["unreachable"], ngettext("%(n)d customer could not be reached.", "%(n)d customers could not be reached.", total["unreachable"])),
        (total["reopened"], ngettext("%(n)d repair was opened again.", "%(n)d repairs were opened again.", total["reopened"])),
        (total["dismissed"], ngettext("%(n)d review was misread and is left out.", "%(n)d reviews were misread and are left out.", total["dismissed"])),
    )  # fmt: skip
    return [text % {"n": count} for count, text in lines if count]


def wait_text(wait: Wait | None) -> str:
    """A time to contact for people."""
    if wait is None:
        return "—"
    words = span_text(wait.minutes * 60)
    return _("over %(time)s") % {"time": words} if wait.open_ended else words


def money(value: Decimal | float | None) -> str:
    """Yuan with two places."""
    return "—" if value is None else f"¥{value:,.2f}"


def _cards(found: Figures, wanted: Slice) -> list[CardFigure]:
    total, after = found.total, found.callbacks
    cost = Decimal(total["cost"])
    how = (
        _("Exact, from every single talk.")
        if found.exact
        else _("Estimated from bins of 15 minutes to 72 hours until the figures are added up again.")
    )
    half = _(
        "From the opening of the repair, which is the arrival of the review, to the first talk: "
        "half of the customers were reached faster."
    )
    most = _("Nine of ten customers were reached faster than this.")
    young = after["unripe"]
    unripe = (
        ngettext(
            "%(n)d more callback is younger than 30 days and counts later.",
            "%(n)d more callbacks are younger than 30 days and count later.",
            young,
        )
        % {"n": young}
        if young
        else ""
    )
    n_contacted = _("n = %(n)d contacted") % {"n": total["contacted"]}

    def share(label: Any, hits: int, n: int, meaning: Any, **more: Any) -> CardFigure:
        words = said(hits, n)
        return CardFigure(label, words.big, words.under, meaning, small=words.is_small, **more)

    def ripening(label: Any, hits: int, meaning: Any) -> CardFigure:
        return share(label, hits, after["ripe_closed"], meaning, note=unripe, pale=not after["ripe_closed"])

    withdrawn, revised = after["ripe_withdrawn"], after["ripe_revised"]
    decided = total["appeals_upheld"] + total["appeals_rejected"]
    return [
        CardFigure(
            _("Time to contact, median"),
            wait_text(found.median),
            n_contacted,
            f"{half} {how}",
            small=0 < total["contacted"] < MANY,
        ),
        CardFigure(
            _("Time to contact, 90%"),
            wait_text(found.p90),
            n_contacted,
            f"{most} {how}",
            small=0 < total["contacted"] < MANY,
        ),
        share(
            _("Contacted in time"),
            total["contact_in_time"],
            total["contact_due"],
            figures.CONTACT_IN_TIME,
            url=queue_url(wanted, tab="contact"),
            url_label=_("To contact"),
        ),
        share(
            _("Repair success"),
            total["succeeded"],
            total["closed"],
            figures.SUCCESS,
            note=ngettext("%(n)d repair is still open.", "%(n)d repairs are still open.", total["still_open"])
            % {"n": total["still_open"]}
            if total["still_open"]
            else "",
        ),
        share(_("Satisfaction (CSAT)"), total["satisfied"], total["answered"], figures.SATISFACTION),
        ripening(_("Withdrawal rate"), withdrawn, figures.WITHDRAWAL),
        ripening(_("Revision rate"), revised, figures.REVISION),
        ripening(_("Repaired reviews"), withdrawn + revised, figures.REPAIRED),
        share(
            _("Appeal success"),
            total["appeals_upheld"],
            decided,
            figures.APPEALS,
            note=ngettext(
                "%(n)d appeal waits for its answer.",
                "%(n)d appeals wait for their answer.",
                total["appeals_filed"] - decided,
            )
            % {"n": total["appeals_filed"] - decided}
            if total["appeals_filed"] > decided
            else "",
            url=queue_url(wanted, tab="appeal"),
            url_label=pgettext("repairs", "Appeals"),
        ),
        CardFigure(
            _("Cost per repair"),
            money(cost / total["accepted"] if total["accepted"] else None),
            _("n = %(n)d accepted offers, %(sum)s in all") % {"n": total["accepted"], "sum": money(cost)},
            figures.COST,
            small=0 < total["accepted"] < MANY,
        ),
    ]


def _table(found: Figures, group: str, known: Names, params: Mapping[str, str]) -> Table:
    labels: dict[int, str] = getattr(known, group)
    lines = []
    for key in sorted(set(found.by[group]) | set(found.callbacks_by[group]), key=lambda pk: pk or 0):
        total: Sums = found.by[group].get(key, Sums())
        after: Sums = found.callbacks_by[group].get(key, Sums())
        if not total["opened"] and not after["ripe_closed"]:
            continue
        narrowed = {name: value for name, value in params.items() if name != "o"}
        lines.append(
            Line(
                name=labels.get(key, f"#{key}") if key else _nobody(group),
                url=f"?{urlencode(narrowed | {group: key})}" if key else "",
                opened=total["opened"],
                still_open=total["still_open"],
                # The queue knows no filter by agent.
                open_url=f"{QUEUE}?{urlencode({'tab': 'open', group: key})}"
                if key and group != "agent"
                else "",
                in_time=said(total["contact_in_time"], total["contact_due"]),
                success=said(total["succeeded"], total["closed"]),
                csat=said(total["satisfied"], total["answered"]),
                repaired=said(after["ripe_withdrawn"] + after["ripe_revised"], after["ripe_closed"]),
                cost=Decimal(total["cost"]),
                accepted=total["accepted"],
            )
        )
    asked = params.get("o", "")
    column, down = asked.removeprefix("-"), asked.startswith("-")
    if column not in SORTABLE:
        column, down = "opened", True
    lines.sort(key=lambda line: line.order(column, down=down))
    sorts = {
        name: {
            "url": f"?{urlencode(dict(params) | {'o': name if name == column and down else f'-{name}'})}#by-{group}",
            "aria": ("descending" if down else "ascending") if name == column else "none",
            "arrow": ("↓" if down else "↑") if name == column else "",
        }
        for name in SORTABLE
    }
    return Table(group, GROUP_LABELS[group], lines, sorts)


def _nobody(group: str) -> str:
    return {
        "category": _("Without category"),
        "store": _("Without store"),
        "agent": _("Nobody yet"),
    }[group]


def _repeat(counted: Repeat, wanted: Slice) -> dict[str, Any]:
    """Repaired customers beside matched others; `few` where a difference may not be told."""
    context: dict[str, Any] = {
        "counted": counted,
        "ripe_from": figures.ripe_from(wanted.first),
        "few": counted.pairs < FEW,
        "left_out": counted.cohort - counted.pairs,
        "small": counted.pairs < MANY,
    }
    if not counted.pairs:
        return context
    context["repaired"] = said(counted.again, counted.pairs)
    context["others"] = said(counted.others_again, counted.pairs)
    if counted.pairs >= FEW:
        difference, low, high = newcombe(counted.again, counted.pairs, counted.others_again, counted.pairs)
        context |= {
            "difference": points(difference),
            "interval": _("%(low)s to %(high)s") % {"low": points(low), "high": points(high)},
            "clear": low > 0 or high < 0,
            "better": low > 0,
        }
    return context


def points(value: float) -> str:
    """A difference of shares, in percentage points."""
    return f"{value * 100:+.1f}"


def csv_rows(user: Any, wanted: Slice, known: Names, *, now: datetime) -> list[list[Any]]:
    """The page as counts, for a spreadsheet: whole, then by category, store and agent. Two or four queries."""
    found = figures.read(user, wanted, now=now)
    columns = [*figures.COUNTS]
    heads = [
        pgettext("repair figures", "Part"),
        pgettext("repair figures", "Name"),
        pgettext("repair figures", "From"),
        pgettext("repair figures", "To"),
        *(COLUMN_LABELS[name] for name in columns),
        _("Cost (CNY)"),
        _("Closed with callback, ripe"),
        _("Withdrawn within 30 days"),
        _("Revised within 30 days"),
        _("Callbacks not ripe yet"),
    ]
    rows: list[list[Any]] = [heads]

    def add(part: Any, name: str, total: Sums, after: Sums) -> None:
        rows.append(
            [
                str(part), name, wanted.first.isoformat(), wanted.last.isoformat(), *(total[column] for column in columns),
                f"{Decimal(total['cost']):.2f}", after["ripe_closed"], after["ripe_withdrawn"], after["ripe_revised"],
                after["unripe"],
            ]
        )  # fmt: skip

    add(pgettext("repair figures", "All"), "", found.total, found.callbacks)
    for group in figures.GROUPS:
        labels: dict[int, str] = getattr(known, group)
        for key in sorted(set(found.by[group]) | set(found.callbacks_by[group]), key=lambda pk: pk or 0):
            add(
                GROUP_LABELS[group],
                labels.get(key, f"#{key}") if key else _nobody(group),
                found.by[group].get(key, Sums()),
                found.callbacks_by[group].get(key, Sums()),
            )
    return rows


COLUMN_LABELS: dict[str, Any] = {
    "opened": gettext_lazy("Negative reviews"),
    "dismissed": gettext_lazy("Misread, left out"),
    "contacted": pgettext_lazy("repair funnel", "Contacted"),
    "contact_due": gettext_lazy("First contact due"),
    "contact_in_time": gettext_lazy("Contacted in time"),
    "proposed": pgettext_lazy("repair funnel", "Offer made"),
    "accepted": pgettext_lazy("repair funnel", "Offer accepted"),
    "executed": pgettext_lazy("repair funnel", "Carried out"),
    "called_back": pgettext_lazy("repair funnel", "Called back"),
    "answered": gettext_lazy("Callbacks with an answer"),
    "satisfied": gettext_lazy("Satisfied (4 or 5)"),
    "once_satisfied": gettext_lazy("Satisfied at least once"),
    "invited": pgettext_lazy("repair funnel", "Invited"),
    "repaired_invited": pgettext_lazy("repair funnel", "Repaired after invitation"),
    "withdrawn": RepairStatus.WITHDRAWN.label,
    "revised": RepairStatus.REVISED.label,
    "kept": RepairStatus.KEPT.label,
    "kept_public": RepairStatus.KEPT_PUBLIC_REPLY.label,
    "removed": RepairStatus.REMOVED.label,
    "unreachable": gettext_lazy("Not reached"),
    "reopened": gettext_lazy("Opened again"),
    "still_open": pgettext_lazy("repairs", "Still open"),
    "closed": pgettext_lazy("repair figures", "Closed"),
    "succeeded": gettext_lazy("Closed and satisfied"),
    "appeals_filed": gettext_lazy("Appeals filed"),
    "appeals_upheld": gettext_lazy("Appeals upheld"),
    "appeals_rejected": gettext_lazy("Appeals rejected"),
    "wait_15m": gettext_lazy("Contacted within 15 minutes"),
    "wait_30m": gettext_lazy("Contacted after 15 to 30 minutes"),
    "wait_1h": gettext_lazy("Contacted after 30 minutes to 1 hour"),
    "wait_2h": gettext_lazy("Contacted after 1 to 2 hours"),
    "wait_4h": gettext_lazy("Contacted after 2 to 4 hours"),
    "wait_8h": gettext_lazy("Contacted after 4 to 8 hours"),
    "wait_24h": gettext_lazy("Contacted after 8 to 24 hours"),
    "wait_48h": gettext_lazy("Contacted after 24 to 48 hours"),
    "wait_72h": gettext_lazy("Contacted after 48 to 72 hours"),
    "wait_more": gettext_lazy("Contacted after more than 72 hours"),
}


def period(code: str, today: date) -> tuple[date, date] | None:
    """First and last day of a named period that ends today or with the last month; None for one's own."""
    month = today.replace(day=1)
    if code == "month":
        return month, today
    if code == "last_month":
        last = month - timedelta(days=1)
        return last.replace(day=1), last
    if code in ("30", "90", "365"):
        return today - timedelta(days=int(code) - 1), today
    return None
