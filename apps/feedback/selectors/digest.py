"""What the day brings, for each person by role: the figures of the morning digest and of its page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.models import User
from apps.core.wording import role_label
from apps.feedback.choices import ClockKind, ClockState, PromiseState, Status, Tier
from apps.feedback.models import Feedback, Promise, SlaClock
from apps.shop.choices import TeamRole, WorkStatus
from apps.shop.models import Leave, StaffProfile, Store, Team, TeamMember, WorkCalendar, WorkItem
from apps.shop.selectors import calendars

QUEUE = "/admin/feedback/feedback/"
# Groups by what their morning is about.
MANAGERS = frozenset({"manager"})
LEADS = frozenset({"ops-lead", "care-lead", "pr-lead"})
WORKERS = frozenset({"ops", "care", "pr", "legal"}) | LEADS
LOCALS = frozenset({"store", "dept"})
READERS = MANAGERS | WORKERS | LOCALS
# First responses of one day beyond this are a sample; a median does not need more.
MOST_RESPONSES = 20_000
SMALL_SAMPLE = 10


@dataclass(frozen=True)
class Line:
    """One figure with the list behind it."""

    label: str
    value: str
    url: str = ""
    colour: str = ""


@dataclass
class Digest:
    """What one person reads. `alarm`: something is late or urgent."""

    title: str = ""
    sections: list[tuple[str, list[Line]]] = field(default_factory=list)
    alarm: bool = False

    def text(self) -> str:
        """As the notice says it."""
        parts = []
        for heading, lines in self.sections:
            parts.append(f"【{heading}】")
            parts += [f"{line.label}: {line.value}" for line in lines]
        return "\n".join(parts)


def is_workday(day: date) -> bool:
    """Whether the shop works on `day` by its working calendar: the one called "workday", else the first that

    observes public holidays, else every day. Make-up workdays count, public holidays do not. Three queries.
    """
    rows = list(WorkCalendar.objects.order_by("id"))
    row = next((row for row in rows if row.code == "workday"), None) or next(
        (row for row in rows if row.observe_holidays), None
    )
    return row is None or bool(calendars()[row.pk].windows_on(day))


def readers() -> list[User]:
    """Everybody who gets a digest: active, in a role that has one, not switched off. Two queries."""
    return list(
        User.objects.filter(is_active=True, is_staff=True, groups__name__in=READERS)
        .exclude(profile__wants_digest=False)
        .distinct()
        .prefetch_related("groups")
        .order_by("id")
    )


class _Figures:
    """Everything all digests need, read in a fixed number of grouped queries, however many people there are."""

    def __init__(self, people: Sequence[User], now: datetime) -> None:
        self.now = now
        local = timezone.localtime(now)
        self.midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        self.tomorrow = self.midnight + timedelta(days=1)
        self.roles = {user.pk: {group.name for group in user.groups.all()} for user in people}
        ids = list(self.roles)
        self.mine = self._mine(ids)
        self.promised = self._promised(ids)
        self.leads: dict[int, set[int]] = defaultdict(set)
        self.members: dict[int, set[int]] = defaultdict(set)
        for team_id, user_id, role in TeamMember.objects.values_list("team_id", "user_id", "role"):
            self.members[team_id].add(user_id)
            if role == TeamRole.LEAD:
                self.leads[user_id].add(team_id)
        self.team_names = dict(Team.objects.values_list("id", "name"))
        self.teams = self._teams()
        yesterday = self.midnight - timedelta(days=1)
        self.yesterday = self._day(yesterday)
        self.week_before = self._day(yesterday - timedelta(days=7))
        self.leaves = {
            leave.user_id: leave
            for leave in Leave.objects.filter(
                first_day__lte=local.date(), last_day__gte=local.date(), user__is_active=True
            ).select_related("user", "stand_in")
        }
        self._places(ids)

    def _mine(self, ids: list[int]) -> dict[int, dict[str, int]]:
        rows = (
            Feedback.objects.open()
            .filter(assignee_id__in=ids)
            .order_by()
            .values("assignee_id")
            .annotate(
                n=Count("id"),
                overdue=Count("id", filter=Q(due_at__lte=self.now)),
                today=Count("id", filter=Q(due_at__gt=self.now, due_at__lt=self.tomorrow)),
                resume=Count("id", filter=Q(status=Status.WAITING, wait_until__lt=self.tomorrow)),
                s=Count("id", filter=Q(tier=Tier.S)),
            )
        )
        return {row["assignee_id"]: row for row in rows}

    def _promised(self, ids: list[int]) -> dict[int, int]:
        found: dict[int, int] = defaultdict(int)
        for keeper, owner, maker, n in (
            Promise.objects.filter(status=PromiseState.OPEN, due_at__lt=self.tomorrow)
            .order_by()
            .values_list("keeper_id", "feedback__assignee_id", "made_by_id")
            .annotate(n=Count("id"))
        ):
            found[keeper or owner or maker] += n
        return found

    def _teams(self) -> dict[int | None, dict[str, int]]:
        rows = (
            Feedback.objects.open()
            .order_by()
            .values("team_id")
            .annotate(
                n=Count("id"),
                overdue=Count("id", filter=Q(due_at__lte=self.now)),
                s=Count("id", filter=Q(tier=Tier.S)),
                free=Count("id", filter=Q(assignee__isnull=True)),
                review=Count("id", filter=Q(needs_review=True)),
            )
        )
        return {row["team_id"]: row for row in rows}

    def _day(self, start: datetime) -> dict[str, Any]:
        """First responses by team, and what came in and was solved, on the day that begins at `start`."""
        end = start + timedelta(days=1)
        seconds: dict[int | None, list[float]] = defaultdict(list)
        for team_id, received, answered in Feedback.objects.filter(
            first_response_at__gte=start,
            first_response_at__lt=end,
            received_at__gte=start - timedelta(days=30),
        ).values_list("team_id", "received_at", "first_response_at")[:MOST_RESPONSES]:
            seconds[team_id].append((answered - received).total_seconds())
        clocks: dict[int | None, list[int]] = defaultdict(lambda: [0, 0])
        for team_id, state, n in (
            SlaClock.objects.filter(
                kind=ClockKind.FIRST_RESPONSE,
                stopped_at__gte=start,
                stopped_at__lt=end,
                state__in=(ClockState.MET, ClockState.MISSED),
            )
            .order_by()
            .values_list("feedback__team_id", "state")
            .annotate(n=Count("id"))
        ):
            clocks[team_id][1] += n
            clocks[team_id][0] += n if state == ClockState.MET else 0
        came = Feedback.objects.filter(
            received_at__gte=start, received_at__lt=end, is_historical=False
        ).aggregate(
            n=Count("id"),
            s=Count("id", filter=Q(tier=Tier.S)),
            negative=Count("id", filter=Q(sentiment="negative")),
            late=Count("id", filter=Q(breached_at__isnull=False)),
        )
        return {"seconds": seconds, "clocks": clocks, "came": came, "day": start}

    def _places(self, ids: list[int]) -> None:
        """Stores and departments of store and department staff, and what is open there."""
        local = {pk for pk in ids if self.roles[pk] & LOCALS}
        self.stores_of: dict[int, set[int]] = defaultdict(set)
        self.department_of: dict[int, int] = {}
        for user_id, department_id, store_id in StaffProfile.objects.filter(user_id__in=local).values_list(
            "user_id", "department_id", "stores"
        ):
            if store_id:
                self.stores_of[user_id].add(store_id)
            if department_id:
                self.department_of[user_id] = department_id
        for store_id, user_id in Store.objects.filter(manager_id__in=local).values_list("id", "manager_id"):
            self.stores_of[user_id].add(store_id)
        # As `visible_to` has it: whoever has stores sees these, others their department.
        for user_id in self.stores_of:
            self.department_of.pop(user_id, None)
        stores = {pk for found in self.stores_of.values() for pk in found}
        departments = set(self.department_of.values())
        self.local_cases = list(
            Feedback.objects.open()
            .filter(Q(store_id__in=stores) | Q(department_id__in=departments) | Q(assignee_id__in=local))
            .order_by()
            .values_list("store_id", "department_id", "assignee_id")
            .annotate(
                n=Count("id"),
                overdue=Count("id", filter=Q(due_at__lte=self.now)),
                s=Count("id", filter=Q(tier=Tier.S)),
            )
        )
        self.local_work = list(
            WorkItem.objects.filter(status__in=(WorkStatus.OPEN, WorkStatus.DOING))
            .filter(Q(store_id__in=stores) | Q(department_id__in=departments) | Q(owner_id__in=local))
            .order_by()
            .values_list("store_id", "department_id", "owner_id")
            .annotate(
                n=Count("id"),
                overdue=Count("id", filter=Q(due_at__lte=self.now)),
                today=Count("id", filter=Q(due_at__gt=self.now, due_at__lt=self.tomorrow)),
            )
        )

    def local_sum(self, user_id: int, rows: list[Any]) -> list[int]:
        """The figures of the rows a person sees."""
        stores, department = self.stores_of.get(user_id, set()), self.department_of.get(user_id)
        total = [0, 0, 0]
        for store_id, department_id, owner_id, *figures in rows:
            if (
                owner_id == user_id
                or (store_id and store_id in stores)
                or (department_id and department_id == department)
            ):
                total = [a + b for a, b in zip(total, figures, strict=True)]
        return total


def digests(people: Iterable[User], now: datetime) -> dict[int, Digest]:
    """The digest of each of these people (with `groups` fetched) as of `now`; whose role has none is left out.

    The number of queries is the same for one person and for a thousand.
    """
    listed = [user for user in people if {group.name for group in user.groups.all()} & READERS]
    if not listed:
        return {}
    figures = _Figures(listed, now)
    return {user.pk: _of(user, figures) for user in listed}


def _of(user: User, figures: _Figures) -> Digest:
    roles = figures.roles[user.pk]
    digest = Digest()
    late = urgent = 0
    if roles & MANAGERS:
        lines, late, urgent = _whole(figures)
        digest.sections.append((_("The whole shop"), lines))
    if roles & LEADS:
        lines, late, urgent = _team(user, figures)
        digest.sections.append((role_label(next(iter(sorted(roles & LEADS)))), lines))
    if roles & WORKERS:
        lines, own_late, own_urgent = _own(user, figures)
        if not digest.sections:
            late, urgent = own_late, own_urgent
        if not digest.sections or figures.mine.get(user.pk) or figures.promised.get(user.pk):
            digest.sections.append((_("My work"), lines))
    if roles & LOCALS:
        lines, own_late, own_urgent = _local(user, figures)
        late, urgent = (late, urgent) if digest.sections else (own_late, own_urgent)
        digest.sections.append((_("My store or department"), lines))
    day = timezone.localtime(figures.now)
    digest.alarm = bool(late or urgent)
    digest.title = _("Morning digest %(day)s: %(late)d overdue, %(urgent)d S open") % {
        "day": f"{day:%m-%d}",
        "late": late,
        "urgent": urgent,
    }
    return digest


def _line(label: str, n: int, query: str = "", colour: str = "") -> Line:
    return Line(label, str(n), f"{QUEUE}{query}" if query else "", colour if n else "")


def _own(user: User, figures: _Figures) -> tuple[list[Line], int, int]:
    empty = {"n": 0, "overdue": 0, "today": 0, "resume": 0, "s": 0}
    row = figures.mine.get(user.pk, empty)
    lines = [
        _line(_("open, mine"), row["n"], "?tab=mine"),
        _line(_("overdue"), row["overdue"], f"?tab=overdue&assignee={user.username}", "red"),
        _line(_("due today"), row["today"], "?tab=mine&o=due", "amber"),
        _line(_("resume today"), row["resume"], f"?tab=waiting&assignee={user.username}"),
        _line(_("promised for today"), figures.promised.get(user.pk, 0), "?tab=mine&o=due", "amber"),
    ]
    return lines, row["overdue"], row["s"]


def _responses(day: dict[str, Any], teams: set[int] | None) -> list[Line]:
    """Median and share of one day's first responses, each with its n."""
    seconds = [
        value for team, values in day["seconds"].items() if teams is None or team in teams for value in values
    ]
    met = sum(pair[0] for team, pair in day["clocks"].items() if teams is None or team in teams)
    stopped = sum(pair[1] for team, pair in day["clocks"].items() if teams is None or team in teams)
    return [
        Line(_("first response yesterday, median"), _median(seconds)),
        Line(_("first response on time yesterday"), _share(met, stopped)),
    ]


