"""Reference data in one value, kept in memory and reloaded when its stamp moves."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from apps.core.business_time import Calendar, DueCalculator
from apps.core.models import User
from apps.core.reference import Cached
from apps.feedback.analysis import Reader, SentimentModel
from apps.feedback.analysis.packs import shipped_lexicon, shipped_taxonomy
from apps.feedback.models import (
    Category,
    Channel,
    DispatchRule,
    SlaPolicy,
    SlaTarget,
    TierPolicy,
    TrainedModel,
    WordList,
)
from apps.shop.choices import TeamRole
from apps.shop.models import Department, Leave, StaffProfile, Store, Team, TeamMember
from apps.shop.selectors import calendars, on_shift

STAMP = "feedback"
# Used until the shop's own weights are loaded; same shape as `reference/tier_policy.json`.
DEFAULT_WEIGHTS: dict[str, Any] = {
    "tier_base": {"S": 60, "A": 30, "B": 10},
    "urgency": {"weight": 15, "words": []},
    "scope": {"weight": 15, "full_at_count": 10},
    "severity": {"weight": 15},
    "customer_value": {"weight": 10, "member_tier": {}},
}


@dataclass(slots=True)
class Worker:
    """A member of a team as dispatch sees them."""

    user_id: int
    capacity: int
    shift: list[dict[str, Any]]
    is_away: bool


@dataclass(slots=True)
class TeamRef:
    """A team as dispatch sees it."""

    id: int
    department_id: int
    stores: frozenset[int]
    skills: frozenset[str]
    workers: list[Worker]
    leads: list[int]


class Reference:
    """Everything intake, grading and clocks look up, loaded in a fixed number of queries."""

    def __init__(self) -> None:
        self.channels = {channel.code: channel for channel in Channel.objects.all()}
        self.categories = {category.code: category for category in Category.objects.all()}
        self.categories_by_id = {category.pk: category for category in self.categories.values()}
        self.stores_by_name: dict[str, Store] = {}
        self.stores = {store.pk: store for store in Store.objects.all()}
        for store in self.stores.values():
            for name in (*store.aliases, store.name, store.code):
                self.stores_by_name[str(name).strip().lower()] = store
        self.tier_policy = TierPolicy.objects.first() or TierPolicy()
        self.weights = DEFAULT_WEIGHTS | (self.tier_policy.weights or {})
        self.calendars: dict[int, Calendar] = calendars()
        self.calculators: dict[int, DueCalculator] = {
            pk: DueCalculator(c) for pk, c in self.calendars.items()
        }
        self.policies: dict[str, SlaPolicy] = {}
        for policy in SlaPolicy.objects.filter(is_active=True, no_clock=False).exclude(tier=""):
            self.policies.setdefault(policy.tier, policy)
        self.targets: dict[str, list[SlaTarget]] = defaultdict(list)
        tier_of = {policy.pk: tier for tier, policy in self.policies.items()}
        for target in SlaTarget.objects.filter(policy__in=tier_of, is_active=True).order_by("id"):
            self.targets[tier_of[target.policy_id]].append(target)
        self.rules = list(DispatchRule.objects.filter(is_active=True).order_by("position", "id"))
        profiles = {profile.user_id: profile for profile in StaffProfile.objects.all()}
        self.teams = self._teams(profiles)
        self.managers = list(
            Group.objects.filter(name="manager", user__is_active=True).values_list("user__id", flat=True)
        )
        self.ops_leads = list(
            Group.objects.filter(name="ops-lead", user__is_active=True).values_list("user__id", flat=True)
        )
        self.department_heads = dict(
            Department.objects.filter(head__is_active=True).values_list("pk", "head_id")
        )
        self.leaves: list[tuple[int, date, date, int | None]] = []
        self.stand_ins: dict[int, Worker] = {}
        for leave in (
            Leave.objects.filter(last_day__gte=timezone.localdate()).select_related("stand_in").order_by("id")
        ):
            self.leaves.append((leave.user_id, leave.first_day, leave.last_day, leave.stand_in_id))
            if leave.stand_in is not None and leave.stand_in.is_active:
                self.stand_ins[leave.stand_in.pk] = _worker(leave.stand_in, profiles.get(leave.stand_in.pk))
        self.reader = build_reader(literal_seed=self.tier_policy.literal_seed)
        self._team_for: dict[tuple[int | None, int | None, int, str], TeamRef | None] = {}

    @staticmethod
    def _teams(profiles: dict[int, StaffProfile]) -> list[TeamRef]:
        members: dict[int, list[TeamMember]] = defaultdict(list)
        for member in TeamMember.objects.select_related("user").filter(user__is_active=True).order_by("id"):
            members[member.team_id].append(member)
        teams = []
        for team in Team.objects.filter(is_active=True).prefetch_related("stores").order_by("id"):
            workers = [
                _worker(member.user, profiles.get(member.user_id))
                for member in members[team.pk]
                if member.takes_work
            ]
            teams.append(
                TeamRef(
                    id=team.pk,
                    department_id=team.department_id,
                    stores=frozenset(store.pk for store in team.stores.all()),
                    skills=frozenset(team.skills),
                    workers=workers,
                    leads=[m.user_id for m in members[team.pk] if m.role == TeamRole.LEAD],
                )
            )
        return teams

    def store(self, name: str) -> Store | None:
        """A store by code, name or alias."""
        return self.stores_by_name.get(name.strip().lower())

    def team_for(
        self,
        *,
        category: Category | None,
        sub: Category | None,
        store_id: int | None,
        channel_id: int,
        tier: str,
    ) -> TeamRef | None:
        """The team that takes this: first matching dispatch rule, else the best fitting team (R16).

        Best fitting: a team that names the sub-category or category among its skills before one of the category's
        department, a team that names the store before one for every store; a team bound to other stores or without
        anybody who takes work never.
        """
        node = sub or category
        key = (node.pk if node else None, store_id, channel_id, tier)
        if key not in self._team_for:
            self._team_for[key] = self._find_team(category, sub, store_id, channel_id, tier)
        return self._team_for[key]

    def _find_team(
        self,
        category: Category | None,
        sub: Category | None,
        store_id: int | None,
        channel_id: int,
        tier: str,
    ) -> TeamRef | None:
        nodes = {node.pk for node in (category, sub) if node}
        codes = {node.code for node in (category, sub) if node}
        by_id = {team.id: team for team in self.teams}
        for rule in self.rules:
            if (
                (rule.category_id is None or rule.category_id in nodes)
                and (rule.channel_id is None or rule.channel_id == channel_id)
                and (rule.store_id is None or rule.store_id == store_id)
                and rule.tier in ("", tier)
                and rule.team_id in by_id
            ):
                return by_id[rule.team_id]
        department_id = next((n.department_id for n in (sub, category) if n and n.department_id), None)
        best: tuple[tuple[int, int], TeamRef] | None = None
        for team in self.teams:
            if not team.workers or (team.stores and store_id not in team.stores):
                continue
            if team.skills & codes:
                fit = 3
            elif team.skills:
                continue
            elif team.department_id == department_id:
                fit = 2
            else:
                fit = 1
            score = (fit, 1 if team.stores else 0)
            if best is None or score > best[0]:
                best = (score, team)
        return best[1] if best else None

    def seats_now(self, team: TeamRef, now: datetime) -> dict[int, Worker]:
        """Who works in each member's place now, by the member's user id; places without anybody are left out.

        A member works in their own place when active, not away, not on leave and on shift. In the place of somebody
        on leave works their stand-in, of whatever team, under the same conditions and with the stand-in's own shift
        and capacity; if the stand-in is on leave too, the stand-in's stand-in. Somebody who is only switched to
        "away" has no stand-in: that is for an hour, not for days.
        """
        local = timezone.localtime(now)
        on_leave: dict[int, list[int | None]] = defaultdict(list)
        for user_id, first, last, stand_in_id in self.leaves:
            if first <= local.date() <= last:
                on_leave[user_id].append(stand_in_id)

        def in_place_of(worker: Worker, seen: frozenset[int]) -> Worker | None:
            if worker.user_id not in on_leave:
                here = not worker.is_away and on_shift(worker.shift, local)
                return worker if here else None
            for stand_in_id in on_leave[worker.user_id]:
                stand_in = self.stand_ins.get(stand_in_id or 0)
                if stand_in is not None and stand_in.user_id not in seen:
                    found = in_place_of(stand_in, seen | {stand_in.user_id})
                    if found is not None:
                        return found
            return None

        seats = {worker.user_id: in_place_of(worker, frozenset({worker.user_id})) for worker in team.workers}
        return {user_id: worker for user_id, worker in seats.items() if worker is not None}


def _worker(user: User, profile: StaffProfile | None) -> Worker:
    return Worker(
        user_id=user.pk,
        capacity=profile.capacity if profile else 30,
        shift=profile.shift if profile else [],
        is_away=user.is_away,
    )


def build_reader(*, literal_seed: bool) -> Reader:
    """The reader over the edited word lists and categories; over the shipped ones where none are loaded."""
    categories = list(Category.objects.filter(is_active=True).select_related("parent", "department"))
    # Words that send a question to a person are no words of the reading.
    lists = {row.path: row.words for row in WordList.objects.exclude(path__startswith="knowledge/")}
    model = trained_model()
    if not categories or not lists:
        return Reader.from_data(shipped_taxonomy(), shipped_lexicon(), model=model)
    taxonomy = [
        {
            "code": category.code,
            "parent": category.parent.code if category.parent else None,
            "name_zh": category.name_zh,
            "name_en": category.name_en,
            "department": category.department.name if category.department else "",
            "default_tier": category.default_tier,
            "keywords": category.keywords,
            "exclusions": category.exclusions,
        }
        for category in categories
    ]
    return Reader.from_data(
        taxonomy=taxonomy, lexicon=lexicon_from(lists), literal_seed=literal_seed, model=model
    )


def trained_model() -> SentimentModel | None:
    """The shop's own weights in use, if there are any."""
    data = TrainedModel.objects.filter(is_active=True).values_list("weights", flat=True).first()
    return SentimentModel.loads(bytes(data)) if data is not None else None


def lexicon_from(lists: dict[str, Any]) -> dict[str, Any]:
    """The nested lexicon out of rows named by their place ("emotion/anger/words")."""
    lexicon: dict[str, Any] = {}
    for path, words in lists.items():
        *folders, leaf = path.split("/")
        node = lexicon
        for folder in folders:
            node = node.setdefault(folder, {})
        node[leaf] = words
    return lexicon


_cached: Cached[Reference] = Cached(STAMP, Reference)


def reference() -> Reference:
    """The present reference data; one query unless it changed."""
    return _cached.get()


def forget_reference() -> None:
    """For tests: their databases are made anew under the same process."""
    _cached.forget()
