"""Values with label and colour."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class CallbackState(models.TextChoices):
    """Where a callback stands. “Due” is no state: it follows from the time (`Callback.is_due`)."""

    PLANNED = "planned", pgettext_lazy("callback", "planned")
    CALLING = "calling", pgettext_lazy("callback", "being called")
    DONE = "done", pgettext_lazy("callback", "done")
    UNREACHED = "unreached", pgettext_lazy("callback", "not reached")
    CANCELLED = "cancelled", pgettext_lazy("callback", "called off")


OPEN = (CallbackState.PLANNED, CallbackState.CALLING)
FINISHED = (CallbackState.DONE, CallbackState.UNREACHED)
STATE_COLOURS = {
    CallbackState.PLANNED: "blue",
    CallbackState.CALLING: "amber",
    CallbackState.DONE: "green",
    CallbackState.UNREACHED: "grey",
    CallbackState.CANCELLED: "grey",
}


class Outcome(models.TextChoices):
    """What a call came to. The first three are answers to “are you satisfied?”."""

    SATISFIED = "reached_satisfied", pgettext_lazy("callback", "satisfied")
    NEUTRAL = "reached_neutral", pgettext_lazy("callback", "so-so")
    UNSATISFIED = "reached_unsatisfied", pgettext_lazy("callback", "not satisfied")
    NO_ANSWER = "no_answer", pgettext_lazy("callback", "no answer")
    BUSY = "busy", pgettext_lazy("callback", "busy or switched off")
    CALL_LATER = "call_later", pgettext_lazy("callback", "asked to be called later")
    WRONG_NUMBER = "wrong_number", pgettext_lazy("callback", "wrong number")
    REFUSED = "refused", pgettext_lazy("callback", "does not want calls")


REACHED = frozenset({Outcome.SATISFIED, Outcome.NEUTRAL, Outcome.UNSATISFIED})
# Nobody picked up: these count towards the most attempts a callback may have.
MISSED = frozenset({Outcome.NO_ANSWER, Outcome.BUSY})
# The callback ends with them; the others plan the next try.
ENDING = REACHED | {Outcome.WRONG_NUMBER, Outcome.REFUSED}
OUTCOME_COLOURS = {
    Outcome.SATISFIED: "green",
    Outcome.NEUTRAL: "blue",
    Outcome.UNSATISFIED: "red",
    Outcome.NO_ANSWER: "grey",
    Outcome.BUSY: "grey",
    Outcome.CALL_LATER: "amber",
    Outcome.WRONG_NUMBER: "grey",
    Outcome.REFUSED: "amber",
}


class Method(models.TextChoices):
    """By what way the customer was asked."""

    PHONE = "phone", _("telephone")
    WECHAT = "wechat", _("WeChat")
    CHAT = "chat", _("platform chat")
    VISIT = "visit", _("in the store")


class Trigger(models.TextChoices):
    """What makes a plan call."""

    AFTER_CASE = "after_case", _("after a case is resolved")
    PERIODIC = "periodic", _("regularly, for a kind of customer")
    HAND_PICKED = "hand_picked", _("customers picked by hand")


class CallPurpose(models.TextChoices):
    """What the law calls a call (PIPL art. 13; 消费者权益保护法实施条例 art. 24)."""

    SERVICE = "service", _("after-sales service: needs no consent")
    SURVEY = "survey", _("survey: needs consent to surveys")
    MARKETING = "marketing", _("care with offers: needs consent to marketing")


class Block(models.TextChoices):
    """Why a customer may not be called."""

    ERASED = "erased", _("The customer's data was erased.")
    MERGED = "merged", _("The customer was merged into another.")
    RESTRICTED = "restricted", _("The customer's data may only be stored.")
    ON_HOLD = "on_hold", _("Nobody may contact this customer at present.")
    NO_CONSENT = "no_consent", _("The customer has not agreed to such calls.")
    OPTED_OUT = "opted_out", _("The customer has refused such calls.")
    CASE_OPEN = "case_open", _("The case is open again; call when it is resolved.")
    CASE_GONE = "case_gone", _("The case was merged into another or dismissed.")
    NO_PHONE = "no_phone", _("No phone number is known.")
    PLANNED = "planned", _("A callback is planned or was made of late.")
