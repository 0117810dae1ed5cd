"""The demo shop: its texts live in `demo_data/`, its history is played through the real services, hour by hour.

Nothing here writes a status: arrivals go through intake, contacts, waits and resolutions through the moves, breaches
through the sweep, each at its own moment, so that the demo shows what the product does and nothing else.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import ProtectedError, Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError
from apps.core.models import ActionLog, Reveal, StaffNotice, User
from apps.core.reference import touch
from apps.core.services.notices import notify
from apps.customers.choices import ContactChannel, Purpose
from apps.customers.models import ConsentEvent, Customer, CustomerIdentity, Order, OrderItem
from apps.feedback.choices import Source
from apps.feedback.incoming import IncomingCustomer, IncomingFeedback
from apps.feedback.models import Feedback, Handover, ShiftNote, Topic
from apps.feedback.selectors.reference import STAMP
from apps.feedback.services import knowledge, moves
from apps.feedback.services.background import dispatch_waiting, link_near_duplicates
from apps.feedback.services.intake import take_in
from apps.feedback.services.replies import subject_key
from apps.feedback.services.sweep import sweep_sla
from apps.feedback.services.telling import address
from apps.feedback.services.topics import group_new, recount
from apps.messaging.models import OutboundMessage
from apps.rewards.services import demo as rewards_demo
from apps.shop.models import Department, Product, StaffProfile, StockLevel, Store, Team, TeamMember, WorkItem

FOLDER = Path(__file__).resolve().parent.parent / "demo_data"
ADMIN = "admin"
SWEEP_EVERY = timedelta(hours=3)


def _data(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / name).read_text("utf-8"))


def is_loaded() -> bool:
    """Whether the demo shop is here."""
    return Feedback.objects.filter(source=Source.DEMO).exists()


@dataclass
class DemoUsers:
    """The accounts made, to be shown once."""

    password: str = ""
    rows: list[tuple[str, str, str]] = field(default_factory=list)


def load_demo(*, now: datetime, progress: Callable[[float], None] | None = None) -> DemoUsers:
    """Make the demo shop and play its last sixty days up to `now`. Answers the accounts with their password."""
    data = _data("shop.json")
    with transaction.atomic():
        users = _people(data)
        _shop(data, now=now)
        _customers(data, now=now)
        knowledge.load_samples(by=None, now=now, published=True)
        touch(STAMP)
    _play(now=now, progress=progress)
    rewards_demo.load(now)
    return users


# ── People and shop ────────────────────────────────────────────────────────────────────────────────────────────
def _people(data: dict[str, Any]) -> DemoUsers:
    made = DemoUsers(password=secrets.token_urlsafe(9))
    groups = {group.name: group for group in Group.objects.all()}
    account = User(username=ADMIN)
    account.set_password(made.password)
    # Hashing a password is slow on purpose; the demo's people share one hash.
    hashed = account.password
    people = [{"username": ADMIN, "name": "管理员", "groups": ["admin"], "super": True}, *data["people"]]
    for entry in people:
        user, created = User.objects.get_or_create(
            username=entry["username"],
            defaults={
                "name": entry["name"],
                "is_staff": True,
                "is_superuser": entry.get("super", False),
                "password": hashed,
            },
        )
        if created:
            user.groups.set([groups[name] for name in entry["groups"] if name in groups])
            made.rows.append((entry["username"], entry["name"], " ".join(entry["groups"])))
    return made


def _shop(data: dict[str, Any], *, now: datetime) -> None:
    departments = {department.name: department for department in Department.objects.all()}
    for entry in data["departments"]:
        if entry["name"] not in departments:
            departments[entry["name"]] = Department.objects.create(code=entry["code"], name=entry["name"])
    stores: dict[str, Store] = {}
    for entry in data["stores"]:
        stores[entry["code"]], _made = Store.objects.get_or_create(
            code=entry["code"],
            defaults={
                "name": entry["name"],
                "kind": entry["kind"],
                "platform": entry["platform"] or "",
                "city": entry["city"] or "",
                "address": entry["address"] or "",
                "phone": entry["phone"] or "",
            },
        )
    people = {user.username: user for user in User.objects.all()}
    teams: dict[str, Team] = {}
    for entry in data["teams"]:
        teams[entry["code"]], made = Team.objects.get_or_create(
            code=entry["code"],
            defaults={
                "name": entry["name"],
                "department": departments[entry["department"]],
                "skills": entry["skills"],
            },
        )
        if made:
            teams[entry["code"]].stores.set([stores[code] for code in entry["stores"]])
    for entry in data["people"]:
        user = people[entry["username"]]
        profile, made = StaffProfile.objects.get_or_create(
            user=user,
            defaults={
                "capacity": entry["capacity"],
                "shift": entry["shift"],
                "department": teams[entry["team"]].department if entry["team"] else None,
            },
        )
        if made:
            profile.stores.set([stores[code] for code in entry["stores"]])
        if entry["team"]:
            TeamMember.objects.get_or_create(
                team=teams[entry["team"]], user=user, defaults={"role": entry["team_role"]}
            )
        if "store" in entry["groups"]:
            Store.objects.filter(code__in=entry["stores"], manager__isnull=True).update(manager=user)
        if entry["team_role"] == "lead" and entry["team"]:
            Department.objects.filter(pk=teams[entry["team"]].department_id, head__isnull=True).update(
                head=user
            )
    products = {}
    for entry in data["products"]:
        products[entry["sku"]], _made = Product.objects.get_or_create(
            sku=entry["sku"],
            defaults={
                "name": entry["name"],
                "category": entry["category"],
                "price": entry["price"],
                "keywords": [*entry["keywords"], *entry["synonyms"]],
            },
        )
    StockLevel.objects.bulk_create(
        [
            StockLevel(
                store=stores[entry["store"]],
                product=products[entry["sku"]],
                level=entry["level"],
                reorder_point=entry["reorder_point"],
                counted_at=now,
            )
            for entry in data["stock"]
        ],
        ignore_conflicts=True,
    )


def customer_number(code: str) -> str:
    """The demo customer's number in the shop's own system; also how clearing finds them again."""
    return f"DEMO-{code}"


def _customers(data: dict[str, Any], *, now: datetime) -> None:
    stores = {store.code: store for store in Store.objects.all()}
    products = {product.sku: product for product in Product.objects.all()}
    customers: dict[str, Customer] = {}
    consents: list[ConsentEvent] = []
    for entry in data["customers"]:
        month, day = entry["birthday"]["month"], entry["birthday"]["day"]
        if entry["birthday_in_days"] is not None:
            soon = timezone.localdate(now) + timedelta(days=entry["birthday_in_days"])
            month, day = soon.month, soon.day
        customer = Customer.objects.create(
            external_id=customer_number(entry["code"]),
            nickname=entry["nickname"],
            name=entry["name"],
            gender=entry["gender"],
            phone=entry["phone"],
            email=entry["email"],
            city=entry["city"],
            member_tier=entry["member_tier_code"],
            birth_year=entry["birthday"]["year"],
            birth_month=month,
            birth_day=day,
            birth_is_lunar=entry["birthday"]["calendar"] == "lunar",
            note=entry["notes"] or "",
        )
        customers[entry["code"]] = customer
        CustomerIdentity.objects.bulk_create(
            [
                CustomerIdentity(
                    customer=customer,
                    channel=identity["channel"],
                    external_id=identity["external_id"],
                    nickname=identity["nickname"],
                    created_at=now,
                )
                for identity in entry["identities"]
            ]
        )
        consents += _consents(customer, entry["consents"], now)
    ConsentEvent.objects.bulk_create(consents)
    orders, lines = [], []
    for entry in data["orders"]:
        placed = _moment(entry, now)
        order = Order(
            order_no=entry["order_no"],
            store=stores.get(entry["store"]),
            channel=stores[entry["store"]].platform if entry["store"] in stores else "",
            customer=customers.get(entry["customer"]),
            status=entry["status"],
            placed_at=placed,
            delivered_at=placed + timedelta(days=2)
            if entry["status"] in ("delivered", "completed")
            else None,
            total=entry["total"],
            carrier=entry["carrier"] or "",
            tracking_no=entry["tracking_no"] or "",
        )
        orders.append(order)
        lines += [
            OrderItem(
                order=order,
                product=products.get(item["sku"]),
                sku=item["sku"],
                quantity=item["qty"],
                price=item["price"],
                batch=item["batch"] or "",
            )
            for item in entry["items"]
        ]
    Order.objects.bulk_create(orders)
    for line in lines:
        line.order_id = line.order.pk
    OrderItem.objects.bulk_create(lines)


def _consents(customer: Customer, given: dict[str, bool], now: datetime) -> Iterator[ConsentEvent]:
    places = {
        "marketing_sms": (Purpose.MARKETING, ContactChannel.SMS),
        "marketing_wechat": (Purpose.MARKETING, ContactChannel.WECHAT),
        "marketing_email": (Purpose.MARKETING, ContactChannel.EMAIL),
        "birthday": (Purpose.BIRTHDAY, ContactChannel.ANY),
        "survey": (Purpose.SURVEY, ContactChannel.ANY),
        "profiling": (Purpose.PROFILING, ContactChannel.ANY),
        "recording": (Purpose.RECORDING, ContactChannel.PHONE),
    }
    for name, (purpose, channel) in places.items():
        if name in given:
            yield ConsentEvent(
                customer=customer,
                purpose=purpose,
                channel=channel,
                granted=given[name],
                source="demo",
                text_version="2026-01",
                at=now - timedelta(days=90),
            )


# ── History ────────────────────────────────────────────────────────────────────────────────────────────────────
def _moment(entry: dict[str, Any], now: datetime) -> datetime:
    """When something of the demo happened: minutes ago, or a time of day some days ago; never in the future."""
    if entry.get("minutes_ago") is not None:
        return now - timedelta(minutes=entry["minutes_ago"])
    hour, minute = map(int, entry["time"].split(":"))
    local = timezone.localtime(now) - timedelta(days=entry["days_ago"])
    return min(local.replace(hour=hour, minute=minute, second=0, microsecond=0), now - timedelta(minutes=1))


Event = tuple[datetime, int, Callable[[datetime], None]]


class _Stage:
    """Plays events in order of time; an event may add later ones, none after `now`."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._heap: list[Event] = []
        self._order = count()
        self.ids: dict[str, int] = {}
        self.people = {user.username: user for user in User.objects.prefetch_related("groups")}
        self.lead = next(user for user in self.people.values() if user.is_superuser)

    def at(self, when: datetime, act: Callable[[datetime], None]) -> None:
        """Plan an event."""
        if when <= self.now:
            heapq.heappush(self._heap, (when, next(self._order), act))

    def run(self, progress: Callable[[float], None] | None) -> None:
        """Play everything; a refused move is left out, as a person would leave it."""
        first = self._heap[0][0] if self._heap else self.now
        span = (self.now - first) or timedelta(1)
        played = 0
        while self._heap:
            when, _n, act = heapq.heappop(self._heap)
            with contextlib.suppress(DomainError):
                act(when)
            played += 1
            if progress is not None and played % 25 == 0:
                progress((when - first) / span)
        if progress is not None:
            progress(1.0)

    def case(self, name: str) -> Feedback:
        """The case as it is now."""
        return Feedback.objects.select_related("assignee").get(pk=self.ids[name])

    def worker(self, case: Feedback) -> User:
        """Who acts on a case: its owner, else somebody in charge."""
        return case.assignee or self.lead


