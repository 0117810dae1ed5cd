"""The verbs of mystery visits and symposiums. Findings become feedback exactly once (R7, R73)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext as _

from apps.core.cells import neutral
from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted, ReasonNeeded
from apps.core.models import ActionLog, Reveal, User
from apps.core.services.files import store_file
from apps.core.workflow import perform
from apps.feedback.choices import FindingSeverity, InvitationState, Kind, Source, SymposiumState, Tier
from apps.feedback.incoming import IncomingFeedback
from apps.feedback.models import (
    Feedback,
    MysteryVisit,
    Symposium,
    SymposiumFile,
    SymposiumInvitation,
    VisitCriterion,
    VisitFile,
    VisitScore,
)
from apps.feedback.selectors.visits import barred, invitable
from apps.feedback.services import moves
from apps.feedback.services.intake import take_in
from apps.feedback.transitions import INVITATION, SYMPOSIUM, VISIT

MAX_PHOTOS = 20
INVITE_AT_MOST = 500
# What staff saw tells what it is; praise is left to the reading, so that a doubtful one is looked at.
KINDS = {
    FindingSeverity.MINOR: Kind.SUGGESTION,
    FindingSeverity.MAJOR: Kind.COMPLAINT,
    FindingSeverity.CRITICAL: Kind.COMPLAINT,
}
LEAST_TIER = {FindingSeverity.MAJOR: Tier.A, FindingSeverity.CRITICAL: Tier.S}
RANK = {Tier.S: 0, Tier.A: 1, Tier.B: 2}


def start_checklist(*, visit: MysteryVisit) -> None:
    """Give a visit its lines, one for each active criterion, with today's weights. Repeating adds what is missing."""
    VisitScore.objects.bulk_create(
        (
            VisitScore(visit=visit, criterion=criterion, weight=criterion.weight)
            for criterion in VisitCriterion.objects.filter(is_active=True)
        ),
        ignore_conflicts=True,
    )


def attach_photos(
    *, record: MysteryVisit | Symposium, photos: Sequence[File], by: User, now: datetime
) -> None:
    """Keep photos that `clean_photo` made anew with a visit or symposium. Raises InvalidInput beyond MAX_PHOTOS."""
    if record.files.count() + len(photos) > MAX_PHOTOS:
        raise InvalidInput(
            _("At most %(limit)d photos can be kept here.") % {"limit": MAX_PHOTOS}, field="photos"
        )
    with transaction.atomic():
        stored = [store_file(upload=photo, by=by, now=now) for photo in photos]
        if isinstance(record, MysteryVisit):
            VisitFile.objects.bulk_create(VisitFile(visit=record, file=file) for file in stored)
        else:
            SymposiumFile.objects.bulk_create(SymposiumFile(symposium=record, file=file) for file in stored)


