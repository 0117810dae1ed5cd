"""Imported by name, so that a missing module is seen at once."""

from apps.feedback.admin import feedback, imports, public_entry, reference, team_life, training, visits  # noqa: F401
