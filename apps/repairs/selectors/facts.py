"""What the guards are told about a case: gathered in one place for buttons, pages and services."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from apps.compliance.selectors import check, checker
from apps.compliance.types import Facts, Finding, worst
from apps.core.models import User
from apps.feedback.models import Feedback
from apps.feedback.services.replies import asks_for_review
from apps.repairs.choices import LIVE_OFFERS, MALICE, OfferStatus, RemedyStatus, RepairStatus
from apps.repairs.guards import RepairFacts
from apps.repairs.models import Appeal, ContactTry, Evidence, Offer, PublicReply, RepairCase
from apps.repairs.selectors.reference import appeal_rule, policy
from apps.repairs.transitions import LEAD


def facts_of(case: RepairCase, *, by: User | None, now: datetime, **known: Any) -> RepairFacts:
    """Everything the database knows about a case, completed by what the mover brings (`known`). Seven queries at most."""
    rules = policy()
    offer = live_offer(case)
    remedies = [
        row for row in (offer.remedies.all() if offer else ()) if row.status != RemedyStatus.CANCELLED
    ]
    evidence = list(Evidence.objects.filter(case=case))
    appeals = list(Appeal.objects.filter(case=case).order_by("round"))
    reply = sent_replies(case).order_by("-at").first()
    tries, days = tries_of(case)
    window = appeal_until(case, appeals)
    facts = RepairFacts(
        tier=case.tier,
        mover_leads=by is None or by.has_perm(LEAD),
        apologised=case.apologised,
        listened=bool(case.wishes.strip()),
        tries=tries,
        try_days=days,
        tries_needed=rules.tries,
        days_needed=rules.try_days,
        offer_items=len(remedies),
        offer_approved=offer is not None and is_approved(offer),
        renegotiations=case.renegotiations,
        most_renegotiations=rules.renegotiations,
        remedies=len(remedies),
        remedies_begun=sum(row.status != RemedyStatus.PLANNED for row in remedies),
        remedies_done=sum(row.status == RemedyStatus.DONE for row in remedies),
        remedies_unproven=sum(unproven(row) for row in remedies),
        executed=case.executed_at is not None,
        satisfaction=case.satisfaction,
        invited=case.invited_at is not None,
        refuses_review_contact=refuses(case),
        local_hour=timezone.localtime(now).hour,
        hour_from=rules.invite_from,
        hour_until=rules.invite_until,
        reply_possible=case.channel.accepts_public_reply,
        reply_sent=reply is not None,
        reply_approved=reply is not None and reply.approved_by_id is not None,
        grounds=len({row.ground for row in evidence}),
        malice_grounds=len({row.ground for row in evidence} & MALICE),
        evidence_dated=bool(evidence) and dated(evidence),
        within_window=window is None or now <= window,
        appeals=len(appeals),
        unseen=case.unseen_since is not None,
        by_person=by is not None,
    )
    if offer is not None:
        conditional, findings = read_offer(case, offer.text, now=now)
        facts = replace(facts, offer_unconditional=not conditional, offer_lawful=worst(findings) != "block")
    return replace(facts, **known) if known else facts


def live_offer(case: RepairCase) -> Offer | None:
    """The offer that is being prepared, made or carried out, with its remedies."""
    return (
        Offer.objects.filter(case=case)
        .filter(status__in=LIVE_OFFERS)
        .prefetch_related("remedies__type", "remedies__grant")
        .order_by("-number")
        .first()
    )


def is_approved(offer: Offer) -> bool:
    """Whether everybody who has to agree did: other people than the writer, and each a different one."""
    people = [offer.approved_by.get(permission) for permission in offer.needs]
    return (
        offer.status in (OfferStatus.READY, OfferStatus.MADE, OfferStatus.ACCEPTED)
        and None not in people
        and len(set(people)) == len(people)
        and offer.by_id not in people
    )


def sent_replies(case: RepairCase) -> QuerySet[PublicReply]:
    """Public replies that are out and were written since the case was last opened again."""
    rows = PublicReply.objects.filter(case=case, state=PublicReply.State.SENT)
    return rows if case.reopened_at is None else rows.filter(at__gte=case.reopened_at)


def tries_of(case: RepairCase) -> tuple[int, int]:
    """Vain tries since the customer was last reached or the case opened again, and on how many days of the shop's zone.

    One query.
    """
    tries: list[datetime] = []
    rows = ContactTry.objects.filter(case=case)
    if case.reopened_at is not None:
        rows = rows.filter(at__gte=case.reopened_at)
    for row in rows.order_by("at", "id"):
        tries = [] if row.reached else [*tries, row.at]
    return len(tries), len({timezone.localdate(moment) for moment in tries})


def unproven(remedy: Any) -> bool:
    """Whether a finished remedy lacks what its kind must show."""
    if remedy.status != RemedyStatus.DONE:
        return False
    lacks_tracking = remedy.type.needs_tracking and not remedy.tracking_no.strip()
    lacks_proof = (
        remedy.type.needs_proof
        and remedy.proof_id is None
        and not (remedy.grant_id and remedy.coupon_type_id)
    )
    return lacks_tracking or (lacks_proof and not remedy.tracking_no.strip())


def dated(evidence: list[Evidence]) -> bool:
    """Whether every ground has at least one file with its hash and the time it was captured."""
    return {row.ground for row in evidence} == {row.ground for row in evidence if row.sha256}


def refuses(case: RepairCase) -> bool:
    """Whether the customer has said, here or in the text itself, not to be asked about the review."""
    return case.refuses_review_contact or bool(case.feedback.reading.get("refuses_review_contact"))


def appeal_until(case: RepairCase, appeals: list[Appeal]) -> datetime | None:
    """Until when the platform takes an appeal; None where it takes none any more after a first."""
    rule = appeal_rule(case.channel_id)
    if appeals:
        return appeals[-1].second_until or appeals[-1].filed_at
    return case.feedback.posted_at + timedelta(days=rule.window_days)


def read_offer(case: RepairCase, text: str, *, now: datetime) -> tuple[bool, list[Finding]]:
    """Whether the words tie the offer to the review, and what the rules say. Two queries at most.

    Any mention of changing or removing a review makes an offer conditional, however kindly it is put (REV-02, REV-03).
    """
    judge = checker(at=now)
    known = Facts(
        subject="remedy",
        reward="coupon",
        trigger="none",
        remedy_condition="none",
        invites_review=False,
        review_script_required=False,
        channel="platform_im",
        message_class="service",
        local_hour=12,
    )
    # What is promised is also a text that a customer reads.
    findings = judge(text, known)
    rules = {finding.rule for finding in findings}
    findings += [
        row for row in judge(text, replace(known, subject="reply", reward="none")) if row.rule not in rules
    ]
    conditional = asks_for_review(text) or any(finding.rule in ("REV-02", "REV-03") for finding in findings)
    return conditional, findings


def read_invitation(case: RepairCase, text: str, *, now: datetime, facts: RepairFacts) -> list[Finding]:
    """What the rules say of an invitation to look at a review again."""
    return check(
        text,
        facts=Facts(
            subject="reply",
            reward="none",
            trigger="none",
            review_script_required=False,
            invites_review=True,
            review_invites_before=int(facts.invited),
            refused_review_contact=facts.refuses_review_contact,
            remedy_executed=facts.executed,
            local_hour=facts.local_hour,
            channel="platform_im",
            message_class="service",
        ),
        at=now,
    )


def for_update(case_id: int) -> RepairCase:
    """The case, locked until the transaction ends."""
    return (
        # No key is touched: rows that point to the case may be checked meanwhile, so that nobody waits in a ring.
        RepairCase.objects.select_for_update(of=("self",), no_key=True)
        .select_related("feedback", "feedback__channel", "channel", "customer")
        .get(pk=case_id)
    )


def next_due(case: RepairCase, status: str, *, now: datetime) -> datetime | None:
    """When the next step of a case in that state should be done; None where nothing is to do. Two queries at most."""
    rules = policy()
    feedback: Feedback = case.feedback
    day = timedelta(days=1)
    if status in (RepairStatus.COLLECTED, RepairStatus.TRIAGED):
        # The promise of the first response is the promise of the contact.
        return feedback.due_at if feedback.due_at is not None and feedback.is_open else now + day
    if status == RepairStatus.EXECUTING:
        offer = live_offer(case)
        dues = [
            row.due_at
            for row in (offer.remedies.all() if offer else ())
            if row.due_at and row.status == "doing"
        ]
        # All done or cancelled: the rest is a matter of a day.
        return min(dues) if dues else now + day
    if status == RepairStatus.APPEALED:
        appeal = Appeal.objects.filter(case=case).order_by("-round").first()
        return appeal.answer_due_at if appeal else now + day
    if status in (RepairStatus.SUSPECTED, RepairStatus.EVIDENCE, RepairStatus.APPEAL_REJECTED):
        until = appeal_until(case, list(Appeal.objects.filter(case=case).order_by("round")))
        return min(until, now + 3 * day) if until is not None and until > now else now + day
    after: dict[str, timedelta] = {
        RepairStatus.CONTACTED: day,
        RepairStatus.RENEGOTIATE: day,
        RepairStatus.PROPOSED: 2 * day,
        RepairStatus.ACCEPTED: day,
        RepairStatus.EXECUTED: timedelta(hours=rules.callback_hours),
        RepairStatus.CALLBACK: timedelta(hours=rules.callback_hours),
        RepairStatus.SATISFIED: 2 * day,
        RepairStatus.UNSATISFIED: day,
        RepairStatus.INVITED: 14 * day,
        RepairStatus.REPLY_DUE: timedelta(hours=rules.reply_hours),
        RepairStatus.UNREACHABLE: timedelta(hours=rules.reply_hours),
    }
    return now + after[status] if status in after else None
