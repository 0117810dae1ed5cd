"""The legal moves of a work item."""

from django.utils.translation import gettext_lazy as _

from apps.core.transitions import Move, TransitionTable, states

WORK_ITEM = TransitionTable(
    name="work item",
    states=("open", "doing", "done", "cancelled"),
    moves=(
        Move("start", _("Start"), states("open"), "doing", "shop.change_workitem", bulk=True, main=True),
        Move(
            "finish",
            _("Done"),
            states("open", "doing"),
            "done",
            "shop.change_workitem",
            needs_reason=True,
            main=True,
            help=_("Say what was found and done; this is the evidence."),
        ),
        Move(
            "cancel",
            _("Cancel"),
            states("open", "doing"),
            "cancelled",
            "shop.change_workitem",
            needs_reason=True,
            danger=True,
        ),
        Move("hand_on", _("Hand on"), states("open", "doing"), None, "shop.change_workitem"),
        Move(
            "redo",
            _("Open again"),
            states("done", "cancelled"),
            "open",
            "shop.change_workitem",
            needs_reason=True,
        ),
    ),
)
