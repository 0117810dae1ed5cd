"""Imported by name, so that a missing module is seen at once."""

from apps.performance.admin import months, policy, quality, scores, training  # noqa: F401
