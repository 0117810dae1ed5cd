"""What a person decides about a rule's proposal (decisions, item 20)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from apps.automation.choices import ProposalState
from apps.automation.models import Proposal
from apps.automation.registries import executors
from apps.automation.transitions import PROPOSAL
from apps.core.exceptions import DomainError, IllegalMove
from apps.core.models import ActionLog, User
from apps.core.workflow import perform
from apps.feedback.models import Feedback
from apps.feedback.services.telling import address
from apps.shop.choices import WorkKind
from apps.shop.models import Department, WorkItem

WORK_HOURS = 24


@transaction.atomic
def confirm(*, proposal: Proposal, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Carry it out in this person's name. Of two people one wins. Where no part of the product can do it yet, it

    becomes work for customer care, and the result says so.
    """
    if proposal.expires_at is not None and proposal.expires_at <= now:
        raise IllegalMove(_("This proposal is out of date: what it promises may no longer hold."))
    if Feedback.objects.filter(pk=proposal.feedback_id, status__in=("merged", "dismissed")).exists():
        raise IllegalMove(_("The feedback of this proposal is merged or dismissed."))
    log = perform(
        PROPOSAL,
        proposal,
        "confirm",
        by=by,
        now=now,
        via=via,
        changes={"decided_by_id": by.pk, "decided_at": now},
    )
    executor = executors.get(proposal.kind)
    result = executor(proposal, by, now) if executor is not None else as_work(proposal, by, now)
    perform(PROPOSAL, proposal, "finish", by=None, now=now, via=via, changes={"result": result[:300]})
    return log


def as_work(proposal: Proposal, by: User, now: datetime) -> str:
    """A colleague carries it out by hand. Answers what is said of it."""
    feedback = proposal.feedback
    care = Department.objects.filter(code="cs").first()
    lines = [f"{key}: {value}" for key, value in proposal.payload.items() if value not in ("", None)]
    item, _made = WorkItem.objects.get_or_create(
        origin_key=f"proposal:{proposal.pk}",
        defaults={
            "kind": WorkKind.TASK,
            "title": proposal.title[:200],
            "body": "\n".join(
                [_("Confirmed by %(person)s; please carry it out by hand.") % {"person": by}, *lines]
            ),
            "store_id": feedback.store_id,
            "department_id": care.pk if care else feedback.department_id,
            "owner_id": feedback.assignee_id or by.pk,
            "due_at": now + timedelta(hours=WORK_HOURS),
            "url": address(feedback.pk),
        },
    )
    return _("Nothing was issued automatically: work item %(number)d asks a colleague to do it by hand.") % {
        "number": item.pk
    }


def reject(*, proposal: Proposal, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Not this time; the reason is kept."""
    return perform(
        PROPOSAL,
        proposal,
        "reject",
        by=by,
        now=now,
        via=via,
        reason=reason.strip(),
        changes={"decided_by_id": by.pk, "decided_at": now, "result": reason.strip()[:300]},
    )


def expire_due(*, now: datetime) -> int:
    """Proposals nobody decided about in time."""
    count = 0
    for proposal in Proposal.objects.filter(status=ProposalState.PROPOSED, expires_at__lte=now)[:500]:
        try:
            perform(PROPOSAL, proposal, "expire", by=None, now=now, via="sweep", changes={"decided_at": now})
            count += 1
        except DomainError:
            continue
    return count
