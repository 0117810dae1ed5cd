"""The repair funnel over N repairs: how long adding up takes, and what the page asks of the database.

python benchmarks/funnel.py --database-url postgres://… [--cases 200000]

Writes synthetic repairs of the last 400 days with their reviews, customers and orders (deterministic; those present from
an earlier run count), adds the figures up, draws the page as a lead for several filters, and prints queries and database
milliseconds. Goal on either database: below 300 ms for every filter.
"""

from __future__ import annotations

import argparse
import random
import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from common import peak_mb, use_database

BATCH = 10_000
DAYS = 400
STORES, AGENTS, GOAL_MS = 12, 30, 300
LEAD = "bench-lead"


def people() -> tuple[Any, list[int], list[int]]:
    """A lead, agents and stores for benchmarks."""
    from django.contrib.auth.models import Group

    from apps.core.models import User
    from apps.shop.models import Store

    lead = User.objects.get_or_create(username=LEAD, defaults={"is_staff": True})[0]
    lead.groups.add(Group.objects.get(name="ops-lead"))
    agents = [User.objects.get_or_create(username=f"bench-{n:02}")[0].pk for n in range(AGENTS)]
    stores = [
        Store.objects.get_or_create(code=f"bench{n:02}", defaults={"name": f"门店{n:02}"})[0].pk
        for n in range(STORES)
    ]
    return lead, agents, stores


def shoppers(count: int, rng: random.Random, now: datetime) -> list[int]:
    """Customers who bought nought to five times in the last two years."""
    from apps.core.bulk import allocate_ids, insert_many, quick_row
    from apps.customers.models import Customer, Order

    have = list(Customer.objects.filter(external_id__startswith="FUNNEL-").values_list("pk", flat=True))
    if have:
        return have
    keys = allocate_ids(Customer, count)
    insert_many(
        Customer,
        [
            quick_row(
                Customer,
                id=pk,
                external_id=f"FUNNEL-{pk}",
                nickname=f"顾客{pk}",
                created_at=now,
                updated_at=now,
            )
            for pk in keys
        ],
    )
    orders = [
        quick_row(
            Order,
            order_no=f"FUNNEL-{pk}-{n}",
            customer_id=pk,
            status="completed",
            placed_at=now - timedelta(seconds=rng.randrange(2 * 365 * 86400)),
            created_at=now,
            updated_at=now,
        )
        for pk in keys
        for n in range(rng.choice((0, 1, 1, 2, 3, 5)))
    ]
    for start in range(0, len(orders), BATCH):
        insert_many(Order, orders[start : start + BATCH])
    return keys


