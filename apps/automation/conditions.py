"""Conditions of rules: checked when saved, compiled once, told in words.

A tree of {"all": […]}, {"any": […]}, {"not": …} over leaves {"field": code, "op": operator, "value": …}. An unknown field
or operator is an error of the rule, never silently false (peers 4.2). A missing value (no rating, no order) matches
neither "is" nor a comparison; "is none of" and "is empty" match it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from apps.automation.registries import Facts, Field, fields, segments

Test = Callable[[Facts], bool]
MAX_DEPTH = 5
MAX_LEAVES = 60
MAX_WORDS = 200

OPERATORS: dict[str, tuple[Any, ...]] = {
    "choice": ("in", "not_in", "empty", "filled"),
    "tree": ("in", "not_in", "empty", "filled"),
    "number": ("gte", "lte", "eq", "between", "empty", "filled"),
    "text": ("any_word", "no_word", "all_words"),
    "bool": ("yes", "no"),
    "list": ("in", "not_in", "empty", "filled"),
    "segment": ("in", "not_in"),
}
LABELS: dict[str, Any] = {
    "in": pgettext_lazy("condition", "is one of"),
    "not_in": pgettext_lazy("condition", "is none of"),
    "empty": pgettext_lazy("condition", "is empty"),
    "filled": pgettext_lazy("condition", "is filled in"),
    "gte": pgettext_lazy("condition", "is at least"),
    "lte": pgettext_lazy("condition", "is at most"),
    "eq": pgettext_lazy("condition", "is exactly"),
    "between": pgettext_lazy("condition", "is between"),
    "any_word": pgettext_lazy("condition", "contains one of"),
    "no_word": pgettext_lazy("condition", "contains none of"),
    "all_words": pgettext_lazy("condition", "contains all of"),
    "yes": pgettext_lazy("condition", "holds"),
    "no": pgettext_lazy("condition", "does not hold"),
}
WITHOUT_VALUE = frozenset({"empty", "filled", "yes", "no"})
NOTHING = gettext_lazy("nothing")


class BadCondition(ValueError):
    """A tree that cannot be used. `problems`: sentences, each naming its condition."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Compiled:
    """A tree ready to be asked. `first_failure(facts)` says in words what did not hold, None when all did."""

    test: Test
    first_failure: Callable[[Facts], str | None]
    fields: frozenset[str]
    # (field, values) of a leaf that must hold and that a batch can look up at once.
    index: tuple[str, frozenset[Any]] | None


