"""What cards and the page of a case show."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apps.automation.choices import ProposalState, RuleState
from apps.automation.models import Mark, Proposal, RestockMention, Rule, RuleRun
from apps.feedback.models import Feedback
from apps.shop.models import StockLevel


def lead_card(user: Any, now: datetime) -> dict[str, Any] | None:
    """Proposals that wait and rules the breaker stopped. Two queries."""
    if not user.has_perm("automation.view_rule"):
        return None
    waiting = list(
        Proposal.objects.visible_to(user)
        .filter(status=ProposalState.PROPOSED)
        .order_by("expires_at")
        .values_list("id", "title", "expires_at")[:21]
    )
    stopped = list(Rule.objects.filter(status=RuleState.STOPPED).values_list("id", "name")[:10])
    return {
        "waiting": waiting[:5],
        "count": f"{len(waiting)}" if len(waiting) <= 20 else "20+",
        "stopped": stopped,
        "alarm": bool(stopped),
    }


def case_panel(feedback: Feedback, user: Any, now: datetime) -> dict[str, Any] | None:
    """What rules did with a case, what waits for a person, its store's stock and the open request. Five queries."""
    runs = list(RuleRun.objects.filter(feedback=feedback).select_related("rule").order_by("-id")[:10])
    proposals = list(Proposal.objects.filter(feedback=feedback).order_by("-id")[:5])
    marks = list(Mark.objects.filter(feedback=feedback).order_by("id").values_list("name", flat=True))
    mention = (
        RestockMention.objects.filter(feedback=feedback).select_related("work__owner").order_by("-id").first()
    )
    level = None
    if feedback.product_id and feedback.store_id:
        level = StockLevel.objects.filter(store_id=feedback.store_id, product_id=feedback.product_id).first()
    request = None
    if mention is not None:
        request = {
            "work": mention.work,
            "asked": RestockMention.objects.filter(work_id=mention.work_id).count(),
            "at": mention.at,
        }
    if not (runs or proposals or marks or request or level):
        return None
    return {
        "runs": runs,
        "proposals": proposals,
        "marks": marks,
        "request": request,
        "level": level,
        "case": feedback,
    }
