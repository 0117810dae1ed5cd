"""Rules in plain words, and the vocabulary their builder offers."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from apps.automation.conditions import LABELS, OPERATORS, choices_of, describe
from apps.automation.registries import Param, actions, events, fields

# Outcomes that are kept as codes; everything else is a sentence already.
OUTCOMES: dict[str, Any] = {
    "done": pgettext_lazy("outcome of an action", "done"),
    "unchanged": pgettext_lazy("outcome of an action", "was so already"),
    "proposed": pgettext_lazy("outcome of an action", "proposed, waits for a person"),
    "waiting": pgettext_lazy("outcome of an action", "a proposal waits already"),
}
SEPARATOR = gettext_lazy("; ")


def sentence(rule: Any) -> str:
    """“When … and …: …”."""
    event = events.get(rule.event)
    happened = str(event.label) if event is not None else rule.event
    if event is not None:
        given = rule.event_params or {}
        details = [_value(param, given.get(param.name, param.default)) for param in event.params]
        shown = _(", ").join(part for part in details if part)
        happened = f"{happened}（{shown}）" if shown else happened
    done = str(SEPARATOR).join(action_words(step) for step in rule.actions or []) or _("nothing yet")
    if not rule.conditions or rule.conditions in ({"all": []}, {"any": []}):
        return _("When %(event)s: %(actions)s") % {"event": happened, "actions": done}
    return _("When %(event)s and %(conditions)s: %(actions)s") % {
        "event": happened,
        "conditions": describe(rule.conditions),
        "actions": done,
    }


def action_words(step: Any) -> str:
    """One action with its details."""
    action = actions.get(step.get("code", "")) if isinstance(step, dict) else None
    if action is None:
        return str(step.get("code") if isinstance(step, dict) else step)
    given = step.get("params") or {}
    parts = [_value(param, given.get(param.name, param.default)) for param in action.params]
    shown = _(", ").join(part for part in parts if part)
    return f"{action.label} {shown}".strip()


def _value(param: Param, value: Any) -> str:
    if value in ("", None):
        return ""
    if param.type == "choice" and param.choices is not None:
        return {str(key): str(label) for key, label in param.choices()}.get(str(value), str(value))
    if param.type == "number":
        return f"{param.label} {value:g}" if isinstance(value, int | float) else str(value)
    text = str(value)
    return f"“{text[:40]}{'…' if len(text) > 40 else ''}”"


def outcome_words(outcome: dict[str, Any]) -> tuple[str, str]:
    """(action, what became of it)."""
    action = actions.get(outcome.get("action", ""))
    result = str(outcome.get("result", ""))
    return str(action.label) if action else outcome.get("action", ""), str(OUTCOMES.get(result, result))


def _param(param: Param) -> dict[str, Any]:
    return {
        "name": param.name,
        "label": str(param.label),
        "type": param.type,
        "required": param.required,
        "default": param.default,
        "least": param.least,
        "most": param.most,
        "choices": [[str(key), str(label)] for key, label in param.choices()] if param.choices else None,
    }


def vocabulary() -> dict[str, Any]:
    """Everything the builder offers, as JSON."""
    return {
        "fields": [
            {
                "code": code,
                "label": str(field.label),
                "type": field.type,
                "unit": str(field.unit),
                "ops": [[op, str(LABELS[op])] for op in OPERATORS[field.type]],
                "choices": [list(choice) for choice in choices_of(field)]
                if field.choices or field.type == "segment"
                else None,
            }
            for code in fields.codes()
            if (field := fields.get(code)) is not None and (field.type != "segment" or choices_of(field))
        ],
        "events": [
            {"code": code, "label": str(event.label), "params": [_param(p) for p in event.params]}
            for code in events.codes()
            if (event := events.get(code)) is not None
        ],
        "actions": [
            {
                "code": code,
                "label": str(action.label),
                "help": str(action.help),
                "proposes": action.proposes,
                "params": [_param(p) for p in action.params],
            }
            for code in actions.codes()
            if (action := actions.get(code)) is not None
        ],
        "words": {
            "all": _("All of these hold"),
            "any": _("At least one of these holds"),
            "none": _("None of these holds"),
            "addCondition": _("Add a condition"),
            "addGroup": _("Add a group"),
            "addAction": _("Add an action"),
            "remove": _("Remove"),
            "up": _("Move up"),
            "event": pgettext("rule", "When"),
            "conditions": _("and"),
            "actions": _("then do"),
            "field": _("field"),
            "operator": _("comparison"),
            "value": _("value"),
            "words": _("words, separated by commas"),
            "proposes": _("A person confirms this before anything happens."),
            "group": _("group of conditions"),
            "action": _("action"),
            "always": _("Without a condition the rule acts every time."),
            "gone": _("no longer exists"),
            "choose": _("please choose"),
        },
    }
