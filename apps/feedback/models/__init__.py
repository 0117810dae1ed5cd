"""The case, what it was read from, its clocks and its conversation; and the reference data behind them."""

from apps.feedback.models.clocks import SlaClock, SlaEvent, SlaPause
from apps.feedback.models.conversation import Entry, FeedbackFile, HeldReply, Macro, Presence
from apps.feedback.models.feedback import Feedback, FeedbackChange, FeedbackSearch
from apps.feedback.models.intake import (
    Correction,
    ImportedCustomer,
    ImportMapping,
    ImportRun,
    SnapshotRow,
    WebhookNonce,
    WebhookSecret,
)
from apps.feedback.models.knowledge import (
    Article,
    ArticleProposal,
    ArticleUse,
    ArticleVariant,
    AutoAnswer,
    KnowledgePolicy,
)
from apps.feedback.models.public import PublicEntry, PublicReceipt
from apps.feedback.models.reference import (
    Category,
    Channel,
    DispatchCursor,
    DispatchRule,
    TierPolicy,
    WordList,
)
from apps.feedback.models.sla_policy import SlaPolicy, SlaTarget
from apps.feedback.models.team_life import Handover, HandoverRow, ShiftNote, ShiftNoteRead
from apps.feedback.models.topics import (
    Topic,
    TopicAnswer,
    TopicCursor,
    TopicExclusion,
    TopicMember,
    TopicMerge,
)
from apps.feedback.models.training import TrainedModel
from apps.feedback.models.visits import (
    MysteryVisit,
    Symposium,
    SymposiumFile,
    SymposiumFinding,
    SymposiumInvitation,
    VisitCriterion,
    VisitFile,
    VisitFinding,
    VisitScore,
)
from apps.feedback.models.workplace import Promise, SavedView

__all__ = (
    "Article",
    "ArticleProposal",
    "ArticleUse",
    "ArticleVariant",
    "AutoAnswer",
    "Category",
    "Channel",
    "Correction",
    "DispatchCursor",
    "DispatchRule",
    "Entry",
    "Feedback",
    "FeedbackChange",
    "FeedbackFile",
    "FeedbackSearch",
    "Handover",
    "HandoverRow",
    "HeldReply",
    "ImportMapping",
    "ImportRun",
    "ImportedCustomer",
    "KnowledgePolicy",
    "Macro",
    "MysteryVisit",
    "Presence",
    "Promise",
    "PublicEntry",
    "PublicReceipt",
    "SavedView",
    "ShiftNote",
    "ShiftNoteRead",
    "SlaClock",
    "SlaEvent",
    "SlaPause",
    "SlaPolicy",
    "SlaTarget",
    "SnapshotRow",
    "Symposium",
    "SymposiumFile",
    "SymposiumFinding",
    "SymposiumInvitation",
    "TierPolicy",
    "Topic",
    "TopicAnswer",
    "TopicCursor",
    "TopicExclusion",
    "TopicMember",
    "TopicMerge",
    "TrainedModel",
    "VisitCriterion",
    "VisitFile",
    "VisitFinding",
    "VisitScore",
    "WebhookNonce",
    "WebhookSecret",
    "WordList",
)
