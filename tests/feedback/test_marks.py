"""The set that grows on disk."""

from __future__ import annotations

import random

from apps.feedback.marks import Marks


def test_it_knows_what_it_met_before_and_after_going_to_disk() -> None:
    rng = random.Random(3)
    numbers = [rng.randrange(-(2**63), 2**63) for _ in range(3000)]
    marks = Marks(in_memory=500)
    for number in numbers[:2000]:
        assert number not in marks
        marks.add(number)
        assert number in marks
    assert all(number in marks for number in numbers[:2000])
    assert not any(number in marks for number in numbers[2000:])
    assert len(marks._recent) < 500


def test_adding_twice_is_adding_once() -> None:
    marks = Marks(in_memory=2)
    for number in (1, 1, 2, 1, 2, 3):
        marks.add(number)
    assert 1 in marks and 2 in marks and 3 in marks and 4 not in marks
