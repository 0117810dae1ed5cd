"""Fields that refuse what the databases cannot keep."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

FIRST_YEAR, LAST_YEAR = 1970, 9000


class MomentField(serializers.DateTimeField):
    """ISO 8601; without an offset the shop's own zone is meant. Years 1970 to 9000.

    The bounds keep every later conversion between zones, on both databases, inside what datetime can hold.
    """

    default_error_messages = {"out_of_range": _("The year must lie between 1970 and 9000.")}

    def to_internal_value(self, value: Any) -> datetime:
        """An aware moment; raises ValidationError."""
        try:
            moment = super().to_internal_value(value)
        except (OverflowError, ValueError):
            # Moved to our zone it lies before the year 1 or after 9999.
            self.fail("out_of_range")
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            self.fail("out_of_range")
        return moment


@extend_schema_field(OpenApiTypes.STR)
class WordField(serializers.ChoiceField):
    """One of a few words, named in the help text instead of as an enum of its own.

    OpenAPI enums are named after their field; several records have a `status` or a `kind` with other words in
    it.
    """

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        words = [str(word[0] if isinstance(word, tuple) else word) for word in choices]
        kwargs.setdefault("help_text", f"One of {', '.join(words)}")
        super().__init__(choices, **kwargs)
