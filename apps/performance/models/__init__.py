"""Models of performance."""

from apps.performance.models.month import AgentMonth, MonthRoll
from apps.performance.models.policy import PerformancePolicy
from apps.performance.models.proposal import TrainingProposal
from apps.performance.models.quality import (
    CoachingNote,
    QualityCriterion,
    QualityPoint,
    QualityReview,
    QualitySample,
)
from apps.performance.models.score import MonthlyScore, ScoreComment, ScoreWeights
from apps.performance.models.training import (
    QuizAttempt,
    QuizQuestion,
    ReplayAnswer,
    ReplayCase,
    TrainingParticipant,
    TrainingSession,
)

__all__ = (
    "AgentMonth",
    "CoachingNote",
    "MonthRoll",
    "MonthlyScore",
    "PerformancePolicy",
    "QualityCriterion",
    "QualityPoint",
    "QualityReview",
    "QualitySample",
    "QuizAttempt",
    "QuizQuestion",
    "ReplayAnswer",
    "ReplayCase",
    "ScoreComment",
    "ScoreWeights",
    "TrainingParticipant",
    "TrainingProposal",
    "TrainingSession",
)