def _median(seconds: list[float]) -> str:
    if not seconds:
        return _("none (n=0)")
    minutes = round(median(seconds) / 60)
    if minutes < 60:
        return _("%(minutes)d min (n=%(n)d)") % {"minutes": minutes, "n": len(seconds)}
    return _("%(hours)d h %(minutes)d min (n=%(n)d)") % {
        "hours": minutes // 60,
        "minutes": minutes % 60,
        "n": len(seconds),
    }


def _share(met: int, stopped: int) -> str:
    # A percentage of a handful misleads.
    if stopped < SMALL_SAMPLE:
        return _("%(met)d of %(n)d") % {"met": met, "n": stopped}
    return _("%(share)d%% (n=%(n)d)") % {"share": round(100 * met / stopped), "n": stopped}


def _team(user: User, figures: _Figures) -> tuple[list[Line], int, int]:
    teams = figures.leads.get(user.pk) or None

    def total(name: str) -> int:
        return sum(row[name] for team, row in figures.teams.items() if teams is None or team in teams)

    people = None if teams is None else {pk for team in teams for pk in figures.members[team]}
    away = [leave for pk, leave in figures.leaves.items() if people is None or pk in people]
    names = ", ".join(f"{row.user}→{row.stand_in}" if row.stand_in else str(row.user) for row in away[:8])
    scope = [
        Line(_("teams"), ", ".join(figures.team_names.get(pk, "") for pk in sorted(teams)[:6]))
    ] if teams else []  # fmt: skip
    lines = [
        *scope,
        _line(_("overdue"), total("overdue"), "?tab=overdue", "red"),
        _line(_("S open"), total("s"), "?tier=S", "red"),
        _line(_("unassigned"), total("free"), "?tab=unassigned", "amber"),
        _line(_("reading to check"), total("review"), "?tab=review", "amber"),
        *_responses(figures.yesterday, teams),
        Line(
            _("on leave today"),
            f"{len(away)} · {names}" if away else "0",
            "/admin/shop/leave/?when=now",
            "amber" if away else "",
        ),
    ]
    return lines, total("overdue"), total("s")


