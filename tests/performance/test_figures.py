"""How a score is made, what weights may not do, how samples are drawn."""

from __future__ import annotations

from datetime import date

import pytest

from apps.performance.figures import (
    FIGURES,
    Rule,
    draw,
    grade,
    mark,
    median,
    objections,
    percentile,
    sample_size,
    score,
    step,
)
from apps.performance.selectors.cells import part_lines

FAIR = [Rule("csat", 60, 0.95, 0.6), Rule("on_time", 40, 1.0, 0.5)]


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        (FAIR, []),
        ([], ["empty"]),
        ([Rule("compliance", 5)], ["empty"]),
        ([Rule("withdrawn", 10, 0.5, 0)], ["tempting"]),
        ([Rule("csat", 60, 0.9, 0.5), Rule("withdrawn", 40, 0.5, 0)], ["tempting"]),
        ([Rule("csat", 60, 0.9, 0.5), Rule("withdrawn", 30, 0.5, 0)], []),
        # A penalty is no counterweight.
        ([Rule("compliance", 100), Rule("withdrawn", 10, 0.5, 0)], ["tempting"]),
        ([Rule("csat", 1, 0.5, 0.5)], ["flat"]),
        ([Rule("csat", 1, 0.5, 0.9)], ["direction"]),
        ([Rule("reopened", 1, 0.2, 0.02)], ["direction"]),
        ([Rule("csat", -1, 0.9, 0.5)], ["negative", "empty"]),
        ([Rule("nonsense", 1, 1, 0)], ["unknown", "empty"]),
        ([*FAIR, Rule("csat", 1, 0.9, 0.5)], ["twice"]),
    ],
)
def test_weights_that_are_refused(rules: list[Rule], why: list[str]) -> None:
    assert objections(rules) == why


def test_exactly_a_third_is_allowed() -> None:
    assert objections([Rule("csat", 2, 0.9, 0.5), Rule("withdrawn", 1, 0.5, 0)]) == []


def test_a_score_is_the_weighted_mean_of_points() -> None:
    got = score(FAIR, {"csat": (0.95, 40), "on_time": (0.75, 40)}, 10)
    assert got.score == 80.0
    assert [part.points for part in got.parts] == [100.0, 50.0]


def test_few_cases_do_not_count_and_say_so() -> None:
    got = score(FAIR, {"csat": (0.95, 40), "on_time": (0.0, 3)}, 10)
    assert got.score == 100.0
    assert [part.why for part in got.parts] == ["", "few"]


def test_no_score_of_leftovers() -> None:
    got = score(FAIR, {"csat": (None, 0), "on_time": (1.0, 40)}, 10)
    assert got.score is None
    assert got.parts[0].why == "none"


def test_what_tempts_does_not_weigh_more_because_little_else_was_seen() -> None:
    rules = [Rule("csat", 40, 0.9, 0.5), Rule("handled", 30, 100, 0), Rule("withdrawn", 30, 0.5, 0)]
    # Withdrawn reviews would be half of what counts.
    got = score(rules, {"csat": (1.0, 2), "handled": (50, 50), "withdrawn": (0.5, 50)}, 10)
    assert got.score is None
    assert [(part.figure, part.points, part.why) for part in got.parts] == [
        ("csat", None, "few"), ("handled", 50.0, ""), ("withdrawn", None, "tempting"),
    ]  # fmt: skip
    rules = [*rules, Rule("callbacks", 30, 10, 0)]
    got = score(
        rules, {"csat": (1.0, 2), "handled": (50, 50), "withdrawn": (0.5, 50), "callbacks": (5, 5)}, 10
    )
    # A third of what was seen: as allowed as in the weights themselves.
    assert got.score == pytest.approx(66.7)
    assert part_lines([part.plain() for part in score(rules[:3], {"withdrawn": (0.5, 50)}, 10).parts])


def test_blocked_texts_cost_points_and_never_below_zero() -> None:
    rules = [*FAIR, Rule("compliance", 30)]
    seen = {"csat": (0.95, 40), "on_time": (1.0, 40)}
    assert score(rules, seen | {"compliance": (1.0, 1)}, 10).score == 70.0
    assert score(rules, seen | {"compliance": (9.0, 9)}, 10).score == 0.0


def test_lower_is_better_where_it_is() -> None:
    assert grade(0.02, 0.02, 0.2) == 100.0
    assert grade(0.3, 0.02, 0.2) == 0.0
    assert {code for code, figure in FIGURES.items() if figure.tempting} == {"withdrawn"}


def test_median_and_nearest_rank() -> None:
    assert (median([]), median([3.0]), median([1.0, 2.0, 9.0]), median([1.0, 3.0])) == (None, 3.0, 2.0, 2.0)
    values = [float(n) for n in range(1, 11)]
    assert percentile(values, 0.9) == 9.0
    assert percentile([5.0], 0.9) == 5.0
    assert percentile([], 0.9) is None


def test_the_same_seed_draws_the_same_and_another_draws_others() -> None:
    ids = list(range(200))
    assert draw("a", ids, 10) == draw("a", reversed(ids), 10)
    assert draw("a", ids, 10) != draw("b", ids, 10)
    # One case more moves at most one other.
    assert len(set(draw("a", ids, 10)) - set(draw("a", [*ids, 999], 10))) <= 1


def test_sample_size() -> None:
    assert [sample_size(n, 5, 10) for n in (0, 3, 20, 200)] == [0, 3, 5, 20]


def test_half_right_is_not_right() -> None:
    right = [frozenset({0}), frozenset({0, 2}), frozenset()]
    assert mark(right, [frozenset({0}), frozenset({0}), frozenset()]) == 1


def test_months() -> None:
    assert step(date(2026, 1, 1), -1) == date(2025, 12, 1)
    assert step(date(2026, 12, 1), 1) == date(2027, 1, 1)