# -- checking ----------
def problems_of(tree: Any) -> list[str]:
    """What is wrong with a tree, in sentences; empty when it can be used."""
    found: list[str] = []
    leaves = [0]

    def walk(node: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            found.append(
                _("Groups are nested too deep; %(limit)d levels are possible.") % {"limit": MAX_DEPTH}
            )
            return
        if not isinstance(node, dict):
            found.append(_("A condition is not readable: %(what)s") % {"what": str(node)[:60]})
        elif "all" in node or "any" in node:
            parts = node.get("all", node.get("any"))
            if len(node) != 1 or not isinstance(parts, list):
                found.append(_("A group of conditions is not readable."))
                return
            if not parts and depth > 1:
                found.append(_("A group has no condition. Add one or remove the group."))
            for part in parts:
                walk(part, depth + 1)
        elif "not" in node:
            walk(node["not"], depth + 1)
        else:
            leaves[0] += 1
            found.extend(_leaf_problems(node, leaves[0]))

    if tree not in ({}, None):
        walk(tree, 1)
    if leaves[0] > MAX_LEAVES:
        found.append(_("A rule can have at most %(limit)d conditions.") % {"limit": MAX_LEAVES})
    return found


def _leaf_problems(leaf: dict[str, Any], number: int) -> list[str]:
    code, op, value = leaf.get("field"), leaf.get("op"), leaf.get("value")
    where = {"number": number}
    field = fields.get(code) if isinstance(code, str) else None
    if field is None:
        return [_("Condition %(number)d: there is no field “%(field)s”.") % (where | {"field": code})]
    name = where | {"field": field.label}
    if op not in OPERATORS[field.type]:
        return [
            _("Condition %(number)d (%(field)s): “%(op)s” is not possible here.")
            % (name | {"op": LABELS.get(op, op) if isinstance(op, str) else op})
        ]
    if op in WITHOUT_VALUE:
        return []
    if field.type == "number":
        return _number_problems(op, value, name)
    values = value if isinstance(value, list) else [value]
    if not values or any(item in ("", None) for item in values):
        return [_("Condition %(number)d (%(field)s): choose or type a value.") % name]
    if field.type == "text":
        if len(values) > MAX_WORDS or not all(isinstance(item, str) and item.strip() for item in values):
            return [
                _("Condition %(number)d (%(field)s): give words, at most %(limit)d.")
                % (name | {"limit": MAX_WORDS})
            ]
        return []
    if not all(isinstance(item, str | int | float) for item in values):
        return [_("Condition %(number)d (%(field)s): this value is not readable.") % name]
    known = {str(key) for key, _label in _choices(field)} if _has_choices(field) else None
    if known is not None:
        unknown = [str(item) for item in values if str(item) not in known]
        if unknown:
            return [
                _("Condition %(number)d (%(field)s): “%(value)s” does not exist (any more).")
                % (name | {"value": unknown[0]})
            ]
    return []


def _number_problems(op: str, value: Any, name: dict[str, Any]) -> list[str]:
    values = value if op == "between" and isinstance(value, list) else [value]
    numeric = all(isinstance(item, int | float) and not isinstance(item, bool) for item in values)
    if not numeric or (op == "between" and (len(values) != 2 or values[0] > values[1])):
        if op == "between":
            return [_("Condition %(number)d (%(field)s): give two numbers, the smaller one first.") % name]
        return [_("Condition %(number)d (%(field)s): give a number.") % name]
    return []


def _has_choices(field: Field) -> bool:
    return field.choices is not None or field.type == "segment"


def _choices(field: Field) -> list[tuple[Any, str]]:
    if field.type == "segment":
        return [(code, str(segments.get(code).label)) for code in segments.codes()]  # type: ignore[union-attr]
    return list(field.choices()) if field.choices else []


def choices_of(field: Field) -> list[tuple[str, str]]:
    """The values a field offers, as the builder shows them."""
    return [(str(key), str(label)) for key, label in _choices(field)]


# -- compiling ----------
def compile_tree(tree: Any) -> Compiled:
    """A tree as closures. Raises BadCondition."""
    found = problems_of(tree)
    if found:
        raise BadCondition(found)
    used: set[str] = set()
    labels: dict[str, dict[str, str]] = {}

    def build(node: Any) -> tuple[Test, Callable[[Facts], str | None]]:
        if "all" in node:
            parts = [build(part) for part in node["all"]]
            return _all([test for test, _why in parts]), _first_of_all([why for _test, why in parts])
        if "any" in node:
            parts = [build(part) for part in node["any"]]
            test = _any([test for test, _why in parts])
            return test, _none_of(test, [why for _test, why in parts])
        if "not" in node:
            inner, _why = build(node["not"])
            words = _("not (%(what)s)") % {"what": describe(node["not"])}
            return (lambda facts: not inner(facts)), (lambda facts: words if inner(facts) else None)
        field = fields.get(node["field"])
        assert field is not None
        used.add(node["field"])
        value_of = _value_of(field)
        test = _leaf(field, node["op"], node.get("value"), value_of)
        words = describe(node)
        cache = labels.setdefault(node["field"], {})

        def why(facts: Facts) -> str | None:
            if test(facts):
                return None
            return _("%(condition)s – here: %(value)s") % {
                "condition": words,
                "value": _shown(field, value_of(facts), cache),
            }

        return test, why

    if not tree:
        return Compiled(lambda facts: True, lambda facts: None, frozenset(), None)
    test, why = build(tree)
    return Compiled(test, why, frozenset(used), _index(tree))


def _index(tree: Any) -> tuple[str, frozenset[Any]] | None:
    """A leaf among those that must all hold which names values of a plain column: it finds the rule's rows at once."""
    best: tuple[str, frozenset[Any]] | None = None
    leaves = tree.get("all", [tree]) if isinstance(tree, dict) else []
    for leaf in leaves:
        field = fields.get(leaf.get("field", "")) if isinstance(leaf, dict) else None
        if field is None or leaf.get("op") != "in" or field.value is not None or field.load is not None:
            continue
        if field.type != "choice" or not field.columns:
            continue
        values = frozenset(_wanted(field, leaf["value"]))
        if best is None or len(values) < len(best[1]):
            best = field.columns[0], values
    return best


def _value_of(field: Field) -> Callable[[Facts], Any]:
    if field.value is not None:
        return field.value
    column = field.columns[0]
    return lambda facts: facts[column]


def _all(tests: list[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda facts: first(facts) and second(facts)

    def test(facts: Facts) -> bool:
        for part in tests:  # noqa: SIM110 - a loop is quicker than all() over a generator
            if not part(facts):
                return False
        return True

    return test


def _any(tests: list[Test]) -> Test:
    def test(facts: Facts) -> bool:
        for part in tests:  # noqa: SIM110
            if part(facts):
                return True
        return False

    return test


def _first_of_all(whys: list[Callable[[Facts], str | None]]) -> Callable[[Facts], str | None]:
    def why(facts: Facts) -> str | None:
        for part in whys:
            words = part(facts)
            if words is not None:
                return words
        return None

    return why


def _none_of(test: Test, whys: list[Callable[[Facts], str | None]]) -> Callable[[Facts], str | None]:
    def why(facts: Facts) -> str | None:
        if test(facts):
            return None
        return _("none of these: %(what)s") % {
            "what": "; ".join(filter(None, (part(facts) for part in whys)))
        }

    return why


def _wanted(field: Field, value: Any) -> set[Any]:
    values = value if isinstance(value, list) else [value]
    # Choices may be numbers in the database and text in the rule: take the key the field offers.
    keys = {str(key): key for key, _label in _choices(field)}
    found = {keys.get(str(item), item) for item in values}
    return field.expand(found) if field.expand else found


def _leaf(field: Field, op: str, value: Any, value_of: Callable[[Facts], Any]) -> Test:
    many = field.type in ("tree", "list", "segment")
    if op == "yes":
        return lambda facts: bool(value_of(facts))
    if op == "no":
        return lambda facts: not value_of(facts)
    if op in ("empty", "filled"):
        wanted_empty = op == "empty"
        if many:
            return lambda facts: (not any(value_of(facts))) is wanted_empty
        return lambda facts: (value_of(facts) in (None, "")) is wanted_empty
    if op in ("in", "not_in"):
        wanted = frozenset(_wanted(field, value))
        if many:
            if op == "in":
                return lambda facts: not wanted.isdisjoint(value_of(facts))
            return lambda facts: wanted.isdisjoint(value_of(facts))
        if op == "in":
            if field.value is None:
                column = field.columns[0]
                return lambda facts: facts[column] in wanted
            return lambda facts: value_of(facts) in wanted
        return lambda facts: value_of(facts) not in wanted
    if field.type == "number":
        return _number(op, value, value_of)
    words = tuple(word.strip().lower() for word in (value if isinstance(value, list) else [value]))
    if op == "all_words":
        return lambda facts: all(word in value_of(facts) for word in words)
    found = _any_word(words, value_of)
    return found if op == "any_word" else lambda facts: not found(facts)


def _any_word(words: tuple[str, ...], value_of: Callable[[Facts], Any]) -> Test:
    def test(facts: Facts) -> bool:
        text = value_of(facts)
        for word in words:  # noqa: SIM110
            if word in text:
                return True
        return False

    return test


def _number(op: str, value: Any, value_of: Callable[[Facts], Any]) -> Test:
    if op == "between":
        low, high = value
    elif op == "gte":
        low, high = value, float("inf")
    elif op == "lte":
        low, high = float("-inf"), value
    else:
        low = high = value

    def test(facts: Facts) -> bool:
        number = value_of(facts)
        return number is not None and low <= number <= high

    return test


# -- words ----------
def describe(tree: Any) -> str:
    """A tree as a sentence part; unknown parts are named as they stand."""
    if not tree:
        return _("always")
    if "all" in tree:
        return _(" and ").join(_grouped(part) for part in tree["all"]) or _("always")
    if "any" in tree:
        return _(" or ").join(_grouped(part) for part in tree["any"])
    if "not" in tree:
        return _("not (%(what)s)") % {"what": describe(tree["not"])}
    field = fields.get(tree.get("field", ""))
    op = tree.get("op", "")
    if field is None:
        return f"{tree.get('field')} {op}"
    parts = [str(field.label), str(LABELS.get(op, op))]
    if op not in WITHOUT_VALUE:
        parts.append(_values_shown(field, op, tree.get("value")))
    return " ".join(parts)


def _grouped(part: Any) -> str:
    words = describe(part)
    return f"({words})" if len(part.get("all", part.get("any", ()))) > 1 else words


def _values_shown(field: Field, op: str, value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    if op == "between" and len(values) == 2:
        return f"{values[0]}–{values[1]}{field.unit}"
    labels = dict(choices_of(field)) if _has_choices(field) else {}
    shown = [f"“{labels.get(str(item), item)}”" if field.type != "number" else str(item) for item in values]
    return (
        _(", ").join(shown[:8])
        + ("…" if len(shown) > 8 else "")
        + (str(field.unit) if field.type == "number" else "")
    )


def _shown(field: Field, value: Any, cache: dict[str, str]) -> str:
    if field.type == "text":
        return _("none of these words in the text")
    if field.type == "bool":
        return _("yes") if value else _("no")
    values = (
        [item for item in value if item not in (None, "")]
        if field.type in ("tree", "list", "segment")
        else [value]
    )
    if not values or values == [None] or values == [""]:
        return str(NOTHING)
    if field.type == "number":
        return f"{values[0]:g}{field.unit}"
    if field.show is not None:
        return _(", ").join(field.show(item) for item in values)
    if not cache and _has_choices(field):
        cache.update(choices_of(field))
    return _(", ").join(cache.get(str(item), str(item)) for item in values)