def fill(count: int, rng: random.Random, now: datetime, agents: list[int], stores: list[int]) -> None:
    """Repairs in batches, each its own transaction."""
    from django.db import transaction

    from apps.core.models import StoredFile
    from apps.feedback.models import Category, Channel

    customers = shoppers(min(60_000, max(200, count // 3)), rng, now)
    proof = StoredFile.objects.filter(sha256="0" * 64).first() or StoredFile.objects.create(
        file="files/none.png",
        name="none.png",
        content_type="image/png",
        size=1,
        sha256="0" * 64,
        created_at=now,
    )
    channels = list(Channel.objects.filter(is_review_platform=True).values_list("pk", flat=True))[:6]
    tops = list(Category.objects.filter(parent__isnull=True).values_list("pk", flat=True))
    for start in range(0, count, BATCH):
        with transaction.atomic():
            batch(min(BATCH, count - start), rng, now, agents, stores, channels, tops, customers, proof.pk)
        print(f"\r{start + BATCH} repairs", end="", flush=True)
    print()


def batch(
    count: int,
    rng: random.Random,
    now: datetime,
    agents: list[int],
    stores: list[int],
    channels: list[int],
    tops: list[int],
    customers: list[int],
    proof: int,
) -> None:
    """Reviews, their first clocks, what they became, and their repairs."""
    from apps.core.bulk import allocate_ids, insert_many, quick_row
    from apps.feedback.models import Feedback, FeedbackChange, SlaClock
    from apps.repairs.models import RepairCase

    reviews, clocks, changes, cases = [], [], [], []
    change_ids = iter(allocate_ids(FeedbackChange, count))
    for pk in allocate_ids(Feedback, count):
        opened = now - timedelta(seconds=rng.randrange(DAYS * 86400))
        tier = rng.choices("SAB", (5, 65, 30))[0]
        narrowed = {
            "channel_id": rng.choices(channels, (8, 6, 4, 3, 2, 1)[: len(channels)])[0],
            "store_id": rng.choice(stores),
            "category_id": rng.choice(tops),
            "customer_id": rng.choice(customers) if rng.random() < 0.8 else None,
            "tier": tier,
        }
        case = story(opened, now, rng, agents)
        if case["status"] == "revised":
            case["outcome_change_id"] = next(change_ids)
            changes.append(
                quick_row(
                    FeedbackChange, id=case["outcome_change_id"], feedback_id=pk, seen_at=case["outcome_at"],
                    old_rating=1, new_rating=5,
                )
            )  # fmt: skip
        if case["status"] == "withdrawn":
            case |= {"outcome_proof_id": proof, "outcome_by_id": agents[0]}
        reviews.append(
            quick_row(
                Feedback, id=pk, source="file", external_id=f"FUNNEL-{pk}", text="质量不行", snippet="质量不行", rating=1,
                posted_at=opened, received_at=opened, kind="complaint", sentiment="negative", status="closed",
                created_at=opened, updated_at=opened, closed_at=opened, **narrowed,
            )
        )  # fmt: skip
        due = opened + timedelta(hours={"S": 1, "A": 4, "B": 24}[tier])
        clocks.append(
            quick_row(
                SlaClock, feedback_id=pk, kind="first_response", cycle=0, value=4, unit="hours", started_at=opened,
                due_at=due, state="met",
            )
        )  # fmt: skip
        cases.append(
            quick_row(RepairCase, feedback_id=pk, opened_at=opened, first_rating=1, **narrowed, **case)
        )
    insert_many(Feedback, reviews)
    insert_many(SlaClock, clocks)
    insert_many(FeedbackChange, changes)
    insert_many(RepairCase, cases)


def story(opened: datetime, now: datetime, rng: random.Random, agents: list[int]) -> dict[str, Any]:
    """One repair as far as it got: each step an hour to some days after the one before."""
    moment, values = opened, {"status": "triaged", "updated_at": opened, "cost": Decimal(0)}

    def step(share: float, hours: float) -> bool:
        nonlocal moment
        later = moment + timedelta(hours=rng.expovariate(1 / hours))
        if rng.random() > share or later > now:
            return False
        moment = values["updated_at"] = later
        return True

    if rng.random() < 0.02:
        return values | {"status": "dismissed", "outcome_at": opened}
    if not step(0.88, 3):
        return values | {"status": rng.choice(("triaged", "unreachable", "kept_public_reply"))}
    values |= {"contacted_at": moment, "handler_id": rng.choice(agents), "status": "contacted"}
    if not step(0.85, 6):
        return values
    values |= {"proposed_at": moment, "status": "proposed"}
    if not step(0.85, 12):
        return values | {"status": rng.choice(("proposed", "renegotiate", "kept_public_reply"))}
    values |= {"accepted_at": moment, "status": "accepted", "cost": Decimal(rng.choice((0, 0, 10, 20, 35)))}
    if not step(0.95, 24):
        return values
    values |= {"executed_at": moment, "status": "executed"}
    if not step(0.9, 72):
        return values
    score = rng.choices((1, 2, 3, 4, 5), (3, 4, 8, 35, 50))[0]
    values |= {
        "called_back_at": moment,
        "satisfaction": score,
        "status": "satisfied" if score > 3 else "unsatisfied",
    }
    if score < 4:
        return values
    if step(0.7, 24):
        values |= {"invited_at": moment, "invitation": "如果您愿意，可以更新评价。", "status": "invited"}
    if step(0.7, 240):
        values |= {
            "status": rng.choices(("withdrawn", "revised", "kept"), (1, 3, 4))[0],
            "outcome_at": moment,
        }
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url")
    parser.add_argument("--cases", type=int, default=200_000)
    options = parser.parse_args()
    use_database(options.database_url)
    from django.conf import settings
    from django.db import connection
    from django.test import Client, override_settings
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from apps.feedback.models import Category
    from apps.repairs.models import RepairCallbackDay, RepairCase, RepairDay
    from apps.repairs.services.repeat import refresh_repeat
    from apps.repairs.services.rollup import rebuild_figures, refresh_figures

    now, rng = timezone.now(), random.Random(1)
    lead, agents, stores = people()
    missing = options.cases - RepairCase.objects.count()
    if missing > 0:
        fill(missing, rng, now, agents, stores)
    for words, work in (
        ("all added up", lambda: rebuild_figures(now=now)),
        ("changed days added up", lambda: refresh_figures(now=now)),
        ("repeat purchase compared", lambda: refresh_repeat(now=now, whole=True)),
    ):
        start = time.perf_counter()
        answer = work()
        print(f"{words}: {answer}, {time.perf_counter() - start:.1f} s")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(
        f"{connection.vendor}: {RepairCase.objects.count()} repairs, {RepairDay.objects.count()} rows by day, "
        f"{RepairCallbackDay.objects.count()} by callback, {peak_mb():.0f} MB"
    )
    # Pages are drawn without collectstatic having run.
    plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    override_settings(STORAGES=settings.STORAGES | plain).enable()
    client = Client(HTTP_HOST="localhost")
    client.force_login(lead)
    top = Category.objects.filter(parent__isnull=True).order_by("pk").values_list("pk", flat=True)[0]
    slowest = 0.0
    for query in (
        "?period=month",
        "?period=30",
        "",
        "?period=90&o=-success",
        f"?period=90&store={stores[0]}",
        f"?period=90&category={top}&tier=A",
        f"?period=365&agent={agents[0]}",
        "?period=365&tier=S",
        "?period=365&tier=A",
        f"?period=365&store={stores[0]}",
        "?period=365",
    ):
        url = f"/admin/repairs/repaircase/funnel/{query}"
        client.get(url)
        with CaptureQueriesContext(connection) as captured:
            begin = time.perf_counter()
            answered = client.get(url)
            wall = (time.perf_counter() - begin) * 1000
        spent = sum(float(entry["time"]) for entry in captured.captured_queries) * 1000
        slowest = max(slowest, spent)
        print(
            f"funnel {query or '(90 days)':34} {answered.status_code} {len(captured.captured_queries):3} queries "
            f"{spent:7.1f} ms database {wall:7.0f} ms wall"
        )
    verdict = "reached" if slowest < GOAL_MS else "missed"
    print(f"slowest: {slowest:.1f} ms of database time; goal {GOAL_MS} ms {verdict}")


if __name__ == "__main__":
    main()