def _play(*, now: datetime, progress: Callable[[float], None] | None) -> None:
    stage = _Stage(now)
    items = _data("feedback.json")["items"]
    products = {item["id"]: item for item in items}
    customers = {
        identity.external_id: identity
        for identity in CustomerIdentity.objects.filter(customer__external_id__startswith="DEMO-")
    }
    by_customer: dict[tuple[str, str], CustomerIdentity] = {}
    for identity in CustomerIdentity.objects.filter(customer__external_id__startswith="DEMO-").select_related(
        "customer"
    ):
        by_customer[(identity.customer.external_id or "", identity.channel)] = identity
    assert customers and products
    for item in items:
        _plan(stage, item, by_customer)
    start = min(_moment(item, now) for item in items)
    moment = start
    while moment < now:
        stage.at(moment, lambda when: (sweep_sla(now=when), dispatch_waiting(now=when))[0] and None)
        moment += SWEEP_EVERY
    with transaction.atomic():
        stage.run(progress)
        sweep_sla(now=now)
        link_near_duplicates(now=now)
    group_new(now=now)
    # What happened weeks ago is not news.
    StaffNotice.objects.filter(created_at__lt=now - timedelta(days=1)).update(read_at=now)


def _plan(stage: _Stage, item: dict[str, Any], identities: dict[tuple[str, str], CustomerIdentity]) -> None:
    arrives = _moment(item, stage.now)
    name = item["id"]
    story, _, detail = item["story"].partition(":")

    def incoming(text: str, rating: int | None) -> IncomingFeedback:
        customer = None
        if item["customer"]:
            identity = identities.get((customer_number(item["customer"]), item["channel"]))
            owner = Customer.objects.get(external_id=customer_number(item["customer"]))
            customer = IncomingCustomer(
                external_id=identity.external_id if identity else "",
                nickname=identity.nickname if identity else owner.nickname,
                phone="" if identity else owner.phone,
            )
        return IncomingFeedback(
            channel=item["channel"],
            text=text,
            external_id=f"DEMO-{item.get('duplicate_of') if item.get('duplicate_kind') == 'exact' else name}",
            rating=rating,
            posted_at=arrives - timedelta(minutes=2),
            store=item["store"] or "",
            product_sku=item.get("sku") or "",
            order_no=item.get("order") or "",
            customer=customer,
            follow_up_to=f"DEMO-{item['follow_up_to']}" if item.get("follow_up_to") else "",
            transcript=[
                {"who": _speaker(line["who"]), "text": line["text"]} for line in item.get("transcript", [])
            ],
        )

    def arrive(when: datetime) -> None:
        (outcome,) = take_in([incoming(item["text"], item.get("rating"))], source=Source.DEMO, now=when)
        if outcome.feedback_id is None:
            raise AssertionError(f"demo item {name} was refused: {outcome.message}")
        stage.ids[name] = outcome.feedback_id
        _after(stage, item, when, story, detail)

    stage.at(arrives, arrive)
    for change in item.get("changes", []):
        stage.at(
            arrives + timedelta(days=change["days_later"]),
            lambda when, change=change: (
                take_in([incoming(change["text"], change["rating"])], source=Source.DEMO, now=when)[0:0]
                and None
            ),
        )


