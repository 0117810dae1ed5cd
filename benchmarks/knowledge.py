"""Automatic answers on the fixed question set, and the speed of suggestions with 2,000 articles.

    python benchmarks/knowledge.py                                # reading + gates + retrieval, no database
    python benchmarks/knowledge.py --database-url sqlite:////tmp/kb.sqlite3
                                                                  # the same through intake and the answering sweep

Precision: of the answers given, how many are the right article. Coverage: of the 300 answerable questions, how many got
the right article. The other 150 (off-topic, price, refund, angry) must get none; each one answered counts as wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from apps.core.statistics import wilson
from apps.feedback.analysis import Reader
from apps.feedback.answering import Entry, Facts, Index, Weights, stops
from apps.feedback.answering.training import entries_from
from benchmarks.common import peak_mb, use_database

KINDS = ("off_topic", "price", "refund", "angry")


def load(path: Path) -> list[dict[str, Any]]:
    """JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def report(rows: list[dict[str, Any]], answers: dict[str, str]) -> bool:
    """Print the figures; whether both goals are met. `answers`: question id → code of the article said."""
    answerable = [row for row in rows if row["kind"] == "answer"]
    right = sum(answers.get(row["id"]) == row["article"] for row in answerable)
    sent = len(answers)
    wrong = Counter(
        row["kind"] for row in rows if row["id"] in answers and answers[row["id"]] != row.get("article")
    )
    low, high = wilson(right, sent)
    print(f"answered {sent}: right {right}, precision {right / max(sent, 1):.3f} (95 % {low:.3f}–{high:.3f})")
    low, high = wilson(right, len(answerable))
    print(
        f"coverage of {len(answerable)} answerable {right / len(answerable):.3f} (95 % {low:.3f}–{high:.3f})"
    )
    print("wrongly answered:", {kind: wrong.get(kind, 0) for kind in ("answer", *KINDS)})
    return right >= 0.95 * sent and right >= 0.8 * len(answerable)


def plain(
    rows: list[dict[str, Any]], entries: list[Entry], held: set[str], threshold: float
) -> dict[str, str]:
    """Reading, gates and retrieval without a database."""
    reader, index = Reader.from_package(), Index(entries)
    out: dict[str, str] = {}
    why: Counter[str] = Counter()
    for row in rows:
        read = reader.read(row["text"], None, is_review_channel=False)
        facts = Facts(
            read.kind, read.sentiment, read.emotion, read.tier, read.category, read.subcategory, read.s_review
        )
        hits = index.search(row["text"], limit=1)
        reasons = stops(row["text"], facts)
        if not reasons and hits and hits[0].confidence >= threshold and hits[0].key[0] not in held:  # type: ignore[index]
            out[row["id"]] = hits[0].key[0]  # type: ignore[index]
        elif row["kind"] == "answer":
            why[reasons[0] if reasons else "unsure"] += 1
    print("answerable left to people by first reason:", dict(why.most_common()))
    return out


def through_the_product(rows: list[dict[str, Any]], url: str, threshold: float) -> dict[str, str]:
    """The same questions through intake and the sweep, in batches as the task would take them."""
    use_database(url)
    from datetime import timedelta

    from django.utils import timezone

    from apps.feedback.incoming import IncomingFeedback
    from apps.feedback.models import AutoAnswer, Channel, Feedback, KnowledgePolicy
    from apps.feedback.selectors.knowledge import policy
    from apps.feedback.services import auto_answer, knowledge
    from apps.feedback.services.demo import _data
    from apps.feedback.services.intake import take_in
    from apps.feedback.services.replies_hook import readers
    from apps.shop.models import Product

    for row in _data("shop.json")["products"]:
        Product.objects.get_or_create(
            sku=row["sku"],
            defaults={
                "name": row["name"],
                "price": row["price"],
                "keywords": [*row["keywords"], *row["synonyms"]],
            },
        )
    now = timezone.now()
    Feedback.objects.filter(external_id__startswith="kb-").delete()
    knowledge.load_samples(by=None, now=now, published=True)
    rules = policy()
    KnowledgePolicy.objects.filter(pk=rules.pk).update(
        auto_answer=True, threshold=threshold, daily_cap=100000, switched_on_at=now - timedelta(minutes=1)
    )
    rules.channels.set(Channel.objects.filter(code="online_chat"))
    # Stands for the program behind the chat, which is told of answers by a webhook.
    readers.register("benchmark", lambda: True)
    outcomes = take_in(
        [
            IncomingFeedback(channel="online_chat", text=row["text"], external_id=f"kb-{row['id']}")
            for row in rows
        ],
        source="api",
        now=now,
    )
    refused = [outcome.message for outcome in outcomes if outcome.feedback_id is None]
    if refused:
        print("refused by intake:", refused[:3])
    started = time.perf_counter()
    while auto_answer.due(now=now, rules=rules):
        auto_answer.answer_due(now=now)
    print(f"sweep: {(time.perf_counter() - started) * 1000 / len(rows):.1f} ms a question")
    ids = {outcome.feedback_id: row["id"] for outcome, row in zip(outcomes, rows, strict=True)}
    return {
        ids[answer.feedback_id]: answer.article.code
        for answer in AutoAnswer.objects.filter(state="sent", feedback__in=list(ids)).select_related(
            "article"
        )
        if answer.article
    }


def speed(rows: list[dict[str, Any]], entries: list[Entry], count: int) -> None:
    """Suggestions over `count` articles made of pieces of the samples."""
    dice = random.Random(7)
    chinese = [entry for entry in entries if entry.language == "zh"]
    many = []
    for number in range(count):
        one, two = dice.choice(chinese), dice.choice(chinese)
        many.append(
            Entry(
                key=number,
                language="zh",
                title=f"{one.title}{number}",
                variants=(*one.variants, *dice.sample(two.variants, k=2)),
                body=one.body + two.body,
                terms=one.terms,
                products=one.products,
            )
        )
    started = time.perf_counter()
    index = Index(many)
    built = time.perf_counter() - started
    took = []
    for row in rows:
        started = time.perf_counter()
        index.search(row["text"], limit=3)
        took.append((time.perf_counter() - started) * 1000)
    took.sort()
    print(
        f"{count} articles: built in {built:.2f} s; suggestion p50 {took[len(took) // 2]:.1f} ms, "
        f"p95 {took[int(len(took) * 0.95)]:.1f} ms, max {took[-1]:.1f} ms; peak {peak_mb():.0f} MB"
    )


def main() -> int:
    """Exit code 1 when a goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=Path, default=ROOT / "benchmarks/data/kb_questions.jsonl")
    parser.add_argument("--threshold", type=float, default=Weights.shipped().threshold)
    parser.add_argument("--database-url", help="also go through intake and the sweep (it is written to)")
    parser.add_argument("--articles", type=int, default=2000, help="how many for the speed")
    given = parser.parse_args()
    rows = load(given.questions)
    articles = json.loads((ROOT / "apps/feedback/demo_data/knowledge.json").read_text("utf-8"))["articles"]
    shop = json.loads((ROOT / "apps/feedback/demo_data/shop.json").read_text("utf-8"))
    entries = entries_from(articles, {row["sku"]: row for row in shop["products"]})
    held = {row["code"] for row in articles if row["sensitive"]}
    print(f"{given.questions.name}, threshold {given.threshold}")
    good = report(rows, plain(rows, entries, held, given.threshold))
    if given.database_url:
        print("through intake and the sweep:")
        good = report(rows, through_the_product(rows, given.database_url, given.threshold)) and good
    speed(rows, entries, given.articles)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
