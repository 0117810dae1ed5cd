"""The legal moves of a case (decisions, item 5)."""

from django.utils.translation import gettext_lazy as _

from apps.core.transitions import Move, TransitionTable, states

ALL = ("new", "assigned", "in_progress", "waiting", "resolved", "closed", "dismissed", "merged")
WORKING = states("new", "assigned", "in_progress", "waiting")
CHANGE = "feedback.work_feedback"
LEAD = "feedback.assign_feedback"

FEEDBACK = TransitionTable(
    name="feedback",
    states=ALL,
    moves=(
        Move(
            "claim",
            _("Claim"),
            states("new", "assigned"),
            "assigned",
            CHANGE,
            bulk=True,
            undoable=True,
            main=True,
            help=_("You become the owner."),
        ),
        Move(
            "assign",
            _("Assign"),
            WORKING,
            None,
            LEAD,
            bulk=True,
            undoable=True,
            help=_("Give this to a colleague."),
        ),
        Move(
            "record_contact",
            _("Record contact"),
            WORKING,
            None,
            CHANGE,
            main=True,
            help=_("How, when and what was said. Stops the first-response clock."),
        ),
        Move(
            "give_plan",
            _("Plan given"),
            WORKING,
            None,
            CHANGE,
            help=_("The customer knows what we will do. Stops the plan clock."),
        ),
        Move(
            "give_progress",
            _("Progress given"),
            WORKING,
            None,
            CHANGE,
            help=_("The customer knows how far we are. Stops the progress clock."),
        ),
        Move(
            "wait",
            _("Wait"),
            states("assigned", "in_progress"),
            "waiting",
            CHANGE,
            needs_reason=True,
            help=_("The second clock stands still, for at most three days at a time."),
        ),
        Move("resume", _("Resume"), states("waiting"), "in_progress", CHANGE, main=True),
        Move(
            "resolve",
            _("Resolve"),
            states("assigned", "in_progress", "waiting"),
            "resolved",
            CHANGE,
            needs_reason=True,
            main=True,
            help=_("Say what solved it; the customer may be told."),
        ),
        Move(
            "close",
            _("Close"),
            states("resolved", "new", "assigned", "in_progress"),
            "closed",
            CHANGE,
            bulk=True,
            undoable=True,
            help=_("Nothing more to do."),
        ),
        Move(
            "reopen",
            _("Reopen"),
            states("resolved", "closed", "dismissed"),
            "in_progress",
            CHANGE,
            needs_reason=True,
            help=_("Within seven days it stays the same case with a new second clock."),
        ),
        Move(
            "dismiss",
            _("Dismiss"),
            states("new", "assigned", "in_progress"),
            "dismissed",
            CHANGE,
            needs_reason=True,
            bulk=True,
            danger=True,
            help=_("Spam or nothing to act on."),
        ),
        Move(
            "escalate",
            _("Escalate"),
            WORKING,
            None,
            CHANGE,
            needs_reason=True,
            danger=True,
            help=_("Raises the tier and tells the lead and the manager."),
        ),
        Move(
            "merge",
            _("Merge"),
            WORKING | states("resolved"),
            "merged",
            LEAD,
            needs_reason=True,
            help=_("This becomes part of another case; the earlier clock wins."),
        ),
        Move("unmerge", _("Undo merge"), states("merged"), "in_progress", LEAD, needs_reason=True),
        Move("note", _("Add note"), states(*ALL), None, CHANGE),
        Move("correct", _("Correct reading"), states(*ALL), None, CHANGE, bulk=True, undoable=True),
    ),
)

PROMISE = TransitionTable(
    name="promise",
    states=("open", "kept", "cancelled"),
    moves=(
        Move("keep", _("Kept"), states("open"), "kept", CHANGE, main=True),
        Move("cancel", _("Not needed any more"), states("open"), "cancelled", CHANGE, needs_reason=True),
        Move("hand_on", _("Hand on"), states("open"), None, LEAD),
    ),
)
