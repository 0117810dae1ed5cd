"""Small helpers that make what a test needs, through the product's own services where there is one."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.models import ActionLog, StaffNotice, User
from apps.feedback.analysis import Reading
from apps.feedback.incoming import IncomingCustomer, IncomingFeedback, Outcome
from apps.feedback.models import Feedback, SlaClock
from apps.feedback.selectors.reference import forget_reference, reference
from apps.feedback.services.intake import take_in
from apps.shop.models import Department, Product, StaffProfile, Store, Team, TeamMember


def load_reference() -> None:
    """What the command ships, without its talk."""
    call_command("load_reference", stdout=io.StringIO(), stderr=io.StringIO())


SHANGHAI = ZoneInfo("Asia/Shanghai")
_numbers = count(1)


def at(text: str) -> datetime:
    """ "2026-11-20 18:30" in Shanghai; "11-20 18:30" is of 2026."""
    return datetime.fromisoformat(text if len(text) > 11 else f"2026-{text}").replace(tzinfo=SHANGHAI)


# A Wednesday morning, far from holidays and inside every calendar's hours.
NOW = at("2026-11-18 10:00")

# What a text of each grade reads like; the reading engine has its own tests.
GRADES: dict[str, dict[str, Any]] = {
    "S": {
        "tier": "S",
        "category": "SAFETY",
        "subcategory": "SAFETY_FOOD",
        "emotion": "anger",
        "strength": 0.9,
    },
    "A": {
        "tier": "A",
        "category": "LOGISTICS",
        "subcategory": "LOGISTICS_DELAY",
        "emotion": "disappointment",
    },
    "B": {
        "tier": "B",
        "kind": "inquiry",
        "sentiment": "neutral",
        "sentiment_score": 0.0,
        "emotion": "neutral",
        "category": "SUGGESTION",
        "subcategory": "SUGGESTION_ASK",
        "strength": 0.0,
    },
    "praise": {
        "tier": "B",
        "kind": "praise",
        "sentiment": "positive",
        "sentiment_score": 0.9,
        "emotion": "satisfaction",
        "category": "PRAISE",
        "subcategory": "PRAISE_GENERAL",
        "strength": 0.0,
    },
}


def reading(grade: str = "A", **values: Any) -> Reading:
    """A reading as the engine would give for a text of that grade."""
    base: dict[str, Any] = {
        "kind": "complaint",
        "sentiment": "negative",
        "sentiment_score": -0.8,
        "emotion": "disappointment",
        "s_review": False,
        "needs_review": False,
        "confidence": 0.9,
        "keywords": (),
        "spans": (),
        "competitors": (),
        "strength": 0.5,
        "reasons": (f"test:{grade}",),
        "version": "test",
    }
    return Reading(**(base | GRADES[grade] | values))


class FixedReader:
    """Reads every text the same, whatever it says."""

    def __init__(self, fixed: Reading) -> None:
        self.fixed = fixed

    def read(self, text: str, *args: Any, **options: Any) -> Reading:
        return self.fixed

    def read_many(self, texts: Sequence[Any], **options: Any) -> list[Reading]:
        return [self.read(text[0]) for text in texts]


@contextmanager
def read_as(grade: str, **values: Any) -> Iterator[None]:
    """Inside, every text is read as one of that grade."""
    ref = reference()
    real, ref.reader = ref.reader, FixedReader(reading(grade, **values))  # type: ignore[assignment]
    try:
        yield
    finally:
        ref.reader = real


def voice(text: str = "", **values: Any) -> IncomingFeedback:
    """One incoming feedback; by default with a text nobody else has, on Taobao."""
    customer = values.pop("customer", None)
    if isinstance(customer, dict):
        customer = IncomingCustomer(**customer)
    number = next(_numbers)
    # Digits in Chinese keep the texts far apart for the look-up of near duplicates.
    own = "".join("零甲乙丙丁戊己庚辛壬"[int(digit)] * 3 for digit in f"{number:05d}")
    return IncomingFeedback(
        channel=values.pop("channel", "taobao"), text=text or f"{own}号来信", customer=customer, **values
    )


def take(
    *items: IncomingFeedback, grade: str = "", now: datetime = NOW, source: str = "api", **options: Any
) -> list[Outcome]:
    """Take these in; with `grade` the texts are read as such."""
    if not grade:
        return take_in(list(items), source=source, now=now, **options)
    with read_as(grade):
        return take_in(list(items), source=source, now=now, **options)


def arrive(grade: str = "A", *, now: datetime = NOW, **values: Any) -> Feedback:
    """One case of that grade that came in at `now`, as stored."""
    (outcome,) = take(voice(**values), grade=grade, now=now)
    assert outcome.state == "created", outcome
    return case(outcome.feedback_id)


def case(pk: int | None) -> Feedback:
    """The case as it stands in the database."""
    return Feedback.objects.select_related("assignee").get(pk=pk)


def clocks(feedback: Feedback, **filters: Any) -> dict[str, SlaClock]:
    """The clocks of a case by kind; the newest round where there are several."""
    return {c.kind: c for c in SlaClock.objects.filter(feedback_id=feedback.pk, **filters).order_by("cycle")}


def snapshot(feedback: Feedback) -> tuple[Any, ...]:
    """Everything a refused action must leave alone."""
    rows = (
        Feedback.objects.filter(pk=feedback.pk).values(),
        SlaClock.objects.filter(feedback_id=feedback.pk).order_by("pk").values(),
        feedback.pauses.order_by("pk").values(),
        feedback.entries.order_by("pk").values(),
        ActionLog.objects.filter(model="feedback.feedback", object_id=feedback.pk).order_by("pk").values(),
    )
    return tuple(list(queryset) for queryset in rows)


def verbs(feedback: Feedback) -> list[str]:
    """What was done to a case, in order."""
    logs = ActionLog.objects.filter(model="feedback.feedback", object_id=feedback.pk)
    return list(logs.order_by("pk").values_list("verb", flat=True))


def told(user: User, contains: str = "") -> int:
    """How many notices a person got."""
    return StaffNotice.objects.filter(recipient=user, title__contains=contains).count()


def make_user(username: str, *groups: str, **values: Any) -> User:
    """A member of staff in these groups."""
    user = User.objects.create(username=username, is_staff=True, **({"name": username.title()} | values))
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


def make_profile(user: User, *, stores: Sequence[Store] = (), **values: Any) -> StaffProfile:
    """What work may come to a person."""
    profile = StaffProfile.objects.create(user=user, **values)
    profile.stores.set(stores)
    return profile


def make_store(code: str = "renmin", **values: Any) -> Store:
    return Store.objects.create(code=code, **({"name": f"{code}店"} | values))


def make_product(sku: str = "TEA-1", **values: Any) -> Product:
    return Product.objects.create(sku=sku, **({"name": f"商品{sku}"} | values))


def make_team(
    code: str,
    members: Sequence[User],
    *,
    leads: Sequence[User] = (),
    stores: Sequence[Store] = (),
    **values: Any,
) -> Team:
    """A team whose members get work and whose leads do not."""
    if "department" not in values:
        values["department"] = Department.objects.order_by("code")[0]
    team = Team.objects.create(code=code, **({"name": code} | values))
    team.stores.set(stores)
    TeamMember.objects.bulk_create(
        [TeamMember(team=team, user=user) for user in members]
        + [TeamMember(team=team, user=user, role="lead", takes_work=False) for user in leads]
    )
    forget_reference()
    return team


@dataclass
class Cast:
    """The people of most tests."""

    alice: User
    bob: User
    lin: User
    max: User
    sue: User
    ann: User
    store: Store
    product: Product
    team: Team

    def off_duty(self) -> None:
        """Nobody gets work by round robin from now on."""
        TeamMember.objects.update(takes_work=False)
        forget_reference()


def make_cast() -> Cast:
    """See the fixture `cast`."""
    alice, bob = make_user("alice", "ops"), make_user("bob", "ops")
    lin, boss = make_user("lin", "ops-lead"), make_user("max", "manager")
    sue, ann = make_user("sue", "store"), make_user("ann", "analyst")
    store = make_store(name="人民路店", aliases=["人民路旗舰店"], manager=sue)
    make_profile(alice, capacity=500)
    make_profile(bob, capacity=500)
    make_profile(sue, stores=[store])
    team = make_team("care", [alice, bob], leads=[lin])
    return Cast(alice, bob, lin, boss, sue, ann, store, make_product(), team)


@contextmanager
def queries() -> Iterator[CaptureQueriesContext]:
    """Every statement run inside."""
    with CaptureQueriesContext(connection) as captured:
        yield captured


def reads(captured: CaptureQueriesContext) -> list[str]:
    """The statements that are neither inserts nor part of a transaction: what must not grow with the rows."""
    aside = ("INSERT", "COPY", "SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "ROLLBACK")
    return [q["sql"] for q in captured.captured_queries if not q["sql"].startswith(aside)]
