"""Repairs in the back office."""

from apps.repairs.admin import policy, repaircase

__all__ = ["policy", "repaircase"]
