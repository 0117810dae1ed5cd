"""Keeping verdicts, asking for approval, loading rules."""