def _whole(figures: _Figures) -> tuple[list[Line], int, int]:
    def total(name: str) -> int:
        return sum(row[name] for row in figures.teams.values())

    now, then = figures.yesterday, figures.week_before

    def against(label: str, name: str, query: str = "") -> Line:
        return Line(
            label,
            _("%(now)d (a week before: %(then)d)") % {"now": now["came"][name], "then": then["came"][name]},
            f"{QUEUE}{query}" if query else "",
        )

    def both(index: int) -> tuple[str, str]:
        return _responses(now, None)[index].value, _responses(then, None)[index].value

    lines = [
        _line(_("open feedback"), total("n"), "?tab=open"),
        _line(_("overdue"), total("overdue"), "?tab=overdue", "red"),
        _line(_("S open"), total("s"), "?tier=S", "red"),
        _line(_("unassigned"), total("free"), "?tab=unassigned", "amber"),
        against(_("received yesterday"), "n", "?tab=all"),
        against(_("of these negative"), "negative"),
        against(_("of these S"), "s"),
        against(_("of these late by now"), "late"),
        Line(_("first response yesterday, median"), _against(both(0))),
        Line(_("first response on time yesterday"), _against(both(1))),
        Line(_("on leave today"), str(len(figures.leaves)), "/admin/shop/leave/?when=now"),
    ]
    return lines, total("overdue"), total("s")


def _against(pair: tuple[str, str]) -> str:
    return _("%(now)s (a week before: %(then)s)") % {"now": pair[0], "then": pair[1]}


def _local(user: User, figures: _Figures) -> tuple[list[Line], int, int]:
    n, overdue, s = figures.local_sum(user.pk, figures.local_cases)
    work, work_late, work_today = figures.local_sum(user.pk, figures.local_work)
    items = "/admin/shop/workitem/"
    lines = [
        _line(_("open feedback"), n, "?tab=open"),
        _line(_("overdue"), overdue, "?tab=overdue", "red"),
        _line(_("S open"), s, "?tier=S", "red"),
        Line(_("work items open"), str(work), items),
        Line(_("work items overdue"), str(work_late), items, "red" if work_late else ""),
        Line(_("work items due today"), str(work_today), items, "amber" if work_today else ""),
    ]
    return lines, overdue + work_late, s
