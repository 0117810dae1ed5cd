"""One or many items in one call, with an answer for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from drf_standardized_errors.formatter import flatten_errors
from rest_framework import serializers
from rest_framework import status as http
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from apps.core.api.errors import as_list
from apps.core.api.fields import WordField
from apps.core.exceptions import InvalidInput

MOST_ITEMS = 1000
STATES = ("created", "unchanged", "changed", "rejected")


def items_of(data: Any) -> list[Any]:
    """The items of `{"items": [...]}` or a bare list. Raises ValidationError when there are none or too
    many.
    """
    items = data.get("items") if isinstance(data, dict) else data
    if not isinstance(items, list):
        raise ValidationError(
            {"items": [_("Send a list, or an object with a list in “items”.")]}, code="not_a_list"
        )
    if not items:
        raise ValidationError({"items": [_("The list is empty.")]}, code="empty")
    if len(items) > MOST_ITEMS:
        raise ValidationError(
            {
                "items": [
                    _("At most %(limit)d items in one call; this has %(count)d.")
                    % {"limit": MOST_ITEMS, "count": len(items)}
                ]
            },
            code="too_many",
        )
    return items


def is_many(data: Any) -> bool:
    """Whether the body holds a list rather than one object."""
    return isinstance(data, list) or (
        isinstance(data, dict) and "items" in data and isinstance(data["items"], list)
    )


def read_items(
    serializer: serializers.Serializer, items: Iterable[Any]
) -> list[tuple[dict[str, Any] | None, list[dict[str, Any]]]]:
    """(validated values, errors) of each item: one of the two is empty. The serializer is used for all of
    them.
    """
    out: list[tuple[dict[str, Any] | None, list[dict[str, Any]]]] = []
    for item in items:
        try:
            out.append((serializer.run_validation(item), []))
        except ValidationError as error:
            out.append((None, problems(error)))
    return out


def problems(error: ValidationError) -> list[dict[str, Any]]:
    """A validation error as the list that problem documents carry."""
    return as_list(flatten_errors(error.detail))


def refusal(code: str, detail: str, field: str) -> list[dict[str, Any]]:
    """A rule's refusal in the same shape."""
    return [{"code": code, "detail": detail, "attr": field or None}]


def rejected(index: int, errors: list[dict[str, Any]]) -> dict[str, Any]:
    """The result line of an item that was kept out; `error` is the first of `errors`."""
    return {"index": index, "status": "rejected", "error": errors[0], "errors": errors}


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The body of a bulk answer: how many of each, then every item in order."""
    return {state: sum(r["status"] == state for r in results) for state in STATES} | {"results": results}


def raise_refused(errors: list[dict[str, Any]]) -> None:
    """A single item that a rule kept out: 422 with the rule's code."""
    first = errors[0]
    raise InvalidInput(first["detail"], code=first["code"], field=first["attr"])


def unknown_names(serializer: serializers.Serializer, data: Any, prefix: str = "") -> list[str]:
    """The names in an item that mean nothing here, dotted where nested; at most 20, so that no answer
    explodes.
    """
    if not isinstance(data, Mapping):
        return []
    known = serializer.fields
    found: list[str] = []
    for name, value in data.items():
        field = known.get(name)
        if field is None:
            found.append(f"{prefix}{name}"[:80].encode("utf-8", "replace").decode())
        elif isinstance(field, serializers.Serializer):
            found += unknown_names(field, value, f"{prefix}{name}.")
        if len(found) >= 20:
            return found[:20]
    return found


def upsert_answer(
    data: Any,
    serializer: serializers.Serializer,
    write: Callable[[list[dict[str, Any]]], list[Any]],
    *,
    many: bool | None = None,
) -> Response:
    """The answer of an upsert address to one object or a list.

    `write` takes the validated items and gives for each an object with state, id, code, field and message.
    One object: 201 created, 200 changed or unchanged, 400 or 422 when refused. A list: 200 with a line for
    each. `many` says which it is where the body's shape does not.
    """
    many = is_many(data) if many is None else many
    raw = items_of(data) if many else [data]
    read = read_items(serializer, raw)
    ready = [index for index, (values, _errors) in enumerate(read) if values is not None]
    if not many and not ready:
        # Raises the 400 with every field.
        serializer.run_validation(data)
    done = dict(zip(ready, write([read[index][0] or {} for index in ready]) if ready else [], strict=True))
    lines: list[dict[str, Any]] = []
    for index, (_values, errors) in enumerate(read):
        outcome = done.get(index)
        if outcome is not None and outcome.state == "rejected":
            errors = refusal(outcome.code, outcome.message, outcome.field)
        if outcome is None or errors:
            line = rejected(index, errors)
        else:
            line = {"index": index, "status": outcome.state, "id": outcome.id}
        ignored = unknown_names(serializer, raw[index])
        if ignored:
            line["ignored"] = ignored
        lines.append(line)
    if many:
        return Response(summary(lines))
    if lines[0]["status"] == "rejected":
        raise_refused(lines[0]["errors"])
    created = lines[0]["status"] == "created"
    return Response(lines[0], status=http.HTTP_201_CREATED if created else http.HTTP_200_OK)


class ItemErrorSerializer(serializers.Serializer):
    """Why an item was kept out."""

    code = serializers.CharField()
    detail = serializers.CharField()
    attr = serializers.CharField(allow_null=True)


class ResultSerializer(serializers.Serializer):
    """What became of one item."""

    index = serializers.IntegerField(help_text="Its place in the list, from 0")
    status = WordField(STATES)
    id = serializers.IntegerField(required=False)
    error = ItemErrorSerializer(required=False)
    errors = ItemErrorSerializer(many=True, required=False)
    ignored = serializers.ListField(child=serializers.CharField(), required=False)


class BatchAnswerSerializer(serializers.Serializer):
    """The answer to many items: always 200, whatever became of the single ones."""

    created = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    changed = serializers.IntegerField()
    rejected = serializers.IntegerField()
    results = ResultSerializer(many=True)
