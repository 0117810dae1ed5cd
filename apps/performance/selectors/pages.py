"""What the pages “my performance” and “team performance” show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.models import User
from apps.feedback.models import Category
from apps.performance.choices import COLOURS, FIGURE_LABELS, ScoreState
from apps.performance.figures import FIGURES, month_of, step
from apps.performance.models import (
    AgentMonth,
    CoachingNote,
    MonthlyScore,
    MonthRoll,
    QualityReview,
    QuizQuestion,
    TrainingProposal,
    TrainingSession,
)
from apps.performance.selectors.cells import COLUMNS, UNSORTED, Cell, cell, number, part_lines
from apps.performance.selectors.people import people_of

TREND = 6
#: The trend lines of a person's page.
LINES = ("handled", "on_time", "csat", "reopened")
BAR, GAP, HEIGHT = 14, 4, 36


def months_to_choose(now: datetime) -> list[date]:
    """The running month and the eleven before it."""
    this = month_of(timezone.localdate(now))
    return [step(this, -n) for n in range(12)]


def asked_month(text: str, now: datetime) -> date:
    """A month such as 2026-10 from an address; the running one where it is no month or out of reach."""
    this = month_of(timezone.localdate(now))
    try:
        month = date.fromisoformat(f"{text}-01")
    except ValueError:
        return this
    # Six months before the first of all years there is no month.
    return month if date(2000, 1, 1) <= month <= this else this


# -- one person ----------
def person_page(person: User, viewer: Any, *, month: date, now: datetime) -> dict[str, Any]:
    """Figures of a month with their n, six months as bars, categories, score, notes, reviews, trainings.

    A fixed number of queries. The caller has asked whether `viewer` may see this person.
    """
    first = step(month, 1 - TREND)
    rows = {
        row.month: row
        for row in AgentMonth.objects.filter(
            person=person, category__isnull=True, month__range=(first, month)
        )
    }
    present = rows.get(month) or AgentMonth(person=person, month=month)
    before = rows.get(step(month, -1))
    parts = (
        AgentMonth.objects.filter(person=person, month=month, category__isnull=False)
        .select_related("category")
        .order_by("-handled", "category__position")
    )
    scores = MonthlyScore.objects.visible_to(viewer).filter(person=person).select_related("published_by")
    score = scores.filter(month=month).first()
    roll = MonthRoll.objects.filter(month=month).first()
    notes = (
        CoachingNote.objects.visible_to(viewer).filter(person=person).select_related("author")[:6]
        if viewer.has_perm("performance.view_coachingnote")
        else ()
    )
    return {
        "person": person,
        "mine": person.pk == viewer.pk,
        "month": month,
        "empty": month not in rows,
        "counted_at": roll.computed_at if roll else None,
        "cells": [cell(present, code, before) for code in COLUMNS],
        "trends": [_trend(code, rows, first) for code in LINES],
        "by_category": [
            {"category": row.category, "cells": [cell(row, code) for code in CATEGORY_COLUMNS]} for row in parts
        ],
        "category_heads": [FIGURE_LABELS[code] for code in CATEGORY_COLUMNS],
        "score": score,
        "score_lines": part_lines(score.parts) if score else [],
        "older_scores": [row for row in scores.order_by("-month")[:TREND] if row.month != month],
        "notes": notes,
        "reviews": _reviews(person, viewer),
        "trainings": _trainings(person),
        "colours": COLOURS,
    }  # fmt: skip


CATEGORY_COLUMNS = ("handled", "on_time", "response_median", "csat", "reopened", "repair_success")


def _trend(code: str, rows: dict[date, AgentMonth], first: date) -> dict[str, Any]:
    figure = FIGURES[code]
    values: list[tuple[date, float | None, int]] = []
    for index in range(TREND):
        month = step(first, index)
        value, n = rows[month].seen()[code] if month in rows else (None, 0)
        # A share that rests on a handful of cases jumps; it is left out of the picture.
        values.append((month, value if figure.unit == "count" or n >= 10 else None, n))
    most = 1.0 if figure.unit == "share" else max((value or 0 for _m, value, _n in values), default=0) or 1
    bars = [
        {
            "x": index * (BAR + GAP),
            "h": round((value or 0) / most * HEIGHT, 1),
            "month": f"{month:%m}",
            "title": f"{month:%Y-%m} {number(figure, value)}"
            + (f" · n={n}" if figure.unit != "count" else ""),
            "none": value is None,
        }
        for index, (month, value, n) in enumerate(values)
    ]
    said = [bar["title"] for bar in bars if not bar["none"]]
    return {
        "label": FIGURE_LABELS[code],
        "bars": bars,
        "width": TREND * (BAR + GAP) - GAP,
        "text": "; ".join(said) or _("nothing was seen"),
        "last": next((number(figure, v) for _m, v, _n in reversed(values) if v is not None), "–"),
    }


def _reviews(person: User, viewer: Any) -> Any:
    if not viewer.has_perm("performance.view_qualityreview"):
        return ()
    return (
        QualityReview.objects.visible_to(viewer)
        .filter(person=person, reviewed_at__isnull=False)
        .select_related("sample")
        .order_by("-reviewed_at")[:5]
    )


def _trainings(person: User) -> list[TrainingSession]:
    quiz = QuizQuestion.objects.filter(session=OuterRef("pk"))
    return list(
        TrainingSession.objects.due_for(person).annotate(has_quiz=Exists(quiz)).order_by("starts_at")[:6]
    )


# -- the team ----------
@dataclass(frozen=True)
class TeamRow:
    """One person in the table."""

    person: User
    cells: list[Cell]
    score: MonthlyScore | None


def team_page(viewer: Any, *, month: date, category: int | None, order: str, now: datetime) -> dict[str, Any]:
    """Everybody `viewer` may see with figures in the month, all categories or one. Five queries, whatever the size.

    `order` is a column's code, with "-" in front for the other way. Small samples stand below, unranked.
    """
    people = {person.pk: person for person in people_of(viewer)}
    now_rows = _rows(people, month, category)
    before = _rows(people, step(month, -1), category)
    scores = {row.person_id: row for row in MonthlyScore.objects.visible_to(viewer).filter(month=month)}
    table = [
        TeamRow(people[pk], [cell(row, code, before.get(pk)) for code in COLUMNS], scores.get(pk))
        for pk, row in now_rows.items()
    ]
    code = order.lstrip("-")
    chosen = code if code in COLUMNS and code not in UNSORTED else ""
    table.sort(key=lambda row: (str(row.person), row.person.pk))
    if chosen:
        place = COLUMNS.index(chosen)
        upward = FIGURES[chosen].better == "down"
        if order.startswith("-"):
            upward = not upward
        ranked = [row for row in table if row.cells[place].rank is not None]
        ranked.sort(key=lambda row: row.cells[place].rank or 0, reverse=not upward)
        table = ranked + [row for row in table if row.cells[place].rank is None]
    return {
        "rows": table,
        "month": month,
        "heads": [
            {
                "code": code,
                "label": FIGURE_LABELS[code],
                "sortable": code not in UNSORTED,
                "chosen": code == chosen,
                "order": f"-{code}" if code == chosen and not order.startswith("-") else code,
            }
            for code in COLUMNS
        ],
        "order": order if chosen else "",
        "category": category,
        "categories": list(Category.objects.filter(parent__isnull=True, is_active=True)),
        "unranked": sum(any(cell.small for cell in row.cells) for row in table),
    }


def _rows(people: dict[int, User], month: date, category: int | None) -> dict[int, AgentMonth]:
    rows = AgentMonth.objects.filter(month=month)
    rows = rows.filter(category__isnull=True) if category is None else rows.filter(category_id=category)
    return {row.person_id: row for row in rows if row.person_id in people}


def export_rows(page: dict[str, Any]) -> tuple[list[Any], list[list[Any]]]:
    """The team table as heads and rows of a file: each figure with its n beside it."""
    heads: list[Any] = [_("person")]
    for head in page["heads"]:
        heads += [head["label"], _("%(figure)s: n") % {"figure": head["label"]}]
    heads.append(_("score"))
    rows = []
    for row in page["rows"]:
        line: list[Any] = [str(row.person)]
        for one in row.cells:
            # Of so few only the counts are told, here as on the page.
            line += ["" if one.few and one.n else one.text, one.n]
        line.append(row.score.score if row.score and row.score.score is not None else "")
        rows.append(line)
    return heads, rows


# -- home ----------
def home_card(user: Any, now: datetime) -> dict[str, Any] | None:
    """What waits: for a lead reviews, proposals and scores, for everybody notes and trainings. Six queries at most."""
    from django.urls import reverse

    def figure(n: int, label: Any, colour: str, address: str, query: str = "") -> dict[str, Any]:
        return {
            "count": n,
            "label": label,
            "colour": colour if n else "grey",
            "url": reverse(address) + query,
        }

    found: list[dict[str, Any]] = []
    if user.has_perm("performance.review_qualityreview"):
        n = QualityReview.objects.visible_to(user).exclude(person=user).waiting().count()
        found.append(
            figure(n, ngettext("case to review", "cases to review", n), "amber",
                   "admin:performance_qualityreview_changelist", "?status__exact=open")
        )  # fmt: skip
    if user.has_perm("performance.decide_trainingproposal"):
        n = TrainingProposal.objects.visible_to(user).open().count()
        found.append(
            figure(n, ngettext("training proposed", "trainings proposed", n), "amber",
                   "admin:performance_trainingproposal_changelist", "?status__exact=open")
        )  # fmt: skip
    if user.has_perm("performance.publish_monthlyscore"):
        n = MonthlyScore.objects.visible_to(user).exclude(person=user).filter(status=ScoreState.DRAFT).count()
        found.append(
            figure(n, ngettext("score to publish", "scores to publish", n), "blue",
                   "admin:performance_monthlyscore_changelist", "?status__exact=draft")
        )  # fmt: skip
    notes, trainings = 0, []
    if user.has_perm("performance.view_coachingnote"):
        notes = CoachingNote.objects.filter(person=user).unread().count()
        if notes:
            found.append(
                figure(notes, ngettext("note to read", "notes to read", notes), "blue",
                       "admin:performance_coachingnote_changelist", "?status__exact=given")
            )  # fmt: skip
    if user.has_perm("performance.view_trainingsession"):
        trainings = list(TrainingSession.objects.due_for(user).order_by("starts_at")[:3])
    if not found and not trainings and not user.has_perm("performance.view_agentmonth"):
        return None
    if not trainings and not any(item["count"] for item in found):
        return None
    return {
        "figures": found,
        "trainings": trainings,
        "mine_url": reverse("admin:performance_agentmonth_mine"),
    }