def _speaker(who: str) -> str:
    return {"customer": "顾客", "agent": "客服", "bot": "机器人"}.get(who, who)


def _after(stage: _Stage, item: dict[str, Any], start: datetime, story: str, detail: str) -> None:
    """Plan what staff did with a case that has just arrived."""
    name = item["id"]

    def step(after: timedelta, act: Callable[[Feedback, User, datetime], Any]) -> None:
        def run(when: datetime) -> None:
            case = stage.case(name)
            act(case, stage.worker(case), when)

        stage.at(start + after, run)

    contact = item.get("contact")
    if contact:
        after = timedelta(minutes=contact["after_minutes"])
        step(
            after,
            lambda case, by, at: moves.record_contact(
                feedback=case, how=contact["how"], said=contact["said"], by=by, now=at, via="demo"
            ),
        )
    for key, act in (("plan", moves.give_plan), ("progress", moves.give_progress)):
        if item.get(key):
            words = item[key]["text"]
            step(
                timedelta(hours=item[key]["after_hours"]),
                lambda case, by, at, act=act, words=words: act(
                    feedback=case, said=words, by=by, now=at, via="demo"
                ),
            )
    if story == "waiting":
        step(
            timedelta(hours=item.get("wait_after_hours") or 2),
            lambda case, by, at: moves.wait(
                feedback=case, why=detail, by=by, now=at, reason=item.get("wait_reason") or "", via="demo"
            ),
        )
    if story == "dismissed":
        step(
            timedelta(hours=1),
            lambda case, by, at: moves.dismiss(
                feedback=case, by=by, now=at, reason="广告或垃圾信息", via="demo"
            ),
        )
    if story == "merged":
        step(
            timedelta(hours=2),
            lambda case, by, at: moves.merge(
                feedback=case,
                into=stage.case(detail),
                by=stage.lead,
                now=at,
                reason="同一顾客的重复反馈",
                via="demo",
            ),
        )
    if item.get("resolve_after_hours") is not None and story in ("resolved", "closed", "reopened"):
        hours = timedelta(hours=item["resolve_after_hours"])

        def resolve(case: Feedback, by: User, at: datetime) -> None:
            if case.status == "new":
                moves.claim(feedback=case, by=by, now=at, via="demo")
            moves.resolve(feedback=case, by=by, now=at, reason=item.get("resolution") or "已处理", via="demo")
            if story == "closed":
                moves.close(feedback=case, by=by, now=at, via="demo")

        step(hours, resolve)
        if story == "reopened":
            later = timedelta(hours=item.get("reopen_after_hours") or item["resolve_after_hours"] + 20)
            step(
                later,
                lambda case, by, at: moves.reopen(
                    feedback=case,
                    by=by,
                    now=at,
                    reason=item.get("reopen_reason") or "顾客表示问题仍在",
                    via="demo",
                ),
            )
    elif story == "closed" or (story == "new" and item["days_ago"] >= 2 and not item.get("overdue")):

        def close(case: Feedback, by: User, at: datetime) -> None:
            if not case.is_open:
                return
            if case.first_response_at is None:
                moves.record_contact(
                    feedback=case,
                    how="chat",
                    said="您好,看到您的反馈了,谢谢您告诉我们。",
                    by=by,
                    now=at,
                    via="demo",
                )
            moves.close(feedback=case, by=by, now=at, via="demo")

        step(timedelta(hours=3), close)
        for change in item.get("changes", []):
            # A review that its author changed opens again and is looked after once more.
            step(timedelta(days=change["days_later"], hours=3), close)


