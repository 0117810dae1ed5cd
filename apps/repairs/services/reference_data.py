"""Remedies, appeal rules and the rules for repairs, as shipped."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from apps.core.reference import touch
from apps.core.services.reference_data import upsert
from apps.feedback.models import Category, Channel
from apps.repairs.models import AppealRule, RemedyType, RepairPolicy
from apps.repairs.selectors.reference import STAMP
from apps.shop.models import Department

FOLDER = Path(__file__).resolve().parent.parent / "reference"


def load_repairs_reference() -> dict[str, Counter[str]]:
    """Make what is missing, leave what staff edited (domain.md 6; windows of platforms are proposals to be confirmed)."""
    done: dict[str, Counter[str]] = {
        "remedies": Counter(),
        "appeal rules": Counter(),
        "repair policy": Counter(),
    }
    departments = {row.code: row for row in Department.objects.all()}
    categories = {row.code: row for row in Category.objects.filter(parent__isnull=True)}
    for position, entry in enumerate(json.loads((FOLDER / "remedies.json").read_text("utf-8"))):
        entry = dict(entry)
        code, names = entry.pop("code"), entry.pop("categories")
        values = entry | {"department": departments.get(entry["department"]), "position": position}
        row, what = upsert(RemedyType, key={"code": code}, values=values)
        if what == "created":
            row.categories.set([categories[name] for name in names if name in categories])  # type: ignore[attr-defined]
        done["remedies"][what] += 1
    channels = {row.code: row for row in Channel.objects.all()}
    for entry in json.loads((FOLDER / "appeal_rules.json").read_text("utf-8")):
        entry = dict(entry)
        channel = channels.get(entry.pop("channel"))
        if channel is None:
            continue
        _row, what = upsert(AppealRule, key={"channel": channel}, values=entry)
        done["appeal rules"][what] += 1
    _row, made = RepairPolicy.objects.get_or_create(pk=1)
    done["repair policy"]["created" if made else "kept"] += 1
    touch(STAMP)
    return done
