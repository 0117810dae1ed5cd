"""What happens every night."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apps.performance.services.months import rebuild_recent
from apps.performance.services.proposals import sweep_proposals
from apps.performance.services.quality import draw_last, remind_follow_ups
from apps.performance.services.scores import draft_last


def nightly(*, now: datetime) -> dict[str, Any]:
    """Idempotent: a lost or doubled run changes nothing. Each step stands by itself."""
    return {
        "sample": 1 if draw_last(now=now) else 0,
        **rebuild_recent(now=now),
        "drafts": draft_last(now=now),
        "proposals": sweep_proposals(now=now),
        "reminders": remind_follow_ups(now=now),
    }
