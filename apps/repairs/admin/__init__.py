"""Imported by name, so that a missing module is seen at once."""

from apps.repairs.admin import indicators, praise, reputation, review_requests, showcase  # noqa: F401
