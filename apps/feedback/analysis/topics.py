"""What a complaint without a listed word is about: a small linear model over character pairs and triples.

39 % of real negatives name no word of the taxonomy (domain.md section 0, 9). This model, trained on our
own phrases only, proposes a subcategory for them; the rules always win over it, and it never makes
anything tier S.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from importlib import resources
from operator import add
from pathlib import Path

TOPICS_FILE = "topics.tsv.gz"
FORMAT = "feedback-topics-1"
_SCALE = 100
# A complaint that names no topic in this many characters will not be placed by guessing.
MAX_TOPIC = 120


def topic_grams(text: str) -> set[str]:
    """Pairs and triples of a normalised text, each counted once; single characters name no topic."""
    pairs = list(map(add, text, text[1:]))
    grams = set(pairs)
    grams.update(map(add, pairs, text[2:]))
    return grams


class TopicModel:
    """Per n-gram a short list of ``(class index, weight)``."""

    __slots__ = ("_bias", "_weights", "codes", "version")

    def __init__(
        self,
        codes: tuple[str, ...],
        bias: tuple[float, ...],
        weights: Mapping[str, tuple[tuple[int, float], ...]],
        version: str = "custom",
    ) -> None:
        self.codes = codes
        self._bias = bias
        self._weights = dict(weights)
        self.version = version

    def scores(self, text: str) -> dict[str, float]:
        """A linear score per code for a normalised text; only their order and distance mean something."""
        sums = list(self._bias)
        for parts in filter(None, map(self._weights.get, topic_grams(text[:MAX_TOPIC]))):
            for index, weight in parts:
                sums[index] += weight
        return dict(zip(self.codes, sums, strict=True))

    def best(self, text: str) -> tuple[str, float]:
        """The likeliest code and its lead over the runner-up."""
        ranked = sorted(self.scores(text).items(), key=lambda item: (-item[1], item[0]))
        return ranked[0][0], ranked[0][1] - ranked[1][1]

    def dumps(self) -> bytes:
        """Serialise: same model, same bytes."""
        header = {
            "format": FORMAT,
            "version": self.version,
            "codes": self.codes,
            "bias": [round(value, 4) for value in self._bias],
        }
        lines = [json.dumps(header, sort_keys=True)]
        for gram in sorted(self._weights):
            parts = [(i, round(w * _SCALE)) for i, w in self._weights[gram]]
            text = " ".join(f"{i}:{w}" for i, w in parts if w)
            if text and not any(c.isspace() for c in gram):
                lines.append(f"{gram}\t{text}")
        return gzip.compress("\n".join(lines).encode("utf-8"), compresslevel=9, mtime=0)

    @classmethod
    def loads(cls, data: bytes) -> TopicModel:
        lines = iter(gzip.decompress(data).decode("utf-8").split("\n"))
        header = json.loads(next(lines))
        if header.get("format") != FORMAT:
            raise ValueError(f"not a topic model: {header.get('format')!r}")
        weights: dict[str, tuple[tuple[int, float], ...]] = {}
        for line in lines:
            gram, _, parts = line.partition("\t")
            pairs = (part.split(":") for part in parts.split(" "))
            weights[gram] = tuple((int(index), int(weight) / _SCALE) for index, weight in pairs)
        return cls(tuple(header["codes"]), tuple(header["bias"]), weights, header["version"])

    @classmethod
    def from_path(cls, path: str | Path) -> TopicModel:
        return cls.loads(Path(path).read_bytes())

    @classmethod
    def from_package(cls) -> TopicModel:
        return cls.loads(resources.files(__package__).joinpath("data", TOPICS_FILE).read_bytes())
