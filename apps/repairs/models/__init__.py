"""Models of repairs."""

from apps.repairs.models.reputation import (
    ExternalIndicator,
    IndicatorUpload,
    IndicatorValue,
    ReputationAction,
)
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

__all__ = (
    "ExternalIndicator",
    "IndicatorUpload",
    "IndicatorValue",
    "Praise",
    "PraiseMark",
    "PraiseTag",
    "ReputationAction",
    "ReviewRequest",
    "ReviewRequestPlan",
    "ShowPermission",
    "Showcase",
    "ShowcaseItem",
)
