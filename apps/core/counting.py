"""Counting without COUNT(*) over a big table (architecture, decision 8)."""

from __future__ import annotations

from django.db import connection, models

LIMIT = 999


def bounded_counts(
    querysets: dict[str, models.QuerySet], limit: int = LIMIT, newest: models.QuerySet | None = None
) -> dict[str, int]:
    """How many rows each queryset has, at most `limit` + 1 (shown as "999+"). One query for all.

    With `newest` also the highest key of that queryset, 0 when it is empty, as "newest".

    An ordering is kept: it leads the planner to the partial index of that list, where a bare LIMIT would tempt it
    into reading the table from the start.
    """
    parts: list[str] = []
    params: list[object] = []
    for queryset in querysets.values():
        inner = queryset.values("pk")[: limit + 1]
        sql, values = inner.query.sql_with_params()
        parts.append(f"(SELECT COUNT(*) FROM ({sql}) AS bounded)")
        params.extend(values)
    names = list(querysets)
    if newest is not None:
        sql, values = newest.order_by("-pk").values("pk")[:1].query.sql_with_params()
        parts.append(f"COALESCE(({sql}), 0)")
        params.extend(values)
        names.append("newest")
    if not parts:
        return {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(parts), params)
        row = cursor.fetchone()
    return dict(zip(names, row, strict=True))


def shown(count: int, limit: int = LIMIT) -> str:
    """A bounded count as people read it."""
    return f"{limit}+" if count > limit else str(count)
