"""The reminder on the first page until the shop is live."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from feedback_crm.setup.state import STEPS, company, done_steps


def card(user: Any, now: datetime) -> dict[str, Any] | None:
    """Nothing once live; one query then."""
    if company().live_at is not None:
        return None
    done = done_steps()
    return {
        "steps": [{"code": code, "name": name, "done": done[code]} for code, name in STEPS],
        "count": sum(done.values()),
        "of": len(STEPS),
    }
