"""Models of repairs."""

from apps.repairs.models.appeals import Appeal, Evidence
from apps.repairs.models.case import ContactTry, PublicReply, RepairCase
from apps.repairs.models.offers import Offer, Remedy
from apps.repairs.models.policy import AppealRule, RemedyType, RepairPolicy
from apps.repairs.models.rollup import FiguresState, RepairCallbackDay, RepairDay, RepeatMonth

__all__ = [
    "Appeal",
    "AppealRule",
    "ContactTry",
    "Evidence",
    "FiguresState",
    "Offer",
    "PublicReply",
    "Remedy",
    "RemedyType",
    "RepairCallbackDay",
    "RepairCase",
    "RepairDay",
    "RepairPolicy",
    "RepeatMonth",
]
