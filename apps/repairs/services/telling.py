"""The customer hears what was issued for them: a coupon is worth something once they have its code (R27)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.exceptions import DomainError, InvalidInput, NotPermitted
from apps.core.models import ActionLog, User
from apps.feedback.choices import ContactMethod
from apps.feedback.models import Feedback
from apps.feedback.selectors.composer import values_of
from apps.feedback.services import moves as feedback_moves
from apps.feedback.services import replies as answers
from apps.messaging.choices import MessageChannel
from apps.messaging.models import MessageTemplate
from apps.messaging.templates import preview
from apps.repairs.models import Remedy
from apps.repairs.transitions import WORK
from apps.rewards.choices import CouponState
from apps.rewards.models import Coupon

LABEL = "repairs.remedy"
VERB = "tell"
#: Compensation that hangs on nothing.
TEMPLATE = "CP_CARE"


def coupon_of(remedy: Remedy) -> Coupon | None:
    """The coupon that was issued for a remedy and can still be used. One query."""
    if remedy.grant_id is None:
        return None
    return (
        Coupon.objects.select_related("type").filter(grant=remedy.grant_id, status=CouponState.ISSUED).first()
    )


def draft(remedy: Remedy, coupon: Coupon, user: User) -> str:
    """What may be said: the template with the coupon's terms, and the code."""
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
    return f"{words}券码：{coupon.code}"


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
    coupon = coupon_of(remedy)
    if coupon is None:
        raise DomainError(_("There is no coupon here that can still be used."))
    if coupon.code not in text:
        raise InvalidInput(
            _("The code %(code)s is missing in the text.") % {"code": coupon.masked_code}, field="text"
        )
    if send_by == MessageChannel.PUBLIC_REPLY or how == ContactMethod.PUBLIC_REPLY:
        raise InvalidInput(_("A code is told to the customer alone, not in public."), field="way")
    if not send_by and how not in ContactMethod.values:
        raise InvalidInput(_("Say how the customer was contacted."), field="way")
    feedback = Feedback.objects.select_related("channel", "customer").get(pk=remedy.offer.case.feedback_id)
    if send_by:
        answers.send_reply(
            feedback=feedback,
            reply=answers.Reply(channel=send_by, text=text, token=f"coupon-{remedy.pk}", after_end=True),
            by=by,
            now=now,
        )
    with transaction.atomic():
        if not send_by:
            said = text.replace(coupon.code, coupon.masked_code)
            feedback_moves.add_note(feedback=feedback, text=said, by=by, now=now, via=via)
        return ActionLog.objects.create(
            model=LABEL, object_id=remedy.pk, verb=VERB, by=by, at=now, via=via,
            from_state=remedy.status, to_state=remedy.status, data={"how": how or send_by},
        )  # fmt: skip
