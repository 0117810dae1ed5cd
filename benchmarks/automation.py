"""How much automation costs beside intake: 100 rules over rows taken in by the same batches as an import.

python benchmarks/automation.py --file reviews.csv.gz --database-url postgres://… [--rows 50000] [--rules 100]

Of the rows 20 % match one rule and 2 % match three; every rule has at least two conditions; actions (tag, note, run log)
are really written. Prints intake's wall time, automation's (from the note after commit to the last write), their
ratio (goal: at most 0.30) and the queries of a batch with few and with many unmatched rows.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import random
import time
from pathlib import Path

from common import need_file, peak_mb, use_database

BATCH = 1000


def texts_of(source: Path, rows: int) -> list[str]:
    """Reviews of the real export, in a shuffled order."""
    opener = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rt", encoding="utf-8-sig", newline="") as file:
        found = [row["review"] for row in csv.DictReader(file) if row["review"].strip()]
    random.Random(7).shuffle(found)
    return found[:rows]


def marked(text: str, number: int, kind: str) -> str:
    """The text with the word some rules look for."""
    return text + {"one": f" 暗号甲{number % 40:02d}", "three": " 暗号乙", "": ""}[kind]


def rule_set(count: int) -> list[tuple[str, dict, list[dict]]]:
    """(code, conditions, actions): 40 rules match one row each of "one", three match "three", the others nothing."""
    rules = []
    for number in range(count):
        mark = [{"code": "mark", "params": {"name": f"基准{number}"}}]
        if number < 40:
            words = [f"暗号甲{number:02d}"]
        elif number < 43:
            words = ["暗号乙"]
        else:
            words = [f"从未出现{number}", f"也没有{number}"]
        first = (
            {"field": "source", "op": "in", "value": ["file"]}
            if number % 2
            else {"field": "is_historical", "op": "no"}
        )
        second = {"field": "text", "op": "any_word", "value": words}
        extra = (
            [
                {
                    "any": [
                        {"field": "tier", "op": "in", "value": ["S", "A", "B"]},
                        {"field": "rating", "op": "lte", "value": 2},
                    ]
                }
            ]
            if number % 3 == 0
            else []
        )
        rules.append((f"bench-{number}", {"all": [first, second, *extra]}, mark))
    return rules


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file")
    parser.add_argument("--database-url")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rules", type=int, default=100)
    options = parser.parse_args()
    source = need_file(parser, options.file, "FILE")
    use_database(options.database_url)
    texts = texts_of(source, options.rows)
    options.rows = len(texts)
    from django.db import connection
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from apps.automation.models import EventBatch, Mark, Rule, RuleRun
    from apps.automation.services import engine, rules
    from apps.automation.services.dry_run import dry_run
    from apps.feedback.incoming import IncomingFeedback
    from apps.feedback.models import Feedback
    from apps.feedback.services.intake import Near, take_in
    from apps.feedback.signals import taken_in

    now = timezone.now()
    run = f"{int(now.timestamp())}"
    for rule in Rule.objects.filter(status="enabled"):
        rules.disable(rule=rule, by=None, now=now)
    Rule.objects.filter(code__startswith="bench-").delete()
    for code, conditions, actions in rule_set(options.rules):
        rule = rules.save(
            rule=Rule(
                code=code,
                name=code,
                event="taken_in",
                conditions=conditions,
                actions=actions,
                max_per_hour=10_000_000,
                position=int(code.split("-")[1]),
            ),
            by=None,
            now=now,
        )
        dry_run(rule=rule, days=1, by=None, now=now)
        rules.enable(rule=rule, by=None, now=now)
    # The worker is this process: messages to a broker are not what is measured.
    taken_in.disconnect(dispatch_uid="automation.taken_in")
    near = Near()
    intake = automation = 0.0
    result = engine.Result()
    for start in range(0, options.rows, BATCH):
        items = []
        for number in range(start, min(start + BATCH, options.rows)):
            share = number % 100
            kind = "one" if share < 20 else "three" if share < 22 else ""
            items.append(
                IncomingFeedback(
                    channel="taobao",
                    text=marked(texts[number], number, kind),
                    external_id=f"{run}-{number}",
                    rating=1 + number % 5,
                )
            )
        began = time.perf_counter()
        outcomes = take_in(items, source="file", now=timezone.now(), near=near)
        intake += time.perf_counter() - began
        began = time.perf_counter()
        for pk in engine.arrived(
            feedback_ids=[o.feedback_id for o in outcomes if o.feedback_id], now=timezone.now()
        ):
            engine.work_on(batch_id=pk, now=timezone.now(), result=result)
        automation += time.perf_counter() - began
    print(f"{connection.vendor}: {options.rows} rows, {options.rules} rules")
    print(f"intake     {intake:7.2f} s = {options.rows / intake:7.0f} rows/s")
    print(f"automation {automation:7.2f} s = {options.rows / automation:7.0f} rows/s")
    print(f"ratio      {automation / intake:7.3f} (goal at most 0.30)")
    print(
        f"matches {result.acted} (runs kept {RuleRun.objects.count()}, tags {Mark.objects.count()}), peak {peak_mb():.0f} MB"
    )
    for size in (100, 1000):
        ids = [
            pk
            for pk, text in Feedback.objects.filter(external_id__startswith=run).values_list("id", "text")[
                :20000
            ]
            if "暗号" not in text
        ][:size]
        (batch,) = engine.arrived(feedback_ids=ids, now=timezone.now())
        with CaptureQueriesContext(connection) as captured:
            engine.work_on(batch_id=batch, now=timezone.now())
        print(f"{size} unmatched rows: {len(captured)} statements")
    EventBatch.objects.filter(done_at__isnull=True).delete()


if __name__ == "__main__":
    main()
