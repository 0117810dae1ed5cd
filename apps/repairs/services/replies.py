"""The public reply under a review (R28): within 24 hours for S and A, approved by a second person for S."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.compliance.services import verdicts
from apps.compliance.types import Finding, worst
from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted
from apps.core.models import ActionLog, Approval, User
from apps.core.services import approvals
from apps.core.workflow import check as check_move
from apps.feedback.choices import Status, Tier
from apps.feedback.models import Feedback
from apps.feedback.services import moves as feedback_moves
from apps.feedback.services.replies import Reply, exposes_nobody, findings_of, send_approved, send_reply
from apps.messaging.choices import MessageChannel
from apps.messaging.services.outbox import cancel
from apps.repairs.choices import RepairStatus
from apps.repairs.models import PublicReply, RepairCase
from apps.repairs.selectors.facts import for_update
from apps.repairs.services.moving import move
from apps.repairs.services.offers import page_of
from apps.repairs.transitions import LEAD, REPAIR

KIND = "repairs.public_reply"
State = PublicReply.State


def write(*, case: RepairCase, text: str, by: User, now: datetime) -> PublicReply:
    """Write the public reply. For S it waits for a second person; else it stands on the list of what people carry.

    Raises Unlawful where a rule blocks it; InvalidInput where the platform takes no replies or the text tells who the
    customer is.
    """
    current = RepairCase.objects.select_related("feedback", "channel").get(pk=case.pk)
    _may_write(current, by)
    if not current.channel.accepts_public_reply:
        raise InvalidInput(_("This platform takes no public replies."), field="text")
    body = text.strip()
    if len(body) < 10:
        raise InvalidInput(_("Write the reply as everybody will read it."), field="text")
    exposes_nobody(current.feedback, body)
    findings, facts = findings_of(current.feedback, body, MessageChannel.PUBLIC_REPLY, now=now)
    if worst(findings) == "block":
        # Outside of the transaction below: what was refused stays written down.
        verdicts.keep(
            findings=findings, text=body, facts=facts, by=by, now=now,
            subject_key=f"repair:{case.pk}", url=page_of(case.pk),
        )  # fmt: skip
        raise verdicts.Unlawful(
            _("This may not be sent: %(rule)s.") % {"rule": findings[0].title},
            findings=findings,
            field="text",
        )
    with transaction.atomic():
        return _write(case.pk, body, findings, by=by, now=now)


def _may_write(case: RepairCase, by: User) -> None:
    if not by.has_perm("repairs.work_repaircase") or (case.is_ended and case.status != RepairStatus.KEPT):
        check_move(REPAIR, case, "reply", by=by, reason="")


def _write(case_id: int, body: str, findings: Sequence[Finding], *, by: User, now: datetime) -> PublicReply:
    locked = for_update(case_id)
    _may_write(locked, by)
    needs_second = locked.tier == Tier.S or worst(findings) == "require_approval"
    try:
        with transaction.atomic():
            reply = PublicReply.objects.create(
                case=locked, text=body, state=State.WAITING if needs_second else State.WRITTEN, by=by, at=now
            )
    except IntegrityError:
        raise InvalidInput(_("A reply waits for its approval already."), field="text") from None
    if needs_second:
        approvals.ask(
            kind=KIND,
            record=reply,
            title=_("Public reply on %(number)s") % {"number": locked.number},
            permission=LEAD,
            by=by,
            now=now,
            summary=body,
            payload={finding.rule: finding.title for finding in findings},
            url=page_of(locked.pk),
        )
    else:
        _put_out(reply, by=by, now=now, approved=False)
    return reply


def _put_out(reply: PublicReply, *, by: User, now: datetime, approved: bool) -> None:
    feedback = Feedback.objects.select_related("channel", "customer").get(pk=reply.case.feedback_id)
    words = Reply(
        channel=MessageChannel.PUBLIC_REPLY, text=reply.text, token=f"repair-reply-{reply.pk}", after_end=True
    )
    send = send_approved if approved else send_reply
    entry = send(feedback=feedback, reply=words, by=reply.by, now=now)
    PublicReply.objects.filter(pk=reply.pk).update(entry=entry, state=State.WRITTEN)
    reply.entry, reply.state = entry, State.WRITTEN
    settle(reply=reply, now=now)


def reply_approved(approval: Approval, by: User, now: datetime) -> None:
    """A second person's yes: it goes on the list in its writer's name."""
    reply = (
        PublicReply.objects.select_for_update(of=("self",), no_key=True)
        .select_related("case", "by")
        .get(pk=approval.object_id)
    )
    if reply.state != State.WAITING:
        raise IllegalMove(_("This reply is out already."))
    PublicReply.objects.filter(pk=reply.pk).update(approved_by=by)
    reply.approved_by = by
    _put_out(reply, by=reply.by, now=now, approved=True)


def reply_rejected(approval: Approval, by: User, now: datetime) -> None:
    """A second person's no."""
    PublicReply.objects.filter(pk=approval.object_id, state=State.WAITING).update(state=State.REJECTED)


def withdraw(*, reply: PublicReply, by: User, now: datetime) -> None:
    """What nobody has put on the platform yet will not go there: the message is cancelled, another may be written."""
    if not by.has_perm("repairs.work_repaircase"):
        raise NotPermitted(_("You may not work on repairs."))
    message = reply.entry.message if reply.entry is not None else None
    if reply.state != State.WRITTEN or message is None:
        raise IllegalMove(_("Only a reply that still has to be put on the platform can be taken back."))
    cancel(message=message, by=by, now=now, reason=_("The public reply was taken back."))


@transaction.atomic
def settle(*, reply: PublicReply, now: datetime) -> bool:
    """Whether the reply has left the house by now: then the case that waits for it ends. Safe to repeat."""
    entry = reply.entry
    if entry is None or entry.message is None or entry.message.state not in ("sent", "delivered"):
        return False
    if reply.state != State.SENT:
        PublicReply.objects.filter(pk=reply.pk).update(state=State.SENT, sent_at=entry.message.sent_at or now)
        reply.state = State.SENT
    case = RepairCase.objects.select_related("feedback", "channel").get(pk=reply.case_id)
    if case.status in (RepairStatus.REPLY_DUE, RepairStatus.UNREACHABLE):
        try:
            finish(case=case, by=None, now=now)
        except DomainError:
            return True
    return True


@transaction.atomic
def finish(*, case: RepairCase, by: User | None, now: datetime, via: str = "admin") -> ActionLog:
    """The public reply is out (or the platform takes none): the review is kept, the feedback is resolved."""
    log = move(case, "reply", by=by, now=now, via=via, changes={"outcome_at": now})
    feedback = Feedback.objects.get(pk=case.feedback_id)
    if feedback.status in (Status.ASSIGNED, Status.IN_PROGRESS, Status.WAITING):
        feedback_moves.resolve(feedback=feedback, by=by, now=now, reason=_("Answered in public."), via=via)
    return log


def on_message(*, message_id: int, now: datetime) -> None:
    """A message has left: where it is a public reply of a repair, the repair goes on."""
    reply = PublicReply.objects.select_related("entry__message").filter(entry__message_id=message_id).first()
    if reply is not None:
        settle(reply=reply, now=now)
