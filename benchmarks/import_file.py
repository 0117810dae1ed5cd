"""The real export through `import_feedback` as new, with exact and edited copies made here.

python benchmarks/import_file.py --file reviews.csv.gz --database-url postgres://… [--rows N] [--copies 0.1]

Prints rows/s end to end, milliseconds by stage, peak memory, and precision and recall of duplicate links: every
copy carries its own id, so it must be created and linked to its original (decisions, item 6).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import tempfile
import time
from pathlib import Path

from common import need_file, peak_mb, use_database

EDITS = ("!", "。", "哈哈", "真的", ",谢谢")


def prepare(source: Path, target: Path, *, rows: int | None, copies: float, seed: int) -> dict[str, str]:
    """Write the file to import; answers copy id → original id."""
    rng = random.Random(seed)
    opener = gzip.open if source.suffix == ".gz" else open
    with opener(source, "rt", encoding="utf-8-sig", newline="") as file:
        originals = [(row["label"], row["review"]) for row in csv.DictReader(file) if row["review"].strip()]
    if rows:
        originals = rng.sample(originals, rows)
    lines = [(f"R{number}", label, text) for number, (label, text) in enumerate(originals)]
    pairs: dict[str, str] = {}
    long_enough = [line for line in lines if len(line[2]) >= 20]
    count = int(len(lines) * copies)
    for kind, chosen in (
        ("E", rng.sample(lines, count)),
        ("N", rng.sample(long_enough, min(count, len(long_enough)))),
    ):
        for ident, label, text in chosen:
            copy = f"{kind}-{ident}"
            if kind == "N":
                at = rng.randrange(len(text))
                text = text[:at] + rng.choice(EDITS) + text[at + 1 :]
            pairs[copy] = ident
            lines.append((copy, label, text))
    rng.shuffle(lines)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label", "review"])
        writer.writerows(lines)
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file")
    parser.add_argument("--database-url")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--copies", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    source = need_file(parser, options.file, "FILE")
    use_database(options.database_url)
    from django.db import connection

    from apps.feedback.models import Feedback
    from apps.feedback.services.file_import import import_file
    from apps.feedback.services.intake import Timings

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "import.csv"
        pairs = prepare(source, target, rows=options.rows, copies=options.copies, seed=options.seed)
        before = peak_mb()
        timings = Timings()
        start = time.perf_counter()
        result = import_file(
            path=target,
            channel="taobao",
            mapping="external_id=id,text=review,rating=label:0→1,1→5",
            as_new=True,
            timings=timings,
        )
        seconds = time.perf_counter() - start
    print(json.dumps(result.counts()))
    print(f"{connection.vendor}: {result.read} rows in {seconds:.1f} s = {result.read / seconds:.0f} rows/s")
    for stage, spent in sorted(timings.items(), key=lambda item: -item[1]):
        print(f"  {spent * 1000:9.0f} ms  {stage}  ({1000 * spent / max(1, result.read):.3f} ms a row)")
    print(f"peak memory {peak_mb():.0f} MB ({before:.0f} MB before the import)")
    _links(Feedback, pairs, result.run_id)


def _links(model, pairs: dict[str, str], run_id: int | None) -> None:
    rows = list(model.objects.filter(import_run_id=run_id).values_list("id", "external_id", "similar_to_id"))
    external = {pk: ident for pk, ident, _other in rows}
    # A copy and its original form one family; whichever came second carries the link.
    family = {ident: pairs.get(ident, ident) for _pk, ident, _other in rows}
    linked = {ident: external.get(other) for _pk, ident, other in rows if other is not None}
    members: dict[str, set[str]] = {}
    for ident, head in family.items():
        members.setdefault(head, set()).add(ident)
    for kind, name in (("E", "exact"), ("N", "edited")):
        copies = [copy for copy in pairs if copy.startswith(f"{kind}-")]
        found = sum(
            1
            for copy in copies
            if any(linked.get(one) in members[pairs[copy]] - {one} for one in (copy, pairs[copy]))
        )
        print(f"{name} copies linked: {found}/{len(copies)} = recall {found / max(1, len(copies)):.4f}")
    made = [ident for ident in linked if len(members[family[ident]]) > 1]
    right = sum(1 for ident in made if linked[ident] in members[family[ident]])
    print(f"links within the made families: {right}/{len(made)} = precision {right / max(1, len(made)):.4f}")
    print(f"links in all: {len(linked)} (the file itself holds repeated texts)")


if __name__ == "__main__":
    main()
