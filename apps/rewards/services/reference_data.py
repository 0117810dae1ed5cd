"""Levels, limits and coupon types as shipped."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from apps.core.services.reference_data import upsert
from apps.rewards.models import CouponType, SpendingLevel, SpendingPolicy

FOLDER = Path(__file__).resolve().parent.parent / "reference"
MONEY = frozenset(
    {"goodwill_limit", "refund_limit", "day_limit", "month_limit", "face_value", "minimum_spend"}
)


def shipped(name: str) -> list[dict[str, Any]]:
    """Rows of a shipped file, with amounts as decimals."""
    rows: list[dict[str, Any]] = json.loads((FOLDER / name).read_text("utf-8"))
    return [
        {key: Decimal(value) if key in MONEY and value is not None else value for key, value in row.items()}
        for row in rows
    ]


def load_rewards_reference() -> dict[str, Counter[str]]:
    """Load what this app ships; sample coupon types are not in use until somebody switches them on."""
    done: dict[str, Counter[str]] = {"spending levels": Counter(), "coupon types": Counter()}
    for entry in shipped("levels.json"):
        values = {name: value for name, value in entry.items() if name != "code"}
        _row, what = upsert(SpendingLevel, key={"code": entry["code"]}, values=values)
        done["spending levels"][what] += 1
    if not SpendingPolicy.objects.exists():
        SpendingPolicy().save()
    for entry in shipped("coupon_types.json"):
        _kind, made = CouponType.objects.get_or_create(code=entry["code"], defaults=entry)
        done["coupon types"]["created" if made else "kept"] += 1
    return done
