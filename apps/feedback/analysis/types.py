"""The values a reading is made of. Plain data: no Django, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["complaint", "inquiry", "suggestion", "praise", "review"]
Sentiment = Literal["positive", "neutral", "negative"]
Emotion = Literal["anger", "disappointment", "anxiety", "suggestion", "satisfaction", "neutral"]
Tier = Literal["S", "A", "B"]
Role = Literal[
    "s_trigger",
    "s_review",
    "category",
    "emotion",
    "kind",
    "negated",
    "doubt",
    "false_friend",
    "competitor",
]


@dataclass(slots=True, frozen=True)
class Span:
    """One piece of evidence: ``original_text[start:end]`` is what the customer wrote."""

    start: int
    end: int
    word: str
    role: Role
    code: str


@dataclass(slots=True, frozen=True)
class Reading:
    """What the engine understood of one text.

    ``tier`` is what the rules say now; ``s_review`` asks a person whether it should be S
    (labelling guide; decisions 8: a flag counts as "predicted S"). Both can be true: a suspicion of
    counterfeit in a negative review is S and still wants a pair of eyes.
    """

    kind: Kind
    sentiment: Sentiment
    sentiment_score: float
    emotion: Emotion
    category: str
    subcategory: str
    tier: Tier
    s_review: bool
    needs_review: bool
    confidence: float
    keywords: tuple[str, ...]
    spans: tuple[Span, ...]
    competitors: tuple[str, ...]
    strength: float
    reasons: tuple[str, ...]
    version: str
