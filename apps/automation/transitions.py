"""The legal moves of rules and proposals."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core.transitions import Move, TransitionTable, states

ENABLE = "automation.enable_rule"
CONFIRM = "automation.confirm_proposal"

RULE = TransitionTable(
    name="rule",
    states=("draft", "enabled", "disabled", "stopped"),
    moves=(
        Move(
            "enable",
            pgettext_lazy("rule", "Switch on"),
            states("draft", "disabled", "stopped"),
            "enabled",
            ENABLE,
            main=True,
            help=_("From now on it acts by itself. It needs a dry run of this very version within 24 hours."),
        ),
        Move(
            "disable",
            pgettext_lazy("rule", "Switch off"),
            states("enabled", "stopped"),
            "disabled",
            ENABLE,
            help=_("It does nothing any more; what it did stays."),
        ),
        Move(
            "edit",
            pgettext_lazy("rule", "Changed"),
            states("enabled", "disabled", "stopped"),
            "draft",
            ENABLE,
        ),
        Move("trip", pgettext_lazy("rule", "Stopped by the breaker"), states("enabled"), "stopped", ENABLE),
    ),
)

PROPOSAL = TransitionTable(
    name="proposal",
    states=("proposed", "confirmed", "rejected", "expired", "done"),
    moves=(
        Move(
            "confirm",
            pgettext_lazy("proposal", "Confirm"),
            states("proposed"),
            "confirmed",
            CONFIRM,
            main=True,
            help=_("It is carried out in your name."),
        ),
        Move(
            "reject",
            pgettext_lazy("proposal", "Reject"),
            states("proposed"),
            "rejected",
            CONFIRM,
            needs_reason=True,
            danger=True,
        ),
        Move("expire", pgettext_lazy("proposal", "Expired"), states("proposed"), "expired", CONFIRM),
        Move("finish", pgettext_lazy("proposal", "Carried out"), states("confirmed"), "done", CONFIRM),
    ),
)
