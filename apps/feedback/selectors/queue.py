"""The queue: which rows, in which order, how many (screens.md, queue)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.core.counting import bounded_counts, shown
from apps.core.models import User
from apps.core.numbers import whole_number
from apps.feedback.choices import TIER_RANK, Emotion, Kind, Sentiment, Status, Tier
from apps.feedback.models import Feedback, ImportRun, SavedView
from apps.feedback.querysets import FeedbackQuerySet
from apps.feedback.selectors.imports import imports_visible_to
from apps.feedback.selectors.reference import Reference, reference
from apps.feedback.selectors.search import find

PAGE = 25
ORDER = ("tier_rank", F("due_at").asc(nulls_last=True), "id")
# Deeper than this nobody pages; filters and search are quicker and cheaper.
MOST_PAGES = 40

TABS: dict[str, Any] = {
    "open": _("All open"),
    "mine": _("Mine"),
    "unassigned": _("Unassigned"),
    "overdue": _("Overdue"),
    "waiting": _("Waiting"),
    "review": _("Needs review"),
    "done": _("Done"),
    "all": _("Everything"),
}
# What a saved view may hold: the filters below, each on an indexed column.
VIEW_PARAMS = (
    "tab", "o", "q", "tier", "kind", "category", "sentiment", "emotion", "channel", "store", "assignee", "received"
)  # fmt: skip
ORDERS: dict[str, Any] = {
    "urgent": _("Most urgent first"),
    "due": _("By deadline"),
    "negative": _("Strongest negative first"),
    "newest": _("Newest first"),
}


@dataclass
class Chip:
    """One filter above the table."""

    name: str
    label: Any
    choices: list[tuple[str, Any]]
    value: str = ""

    @property
    def shown_value(self) -> Any:
        """The label of what is chosen."""
        return dict(self.choices).get(self.value, self.value)


@dataclass
class QueuePage:
    """Everything the queue's template draws."""

    rows: list[Feedback]
    tab: str
    tabs: list[dict[str, Any]]
    chips: list[Chip]
    order: str
    q: str
    page: int
    has_next: bool
    params: dict[str, str] = field(default_factory=dict)
    views: list[dict[str, Any]] = field(default_factory=list)
    newest: int = 0
    # The rows of one import only; reached from its report.
    import_run: ImportRun | None = None

    def link(self, **changes: Any) -> str:
        """The address of this list with something changed; an empty value drops it."""
        merged = {**self.params, **{k: str(v) for k, v in changes.items()}}
        return "?" + urlencode({k: v for k, v in merged.items() if v})

    @property
    def query(self) -> str:
        """The address of this list without its page."""
        return urlencode({k: v for k, v in self.params.items() if v})

    @property
    def chosen(self) -> list[dict[str, Any]]:
        """What narrows this list, each with the address that takes it away."""
        found: list[dict[str, Any]] = []
        if self.q:
            # A phone number stands in the address as a hash only; its own place says what it is.
            what = _("by mobile number") if self.q.startswith("~") else self.q
            found.append({"label": _("Search"), "value": what, "link": self.link(q="", p="")})
        found += [
            {"label": chip.label, "value": chip.shown_value, "link": self.link(**{chip.name: "", "p": ""})}
            for chip in self.chips
            if chip.value
        ]
        return found

    @property
    def can_keep(self) -> bool:
        """Whether this list is worth a name: narrowed or sorted, and not a kept view as it is."""
        return bool(set(self.params) - {"tab", "import"}) and not any(view["active"] for view in self.views)

    @property
    def next_link(self) -> str:
        return self.link(p=self.page + 1)

    @property
    def previous_link(self) -> str:
        return self.link(p=self.page - 1 if self.page > 2 else "")

    @property
    def is_filtered(self) -> bool:
        return bool(self.q or self.import_run) or any(chip.value for chip in self.chips)


def tab_queryset(base: FeedbackQuerySet, tab: str, user: User, now: datetime) -> FeedbackQuerySet:
    """The rows of one tab."""
    if tab == "mine":
        return base.open().filter(assignee_id=user.pk)
    if tab == "unassigned":
        return base.unassigned()
    if tab == "overdue":
        return base.overdue(now)
    if tab == "waiting":
        # wait_until is set on every waiting row and has the small index.
        return base.filter(status=Status.WAITING, wait_until__isnull=False)
    if tab == "review":
        return base.open().filter(needs_review=True)
    if tab == "done":
        return base.filter(status__in=(Status.RESOLVED, Status.CLOSED, Status.DISMISSED, Status.MERGED))
    if tab == "all":
        return base
    return base.open()


