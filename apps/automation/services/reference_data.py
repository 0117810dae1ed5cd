"""Rules as shipped (source text 004)."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

from apps.automation.book import STAMP
from apps.automation.choices import RuleState
from apps.automation.models import Rule, RuleVersion
from apps.automation.services.rules import CONTENT, snapshot
from apps.core.reference import touch

FOLDER = Path(__file__).resolve().parent.parent / "reference"


def load_automation_reference(*, now: datetime) -> dict[str, Counter[str]]:
    """Make the shipped rules that are missing. A rule that is there belongs to the shop and is left alone."""
    done: Counter[str] = Counter()
    for entry in json.loads((FOLDER / "rules.json").read_text("utf-8")):
        if Rule.objects.filter(code=entry["code"]).exists():
            done["kept"] += 1
            continue
        # Created in its state; later moves are people's.
        on = entry["enabled"]
        rule = Rule.objects.create(
            code=entry["code"],
            status=RuleState.ENABLED if on else RuleState.DRAFT,
            enabled_at=now if on else None,
            **{name: entry[name] for name in CONTENT if name in entry},
        )
        RuleVersion.objects.create(rule=rule, number=1, snapshot=snapshot(rule), at=now)
        done["created"] += 1
    touch(STAMP)
    return {"automation rules": done}
