"""Values with label, colour and named groups."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class RepairStatus(models.TextChoices):
    """Where a repair stands (domain.md 6). Its moves: `apps.repairs.transitions`."""

    COLLECTED = "collected", pgettext_lazy("repair", "collected")
    TRIAGED = "triaged", pgettext_lazy("repair", "to contact")
    CONTACTED = "contacted", pgettext_lazy("repair", "contacted")
    UNREACHABLE = "unreachable", pgettext_lazy("repair", "not reached")
    PROPOSED = "proposed", pgettext_lazy("repair", "offer made")
    RENEGOTIATE = "renegotiate", pgettext_lazy("repair", "new offer needed")
    ACCEPTED = "accepted", pgettext_lazy("repair", "offer accepted")
    EXECUTING = "executing", pgettext_lazy("repair", "being carried out")
    EXECUTED = "executed", pgettext_lazy("repair", "carried out")
    CALLBACK = "callback", pgettext_lazy("repair", "callback planned")
    SATISFIED = "satisfied", pgettext_lazy("repair", "satisfied")
    UNSATISFIED = "unsatisfied", pgettext_lazy("repair", "not satisfied")
    INVITED = "invited", pgettext_lazy("repair", "invited once")
    REPLY_DUE = "reply_due", pgettext_lazy("repair", "public reply due")
    SUSPECTED = "suspected", pgettext_lazy("repair", "suspected malicious")
    EVIDENCE = "evidence", pgettext_lazy("repair", "gathering evidence")
    APPEALED = "appealed", pgettext_lazy("repair", "appealed")
    APPEAL_REJECTED = "appeal_rejected", pgettext_lazy("repair", "appeal rejected")
    WITHDRAWN = "withdrawn", pgettext_lazy("repair", "withdrawn by the customer")
    REVISED = "revised", pgettext_lazy("repair", "revised")
    KEPT = "kept", pgettext_lazy("repair", "kept as it is")
    KEPT_PUBLIC_REPLY = "kept_public_reply", pgettext_lazy("repair", "kept, answered in public")
    REMOVED = "removed", pgettext_lazy("repair", "removed by the platform")
    DISMISSED = "dismissed", pgettext_lazy("repair", "no negative review")


S = RepairStatus
#: Somebody still has to do something.
OPEN = (
    S.COLLECTED, S.TRIAGED, S.CONTACTED, S.UNREACHABLE, S.PROPOSED, S.RENEGOTIATE, S.ACCEPTED, S.EXECUTING, S.EXECUTED,
    S.CALLBACK, S.SATISFIED, S.UNSATISFIED, S.INVITED, S.REPLY_DUE, S.SUSPECTED, S.EVIDENCE, S.APPEALED, S.APPEAL_REJECTED,
)  # fmt: skip
ENDED = (S.WITHDRAWN, S.REVISED, S.KEPT, S.KEPT_PUBLIC_REPLY, S.REMOVED, S.DISMISSED)
#: The path a page draws; side branches are drawn where a case stands on one.
PATH = (
    ("contact", (S.COLLECTED, S.TRIAGED, S.UNREACHABLE), pgettext_lazy("repair path", "contact")),
    ("offer", (S.CONTACTED, S.PROPOSED, S.RENEGOTIATE), pgettext_lazy("repair path", "offer")),
    ("remedy", (S.ACCEPTED, S.EXECUTING), pgettext_lazy("repair path", "remedy")),
    ("callback", (S.EXECUTED, S.CALLBACK, S.UNSATISFIED), pgettext_lazy("repair path", "callback")),
    ("invite", (S.SATISFIED, S.INVITED), pgettext_lazy("repair path", "invitation")),
    ("outcome", (S.REPLY_DUE, *ENDED), pgettext_lazy("repair path", "outcome")),
)
APPEAL_BRANCH = (S.SUSPECTED, S.EVIDENCE, S.APPEALED, S.APPEAL_REJECTED)
STATUS_COLOURS = {
    S.COLLECTED: "blue",
    S.TRIAGED: "red",
    S.CONTACTED: "amber",
    S.UNREACHABLE: "amber",
    S.PROPOSED: "blue",
    S.RENEGOTIATE: "amber",
    S.ACCEPTED: "amber",
    S.EXECUTING: "amber",
    S.EXECUTED: "blue",
    S.CALLBACK: "blue",
    S.SATISFIED: "green",
    S.UNSATISFIED: "red",
    S.INVITED: "green",
    S.REPLY_DUE: "amber",
    S.SUSPECTED: "amber",
    S.EVIDENCE: "amber",
    S.APPEALED: "blue",
    S.APPEAL_REJECTED: "red",
    S.WITHDRAWN: "green",
    S.REVISED: "green",
    S.KEPT: "grey",
    S.KEPT_PUBLIC_REPLY: "grey",
    S.REMOVED: "grey",
    S.DISMISSED: "grey",
}


class RemedyKind(models.TextChoices):
    """What is done for a customer (R27; all named in the sources)."""

    EXCHANGE = "exchange", _("exchange")
    RETURN = "return", _("return and refund")
    REPAIR = "repair", pgettext_lazy("remedy", "repair")
    REFUND = "refund", _("refund of money")
    RESHIP = "reship", _("send again")
    COUPON = "coupon", pgettext_lazy("remedy", "coupon")
    GIFT = "gift", pgettext_lazy("remedy", "gift")
    POINTS = "points", pgettext_lazy("remedy", "points")
    DISCOUNT = "discount", _("money back on the price")
    WARRANTY = "warranty", _("longer warranty")
    APOLOGY_SPOKEN = "apology_spoken", _("apology in person or by telephone")
    APOLOGY_WRITTEN = "apology_written", _("written apology")
    PRIORITY = "priority", _("faster delivery next time")


class OfferStatus(models.TextChoices):
    DRAFT = "draft", pgettext_lazy("offer", "draft")
    WAITING = "waiting", pgettext_lazy("offer", "waits for approval")
    READY = "ready", pgettext_lazy("offer", "may be made")
    MADE = "made", pgettext_lazy("offer", "made to the customer")
    ACCEPTED = "accepted", pgettext_lazy("offer", "accepted")
    REFUSED = "refused", pgettext_lazy("offer", "not accepted")
    DONE = "done", pgettext_lazy("offer", "carried out")
    CANCELLED = "cancelled", pgettext_lazy("offer", "taken back")


#: One of these at a time on a case.
LIVE_OFFERS = (
    OfferStatus.DRAFT,
    OfferStatus.WAITING,
    OfferStatus.READY,
    OfferStatus.MADE,
    OfferStatus.ACCEPTED,
)
#: Begins the key of the message that tells an offer.
OFFER_KEY = "offer-"
OFFER_COLOURS = {
    OfferStatus.DRAFT: "grey",
    OfferStatus.WAITING: "amber",
    OfferStatus.READY: "blue",
    OfferStatus.MADE: "blue",
    OfferStatus.ACCEPTED: "green",
    OfferStatus.REFUSED: "grey",
    OfferStatus.DONE: "green",
    OfferStatus.CANCELLED: "grey",
}


class RemedyStatus(models.TextChoices):
    PLANNED = "planned", pgettext_lazy("remedy", "planned")
    DOING = "doing", pgettext_lazy("remedy", "under way")
    DONE = "done", pgettext_lazy("remedy", "done")
    CANCELLED = "cancelled", pgettext_lazy("remedy", "cancelled")


REMEDY_COLOURS = {
    RemedyStatus.PLANNED: "grey",
    RemedyStatus.DOING: "amber",
    RemedyStatus.DONE: "green",
    RemedyStatus.CANCELLED: "grey",
}


class Ground(models.TextChoices):
    """What an appeal may rest on (domain.md 6). Few stars are none of them."""

    ASKS_MONEY = "asks_money", _("asks for money or goods for a better review")
    NEVER_BOUGHT = "never_bought", _("never bought here")
    SAME_TEXT = "same_text", _("same text at several shops")
    COMPETITOR = "competitor", _("account of a competitor")
    PLATFORM_FLAG = "platform_flag", _("flagged for abuse by the platform")
    CONTRADICTS_FACTS = "contradicts_facts", _("clearly against documented facts")
    UNLAWFUL_CONTENT = "unlawful_content", _("unlawful, obscene or defamatory content")
    PERSONAL_DATA = "personal_data", _("discloses personal data")
    ADVERTISING = "advertising", _("links or advertising")


#: What makes a review malicious; the others are grounds of platforms for any review.
MALICE = frozenset(
    {
        Ground.ASKS_MONEY,
        Ground.NEVER_BOUGHT,
        Ground.SAME_TEXT,
        Ground.COMPETITOR,
        Ground.PLATFORM_FLAG,
    }
)


class AppealStatus(models.TextChoices):
    GATHERING = "gathering", pgettext_lazy("appeal", "gathering evidence")
    FILED = "filed", pgettext_lazy("appeal", "filed")
    UPHELD = "upheld", pgettext_lazy("appeal", "upheld")
    REJECTED = "rejected", pgettext_lazy("appeal", "rejected")
    DROPPED = "dropped", pgettext_lazy("appeal", "dropped")


APPEAL_COLOURS = {
    AppealStatus.GATHERING: "amber",
    AppealStatus.FILED: "blue",
    AppealStatus.UPHELD: "green",
    AppealStatus.REJECTED: "red",
    AppealStatus.DROPPED: "grey",
}


class Liability(models.TextChoices):
    """What makes an offer the director's and the lawyer's business (domain.md 6, limits)."""

    TRIPLE = "triple", _("compensation of three times the price (fraud)")
    TENFOLD = "tenfold", _("compensation of ten times the price (food)")
    MEDICAL = "medical", _("medical costs")
    MEDIA = "media", _("press or public attention")


# -- showcase, review requests, reputation ----------


class ShowState(models.TextChoices):
    """Where a review proposed for the showcase stands."""

    PROPOSED = "proposed", pgettext_lazy("showcase", "proposed")
    ASKED = "asked", pgettext_lazy("showcase", "author asked")
    PERMITTED = "permitted", pgettext_lazy("showcase", "permitted")
    RELEASED = "released", pgettext_lazy("showcase", "shown")
    WITHDRAWN = "withdrawn", pgettext_lazy("showcase", "taken back")
    REFUSED = "refused", pgettext_lazy("showcase", "not shown")


SHOW_COLOURS = {
    "proposed": "blue",
    "asked": "amber",
    "permitted": "amber",
    "released": "green",
    "withdrawn": "grey",
    "refused": "grey",
}
# May still come to be shown, or is.
SHOW_LIVE = ("proposed", "asked", "permitted", "released")


class Part(models.TextChoices):
    """What an author permits, each by itself (R71; PIPL 14: specific consent)."""

    TEXT = "text", pgettext_lazy("permission", "text")
    PHOTO = "photo", pgettext_lazy("permission", "photos")
    NICKNAME = "nickname", pgettext_lazy("permission", "nickname")


class DisplayState(models.TextChoices):
    OFF = "off", pgettext_lazy("showcase page", "off")
    ON = "on", pgettext_lazy("showcase page", "on")


class PlanState(models.TextChoices):
    OFF = "off", pgettext_lazy("review requests", "off")
    ON = "on", pgettext_lazy("review requests", "on")


class RequestChannel(models.TextChoices):
    """By what a review may be asked for. SMS is not among them: carriers refuse such texts (MSG-04)."""

    WECHAT = "wechat", _("WeChat")
    EMAIL = "email", _("e-mail")
    APP = "app", _("app push")


class ActionKind(models.TextChoices):
    CONTENT = "content", pgettext_lazy("reputation action", "content: stories, videos, reviews")
    PAGE = "page", pgettext_lazy("reputation action", "product page")
    PACKAGING = "packaging", pgettext_lazy("reputation action", "packaging")
    LOGISTICS = "logistics", pgettext_lazy("reputation action", "logistics")
    OTHER = "other", pgettext_lazy("reputation action", "other")


class ActionState(models.TextChoices):
    PLANNED = "planned", pgettext_lazy("reputation action", "planned")
    DOING = "doing", pgettext_lazy("reputation action", "under way")
    DONE = "done", pgettext_lazy("reputation action", "done")
    CHECKED = "checked", pgettext_lazy("reputation action", "effect checked")
    DROPPED = "dropped", pgettext_lazy("reputation action", "dropped")


ACTION_COLOURS = {
    "planned": "blue",
    "doing": "amber",
    "done": "green",
    "checked": "green",
    "dropped": "grey",
}
ACTION_OPEN = ("planned", "doing")


class Direction(models.TextChoices):
    UP = "up", pgettext_lazy("indicator", "up")
    DOWN = "down", pgettext_lazy("indicator", "down")


class IndicatorUnit(models.TextChoices):
    """What a figure from outside is measured in."""

    SCORE = "score", pgettext_lazy("unit", "score")
    PERCENT = "percent", pgettext_lazy("unit", "percent")
    COUNT = "count", pgettext_lazy("unit", "number")
    RANK = "rank", pgettext_lazy("unit", "rank")
    CNY = "cny", pgettext_lazy("unit", "CNY")


class ValueSource(models.TextChoices):
    FORM = "form", _("by hand")
    FILE = "file", _("file import")
    DEMO = "demo", _("demo data")
