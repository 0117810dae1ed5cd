"""How much one POST of a feedback costs beside a bare DRF insert of one row.

    python benchmarks/post_feedback.py --database-url postgres://postgres@127.0.0.1:5432/bench [--posts 200]

Both go through DRF's test client, the same middleware, the same token, the same database. The bare insert is
a ModelSerializer that writes one feedback row; our POST also reads the text, looks for duplicates, starts
clocks, hands the case to a person and alarms. The database must be one that may be filled: it is migrated,
loaded and kept. Exit code 2 without a database, 1 when our POST takes more than three times as long as the
bare one.
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


def set_up() -> tuple[Any, Callable[[dict[str, Any]], Any], Callable[[dict[str, Any]], Any]]:
    """A client with a token, and the two calls to compare."""
    from django.contrib.auth import get_user_model
    from django.test import override_settings
    from django.urls import include, path
    from django.utils import timezone
    from rest_framework import generics, serializers
    from rest_framework.test import APIClient

    from apps.core.models import Integration
    from apps.core.reference import touch
    from apps.core.services.tokens import SCOPES, issue_token
    from apps.customers.models import Order
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

    urls = type(sys)("bench_urls")
    urls.urlpatterns = [  # type: ignore[attr-defined]
        path("api/v1/", include("feedback_crm.api")),
        path("bare/", BareView.as_view()),
    ]
    override_settings(ROOT_URLCONF=urls).enable()
    client = APIClient(SERVER_NAME="localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")

    def ours(body: dict[str, Any]) -> Any:
        return client.post("/api/v1/feedback/", body, format="json")

    def bare(body: dict[str, Any]) -> Any:
        return client.post("/bare/", body, format="json")

    return client, ours, bare


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

    _client, ours, bare = set_up()
    template = bare_body("")
    seconds: dict[str, list[float]] = {"bare insert": [], **{name: [] for name in VARIANTS}}
    queries: dict[str, int] = {}
    tiers: dict[str, str] = {}

    def call(name: str, mark: str) -> float:
        body = template | {"text": template["text"] + mark} if name == "bare insert" else VARIANTS[name](mark)
        send = bare if name == "bare insert" else ours
        start = time.perf_counter()
        answer = send(body)
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
    base = statistics.median(seconds["bare insert"])
    print(f"{connection.vendor}, {posts} POSTs each")
    print(f"{'':24}{'tier':>5}{'queries':>9}{'median ms':>11}{'p95 ms':>9}{'ratio':>7}")
    worst = 0.0
    for name, times in seconds.items():
        middle = statistics.median(times)
        late = sorted(times)[int(len(times) * 0.95)]
        ratio = middle / base
        if name != "A: all references":
            worst = max(worst, ratio)
        print(
            f"{name:24}{tiers[name]:>5}{queries[name]:>9}"
            f"{middle * 1000:>11.2f}{late * 1000:>9.2f}{ratio:>7.2f}"
        )
    print(f"channel and text: at most {worst:.2f} times a bare insert (limit {LIMIT:g})")
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
