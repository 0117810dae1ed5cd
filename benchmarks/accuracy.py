"""Accuracy of the reading engine on labelled real reviews: text only, and with the stars.

    python benchmarks/accuracy.py --shop reviews_shop.csv.gz --waimai reviews_waimai.csv.gz \\
        --dev labelled_dev.jsonl --challenge s_challenge_dev.jsonl

The CSV files have the columns ``category,label,review`` (label 1 or 0), the JSON lines those of the
labelling guide. None of them is part of this repository. Book, computer and hotel reviews are left out of
the shop figure because the shipped training text contains many of them.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from apps.feedback.analysis import VERSION, Reader, Reading

LEFT_OUT = frozenset({"书籍", "计算机", "酒店"})


def csv_rows(path: Path) -> Iterator[dict[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as lines:
        yield from csv.DictReader(lines)


def json_rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def percent(hits: int, of: int) -> str:
    return f"{hits}/{of} = {hits / of:.3f}" if of else f"{hits}/{of}"


def two_class(reader: Reader, name: str, path: Path, left_out: frozenset[str]) -> None:
    right: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for row in csv_rows(path):
        if row["category"] in left_out:
            continue
        label = row["label"]
        positive = reader.read(row["review"]).sentiment_score > 0
        seen[label] += 1
        right[label] += positive == (label == "1")
    print(
        f"{name}: two-class accuracy {percent(sum(right.values()), sum(seen.values()))}"
        f"  (positive {percent(right['1'], seen['1'])}, negative {percent(right['0'], seen['0'])})"
    )


def labelled(reader: Reader, rows: list[dict[str, Any]], with_stars: bool, show: bool) -> None:
    readings = [reader.read(row["text"], row.get("rating") if with_stars else None) for row in rows]
    fields = ("category", "subcategory", "tier", "emotion", "sentiment")
    for field in fields:
        pairs = [(row[field], getattr(reading, field)) for row, reading in zip(rows, readings, strict=True)]
        print(f"  {field}: {percent(sum(a == b for a, b in pairs), len(pairs))}")
        wrong = Counter(pair for pair in pairs if pair[0] != pair[1])
        if show:
            print("   ", ", ".join(f"{a or '-'}→{b or '-'} {n}" for (a, b), n in wrong.most_common(12)))
    flagged = sum(predicted_s(reading) for reading in readings)
    print(
        f"  flagged S or S-review: {percent(flagged, len(rows))}, of them S-review without S: "
        f"{sum(r.s_review and r.tier != 'S' for r in readings)}"
    )


def predicted_s(reading: Reading) -> bool:
    """Decisions 8: a review flag counts as predicted S, for recall and for precision."""
    return reading.tier == "S" or reading.s_review


def s_figures(reader: Reader, name: str, rows: list[dict[str, Any]], with_stars: bool, show: bool) -> None:
    hit = missed = false = 0
    for row in rows:
        reading = reader.read(row["text"], row.get("rating") if with_stars else None)
        truth, guess = row["tier"] == "S", predicted_s(reading)
        hit += truth and guess
        missed += truth and not guess
        false += guess and not truth
        if show and truth != guess:
            print(
                "   ",
                "missed" if truth else "false ",
                row["id"],
                reading.reasons,
                reading.sentiment_score,
                row["text"][:120],
            )
    print(f"  {name}: S precision {percent(hit, hit + false)}, recall {percent(hit, hit + missed)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("shop", "waimai", "dev", "challenge"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--show", action="store_true", help="print confusions and S errors")
    options = parser.parse_args()
    for name in ("shop", "waimai", "dev", "challenge"):
        path = getattr(options, name)
        if path is None or not path.exists():
            print(f"file absent: --{name} {path or '(not given)'}", file=sys.stderr)
            return 2
    reader = Reader.from_package()
    print(f"version {VERSION}")
    dev, challenge = json_rows(options.dev), json_rows(options.challenge)
    for with_stars in (False, True):
        print(f"labelled reviews, {'with stars' if with_stars else 'text only'}")
        labelled(reader, dev, with_stars, options.show)
        s_figures(reader, "labelled", dev, with_stars, options.show)
        s_figures(reader, "S challenge", challenge, with_stars, options.show)
        s_figures(reader, "union", dev + challenge, with_stars, False)
    print("sentiment by the sign of the score, text only")
    two_class(reader, "waimai", options.waimai, frozenset())
    two_class(reader, "shop without 书籍, 计算机, 酒店", options.shop, LEFT_OUT)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
