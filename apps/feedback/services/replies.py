"""Answering a customer from the case: checked by the law, sent through the outbox, counted when it is sent (R20, R24)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.core.files.base import File
from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.compliance.selectors import check, was_approved
from apps.compliance.services import verdicts
from apps.compliance.spelling import spell
from apps.compliance.types import Facts, Finding, worst
from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError, InvalidInput, StaleState
from apps.core.masking import mask_text, street_address
from apps.core.models import ActionLog, Approval, User
from apps.core.services import approvals
from apps.core.services.files import store_file
from apps.core.services.notices import notify
from apps.core.workflow import check as check_move
from apps.core.workflow import perform
from apps.feedback.choices import ClockKind, ContactMethod, EntryKind, HeldState, Status
from apps.feedback.models import Entry, Feedback, FeedbackFile, HeldReply
from apps.feedback.registries import invitations
from apps.feedback.selectors.reference import reference
from apps.feedback.services import clocks, moves
from apps.feedback.services.telling import address, people
from apps.feedback.transitions import FEEDBACK
from apps.messaging.choices import ASSISTED, GONE, MessageChannel, MessageState
from apps.messaging.models import MessageTemplate, OutboundMessage
from apps.messaging.services.outbox import Draft, enqueue, mark_sent
from apps.shop.models import Store

APPROVAL_KIND = "feedback.reply"
# Begins the key of a message whose invitation its keeper has claimed already.
INVITATION = "invitation-"
# In an approval's details, not shown: the page on which the reply was written, and whether it may follow the end.
PAGE, AFTER = "_token", "_after_end"
# Between a key and the number of its repeat: what failed is sent once more under a key of its own.
AGAIN = "~"
METHODS = {
    MessageChannel.SMS: ContactMethod.SMS,
    MessageChannel.WECHAT: ContactMethod.WECHAT,
    MessageChannel.EMAIL: ContactMethod.EMAIL,
    MessageChannel.APP: ContactMethod.CHAT,
    MessageChannel.PLATFORM_IM: ContactMethod.CHAT,
    MessageChannel.PUBLIC_REPLY: ContactMethod.PUBLIC_REPLY,
}
# What a sent reply may be besides a contact: the promise whose clock it stops.
ALSO = {"give_plan": ClockKind.PLAN_GIVEN, "give_progress": ClockKind.PROGRESS_GIVEN}
# Words that speak of the customer's review being written anew or taken away; neutral ones too, since they come once only
# (REV-10).
_REVIEW = r"(?:评[价论分]|[好中差]评|[五5][颗个]?星|星级|打个?分)"
_CHANGE = r"(?:更新|修改|改(?![进善正变良天日])|删|撤)"
_BETWEEN = r"[^，,。！？!?;；\n]{0,6}"
MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
# Entered where nobody knew the name.
NO_NAMES = frozenset(
    {"客服", "顾客", "客户", "用户", "会员", "匿名", "买家", "先生", "女士", "小姐", "亲爱的", "未知"}
)
MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
INVITES = re.compile(rf"(?:{_CHANGE}|追加|追评|重新){_BETWEEN}{_REVIEW}|{_REVIEW}{_BETWEEN}{_CHANGE}")
# Asking for praise, which is speaking of the review as well: 给个五星, 点个好评, 麻烦给五星, 好评一下.
_PRAISE = (
    r"(?:(?<!无)(?:五星|5\s?星|[五5][颗个枚]小?星)(?!级|酒店|服务|售后|团队|体验|品质|标准|商家|店铺?|红旗|电器)"
    r"|满星|满分|(?:[五5]|(?<!\d)10|十)分(?!钟|之)|好评(?!率|度|数|如潮|榜|多多|返|区))"
)
_GIVE = r"(?:给|点亮?|打|评|来|赏|留|写|送|刷|投)"
_TO_US = r"(?:给|我们?|咱们?|俺们?|小店|本店|店[铺里]|小的|客服){0,2}"
_ONE = r"(?:(?:[一1]?[个条颗枚下波]|上|满|满满|大大的)){1,3}"
_PLEASE = r"(?:麻烦|辛苦|劳烦|烦请|恳请|拜托|请|求|帮|希望|期待|盼|方便|满意|喜欢|记得|别忘|欢迎|能否|能不能|可以|可否|稍后|顺手|动动|如果|要是)"
_SAID = r"(?:感谢|谢谢|多谢|感恩|看到|见到|收到|得知)"
_IN_CLAUSE = r"[^，,。！？!?;；\n]"
ASKS_PRAISE = re.compile(
    rf"{_GIVE}{_TO_US}{_ONE}{_PRAISE}|点亮{_PRAISE}"
    rf"|{_PLEASE}{_IN_CLAUSE}{{0,12}}?{_GIVE}{_TO_US}{_PRAISE}"
    rf"|{_GIVE}{_TO_US}{_PRAISE}(?:好评|评价)?[吧呗哦哈呀嘛啦]"
    rf"|(?:麻烦|辛苦|劳烦|烦请|恳请|拜托|[^邀申]请|^请|(?<![要需不追索])求|记得|满意的?话?|喜欢的?话?|方便的?话?)(?:您|你|亲|请|就|个)?{_PRAISE}"
    rf"|(?:期待|盼望?|希望|恳求)(?:能?(?:得到|收到|获得))?(?:您|你|亲|大家)的?{_PRAISE}"
    rf"|{_PRAISE}(?:好评|评价)?(?:一下(?!子)|一波|走一波|走起|(?:支持|鼓励)(?:一下|下|哦|吧|呗)|安排)"
)
# Telling what was given is not asking for it: "感谢您给我们打五星好评".
TELLS_PRAISE = re.compile(
    # Nor is owning up to it: "客服让您给个五星，这是我们的错".
    rf"(?:客服|员工|店员|同事|商家|他们?|她)(?:让|要求?|叫|逼)(?:着|了)?(?:您|你){_IN_CLAUSE}{{0,4}}?{_GIVE}{_TO_US}(?:{_ONE})?{_PRAISE}"
    rf"|{_SAID}(?:了|到)?(?:您|你|亲|大家|各位){_IN_CLAUSE}{{0,8}}?{_GIVE}{_TO_US}(?:{_ONE})?{_PRAISE}(?!{_IN_CLAUSE}{{0,3}}[吧呗])"
)
SENT = frozenset({MessageState.SENT, MessageState.DELIVERED})


class NewerWords(StaleState):
    """Somebody spoke on the case since the page was drawn."""

    code = "newer_words"


class Held(DomainError):
    """A rule sends this text to a second person; it goes out when they approve."""

    code = "held"
    status = 202


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as somebody wrote it.

    `token` names the page it was written on: sent twice, it is one reply. `seen` is the newest entry that page showed;
    None does not ask. `also` is "give_plan" or "give_progress" where the text is that as well. `after_end` may also follow
    a case that is done: it opens nothing and stops no clock (thanks for praise, a public reply, an invitation).
    """

    channel: str
    text: str
    token: str
    template: MessageTemplate | None = None
    also: str = ""
    seen: int | None = None
    files: Sequence[File] = field(default_factory=tuple)
    after_end: bool = False


