"""Channels, categories, word lists, tier policy and service levels as shipped."""

from __future__ import annotations

import json
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Any

from apps.core.reference import touch
from apps.core.services.reference_data import upsert
from apps.feedback.answering.gates import shipped_words
from apps.feedback.models import (
    Category,
    Channel,
    Macro,
    SlaPolicy,
    SlaTarget,
    TierPolicy,
    VisitCriterion,
    WordList,
)
from apps.feedback.selectors.knowledge import GATE_LISTS
from apps.feedback.selectors.knowledge import STAMP as KNOWLEDGE
from apps.feedback.selectors.reference import STAMP
from apps.shop.models import Department, WorkCalendar
from apps.shop.services.reference_data import load_calendars

FOLDER = Path(__file__).resolve().parent.parent / "reference"


def _shipped(name: str) -> Any:
    return json.loads((FOLDER / name).read_text("utf-8"))


def _analysis_data(name: str) -> Any:
    return json.loads(resources.files("apps.feedback.analysis").joinpath("data", name).read_text("utf-8"))


def load_feedback_reference() -> dict[str, Counter[str]]:
    """Load everything this app ships; answers what was done, by kind. Running it again changes nothing."""
    done = {
        "channels": _channels(),
        "categories": _categories(),
        "word lists": _word_lists(),
        "tier policy": _tier_policy(),
        "calendars": load_calendars(_shipped("sla_policies.json")["calendars"]),
        "service levels": _sla(),
        "visit criteria": _visit_criteria(),
        "macros": _macros(),
    }
    touch(STAMP)
    touch(KNOWLEDGE)
    return done


def _channels() -> Counter[str]:
    done: Counter[str] = Counter()
    for entry in _shipped("channels.json")["channels"]:
        _, what = upsert(
            Channel,
            key={"code": entry["code"]},
            values={
                "name_zh": entry["name_zh"],
                "name_en": entry["name_en"],
                "group": entry["group"],
                "icon": entry["icon"],
                "identity_kind": entry["identity_kind"],
                "is_review_platform": entry["is_review_platform"],
                "has_rating": entry["has_rating"],
                "accepts_public_reply": entry["accepts_public_reply"],
                "is_authority": entry["authority"],
                "recording_possible": entry["recording_possible"],
                "review_url_pattern": entry["review_url_pattern"],
            },
        )
        done[what] += 1
    return done


def _categories() -> Counter[str]:
    done: Counter[str] = Counter()
    departments = {department.name: department for department in Department.objects.all()}
    rows: dict[str, Category] = {}
    nodes = _analysis_data("taxonomy.json")
    # Parents stand before their children, whatever the order in the file.
    for position, node in enumerate(sorted(nodes, key=lambda n: n["parent"] is not None)):
        row, what = upsert(
            Category,
            key={"code": node["code"]},
            values={
                "parent": rows.get(node["parent"]) if node["parent"] else None,
                "name_zh": node["name_zh"],
                "name_en": node["name_en"],
                "department": departments.get(node["department"]),
                "default_tier": node["default_tier"],
                "keywords": node["keywords"],
                "exclusions": node["exclusions"],
                "position": position,
            },
        )
        rows[node["code"]] = row  # type: ignore[assignment]
        done[what] += 1
    return done


def flat_lists(lexicon: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The lexicon's leaves by their place, e.g. "emotion/anger/words". Counts and remarks stay in the file."""
    flat: dict[str, Any] = {}
    for name, value in lexicon.items():
        path = f"{prefix}{name}"
        if name in {"note", "measured", "hits"}:
            continue
        # False friends are one table word → phrases; every other dict is a folder.
        if isinstance(value, dict) and name != "false_friends":
            flat |= flat_lists(value, f"{path}/")
        else:
            flat[path] = value
    return flat


def _word_lists() -> Counter[str]:
    done: Counter[str] = Counter()
    lists = flat_lists(_analysis_data("lexicon.json"))
    lists["competitors"] = [entry["name"] for entry in _shipped("competitors.json")["competitors"]]
    labels = _shipped("word_lists.json")
    # Expressions stay with the code; words are the shop's to change.
    lists |= {
        GATE_LISTS + reason: [word for word in words if not word.startswith("re:")]
        for reason, words in shipped_words().items()
    }
    for path, words in lists.items():
        _, what = upsert(
            WordList, key={"path": path}, values={"words": words, "label": labels.get(path, path)}
        )
        done[what] += 1
    return done


def _tier_policy() -> Counter[str]:
    shipped = _shipped("tier_policy.json")
    row = TierPolicy.objects.first()
    if row is not None:
        return Counter(kept=1)
    TierPolicy.objects.create(literal_seed=shipped["literal_seed"], weights=shipped["priority_weights"])
    return Counter(created=1)


def _sla() -> Counter[str]:
    done: Counter[str] = Counter()
    calendars = {calendar.code: calendar for calendar in WorkCalendar.objects.all()}
    for entry in _shipped("sla_policies.json")["policies"]:
        policy, what = upsert(
            SlaPolicy,
            key={"code": entry["code"]},
            values={"name": entry["name_zh"], "tier": entry["tier"] or "", "no_clock": entry["no_clock"]},
        )
        done[what] += 1
        for part in ("first_response", "second", "third"):
            target = entry[part]
            if target is None:
                continue
            _, what = upsert(
                SlaTarget,
                key={"policy": policy, "kind": target["kind"]},
                values={
                    "value": target["value"],
                    "unit": target["unit"],
                    "calendar": None if target["unit"] == "minutes" else calendars[target["calendar"]],
                    "pausable": bool(target["pausable"]),
                    # "At once" is told by intake itself; a step at 0 % would come a sweep later.
                    "steps": [step for step in target["steps"] if step["percent"] > 0],
                },
            )
            done[what] += 1
    return done


def _visit_criteria() -> Counter[str]:
    done: Counter[str] = Counter()
    for position, entry in enumerate(_shipped("visit_criteria.json")["criteria"]):
        _, what = upsert(
            VisitCriterion,
            key={"code": entry["code"]},
            values={
                "name_zh": entry["name_zh"],
                "name_en": entry["name_en"],
                "hint": entry["hint"],
                "weight": entry["weight"],
                "position": position,
            },
        )
        done[what] += 1
    return done


def _macros() -> Counter[str]:
    done: Counter[str] = Counter()
    for position, entry in enumerate(_shipped("macros.json")["macros"]):
        _, what = upsert(
            Macro,
            key={"name": entry["name"]},
            values={"description": entry["description"], "steps": entry["steps"], "position": position},
        )
        done[what] += 1
    return done
