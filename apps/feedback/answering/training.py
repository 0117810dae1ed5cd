"""The weights of the confidence, from the development questions; rerun after changing words or rules.

    python -m apps.feedback.answering.training --articles apps/feedback/demo_data/knowledge.json \\
        --shop apps/feedback/demo_data/shop.json --questions benchmarks/data/kb_dev.jsonl

Each question counts twice: with its article (right when it comes first) and without it (whatever comes first is wrong),
so that the confidence knows what a gap in the knowledge base looks like. The fixed set of the benchmark is never read.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from math import exp
from pathlib import Path
from typing import Any

from apps.feedback.answering.gates import Facts, stops
from apps.feedback.answering.index import FEATURES, Entry, Index, Weights

TARGET = Path(__file__).resolve().parent / "data" / "calibration.json"
PLAIN = Weights(0.0, (0.0,) * len(FEATURES))


def entries_from(articles: Iterable[dict[str, Any]], products: dict[str, dict[str, Any]]) -> list[Entry]:
    """Entries of the sample articles, both languages; keys are (code, language)."""
    out = []
    for article in articles:
        terms = tuple(
            dict.fromkeys(
                word
                for sku in article["products"]
                for word in (
                    products[sku]["name"],
                    *products[sku]["keywords"],
                    *products[sku].get("synonyms", ()),
                )
            )
        )
        for language, part in (("zh", article), ("en", article.get("en"))):
            if part:
                out.append(
                    Entry(
                        key=(article["code"], language),
                        language=language,
                        title=part["title"],
                        variants=tuple(part["variants"]),
                        body=part["body"],
                        terms=terms,
                        products=frozenset(article["products"]),
                    )
                )
    return out


def examples(entries: list[Entry], rows: Iterable[dict[str, Any]]) -> list[tuple[list[float], int, float]]:
    """(features, right or wrong, weight) of every development question that no gate stops."""
    whole = Index(entries, PLAIN)
    without = {
        code: Index([entry for entry in entries if entry.key[0] != code], PLAIN)  # type: ignore[index]
        for code in {entry.key[0] for entry in entries}  # type: ignore[index]
    }
    out = []
    for row in rows:
        if stops(row["text"], Facts()):
            continue
        wanted = row.get("article", "")
        for index, weight in ((whole, 1.0), (without.get(wanted), 0.4)):
            hits = index.search(row["text"], limit=1) if index is not None else []
            if hits:
                hit = hits[0]
                right = index is whole and hit.key[0] == wanted  # type: ignore[index]
                out.append(([1.0, *hit.features], int(right), weight))
    return out


def fit(
    rows: list[tuple[list[float], int, float]], *, rounds: int = 4000, pull: float = 0.0005
) -> list[float]:
    """Logistic regression by gradient descent with a mild pull to zero."""
    weights = [0.0] * (len(FEATURES) + 1)
    total = sum(weight for _x, _y, weight in rows)
    for step in range(rounds):
        slope = [0.0] * len(weights)
        for x, y, weight in rows:
            value = sum(w * f for w, f in zip(weights, x, strict=True))
            error = (1 / (1 + exp(-max(-30, min(30, value)))) - y) * weight
            for place, feature in enumerate(x):
                slope[place] += error * feature
        rate = 4.0 / (1 + step / 2000)
        weights = [
            w - rate * (s / total + (pull * w if place else 0.0))
            for place, (w, s) in enumerate(zip(weights, slope, strict=True))
        ]
    return weights


def main() -> None:
    """Fit, print and write the data file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=Path, required=True)
    parser.add_argument("--shop", type=Path, required=True)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--threshold", type=float, default=0.3, help="what the rules start with")
    given = parser.parse_args()
    articles = json.loads(given.articles.read_text("utf-8"))["articles"]
    products = {row["sku"]: row for row in json.loads(given.shop.read_text("utf-8"))["products"]}
    rows = [json.loads(line) for line in given.questions.read_text("utf-8").splitlines()]
    known = examples(entries_from(articles, products), rows)
    weights = fit(known)
    named = {name: round(value, 4) for name, value in zip(("bias", *FEATURES), weights, strict=True)}
    print(len(known), "examples", named)
    TARGET.write_text(
        json.dumps(
            {"made_from": given.questions.name, "threshold": given.threshold, "weights": named}, indent=1
        )
        + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
