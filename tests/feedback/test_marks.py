"""What a long run remembers, in memory and on disk."""

from __future__ import annotations

import random

from apps.feedback.marks import Marks


def test_it_knows_what_it_met_before_and_after_going_to_disk() -> None:
    rng = random.Random(3)
    numbers = [rng.randrange(-(2**63), 2**63) for _ in range(3000)]
    marks = Marks(in_memory=500)
    for at, number in enumerate(numbers[:2000]):
        assert marks.get(number) is None
        marks[number] = (-at, at % 5 or None)
        assert marks.get(number) == (-at, at % 5 or None)
    assert [marks.get(number) for number in numbers[:2000]] == [(-at, at % 5 or None) for at in range(2000)]
    assert not any(marks.get(number) for number in numbers[2000:])
    assert len(marks._recent) < 500


def test_the_last_word_counts() -> None:
    marks = Marks(in_memory=2)
    for number, rating in ((1, 1), (2, 2), (1, 3), (3, None), (1, 4)):
        marks[number] = (7, rating)
    assert [marks.get(number) for number in (1, 2, 3, 4)] == [(7, 4), (7, 2), (7, None), None]
