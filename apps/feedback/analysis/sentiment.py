"""Two-class sentiment by a character n-gram logistic regression, served from a dict.

Trained by ``training/build_weights.py``; neither scikit-learn nor numpy is needed here. The weights are
a gzip'd text file: a header line in JSON, then ``weight<TAB>n-gram n-gram …`` with weights as integers.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import resources
from operator import add
from pathlib import Path

WEIGHTS_FILE = "sentiment.tsv.gz"
FORMAT = "feedback-sentiment-1"
_SCALE = 100


def ngrams(text: str) -> set[str]:
    """Characters, pairs and triples of a normalised text, each counted once."""
    grams = set(text)
    pairs = list(map(add, text, text[1:]))
    grams.update(pairs)
    grams.update(map(add, pairs, text[2:]))
    return grams


class SentimentModel:
    """A bias and one weight per n-gram; positive numbers mean a positive text."""

    __slots__ = ("_weights", "bias", "version")

    def __init__(self, weights: Mapping[str, float], bias: float, version: str = "custom") -> None:
        self._weights = dict(weights)
        self.bias = bias
        self.version = version

    def __len__(self) -> int:
        return len(self._weights)

    def items(self) -> Iterable[tuple[str, float]]:
        """Every n-gram with its weight."""
        return self._weights.items()

    def logit(self, text: str) -> float:
        """Log-odds that a normalised text is positive."""
        return self.weigh(ngrams(text))

    def weigh(self, grams: set[str]) -> float:
        """Log-odds for the n-grams of a normalised text, where the caller has them at hand."""
        return self.bias + sum(filter(None, map(self._weights.get, grams)))

    def dumps(self) -> bytes:
        """Serialise: same model, same bytes (no timestamp in the gzip header)."""
        groups: dict[int, list[str]] = {}
        for gram, weight in self._weights.items():
            value = round(weight * _SCALE)
            # An n-gram holding a separator could not be read back, and says nothing about sentiment.
            if value and not any(c.isspace() for c in gram):
                groups.setdefault(value, []).append(gram)
        header = {"format": FORMAT, "bias": round(self.bias, 4), "version": self.version}
        lines = [json.dumps(header, sort_keys=True)]
        lines += [f"{value}\t{' '.join(sorted(groups[value]))}" for value in sorted(groups)]
        return gzip.compress("\n".join(lines).encode("utf-8"), compresslevel=9, mtime=0)

    @classmethod
    def loads(cls, data: bytes) -> SentimentModel:
        lines = iter(gzip.decompress(data).decode("utf-8").split("\n"))
        header = json.loads(next(lines))
        if header.get("format") != FORMAT:
            raise ValueError(f"not a sentiment model: {header.get('format')!r}")
        model = cls({}, float(header["bias"]), str(header["version"]))
        for line in lines:
            value, _, grams = line.partition("\t")
            model._weights.update(dict.fromkeys(grams.split(" "), int(value) / _SCALE))
        return model

    @classmethod
    def from_path(cls, path: str | Path) -> SentimentModel:
        return cls.loads(Path(path).read_bytes())

    @classmethod
    def from_package(cls) -> SentimentModel:
        return cls.loads(resources.files(__package__).joinpath("data", WEIGHTS_FILE).read_bytes())


@lru_cache(maxsize=1)
def shipped_model_version() -> str:
    """Version of the shipped weights, without unpacking all of them."""
    source = resources.files(__package__).joinpath("data", WEIGHTS_FILE)
    if not source.is_file():
        return "none"  # the script which builds the weights imports this package before they exist
    with source.open("rb") as raw, gzip.open(raw, "rt", encoding="utf-8") as lines:
        return str(json.loads(lines.readline())["version"])


def squash(logit: float) -> float:
    """Log-odds to −1…1."""
    return math.tanh(logit / 2)


def accuracy(model: SentimentModel, texts: Iterable[tuple[str, int]]) -> float:
    """Share of ``(normalised text, 1 or 0)`` read right by sign."""
    right = total = 0
    for text, label in texts:
        right += (model.logit(text) > 0) == bool(label)
        total += 1
    return right / total if total else 0.0
