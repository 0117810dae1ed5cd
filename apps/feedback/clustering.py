"""Similar feedback grouped so that one fix answers many (R18). Plain Python: texts in, groups out.

A text is a bag of its characters' pairs, weighted by how rare they are, plus what the reading said it is
about. Three that name one product and one sub-category are one problem, in whatever words. All others are put together by
their words. Groups grow one text at a time: a text joins the nearest group whose centre is near enough, else it waits among
the loose ones; three loose texts near each other make a new group. No text is compared with all others: only with
groups and loose texts of its own category that share a rare piece with it.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import rjieba

from apps.feedback.analysis.normalise import normalise
from apps.feedback.hollow_words import HOLLOW

# Near enough to a group's centre; to another loose text; loose texts that make a group.
JOIN, MEET, SEED = 0.38, 0.4, 3
# How much the reading's category and the product weigh, against log-rarities of about 3 to 8.
MARKS = {"#": 5.0, "@": 5.0}
# Centres so near are one problem in two wordings.
SAME = 0.5
# What is kept of a centre, and the pieces of a text that are looked up.
CENTRE, PROBES = 96, 40
# As if so many other texts were known: in a young shop no word is common yet.
PRIOR = 300
MOST_LOOSE = 20_000
_PIECE = re.compile(r"[\u3400-\u9fff]+|[a-z0-9]+")
_EMPTY = HOLLOW | frozenset(
    """
    的时 的是 了一 是一 不好 太差 很差 差评 难吃 好吃 不错
    """.split()  # noqa: SIM905 - as in `hollow_words`
)


@dataclass(frozen=True, slots=True)
class Text:
    """One feedback as the grouping sees it."""

    id: int
    text: str
    category: str = ""
    subcategory: str = ""
    product: str = ""
    words: tuple[str, ...] = ()


# Where the product itself is what is wrong; elsewhere – a slow courier, a rude answer – it only stands by.
OF_PRODUCT = ("QUALITY", "PACKAGING", "MISMATCH", "SAFETY", "COUNTERFEIT", "GIFT", "STOCK")
# How alike two are that name one product and one sub-category.
SURE = 0.5


def about_of(item: Text) -> str:
    """The problem a text names outright: "product|sub-category"; "" where it is not the product's."""
    if not item.product or not item.subcategory.startswith(OF_PRODUCT):
        return ""
    return f"{item.product}|{item.subcategory}"


def pieces(item: Text) -> Counter[str]:
    """The bag of a text: pairs, whole Latin words, what the reading named."""
    bag: Counter[str] = Counter()
    for run in _PIECE.findall(normalise(item.text)):
        if run.isascii():
            if len(run) > 1 and not run.isdigit():
                bag[run] += 1
            continue
        for at in range(len(run) - 1):
            pair = run[at : at + 2]
            if pair not in _EMPTY:
                bag[pair] += 1
    for word in item.words:
        bag[word] += 2
    if item.subcategory:
        bag[f"#{item.subcategory}"] += 1
    if item.product:
        bag[f"@{item.product}"] += 1
    return bag