def _may_answer(feedback: Feedback, reply: Reply, by: User) -> None:
    """Raises NotPermitted or IllegalMove."""
    move = FEEDBACK.get("record_contact")
    if (
        reply.after_end
        and feedback.status in (Status.RESOLVED, Status.CLOSED)
        and move is not None
        and by.has_perm(move.permission)
    ):
        return
    check_move(FEEDBACK, feedback, "record_contact", by=by, reason="")


def subject_key(feedback_id: int) -> str:
    """How the outbox names a case."""
    return f"feedback:{feedback_id}"


def findings_of(feedback: Feedback, text: str, channel: str, *, now: datetime) -> tuple[list[Finding], Facts]:
    """What the rules say of a reply to this case, and the facts they were told. Two queries at most."""
    invites = asks_for_review(text)
    facts = Facts(
        subject="public_reply" if channel == MessageChannel.PUBLIC_REPLY else "reply",
        reward="none",
        trigger="none",
        review_script_required=False,
        invites_review=invites,
        review_invites_before=_invitations(feedback) if invites else None,
        refused_review_contact=feedback.reading.get("refuses_review_contact", False) if invites else None,
        remedy_executed=feedback.status in (Status.RESOLVED, Status.CLOSED) if invites else None,
        local_hour=timezone.localtime(now).hour,
        channel=channel,
        message_class="service",
    )
    if invites:
        for keeper in invitations:
            facts = replace(facts, **keeper.facts(feedback, now))
    return check(text, facts=facts, at=now), facts


