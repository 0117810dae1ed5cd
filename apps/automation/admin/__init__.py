"""Imported by name, so that a missing module is seen at once."""

from apps.automation.admin import proposals, rules, webhooks  # noqa: F401
