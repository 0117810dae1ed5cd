"""Finding the article that answers a question, with a confidence that means something.

How much of what the question says does an article cover (rarer words count more; words no article knows count
against every one of them), and how close is its nearest question variant? A logistic function over these and the
lead over the next article gives the confidence; its weights come from ``training`` on the development questions.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Set
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from math import exp, log

from apps.feedback.answering.words import Prepared, is_sign, language_of, prepare, tokens

#: How far a word of the question counts as covered, by where the article holds it.
ASKED, NAMED, SAID = 1.0, 1.0, 0.55
#: Share of the cover in the score; the rest is the nearest variant.
MIX = 0.55
#: How sharply rare words count.
POWER = 1.0
#: So many candidates are compared variant by variant.
CLOSER_LOOK = 25


@dataclass(frozen=True, slots=True)
class Entry:
    """One article. ``terms`` are names of the products it is about; ``products`` their keys (empty: all)."""

    key: Hashable
    language: str
    title: str
    variants: tuple[str, ...] = ()
    body: str = ""
    terms: tuple[str, ...] = ()
    products: frozenset[Hashable] = frozenset()


#: What the confidence is made of, each 0–1 (``lead`` −0.3–0.3): the share of the question the article covers, the share
#: of its signs, the likeness of the nearest variant and which share of the question and of the variant they have in
#: common, the lead over the next article (absolute, relative), how much is said at all, which share no article knows,
#: and how much of it this article does not know.
FEATURES = ("cover", "signs", "near", "asked", "variant", "lead", "relative", "mass", "unknown", "stray")


@dataclass(frozen=True, slots=True)
class Hit:
    """An article that may answer. ``confidence`` 0–1: how often such a match is right, by the development questions."""

    key: Hashable
    score: float
    confidence: float
    variant: str
    features: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Weights:
    """Logistic weights of the confidence, one for each of FEATURES; ``threshold`` is what the rules start with."""

    bias: float
    values: tuple[float, ...]
    threshold: float = 0.3

    @classmethod
    @lru_cache(maxsize=1)
    def shipped(cls) -> Weights:
        """As made by ``python -m apps.feedback.answering.training``."""
        raw = resources.files(__package__).joinpath("data", "calibration.json").read_text(encoding="utf-8")
        data = json.loads(raw)
        named = data["weights"]
        return cls(named["bias"], tuple(named[name] for name in FEATURES), data["threshold"])

    def confidence(self, features: tuple[float, ...]) -> float:
        """0–1."""
        value = self.bias + sum(w * f for w, f in zip(self.values, features, strict=True))
        return 1.0 / (1.0 + exp(-max(-30.0, min(30.0, value))))


_NOWHERE: dict[Hashable, float] = {}


class Index:
    """All articles of one moment. Built once, read by many; never changed."""

    def __init__(self, entries: Iterable[Entry], weights: Weights | None = None) -> None:
        self.weights = weights or Weights.shipped()
        self.entries: dict[Hashable, Entry] = {}
        self._languages: dict[Hashable, str] = {}
        # Per article: text, what it says, and how much that weighs.
        self._variants: dict[Hashable, list[tuple[str, frozenset[str], float]]] = {}
        bags: dict[Hashable, list[tuple[str, dict[str, float]]]] = {}
        places: dict[str, dict[Hashable, float]] = defaultdict(dict)
        for entry in entries:
            self.entries[entry.key] = entry
            asked = [(text, tokens(prepare(text))) for text in (entry.title, *entry.variants) if text]
            bags[entry.key] = asked
            for source, weight in (
                ((tokens(prepare(entry.body)),), SAID),
                ((tokens(prepare(term)) for term in entry.terms), NAMED),
                ((bag for _text, bag in asked), ASKED),
            ):
                for bag in source:
                    for token in bag:
                        known = places[token]
                        if known.get(entry.key, 0.0) < weight:
                            known[entry.key] = weight
        self._places = dict(places)
        total = len(self.entries) + 1
        self._rare = {
            token: log(1 + total / (len(found) + 0.5)) ** POWER for token, found in self._places.items()
        }
        self._rarest = log(1 + total / 0.5) ** POWER
        for key, asked in bags.items():
            self._variants[key] = [
                (text, frozenset(bag), sum(self._weigh(bag).values())) for text, bag in asked
            ]

    def __len__(self) -> int:
        return len(self.entries)

    def _weigh(self, bag: dict[str, float]) -> dict[str, float]:
        return {token: weight * self._rare.get(token, self._rarest) for token, weight in bag.items()}

    def _mass(self, asked: dict[str, float]) -> tuple[float, float]:
        """How much a question says, and which share of it no article knows."""
        mass = sum(asked.values())
        unknown = sum(
            # The characters of an unknown pair are judged by themselves.
            weight if len(token) == 1 or token.isascii() else weight * 0.5
            for token, weight in asked.items()
            if token not in self._places
        )
        return mass, unknown / mass if mass else 0.0

    def search(
        self,
        text: str,
        *,
        limit: int = 3,
        products: Set[Hashable] = frozenset(),
        only: Set[Hashable] | None = None,
    ) -> list[Hit]:
        """The best articles, best first. ``products``: what the case is about; ``only``: keys that may be answered."""
        prepared = prepare(text)
        bag = tokens(prepared)
        if not bag or not self.entries:
            return []
        language = language_of(text)
        asked = self._weigh(bag)
        mass, unknown = self._mass(asked)
        covered: dict[Hashable, float] = defaultdict(float)
        for token, weight in asked.items():
            for key, share in self._places.get(token, _NOWHERE).items():
                covered[key] += weight * share
        scored = []
        for key, sum_ in covered.items():
            entry = self.entries[key]
            if entry.language != language or (only is not None and key not in only):
                continue
            bonus = 0.0
            if products and entry.products:
                bonus = 0.08 if products & entry.products else -0.25
            scored.append((sum_ / mass + bonus, key))
        scored.sort(key=lambda pair: (-pair[0], str(pair[1])))
        closer = []
        for cover, key in scored[:CLOSER_LOOK]:
            near = self._nearest(asked, mass, key)
            closer.append((MIX * cover + (1 - MIX) * near[0], cover, key, near))
        closer.sort(key=lambda row: (-row[0], str(row[2])))
        signs = {token: weight for token, weight in asked.items() if is_sign(token)}
        named = sum(signs.values())
        hits = []
        for place, (score, cover, key, (near, asked_share, variant_share, variant)) in enumerate(
            closer[:limit]
        ):
            rival = closer[place + 1][0] if place + 1 < len(closer) else 0.0
            lead = score - rival if place == 0 else score - closer[0][0]
            held = sum(weight for token, weight in signs.items() if key in self._places.get(token, _NOWHERE))
            features = (
                cover,
                held / named if named else cover,
                near,
                asked_share,
                variant_share,
                max(-0.3, min(lead, 0.3)),
                max(-1.0, min(2 * lead / score, 1.0)) if score > 0 else 0.0,
                min(mass, 30.0) / 30.0,
                unknown,
                self._stray(prepared, key),
            )
            hits.append(Hit(key, score, self.weights.confidence(features), variant, features))
        return hits

    def _nearest(
        self, asked: dict[str, float], mass: float, key: Hashable
    ) -> tuple[float, float, float, str]:
        """(likeness, share of the question, share of the variant, the variant) of the nearest way of asking."""
        best = (0.0, 0.0, 0.0, "")
        for variant, held, own in self._variants[key]:
            common = sum(weight for token, weight in asked.items() if token in held)
            if common:
                near = 2 * common / (mass + own)
                if near > best[0]:
                    best = (near, common / mass, common / own, variant)
        return best

    def _stray(self, prepared: Prepared, key: Hashable) -> float:
        """How much is said that the article does not know at all (银行几点下班), in characters: 0 none, 1 six or more."""
        places = self._places
        left = 0.0
        for run in prepared.text.split():
            held = [is_sign(c) and key in places.get(c, _NOWHERE) for c in run]
            for at in range(len(run) - 1):
                if key in places.get(run[at : at + 2], _NOWHERE):
                    held[at] = held[at + 1] = True
            for character, known in zip(run, held, strict=True):
                if not known:
                    rare = self._rare.get(character, self._rarest) / self._rarest
                    left += rare * (
                        1.5 if is_sign(character) else 0.6 if key in places.get(character, _NOWHERE) else 1.0
                    )
        left += sum(1.5 for word in prepared.words if key not in places.get(word, _NOWHERE))
        return min(left, 6.0) / 6.0


__all__ = ["FEATURES", "Entry", "Hit", "Index", "Weights"]
