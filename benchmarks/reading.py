"""Speed of the reading engine on a file of reviews: texts per second on one core, latency, loading, memory.

    python benchmarks/reading.py --file reviews_shop.csv.gz [--limit 20000]

The file is CSV (optionally .gz) with a column ``review``; it is not part of this repository.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def texts(path: Path, limit: int) -> list[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as lines:
        found = []
        for row in csv.DictReader(lines):
            found.append(row["review"])
            if limit and len(found) >= limit:
                break
        return found


def megabytes() -> float:
    """Peak resident memory; Linux counts in kB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="texts to read (0: all)")
    options = parser.parse_args()
    if options.file is None or not options.file.exists():
        print(f"file absent: --file {options.file or '(not given)'}", file=sys.stderr)
        return 2
    before = megabytes()
    start = time.perf_counter()
    from apps.feedback.analysis import Reader

    reader = Reader.from_package()
    reader.read("热身")
    loading = time.perf_counter() - start
    loaded = megabytes()
    print(f"loading: {loading:.2f} s, peak memory {loaded:.0f} MB (interpreter alone {before:.0f} MB)")

    reviews = texts(options.file, options.limit)
    if not reviews:
        print("no texts in the file", file=sys.stderr)
        return 2
    took: list[float] = []
    clock = time.perf_counter
    start = clock()
    for review in reviews:
        begin = clock()
        reader.read(review)
        took.append(clock() - begin)
    total = clock() - start
    took.sort()
    length = statistics.fmean(map(len, reviews))
    print(f"texts: {len(reviews)}, {length:.0f} characters on average")
    print(f"speed: {len(reviews) / total:,.0f} texts/s on one core")
    for share in (0.5, 0.99):
        print(f"p{share * 100:.0f}: {took[int(share * (len(took) - 1))] * 1000:.3f} ms")
    print(f"slowest: {took[-1] * 1000:.1f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
