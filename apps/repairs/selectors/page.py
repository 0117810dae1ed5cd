"""Everything the page of one repair shows (screens.md, repair case)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.core import masking
from apps.core.models import ActionLog, Approval
from apps.core.wording import VERBS
from apps.feedback.models import Feedback, FeedbackChange
from apps.feedback.selectors.case import parts
from apps.messaging.choices import GONE, MessageState
from apps.messaging.models import OutboundMessage
from apps.repairs.choices import APPEAL_BRANCH, OFFER_KEY, PATH, RemedyStatus, RepairStatus
from apps.repairs.guard_texts import cure, what
from apps.repairs.guards import GUARDS, RepairFacts, checklist
from apps.repairs.models import Appeal, ContactTry, Evidence, Offer, PublicReply, RepairCase
from apps.repairs.selectors.coupons import told
from apps.repairs.selectors.facts import facts_of, live_offer, tries_of
from apps.repairs.transitions import REPAIR

#: Of each state, the move people are working towards: its guards are explained on the page.
AHEAD = {
    RepairStatus.TRIAGED: ("contact",),
    RepairStatus.UNREACHABLE: ("reply",),
    RepairStatus.CONTACTED: ("propose",),
    RepairStatus.RENEGOTIATE: ("propose",),
    RepairStatus.ACCEPTED: ("execute",),
    RepairStatus.EXECUTING: ("complete",),
    RepairStatus.EXECUTED: ("satisfied",),
    RepairStatus.CALLBACK: ("satisfied", "invite"),
    RepairStatus.SATISFIED: ("invite",),
    RepairStatus.REPLY_DUE: ("reply",),
    RepairStatus.SUSPECTED: ("appeal",),
    RepairStatus.EVIDENCE: ("appeal",),
    RepairStatus.APPEAL_REJECTED: ("appeal",),
    RepairStatus.APPEALED: ("uphold",),
}
#: Conditions that only the form of the move itself can meet: shown there, not on the page.
ON_FORM = frozenset(
    {"text_neutral", "text_lawful", "case_number", "not_about_review", "proof", "seen_better", "by_person"}
)
#: Nothing in the way yet but the talk that is about to be recorded.
#: What the customer says in the call that is about to be recorded.
BY_FORM = frozenset({"satisfied", "unsatisfied"})
BY_TALK = {"contact": frozenset({"apologised", "listened"})}


@dataclass(frozen=True)
class Check:
    """One condition of a move ahead: what, whether it holds, what to do where not."""

    what: str
    ok: bool
    cure: str


def checks(verb: str, facts: RepairFacts, *, form: bool = False) -> list[Check]:
    """The guards of a move in words; on its own form (`form`) not those that the form itself meets."""
    hidden = ON_FORM | BY_TALK.get(verb, frozenset()) | (BY_FORM if form else frozenset())
    if facts.tier != "S":
        # Says nothing about any other.
        hidden |= {"s_lead", "reply_approved"}
    if not facts.offer_items:
        # Of an offer that is not there nothing is right or wrong.
        hidden |= {"unconditional", "offer_lawful", "offer_approved"}
    return [Check(what(code), ok, cure(code)) for code, ok in checklist(verb, facts) if code not in hidden]


def path(case: RepairCase) -> list[dict[str, Any]]:
    """The steps of a repair with the present one lit."""
    here = next((index for index, (_code, states, _label) in enumerate(PATH) if case.status in states), None)
    reached = (
        case.contacted_at, case.proposed_at, case.executed_at, case.called_back_at, case.invited_at, case.outcome_at,
    )  # fmt: skip
    if case.status in APPEAL_BRANCH:
        here = None
    return [
        {
            "label": label,
            "here": index == here,
            "done": reached[index] is not None and index != here,
            "at": reached[index],
        }
        for index, (_code, _states, label) in enumerate(PATH)
    ]


def page(case: RepairCase, user: Any, now: datetime) -> dict[str, Any]:
    """The page's content. A fixed number of queries."""
    from apps.callbacks.models import Callback

    feedback = case.feedback
    facts = facts_of(case, by=user, now=now)
    ahead = []
    for verb in AHEAD.get(RepairStatus(case.status), ()):
        move = REPAIR.get(verb)
        lines = checks(verb, facts)
        if move is not None and lines:
            ahead.append({"label": move.label, "checks": lines, "open": all(line.ok for line in lines)})
    offers = list(
        Offer.objects.filter(case=case).select_related("by").prefetch_related(
            "remedies__type", "remedies__work", "remedies__proof", "remedies__coupon_type", "remedies__gift",
            "remedies__done_by",
        )
    )  # fmt: skip
    approvals = {
        row.object_id: row
        for row in Approval.objects.filter(
            model="repairs.offer", object_id__in=[offer.pk for offer in offers], state="pending"
        )
    }
    gifts = [row for offer in offers for row in offer.remedies.all() if row.coupon_type_id and row.grant_id]
    known = told(gifts)
    for row in gifts:
        # A code nobody has told is worth nothing to the customer.
        row.told = row.pk in known  # type: ignore[attr-defined]
        row.may_tell = row.status == RemedyStatus.DONE  # type: ignore[attr-defined]
    for offer in offers:
        offer.pending = approvals.get(offer.pk)  # type: ignore[attr-defined]
    evidence = list(Evidence.objects.filter(case=case).select_related("file", "by"))
    tries, days = tries_of(case)
    live = live_offer(case)
    return {
        "case": case,
        "feedback": feedback,
        "pieces": parts(feedback.text, feedback.reading.get("spans", [])),
        "path": path(case),
        "branch": case.status in APPEAL_BRANCH,
        "ahead": ahead,
        "offers": offers,
        "live_offer": live,
        "unsent": live is not None
        and OutboundMessage.objects.filter(
            subject_key=f"feedback:{feedback.pk}",
            # And its repeats after a failure, but not those of another offer whose number begins alike.
            period_key__regex=rf"^{OFFER_KEY}{live.pk}(~|$)",
            state=MessageState.TO_DO,
        ).exists(),
        "tries": list(ContactTry.objects.filter(case=case).select_related("by")),
        "vain": {
            "tries": tries,
            "days": days,
            "needed": facts.tries_needed,
            "days_needed": facts.days_needed,
        },
        "callbacks": list(
            Callback.objects.filter(subject_key=f"repair:{case.pk}")
            .select_related("assignee")
            .order_by("due_at")
        ),
        "replies": _replies(case),
        "evidence": evidence,
        "appeals": list(Appeal.objects.filter(case=case).select_related("filed_by", "proof")),
        "changes": list(FeedbackChange.objects.filter(feedback=feedback)),
        "follow_ups": list(Feedback.objects.filter(parent=feedback).order_by("posted_at")),
        "history": history(case),
        "blocked": {
            verb
            for verb in AHEAD.get(RepairStatus(case.status), ())
            if not all(row.ok for row in checks(verb, facts))
        },
        "may_prepare": live is None
        and case.status in (RepairStatus.CONTACTED, RepairStatus.RENEGOTIATE)
        and user.has_perm("repairs.work_repaircase"),
        "may_reply": case.channel.accepts_public_reply
        and user.has_perm("repairs.work_repaircase")
        and (case.is_open or case.status == RepairStatus.KEPT)
        and case.status not in (RepairStatus.COLLECTED, *APPEAL_BRANCH),
        "now": now,
    }


