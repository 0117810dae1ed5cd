"""The customer hears what was issued for them: a coupon is worth something once they have its code (R27)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.exceptions import DomainError, InvalidInput, NotPermitted
from apps.core.models import ActionLog, User
from apps.customers.selectors import surviving
from apps.feedback.choices import ContactMethod
from apps.feedback.models import Entry, Feedback
from apps.feedback.selectors.composer import values_of
from apps.feedback.services import moves as feedback_moves
from apps.feedback.services import replies as answers
from apps.messaging.choices import MessageChannel
from apps.messaging.models import MessageTemplate, OutboundMessage
from apps.messaging.templates import preview
from apps.repairs.models import Remedy
from apps.repairs.selectors.coupons import LABEL, TELL, coupon_of
from apps.repairs.transitions import WORK
from apps.rewards.models import Coupon

#: Compensation that hangs on nothing.
TEMPLATE = "CP_CARE"
#: Where the code stands in the words.
PLACE = "{券码}"
KEY = "coupon-"


def draft(remedy: Remedy, coupon: Coupon, user: User) -> str:
    """What may be said: the template with the coupon's terms, and the place of the code.

    The code itself comes in when it is sent; whoever says it looks it up on the coupon's page, with a reason.
    """
    feedback = remedy.offer.case.feedback
    values: dict[str, Any] = values_of(feedback, user) | {
        "coupon_name": coupon.type.name,
        "coupon_amount": f"{coupon.type.face_value:.0f}" if coupon.type.face_value is not None else "",
        "coupon_threshold": f"{coupon.type.minimum_spend or 0:.0f}",
        "coupon_valid": f"{timezone.localtime(coupon.valid_until):%Y-%m-%d}" if coupon.valid_until else "",
        "coupon_scope": coupon.type.scope,
    }
    template = MessageTemplate.objects.filter(code=TEMPLATE, is_active=True).first()
    words = preview(template, values) if template is not None else ""
    return f"{words}券码：{PLACE}"


def tell(
    *,
    remedy: Remedy,
    text: str,
    by: User,
    now: datetime,
    how: str = "",
    send_by: str = "",
    via: str = "admin",
) -> ActionLog:
    """Tell the customer their coupon: sent (`send_by`) or said by a person (`how`). Sent twice it is one message.

    Raises InvalidInput where the code is missing in the words or the coupon cannot be used any more, and what sending a
    reply raises.
    """
    if not by.has_perm(WORK):
        raise NotPermitted(_("You may not work on repairs."))
    coupon = coupon_of(remedy, now=now)
    if coupon is None:
        raise DomainError(_("There is no coupon here that can still be used."))
    words = text.replace(PLACE, coupon.code)
    if coupon.code not in words:
        raise InvalidInput(
            _("%(place)s is missing in the text: the code stands there.") % {"place": PLACE}, field="text"
        )
    if send_by == MessageChannel.PUBLIC_REPLY or how == ContactMethod.PUBLIC_REPLY:
        raise InvalidInput(_("A code is told to the customer alone, not in public."), field="way")
    if not send_by and how not in ContactMethod.values:
        raise InvalidInput(_("Say how the customer was contacted."), field="way")
    feedback = Feedback.objects.select_related("channel", "customer").get(pk=remedy.offer.case.feedback_id)
    if (
        coupon.customer is None
        or feedback.customer is None
        or (surviving(coupon.customer).pk != surviving(feedback.customer).pk)
    ):
        raise DomainError(_("The coupon belongs to another customer than this feedback."))
    said = words.replace(coupon.code, coupon.masked_code)
    data: dict[str, Any] = {"how": how or send_by}
    reply = answers.Reply(channel=send_by, text=words, token=f"{KEY}{remedy.pk}", after_end=True)
    if send_by:
        # Before the transaction: what the law holds or blocks stays written down.
        answers.clear(feedback=feedback, reply=reply, by=by, now=now)
    with transaction.atomic():
        if send_by:
            entry = answers.send_cleared(feedback=feedback, reply=reply, by=by, now=now)
            # The conversation is read by many; the code goes out with the message alone.
            Entry.objects.filter(pk=entry.pk).update(text=said)
            data["message"] = entry.message_id
        else:
            feedback_moves.add_note(feedback=feedback, text=said, by=by, now=now, via=via)
        return ActionLog.objects.create(
            model=LABEL, object_id=remedy.pk, verb=TELL, by=by, at=now, via=via,
            from_state=remedy.status, to_state=remedy.status, data=data,
        )  # fmt: skip


def forget_code(*, message_id: int) -> None:
    """Once it has left, the code stands in the outbox no more, nor in the conversation. Safe to repeat."""
    message = OutboundMessage.objects.filter(pk=message_id, period_key__startswith=KEY).first()
    if message is None:
        return
    number = message.period_key.removeprefix(KEY).partition(answers.AGAIN)[0]
    coupon = Coupon.objects.filter(grant__key=f"repairs.remedy:{number}").first()
    if coupon is not None and coupon.code in message.body:
        OutboundMessage.objects.filter(pk=message.pk).update(
            body=message.body.replace(coupon.code, coupon.masked_code)
        )
        # Words that waited for a second person came into the conversation as they were read.
        for entry in Entry.objects.filter(message=message, text__contains=coupon.code):
            masked = entry.text.replace(coupon.code, coupon.masked_code)
            Entry.objects.filter(pk=entry.pk).update(text=masked)