def chips(ref: Reference, people: list[tuple[str, str]], params: Mapping[str, str]) -> list[Chip]:
    """The filters with their choices; all of them stand on indexed columns."""
    parents = [c for c in ref.categories.values() if c.parent_id is None and c.is_active]
    found = [
        Chip("tier", _("Tier"), list(Tier.choices)),
        Chip("kind", _("Kind"), list(Kind.choices)),
        Chip(
            "category", _("Category"), [(c.code, str(c)) for c in sorted(parents, key=lambda c: c.position)]
        ),
        Chip("sentiment", _("Sentiment"), list(Sentiment.choices)),
        Chip("emotion", _("Emotion"), list(Emotion.choices)),
        Chip("channel", _("Channel"), [(c.code, str(c)) for c in ref.channels.values() if c.is_active]),
        Chip("store", _("Store"), [(s.code, s.name) for s in ref.stores.values() if s.is_active]),
        Chip("assignee", _("Owner"), people),
        Chip(
            "received", _("Received"), [("1", _("today")), ("7", _("last 7 days")), ("30", _("last 30 days"))]
        ),
    ]
    for chip in found:
        value = params.get(chip.name, "")
        chip.value = value if value in {str(code) for code, _label in chip.choices} else ""
    return found


def filtered(base: FeedbackQuerySet, ref: Reference, found: list[Chip], now: datetime) -> FeedbackQuerySet:
    """Apply the chosen chips."""
    chosen = {chip.name: chip.value for chip in found if chip.value}
    if "tier" in chosen:
        # By rank, since that is what the indexes of open rows begin with.
        base = base.filter(tier_rank=TIER_RANK[chosen["tier"]])
    for name in ("kind", "sentiment", "emotion"):
        if name in chosen:
            base = base.filter(**{name: chosen[name]})
    if "category" in chosen:
        base = base.filter(category_id=ref.categories[chosen["category"]].pk)
    if "channel" in chosen:
        base = base.filter(channel_id=ref.channels[chosen["channel"]].pk)
    if "store" in chosen:
        store = ref.store(chosen["store"])
        base = base.filter(store_id=store.pk if store else None)
    if "assignee" in chosen:
        # By id: through the table of people the planner would walk the whole list.
        owner = User.objects.filter(username=chosen["assignee"]).values_list("pk", flat=True).first()
        base = base.filter(assignee_id=owner or 0)
    if "received" in chosen:
        base = base.filter(received_at__gte=now - timedelta(days=int(chosen["received"])))
    return base


def ordered(queryset: FeedbackQuerySet, order: str, tab: str) -> FeedbackQuerySet:
    """Sort; what is done and everything come newest first, since an index serves only that."""
    if order == "newest" or tab in ("done", "all"):
        return queryset.order_by("-received_at", "-id")
    if order == "due":
        return queryset.filter(due_at__isnull=False).order_by("due_at", "id")
    if order == "negative":
        return queryset.strongest_negative_first()
    return queryset.most_urgent_first()


# The order whose index each counted tab is read from.
COUNTED: dict[str, tuple[Any, ...]] = {
    "open": ORDER,
    "mine": ORDER,
    "unassigned": ORDER,
    "overdue": ("due_at",),
    "waiting": ("wait_until",),
    "review": ("-received_at", "-id"),
}


def tab_counts(visible: FeedbackQuerySet, user: User, now: datetime) -> dict[str, int]:
    """How many rows the tabs hold, bounded, and the newest key there is. One query."""
    return bounded_counts(
        {name: tab_queryset(visible, name, user, now).order_by(*index) for name, index in COUNTED.items()},
        newest=Feedback.objects.all(),
    )


def views_of(user: User, params: Mapping[str, str]) -> list[dict[str, Any]]:
    """The views kept by this person and their teams, as tabs. One query."""
    return [
        {
            "pk": view.pk,
            "name": view.name,
            "team": view.team_id is not None,
            "link": "?" + urlencode(view.params),
            "active": {k: v for k, v in params.items() if v} == view.params,
            "mine": view.owner_id == user.pk,
        }
        for view in SavedView.objects.filter(Q(owner=user) | Q(team__members__user=user))
        .distinct()
        .order_by(F("team").asc(nulls_first=True), "name")[:40]
    ]


def _rows(
    visible: FeedbackQuerySet,
    ref: Reference,
    found: list[Chip],
    *,
    tab: str,
    order: str,
    q: str,
    user: User,
    now: datetime,
) -> FeedbackQuerySet:
    rows = ordered(tab_queryset(filtered(visible, ref, found, now), tab, user, now), order, tab)
    return find(rows, q) if q else rows


def _asked(params: Mapping[str, str]) -> tuple[str, str, str]:
    """(tab, order, words) of an address; nonsense falls back to what is usual."""
    q = params.get("q", "").strip()
    # Whoever searches looks everywhere, unless they chose a tab.
    tab = params.get("tab") or ("all" if q else "open")
    order = params.get("o", "")
    return tab if tab in TABS else "open", order if order in ORDERS else "urgent", q


