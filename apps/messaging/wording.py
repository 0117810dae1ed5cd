"""Reason codes and carriers' objections in sentences."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.messaging.carrier import Problem

# Why a message was not sent, was put off or failed. Codes of providers stand as they came.
REASONS: dict[str, Any] = {
    "erased": gettext_lazy("This address was erased at its owner's request."),
    "merged": gettext_lazy("This customer was merged into another."),
    "restricted": gettext_lazy("This customer's data may only be stored, not used."),
    "no_address": gettext_lazy("There is no address for this channel."),
    "too_late": gettext_lazy("By the time it may be sent it is of no use any more."),
    "on_hold": gettext_lazy("Nobody may contact this customer at present."),
    "opted_out": gettext_lazy("The customer does not want these messages."),
    "no_consent": gettext_lazy("The customer has not agreed to these messages."),
    "same_text": gettext_lazy("The customer has had the same text within a day."),
    "planned": gettext_lazy("Planned for later."),
    "frequency": gettext_lazy("The customer has had enough marketing for now."),
    "quiet_hours": gettext_lazy("It is night where the customer lives."),
    "no_gateway": gettext_lazy("No gateway of this channel is in use."),
    "carrier": gettext_lazy("Carriers would refuse this text."),
    "text_blocked": gettext_lazy("A rule forbids this text."),
    "needs_approval": gettext_lazy("This text needs somebody's approval."),
    "lease_expired": gettext_lazy("The worker stopped while it was sending."),
    "unknown_outcome": gettext_lazy("The provider did not say whether it was sent."),
    "too_often": gettext_lazy("Tried often enough without success."),
    "unreachable": gettext_lazy("The provider could not be reached."),
    "no_secret": gettext_lazy("A secret of this gateway is not set."),
    "no_provider_template": gettext_lazy("The gateway knows no template of the provider for this text."),
    "window_closed": gettext_lazy(
        "More than 48 hours since the customer last wrote: WeChat lets nothing through."
    ),
    "fault": gettext_lazy("A fault of our own; the log of the worker says why."),
    "receipt": gettext_lazy("The provider reports that it was not delivered."),
}


def reason(code: str) -> str:
    """The sentence for a code; "" for codes of providers."""
    return str(REASONS.get(code, ""))


SENTENCES: dict[str, Any] = {
    "brackets": gettext_lazy("No 【】 in the text: the gateway puts the signature in front."),
    "too_long": gettext_lazy("%(length)s characters; carriers take %(limit)s."),
    "link": gettext_lazy("Carriers refuse links in an SMS."),
    "words": gettext_lazy("Carriers refuse these words: %(words)s."),
    "opt_out_last": gettext_lazy("Marketing ends with how to opt out: “%(words)s”."),
    "link_variable": gettext_lazy("No variables for links in an SMS: %(names)s."),
    "signature": gettext_lazy("The signature has %(from)s to %(to)s characters and no brackets."),
}


def sentence(problem: Problem) -> str:
    """A carrier's objection in words."""
    return str(SENTENCES[problem.code]) % problem.params if problem.code in SENTENCES else _("not allowed")
