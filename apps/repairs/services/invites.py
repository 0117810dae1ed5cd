"""The one invitation to look at the review again (R26; decisions, item 16; 网络反不正当竞争暂行规定 art. 9)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from apps.compliance.services import verdicts
from apps.compliance.types import Facts, worst
from apps.core.exceptions import InvalidInput
from apps.core.models import ActionLog, User
from apps.feedback.choices import ContactMethod
from apps.feedback.models import Feedback
from apps.feedback.services import moves as feedback_moves
from apps.feedback.services.replies import INVITATION, Reply, asks_for_review, send_invitation
from apps.messaging.choices import MessageChannel
from apps.messaging.models import OutboundMessage
from apps.repairs.guards import unmet
from apps.repairs.models import RepairCase
from apps.repairs.selectors.facts import facts_of, read_invitation
from apps.repairs.services.moving import move, refuse
from apps.repairs.services.offers import page_of

#: Words that lean towards an outcome: an invitation asks for honest words, nothing else.
LEANS = re.compile(
    r"好评|五星|5\s*星|满分|高分|加星|改成|改为|删(?:除|掉|了)|撤(?:销|回|掉)|帮.{0,4}(?:忙|改)|支持一下|手下留情"
)
#: An invitation says that leaving the review alone is right too.
FREE = re.compile(r"好与不好|不更新也|不改也|没关系|真实|如实|自愿|随您|honest|either way", re.IGNORECASE)


def is_neutral(text: str) -> bool:
    """One neutral text: it asks for honest words and leans towards none, and it is short."""
    body = text.strip()
    return (
        0 < len(body) <= 200
        and asks_for_review(body)
        and LEANS.search(body) is None
        and FREE.search(body) is not None
    )


def invite(
    *, case: RepairCase, text: str, how: str, by: User, now: datetime, send_by: str = "", via: str = "admin"
) -> ActionLog:
    """Invite once: sent (`send_by`, a channel of messages) or said by a person (`how`).

    The guard is `invite_once`: remedy carried out, satisfied, not invited before, not refused, within the hours, neutral and
    lawful words. Raises GuardFailed with everything that is missing, Unlawful never: what the rules object to is a guard.
    """
    if send_by in (MessageChannel.SMS, MessageChannel.PUBLIC_REPLY):
        # Carriers refuse texts that ask for reviews (domain.md 0, item 7); an invitation in public is pressure.
        raise InvalidInput(_("Invitations go by WeChat, chat, e-mail, app or telephone."), field="how")
    if not send_by and how not in ContactMethod.values:
        raise InvalidInput(_("Say how the customer was contacted."), field="how")
    facts = facts_of(case, by=by, now=now)
    # The text alone: what is known of the case has guards of its own.
    findings = read_invitation(
        case,
        text,
        now=now,
        facts=replace(facts, executed=True, invited=False, refuses_review_contact=False, local_hour=12),
    )
    lawful = worst(findings) not in ("block", "require_approval")
    if not lawful:
        verdicts.keep(
            findings=findings, text=text, facts=Facts(subject="reply", invites_review=True), by=by, now=now,
            subject_key=f"repair:{case.pk}", url=page_of(case.pk),
        )  # fmt: skip
    with transaction.atomic():
        return _invite(case, text, how, lawful=lawful, by=by, now=now, send_by=send_by, via=via)


def _invite(
    case: RepairCase, text: str, how: str, *, lawful: bool, by: User, now: datetime, send_by: str, via: str
) -> ActionLog:
    log = move(
        case,
        "invite",
        by=by,
        now=now,
        via=via,
        known={"text_neutral": is_neutral(text), "text_lawful": lawful},
        changes={
            "invited_at": now,
            "invited_by_id": by.pk,
            "invited_how": how if not send_by else "",
            "invitation": text.strip(),
        },
    )
    feedback = Feedback.objects.get(pk=case.feedback_id)
    if send_by:
        entry = send_invitation(
            feedback=feedback,
            reply=Reply(channel=send_by, text=text.strip(), token=f"{INVITATION}{case.pk}", after_end=True),
            by=by,
            now=now,
        )
        RepairCase.objects.filter(pk=case.pk).update(invite_message=entry.message)
    else:
        feedback_moves.add_note(
            feedback=feedback,
            text=_("Invited once: %(text)s") % {"text": text.strip()},
            by=by,
            now=now,
            via=via,
        )
    return log


def facts_for_feedback(feedback: Feedback, now: datetime) -> dict[str, object]:
    """What the law is told when a reply on a case asks for its review: whoever says it, it is the one invitation.

    Outside of a repair nothing was carried out that an invitation could follow.
    """
    case = RepairCase.objects.select_related("feedback", "channel").filter(feedback_id=feedback.pk).first()
    if case is None:
        return {"remedy_executed": False}
    facts = facts_of(case, by=None, now=now, text_neutral=True, text_lawful=True)
    missing = set(unmet("invite", facts))
    return {
        "review_invites_before": int(facts.invited),
        "refused_review_contact": facts.refuses_review_contact,
        "remedy_executed": case.status == "satisfied"
        and not missing - {"not_invited", "not_refused", "hours"},
        "local_hour": facts.local_hour,
    }


def claim_for_feedback(
    feedback: Feedback, *, text: str, message: OutboundMessage, by: User, now: datetime
) -> None:
    """A reply that invites is about to be written: it takes the one invitation, or is refused (GuardFailed)."""
    case = RepairCase.objects.filter(feedback_id=feedback.pk).first()
    if case is None:
        return
    if not is_neutral(text):
        refuse("invite", ["text_neutral"])
    move(
        case,
        "invite",
        by=by,
        now=now,
        known={"text_neutral": True, "text_lawful": True},
        changes={
            "invited_at": now,
            "invited_by_id": by.pk,
            "invitation": text.strip(),
            "invite_message_id": message.pk,
        },
    )