def asks_for_review(text: str) -> bool:
    """Whether a text asks for a review to be changed, or for a good one, in whatever disguise (REV-10, REV-12)."""
    spelled = spell(text).text
    return (
        INVITES.search(text) is not None
        or INVITES.search(spelled) is not None
        or _asks_for_praise(text)
        or _asks_for_praise(spelled)
    )


def _asks_for_praise(text: str) -> bool:
    told = [match.span() for match in TELLS_PRAISE.finditer(text)]
    return any(
        not any(start <= found.start() and found.end() <= end for start, end in told)
        for found in ASKS_PRAISE.finditer(text)
    )


def _invitations(feedback: Feedback) -> int:
    return (
        OutboundMessage.objects.filter(subject_key=subject_key(feedback.pk), payload__invites_review=True)
        .exclude(state__in=GONE)
        .count()
    )


def send_reply(*, feedback: Feedback, reply: Reply, by: User, now: datetime) -> Entry:
    """Send an answer, or stand it on the list of what people carry to the platform.

    The same page sent twice makes one reply. Raises NotPermitted or IllegalMove (not yours, not open), InvalidInput (no
    text, no such way, the gate refuses: the refused message stays in the outbox with its reason), NewerWords, Unlawful
    (params `findings`: kept as a verdict), Held (a second person was asked; the text is kept and goes out with their
    yes).
    """
    _may_answer(feedback, reply, by)
    if reply.also and reply.also not in ALSO:
        raise InvalidInput(_("Unknown value “%(value)s”.") % {"value": reply.also}, field="also")
    if len(reply.text.strip()) < 2:
        raise InvalidInput(_("The reply is empty."), field="text")
    known = _sent_before(feedback, reply)
    if known is not None:
        return known
    _nothing_newer(feedback, reply)
    invites, approved = _read(feedback, reply, by=by, now=now)
    return _send(feedback, reply, reply.text.strip(), by=by, now=now, approved=approved, invites=invites)


def clear(*, feedback: Feedback, reply: Reply, by: User, now: datetime) -> None:
    """Ask the law about a text that `send_cleared` will send, before anything else is written with it.

    Outside of any transaction that a refusal would take back. Raises Unlawful and Held as `send_reply` does.
    """
    _may_answer(feedback, reply, by)
    if _sent_before(feedback, reply) is None:
        _read(feedback, reply, by=by, now=now)


def send_cleared(*, feedback: Feedback, reply: Reply, by: User, now: datetime) -> Entry:
    """Send what `clear` has let pass a moment ago, in the caller's transaction. Raises InvalidInput (the gate refuses)."""
    if (known := _sent_before(feedback, reply)) is not None:
        return known
    _may_answer(feedback, reply, by)
    return _send_read(feedback, reply, by=by, now=now)


def drop_held(*, feedback_id: int, token: str, now: datetime, reason: str) -> None:
    """Whatever waits for a second person under this key does not go out any more."""
    waiting = Approval.objects.filter(
        kind=APPROVAL_KIND, state="pending", payload___token=token,
        object_id__in=HeldReply.objects.filter(feedback=feedback_id, state=HeldState.WAITING).values("pk"),
    )  # fmt: skip
    for approval in waiting:
        approvals.withdraw(approval=approval, by=None, now=now, reason=reason)
        held_rejected(approval, None, now)


