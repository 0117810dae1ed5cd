"""Figures as a page shows them: never without their n, never more certain than they are (domain.md 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.statistics import FEW, MANY, wilson
from apps.performance.choices import FIGURE_HELP, FIGURE_LABELS, OBJECTIONS
from apps.performance.figures import FIGURES, Figure
from apps.performance.models import AgentMonth

#: Columns of the team table, in their order. Opened again and satisfaction stand beside speed on purpose: ranking by
#: speed alone pushes early closing (peers 3.20).
COLUMNS = (
    "handled", "on_time", "response_median", "response_p90", "csat", "reopened", "repair_success", "withdrawn", "cost",
    "quality", "compliance", "callbacks",
)  # fmt: skip
#: Never a ranking by withdrawal.
UNSORTED = frozenset(code for code, figure in FIGURES.items() if figure.tempting)


@dataclass(frozen=True)
class Cell:
    """One figure of one row. `text` is what is read; `note` stands below it; `rank` sorts, None is not ranked."""

    code: str
    label: Any
    text: str
    note: str
    n: int
    few: bool
    small: bool
    value: float | None
    rank: float | None
    arrow: str = ""

    @property
    def help(self) -> Any:
        """What it means."""
        return FIGURE_HELP[self.code]


def number(figure: Figure, value: float | None) -> str:
    """A value in its unit."""
    if value is None:
        return "–"
    if figure.unit == "share":
        return f"{value:.0%}"
    if figure.unit == "minutes":
        if value < 120:
            return _("%(n)d min") % {"n": round(value)}
        return _("%(n).1f h") % {"n": value / 60}
    if figure.unit == "cny":
        return f"¥{value:.2f}"
    return f"{value:.0f}"


def _counts(figure: Figure, row: AgentMonth, n: int) -> str:
    hits = row.hits_of(figure.code)
    return f"{hits} / {n}" if hits is not None else ngettext("%(n)d case", "%(n)d cases", n) % {"n": n}


def cell(row: AgentMonth, code: str, before: AgentMonth | None = None) -> Cell:
    """The cell of a figure: below FEW only counts, below MANY with a warning and, for shares, the 95 % interval."""
    figure = FIGURES[code]
    value, n = row.seen()[code]
    label = FIGURE_LABELS[code]
    if figure.unit == "count":
        return Cell(code, label, number(figure, value), "", n, False, False, value, value)
    if n < FEW:
        text = _counts(figure, row, n) if n else "–"
        return Cell(code, label, text, _("too few") if n else "", n, True, True, value, None)
    hits = row.hits_of(code)
    if n < MANY:
        note = _counts(figure, row, n)
        if hits is not None:
            low, high = wilson(hits, n)
            note = f"{note} · {low:.0%}–{high:.0%}"
        return Cell(code, label, number(figure, value), note, n, False, True, value, None)
    return Cell(
        code, label, number(figure, value), _counts(figure, row, n), n, False, False, value, value,
        _arrow(figure, value, before),
    )  # fmt: skip


def _arrow(figure: Figure, value: float | None, before: AgentMonth | None) -> str:
    # Only between two months that both rest on enough; within two percent it is the same.
    if before is None or value is None:
        return ""
    last, n = before.seen()[figure.code]
    if last is None or n < MANY or abs(value - last) <= 0.02 * max(abs(last), 1e-9):
        return ""
    return "up" if (value > last) == (figure.better == "up") else "down"


def part_lines(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The explanation of a score as a page shows it."""
    lines = []
    for part in parts:
        figure = FIGURES.get(part["figure"])
        if figure is None:
            continue
        why = {
            "none": _("nothing was seen"),
            "tempting": _("would weigh too much beside the little else that was seen: does not count"),
            "few": ngettext(
                "only %(n)d case: does not count", "only %(n)d cases: does not count", part["n"]
            ) % {"n": part["n"]},
        }.get(part["why"], "")  # fmt: skip
        lines.append(
            {
                "label": FIGURE_LABELS[part["figure"]],
                "help": FIGURE_HELP[part["figure"]],
                "value": number(figure, part["value"]),
                "n": part["n"],
                "weight": part["weight"],
                "best": "" if figure.penalty else number(figure, part["best"]),
                "worst": "" if figure.penalty else number(figure, part["worst"]),
                "points": part["points"],
                "penalty": figure.penalty,
                "why": why,
            }
        )
    return lines


def objection_texts(codes: list[str]) -> list[Any]:
    """Why weights may not be used, in words."""
    return [OBJECTIONS[code] for code in codes]
