"""Imported by name, so that a missing module is seen at once."""

from apps.feedback.admin import feedback, imports, public_entry, reference, training, visits  # noqa: F401