def _exposes_nobody(feedback: Feedback, reply: Reply) -> None:
    # The page on which a customer looks after their own case is theirs alone.
    if reply.channel == MessageChannel.PUBLIC_REPLY and feedback.channel.code != "public_form":
        exposes_nobody(feedback, reply.text)


def exposes_nobody(feedback: Feedback, text: str) -> None:
    """A reply that everybody reads names no customer: no telephone or identity number, order number, address of a home,

    nor their name. The shop's own numbers and addresses may stand in it. Raises InvalidInput with what was found (PIPL art. 25: personal information is
    not made public without separate consent).
    """
    own = {part for row in Store.objects.values_list("phone", "address") for part in row if part}
    body = text
    for part in sorted(own, key=len, reverse=True):
        body = body.replace(part, "")
    customer, order = feedback.customer, feedback.order
    # A mail address is the shop's unless we know it as the customer's.
    theirs = customer is not None and bool(customer.email) and customer.email.lower() in body.lower()
    theirs = theirs or MOBILE.search(body) is not None or street_address(body)
    plain = MAIL.sub("", body)
    found = [_("a telephone number, an address or the like")] if theirs or mask_text(plain) != plain else []
    name = "".join(customer.name.split()) if customer is not None else ""
    if len(name) > 1 and name not in NO_NAMES and name in "".join(body.split()):
        found.append(_("the customer's name"))
    numbers = {feedback.order_no, order.order_no if order is not None else ""} - {""}
    if any(number in body for number in numbers):
        found.append(_("the order number"))
    if found:
        raise InvalidInput(
            _(
                "Everybody will read this. Take out what tells who the customer is: %(what)s. The shop's own numbers are "
                "known from the pages of its stores."
            )
            % {"what": _(", ").join(str(part) for part in found)},
            field="text",
        )


def _read(feedback: Feedback, reply: Reply, *, by: User, now: datetime) -> tuple[bool, bool]:
    """What the law says of a reply: (it invites to a review, a second person has approved it). Kept as a verdict.

    Raises Unlawful or Held, InvalidInput where a public text tells who the customer is.
    """
    text = reply.text.strip()
    _exposes_nobody(feedback, reply)
    findings, facts = findings_of(feedback, text, reply.channel, now=now)
    action = worst(findings)
    key = subject_key(feedback.pk)
    approved = action == "require_approval" and was_approved(subject_key=key, text=text)
    if action == "require_approval" and not approved and _waiting(feedback, reply, text):
        raise _held(findings)
    verdict = verdicts.keep(
        findings=findings,
        text=text,
        facts=facts,
        by=by,
        now=now,
        subject_key=key,
        url=address(feedback.pk),
    )
    if action == "block":
        raise _unlawful(findings)
    if verdict is not None and action == "require_approval" and not approved:
        _hold(feedback, reply, text, verdict, by=by, now=now)
        raise _held(findings)
    return facts.invites_review is True, approved


def send_approved(*, feedback: Feedback, reply: Reply, by: User, now: datetime) -> Entry:
    """Send a text that a second person has read already, e.g. one answer to many. Raises as `send_reply` does."""
    if (known := _sent_before(feedback, reply)) is not None:
        return known
    _may_answer(feedback, reply, by)
    return _send_read(feedback, reply, by=by, now=now)


def send_invitation(*, feedback: Feedback, reply: Reply, by: User, now: datetime) -> Entry:
    """Send the one invitation, which its keeper has checked and claimed in this transaction (`INVITATION` begins the key).

    Raises InvalidInput where the gate refuses it.
    """
    _may_answer(feedback, reply, by)
    return _send(
        feedback, reply, reply.text.strip(), by=by, now=now, approved=True, invites=True, claimed=True
    )


def _send_read(feedback: Feedback, reply: Reply, *, by: User, now: datetime) -> Entry:
    """Send what a second person has read. What the law forbids by now nobody's yes makes lawful: raises Unlawful."""
    text = reply.text.strip()
    _exposes_nobody(feedback, reply)
    findings, facts = findings_of(feedback, text, reply.channel, now=now)
    if worst(findings) == "block":
        raise _unlawful(findings)
    return _send(feedback, reply, text, by=by, now=now, approved=True, invites=facts.invites_review is True)


