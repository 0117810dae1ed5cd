"""Imported by name, so that a missing module is seen at once."""

from apps.feedback.admin import feedback, public_entry, reference, visits  # noqa: F401
