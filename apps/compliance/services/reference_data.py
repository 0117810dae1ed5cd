"""The rule book as shipped (domain.md 1)."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

from apps.compliance.models import ComplianceRule, RuleTerm
from apps.compliance.selectors import STAMP
from apps.core.reference import touch
from apps.core.services.reference_data import upsert

FILE = Path(__file__).resolve().parent.parent / "reference" / "rules.json"


def load_rules() -> dict[str, Counter[str]]:
    """Load rules and terms; what staff edited stays. Running it again changes nothing."""
    shipped = json.loads(FILE.read_text("utf-8"))
    done: Counter[str] = Counter()
    for code, pattern in shipped["terms"].items():
        _row, what = upsert(RuleTerm, key={"code": code}, values={"pattern": pattern})
        done[what] += 1
    for entry in shipped["rules"]:
        values = {name: value for name, value in entry.items() if name != "code"}
        values["valid_from"] = date.fromisoformat(entry["valid_from"]) if entry["valid_from"] else None
        row, what = upsert(ComplianceRule, key={"code": entry["code"]}, values=values)
        if what == "updated":
            ComplianceRule.objects.filter(pk=row.pk).update(version=row.version + 1)  # type: ignore[attr-defined]
        done[what] += 1
    touch(STAMP)
    return {"compliance rules": done}
