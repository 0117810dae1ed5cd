"""Plans as shipped. Off until a lead switches them on: calling customers is a decision of the shop."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from django.conf import settings

from apps.callbacks.models import CallbackPlan

FOLDER = Path(__file__).resolve().parent.parent / "reference"


def load_callback_reference() -> dict[str, Counter[str]]:
    """Make the shipped plans that are missing. A plan that is there belongs to the shop and is left alone."""
    done: Counter[str] = Counter()
    language = "zh" if settings.LANGUAGE_CODE.startswith("zh") else "en"
    known = set(CallbackPlan.objects.values_list("code", flat=True))
    for entry in json.loads((FOLDER / "plans.json").read_text("utf-8")):
        if entry["code"] in known:
            done["kept"] += 1
            continue
        CallbackPlan.objects.create(**(entry | {"questions": entry["questions"][language]}))
        done["created"] += 1
    return {"callback plans": done}