def _free_key(feedback_id: int, token: str) -> str:
    dead = _entries(feedback_id, token).count()
    return f"{token}{AGAIN}{dead + 1}" if dead else token


def _unlawful(findings: list[Finding]) -> verdicts.Unlawful:
    return verdicts.Unlawful(
        _("This may not be sent: %(rule)s.") % {"rule": findings[0].title}, findings=findings
    )


def _held(findings: list[Finding]) -> Held:
    return Held(_("A second person must approve this text; you will be told."), findings=findings)


def _sent_before(feedback: Feedback, reply: Reply) -> Entry | None:
    return _entries(feedback.pk, reply.token).exclude(message__state__in=GONE).order_by("-pk").first()


def _entries(feedback_id: int, token: str) -> QuerySet[Entry]:
    """Whatever was sent of a page, its repeats after a failure among it."""
    return Entry.objects.filter(
        Q(message__period_key=token) | Q(message__period_key__startswith=f"{token}{AGAIN}"),
        feedback=feedback_id,
        message__purpose="reply",
    )


def is_out(feedback_id: int, token: str) -> bool:
    """Whether a message with this key is on its way or has arrived."""
    return _entries(feedback_id, token).exclude(message__state__in=GONE).exists()


def _nothing_newer(feedback: Feedback, reply: Reply) -> None:
    if reply.seen is not None and (newest := _newest(feedback)) > reply.seen:
        words = Entry.objects.select_related("by").get(pk=newest)
        raise NewerWords(
            _("%(who)s has just written on this case. Read it, then send yours.")
            % {"who": words.by or words.speaker or _("somebody")}
        )


def _newest(feedback: Feedback) -> int:
    # Notes are said to nobody outside; two notes at once harm nobody.
    rows = Entry.objects.filter(feedback=feedback).exclude(kind=EntryKind.NOTE)
    return rows.aggregate(newest=Max("pk"))["newest"] or 0


def _waiting(feedback: Feedback, reply: Reply, text: str) -> bool:
    """Whether this very text waits for a second person already."""
    return HeldReply.objects.filter(
        feedback=feedback, channel=reply.channel, text=text, state=HeldState.WAITING
    ).exists()


def _hold(feedback: Feedback, reply: Reply, text: str, verdict: Any, *, by: User, now: datetime) -> None:
    with transaction.atomic():
        # The same button pressed twice asks once.
        Feedback.objects.select_for_update(of=("self",)).only("pk").get(pk=feedback.pk)
        if _waiting(feedback, reply, text):
            verdict.delete()
            return
        held = HeldReply.objects.create(
            feedback=feedback,
            channel=reply.channel,
            text=text,
            template=reply.template,
            also=reply.also,
            verdict=verdict,
            by=by,
            at=now,
        )
        approval = approvals.ask(
            kind=APPROVAL_KIND,
            record=held,
            title=_("Reply on %(number)s") % {"number": feedback.number},
            permission=verdicts.APPROVE,
            by=by,
            now=now,
            summary=verdict.text,
            payload={finding["rule"]: finding["title"] for finding in verdict.findings}
            | {PAGE: reply.token, AFTER: reply.after_end},
            url=address(feedback.pk),
        )
        verdict.approval = approval
        verdict.save(update_fields=["approval"])


def held_approved(approval: Approval, by: User, now: datetime) -> None:
    """Core's yes: the reply goes out in its writer's name, as it was read."""
    held = (
        HeldReply.objects.select_for_update(of=("self",))
        .select_related("feedback", "verdict", "template", "by")
        .get(pk=approval.object_id)
    )
    verdicts.approved(_verdict_view(held), by, now)
    # With the key of the page it was written on: posted once more, that page has been answered.
    token = str(approval.payload.get(PAGE) or f"held-{held.pk}")
    reply = Reply(
        channel=held.channel,
        text=held.text,
        token=token,
        template=held.template,
        also=held.also,
        after_end=bool(approval.payload.get(AFTER)),
    )
    if _sent_before(held.feedback, reply) is None:
        _send_read(held.feedback, reply, by=held.by, now=now)
    HeldReply.objects.filter(pk=held.pk).update(state=HeldState.SENT)


