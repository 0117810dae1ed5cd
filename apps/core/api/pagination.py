"""Cursor pagination: no COUNT, no OFFSET (architecture, decision 8)."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.utils.urls import remove_query_param, replace_query_param

BIGGEST_KEY = 2**63 - 1


class NewestFirst(CursorPagination):
    """`next`, `previous`, `results`; newest first.

    DRF's own cursor counts an offset among rows with equal first key and gives up past 1,000 of them; an
    import of 10,000 rows stamps all with one moment. Here the cursor holds the whole key of a row, so ties do
    not matter. `ordering` names descending columns, the last one unique.
    """

    ordering = ("-received_at", "-id")
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def paginate_queryset(self, queryset: models.QuerySet, request: Request, view: Any = None) -> list[Any]:
        """The rows of one page; reads one row more than it shows to know whether there is another page."""
        self.request = request
        size = self.get_page_size(request)
        self.base_url = request.build_absolute_uri()
        self.keys = [name.lstrip("-") for name in getattr(view, "ordering", self.ordering)]
        backwards, position = self._read(request, queryset.model)
        if position is not None:
            queryset = queryset.filter(self._beyond(position, "gt" if backwards else "lt"))
        found = list(
            queryset.order_by(*(name if backwards else f"-{name}" for name in self.keys))[: size + 1]
        )
        more = len(found) > size
        page = found[:size]
        if backwards:
            page.reverse()
        self.page = page
        self.has_next = True if backwards else more
        self.has_previous = more if backwards else position is not None
        return page

    def _beyond(self, position: list[Any], direction: str) -> Q:
        # (a, b) < (x, y), written so that an index on (a, b) is entered at x.
        if len(self.keys) == 1:
            return Q(**{f"{self.keys[0]}__{direction}": position[0]})
        first, second = self.keys
        return Q(**{f"{first}__{direction}e": position[0]}) & (
            Q(**{f"{first}__{direction}": position[0]}) | Q(**{f"{second}__{direction}": position[1]})
        )

    def _read(self, request: Request, model: type[models.Model]) -> tuple[bool, list[Any] | None]:
        text = request.query_params.get(self.cursor_query_param)
        if not text:
            return False, None
        try:
            way, *values = json.loads(
                base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
            )
            if way not in ("n", "p") or len(values) != len(self.keys):
                raise ValueError("shape")
            position = [
                self._value(model, name, value) for name, value in zip(self.keys, values, strict=True)
            ]
        except (ValueError, TypeError, UnicodeError, binascii.Error, RecursionError) as error:
            raise ValidationError(
                {self.cursor_query_param: [_("This cursor is not one of ours.")]}, code="invalid_cursor"
            ) from error
        return way == "p", position

    @staticmethod
    def _value(model: type[models.Model], name: str, value: Any) -> Any:
        if isinstance(model._meta.get_field(name), models.DateTimeField):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise ValueError("no zone")
            return moment
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= BIGGEST_KEY:
            raise ValueError("no key")
        return value

    def _link(self, way: str, row: Any) -> str:
        values = [getattr(row, name) for name in self.keys]
        plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
        text = base64.urlsafe_b64encode(json.dumps([way, *plain]).encode()).decode().rstrip("=")
        return replace_query_param(self.base_url, self.cursor_query_param, text)

    def get_next_link(self) -> str | None:
        """The address of the older rows, or None."""
        if not self.has_next:
            return None
        if not self.page:
            return remove_query_param(self.base_url, self.cursor_query_param)
        return self._link("n", self.page[-1])

    def get_previous_link(self) -> str | None:
        """The address of the newer rows, or None."""
        if not self.has_previous:
            return None
        if not self.page:
            return remove_query_param(self.base_url, self.cursor_query_param)
        return self._link("p", self.page[0])


class HighestIdFirst(NewestFirst):
    """For records without a moment of arrival: by their number, highest first."""

    ordering = ("-id",)
