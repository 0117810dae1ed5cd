"""Imported by name, so that a missing module is seen at once."""

from apps.callbacks.admin import callback, plan  # noqa: F401