def held_rejected(approval: Approval, by: User | None, now: datetime) -> None:
    """Core's no, or a request that was taken back (`by` is None)."""
    held = HeldReply.objects.select_related("verdict").get(pk=approval.object_id)
    verdicts.rejected(_verdict_view(held, approval.reason), by, now)
    HeldReply.objects.filter(pk=held.pk, state=HeldState.WAITING).update(state=HeldState.DROPPED)


def _verdict_view(held: HeldReply, reason: str = "") -> Any:
    return Approval(object_id=held.verdict_id, reason=reason)


def _send(
    feedback: Feedback,
    reply: Reply,
    text: str,
    *,
    by: User,
    now: datetime,
    approved: bool = False,
    invites: bool = False,
    claimed: bool = False,
) -> Entry:
    with transaction.atomic():
        # Whoever waited for the lock looks again: closed, answered or invited since.
        locked = Feedback.objects.select_for_update(of=("self",)).get(pk=feedback.pk)
        _may_answer(locked, reply, by)
        if (known := _sent_before(feedback, reply)) is not None:
            return known
        _nothing_newer(feedback, reply)
        if invites and _invitations(feedback):
            raise _unlawful(findings_of(locked, text, reply.channel, now=now)[0])
        customer = feedback.customer
        public = reply.channel == MessageChannel.PUBLIC_REPLY
        message = enqueue(
            Draft(
                purpose="reply",
                subject_key=subject_key(feedback.pk),
                channel=reply.channel,
                body=text,
                customer=None if public else customer,
                # A public reply is written under the review, whoever wrote it.
                address=feedback.number if public or customer is None else "",
                template=reply.template,
                title=_("About your feedback %(number)s") % {"number": feedback.number},
                payload={"also": reply.also, "invites_review": invites},
                period_key=_free_key(feedback.pk, reply.token),
                is_answer=True,
                approved=approved,
            ),
            by=by,
            now=now,
        )[0]
        if message.state == MessageState.REFUSED:
            # Committed with its reason; the writer's text stays on the page.
            refused = message
        else:
            refused = None
            if invites and not claimed:
                for keeper in invitations:
                    keeper.claim(locked, text=text, message=message, by=by, now=now)
            entry, made = Entry.objects.get_or_create(
                message=message,
                defaults={
                    "feedback": feedback,
                    "kind": EntryKind.REPLY,
                    "method": METHODS.get(MessageChannel(reply.channel), ""),
                    "text": text,
                    "at": now,
                    "by": by,
                },
            )
            if made:
                for upload in reply.files:
                    stored = store_file(upload=upload, by=by, now=now)
                    FeedbackFile.objects.create(feedback=feedback, file=stored, entry=entry)
                moves.announce(feedback, "reply", by)
                if public and feedback.channel.code == "public_form":
                    # The customer's status page is ours: nobody has to carry anything.
                    mark_sent(message=message, proof=_("on the customer's status page"), by=by, now=now)
    if refused is not None:
        raise InvalidInput(
            _("The message was not allowed: %(why)s") % {"why": refused.error},
            code=refused.error_code,
            field="channel",
        )
    return entry


def carried(
    *, message: OutboundMessage, proof: str, by: User, now: datetime, file: File | None = None
) -> None:
    """The person has put the text on the platform (decision 19): it counts from now on."""
    mark_sent(message=message, proof=proof or _("Sent on the platform"), by=by, now=now, file=file)


# -- counting what was sent ----------
def settle(*, message_id: int, now: datetime) -> bool:
    """Count a reply whose message has left: first-response clock, state, owner. Once; answers whether it did.

    A machine's message never counts as an answer (decision 2). What failed is told to its writer.
    """
    entry = (
        Entry.objects.select_related("message", "feedback", "by")
        .filter(message_id=message_id, settled_at__isnull=True)
        .first()
    )
    if entry is None or entry.message is None:
        return False
    state = entry.message.state
    if state in SENT:
        return _count(entry, now=now)
    if state in GONE or state == MessageState.TO_CHECK:
        _tell_writer(entry, now=now)
    return False


