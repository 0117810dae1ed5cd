"""Imported by name, so that a missing module is seen at once."""

from apps.feedback.admin import feedback, imports, reference  # noqa: F401