def _import_run(user: User, number: str) -> ImportRun | None:
    pk = whole_number(number)
    if pk is None or not user.has_perm("feedback.view_importrun"):
        return None
    return imports_visible_to(user, ImportRun.objects.filter(pk=pk).only("id", "file_name")).first()


def _scope(user: User, params: Mapping[str, str]) -> tuple[FeedbackQuerySet, ImportRun | None]:
    """What this person sees, and the import it is narrowed to."""
    visible = Feedback.objects.visible_to(user)
    run = _import_run(user, params.get("import", ""))
    # The unique key on (run, row) begins with the run.
    return (visible.filter(import_run_id=run.pk), run) if run is not None else (visible, None)


def neighbour(*, user: User, params: Mapping[str, str], after: int, now: datetime) -> int | None:
    """The case that follows `after` in this list; its first one when `after` is no longer in it. One or two queries."""
    ref = reference()
    tab, order, q = _asked(params)
    rows = _rows(
        _scope(user, params)[0], ref, chips(ref, _people(), params),
        tab=tab, order=order, q=q, user=user, now=now,
    )  # fmt: skip
    ids = list(rows.values_list("id", flat=True)[: PAGE * MOST_PAGES])
    if after in ids:
        place = ids.index(after) + 1
        return ids[place] if place < len(ids) else None
    return ids[0] if ids else None


@dataclass
class Pulse:
    """What changed since the page was drawn."""

    new: int
    counts: dict[str, str]
    alarms: list[dict[str, Any]]


def pulse(*, user: User, params: Mapping[str, str], since: int, now: datetime) -> Pulse:
    """New rows in this list, the tabs' counts, and urgent cases nobody has answered. Five queries."""
    ref = reference()
    tab, order, q = _asked(params)
    visible, _run = _scope(user, params)
    new = 0
    if since:
        rows = _rows(
            visible, ref, chips(ref, _people(), params), tab=tab, order=order, q=q, user=user, now=now
        ).filter(pk__gt=since)
        new = len(rows.order_by("id").values_list("id", flat=True)[:100])
    alarms = (
        Feedback.objects.visible_to(user)
        .open()
        .filter(tier_rank=0, first_response_at__isnull=True)
        .most_urgent_first()
    )
    return Pulse(
        new=new,
        counts={
            name: shown(count) for name, count in tab_counts(visible, user, now).items() if name in COUNTED
        },
        alarms=[
            {"id": pk, "number": Feedback(pk=pk).number, "text": snippet[:60]}
            for pk, snippet in alarms.values_list("id", "snippet")[:20]
        ],
    )


def _people() -> list[tuple[str, str]]:
    return [
        (username, name or username)
        for username, name in User.objects.filter(is_active=True, is_staff=True)
        .order_by("name")
        .values_list("username", "name")
    ]


def queue_page(*, user: User, params: Mapping[str, str], now: datetime) -> QueuePage:
    """One page of the queue. The number of queries does not depend on the number of rows."""
    ref = reference()
    tab, order, q = _asked(params)
    page = max(1, min(whole_number(params.get("p", "")) or 1, MOST_PAGES))
    found = chips(ref, _people(), params)
    visible, import_run = _scope(user, params)
    rows = _rows(visible, ref, found, tab=tab, order=order, q=q, user=user, now=now)
    start = (page - 1) * PAGE
    listed = list(
        rows.select_related(
            "channel", "store", "category", "subcategory", "customer", "assignee", "product"
        ).defer(
            "text",
            "resolution",
            "product__keywords",
            "category__keywords",
            "category__exclusions",
            "subcategory__keywords",
            "subcategory__exclusions",
        )[start : start + PAGE + 1]
    )
    counts = tab_counts(visible, user, now)
    kept = {name: params[name] for name in ("tab", "o", "q", *(c.name for c in found)) if params.get(name)}
    if import_run is not None:
        kept["import"] = str(import_run.pk)
    queue = QueuePage(
        rows=listed[:PAGE],
        tab=tab,
        tabs=[],
        chips=found,
        order=order,
        q=q,
        page=page,
        has_next=len(listed) > PAGE and page < MOST_PAGES,
        params=kept,
        import_run=import_run,
        newest=counts["newest"],
    )
    queue.views = views_of(user, queue.params)
    queue.tabs = [
        {
            "code": code,
            "label": label,
            "count": shown(counts[code]) if code in counts else "",
            "alarm": code == "overdue" and counts.get(code, 0) > 0,
            "link": queue.link(tab=code, p=""),
            "active": code == tab,
        }
        for code, label in TABS.items()
    ]
    return queue