def _count(entry: Entry, *, now: datetime) -> bool:
    message = entry.message
    assert message is not None
    at = message.sent_at or now
    with transaction.atomic():
        feedback = Feedback.objects.select_for_update().get(pk=entry.feedback_id)
        for _step in range(moves.MERGE_DEPTH):
            if feedback.merged_into_id is None:
                break
            # The case was merged while the reply waited to be carried: it answers the one that goes on.
            feedback = Feedback.objects.select_for_update().get(pk=feedback.merged_into_id)
        if not Entry.objects.filter(pk=entry.pk, settled_at__isnull=True).update(settled_at=now):
            return False
        at = max(at, feedback.received_at)
        if entry.is_automatic:
            return True
        if feedback.status not in FEEDBACK.get("record_contact").sources:  # type: ignore[union-attr]
            # Settled while it was on its way: the clocks stand, but the customer has been answered.
            if feedback.first_response_at is None and feedback.status in (Status.RESOLVED, Status.CLOSED):
                Feedback.objects.filter(pk=feedback.pk).update(first_response_at=at)
            return True
        changes: dict[str, Any] = {}
        if feedback.first_response_at is None:
            changes["first_response_at"] = at
        if feedback.assignee_id is None and entry.by_id is not None:
            changes |= {"assignee_id": entry.by_id, "assigned_at": now, "claimed_at": now}
        log = perform(
            FEEDBACK,
            feedback,
            "record_contact",
            by=None,
            now=now,
            via="reply",
            changes=changes,
            data={"how": entry.method, "message": message.pk},
        )
        ActionLog.objects.filter(pk=log.pk).update(by=entry.by)
        also = message.payload.get("also", "")
        stops = [ClockKind.FIRST_RESPONSE]
        if also in ALSO:
            stops.append(ALSO[also])
            ActionLog.objects.create(
                model="feedback.feedback",
                object_id=feedback.pk,
                verb=also,
                from_state=feedback.status,
                to_state=Status.IN_PROGRESS,
                reason=entry.text,
                by=entry.by,
                via="reply",
                at=now,
            )
        if feedback.status in (Status.NEW, Status.ASSIGNED):
            Feedback.objects.filter(pk=feedback.pk).update(status=Status.IN_PROGRESS)
            ActionLog.objects.filter(pk=log.pk).update(to_state=Status.IN_PROGRESS)
            feedback.status = Status.IN_PROGRESS
        clocks.stop(feedback, stops, now=at)
        moves.announce(feedback, "record_contact", entry.by)
    return True


def _tell_writer(entry: Entry, *, now: datetime) -> None:
    message, feedback = entry.message, entry.feedback
    assert message is not None
    writers = [entry.by_id] if entry.by_id else people(reference(), feedback, ("owner",))
    doubtful = message.state == MessageState.TO_CHECK
    notify(
        recipients=[pk for pk in writers if pk],
        level=NoticeLevel.WARNING,
        title=(
            _("%(number)s: nobody knows whether your reply arrived")
            if doubtful
            else _("%(number)s: your reply did not go out")
        )
        % {"number": feedback.number},
        body=message.error,
        url=address(feedback.pk),
        key=f"reply:{message.pk}:{message.state}:{message.attempts}",
        now=now,
    )


def settle_missed(*, now: datetime, limit: int = 500) -> int:
    """Replies that went out while nobody listened: a crash between sending and counting. Answers how many."""
    waiting = Entry.objects.filter(
        message__isnull=False, settled_at__isnull=True, message__state__in=SENT
    ).values_list("message_id", flat=True)[:limit]
    return sum(settle(message_id=pk, now=now) for pk in list(waiting) if pk is not None)


def carries(message: OutboundMessage) -> bool:
    """Whether a person has to put this on the platform."""
    return message.channel in ASSISTED and message.state == MessageState.TO_DO
