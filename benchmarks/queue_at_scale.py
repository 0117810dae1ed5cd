"""The queue, the search and the sweep with a million rows on PostgreSQL.

python benchmarks/queue_at_scale.py --database-url postgres://… [--rows 1000000]

Seeds the missing rows (deterministic), then prints queries and database milliseconds of the queue's first page by tab
and filter, of two-character searches, and how many clocks `sweep_sla` read with 1 % due.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from common import use_database


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url")
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    use_database(options.database_url)
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from apps.core.models import User
    from apps.feedback.models import Feedback, SlaClock, SlaEvent
    from apps.feedback.selectors.search import find
    from apps.feedback.services.sweep import sweep_sla

    with Path(os.devnull).open("w") as quiet:
        if not Feedback.objects.filter(source="demo").exists():
            call_command("load_demo", stdout=quiet)
        present = Feedback.objects.count()
        if present < options.rows:
            customers = max(0, options.rows // 20)
            call_command("seed_bulk", feedback=options.rows - present, customers=customers)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    print(
        f"{Feedback.objects.count()} feedback, {Feedback.objects.open().count()} open, {SlaClock.objects.count()} clocks"
    )
    user = User.objects.get(username="linyue")
    client = Client(HTTP_HOST="localhost")
    client.force_login(user)
    worst = 0.0
    for query in (
        "",
        "?tab=mine",
        "?tab=unassigned",
        "?tab=overdue",
        "?tab=review",
        "?tab=waiting",
        "?tab=done",
        "?tab=all",
        "?tier=S",
        "?tier=A&channel=taobao",
        "?store=SH01",
        "?category=LOGISTICS&tier=B",
        "?o=due",
        "?o=negative",
        "?o=newest",
        "?received=7&sentiment=negative",
        # Saved views that hardly anything or nothing matches: the list has to be walked to its end.
        "?kind=suggestion&emotion=anger",
        "?category=SAFETY&kind=praise",
        "?sentiment=positive&emotion=anxiety&channel=jd",
        "?store=SH01&emotion=anger&category=PRICE",
        "?assignee=linyue&category=REFUND&received=7",
        "?tab=overdue&kind=praise",
        "?tab=unassigned&emotion=satisfaction&tier=A",
        "?tab=all&kind=inquiry&category=STOCK",
        "?tab=done&tier=S&sentiment=positive",
        "?o=negative&kind=suggestion&emotion=anger",
        "?o=due&kind=suggestion&emotion=anger",
        "?q=过敏",
        "?q=物流太慢",
    ):
        url = f"/admin/feedback/feedback/{query}"
        client.get(url)
        with CaptureQueriesContext(connection) as captured:
            start = time.perf_counter()
            response = client.get(url)
            wall = (time.perf_counter() - start) * 1000
        spent = sum(float(entry["time"]) for entry in captured.captured_queries) * 1000
        reads = [
            entry
            for entry in captured.captured_queries
            if entry["sql"].split(" ", 1)[0] in {"SELECT", "UPDATE", "INSERT"}
        ]
        worst = max(worst, spent)
        print(
            f"queue {query or '(first page)':34} {response.status_code} {len(reads):3} queries {spent:7.1f} ms database {wall:7.0f} ms wall"
        )
    print(f"slowest: {worst:.1f} ms of database time")
    for words in ("过敏", "漏液", "不错", "橙子", "物流太慢"):
        find(Feedback.objects.all(), words)
        with CaptureQueriesContext(connection) as captured:
            hits = len(
                list(find(Feedback.objects.visible_to(user), words).order_by("-received_at", "-id")[:25])
            )
        spent = sum(float(entry["time"]) for entry in captured.captured_queries) * 1000
        print(f"search {words}: {hits} shown, {spent:.1f} ms")
    now = timezone.now()
    due = SlaClock.objects.filter(state="running", next_check_at__lte=now).count()
    running = SlaClock.objects.filter(state="running").count()
    before = SlaEvent.objects.count()
    start = time.perf_counter()
    result = sweep_sla(now=now)
    print(
        f"sweep: {due} of {running} running clocks due, {result.examined} examined, {result.breached} breached, "
        f"{SlaEvent.objects.count() - before} events, {time.perf_counter() - start:.1f} s"
    )
    again = sweep_sla(now=now)
    print(f"sweep again: {again.examined} examined")


if __name__ == "__main__":
    main()
