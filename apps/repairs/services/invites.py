"""The one invitation to look at the review again (R26; decisions, item 16; 网络反不正当竞争暂行规定 art. 9)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from apps.compliance.services import verdicts
from apps.compliance.spelling import spell
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
    r"好评|五星|5\s*星|满星|满分|[五5]分(?!钟)|高分|加星|改成|改为|删(?:除|掉|了)|撤(?:销|回|掉)|帮.{0,4}(?:忙|改)|支持一下|手下留情"
)
#: Anything given or promised beside the invitation, whatever it is called (网络反不正当竞争暂行规定 art. 9, REV-02).
GIVES = re.compile(
    r"(?<![配派运寄护遣递发投])送(?!货|达|到|餐|修|检|件|上门|装|去|往|回|至|错)|赠"
    r"|返(?!修|厂|工|回|程|校|乡|航|运|件|还给我们)|红包|红封|奖(?!牌|状)|现金|打款|转账|转(?:您|你)\d"
    r"|优惠|(?<![债证入])券|积分|抽奖|免单|补偿|补贴|补(?:您|你)|福利|惊喜"
    r"|小礼|礼[物品包金券盒]|好礼|大礼|豪礼|薄礼|厚礼|有礼(?!貌)|伴手礼|随手礼|心意|意思意思|意思一下|小意思|一点意思|小小表示|表示一下|有所表示|表示表示"
    r"|感谢金|感谢费|辛苦费|跑腿费|好处|甜头|回馈|回报|报答|答谢|酬|犒劳|不会?亏待|不让您(?:白|吃亏)"
    r"|请(?:您|你)(?:吃|喝)|免费(?:吃|喝|送|领|换|试|给)|领取|话费|折扣|打折|[\d一二三四五六七八九]折|抵扣|抵用|代金|减免|立减|彩蛋"
    r"|(?:退|减|给)(?:您|你)?\d+|\d+\s*(?:元|块|毛)|[一二两三四五六七八九十百几](?:元|块钱)"
    r"|\b(?:gifts?|coupons?|vouchers?|rewards?|cash|discounts?|bonus|surprise|credits?)\b",
    re.IGNORECASE,
)
#: Saying that nothing is given, or that what was given stays, gives nothing.
GIVES_NOT = re.compile(
    r"(?:不影响|不涉及|没有|并无|与|和|跟)(?:您|你|的|已|原有|任何|应得|享有|获得){0,4}"
    r"(?:补偿|优惠|奖励|福利|积分|礼品|券|好处)(?:[、和或](?:补偿|优惠|奖励|福利|积分|礼品|券|好处))*"
)
#: An invitation says that leaving the review alone is right too.
FREE = re.compile(r"好与不好|不更新也|不改也|没关系|真实|如实|自愿|随您|honest|either way", re.IGNORECASE)


def is_neutral(text: str) -> bool:
    """One neutral text: it asks for honest words, leans towards none and gives nothing, and it is short."""
    body = text.strip()
    # As written, and as it is meant: 五⭐, 小惊 喜.
    readings = (body, spell(body).text)
    return (
        0 < len(body) <= 200
        and asks_for_review(body)
        and not any(LEANS.search(reading) or GIVES.search(GIVES_NOT.sub("", reading)) for reading in readings)
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
