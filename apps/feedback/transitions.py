"""The legal moves of a case (decisions, item 5)."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

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

IMPORTER = "feedback.import_feedback"
IMPORT_STATES = (
    "draft",
    "checking",
    "ready",
    "queued",
    "running",
    "paused",
    "done",
    "failed",
    "undoing",
    "undone",
)
# Verbs whose states nobody presses a button for (found, finish, …) belong to the worker.
IMPORT = TransitionTable(
    name="import",
    states=IMPORT_STATES,
    moves=(
        Move("edit", pgettext_lazy("import", "Change columns"), states("draft", "ready"), "draft", IMPORTER),
        Move(
            "check",
            pgettext_lazy("import", "Check the file"),
            states("draft", "ready"),
            "checking",
            IMPORTER,
            main=True,
        ),
        Move("checked", pgettext_lazy("import", "Checked"), states("checking"), "ready", IMPORTER),
        Move("check_failed", pgettext_lazy("import", "Check failed"), states("checking"), "draft", IMPORTER),
        Move(
            "start",
            pgettext_lazy("import", "Start the import"),
            states("ready"),
            "queued",
            IMPORTER,
            main=True,
            help=_("The file is read in the background; you may leave the page."),
        ),
        Move("work", pgettext_lazy("import", "Work begins"), states("queued"), "running", IMPORTER),
        Move("take_over", pgettext_lazy("import", "Taken over"), states("running"), "running", IMPORTER),
        Move(
            "pause",
            pgettext_lazy("import", "Pause"),
            states("queued", "running"),
            "paused",
            IMPORTER,
            help=_("Rows that are in stay in; the rest waits until you resume."),
        ),
        Move(
            "resume",
            pgettext_lazy("import", "Resume the import"),
            states("paused"),
            "queued",
            IMPORTER,
            main=True,
        ),
        Move(
            "again",
            pgettext_lazy("import", "Import again"),
            states("done", "failed"),
            "queued",
            IMPORTER,
            help=_("Rows that are in stay as they are; rejected and undone rows are tried once more."),
        ),
        Move("finish", pgettext_lazy("import", "Finished"), states("running"), "done", IMPORTER),
        Move("fail", pgettext_lazy("import", "Failed"), states("queued", "running"), "failed", IMPORTER),
        Move(
            "undo",
            pgettext_lazy("import", "Undo the import"),
            states("done", "failed", "paused"),
            "undoing",
            "feedback.undo_importrun",
            needs_reason=True,
            danger=True,
        ),
        Move("undone", pgettext_lazy("import", "Undone"), states("undoing"), "undone", IMPORTER),
        Move(
            "undone_partly",
            pgettext_lazy("import", "Undone except touched rows"),
            states("undoing"),
            "done",
            IMPORTER,
        ),
    ),
)

SUBMIT_VISIT = "feedback.change_mysteryvisit"
RECORD_VISIT = "feedback.record_mysteryvisit"
VISIT = TransitionTable(
    name="mystery visit",
    states=("draft", "submitted", "recorded"),
    moves=(
        Move(
            "submit",
            _("Submit"),
            states("draft"),
            "submitted",
            SUBMIT_VISIT,
            main=True,
            help=_("The checklist is complete. Scores and findings can no longer be changed."),
        ),
        Move(
            "record",
            _("Record findings"),
            states("submitted"),
            "recorded",
            RECORD_VISIT,
            main=True,
            help=_("Every finding becomes a feedback with its own clocks and owner, exactly once."),
        ),
        Move(
            "send_back",
            _("Send back"),
            states("submitted"),
            "draft",
            RECORD_VISIT,
            needs_reason=True,
            help=_("The visitor completes or corrects it."),
        ),
    ),
)

CHANGE_SYMPOSIUM = "feedback.change_symposium"
SYMPOSIUM = TransitionTable(
    name="symposium",
    states=("planned", "held", "recorded", "cancelled"),
    moves=(
        Move(
            "hold",
            _("It took place"),
            states("planned"),
            "held",
            CHANGE_SYMPOSIUM,
            main=True,
            help=_("From now on attendance and findings are completed; nobody else is invited."),
        ),
        Move(
            "record_findings",
            _("Record findings"),
            states("held"),
            "recorded",
            "feedback.record_symposium",
            main=True,
            help=_("Every finding becomes a feedback with its own clocks and owner, exactly once."),
        ),
        Move(
            "plan_again",
            _("Plan again"),
            states("held", "cancelled"),
            "planned",
            CHANGE_SYMPOSIUM,
            needs_reason=True,
        ),
        Move(
            "cancel",
            _("Call off"),
            states("planned"),
            "cancelled",
            CHANGE_SYMPOSIUM,
            needs_reason=True,
            danger=True,
        ),
    ),
)

INVITATION = TransitionTable(
    name="invitation",
    states=("chosen", "invited", "accepted", "declined", "attended", "absent"),
    moves=(
        Move("invite", _("Was invited"), states("chosen"), "invited", CHANGE_SYMPOSIUM, main=True),
        Move("accept", _("Accepted"), states("invited", "declined"), "accepted", CHANGE_SYMPOSIUM, main=True),
        Move("decline", _("Declined"), states("invited", "accepted"), "declined", CHANGE_SYMPOSIUM),
        Move(
            "attend",
            _("Came"),
            states("invited", "accepted", "declined", "absent"),
            "attended",
            CHANGE_SYMPOSIUM,
            main=True,
        ),
        Move(
            "miss", _("Did not come"), states("invited", "accepted", "attended"), "absent", CHANGE_SYMPOSIUM
        ),
    ),
)

TOPIC_WORK = "feedback.change_topic"
TOPIC = TransitionTable(
    name="topic",
    states=("open", "answered", "closed", "merged"),
    moves=(
        Move(
            "answer",
            pgettext_lazy("topic", "Answer all"),
            states("open", "answered"),
            None,
            "feedback.answer_topic",
            main=True,
            help=_("One text for everybody who told us; a second person reads it first."),
        ),
        Move(
            "close",
            pgettext_lazy("topic", "Close"),
            states("open", "answered"),
            "closed",
            TOPIC_WORK,
            needs_reason=True,
        ),
        Move(
            "reopen",
            pgettext_lazy("topic", "Open again"),
            states("closed"),
            "open",
            TOPIC_WORK,
            needs_reason=True,
        ),
        Move(
            "merge",
            pgettext_lazy("topic", "Merge"),
            states("open", "answered", "closed"),
            "merged",
            TOPIC_WORK,
            needs_reason=True,
            help=_("Its feedback moves to another common problem; can be undone exactly."),
        ),
        Move(
            "unmerge",
            pgettext_lazy("topic", "Undo merge"),
            states("merged"),
            "open",
            TOPIC_WORK,
            needs_reason=True,
        ),
    ),
)
EDIT_ARTICLE = "feedback.change_article"
APPROVE_ARTICLE = "feedback.approve_article"
REVIEW_ANSWER = "feedback.review_autoanswer"

# Publishing belongs to the second person: it follows from a decision under Approvals and has no button here.
ARTICLE = TransitionTable(
    name="article",
    states=("draft", "in_review", "published", "retired"),
    moves=(
        Move(
            "submit",
            pgettext_lazy("article", "Submit for approval"),
            states("draft"),
            "in_review",
            EDIT_ARTICLE,
            main=True,
            help=_("A second person reads it under Approvals; with their consent it is published."),
        ),
        Move(
            "withdraw",
            pgettext_lazy("article", "Back to draft"),
            states("in_review"),
            "draft",
            EDIT_ARTICLE,
            help=_("The request for approval is taken back."),
        ),
        Move(
            "publish", pgettext_lazy("article", "Publish"), states("in_review"), "published", APPROVE_ARTICLE
        ),
        Move(
            "send_back", pgettext_lazy("article", "Send back"), states("in_review"), "draft", APPROVE_ARTICLE
        ),
        Move(
            "revise",
            pgettext_lazy("article", "Revise"),
            states("published", "retired"),
            "draft",
            EDIT_ARTICLE,
            help=_("It becomes a draft and answers nothing until it is approved again."),
        ),
        Move(
            "retire",
            pgettext_lazy("article", "Retire"),
            states("published", "draft"),
            "retired",
            EDIT_ARTICLE,
            needs_reason=True,
            danger=True,
            help=_("It is no longer suggested and answers nothing."),
        ),
    ),
)

AUTO_ANSWER = TransitionTable(
    name="automatic answer",
    states=("sent", "held", "withdrawn"),
    moves=(
        Move(
            "take_back",
            pgettext_lazy("automatic answer", "Take back"),
            states("sent"),
            "withdrawn",
            REVIEW_ANSWER,
            needs_reason=True,
            danger=True,
            help=_("Counts as wrong; a note on the case asks a person to put it right with the customer."),
        ),
    ),
)

PROPOSAL = TransitionTable(
    name="article proposal",
    states=("open", "accepted", "rejected"),
    moves=(
        Move(
            "accept",
            pgettext_lazy("article proposal", "Make a draft"),
            states("open"),
            "accepted",
            EDIT_ARTICLE,
            main=True,
            help=_("A draft article with this text is made. Read it, then submit it for approval."),
        ),
        Move("reject", pgettext_lazy("article proposal", "Reject"), states("open"), "rejected", EDIT_ARTICLE),
    ),
)
