"""Conditions: every operator, groups, errors that name their condition."""

from __future__ import annotations

from typing import Any

import pytest

from apps.automation.conditions import BadCondition, compile_tree, describe, problems_of
from apps.automation.registries import fields
from apps.feedback.selectors.reference import reference
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def facts(**values: Any) -> dict[str, Any]:
    codes = reference().categories
    base = {
        "id": 1,
        "tier": "A",
        "kind": "complaint",
        "text": "快递太慢,包装也破了 OMG",
        "rating": 2,
        "sentiment": "negative",
        "category_id": codes["LOGISTICS"].pk,
        "subcategory_id": codes["LOGISTICS_DELAY"].pk,
        "customer__tags": ["老客户"],
        "customer__member_tier": "",
        "assignee_id": None,
        "received_at": NOW,
        "_at": NOW,
        "order__placed_at": None,
        "is_historical": False,
        "_marks": [],
    }
    return base | values


def leaf(field: str, op: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (leaf("tier", "in", ["S", "A"]), True),
        (leaf("tier", "in", "B"), False),
        (leaf("tier", "not_in", ["A"]), False),
        (leaf("category", "in", ["LOGISTICS"]), True),
        (leaf("category", "in", ["LOGISTICS_DELAY"]), True),
        (leaf("category", "in", ["LOGISTICS_LOST", "STOCK"]), False),
        (leaf("category", "not_in", ["LOGISTICS"]), False),
        (leaf("category", "empty"), False),
        (leaf("rating", "gte", 2), True),
        (leaf("rating", "lte", 1), False),
        (leaf("rating", "eq", 2), True),
        (leaf("rating", "between", [3, 5]), False),
        (leaf("order_days", "gte", 0), False),
        (leaf("order_days", "lte", 99), False),
        (leaf("order_days", "empty"), True),
        (leaf("text", "any_word", ["太慢", "没有"]), True),
        (leaf("text", "any_word", ["omg"]), True),
        (leaf("text", "all_words", ["太慢", "没有"]), False),
        (leaf("text", "no_word", ["太慢"]), False),
        (leaf("customer_tags", "in", ["老客户"]), True),
        (leaf("marks", "empty"), True),
        (leaf("member_tier", "empty"), True),
        (leaf("has_owner", "no"), True),
        (leaf("is_historical", "yes"), False),
        (leaf("working_time", "yes"), True),
        (leaf("received_hour", "eq", 10), True),
        ({"not": leaf("tier", "in", ["A"])}, False),
        (
            {
                "any": [
                    leaf("tier", "in", ["S"]),
                    {"all": [leaf("rating", "lte", 2), leaf("tier", "in", ["A"])]},
                ]
            },
            True,
        ),
        ({"not": {"any": [leaf("tier", "in", ["S"]), leaf("rating", "gte", 4)]}}, True),
        ({"all": []}, True),
        ({}, True),
    ],
)
def test_each_operator(condition: dict[str, Any], holds: bool) -> None:
    compiled = compile_tree(condition)
    row = facts()
    assert compiled.test(row) is holds
    # What is said to have failed agrees with whether it failed.
    assert (compiled.first_failure(row) is None) is holds


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"all": [leaf("tier", "in", ["A"]), leaf("moon", "in", ["full"])]}, ("2", "moon")),
        (leaf("tier", "gte", 3), ("1",)),
        (leaf("tier", "in", ["Z"]), ("1", "Z")),
        (leaf("tier", "in", []), ("1",)),
        (leaf("rating", "gte", "two"), ("1",)),
        (leaf("rating", "between", [5, 1]), ("1",)),
        (leaf("text", "any_word", [" "]), ("1",)),
        ({"all": [{"any": []}]}, ()),
        ({"all": "x"}, ()),
        ([1], ()),
    ],
)
def test_what_cannot_be_used_is_refused_and_named(condition: Any, said: tuple[str, ...]) -> None:
    (problem, *_more) = problems_of(condition)
    assert all(part in problem for part in said)
    with pytest.raises(BadCondition):
        compile_tree(condition)


def test_a_group_without_end_is_refused() -> None:
    deep: dict[str, Any] = leaf("tier", "in", ["A"])
    for _ in range(9):
        deep = {"all": [deep]}
    assert problems_of(deep)


def test_why_not_names_the_first_failing_condition_with_the_value() -> None:
    compiled = compile_tree(
        {"all": [leaf("tier", "in", ["A"]), leaf("rating", "gte", 4), leaf("kind", "in", ["praise"])]}
    )
    why = compiled.first_failure(facts())
    assert why is not None and "4" in why and "2" in why and str(fields.get("rating").label) in why  # type: ignore[union-attr]
    assert describe({}) and describe(leaf("moon", "in", ["full"]))
