"""Duplicate texts: a key for equal ones, an exact index for near ones (R5; decisions.md 6; stack.md).

Texts are compared by their *key*: letters and digits only, width and case folded, runs collapsed, so that
punctuation, emoji and 好好好好 do not hide that two people (or one person twice) wrote the same.

Near duplicates are pairs whose sets of character 3-grams have a Jaccard similarity of at least 0.8. The index
is *exact*: prefix filtering leaves candidates out only when they provably cannot reach the threshold
(Bayardo, Ma, Srikant 2007, "Scaling up all pairs similarity search"; Xiao et al. 2008, PPJoin, for the
positional bound), and every candidate is checked on its real 3-grams. Plain Python, no Django.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from array import array
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import islice
from math import ceil

#: Shorter keys say too little to be called equal: 好评, 不错, 一般般.
MIN_KEY = 6
#: Grams of a text are taken from this many characters of its key; the rest cannot change the verdict cheaply.
MAX_KEY = 400
#: Texts of other runs that a run is compared with (decisions.md 6).
MAX_KNOWN = 200_000
THRESHOLD = 0.8

_NOT_WORD = re.compile(r"[\W_]+")
# Letters only: 100 and 1000 are different prices, 好好 and 好好好好 the same praise.
_RUN = re.compile(r"([^\d])\1+")


def text_key(text: str, translate: Mapping[int, int | str] | None = None) -> str:
    """The comparable form of a text, or "" when fewer than six characters remain.

    NFKC, lower case, letters and digits only, runs of one letter collapsed (digits are kept as they are).
    ``translate`` is an optional table for ``str.translate``, e.g. traditional → simplified characters.
    """
    key = text if text.isascii() else unicodedata.normalize("NFKC", text)
    key = _NOT_WORD.sub("", key.lower())
    if translate is not None:
        key = key.translate(translate)
    key = _RUN.sub(r"\1", key)
    return key if len(key) >= MIN_KEY else ""


def key_hash(key: str) -> int:
    """64-bit BLAKE2b of a key as a signed integer that fits a BIGINT column.

    For finding equal keys by index; compare the keys themselves where a collision would matter. An empty key
    means "not comparable": store NULL for it rather than its hash.
    """
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def grams(key: str) -> set[str]:
    """The 3-grams of (the first 400 characters of) a key; a key under three characters is its own gram."""
    key = key[:MAX_KEY]
    if len(key) < 3:
        return {key} if key else set()
    return set(map("".join, zip(key, key[1:], key[2:], strict=False)))


def jaccard(a: set[str], b: set[str]) -> float:
    """Size of the intersection over size of the union; 0 for two empty sets."""
    common = len(a & b)
    union = len(a) + len(b) - common
    return common / union if union else 0.0


# Buckets of the inverted index: about one for each distinct gram, 4 million (24 MB) at most.
_MIN_BITS, _MAX_BITS, _GRAMS_PER_TEXT = 12, 22, 48
_SAMPLE = 10_000
# Distinct texts after which an index without a sample looks again at which grams are rare.
_LEARN_AT = (400, 3_000, 20_000)
# A run this much smaller than what it is compared with is cheaper to scan for than to build an index.
_SCAN_RATIO = 40


class NearIndex:
    """Texts by id, asked for those whose Jaccard similarity to a key reaches ``threshold``.

    Rare grams make the search fast. ``sample`` is any iterable of keys like those to come (its first 10,000
    are read) and tells which are rare; without it the index learns that from the texts added and rebuilds
    itself at 400, 3,000 and 20,000 texts. Neither ever changes an answer.

    At most ``max_texts`` texts are kept; ``add`` then answers False and the index stays searchable.
    Per text the index holds the key and about 12 bytes for each gram of its prefix (a fifth of all).
    """

    def __init__(
        self, threshold: float = THRESHOLD, *, sample: Iterable[str] = (), max_texts: int = MAX_KNOWN
    ) -> None:
        if not 0 < threshold <= 1:
            raise ValueError("the threshold lies above 0 and at most at 1")
        self.threshold = threshold
        self.max_texts = max_texts
        # 0.8 as a float is a little more than 4/5; bounds are computed exactly, like the final comparison.
        self._exact = Fraction(str(threshold))
        self._count = 0
        self._keys: list[str] = []  # distinct keys (cut to MAX_KEY), in order of arrival
        self._ids: list[object] = []  # first id of each
        self._more: dict[int, list[object]] = {}  # further ids with the same key
        self._slot: dict[str, int] = {}
        self._sizes = array("H")
        # Inverted index as linked lists in flat arrays: bucket -> newest entry -> older entry …
        self._bits = min(_MAX_BITS, max(_MIN_BITS, (max_texts * _GRAMS_PER_TEXT).bit_length()))
        self._mask = (1 << self._bits) - 1
        self._head = array("i", [-1]) * (1 << self._bits)
        self._next = array("i")
        self._doc = array("i")
        self._pos = array("H")
        self._need: dict[int, tuple[int, int, int]] = {}
        self._weights = self._count_grams(sample)
        self._learn_at = () if any(self._weights) else _LEARN_AT

    def _count_grams(self, sample: Iterable[str]) -> array[int]:
        counts, mask = array("H", [0]) * (1 << self._bits), self._mask
        for key in islice(sample, _SAMPLE):
            for gram in grams(key):
                bucket = hash(gram) & mask
                if counts[bucket] < 65_535:
                    counts[bucket] += 1
        return counts

    def __len__(self) -> int:
        """Number of texts added."""
        return self._count

    @property
    def full(self) -> bool:
        """True when nothing more will be added."""
        return self._count >= self.max_texts

    def _tokens(self, key_grams: set[str]) -> list[int]:
        """One integer for each gram, rarest first.

        Two grams may share an integer. The prefix filter stays exact all the same: the smallest integer among
        the common grams stands in both prefixes, whichever gram it came from.
        """
        weights, mask, bits = self._weights, self._mask, self._bits
        buckets = [hash(gram) & mask for gram in key_grams]
        return sorted([weights[bucket] << bits | bucket for bucket in buckets])

    def _bounds(self, size: int) -> tuple[int, int, int]:
        """(prefix length, smallest, largest size of a partner) of a set of ``size`` grams."""
        known = self._need.get(size)
        if known is None:
            least = ceil(self._exact * size)
            known = self._need[size] = (size - least + 1, least, int(size / self._exact))
        return known

    def add(self, id: object, key: str) -> bool:
        """Remember a text. An empty key is ignored. False when ignored or full."""
        return self._add(id, key, None)

    def _add(self, id: object, key: str, tokens: list[int] | None) -> bool:
        if not key or self._count >= self.max_texts:
            return False
        key = key[:MAX_KEY]
        self._count += 1
        slot = self._slot.setdefault(key, len(self._keys))
        if slot < len(self._keys):
            self._more.setdefault(slot, []).append(id)
            return True
        if tokens is None:
            tokens = self._tokens(grams(key))
        self._keys.append(key)
        self._ids.append(id)
        self._sizes.append(len(tokens))
        self._enter(slot, tokens)
        if len(self._keys) in self._learn_at:
            self._learn()
        return True

    def _learn(self) -> None:
        """Order grams by how rare they are in the texts held so far, and enter all texts anew."""
        self._weights = self._count_grams(self._keys[:: -(-len(self._keys) // _SAMPLE)])
        self._head = array("i", [-1]) * (1 << self._bits)
        self._next, self._doc, self._pos = array("i"), array("i"), array("H")
        for slot, key in enumerate(self._keys):
            self._enter(slot, self._tokens(grams(key)))

    def _enter(self, slot: int, tokens: list[int]) -> None:
        head, following, docs, places, mask = self._head, self._next, self._doc, self._pos, self._mask
        for place, token in enumerate(tokens[: self._bounds(len(tokens))[0]]):
            bucket = token & mask
            following.append(head[bucket])
            head[bucket] = len(docs)
            docs.append(slot)
            places.append(place)

    def _candidates(self, tokens: list[int]) -> set[int]:
        """Slots that may reach the threshold: a shared prefix gram, fitting size, enough grams behind it."""
        size = len(tokens)
        prefix, low, high = self._bounds(size)
        head, following, docs, places, sizes = self._head, self._next, self._doc, self._pos, self._sizes
        threshold, mask = self.threshold / (1 + self.threshold), self._mask
        found: set[int] = set()
        for place in range(prefix):
            entry = head[tokens[place] & mask]
            left = size - place
            while entry >= 0:
                slot = docs[entry]
                if low <= (other := sizes[slot]) <= high:
                    # If this is the first common gram, at most the shorter rest is common. A later one of a
                    # pair may be refused here, the first never is. 1e-6 of slack keeps rounding harmless.
                    need = threshold * (size + other) - 1e-6
                    if left >= need and other - places[entry] >= need:
                        found.add(slot)
                entry = following[entry]
        return found

    def _matches(self, key: str, key_grams: set[str], tokens: list[int]) -> list[tuple[int, float]]:
        """(slot, similarity) of all texts at or above the threshold, without order."""
        matches = []
        exact = self._slot.get(key[:MAX_KEY])
        numerator, denominator = self._exact.numerator, self._exact.denominator
        for slot in self._candidates(tokens):
            if slot == exact:
                continue
            other = grams(self._keys[slot])
            common = len(key_grams & other)
            union = len(key_grams) + len(other) - common
            if common * denominator >= numerator * union:
                matches.append((slot, common / union))
        if exact is not None:
            matches.append((exact, 1.0))
        return matches

    def find(self, key: str) -> list[tuple[object, float]]:
        """``(id, similarity)`` of every text at or above the threshold: most similar first, then oldest."""
        if not key:
            return []
        result: list[tuple[object, float]] = []
        key_grams = grams(key)
        matches = self._matches(key, key_grams, self._tokens(key_grams))
        for slot, score in sorted(matches, key=lambda match: (-match[1], match[0])):
            result.append((self._ids[slot], score))
            result += [(id, score) for id in self._more.get(slot, ())]
        return result

    def link(self, id: object, key: str) -> tuple[object, float] | None:
        """The most similar text so far (the oldest of equals) or None; then ``add`` this one."""
        if not key:
            return None
        exact = self._slot.get(key[:MAX_KEY])
        if exact is not None:
            self._add(id, key, None)
            return self._ids[exact], 1.0
        key_grams = grams(key)
        tokens = self._tokens(key_grams)
        matches = self._matches(key, key_grams, tokens)
        best = min(matches, key=lambda match: (-match[1], match[0]), default=None)
        self._add(id, key, tokens)
        return None if best is None else (self._ids[best[0]], best[1])


def _scan(key: str, texts: Iterable[tuple[object, str]], threshold: float) -> tuple[object, float] | None:
    """The most similar of ``texts`` without an index: exact, for a key or two against many texts.

    A text that reaches the threshold shares at least ``t · |x|`` grams with ``x``, so it holds one of any
    ``|x| - t · |x| + 1`` grams of it: one regular expression rules the others out.
    """
    exact = Fraction(str(threshold))
    mine = grams(key)
    prefix = len(mine) - ceil(exact * len(mine)) + 1
    any_of_them = re.compile("|".join(re.escape(gram) for gram in sorted(mine)[:prefix])).search
    shortest = exact * len(mine)
    best: tuple[object, float] | None = None
    for id, other in texts:
        # A key of n characters has at most n - 2 grams (and at least one).
        if len(other) < shortest or not any_of_them(other):
            continue
        theirs = grams(other)
        common = len(mine & theirs)
        union = len(mine) + len(theirs) - common
        if common * exact.denominator >= exact.numerator * union:
            score = 1.0 if other[:MAX_KEY] == key[:MAX_KEY] else common / union
            if best is None or score > best[1]:
                best = (id, score)
    return best


def link_run(
    keys: Sequence[tuple[object, str]],
    known: Iterable[tuple[object, str]] = (),
    *,
    threshold: float = THRESHOLD,
) -> dict[object, tuple[object, float]]:
    """For each text of a run its nearest earlier one: ``{id: (other_id, similarity)}``, matched ones only.

    Earlier means: in ``known`` (give the newest first; the first 200,000 are read) or before it in
    ``keys``; of equally similar texts the first one given is taken. Similarity 1.0 means the same 3-grams, in
    practice the same key. A handful of texts is scanned for, a larger run builds a ``NearIndex``.
    """
    before = [pair for pair in islice(known, MAX_KNOWN) if pair[1]]
    links: dict[object, tuple[object, float]] = {}
    if len(keys) * _SCAN_RATIO <= len(before):
        for id, key in keys:
            if key:
                nearest = _scan(key, before, threshold)
                if nearest is not None:
                    links[id] = nearest
                before.append((id, key))
        return links
    step = max(1, (len(before) + len(keys)) // _SAMPLE)
    index = NearIndex(
        threshold,
        sample=(key for _, key in islice((pair for part in (keys, before) for pair in part), 0, None, step)),
        max_texts=len(before) + len(keys),
    )
    for id, key in before:
        index.add(id, key)
    for id, key in keys:
        nearest = index.link(id, key)
        if nearest is not None:
            links[id] = nearest
    return links
