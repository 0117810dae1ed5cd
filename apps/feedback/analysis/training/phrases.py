"""Our own example phrases, and short reviews composed of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

_LABELS = {"+": 1, "-": 0, "0": None, "~": None}
_SEED = 20240901
_COPIES = 4
_BUT = ("但是", "但", "不过", "就是", "可是", "只是", "然而", "可惜")
_THOUGH = ("虽然", "尽管")
_STOPS = (",", ",", "。", "!", " ", "")


@dataclass(slots=True, frozen=True)
class Phrase:
    """``label`` is 1 for satisfied, 0 for dissatisfied, None for neither."""

    code: str
    label: int | None
    text: str


def load_phrases() -> list[Phrase]:
    source = resources.files(__package__).joinpath("phrases.txt").read_text(encoding="utf-8")
    phrases: list[Phrase] = []
    for line in source.splitlines():
        if not line or line.startswith("#"):
            continue
        code, sign, texts = line.split(" ", 2)
        phrases += [Phrase(code, _LABELS[sign], text) for text in texts.split("|") if text]
    return phrases


def compose_topics(phrases: list[Phrase], keywords: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """``(text, code)`` for the topic model: phrases and listed words, alone and among small talk.

    Anger and faint praise around a complaint must not move it, so both are mixed in at random.
    """
    chance = random.Random(_SEED)  # noqa: S311 - reproducible shuffling, no secret
    chatter = [p.text for p in phrases if p.code == "OTHER_NO_CONTENT"]
    praise = [p.text for p in phrases if p.label == 1]
    for text in praise:
        yield text, "PRAISE_GENERAL"
    topical = [(p.text, p.code) for p in phrases if p.label != 1]
    for text, code in topical + keywords:
        yield text, code
        yield chance.choice(chatter) + chance.choice(_STOPS) + text, code
        yield text + chance.choice(_STOPS) + chance.choice(chatter), code
        yield f"{chance.choice(praise)},{chance.choice(_BUT)}{text}", code


def compose(phrases: list[Phrase]) -> Iterator[tuple[str, int]]:
    """Short reviews with known sentiment: one phrase, two alike, and "good, but bad".

    After 但是 the second half carries the judgement; the model sees that in a few hundred variations.
    Deterministic: the generator has a fixed seed.
    """
    chance = random.Random(_SEED)  # noqa: S311 - reproducible shuffling, no secret
    sides = {label: [p.text for p in phrases if p.label == label] for label in (0, 1)}
    for label, texts in sides.items():
        for text in texts:
            yield text, label
            for _ in range(_COPIES):
                other = chance.choice(texts)
                yield text + chance.choice(_STOPS) + other + chance.choice(_STOPS), label
    for text in sides[0]:
        praise = chance.choice(sides[1])
        yield f"{praise},{chance.choice(_BUT)}{text}", 0
    for text in sides[1]:
        blame = chance.choice(sides[0])
        yield f"{chance.choice(_THOUGH)}{blame},{chance.choice(_BUT[:3])}{text}", 1
