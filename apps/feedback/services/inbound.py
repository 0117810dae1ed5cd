"""What customers write on a case that is there already: on a public page, by SMS, WeChat, e-mail or platform chat."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext as _

from apps.core.choices import NoticeLevel
from apps.core.numbers import whole_number
from apps.core.services.notices import notify
from apps.customers.models import CustomerIdentity
from apps.customers.selectors import surviving
from apps.feedback.choices import OPEN, ContactMethod, EntryKind, Status, Tier, WaitReason
from apps.feedback.incoming import IncomingCustomer, IncomingFeedback
from apps.feedback.models import Entry, Feedback
from apps.feedback.selectors.reference import reference
from apps.feedback.services import moves
from apps.feedback.services.grading import asks_for_nothing, tier_of
from apps.feedback.services.intake import take_in
from apps.feedback.services.telling import address, people
from apps.messaging.models import InboundMessage

# Somebody who writes so long after a case ended means something else.
BELONGS_WITHIN = timedelta(days=30)
# Whoever asks for a person gets one (GB/T 47746-2026): nothing answers by machine from here on, the owner is told.
WANTS_PERSON = re.compile(r"人工|真人|\b(?:human|person|agent)\b", re.IGNORECASE)
# An answer to "please rate us, 1 to 5" asks for nothing and opens nothing again; a low one is told to the owner.
SCORE = re.compile(r"^\s*([1-5１-５])\s*分?\s*[。.!！]?\s*$")
METHODS = {
    "sms": ContactMethod.SMS,
    "wechat": ContactMethod.WECHAT,
    "email": ContactMethod.EMAIL,
    "app": ContactMethod.CHAT,
    "platform_im": ContactMethod.CHAT,
    "public_reply": ContactMethod.PUBLIC_REPLY,
}


def customer_said(
    *,
    feedback: Feedback,
    text: str,
    now: datetime,
    via: str,
    inbound: InboundMessage | None = None,
    method: str = "",
    at: datetime | None = None,
) -> Entry:
    """Put what a customer wrote on the case. The caller holds the row's lock.

    A case that waited for the customer goes on. One that ended opens again, unless the words ask for nothing ("thank
    you"). What reads like S raises the case. The owner is told.
    """
    entry = Entry.objects.create(
        feedback=feedback,
        kind=EntryKind.INBOUND,
        method=method,
        speaker=_("customer"),
        text=text.strip(),
        at=at or now,
        inbound=inbound,
    )
    score = SCORE.match(text)
    ref = reference()
    reading = ref.reader.read(text, None, is_review_channel=False)
    tier, _reasons = tier_of(ref, reading, feedback.channel)
    if feedback.status == Status.WAITING and feedback.wait_reason == WaitReason.CUSTOMER:
        moves.resume(feedback=feedback, by=None, now=now, reason=_("The customer answered."), via=via)
    elif (
        feedback.status in (Status.RESOLVED, Status.CLOSED)
        and score is None
        and not asks_for_nothing(reading.kind, reading.sentiment, tier, reading.needs_review)
    ):
        moves.reopen(feedback=feedback, by=None, now=now, reason=_("The customer wrote again."), via=via)
    if tier == Tier.S and feedback.status in OPEN:
        while feedback.tier != Tier.S:
            moves.escalate(
                feedback=feedback,
                by=None,
                now=now,
                reason=_("What the customer added reads like an emergency."),
                via=via,
            )
    wants_person = WANTS_PERSON.search(text) is not None
    low = score is not None and int(score[1]) <= 2
    level = NoticeLevel.WARNING if wants_person or low else NoticeLevel.INFO
    words = (
        _("%(number)s: the customer asks for a person")
        if wants_person
        else _("%(number)s: the customer added something")
    )
    notify(
        recipients=people(ref, feedback, ("owner",)),
        level=NoticeLevel.URGENT if feedback.tier == Tier.S else level,
        title=words % {"number": feedback.number},
        url=address(feedback.pk),
        key=f"added:{entry.pk}",
        now=now,
    )
    moves.announce(feedback, "customer_replied", None)
    return entry


def on_case(inbound: InboundMessage, now: datetime) -> bool:
    """Handler of messages: put this one on the case it belongs to. False where there is none.

    The case is the one the message names, else the one our message it answers was about, else the customer's newest;
    the last two where it is open or ended within 30 days.
    """
    _known_as(inbound)
    feedback_id = _case_named(inbound) or _case_answered(inbound, now) or _case_of_customer(inbound, now)
    if feedback_id is None:
        return False
    # From here on staff read what is written, not the customer: it speaks the shop's language.
    with translation.override(settings.LANGUAGE_CODE), transaction.atomic():
        feedback = Feedback.objects.select_for_update().filter(pk=feedback_id).first()
        if feedback is None:
            return False
        feedback = _whole(feedback)
        if not Entry.objects.filter(inbound=inbound).exists():
            customer_said(
                feedback=feedback,
                text=inbound.text,
                now=now,
                via="hook",
                inbound=inbound,
                method=METHODS.get(inbound.channel, ""),
                at=min(inbound.sent_at or now, now),
            )
    return True


def as_new(inbound: InboundMessage, now: datetime) -> bool:
    """Handler of messages: what belongs to no case is a new voice, where its gateway bears the name of a channel."""
    ref = reference()
    code = inbound.payload.get("feedback_channel") or inbound.gateway_code
    if code not in ref.channels or not inbound.text.strip():
        return False
    who = inbound.payload.get("customer") or {}
    customer = IncomingCustomer(
        external_id=str(who.get("external_id") or inbound.address or "")[:120],
        nickname=str(who.get("nickname") or "")[:80],
        phone=inbound.address if inbound.channel == "sms" else "",
        email=inbound.address if inbound.channel == "email" else "",
    )
    item = IncomingFeedback(
        channel=code, text=inbound.text, external_id=f"msg-{inbound.external_id}"[:120], customer=customer
    )
    (outcome,) = take_in([item], source="hook", now=now)
    if outcome.state == "rejected":
        return False
    inbound.payload = inbound.payload | {"feedback": outcome.feedback_id}
    inbound.save(update_fields=["payload"])
    return True


def _whole(feedback: Feedback) -> Feedback:
    """The case that goes on for one that was merged."""
    for _step in range(moves.MERGE_DEPTH):
        if feedback.merged_into_id is None:
            return feedback
        feedback = Feedback.objects.select_for_update().get(pk=feedback.merged_into_id)
    return feedback


def _case_named(inbound: InboundMessage) -> int | None:
    """By the case's number or the platform's number of the review it is about."""
    about = str(inbound.payload.get("about") or "")
    if about:
        channel = str(inbound.payload.get("feedback_channel") or inbound.gateway_code)
        found = Feedback.objects.filter(channel__code=channel, external_id=about[:120])
        return found.values_list("pk", flat=True).first()
    number = whole_number(str(inbound.payload.get("case") or "").strip().lstrip("Ff#"))
    if number is None:
        return None
    # A number alone proves nothing: the case must be this customer's, or of nobody known.
    mine = Q(customer__isnull=True)
    if inbound.customer_id is not None:
        mine |= Q(customer_id=inbound.customer_id)
    return Feedback.objects.filter(mine, pk=number).values_list("pk", flat=True).first()


def _known_as(inbound: InboundMessage) -> None:
    """Whoever writes on a platform is known by the platform's own name for them."""
    name = str((inbound.payload.get("customer") or {}).get("external_id") or "")
    channel = inbound.payload.get("feedback_channel")
    if inbound.customer_id is not None or not name or not channel:
        return
    known = CustomerIdentity.objects.select_related("customer").filter(
        channel=channel, external_id=name[:120]
    )
    identity = known.first()
    if identity is not None:
        inbound.customer = surviving(identity.customer)
        inbound.save(update_fields=["customer"])


def _case_answered(inbound: InboundMessage, now: datetime) -> int | None:
    message = inbound.in_reply_to
    if message is None or not message.subject_key.startswith("feedback:"):
        return None
    # The last message to somebody may be years old: what ended long ago is not what they write about.
    belongs = Q(status__in=(*OPEN, Status.MERGED)) | Q(updated_at__gte=now - BELONGS_WITHIN)
    number = whole_number(message.subject_key.partition(":")[2])
    return Feedback.objects.filter(belongs, pk=number).values_list("pk", flat=True).first()


def _case_of_customer(inbound: InboundMessage, now: datetime) -> int | None:
    if inbound.customer_id is None:
        return None
    rows = Feedback.objects.filter(
        customer_id=inbound.customer_id, is_historical=False, received_at__gte=now - timedelta(days=90)
    ).order_by("-received_at", "-id")
    open_one = rows.filter(status__in=OPEN).values_list("pk", flat=True).first()
    if open_one is not None:
        return open_one
    ended = rows.filter(status__in=(Status.RESOLVED, Status.CLOSED), updated_at__gte=now - BELONGS_WITHIN)
    return ended.exclude(first_response_at__isnull=True).values_list("pk", flat=True).first()
