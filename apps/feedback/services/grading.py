"""Tier and priority of one reading (R13–R15; domain.md 3.1)."""

from __future__ import annotations

from typing import Any

from apps.feedback.analysis import Reading
from apps.feedback.choices import Kind, Sentiment, Tier
from apps.feedback.models import Channel
from apps.feedback.selectors.reference import Reference


def tier_of(ref: Reference, reading: Reading, channel: Channel) -> tuple[str, list[str]]:
    """The tier and the reasons for it: what the text says, raised by who passes it on."""
    reasons = list(reading.reasons)
    if channel.is_authority and ref.tier_policy.authority_is_s and reading.kind != Kind.PRAISE:
        # A complaint that reaches an authority has its own legal clock (实施条例 art. 46).
        return Tier.S, [*reasons, f"authority:{channel.code}"]
    return reading.tier, reasons


def asks_for_nothing(kind: str, sentiment: str, tier: str, needs_review: bool) -> bool:
    """Praise and positive reviews without a request: no clock, nobody's work (decisions, item 2).

    A doubtful reading is never put aside: somebody looks at it first.
    """
    if tier == Tier.S or needs_review:
        return False
    return kind == Kind.PRAISE or (kind == Kind.REVIEW and sentiment == Sentiment.POSITIVE)


def priority_of(
    ref: Reference,
    *,
    tier: str,
    text: str,
    strength: float,
    same_problem: int,
    member_tier: str,
    sentiment: str,
) -> int:
    """0…100: urgency, severity, scope of impact and customer value (R13). Weights are data.

    `strength` is 0…1 for negative emotion; `same_problem` counts feedback about the same product and category within
    the policy's hours. Scope and customer value only raise what is not positive.
    """
    weights: dict[str, Any] = ref.weights
    value = float(weights["tier_base"].get(tier, 0))
    if any(word in text for word in weights["urgency"].get("words", ())):
        value += weights["urgency"]["weight"]
    value += weights["severity"]["weight"] * strength
    if sentiment != Sentiment.POSITIVE:
        if same_problem >= ref.tier_policy.scope_count:
            value += weights["scope"]["weight"] * min(1.0, same_problem / weights["scope"]["full_at_count"])
        value += weights["customer_value"]["weight"] * weights["customer_value"]["member_tier"].get(
            member_tier, 0
        )
    return max(0, min(100, round(value)))
