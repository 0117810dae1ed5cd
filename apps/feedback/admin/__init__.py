"""Imported by name, so that a missing module is seen at once."""

from apps.feedback.admin import feedback, reference, team_life, training  # noqa: F401