def _replies(case: RepairCase) -> list[PublicReply]:
    """The public replies; `unsent` is the message of one that will not go out, `to_post` whether somebody must post it."""
    rows = list(PublicReply.objects.filter(case=case).select_related("by", "approved_by", "entry__message"))
    for row in rows:
        message = row.entry.message if row.entry is not None and row.state == row.State.WRITTEN else None
        gone = message is not None and message.state in GONE
        row.unsent = message if gone else None  # type: ignore[attr-defined]
        row.to_post = message is not None and not gone  # type: ignore[attr-defined]
    return rows


def history(case: RepairCase) -> list[dict[str, Any]]:
    """Every move of the case and its parts, newest first. One query."""
    rows = ActionLog.objects.filter(model="repairs.repaircase", object_id=case.pk).select_related("by")
    states = dict(RepairCase._meta.get_field("status").flatchoices)
    labels = VERBS | {move.verb: move.label for move in REPAIR.moves}
    return [
        {
            "at": row.at,
            "label": labels.get(row.verb, row.verb),
            "from": states.get(row.from_state, ""),
            "to": states.get(row.to_state, "") if row.to_state != row.from_state else "",
            "reason": masking.mask_text(row.reason),
            "by": str(row.by) if row.by else _("system"),
        }
        for row in rows[:100]
    ]


def case_panel(feedback: Feedback, user: Any, now: datetime) -> dict[str, Any] | None:
    """The card on the feedback's page: where its repair stands, or how to open one. One query."""
    if not user.has_perm("repairs.view_repaircase"):
        return None
    case = RepairCase.objects.filter(feedback=feedback).first()
    if case is not None:
        return {"repair": case, "now": now, "path": path(case)}
    may = (
        user.has_perm("repairs.work_repaircase")
        and feedback.parent_id is None
        and feedback.status not in ("merged", "dismissed")
        and feedback.sentiment != "positive"
    )
    return (
        {"repair": None, "open_url": reverse("admin:repairs_repaircase_open", args=[feedback.pk])}
        if may
        else None
    )


def guarded_verbs() -> frozenset[str]:
    """Moves that have conditions."""
    return frozenset(GUARDS)
