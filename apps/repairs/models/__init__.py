"""Models of repairs."""

from apps.repairs.models.appeals import Appeal, Evidence
from apps.repairs.models.case import ContactTry, PublicReply, RepairCase
from apps.repairs.models.offers import Offer, Remedy
from apps.repairs.models.policy import AppealRule, RemedyType, RepairPolicy
from apps.repairs.models.reputation import (
    ExternalIndicator,
    IndicatorUpload,
    IndicatorValue,
    ReputationAction,
)
from apps.repairs.models.rollup import FiguresState, RepairCallbackDay, RepairDay, RepairPart, RepeatMonth
from apps.repairs.models.showcase import (
    Praise,
    PraiseMark,
    PraiseTag,
    ReviewRequest,
    ReviewRequestPlan,
    Showcase,
    ShowcaseItem,
    ShowPermission,
)

__all__ = [
    "Appeal",
    "AppealRule",
    "ContactTry",
    "Evidence",
    "ExternalIndicator",
    "FiguresState",
    "IndicatorUpload",
    "IndicatorValue",
    "Offer",
    "Praise",
    "PraiseMark",
    "PraiseTag",
    "PublicReply",
    "Remedy",
    "RemedyType",
    "RepairCallbackDay",
    "RepairCase",
    "RepairDay",
    "RepairPart",
    "RepairPolicy",
    "RepeatMonth",
    "ReputationAction",
    "ReviewRequest",
    "ReviewRequestPlan",
    "ShowPermission",
    "Showcase",
    "ShowcaseItem",
]