# -- mystery visits ----------
@transaction.atomic
def submit(*, visit: MysteryVisit, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """The visitor is done. Raises InvalidInput while a line of the checklist has no score."""
    missing = [str(s.criterion) for s in visit.scores.select_related("criterion") if s.score is None]
    if missing:
        raise InvalidInput(_("Still without a score: %(names)s") % {"names": ", ".join(missing)})
    if not visit.scores.exists():
        raise InvalidInput(_("The checklist is empty. Switch criteria on first."))
    if visit.visited_at > now:
        raise InvalidInput(_("The visit lies in the future."))
    return perform(VISIT, visit, "submit", by=by, now=now, via=via)


def send_back(*, visit: MysteryVisit, by: User, now: datetime, reason: str, via: str = "admin") -> ActionLog:
    """The visitor completes it."""
    return perform(VISIT, visit, "send_back", by=by, now=now, reason=reason, via=via)


@transaction.atomic
def record(*, visit: MysteryVisit, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Turn the findings into feedback, each exactly once: of two people at once one does it and the other is told.

    Without findings the visit is only filed.
    """
    log = perform(VISIT, visit, "record", by=by, now=now, via=via)
    findings = list(visit.findings.select_for_update().order_by("pk"))
    made = _record(
        findings,
        [
            IncomingFeedback(
                channel="mystery_visit",
                text=finding.text,
                external_id=f"visit-{finding.pk}",
                posted_at=visit.visited_at,
                store=visit.store.code,
                kind=KINDS.get(FindingSeverity(finding.severity), ""),
            )
            for finding in findings
        ],
        by=by,
        now=now,
    )
    return _note_made(log, made)


def _note_made(log: ActionLog, made: list[int]) -> ActionLog:
    log.data = log.data | {"feedback": made}
    ActionLog.objects.filter(pk=log.pk).update(data=log.data)
    return log


def _record(findings: Sequence[Any], items: list[IncomingFeedback], *, by: User, now: datetime) -> list[int]:
    """Through the one intake, as one list; category and weight as staff judged them. Answers the cases' ids."""
    if not findings:
        return []
    outcomes = take_in(items, source=Source.FORM, now=now, by=by)
    for number, outcome in enumerate(outcomes, start=1):
        if outcome.state == "rejected" or outcome.feedback_id is None:
            # Raised inside the move's transaction: nothing is recorded, nothing is half done.
            raise InvalidInput(
                _("Finding %(number)d: %(problem)s") % {"number": number, "problem": outcome.message}
            )
    cases = Feedback.objects.select_related("category", "subcategory").in_bulk(
        [outcome.feedback_id for outcome in outcomes if outcome.feedback_id]
    )
    for finding, outcome in zip(findings, outcomes, strict=True):
        case = cases[outcome.feedback_id]
        finding.feedback = case
        values: dict[str, Any] = {}
        if finding.category is not None and finding.category_id not in (
            case.category_id,
            case.subcategory_id,
        ):
            parent = finding.category.parent
            values = {
                "category": parent or finding.category,
                "subcategory": finding.category if parent else None,
            }
        least = LEAST_TIER.get(finding.severity)
        if least is not None and RANK[Tier(case.tier)] > RANK[least]:
            values["tier"] = least
        if values:
            # The move's own permission was asked; judging what one has just written down needs no second one.
            judge = by if by.has_perm("feedback.work_feedback") else None
            moves.correct(feedback=case, values=values, by=judge, now=now)
    type(findings[0]).objects.bulk_update(findings, ["feedback"])
    return [finding.feedback_id for finding in findings]


# -- symposiums ----------
def hold(*, symposium: Symposium, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """It took place."""
    if symposium.held_at > now:
        raise InvalidInput(_("It lies in the future. Change the time first if it was held earlier."))
    return perform(SYMPOSIUM, symposium, "hold", by=by, now=now, via=via)


def cancel(*, symposium: Symposium, by: User, now: datetime, reason: str, via: str = "admin") -> ActionLog:
    """It will not take place."""
    return perform(SYMPOSIUM, symposium, "cancel", by=by, now=now, reason=reason, via=via)


def plan_again(
    *, symposium: Symposium, by: User, now: datetime, reason: str, via: str = "admin"
) -> ActionLog:
    """Back to planning."""
    return perform(SYMPOSIUM, symposium, "plan_again", by=by, now=now, reason=reason, via=via)


@transaction.atomic
def record_findings(*, symposium: Symposium, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Turn the findings into feedback, each exactly once, under the name of whoever said it where that is known."""
    log = perform(SYMPOSIUM, symposium, "record_findings", by=by, now=now, via=via)
    findings = list(symposium.findings.select_for_update(of=("self",)).order_by("pk"))
    stores = list(symposium.stores.all()[:2])
    made = _record(
        findings,
        [
            IncomingFeedback(
                channel="symposium",
                text=finding.text,
                external_id=f"symposium-{finding.pk}",
                posted_at=symposium.held_at,
                # About one store: its own; about several or all: nobody's in particular.
                store=stores[0].code if len(stores) == 1 else "",
                kind=KINDS.get(FindingSeverity(finding.severity), ""),
            )
            for finding in findings
        ],
        by=by,
        now=now,
    )
    for finding in findings:
        if finding.customer_id is not None:
            Feedback.objects.filter(pk=finding.feedback_id, customer__isnull=True).update(
                customer_id=finding.customer_id
            )
    return _note_made(log, made)


@transaction.atomic
def choose(*, symposium: Symposium, customer_ids: Iterable[int], by: User, now: datetime) -> tuple[int, int]:
    """Put customers on the invitation list: (how many were added, how many were left out).

    Who may not be invited is looked up again here: between preview and click a customer may have said no.
    """
    if not by.has_perm("feedback.change_symposium") or not by.has_perm("customers.view_customer"):
        raise NotPermitted(_("You may not invite customers."))
    locked = Symposium.objects.select_for_update().get(pk=symposium.pk)
    if locked.status != SymposiumState.PLANNED:
        raise IllegalMove(_("Customers are invited while a symposium is planned."))
    wanted = list(dict.fromkeys(customer_ids))[: INVITE_AT_MOST + 1]
    if not wanted:
        raise InvalidInput(_("Choose customers first."))
    if len(wanted) > INVITE_AT_MOST:
        raise InvalidInput(_("Choose at most %(limit)d at a time.") % {"limit": INVITE_AT_MOST})
    allowed = list(invitable(symposium, now).filter(pk__in=wanted).values_list("pk", flat=True))
    SymposiumInvitation.objects.bulk_create(
        (
            SymposiumInvitation(symposium=symposium, customer_id=pk, created_at=now, updated_at=now)
            for pk in allowed
        ),
        ignore_conflicts=True,
    )
    ActionLog.objects.create(
        model="feedback.symposium",
        object_id=symposium.pk,
        verb="choose",
        by=by,
        via="admin",
        at=now,
        data={"added": len(allowed), "left_out": len(wanted) - len(allowed)},
    )
    return len(allowed), len(wanted) - len(allowed)


def move_invitations(
    *, symposium: Symposium, ids: Iterable[int], verb: str, by: User, now: datetime
) -> tuple[int, list[str]]:
    """Make one move on several invitations, each by itself: (how many were moved, why the others were not).

    Whoever got a contact hold or took the consent back since they were chosen is not invited.
    """
    done, refused = 0, []
    rows = symposium.invitations.select_related("customer").in_bulk(list(ids)[:INVITE_AT_MOST])
    out = barred((row.customer_id for row in rows.values()), now) if verb == "invite" else set()
    for invitation in rows.values():
        try:
            if invitation.customer_id in out:
                raise IllegalMove(_("May not be invited any more: contact hold or no consent to surveys."))
            if symposium.status == SymposiumState.CANCELLED:
                raise IllegalMove(_("This symposium was called off."))
            perform(INVITATION, invitation, verb, by=by, now=now, via="admin")
            done += 1
        except DomainError as error:
            refused.append(f"{invitation}: {error.message}")
    return done, refused


@transaction.atomic
def invitation_list(*, symposium: Symposium, whole: bool, reason: str, by: User, now: datetime) -> str:
    """The list as CSV for a spreadsheet (UTF-8 with BOM), without those who declined. Formulas are neutralised.

    Customers with a contact hold or without consent are marked, and masked in any case: the list is there to call
    from. Names and numbers are masked; `whole` shows them to those who may see personal data whole, for a reason, with one
    audit row a customer (PIPL art. 51). Raises NotPermitted or ReasonNeeded.
    """
    if not by.has_perm("customers.view_customer"):
        raise NotPermitted(_("You may not see customers."))
    rows = list(
        symposium.invitations.exclude(status=InvitationState.DECLINED)
        .select_related("customer")
        .order_by("pk")
    )
    out = barred((row.customer_id for row in rows), now)
    if whole:
        if not by.has_perm("customers.unmask_customer"):
            raise NotPermitted(_("You may not see personal data whole."))
        if len(reason.strip()) < 2:
            raise ReasonNeeded(_("Say why you need to see this; the reason is kept."), field="reason")
        Reveal.objects.bulk_create(
            Reveal(
                model="customers.customer",
                object_id=row.customer_id,
                fields=["name", "nickname", "phone", "email"],
                reason=reason.strip()[:300],
                by=by,
                at=now,
            )
            for row in rows
            if row.customer_id not in out
        )
    ActionLog.objects.create(
        model="feedback.symposium",
        object_id=symposium.pk,
        verb="export",
        reason=reason.strip(),
        by=by,
        via="admin",
        at=now,
        data={"rows": len(rows), "whole": whole},
    )
    stream = io.StringIO()
    stream.write("\ufeff")
    writer = csv.writer(stream)
    heads = [_("customer"), _("member tier"), _("mobile"), _("e-mail"), _("state"), _("contact")]
    writer.writerow(neutral(str(head)) for head in heads)
    for row in rows:
        customer = row.customer
        cells = (
            (customer.name or customer.nickname or f"#{customer.pk}", customer.phone, customer.email)
            if whole and row.customer_id not in out
            else (customer.masked_name, customer.masked_phone, customer.masked_email)
        )
        writer.writerow(
            neutral(str(cell))
            for cell in (
                cells[0],
                customer.get_member_tier_display(),
                *cells[1:],
                row.get_status_display(),
                _("do not contact") if row.customer_id in out else "",
            )
        )
    return stream.getvalue()
