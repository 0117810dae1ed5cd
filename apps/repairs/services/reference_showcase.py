"""Templates, praise tags and external indicators as shipped."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from apps.core.services.reference_data import upsert
from apps.messaging.models import MessageTemplate
from apps.repairs.models import ExternalIndicator, PraiseTag

SHIPPED = Path(__file__).resolve().parent.parent / "reference" / "showcase.json"


def load_showcase_reference() -> dict[str, Counter[str]]:
    """Load what this part ships; answers what was done, by kind. Running it again changes nothing."""
    data = json.loads(SHIPPED.read_text("utf-8"))
    return {
        "showcase templates": _load(MessageTemplate, data["templates"], "code"),
        "praise tags": _load(PraiseTag, data["tags"], "name"),
        "external indicators": _load(ExternalIndicator, data["indicators"], "code"),
    }


def _load(model: Any, entries: list[dict[str, Any]], key: str) -> Counter[str]:
    done: Counter[str] = Counter()
    for position, entry in enumerate(entries):
        values = {name: value for name, value in entry.items() if name != key}
        if model is not MessageTemplate:
            values["position"] = position
        for name in ("least", "highest"):
            if name in values:
                values[name] = Decimal(values[name])
        _row, what = upsert(model, key={key: entry[key]}, values=values)
        done[what] += 1
    return done
