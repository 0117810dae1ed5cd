"""Notices that go to customers by themselves: "we have got it" and "this is the result" (R24)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import CharField, Exists, F, OuterRef, Q, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.compliance.services.verdicts import Unlawful
from apps.compliance.types import worst
from apps.core.exceptions import InvalidInput
from apps.core.models import User
from apps.customers.choices import CustomerState
from apps.customers.models import CustomerIdentity
from apps.feedback.choices import EntryKind, Source, Status
from apps.feedback.models import Entry, Feedback
from apps.feedback.selectors.composer import values_of, ways
from apps.feedback.services.replies import METHODS, findings_of, subject_key
from apps.messaging.choices import AUTOMATIC, MessageChannel, MessageState, Scene
from apps.messaging.models import MessageTemplate, MessagingPolicy, OutboundMessage
from apps.messaging.registries import satisfaction_link
from apps.messaging.services.outbox import Draft, enqueue
from apps.messaging.templates import preview, render

RECEIVED, RESULT = "received", "result_notice"
# A notice that comes the next day tells nobody anything.
RECEIVED_USEFUL = timedelta(hours=12)
# A sweep looks back so far: workers that stood still longer acknowledge nothing any more.
ACKNOWLEDGED_WITHIN = timedelta(hours=2)
A_ROUND = 500
# By these a person may be told without having asked for it by that way.
NOTICE_CHANNELS = (MessageChannel.WECHAT, MessageChannel.APP, MessageChannel.EMAIL, MessageChannel.SMS)


@dataclass(frozen=True, slots=True)
class Notice:
    """A result notice as it will be sent."""

    channel: str
    text: str
    link: str
    template: MessageTemplate | None


def result_notice(feedback: Feedback, user: User, *, solution: str, channel: str) -> Notice:
    """The text of the result notice for one way; a plain sentence where the template asks for what nobody knows.

    The satisfaction link stands in it where a survey app registered one; an SMS never carries a link (decision 16).
    Without a link it ends with thanks.
    """
    template = _template(Scene.RESULT_NOTICE, channel)
    values = values_of(feedback, user) | {
        "solution": solution.strip()[:200],
        # Templates of results ask when it was done.
        "deadline": timezone.localdate(feedback.resolved_at).strftime("%m-%d"),
    }
    link = "" if channel == MessageChannel.SMS else _link(feedback, channel)
    body = preview(template, values) if template is not None else ""
    if not body or "〔" in body:
        # What the case does not know must not keep anybody from telling the result.
        template, body = None, _plain(feedback, solution)
    if channel != MessageChannel.SMS:
        body = (
            body.rstrip()
            + "\n"
            + (_("How did we do? %(link)s") % {"link": link} if link else _("Thank you for telling us."))
        )
    return Notice(channel, body, link, template)


def _plain(feedback: Feedback, solution: str) -> str:
    return _("Your feedback %(number)s is settled: %(solution)s") % {
        "number": feedback.number,
        "solution": solution.strip(),
    }


def _link(feedback: Feedback, channel: str) -> str:
    for make in satisfaction_link:
        if found := make(subject_key(feedback.pk), channel):
            return found
    return ""


def _template(scene: str, channel: str) -> MessageTemplate | None:
    return (
        MessageTemplate.objects.filter(is_active=True, scene=scene, channel=channel, language="zh")
        .order_by("pk")
        .first()
    )


def send_result(*, feedback: Feedback, channel: str, text: str, by: User, now: datetime) -> OutboundMessage:
    """Tell the customer the result, once for each time the case was settled. Raises InvalidInput when refused,

    Unlawful (params `findings`, `facts`) where the law does not let it out: a notice that speaks of the review is
    the one invitation there may be (REV-10).
    """
    if feedback.status not in (Status.RESOLVED, Status.CLOSED):
        raise InvalidInput(_("The case is not settled yet."))
    if "〔" in text:
        raise InvalidInput(_("Fill in what stands between 〔 and 〕."), field="notice")
    findings, facts = findings_of(feedback, text.strip(), channel, now=now)
    if worst(findings) in ("block", "require_approval"):
        raise Unlawful(
            _("This may not be sent: %(rule)s.") % {"rule": findings[0].title},
            findings=findings,
            facts=facts,
            field="notice",
        )
    with transaction.atomic():
        message = enqueue(
            Draft(
                purpose=RESULT,
                subject_key=subject_key(feedback.pk),
                channel=channel,
                body=text.strip(),
                customer=feedback.customer,
                address="" if feedback.customer_id else feedback.number,
                template=_template(Scene.RESULT_NOTICE, channel),
                title=_("The result of your feedback %(number)s") % {"number": feedback.number},
                payload={"invites_review": facts.invites_review is True},
                period_key=f"round-{feedback.reopened}",
                link=_link(feedback, channel) if channel != MessageChannel.SMS else "",
            ),
            by=by,
            now=now,
        )[0]
        if message.state != MessageState.REFUSED:
            _entry(feedback, message, by=by, now=now, automatic=False)
    if message.state == MessageState.REFUSED:
        raise InvalidInput(
            _("The message was not allowed: %(why)s") % {"why": message.error},
            code=message.error_code,
            field="notice",
        )
    return message


def _entry(
    feedback: Feedback, message: OutboundMessage, *, by: User | None, now: datetime, automatic: bool
) -> None:
    Entry.objects.get_or_create(
        message=message,
        defaults={
            "feedback": feedback,
            "kind": EntryKind.REPLY,
            "method": METHODS.get(MessageChannel(message.channel), ""),
            "text": message.body,
            "at": now,
            "by": by,
            "speaker": "" if by else _("automatic notice"),
            "is_automatic": automatic,
        },
    )


def result_channels(feedback: Feedback) -> list[tuple[str, str]]:
    """(channel, label) by which this customer can be told; platform chat last, since a person carries it."""
    offered = [way for way in ways(feedback) if way.open and way.channel != MessageChannel.PUBLIC_REPLY]
    return [
        (str(way.channel), str(way.label))
        for way in sorted(offered, key=lambda way: way.channel not in AUTOMATIC)
    ]


# -- "we have got it" ----------
def acknowledge(*, ids: Iterable[int], now: datetime) -> int:
    """Tell the customers of these feedback that they arrived, with the case number; once each, automatic, no answer.

    Only by channels the shop switched on, the first by which the customer can be reached. Answers how many went out.
    """
    policy = MessagingPolicy.objects.filter(pk=1).first()
    allowed = [
        channel for channel in NOTICE_CHANNELS if policy is not None and channel in policy.auto_received
    ]
    if not allowed:
        return 0
    rows = (
        Feedback.objects.filter(
            pk__in=list(ids), is_historical=False, customer__isnull=False, parent__isnull=True
        )
        .exclude(source__in=(Source.FILE, Source.DEMO))
        .exclude(status=Status.CLOSED)
        .select_related("customer", "channel", "store", "order", "product", "category", "subcategory")
    )
    templates = {channel: _template(Scene.RECEIVED, channel) for channel in allowed}
    drafts, owners = [], []
    for feedback in rows:
        reachable = {way.channel for way in ways(feedback) if way.open}
        channel = next((name for name in allowed if name in reachable and templates[name] is not None), None)
        template = templates[channel] if channel is not None else None
        if channel is None or template is None:
            continue
        values = values_of(feedback, User(username=""))
        try:
            body = render(template, {"brand": _("the shop"), "hotline": "–"} | values)
        except InvalidInput:
            continue
        drafts.append(
            Draft(
                purpose=RECEIVED,
                subject_key=subject_key(feedback.pk),
                channel=channel,
                body=body,
                customer=feedback.customer,
                template=template,
                title=_("We have got your feedback %(number)s") % {"number": feedback.number},
                is_automatic=True,
                last_useful_at=feedback.received_at + RECEIVED_USEFUL,
            )
        )
        owners.append(feedback)
    if not drafts:
        return 0
    with transaction.atomic():
        written = enqueue(drafts, by=None, now=now)
        for feedback, message in zip(owners, written, strict=True):
            if message.state != MessageState.REFUSED:
                _entry(feedback, message, by=None, now=now, automatic=True)
    return sum(message.state != MessageState.REFUSED for message in written)


def acknowledge_missed(*, now: datetime) -> int:
    """Acknowledge what arrived lately and has no notice yet. The intake itself does not wait for any message."""
    policy = MessagingPolicy.objects.filter(pk=1).first()
    if policy is None or not policy.auto_received:
        return 0
    told = OutboundMessage.objects.filter(purpose=RECEIVED, subject_key=OuterRef("key"))
    fresh = (
        Feedback.objects.filter(
            _reachable(policy.auto_received),
            received_at__gte=now - ACKNOWLEDGED_WITHIN,
            is_historical=False,
            parent__isnull=True,
        )
        .exclude(source__in=(Source.FILE, Source.DEMO))
        .exclude(status=Status.CLOSED)
        .annotate(key=Concat(Value("feedback:"), Cast(F("pk"), CharField()), output_field=CharField()))
        .filter(~Exists(told))
        .order_by("-received_at", "-id")
        .values_list("pk", flat=True)[:A_ROUND]
    )
    return acknowledge(ids=list(fresh), now=now)


def _reachable(allowed: Iterable[str]) -> Q:
    """Those who can be told at all: whoever cannot must not take the place of those who wait behind them."""
    identities = CustomerIdentity.objects.filter(customer=OuterRef("customer"))
    by = {
        MessageChannel.EMAIL: ~Q(customer__email=""),
        MessageChannel.SMS: ~Q(customer__phone=""),
        MessageChannel.WECHAT: Q(Exists(identities.filter(channel="wechat_mp"))),
        MessageChannel.APP: Q(Exists(identities.filter(channel="app"))),
    }
    some = Q(pk__in=())
    for channel in allowed:
        if channel in by:
            some |= by[MessageChannel(channel)]
    return some & Q(customer__state=CustomerState.ACTIVE)
