"""Trainings proposed after service complaints and failed quality samples (R69)."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.core.exceptions import NotPermitted
from apps.core.models import ActionLog, User
from apps.core.services.notices import notify
from apps.core.workflow import check, perform
from apps.feedback.choices import Sentiment
from apps.feedback.models import Category, Feedback
from apps.performance.choices import ProposalReason, ProposalState, ReviewState
from apps.performance.models import (
    PerformancePolicy,
    QualityReview,
    TrainingProposal,
    TrainingSession,
)
from apps.performance.selectors.people import leads_of, may_see
from apps.performance.services.training import invite
from apps.performance.transitions import PROPOSAL
from apps.shop.choices import TeamRole
from apps.shop.models import TeamMember

SERVICE = "SERVICE"
#: Whoever last worked for a customer so long before a complaint about service is whom it is about.
SERVED_WITHIN = timedelta(days=60)
Subject = tuple[str, int]


def sweep_proposals(*, now: datetime) -> int:
    """Propose trainings; answers how many are new. One open proposal at a time for a subject and reason.

    What was counted by an earlier proposal, decided or not, is not counted again.
    """
    policy = PerformancePolicy.now()
    since = now - timedelta(days=policy.complaint_days)
    until: dict[tuple[str, Subject], datetime] = {}
    is_open: set[tuple[str, Subject]] = set()
    for row in TrainingProposal.objects.filter(counted_until__gte=since) | TrainingProposal.objects.open():
        subject: Subject = ("person", row.person_id) if row.person_id else ("team", row.team_id or 0)
        until[row.reason, subject] = max(until.get((row.reason, subject), since), row.counted_until)
        if row.status == ProposalState.OPEN:
            is_open.add((row.reason, subject))
    made = 0
    for reason, least, seen in (
        (ProposalReason.COMPLAINTS, policy.complaints, _complaints(since)),
        (ProposalReason.QUALITY, policy.failed_cases, _failed(since)),
    ):
        for subject, cases in sorted(seen.items()):
            key = (reason.value, subject)
            fresh = [pk for at, pk in cases if at > until.get(key, since)]
            if key not in is_open and len(fresh) >= least:
                made += _propose(subject, reason, fresh, now)
    return made


def _complaints(since: datetime) -> dict[Subject, list[tuple[datetime, int]]]:
    """Negative feedback about service. About the person who last worked for this customer, and about the case's team."""
    rows = list(
        # Spam and what nobody can act on is held against nobody; files of years ago are no complaints of today.
        Feedback.objects.filter(
            category__code=SERVICE, sentiment=Sentiment.NEGATIVE, received_at__gt=since, is_historical=False
        )
        .exclude(status__in=("merged", "dismissed"))
        .order_by("-received_at", "-pk")
        .values_list("pk", "received_at", "customer_id", "team_id")[:5000]
    )
    customers = {row[2] for row in rows if row[2]}
    # Ascending, so that the last one before a complaint is found from the end.
    served: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
    earlier = Feedback.objects.filter(
        customer_id__in=customers, first_response_at__gt=since - SERVED_WITHIN, assignee__isnull=False
    )
    for customer, at, person in earlier.order_by("first_response_at").values_list(
        "customer_id", "first_response_at", "assignee_id"
    ):
        served[customer].append((at, person))
    found: dict[Subject, list[tuple[datetime, int]]] = defaultdict(list)
    for pk, at, customer, team in rows:
        if team:
            found["team", team].append((at, pk))
        before = [person for moment, person in served.get(customer, ()) if at - SERVED_WITHIN <= moment < at]
        if before:
            found["person", before[-1]].append((at, pk))
    return found


def _failed(since: datetime) -> dict[Subject, list[tuple[datetime, int]]]:
    rows = QualityReview.objects.filter(status=ReviewState.DONE, passed=False, reviewed_at__gt=since)
    found: dict[Subject, list[tuple[datetime, int]]] = defaultdict(list)
    for person, at, feedback in rows.values_list("person_id", "reviewed_at", "feedback_id"):
        found["person", person].append((at, feedback))
    return found


def _propose(subject: Subject, reason: ProposalReason, cases: list[int], now: datetime) -> int:
    kind, pk = subject
    row = TrainingProposal(reason=reason, count=len(cases), cases=sorted(cases)[:50], counted_until=now)
    setattr(row, f"{kind}_id", pk)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        # Another sweep was first.
        return 0
    if kind == "person":
        leads = leads_of(pk)
    else:
        leads = list(
            TeamMember.objects.filter(team_id=pk, role=TeamRole.LEAD, user__is_active=True).values_list(
                "user_id", flat=True
            )
        )
    notify(
        recipients=leads,
        level="info",
        title=_("A training is proposed: %(what)s") % {"what": row},
        key=f"training-proposal:{row.pk}",
        now=now,
        url=reverse("admin:performance_trainingproposal_change", args=[row.pk]),
    )
    return 1


def _may_decide(proposal: TrainingProposal, by: User) -> None:
    if proposal.person_id == by.pk:
        raise NotPermitted(_("Nobody decides about their own training."))
    if proposal.person_id and not may_see(by, proposal.person_id):
        raise NotPermitted(_("You do not lead this person."))
    if not TrainingProposal.objects.visible_to(by).filter(pk=proposal.pk).exists():
        raise NotPermitted(_("You do not lead this team."))


@transaction.atomic
def accept(
    *, proposal: TrainingProposal, topic: str, starts_at: datetime, by: User, now: datetime, place: str = "",
    trainer: User | None = None, via: str = "admin",
) -> ActionLog:  # fmt: skip
    """Plan the training with the person, or everybody of the team, as participants."""
    _may_decide(proposal, by)
    check(PROPOSAL, proposal, "accept", by=by, reason="")
    session = TrainingSession.objects.create(
        topic=topic.strip()[:120] or str(proposal)[:120],
        category=Category.objects.filter(code=SERVICE).first(),
        trainer=trainer or by,
        starts_at=starts_at,
        place=place.strip()[:120],
    )
    log = perform(
        PROPOSAL, proposal, "accept", by=by, now=now, via=via,
        changes={"session": session, "decided_by": by, "decided_at": now},
    )  # fmt: skip
    if proposal.person_id:
        people: Any = User.objects.filter(pk=proposal.person_id)
    else:
        members = TeamMember.objects.filter(team_id=proposal.team_id).values("user_id")
        people = User.objects.filter(pk__in=members, is_active=True)
    invite(session=session, people=people, by=by, now=now)
    return log


@transaction.atomic
def reject(
    *, proposal: TrainingProposal, by: User, now: datetime, reason: str, via: str = "admin"
) -> ActionLog:
    """No training is needed."""
    _may_decide(proposal, by)
    return perform(
        PROPOSAL, proposal, "reject", by=by, now=now, reason=reason, via=via,
        changes={"decided_by": by, "decided_at": now},
    )  # fmt: skip
