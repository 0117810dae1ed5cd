"""Rules as shipped (source text 004)."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path

from apps.automation.models import Rule
from apps.automation.services.rules import CONTENT, enable, save

FOLDER = Path(__file__).resolve().parent.parent / "reference"


def load_automation_reference(*, now: datetime) -> dict[str, Counter[str]]:
    """Make the shipped rules that are missing. A rule that is there belongs to the shop and is left alone."""
    from apps.automation.services.dry_run import dry_run

    done: Counter[str] = Counter()
    for entry in json.loads((FOLDER / "rules.json").read_text("utf-8")):
        if Rule.objects.filter(code=entry["code"]).exists():
            done["kept"] += 1
            continue
        rule = save(
            rule=Rule(code=entry["code"], **{name: entry[name] for name in CONTENT if name in entry}),
            by=None,
            now=now,
        )
        if entry["enabled"]:
            dry_run(rule=rule, days=1, by=None, now=now)
            enable(rule=rule, by=None, now=now, via="reference")
        done["created"] += 1
    return {"automation rules": done}
