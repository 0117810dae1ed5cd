"""The legal moves of months, scores, quality reviews, coaching notes, trainings and proposals."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core.transitions import Move, TransitionTable, states

LEAD = "performance.lead_team"
LOCK = "performance.lock_monthroll"
PUBLISH = "performance.publish_monthlyscore"
REVIEW = "performance.review_qualityreview"
NOTE = "performance.add_coachingnote"
SEE_NOTE = "performance.view_coachingnote"
TRAIN = "performance.change_trainingsession"
DECIDE = "performance.decide_trainingproposal"

MONTH = TransitionTable(
    name="month of figures",
    states=("open", "locked"),
    moves=(
        Move("lock", pgettext_lazy("month", "Lock"), states("open"), "locked", LOCK, main=True,
             help=_("The figures of this month stay as they are now.")),
        Move("unlock", pgettext_lazy("month", "Unlock"), states("locked"), "open", LOCK, needs_reason=True,
             help=_("The figures may be counted anew. Published scores stay as they are.")),
    ),
)  # fmt: skip
SCORE = TransitionTable(
    name="monthly score",
    states=("draft", "published"),
    moves=(
        Move("publish", pgettext_lazy("score", "Publish"), states("draft"), "published", PUBLISH, main=True, bulk=True,
             help=_("The person sees score and parts and may comment on them. Nobody publishes their own.")),
        Move("take_back", pgettext_lazy("score", "Take back"), states("published"), "draft", PUBLISH, needs_reason=True,
             danger=True, help=_("Back to a draft, for instance after the person objected. It is computed anew tonight.")),
    ),
)  # fmt: skip
QUALITY = TransitionTable(
    name="quality review",
    states=("open", "done", "skipped"),
    moves=(
        Move("submit", pgettext_lazy("quality review", "Save the result"), states("open"), "done", REVIEW, main=True),
        Move("skip", pgettext_lazy("quality review", "Leave out"), states("open"), "skipped", REVIEW, needs_reason=True,
             help=_("This case says nothing about the person, for instance because somebody else spoke with the customer.")),
        Move("reopen", pgettext_lazy("quality review", "Review again"), states("done", "skipped"), "open", REVIEW,
             needs_reason=True, help=_("The points are given anew.")),
    ),
)  # fmt: skip
COACHING = TransitionTable(
    name="coaching note",
    states=("given", "seen", "closed"),
    moves=(
        Move("acknowledge", pgettext_lazy("coaching note", "I have read it"), states("given"), "seen", SEE_NOTE,
             main=True, help=_("Only the person it is for. You may answer.")),
        Move("close", pgettext_lazy("coaching note", "Close"), states("given", "seen"), "closed", NOTE,
             help=_("Followed up; nothing more to do.")),
    ),
)  # fmt: skip
SESSION = TransitionTable(
    name="training",
    states=("planned", "held", "closed", "cancelled"),
    moves=(
        Move("hold", pgettext_lazy("training", "It took place"), states("planned"), "held", TRAIN, main=True,
             help=_("Note who was there; whoever was there can take the quiz.")),
        Move("close", pgettext_lazy("training", "Close"), states("held"), "closed", TRAIN, main=True,
             help=_("Attendance and quiz are final.")),
        Move("cancel", pgettext_lazy("training", "Call off"), states("planned"), "cancelled", TRAIN, needs_reason=True,
             danger=True, help=_("Those who were invited are told.")),
        Move("plan_again", pgettext_lazy("training", "Plan again"), states("cancelled"), "planned", TRAIN),
    ),
)  # fmt: skip
PROPOSAL = TransitionTable(
    name="training proposal",
    states=("open", "accepted", "rejected"),
    moves=(
        Move("accept", pgettext_lazy("training proposal", "Plan the training"), states("open"), "accepted", DECIDE,
             main=True, help=_("Makes a training with those concerned as participants.")),
        Move("reject", pgettext_lazy("training proposal", "Reject"), states("open"), "rejected", DECIDE,
             needs_reason=True, help=_("No training is needed. What caused this is not counted again.")),
    ),
)  # fmt: skip