@dataclass(slots=True)
class Group:
    """A group: the sum of its members' vectors, cut to its weightiest pieces."""

    key: int
    category: str
    centre: dict[str, float]
    size: int
    about: str = ""

    def norm(self) -> float:
        """Length of the centre."""
        return math.sqrt(sum(value * value for value in self.centre.values())) or 1.0


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a text went: into a group (`group`), or with others into a new one (`fresh`, its members' ids)."""

    id: int
    group: int | None = None
    similarity: float = 0.0
    fresh: tuple[int, ...] = ()
    about: str = ""


@dataclass
class Grouping:
    """The groups and loose texts of one shop, in memory; filled from the database by whoever uses it."""

    frequency: Counter[str] = field(default_factory=Counter)
    texts: int = 0
    groups: dict[int, Group] = field(default_factory=dict)
    _of_category: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _loose: dict[int, dict[str, float]] = field(default_factory=dict)
    _loose_category: dict[int, str] = field(default_factory=dict)
    _about: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _holding: dict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))

    # -- what is known ----------
    def learn(self, items: Iterable[Text]) -> None:
        """Count how rare pieces are."""
        for item in items:
            self.texts += 1
            self.frequency.update(pieces(item).keys())

    def put_group(self, group: Group) -> None:
        """A group that is there already."""
        self.groups[group.key] = group
        self._of_category[group.category].add(group.key)
        if group.about:
            self._about[group.about] = group.key

    def drop_group(self, key: int) -> None:
        """Closed, merged or gone."""
        group = self.groups.pop(key, None)
        if group is not None:
            self._of_category[group.category].discard(key)
            if self._about.get(group.about) == key:
                del self._about[group.about]

    def vector(self, item: Text) -> dict[str, float]:
        """A text's vector of length one."""
        total = self.texts + PRIOR
        raw = {
            # Marks of the reading weigh like a fairly rare pair, whatever their frequency.
            piece: (1 + math.log(count))
            * (MARKS[piece[0]] if piece[0] in MARKS else math.log(total / (self.frequency[piece] + 1)) + 0.3)
            for piece, count in pieces(item).items()
        }
        norm = math.sqrt(sum(value * value for value in raw.values())) or 1.0
        return {piece: value / norm for piece, value in raw.items()}

    # -- placing ----------
    def place(self, item: Text, *, may_seed: bool = True) -> Placed:
        """Put one text: into the nearest group, or among the loose ones, or with two of them into a new group.

        A new group has no key yet: the caller stores it and calls `adopt`.
        """
        vector = self.vector(item)
        about = about_of(item)
        if about in self._about:
            group = self.groups[self._about[about]]
            self._grow(group, vector)
            return Placed(item.id, group.key, max(SURE, _cosine(vector, group.centre)))
        if about:
            self._waiting[about].append(item.id)
            if may_seed and len(self._waiting[about]) >= SEED:
                members = self._waiting.pop(about)
                for pk in members:
                    self._forget_loose(pk)
                return Placed(item.id, similarity=SURE, fresh=tuple(members), about=about)
        if len(vector) < 4:
            return Placed(item.id)
        key, score = self._nearest_group(item.category, vector)
        if key is not None and score >= JOIN:
            self._grow(self.groups[key], vector)
            return Placed(item.id, key, score)
        near = self._near_loose(item.category, vector)
        if may_seed and len(near) >= SEED - 1:
            members = [pk for pk, _score in near[:20]]
            for pk in members:
                self._forget_loose(pk)
            return Placed(item.id, fresh=(*members, item.id), similarity=near[0][1])
        self._keep_loose(item.id, item.category, vector)
        return Placed(item.id)

    def adopt(self, key: int, category: str, items: Sequence[Text], about: str = "") -> Group:
        """A new group that was stored as `key`."""
        group = Group(key, category, {}, 0, about)
        for item in items:
            self._grow(group, self.vector(item))
        self.put_group(group)
        return group

    def same_groups(self) -> list[tuple[int, int, float]]:
        """(smaller, larger, similarity) of groups that are one problem in two wordings, nearest first."""
        found = []
        for keys in self._of_category.values():
            ordered = sorted(keys, key=lambda key: -self.groups[key].size)
            for place, large in enumerate(ordered):
                for small in ordered[place + 1 :]:
                    if self.groups[small].about and self.groups[large].about:
                        # Two products, or two faults of one, stay two.
                        continue
                    score = _cosine(self.groups[small].centre, self.groups[large].centre)
                    if score >= SAME:
                        found.append((small, large, score))
        return sorted(found, key=lambda row: -row[2])

    def absorb(self, small: int, large: int) -> None:
        """Make one group of two."""
        gone, kept = self.groups[small], self.groups[large]
        kept.about = kept.about or gone.about
        for piece, value in gone.centre.items():
            kept.centre[piece] = kept.centre.get(piece, 0.0) + value
        kept.size += gone.size
        self._trim(kept)
        self.drop_group(small)
        if kept.about:
            self._about[kept.about] = large

    def _nearest_group(self, category: str, vector: dict[str, float]) -> tuple[int | None, float]:
        best, best_score = None, 0.0
        for key in self._of_category.get(category, ()):
            group = self.groups[key]
            centre = group.centre
            dot = sum(value * centre[piece] for piece, value in vector.items() if piece in centre)
            score = dot / group.norm() if dot else 0.0
            if score > best_score:
                best, best_score = key, score
        return best, best_score

    def _near_loose(self, category: str, vector: dict[str, float]) -> list[tuple[int, float]]:
        seen: Counter[int] = Counter()
        for piece in self._probes(vector):
            for pk in self._holding.get((category, piece), ()):
                seen[pk] += 1
        found = []
        for pk, shared in seen.items():
            if shared < 2:
                continue
            other = self._loose[pk]
            small, large = (vector, other) if len(vector) < len(other) else (other, vector)
            score = sum(value * large[piece] for piece, value in small.items() if piece in large)
            if score >= MEET:
                found.append((pk, score))
        return sorted(found, key=lambda pair: -pair[1])

    def _probes(self, vector: dict[str, float]) -> list[str]:
        """The pieces by which a text is looked up: its weightiest, without those that stand everywhere."""
        everywhere = max(50, self.texts // 20)
        rare = [piece for piece in vector if piece[0] not in "#@" and self.frequency[piece] <= everywhere]
        return sorted(rare, key=vector.__getitem__, reverse=True)[:PROBES]

    def _grow(self, group: Group, vector: dict[str, float]) -> None:
        centre = group.centre
        for piece, value in vector.items():
            centre[piece] = centre.get(piece, 0.0) + value
        group.size += 1
        self._trim(group)

    @staticmethod
    def _trim(group: Group) -> None:
        if len(group.centre) > CENTRE * 2:
            keep = sorted(group.centre, key=group.centre.__getitem__, reverse=True)[:CENTRE]
            group.centre = {piece: group.centre[piece] for piece in keep}

    def _keep_loose(self, pk: int, category: str, vector: dict[str, float]) -> None:
        if len(self._loose) >= MOST_LOOSE:
            self._forget_loose(next(iter(self._loose)))
        self._loose[pk], self._loose_category[pk] = vector, category
        for piece in self._probes(vector):
            self._holding[category, piece].add(pk)

    def _forget_loose(self, pk: int) -> None:
        vector, category = self._loose.pop(pk, None), self._loose_category.pop(pk, "")
        for piece in vector or ():
            holding = self._holding.get((category, piece))
            if holding is not None:
                holding.discard(pk)
                if not holding:
                    del self._holding[category, piece]


def _cosine(one: dict[str, float], other: dict[str, float]) -> float:
    small, large = (one, other) if len(one) < len(other) else (other, one)
    dot = sum(value * large[piece] for piece, value in small.items() if piece in large)
    if not dot:
        return 0.0
    lengths = math.sqrt(sum(v * v for v in one.values())) * math.sqrt(sum(v * v for v in other.values()))
    return dot / (lengths or 1.0)


def name_of(texts: Sequence[str], frequency: Counter[str], total: int, *, most: int = 3) -> list[str]:
    """The words and pairs of words that many of these texts share and few others have; at most `most`."""
    counted: Counter[str] = Counter()
    for text in texts:
        own: set[str] = set()
        before = ""
        for word in rjieba.cut(normalise(text)):
            good = len(word) > 1 and word not in _EMPTY and _PIECE.fullmatch(word) is not None
            if good:
                own.add(word)
            if before and _PIECE.fullmatch(word) is not None and 3 <= len(before + word) <= 6:
                own.add(before + word)
            before = word if _PIECE.fullmatch(word) is not None else ""
        counted.update(own)
    least = max(2, math.ceil(len(texts) / 4))
    scored = []
    for phrase, count in counted.items():
        if count < least or phrase.isdigit():
            continue
        ends = frequency[phrase[:2]] + 1, frequency[phrase[-2:]] + 1
        rare = sum(math.log((total + 1) / end) for end in ends) / 2
        scored.append((count / len(texts) * rare * (1 + 0.15 * len(phrase)), phrase))
    chosen: list[str] = []
    for _score, phrase in sorted(scored, reverse=True):
        if any(phrase in other or other in phrase or len(set(phrase) & set(other)) >= 2 for other in chosen):
            continue
        chosen.append(phrase)
        if len(chosen) == most:
            break
    return chosen
