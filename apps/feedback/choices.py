"""Values with label, colour and named groups: badges have one source."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Status(models.TextChoices):
    NEW = "new", pgettext_lazy("feedback", "new")
    ASSIGNED = "assigned", pgettext_lazy("feedback", "assigned")
    IN_PROGRESS = "in_progress", pgettext_lazy("feedback", "in progress")
    WAITING = "waiting", pgettext_lazy("feedback", "waiting")
    RESOLVED = "resolved", pgettext_lazy("feedback", "resolved")
    CLOSED = "closed", pgettext_lazy("feedback", "closed")
    DISMISSED = "dismissed", pgettext_lazy("feedback", "dismissed")
    MERGED = "merged", pgettext_lazy("feedback", "merged")


OPEN = ("new", "assigned", "in_progress", "waiting")
STATUS_COLOURS = {
    "new": "blue",
    "assigned": "blue",
    "in_progress": "amber",
    "waiting": "grey",
    "resolved": "green",
    "closed": "grey",
    "dismissed": "grey",
    "merged": "grey",
}


class Tier(models.TextChoices):
    """Urgency (R14)."""

    S = "S", _("S · urgent")
    A = "A", _("A · complaint")
    B = "B", _("B · enquiry or suggestion")


TIER_RANK = {"S": 0, "A": 1, "B": 2}
TIER_COLOURS = {"S": "red", "A": "amber", "B": "blue"}


class Kind(models.TextChoices):
    """Intent (R9; decisions, item 7)."""

    REVIEW = "review", pgettext_lazy("feedback kind", "review")
    COMPLAINT = "complaint", pgettext_lazy("feedback kind", "complaint")
    INQUIRY = "inquiry", pgettext_lazy("feedback kind", "inquiry")
    SUGGESTION = "suggestion", pgettext_lazy("feedback kind", "suggestion")
    PRAISE = "praise", pgettext_lazy("feedback kind", "praise")


class Sentiment(models.TextChoices):
    POSITIVE = "positive", pgettext_lazy("sentiment", "positive")
    NEUTRAL = "neutral", pgettext_lazy("sentiment", "neutral")
    NEGATIVE = "negative", pgettext_lazy("sentiment", "negative")


class Emotion(models.TextChoices):
    ANGER = "anger", pgettext_lazy("emotion", "angry")
    DISAPPOINTMENT = "disappointment", pgettext_lazy("emotion", "disappointed")
    ANXIETY = "anxiety", pgettext_lazy("emotion", "worried")
    SUGGESTION = "suggestion", pgettext_lazy("emotion", "suggesting")
    SATISFACTION = "satisfaction", pgettext_lazy("emotion", "satisfied")
    NEUTRAL = "neutral", pgettext_lazy("emotion", "calm")


EMOTION_ICONS = {
    "anger": "😠",
    "disappointment": "😞",
    "anxiety": "😟",
    "suggestion": "💡",
    "satisfaction": "😊",
    "neutral": "😐",
}


class Source(models.TextChoices):
    """By which door a row came in (R3)."""

    FORM = "form", _("by hand")
    FILE = "file", _("file import")
    API = "api", _("API")
    HOOK = "hook", _("webhook")
    PUBLIC = "public", _("public page")
    DEMO = "demo", _("demo data")


class WaitReason(models.TextChoices):
    """Why the second clock may stand still (domain.md 3.2)."""

    CUSTOMER = "customer", _("waiting for the customer")
    THIRD_PARTY = "third_party", _("waiting for a third party (logistics, laboratory)")
    APPOINTMENT = "appointment", _("time agreed with the customer")


class ClockKind(models.TextChoices):
    FIRST_RESPONSE = "first_response", _("first response")
    PLAN_GIVEN = "plan_given", _("plan given")
    PROGRESS_GIVEN = "progress_given", _("progress given")
    RESOLVED = "resolved", pgettext_lazy("clock", "resolved")


class ClockState(models.TextChoices):
    RUNNING = "running", pgettext_lazy("clock", "running")
    PAUSED = "paused", pgettext_lazy("clock", "paused")
    MET = "met", pgettext_lazy("clock", "met")
    MISSED = "missed", pgettext_lazy("clock", "met late")
    CANCELLED = "cancelled", pgettext_lazy("clock", "cancelled")


class TimeUnit(models.TextChoices):
    MINUTES = "minutes", _("minutes around the clock")
    BUSINESS_MINUTES = "business_minutes", _("minutes of working time")
    WORKDAY = "workday", _("workdays")
    WORKDAY_END = "workday_end", _("end of workday")


class ContactMethod(models.TextChoices):
    PHONE = "phone", _("telephone")
    CHAT = "chat", _("platform chat")
    WECHAT = "wechat", _("WeChat")
    SMS = "sms", _("SMS")
    EMAIL = "email", _("e-mail")
    PUBLIC_REPLY = "public_reply", _("public reply")
    IN_PERSON = "in_person", _("in person")


class EntryKind(models.TextChoices):
    """One line of the conversation on a case."""

    CONTACT = "contact", _("contact with the customer")
    REPLY = "reply", _("reply to the customer")
    INBOUND = "inbound", _("the customer wrote")
    NOTE = "note", _("internal note")
    PLAN = "plan", _("plan given")
    PROGRESS = "progress", _("progress given")
    TRANSCRIPT = "transcript", _("transcript")


class PromiseState(models.TextChoices):
    """What became of something promised to a customer."""

    OPEN = "open", pgettext_lazy("promise", "open")
    KEPT = "kept", pgettext_lazy("promise", "kept")
    CANCELLED = "cancelled", pgettext_lazy("promise", "cancelled")


class ChannelGroup(models.TextChoices):
    ECOMMERCE = "ecommerce", _("e-commerce platforms")
    TAKEAWAY = "takeaway", _("take-away platforms")
    SOCIAL = "social", _("social media")
    SERVICE = "service", _("customer service")
    OFFLINE = "offline", _("in stores")
    AUTHORITY = "authority", _("authorities and consumer bodies")
    RESEARCH = "research", _("research")
    INTERNAL = "internal", _("internal")


class FindingSeverity(models.TextChoices):
    """How bad, or good, what a visitor saw or a customer said is."""

    GOOD = "good", pgettext_lazy("finding", "praise")
    MINOR = "minor", pgettext_lazy("finding", "minor")
    MAJOR = "major", pgettext_lazy("finding", "serious")
    CRITICAL = "critical", pgettext_lazy("finding", "critical")


class VisitState(models.TextChoices):
    DRAFT = "draft", pgettext_lazy("mystery visit", "draft")
    SUBMITTED = "submitted", pgettext_lazy("mystery visit", "submitted")
    RECORDED = "recorded", pgettext_lazy("mystery visit", "recorded")


class SymposiumState(models.TextChoices):
    PLANNED = "planned", pgettext_lazy("symposium", "planned")
    HELD = "held", pgettext_lazy("symposium", "held")
    RECORDED = "recorded", pgettext_lazy("symposium", "recorded")
    CANCELLED = "cancelled", pgettext_lazy("symposium", "cancelled")


class InvitationState(models.TextChoices):
    CHOSEN = "chosen", pgettext_lazy("invitation", "chosen")
    INVITED = "invited", pgettext_lazy("invitation", "invited")
    ACCEPTED = "accepted", pgettext_lazy("invitation", "accepted")
    DECLINED = "declined", pgettext_lazy("invitation", "declined")
    ATTENDED = "attended", pgettext_lazy("invitation", "attended")
    ABSENT = "absent", pgettext_lazy("invitation", "did not come")


class HandoverWay(models.TextChoices):
    ONE = "one", _("all to one colleague")
    SPREAD = "spread", _("spread over the team by turns")


class HandoverKind(models.TextChoices):
    FEEDBACK = "feedback", pgettext_lazy("hand-over", "feedback")
    PROMISE = "promise", pgettext_lazy("hand-over", "promise")
    WORK = "work", pgettext_lazy("hand-over", "work item")


class HandoverRowState(models.TextChoices):
    PLANNED = "planned", pgettext_lazy("hand-over", "planned")
    MOVED = "moved", pgettext_lazy("hand-over", "handed over")
    REFUSED = "refused", pgettext_lazy("hand-over", "not handed over")
    UNDONE = "undone", pgettext_lazy("hand-over", "undone")
    RETURNED = "returned", pgettext_lazy("hand-over", "given back")


class ShiftPart(models.TextChoices):
    """The shift a note is about; the form proposes the one of the present hour."""

    EARLY = "early", _("early shift")
    DAY = "day", _("day shift")
    LATE = "late", _("late shift")
    NIGHT = "night", _("night shift")


class HeldState(models.TextChoices):
    """What became of a reply that a second person had to see first."""

    WAITING = "waiting", pgettext_lazy("held reply", "waits for approval")
    SENT = "sent", pgettext_lazy("held reply", "approved and sent")
    DROPPED = "dropped", pgettext_lazy("held reply", "not sent")


class TopicState(models.TextChoices):
    """Where a common problem stands. What a department fixes is a problem of its own (improvements)."""

    OPEN = "open", pgettext_lazy("topic", "open")
    ANSWERED = "answered", pgettext_lazy("topic", "answered")
    CLOSED = "closed", pgettext_lazy("topic", "closed")
    MERGED = "merged", pgettext_lazy("topic", "merged")


OPEN_TOPICS = ("open", "answered")
TOPIC_COLOURS = {"open": "amber", "answered": "blue", "closed": "grey", "merged": "grey"}


class TopicAnswerState(models.TextChoices):
    WAITING = "waiting", pgettext_lazy("answer to many", "waits for approval")
    SENDING = "sending", pgettext_lazy("answer to many", "going out")
    DONE = "done", pgettext_lazy("answer to many", "sent")
    DROPPED = "dropped", pgettext_lazy("answer to many", "not sent")


class ArticleState(models.TextChoices):
    DRAFT = "draft", pgettext_lazy("article", "draft")
    IN_REVIEW = "in_review", pgettext_lazy("article", "in review")
    PUBLISHED = "published", pgettext_lazy("article", "published")
    RETIRED = "retired", pgettext_lazy("article", "retired")


class ArticleLanguage(models.TextChoices):
    ZH = "zh", _("Chinese")
    EN = "en", _("English")


class ArticleUseKind(models.TextChoices):
    """What became of an article beside a case."""

    USED = "used", pgettext_lazy("article use", "used in an answer")
    UNFIT = "unfit", pgettext_lazy("article use", "not fitting")
    AUTOMATIC = "auto", pgettext_lazy("article use", "answered automatically")


class AutoAnswerState(models.TextChoices):
    """Whether the machine answered, left it to people, or took its answer back."""

    SENT = "sent", pgettext_lazy("automatic answer", "answered")
    HELD = "held", pgettext_lazy("automatic answer", "left to people")
    WITHDRAWN = "withdrawn", pgettext_lazy("automatic answer", "taken back")


class Verdict(models.TextChoices):
    RIGHT = "right", pgettext_lazy("automatic answer", "right")
    WRONG = "wrong", pgettext_lazy("automatic answer", "wrong")


class ProposalState(models.TextChoices):
    OPEN = "open", pgettext_lazy("article proposal", "open")
    ACCEPTED = "accepted", pgettext_lazy("article proposal", "accepted")
    REJECTED = "rejected", pgettext_lazy("article proposal", "rejected")


# Why a case was left to people (apps.feedback.answering.gates.REASONS and what the service adds).
HOLD_REASONS = {
    "not_inquiry": _("not a plain question"),
    "negative": _("the customer is upset"),
    "tier": _("urgent or serious"),
    "doubtful": _("may be urgent, needs a look"),
    "price": _("about price or discounts"),
    "refund": _("about a refund"),
    "compensation": _("about compensation"),
    "legal": _("about law or authorities"),
    "health": _("about health or safety"),
    "personal_data": _("about personal data"),
    "human": _("asks for a person"),
    "anger": _("sounds annoyed"),
    "counterfeit": _("about genuineness"),
    "elsewhere": _("not about this shop"),
    "long": _("a long text"),
    "several": _("several questions at once"),
    "repeated": _("asked again after an automatic answer"),
    "unsure": _("no article fits surely enough"),
    "not_allowed": _("the article is not for automatic answers"),
    "hold": _("the customer is not to be contacted"),
    "cap": _("the daily limit is reached"),
    "refused": _("the message was refused"),
}
