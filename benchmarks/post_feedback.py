"""How much one POST of a feedback costs beside a bare DRF insert of one row.

    python benchmarks/post_feedback.py --database-url postgres://postgres@127.0.0.1:5432/bench [--posts 200]

Both go through DRF's test client, the same middleware, the same token, the same database. The bare insert is
a ModelSerializer that writes one feedback row; our POST also reads the text, looks for duplicates, starts
clocks, hands the case to a person and alarms. The POST with all references is set beside a bare insert that
looks up the same store, product and order by their codes and writes the same new customer; its ratio to the
bare row is printed too. The database must be one that may be filled: it is migrated, loaded and kept. Exit
code 2 without a database, 1 when our POST takes more than three times as long as its bare counterpart.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from common import use_database

LIMIT = 3.0
VARIANTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "A: channel and text": lambda mark: {
        "channel": "taobao",
        "text": f"衣服起球还褪色，跟描述不符，要求换货 {mark}",
    },
    "S: channel and text": lambda mark: {
        "channel": "taobao",
        "text": f"吃完食物中毒住院了，我要投诉到12315 {mark}",
    },
    "B: inquiry": lambda mark: {"channel": "taobao", "text": f"请问什么时候发货？ {mark}"},
    "A: all references": lambda mark: {
        "channel": "taobao",
        "text": f"衣服起球还褪色，跟描述不符，要求换货 {mark}",
        "external_id": f"r-{mark}",
        "rating": 1,
        "posted_at": "2026-01-05T10:00:00+08:00",
        "store": "bench",
        "product_sku": "BENCH-1",
        "order_no": "BENCH202601050001",
        "customer": {"external_id": f"c-{mark}", "nickname": "小周", "phone": f"139{mark[:8]}"},
        "images": ["https://example.org/1.jpg"],
    },
}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--database-url", default="", help="postgres://… or sqlite:///…; it will be filled")
    parser.add_argument("--posts", type=int, default=200, help="POSTs of each kind")
    return parser.parse_args()


def main() -> int:
    """Measure and print; the exit code says whether the limit holds."""
    options = arguments()
    os.environ["API_THROTTLE"] = "1000000/min"
    use_database(options.database_url)
    return measure(options.posts)


def set_up() -> Callable[[str, dict[str, Any]], Any]:
    """How to post a body to an address of this run, with a token."""
    from django.contrib.auth import get_user_model
    from django.db import transaction
    from django.test import override_settings
    from django.urls import include, path
    from django.utils import timezone
    from rest_framework import generics, serializers
    from rest_framework.test import APIClient

    from apps.core.models import Integration
    from apps.core.reference import touch
    from apps.core.services.tokens import SCOPES, issue_token
    from apps.customers.models import Customer, CustomerIdentity, Order
    from apps.feedback.models import Feedback
    from apps.feedback.selectors.reference import STAMP
    from apps.shop.models import Department, Product, StaffProfile, Store, Team, TeamMember

    Store.objects.get_or_create(code="bench", defaults={"name": "Bench"})
    Product.objects.get_or_create(sku="BENCH-1", defaults={"name": "Bench"})
    Order.objects.get_or_create(order_no="BENCH202601050001")
    team, _ = Team.objects.get_or_create(
        code="bench", defaults={"name": "Bench", "department": Department.objects.first()}
    )
    for name in ("bench-1", "bench-2", "bench-3"):
        user, _ = get_user_model().objects.get_or_create(username=name)
        StaffProfile.objects.update_or_create(user=user, defaults={"capacity": 32_000})
        TeamMember.objects.get_or_create(team=team, user=user)
    touch(STAMP)
    integration, _ = Integration.objects.get_or_create(name="bench")
    _token, key = issue_token(integration=integration, scopes=SCOPES, now=timezone.now())

    class Bare(serializers.ModelSerializer):
        class Meta:
            model = Feedback
            fields = (
                "id",
                "channel",
                "text",
                "posted_at",
                "received_at",
                "created_at",
                "updated_at",
                "kind",
                "sentiment",
                "tier",
            )

    class BareView(generics.CreateAPIView):
        queryset = Feedback.objects.all()
        serializer_class = Bare
        scopes = {"POST": "feedback:write"}

    class BareAll(serializers.ModelSerializer):
        store = serializers.SlugRelatedField(slug_field="code", queryset=Store.objects.all())
        product = serializers.SlugRelatedField(slug_field="sku", queryset=Product.objects.all())
        order = serializers.SlugRelatedField(slug_field="order_no", queryset=Order.objects.all())
        customer = serializers.DictField(write_only=True)

        class Meta:
            model = Feedback
            fields = (*Bare.Meta.fields, "external_id", "rating", "store", "product", "order", "customer")

        @transaction.atomic
        def create(self, validated_data):
            given = validated_data.pop("customer")
            # Without a history row, which our POST does not write either.
            (customer,) = Customer.objects.bulk_create(
                [Customer(nickname=given["nickname"], phone=given["phone"]).with_hashes()]
            )
            CustomerIdentity.objects.create(
                customer=customer,
                channel="taobao",
                external_id=given["external_id"],
                created_at=timezone.now(),
            )
            return Feedback.objects.create(customer=customer, **validated_data)

    class BareAllView(generics.CreateAPIView):
        queryset = Feedback.objects.all()
        serializer_class = BareAll
        scopes = {"POST": "feedback:write"}

    urls = type(sys)("bench_urls")
    urls.urlpatterns = [  # type: ignore[attr-defined]
        path("api/v1/", include("feedback_crm.api")),
        path("bare/", BareView.as_view()),
        path("bare-all/", BareAllView.as_view()),
    ]
    override_settings(ROOT_URLCONF=urls).enable()
    client = APIClient(SERVER_NAME="localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")

    return lambda address, body: client.post(address, body, format="json")


def bare_body(mark: str) -> dict[str, Any]:
    """What a ModelSerializer needs for one row."""
    from apps.feedback.models import Channel

    now = "2026-01-05T10:00:00+08:00"
    return {
        "channel": Channel.objects.get(code="taobao").pk,
        "text": f"衣服起球还褪色，跟描述不符，要求换货 {mark}",
        "posted_at": now,
        "received_at": now,
        "created_at": now,
        "updated_at": now,
        "kind": "complaint",
        "sentiment": "negative",
        "tier": "A",
    }


def measure(posts: int) -> int:
    """Run bare and ours in turn, so that a busy machine slows both alike."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    post = set_up()
    template = bare_body("")
    bare, bare_all = "bare insert", "bare insert, same references"
    seconds: dict[str, list[float]] = {bare: [], bare_all: [], **{name: [] for name in VARIANTS}}
    queries: dict[str, int] = {}
    tiers: dict[str, str] = {}

    def call(name: str, mark: str) -> float:
        if name in VARIANTS:
            address, body = "/api/v1/feedback/", VARIANTS[name](mark)
        elif name == bare:
            address, body = "/bare/", template | {"text": template["text"] + mark}
        else:
            full = VARIANTS["A: all references"](mark)
            address = "/bare-all/"
            body = template | {
                "text": full["text"],
                "external_id": full["external_id"],
                "rating": 1,
                "store": full["store"],
                "product": full["product_sku"],
                "order": full["order_no"],
                "customer": full["customer"],
            }
        start = time.perf_counter()
        answer = post(address, body)
        took = time.perf_counter() - start
        if answer.status_code != 201:
            raise SystemExit(f"{name}: {answer.status_code} {answer.content.decode()[:300]}")
        tiers[name] = answer.json()["tier"]
        return took

    def mark() -> str:
        return f"{random.randrange(10**8):08d}{time.time_ns()}"

    for _warm in range(5):
        for name in seconds:
            call(name, mark())
    for name in seconds:
        with CaptureQueriesContext(connection) as captured:
            call(name, mark())
        kinds = ("SELECT", "INSERT", "UPDATE", "DELETE")
        queries[name] = sum(q["sql"].lstrip().upper().startswith(kinds) for q in captured)
    for _round in range(posts):
        for name, times in seconds.items():
            times.append(call(name, mark()))
    base = {name: statistics.median(times) for name, times in seconds.items() if name in (bare, bare_all)}
    print(f"{connection.vendor}, {posts} POSTs each")
    print(f"{'':30}{'tier':>5}{'queries':>9}{'median ms':>11}{'p95 ms':>9}{'x bare':>8}{'x its own':>11}")
    worst = 0.0
    for name, times in seconds.items():
        middle = statistics.median(times)
        late = sorted(times)[int(len(times) * 0.95)]
        own = middle / base[bare_all if "references" in name else bare]
        worst = max(worst, own)
        print(
            f"{name:30}{tiers[name]:>5}{queries[name]:>9}"
            f"{middle * 1000:>11.2f}{late * 1000:>9.2f}{middle / base[bare]:>8.2f}{own:>11.2f}"
        )
    print(f"at most {worst:.2f} times the bare insert of the same data (limit {LIMIT:g})")
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
