"""The legal moves of a repair, as a table. Guards on them: `apps.repairs.guards`."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.core.transitions import Move, TransitionTable, states

WORK = "repairs.work_repaircase"
LEAD = "repairs.lead_repaircase"
LEGAL = "repairs.appeal_repaircase"

TALKING = ("triaged", "contacted", "unreachable", "renegotiate", "unsatisfied")
# Whatever is agreed or under way, the public review may change by itself.
SEEN = (
    "collected", "triaged", "contacted", "unreachable", "proposed", "renegotiate", "accepted", "executing", "executed",
    "callback", "satisfied", "unsatisfied", "invited", "reply_due", "suspected", "evidence", "appealed", "appeal_rejected",
    "kept", "kept_public_reply",
)  # fmt: skip
# What a customer has heard or agreed to is carried through first, whatever becomes of the review.
BOUND = ("proposed", "accepted", "executing")
FREE = tuple(state for state in SEEN if state not in BOUND)
ENDED = ("withdrawn", "revised", "kept", "kept_public_reply", "removed", "dismissed")

REPAIR = TransitionTable(
    name="repair",
    states=(*SEEN, "withdrawn", "revised", "removed", "dismissed"),
    moves=(
        Move(
            "triage",
            _("Reading is right, go on"),
            states("collected"),
            "triaged",
            WORK,
            main=True,
            help=_("A person has looked at kind, category and tier."),
        ),
        Move(
            "contact",
            _("Record the talk"),
            states("triaged", "unreachable"),
            "contacted",
            WORK,
            main=True,
            help=_("Apologise and listen. The review is not mentioned."),
        ),
        Move(
            "try_contact",
            _("Customer not reached"),
            states(*TALKING),
            None,
            WORK,
            help=_("Note every try; after three tries on three days the case goes on with a public reply."),
        ),
        Move(
            "give_up_contact",
            _("Cannot be reached"),
            states("triaged"),
            "unreachable",
            WORK,
        ),
        Move(
            "propose",
            _("Offer made to the customer"),
            states("contacted", "renegotiate"),
            "proposed",
            WORK,
            main=True,
            help=_("The offer hangs on nothing: whatever becomes of the review, it holds."),
        ),
        Move("accept", _("Customer accepts"), states("proposed"), "accepted", WORK, main=True),
        Move(
            "refuse",
            _("Customer wants something else"),
            states("proposed", "accepted"),
            "renegotiate",
            WORK,
            needs_reason=True,
            help=_("Write down what the customer asks for. Two new offers at most."),
        ),
        Move(
            "end_talks",
            _("No agreement"),
            states("contacted", "proposed", "renegotiate", "unsatisfied"),
            "reply_due",
            WORK,
            needs_reason=True,
            help=_("A public reply tells everybody what was offered and done."),
        ),
        Move(
            "execute",
            _("Carry out"),
            states("accepted"),
            "executing",
            WORK,
            main=True,
            help=_("Money and coupons are booked now, once; departments get their work."),
        ),
        Move(
            "call_off",
            _("Cannot be carried out"),
            states("accepted", "executing"),
            "renegotiate",
            LEAD,
            needs_reason=True,
            danger=True,
            help=_(
                "A promise cannot be kept: tell the customer why and offer something else. It does not count as a new offer."
            ),
        ),
        Move(
            "complete",
            _("All carried out"),
            states("executing"),
            "executed",
            WORK,
            main=True,
            help=_("Every remedy is done and proven."),
        ),
        Move("plan_callback", _("Plan the callback"), states("executed"), "callback", WORK, main=True),
        Move(
            "satisfied",
            _("Customer is satisfied"),
            states("executed", "callback"),
            "satisfied",
            WORK,
            main=True,
        ),
        Move(
            "unsatisfied",
            _("Customer is not satisfied"),
            states("executed", "callback"),
            "unsatisfied",
            WORK,
        ),
        Move(
            "callback_missed",
            _("Callback did not reach the customer"),
            states("callback"),
            "reply_due",
            WORK,
        ),
        Move(
            "renegotiate",
            _("Make a new offer"),
            states("unsatisfied"),
            "renegotiate",
            WORK,
            main=True,
            needs_reason=True,
        ),
        Move(
            "invite",
            _("Invite once"),
            states("satisfied"),
            "invited",
            WORK,
            main=True,
            help=_("One neutral sentence, once, with nothing attached to it."),
        ),
        Move(
            "keep",
            _("Review stays as it is"),
            states("satisfied", "invited"),
            "kept",
            WORK,
            help=_("Also right: a repaired customer need not change a word."),
        ),
        Move(
            "reply",
            _("Public reply is out"),
            states("reply_due", "unreachable"),
            "kept_public_reply",
            WORK,
            main=True,
        ),
        Move(
            "suspect",
            _("Suspect malice"),
            states("collected", *TALKING, "proposed", "reply_due"),
            "suspected",
            WORK,
            needs_reason=True,
            help=_("Few stars or hard words are no malice. Evidence of at least two grounds is needed."),
        ),
        Move(
            "add_evidence",
            _("Add evidence"),
            states("suspected", "evidence", "appeal_rejected"),
            "evidence",
            WORK,
            main=True,
        ),
        Move(
            "clear",
            _("Not malicious"),
            states("suspected", "evidence"),
            "triaged",
            WORK,
            needs_reason=True,
        ),
        Move("appeal", _("Appeal filed"), states("evidence"), "appealed", LEGAL, main=True),
        Move(
            "uphold",
            _("Appeal upheld"),
            states("appealed"),
            "removed",
            LEGAL,
            main=True,
        ),
        Move(
            "reject_appeal",
            _("Appeal rejected"),
            states("appealed"),
            "appeal_rejected",
            LEGAL,
            needs_reason=True,
        ),
        Move(
            "end_appeal",
            _("Leave it, answer in public"),
            states("suspected", "evidence", "appeal_rejected"),
            "reply_due",
            WORK,
            needs_reason=True,
        ),
        Move(
            "see_revised",
            pgettext_lazy("repair", "Seen revised"),
            states(*FREE),
            "revised",
            WORK,
        ),
        Move(
            "confirm_withdrawn",
            _("Withdrawn by the customer"),
            states(*FREE),
            "withdrawn",
            LEAD,
            needs_reason=True,
            help=_(
                "The review was missing in a complete list; you looked and have proof that its author took it away."
            ),
        ),
        Move(
            "confirm_removed",
            _("Removed by the platform"),
            states(*FREE),
            "removed",
            LEAD,
            needs_reason=True,
            help=_("Not a success of repairing: counted apart."),
        ),
        Move(
            "reopen",
            _("Open again"),
            states("withdrawn", "revised", "kept", "kept_public_reply", "removed", "dismissed"),
            "triaged",
            WORK,
            needs_reason=True,
        ),
        Move(
            "dismiss",
            _("No negative review"),
            states("collected", "triaged"),
            "dismissed",
            WORK,
            needs_reason=True,
            danger=True,
            help=_("Misread, not about this shop, or not a review."),
        ),
    ),
)

OFFER = TransitionTable(
    name="offer",
    states=("draft", "waiting", "ready", "made", "accepted", "refused", "done", "cancelled"),
    moves=(
        Move("ask", _("Ask for approval"), states("draft"), "waiting", WORK),
        Move("release", _("May be made"), states("draft", "waiting"), "ready", WORK),
        Move("make", _("Made to the customer"), states("ready"), "made", WORK),
        Move("accept", _("Customer accepts"), states("made"), "accepted", WORK),
        Move("refuse", _("Not accepted"), states("made", "accepted"), "refused", WORK),
        Move("finish", _("Carried out"), states("accepted"), "done", WORK),
        Move(
            "cancel",
            _("Take back"),
            states("draft", "waiting", "ready", "made", "accepted"),
            "cancelled",
            WORK,
            needs_reason=True,
        ),
    ),
)

REMEDY = TransitionTable(
    name="remedy",
    states=("planned", "doing", "done", "cancelled"),
    moves=(
        Move("begin", _("Begin"), states("planned"), "doing", WORK),
        Move("finish", pgettext_lazy("remedy", "Done, with proof"), states("doing"), "done", WORK, main=True),
        Move(
            "cancel",
            _("Cancel"),
            states("planned", "doing"),
            "cancelled",
            LEAD,
            needs_reason=True,
            danger=True,
        ),
    ),
)

APPEAL = TransitionTable(
    name="appeal",
    states=("gathering", "filed", "upheld", "rejected", "dropped"),
    moves=(
        Move("file", _("Appeal filed"), states("gathering"), "filed", LEGAL),
        Move("uphold", _("Appeal upheld"), states("filed"), "upheld", LEGAL),
        Move("reject", _("Appeal rejected"), states("filed"), "rejected", LEGAL, needs_reason=True),
        Move("drop", _("Dropped"), states("gathering", "filed"), "dropped", WORK),
    ),
)


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
