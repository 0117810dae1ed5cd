"""Writing many rows: COPY on PostgreSQL, multi-row INSERT elsewhere, behind one function (architecture, decision 7)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db import connection, models
from django.db.models.base import ModelState

# Below this many rows a plain INSERT beats the set-up of a COPY.
COPY_FROM_ROWS = 50


@lru_cache(maxsize=32)
def _columns(model: type[models.Model]) -> tuple[tuple[str, str, bool, Any], ...]:
    """(attribute, column, is JSON, encoder) for every concrete field."""
    return tuple(
        (field.attname, field.column, isinstance(field, models.JSONField), getattr(field, "encoder", None))
        for field in model._meta.concrete_fields
    )


@lru_cache(maxsize=32)
def _defaults(model: type[models.Model]) -> tuple[dict[str, Any], tuple[tuple[str, Any], ...]]:
    """Plain defaults by attribute, and those that must be made anew for each row (lists, dicts)."""
    plain: dict[str, Any] = {}
    made: list[tuple[str, Any]] = []
    for field in model._meta.concrete_fields:
        if field.has_default() and callable(field.default):
            made.append((field.attname, field.default))
        else:
            plain[field.attname] = field.get_default()
    return plain, tuple(made)


def quick_row(model: type[models.Model], **values: Any) -> Any:
    """A model instance without the cost of `__init__`: attributes (`store_id`, not `store`) straight in.

    For batches of thousands, where building instances costs as much as writing them. No signals, no checks.
    """
    plain, made = _defaults(model)
    row = model.__new__(model)
    attributes = row.__dict__
    attributes["_state"] = ModelState()
    attributes.update(plain)
    attributes.update(values)
    for name, make in made:
        if name not in values:
            attributes[name] = make()
    return row


def allocate_ids(model: type[models.Model], count: int) -> list[int]:
    """`count` fresh primary keys of `model`, in order.

    PostgreSQL hands them out from the sequence, so concurrent writers never meet. SQLite is called inside an
    IMMEDIATE transaction, which lets no second writer in, so the next numbers are free until commit.
    """
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
                [table, model._meta.pk.column, count],
            )
            return [row[0] for row in cursor.fetchall()]
        # AUTOINCREMENT remembers the highest number ever given, also of deleted rows.
        cursor.execute("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = %s", [table])
        start = cursor.fetchone()[0]
        return list(range(start + 1, start + count + 1))


def insert_many(model: type[models.Model], rows: Sequence[models.Model]) -> None:
    """Insert `rows`, which carry every value including defaults; primary keys set or left to the database.

    With COPY the objects do not learn generated keys; give them keys from `allocate_ids` where those matter.
    """
    if not rows:
        return
    if connection.vendor != "postgresql" or len(rows) < COPY_FROM_ROWS:
        model._default_manager.bulk_create(rows, batch_size=500)
        return
    columns = _columns(model)
    if rows[0].pk is None:
        columns = tuple(column for column in columns if column[0] != model._meta.pk.attname)
    names = ", ".join(f'"{column}"' for _, column, _, _ in columns)
    plain = [attribute for attribute, _, is_json, _ in columns if not is_json]
    if len(plain) == len(columns):
        getters = [(attribute, False) for attribute in plain]
    else:
        getters = [(attribute, is_json) for attribute, _, is_json, _ in columns]
    # Rows of one batch share many JSON values (the steps of a policy); each is written out once.
    written: dict[int, str] = {}

    def as_json(value: Any) -> str | None:
        if value is None:
            return None
        if not value:
            return "[]" if isinstance(value, list) else json.dumps(value)
        text = written.get(id(value))
        if text is None:
            text = written[id(value)] = json.dumps(value, ensure_ascii=False)
        return text

    # COPY goes past Django's cursor: without the wrapper a taken key would not be an IntegrityError.
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.cursor.copy(f'COPY "{model._meta.db_table}" ({names}) FROM STDIN') as copy,
    ):
        for row in rows:
            values = row.__dict__
            copy.write_row([as_json(values[name]) if is_json else values[name] for name, is_json in getters])
