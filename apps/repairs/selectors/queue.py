"""The queue of repairs: what is next, for whom, until when (screens.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core.counting import bounded_counts, shown
from apps.core.numbers import whole_number
from apps.feedback.models import Category, Channel
from apps.repairs.choices import APPEAL_BRANCH, ENDED, LIVE_OFFERS, OPEN, RemedyStatus, RepairStatus
from apps.repairs.models import Offer, PublicReply, Remedy, RepairCase
from apps.repairs.querysets import RepairQuerySet
from apps.shop.models import Store

PAGE = 50
S = RepairStatus
#: Tab → the states it shows; None: asked for in another way.
TABS: tuple[tuple[str, Any, tuple[str, ...] | None], ...] = (
    ("open", pgettext_lazy("repairs", "Open"), OPEN),
    ("mine", pgettext_lazy("repairs", "Mine"), None),
    ("overdue", pgettext_lazy("repairs", "Overdue"), None),
    ("contact", _("To contact"), (S.COLLECTED, S.TRIAGED)),
    ("offer", _("Offers"), (S.CONTACTED, S.PROPOSED, S.RENEGOTIATE, S.ACCEPTED)),
    ("remedy", _("Being carried out"), (S.EXECUTING, S.EXECUTED)),
    ("callback", pgettext_lazy("repairs", "Callbacks"), (S.CALLBACK, S.UNSATISFIED)),
    ("invite", _("May be invited"), (S.SATISFIED,)),
    ("reply", _("Public reply due"), (S.REPLY_DUE, S.UNREACHABLE)),
    ("appeal", pgettext_lazy("repairs", "Appeals"), APPEAL_BRANCH),
    ("unseen", _("Missing, please look"), None),
    ("ended", pgettext_lazy("repairs", "Ended"), ENDED),
)


@dataclass
class Tab:
    code: str
    label: Any
    count: str
    active: bool


@dataclass
class Queue:
    tab: str
    tabs: list[Tab]
    rows: list[RepairCase]
    more: str
    filters: dict[str, str] = field(default_factory=dict)
    chips: list[dict[str, Any]] = field(default_factory=list)


def narrowed(user: Any, tab: str, now: datetime, rows: RepairQuerySet) -> RepairQuerySet:
    """The rows of one tab."""
    if tab == "mine":
        return rows.open().filter(Q(feedback__assignee_id=user.pk) | Q(handler_id=user.pk))
    if tab == "overdue":
        return rows.overdue(now)
    if tab == "unseen":
        return rows.filter(unseen_since__isnull=False).exclude(
            status__in=(S.WITHDRAWN, S.REMOVED, S.DISMISSED)
        )
    states = next((states for code, _label, states in TABS if code == tab), OPEN)
    return rows.filter(status__in=states or OPEN)


def queue(user: Any, params: Any, now: datetime) -> Queue:
    """One page of the queue, most urgent first; ended ones newest first. The same number of queries for 1 and 50 rows."""
    tab = params.get("tab", "open")
    if tab not in {code for code, _label, _states in TABS}:
        tab = "open"
    seen = RepairCase.objects.visible_to(user)
    rows = narrowed(user, tab, now, seen)
    filters: dict[str, str] = {}
    for name, column in (("store", "store_id"), ("category", "category_id"), ("channel", "channel_id")):
        number = whole_number(params.get(name, ""))
        if number:
            rows, filters[name] = rows.filter(**{column: number}), str(number)
    for name in ("tier", "status"):
        if params.get(name):
            rows, filters[name] = rows.filter(**{name: params[name]}), params[name]
    rows = rows.select_related(
        "feedback", "feedback__assignee", "channel", "store", "category", "customer", "handler"
    ).defer("feedback__text", "feedback__reading", "feedback__resolution")
    # Which offer there is decides what is next: to prepare one, to wait, or to make it.
    live = Offer.objects.filter(case=OuterRef("pk"), status__in=LIVE_OFFERS).values("status")[:1]
    # And whether the public reply that it waits for is out.
    out = PublicReply.objects.filter(
        Q(at__gte=OuterRef("reopened_at")) | Q(case__reopened_at__isnull=True),
        case=OuterRef("pk"),
        state=PublicReply.State.SENT,
    )
    # And whether anything is still to be carried out.
    doing = Remedy.objects.filter(
        offer__case=OuterRef("pk"), offer__status__in=LIVE_OFFERS, status=RemedyStatus.DOING
    )
    rows = rows.annotate(offer_status=Subquery(live), reply_out=Exists(out), remedies_open=Exists(doing))
    after = whole_number(params.get("after", "")) or 0
    if tab in ("ended", "unseen"):
        rows = rows.order_by("-updated_at", "-id")
    else:
        rows = rows.order_by(F("next_due_at").asc(nulls_last=True), "id")
    page = list(rows[after : after + PAGE + 1])
    more = str(after + PAGE) if len(page) > PAGE else ""
    counts = bounded_counts({code: narrowed(user, code, now, seen) for code, _label, _states in TABS})
    tabs = [Tab(code, label, shown(counts[code]), code == tab) for code, label, _states in TABS]
    return Queue(tab=tab, tabs=tabs, rows=page[:PAGE], more=more, filters=filters, chips=_chips(filters))


def _chips(filters: dict[str, str]) -> list[dict[str, Any]]:
    categories = Category.objects.filter(parent__isnull=True, is_active=True)
    return [
        {
            "name": name,
            "label": label,
            "value": filters.get(name, ""),
            "choices": [(str(row.pk), str(row)) for row in rows],
        }
        for name, label, rows in (
            ("store", _("Store"), Store.objects.filter(is_active=True)),
            ("channel", _("Channel"), Channel.objects.filter(is_active=True, is_review_platform=True)),
            ("category", _("Category"), categories),
        )
    ] + [
        {
            "name": "tier",
            "label": _("Tier"),
            "value": filters.get("tier", ""),
            "choices": [(code, code) for code in "SAB"],
        }
    ]