# ── Going live ─────────────────────────────────────────────────────────────────────────────────────────────────
@transaction.atomic
def clear_demo(*, now: datetime) -> dict[str, int]:
    """Remove the demo shop: feedback, customers, orders, stores, people. What real work refers to stays.

    Reference data stays. A demo account that has acted on real cases is switched off instead of deleted.
    """
    data = _data("shop.json")
    gone: dict[str, int] = {}
    feedback = Feedback.objects.filter(source=Source.DEMO)
    ids = list(feedback.values_list("pk", flat=True))
    ActionLog.objects.filter(model="feedback.feedback", object_id__in=ids).delete()
    WorkItem.objects.filter(origin_key__in=[f"feedback:{pk}:self_check" for pk in ids]).delete()
    # What really came in and hangs on a demo case stands by itself again.
    for case in Feedback.objects.exclude(source=Source.DEMO).filter(status="merged", merged_into__in=ids):
        moves.unmerge(feedback=case, by=None, now=now, reason="demo data removed", via="demo")
    Feedback.objects.filter(parent__in=ids).update(parent=None)
    feedback.update(parent=None, merged_into=None, similar_to=None)
    Feedback.objects.filter(similar_to__in=ids).update(similar_to=None, similarity=None)
    gone["feedback"] = len(ids)
    knowledge.forget_answers_of(ids)
    gone["articles"] = knowledge.clear_samples()
    told = [subject_key(pk) for pk in ids]
    touched = list(Topic.objects.filter(members__feedback__in=ids).distinct().values_list("pk", flat=True))
    feedback.delete()
    gone["messages"] = OutboundMessage.objects.filter(subject_key__in=told).delete()[0]
    recount(touched)
    gone["topics"] = _delete_each(Topic.objects.filter(pk__in=touched, size=0))
    gone["grants"] = rewards_demo.clear()
    numbers = [entry["order_no"] for entry in data["orders"]]
    gone["orders"] = _delete_each(Order.objects.filter(order_no__in=numbers))
    gone["customers"] = _delete_each(Customer.objects.filter(external_id__startswith="DEMO-"))
    names = [entry["username"] for entry in data["people"]]
    StaffNotice.objects.filter(recipient__username__in=names).delete()
    StaffNotice.objects.filter(url__in=[address(pk) for pk in ids]).delete()
    # Who handed what to whom, and notes between shifts of people who never were.
    Handover.objects.filter(Q(person__username__in=names) | Q(by__username__in=names)).delete()
    ShiftNote.objects.filter(author__username__in=names).delete()
    gone["people"] = _delete_people(User.objects.filter(username__in=names))
    gone["teams"] = _delete_each(Team.objects.filter(code__in=[entry["code"] for entry in data["teams"]]))
    gone["stores"] = _delete_each(Store.objects.filter(code__in=[entry["code"] for entry in data["stores"]]))
    gone["products"] = _delete_each(
        Product.objects.filter(sku__in=[entry["sku"] for entry in data["products"]])
    )
    touch(STAMP)
    return gone


