"""The legal moves of a callback."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core.transitions import Move, TransitionTable, states

WORK = "callbacks.work_callback"
ASSIGN = "callbacks.assign_callback"
OPEN = states("planned", "calling")

CALLBACK = TransitionTable(
    name="callback",
    states=("planned", "calling", "done", "unreached", "cancelled"),
    moves=(
        Move(
            "take",
            pgettext_lazy("callback", "Start the call"),
            states("planned"),
            "calling",
            WORK,
            main=True,
            help=_("You call this customer now; colleagues see it."),
        ),
        Move(
            "assign",
            pgettext_lazy("callback", "Assign"),
            states("planned"),
            None,
            ASSIGN,
            bulk=True,
            help=_("Give this callback to a colleague. Whoever handled the case cannot get it."),
        ),
        Move("record_attempt", pgettext_lazy("callback", "Not reached"), OPEN, "planned", WORK),
        Move("finish", pgettext_lazy("callback", "Finish"), OPEN, "done", WORK, main=True),
        Move("give_up", pgettext_lazy("callback", "Give up"), OPEN, "unreached", WORK),
        Move(
            "postpone",
            pgettext_lazy("callback", "Postpone"),
            OPEN,
            "planned",
            WORK,
            needs_reason=True,
            bulk=True,
            help=_("To another day, inside the hours in which customers may be called."),
        ),
        Move("put_back", pgettext_lazy("callback", "Put back"), states("calling"), "planned", WORK),
        Move(
            "cancel",
            pgettext_lazy("callback", "Call off"),
            OPEN,
            "cancelled",
            WORK,
            needs_reason=True,
            bulk=True,
            danger=True,
            help=_("This customer is not called about it."),
        ),
        Move(
            "reopen",
            pgettext_lazy("callback", "Plan again"),
            states("done", "unreached", "cancelled"),
            "planned",
            WORK,
            needs_reason=True,
            help=_("A new round of attempts begins; what was noted before stays."),
        ),
    ),
)
