"""Synthetic load data, for benchmarks only."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, transaction
from django.utils import timezone

from apps.core.bulk import allocate_ids, insert_many
from apps.core.models import User
from apps.customers.models import Customer
from apps.feedback import search
from apps.feedback.choices import TIER_RANK
from apps.feedback.models import Feedback, FeedbackSearch, SlaClock
from apps.feedback.selectors.reference import reference
from apps.feedback.services.clocks import due_values, seeds

BATCH = 10_000
OPENINGS = [
    "昨天收到",
    "上周在店里",
    "第一次买",
    "回购第三次",
    "帮朋友带",
    "给孩子买的",
    "双十一囤的",
    "同事推荐",
]
THINGS = [
    "洗发水",
    "坚果",
    "床单",
    "电饭煲",
    "橙子",
    "面膜",
    "保温杯",
    "外卖",
    "牛奶",
    "收纳盒",
    "晾衣架",
    "香薰",
    "牛肉干",
    "加湿器",
    "大米",
]
WORDS = [
    "质量不错",
    "物流太慢",
    "包装破了",
    "客服态度好",
    "味道一般",
    "颜色有差",
    "尺寸偏小",
    "性价比高",
    "漏液了",
    "用了过敏",
    "不新鲜",
    "很好用",
    "没有赠品",
    "降价太快",
    "退款还没到",
    "发错货",
    "分量不足",
    "有异味",
    "做工粗糙",
    "送货上门",
    "等了三天",
    "回复很快",
    "声音太大",
    "屏幕有划痕",
]


class Command(BaseCommand):
    """`seed_bulk --feedback N --customers N [--seed S] [--open-share X] [--due-share X]`"""

    help = (
        "Write synthetic feedback and customers for benchmarks. Deterministic by seed. Never for a live shop."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--feedback", type=int, default=0)
        parser.add_argument("--customers", type=int, default=0)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--open-share", type=float, default=0.2, help="Share of feedback that is open.")
        parser.add_argument(
            "--due-share", type=float, default=0.01, help="Share of running clocks that are due."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write in batches, each its own transaction."""
        rng = random.Random(options["seed"])  # noqa: S311 - load data, no secret
        now = timezone.now()
        self._customers(options["customers"], rng)
        customers = list(
            Customer.objects.filter(external_id__startswith="SEED-").values_list("pk", flat=True)[:100_000]
        )
        users = list(User.objects.filter(is_active=True).values_list("pk", flat=True)[:50])
        left = options["feedback"]
        while left > 0:
            count = min(BATCH, left)
            with transaction.atomic():
                self._feedback(count, rng, now, customers, users, options["open_share"], options["due_share"])
            left -= count
            self.stderr.write(f"\r{options['feedback'] - left} feedback", ending="")
        self.stderr.write("")
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")

    def _customers(self, count: int, rng: random.Random) -> None:
        last = Customer.objects.filter(external_id__startswith="SEED-").count()
        for start in range(last, last + count, BATCH):
            Customer.objects.bulk_create(
                [
                    Customer(
                        external_id=f"SEED-{number}",
                        nickname=f"顾客{number}",
                        phone=f"139{rng.randrange(10**8):08d}",
                        member_tier=rng.choice(["", "regular", "silver", "gold", "diamond"]),
                    ).with_hashes()
                    for number in range(start, min(start + BATCH, last + count))
                ],
                batch_size=2000,
            )

    def _feedback(
        self,
        count: int,
        rng: random.Random,
        now: datetime,
        customers: list[int],
        users: list[int],
        open_share: float,
        due_share: float,
    ) -> None:
        ref = reference()
        channels = [channel.pk for channel in ref.channels.values()]
        stores = [None, *ref.stores]
        subs = [category for category in ref.categories.values() if category.parent_id]
        clocks_of = {tier: seeds(ref, tier, now) for tier in TIER_RANK}
        grams = connection.vendor == "postgresql"
        rows, found, clocks = [], [], []
        for pk in allocate_ids(Feedback, count):
            text = f"{rng.choice(OPENINGS)}的{rng.choice(THINGS)},{rng.choice(WORDS)},{rng.choice(WORDS)},{rng.choice(WORDS)}"
            tier = rng.choices("SAB", (2, 28, 70))[0]
            sub = rng.choice(subs)
            is_open = rng.random() < open_share
            is_due = is_open and rng.random() < due_share
            received = now - timedelta(seconds=rng.randrange(0, 180 * 86400))
            due = (
                due_values(clocks_of[tier]) if is_open else {"due_at": None, "due_kind": "", "due_from": None}
            )
            if is_open:
                shift = timedelta(minutes=rng.randrange(1, 600))
                due["due_at"] = now - shift if is_due else due["due_at"] + shift
            owner = rng.choice(users) if users and is_open and rng.random() < 0.8 else None
            negative = tier != "B" or rng.random() < 0.2
            rows.append(
                Feedback(
                    id=pk,
                    channel_id=rng.choice(channels),
                    source="file",
                    external_id=f"SEED-{pk}",
                    text=text,
                    snippet=text[:200],
                    rating=rng.choice((1, 2) if negative else (4, 5)),
                    posted_at=received,
                    received_at=received,
                    store_id=rng.choice(stores),
                    customer_id=rng.choice(customers) if customers and rng.random() < 0.6 else None,
                    kind="complaint" if negative else "review",
                    sentiment="negative" if negative else "positive",
                    sentiment_score=-0.8 if negative else 0.8,
                    emotion=rng.choice(("anger", "disappointment")) if negative else "satisfaction",
                    category_id=sub.parent_id,
                    subcategory_id=sub.pk,
                    needs_review=is_open and rng.random() < 0.1,
                    reading={"spans": [[0, 2, "category", sub.code]]},
                    reading_version="seed",
                    tier=tier,
                    tier_rank=TIER_RANK[tier],
                    priority=rng.randrange(100),
                    status=("assigned" if owner else "new") if is_open else "closed",
                    assignee_id=owner,
                    assigned_at=received if owner else None,
                    closed_at=None if is_open else received,
                    created_at=received,
                    updated_at=received,
                    **due,
                )
            )
            body = search.body_of(text)
            found.append(
                FeedbackSearch(feedback_id=pk, body=body, grams=search.vector(body) if grams else None)
            )
            if is_open:
                clock = clocks_of[tier][0].build(pk)
                clock.due_at = due["due_at"]
                clock.next_check_at = now - timedelta(minutes=1) if is_due else due["due_at"]
                clock.next_step = len(clock.steps) - 1 if is_due else 0
                clocks.append(clock)
        insert_many(Feedback, rows)
        insert_many(FeedbackSearch, found)
        insert_many(SlaClock, clocks)
