"""A closed case as a story for trainees: what the customer said, what the shop answered, how it went. Masked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from apps.callbacks.models import Callback
from apps.core.masking import mask_name, mask_text
from apps.feedback.models import Feedback
from apps.feedback.selectors.case import ThreadLine, thread


@dataclass
class Step:
    """What the customer said, and what the shop really answered to it."""

    said: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)


def hidden(text: str, names: list[str]) -> str:
    """Masked, and without the names the case knows: a customer who signs does not stand in a training."""
    text = mask_text(text)
    for name in names:
        text = text.replace(name, mask_name(name))
    return text


def _names(feedback: Feedback) -> list[str]:
    customer = feedback.customer
    names = {feedback.author_name, *((customer.name, customer.nickname) if customer else ())}
    return sorted((name for name in names if len(name) > 1), key=len, reverse=True)


def steps(feedback: Feedback) -> list[Step]:
    """The conversation in steps; internal notes are left out: they may speak of third people. Three queries."""
    names = _names(feedback)
    story = [Step([hidden(feedback.text, names)])]
    lines: list[ThreadLine] = thread(feedback)
    for line in lines:
        if line.side == "note" or not line.text.strip():
            continue
        if line.side == "customer":
            if story[-1].answered:
                story.append(Step())
            story[-1].said.append(hidden(line.text, names))
        else:
            story[-1].answered.append(hidden(line.text, names))
    return story


def ending(feedback: Feedback) -> dict[str, Any]:
    """How it went: the resolution masked, opened again, stars at the callback. One query."""
    stars = (
        Callback.objects.filter(feedback=feedback, satisfaction__isnull=False)
        .order_by("-finished_at")
        .values_list("satisfaction", flat=True)
        .first()
    )
    return {
        "resolution": hidden(feedback.resolution, _names(feedback)),
        "reopened": feedback.reopened,
        "stars": stars,
        "late": feedback.breached_at is not None,
    }
