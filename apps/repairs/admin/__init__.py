"""Repairs in the back office. Imported by name, so that a missing module is seen at once."""

from apps.repairs.admin import indicators, policy, praise, repaircase, reputation, review_requests, showcase

__all__ = ["indicators", "policy", "praise", "repaircase", "reputation", "review_requests", "showcase"]
