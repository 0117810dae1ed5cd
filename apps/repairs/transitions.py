"""The legal moves of this app's records."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core.transitions import Move, TransitionTable, states

# -- showcase, review requests, reputation ----------
PROPOSE = "repairs.propose_showcaseitem"
RELEASE = "repairs.release_showcaseitem"
DISPLAY = "repairs.change_showcase"
REQUESTS = "repairs.switch_reviewrequestplan"
ACT = "repairs.change_reputationaction"
CHECK = "repairs.check_reputationaction"

SHOW_ITEM = TransitionTable(
    name="showcase item",
    states=("proposed", "asked", "permitted", "released", "withdrawn", "refused"),
    moves=(
        Move(
            "ask",
            _("Ask the author"),
            states("proposed"),
            "asked",
            PROPOSE,
            main=True,
            help=_("A neutral message without any reward. Asked once: whoever says no is not asked again."),
        ),
        Move(
            "release",
            pgettext_lazy("showcase", "Release"),
            states("permitted"),
            "released",
            RELEASE,
            main=True,
            help=_("Shown from now on. Whoever proposed it cannot release it."),
        ),
        Move(
            "grant",
            _("Record permission"),
            states("proposed", "asked", "permitted"),
            "permitted",
            PROPOSE,
            needs_reason=True,
            main=True,
            help=_("What the author permitted, and what shows it. Text, photos and nickname each by itself."),
        ),
        Move(
            "hide",
            _("Stop showing"),
            states("released"),
            "permitted",
            RELEASE,
            needs_reason=True,
            help=_("The permission stays; it can be released again."),
        ),
        Move(
            "withdraw",
            _("Author takes it back"),
            states("proposed", "asked", "permitted", "released"),
            "withdrawn",
            PROPOSE,
            needs_reason=True,
            danger=True,
            help=_("Taken down at once and for good."),
        ),
        Move(
            "refuse",
            _("Do not show"),
            states("proposed", "asked", "permitted"),
            "refused",
            PROPOSE,
            needs_reason=True,
            help=_("The author said no, or it does not suit. It is not proposed again."),
        ),
        Move(
            "turn",
            _("No longer positive"),
            states("proposed", "asked", "permitted", "released"),
            "withdrawn",
            RELEASE,
            help=_("The review changed or a later one is negative: taken down by itself."),
        ),
    ),
)

SHOWCASE = TransitionTable(
    name="showcase",
    states=("off", "on"),
    moves=(
        Move(
            "switch_on",
            pgettext_lazy("showcase page", "Switch on"),
            states("off"),
            "on",
            RELEASE,
            main=True,
            help=_("Label, link to all reviews and the counts are checked against the law first."),
        ),
        Move("switch_off", pgettext_lazy("showcase page", "Switch off"), states("on"), "off", DISPLAY),
    ),
)

REQUEST_PLAN = TransitionTable(
    name="review requests",
    states=("off", "on"),
    moves=(
        Move(
            "switch_on",
            pgettext_lazy("review requests", "Switch on"),
            states("off"),
            "on",
            REQUESTS,
            main=True,
            help=_(
                "From now on every delivered order's customer is asked once, with the same words, without a reward."
            ),
        ),
        Move("switch_off", pgettext_lazy("review requests", "Switch off"), states("on"), "off", REQUESTS),
    ),
)

REPUTATION_ACTION = TransitionTable(
    name="reputation action",
    states=("planned", "doing", "done", "checked", "dropped"),
    moves=(
        Move(
            "start", pgettext_lazy("reputation action", "Start"), states("planned"), "doing", ACT, main=True
        ),
        Move(
            "finish",
            pgettext_lazy("reputation action", "Done"),
            states("doing"),
            "done",
            ACT,
            needs_reason=True,
            main=True,
            help=_("Say what was done."),
        ),
        Move(
            "check",
            _("Check the effect"),
            states("done"),
            "checked",
            CHECK,
            needs_reason=True,
            main=True,
            help=_("Compare before and after, and say what you conclude."),
        ),
        Move(
            "drop",
            pgettext_lazy("reputation action", "Drop"),
            states("planned", "doing"),
            "dropped",
            ACT,
            needs_reason=True,
        ),
    ),
)
