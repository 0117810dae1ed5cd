"""What PATCH takes, as the service wants it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail, ValidationError

from apps.core.exceptions import InvalidInput
from apps.feedback.api.serializers import TriageIn
from apps.feedback.models import Category
from apps.feedback.selectors.reference import reference


def values_of(data: Any) -> dict[str, Any]:
    """Validated triage values with categories as rows. Raises ValidationError (400) or InvalidInput (422)."""
    serializer = TriageIn(data=data)
    if isinstance(data, dict):
        others = [str(name)[:80] for name in data if name not in serializer.fields]
        if others:
            message = _("This cannot be changed through the API.")
            raise ValidationError(
                {name: [ErrorDetail(message, code="not_changeable")] for name in others[:50]}
            )
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = dict(serializer.validated_data)
    if not values:
        raise ValidationError(_("Nothing to change."), code="empty")
    for name in ("category", "subcategory"):
        if name in values:
            values[name] = _category(name, values[name])
    sub = values.get("subcategory")
    if sub is not None and "category" not in values:
        # A sub-category says all: nobody should have to look its parent up.
        values["category"] = reference().categories_by_id.get(sub.parent_id)
    return values


def _category(name: str, code: str | None) -> Category | None:
    if not code:
        return None
    node = reference().categories.get(code)
    if node is None or (node.parent_id is None) != (name == "category"):
        raise InvalidInput(
            _("There is no “%(value)s”.") % {"value": code}, code=f"unknown_{name}", field=name
        )
    return node
