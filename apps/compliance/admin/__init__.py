"""The rule book, what was decided by it, and a page to try a text."""

from apps.compliance.admin import rules, try_text, verdicts

__all__ = ("rules", "try_text", "verdicts")
