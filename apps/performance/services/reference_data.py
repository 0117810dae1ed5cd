"""Checklist and weights as shipped. What is there belongs to the shop and is left alone."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

from apps.performance.models import QualityCriterion, ScoreWeights

FILE = Path(__file__).resolve().parent.parent / "reference" / "performance.json"


def load_performance_reference() -> dict[str, Counter[str]]:
    """Make the criteria that are missing, and the first weights where there are none."""
    shipped = json.loads(FILE.read_text("utf-8"))
    criteria: Counter[str] = Counter()
    known = set(QualityCriterion.objects.values_list("code", flat=True))
    for position, entry in enumerate(shipped["criteria"]):
        if entry["code"] in known:
            criteria["kept"] += 1
            continue
        QualityCriterion.objects.create(position=position, **entry)
        criteria["created"] += 1
    weights: Counter[str] = Counter()
    if ScoreWeights.objects.exists():
        weights["kept"] += 1
    else:
        row = ScoreWeights(
            version=1, valid_from=date(2020, 1, 1), rules=shipped["weights"], note=shipped["weights_note"]
        )
        row.full_clean()
        row.save()
        weights["created"] += 1
    return {"quality criteria": criteria, "score weights": weights}
