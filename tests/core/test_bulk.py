"""Many rows at once: COPY on PostgreSQL, INSERT elsewhere, and counting without COUNT(*)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from apps.core.bulk import COPY_FROM_ROWS, allocate_ids, insert_many
from apps.core.counting import bounded_counts, shown
from apps.core.models import ActionLog
from tests.factories import NOW, queries

pytestmark = pytest.mark.django_db

# What would break a hand-made COPY: its separators, its NULL, quotes, other planes, an empty text.
AWKWARD = ["\\N", "a\tb", "line\nbreak", "back\\slash", "\r", "'\"", "😀 𠮷", "", "{}", " "]


def log(n: int, **values: object) -> ActionLog:
    base = {"model": "test", "object_id": n, "verb": "v", "at": NOW + timedelta(microseconds=n)}
    return ActionLog(**(base | values))


@pytest.mark.parametrize("size", [1, COPY_FROM_ROWS - 1, COPY_FROM_ROWS, 1203])
def test_rows_come_back_as_they_went_in(size: int) -> None:
    rows = [
        log(n, reason=AWKWARD[n % len(AWKWARD)], data={"t": AWKWARD[n % len(AWKWARD)], "n": None})
        for n in range(size)
    ]
    insert_many(ActionLog, rows)
    stored = ActionLog.objects.filter(model="test").order_by("object_id")
    assert [(r.object_id, r.reason, r.data, r.at, r.by_id) for r in stored] == [
        (r.object_id, r.reason, r.data, r.at, None) for r in rows
    ]


def test_no_rows_no_query() -> None:
    with queries() as captured:
        insert_many(ActionLog, [])
    assert len(captured) == 0


@pytest.mark.parametrize("size", [3, COPY_FROM_ROWS + 3])
def test_allocated_ids_are_fresh_ordered_and_never_given_again(size: int) -> None:
    first = ActionLog.objects.create(model="test", object_id=0, verb="v", at=NOW)
    ids = allocate_ids(ActionLog, size)
    assert ids == sorted(set(ids)) and len(ids) == size and ids[0] > first.pk
    insert_many(ActionLog, [log(n, id=pk) for n, pk in enumerate(ids, 1)])
    after = ActionLog.objects.create(model="test", object_id=999, verb="v", at=NOW)
    assert after.pk > ids[-1]
    assert list(
        ActionLog.objects.filter(pk__in=ids).order_by("pk").values_list("object_id", flat=True)
    ) == list(range(1, size + 1))


def test_ids_of_deleted_rows_are_not_given_again() -> None:
    row = ActionLog.objects.create(model="test", object_id=0, verb="v", at=NOW)
    gone = row.pk
    row.delete()
    assert allocate_ids(ActionLog, 1)[0] > gone


def test_ids_in_a_table_that_never_had_a_row() -> None:
    from apps.core.models import Reveal

    assert len(allocate_ids(Reveal, 2)) == 2


@pytest.mark.postgres
def test_postgres_copies_from_fifty_rows_on() -> None:
    with queries() as few:
        insert_many(ActionLog, [log(n) for n in range(COPY_FROM_ROWS - 1)])
    assert [q["sql"][:6] for q in few.captured_queries] == ["INSERT"]
    with queries() as many:
        insert_many(ActionLog, [log(n) for n in range(COPY_FROM_ROWS)])
    assert not any(q["sql"].startswith("INSERT") for q in many.captured_queries)


def test_counts_are_bounded_and_cost_one_query() -> None:
    insert_many(ActionLog, [log(n, verb="a" if n < 7 else "b") for n in range(30)])
    rows = ActionLog.objects.filter(model="test")
    with queries() as captured:
        counts = bounded_counts(
            {"a": rows.filter(verb="a"), "b": rows.filter(verb="b"), "none": rows.filter(verb="c")}, limit=10
        )
    assert counts == {"a": 7, "b": 11, "none": 0}
    assert len(captured) == 1
    assert [shown(n, 10) for n in (7, 10, 11)] == ["7", "10", "10+"]
    assert bounded_counts({}) == {}
    assert connection.vendor in ("sqlite", "postgresql")