def demo_figures() -> dict[str, int]:
    """How many records of the demo shop are here, under the names `clear_demo` reports them by."""
    data = _data("shop.json")
    return {
        "feedback": Feedback.objects.filter(source=Source.DEMO).count(),
        "orders": Order.objects.filter(order_no__in=[entry["order_no"] for entry in data["orders"]]).count(),
        "customers": Customer.objects.filter(external_id__startswith="DEMO-").count(),
        "people": User.objects.filter(username__in=demo_usernames(), is_active=True).count(),
        "teams": Team.objects.filter(code__in=[entry["code"] for entry in data["teams"]]).count(),
        "stores": Store.objects.filter(code__in=[entry["code"] for entry in data["stores"]]).count(),
        "products": Product.objects.filter(sku__in=[entry["sku"] for entry in data["products"]]).count(),
    }


def demo_usernames() -> list[str]:
    """Accounts that go with the demo shop; the administrator's stays."""
    return [entry["username"] for entry in _data("shop.json")["people"]]


def clear_and_tell(*, by: User, now: datetime) -> dict[str, int]:
    """Clear the demo shop and tell whoever asked, in the shop's language."""
    gone = clear_demo(now=now)
    with translation.override(settings.LANGUAGE_CODE):
        notify(
            recipients=[by.pk],
            level=NoticeLevel.INFO,
            title=_("The demo data is gone"),
            body=_("%(feedback)d feedback, %(customers)d customers, %(stores)d stores, %(people)d people")
            % gone,
            url="/admin/setup/demo/",
            key=f"demo_cleared:{now:%Y%m%d%H%M}",
            now=now,
        )
    return gone


def _delete_each(queryset: Any) -> int:
    """Delete row by row; what something real still refers to stays."""
    gone = 0
    for row in queryset:
        try:
            with transaction.atomic():
                row.delete()
            gone += 1
        except ProtectedError:
            continue
    return gone


def _delete_people(queryset: Any) -> int:
    gone = 0
    for user in queryset:
        acted = ActionLog.objects.filter(by=user).exists() or Reveal.objects.filter(by=user).exists()
        try:
            if acted:
                raise ProtectedError("has acted", {user})
            with transaction.atomic():
                user.delete()
            gone += 1
        except ProtectedError:
            User.objects.filter(pk=user.pk).update(is_active=False)
    return gone
