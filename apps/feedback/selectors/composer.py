"""What the reply composer offers on a case: ways, templates, their values (screens.md, feedback page)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from apps.core import masking
from apps.core.models import User
from apps.customers.choices import CustomerState
from apps.feedback.choices import ClockKind, ClockState, EntryKind
from apps.feedback.models import Entry, Feedback, SlaClock
from apps.messaging.choices import MessageChannel, Scene
from apps.messaging.models import MessageTemplate
from apps.messaging.templates import preview
from apps.shop.models import Company

# Platforms on which shops and customers chat.
CHATTING = frozenset({"ecommerce", "takeaway", "social", "service"})


@dataclass(frozen=True, slots=True)
class Way:
    """One way to answer, and why not where it is closed."""

    channel: str
    label: Any
    why_not: str = ""

    @property
    def open(self) -> bool:
        """Whether it can be used."""
        return not self.why_not


def ways(feedback: Feedback) -> list[Way]:
    """How this customer can be answered, the usual one first. One query for the identities."""
    customer, channel = feedback.customer, feedback.channel
    found: list[Way] = []
    alive = customer is not None and customer.state == CustomerState.ACTIVE
    known = (
        set(customer.identities.values_list("channel", flat=True))
        if customer is not None and alive
        else set()
    )
    closed = "" if alive else _("nobody knows who this is")
    if channel.group in CHATTING and channel.code not in ("email", "hotline"):
        found.append(Way(MessageChannel.PLATFORM_IM, _("platform chat")))
    if channel.code == "public_form":
        found.append(Way(MessageChannel.PUBLIC_REPLY, _("on the customer's status page")))
    elif channel.accepts_public_reply:
        found.append(Way(MessageChannel.PUBLIC_REPLY, _("public reply under the review")))
    email = customer.email if customer is not None else ""
    phone = customer.phone if customer is not None else ""
    found.append(
        Way(MessageChannel.EMAIL, _("e-mail"), closed or ("" if email else _("no e-mail address known")))
    )
    found.append(Way(MessageChannel.SMS, _("SMS"), closed or ("" if phone else _("no mobile number known"))))
    found.append(
        Way(
            MessageChannel.WECHAT,
            _("WeChat"),
            closed or ("" if "wechat_mp" in known else _("not a follower")),
        )
    )
    found.append(
        Way(
            MessageChannel.APP, _("app push"), closed or ("" if "app" in known else _("does not use the app"))
        )
    )
    first = {
        "email": MessageChannel.EMAIL,
        "wechat_mp": MessageChannel.WECHAT,
        "app": MessageChannel.APP,
    }.get(channel.code)
    return sorted(found, key=lambda way: (not way.open, way.channel != first))


def values_of(feedback: Feedback, user: User) -> dict[str, str]:
    """What the case knows of a template's variables; personal data masked, unknown ones left out."""
    customer, order = feedback.customer, feedback.order
    shop = Company.objects.filter(pk=1).values_list("name", flat=True).first() or ""
    deadline = _promised(feedback)
    today = timezone.localdate()
    found = {
        "customer_name": salutation(customer.name if customer else "", customer.gender if customer else ""),
        "brand": shop or (feedback.store.name if feedback.store else ""),
        "store": feedback.store.name if feedback.store else "",
        "agent_name": user.get_short_name() or str(user),
        "order_tail": (order.order_no if order else feedback.order_no)[-4:],
        "product": feedback.product.name[:20] if feedback.product else "",
        "issue": str(feedback.subcategory or feedback.category or ""),
        "case_no": feedback.number,
        "hotline": feedback.store.phone if feedback.store else "",
        "deadline": (
            deadline.strftime("%H:%M" if deadline.date() == today else "%m-%d %H:%M") if deadline else ""
        ),
        "carrier": order.carrier if order else "",
        "tracking_no": order.tracking_no if order else "",
        "nickname": masking.mask_text(customer.nickname) if customer else "",
        "solution": feedback.resolution[:200],
    }
    return {name: value for name, value in found.items() if value}


def _promised(feedback: Feedback) -> datetime | None:
    """By when the customer gets more than a first answer, as long as that is not missed yet. One query."""
    second = (
        SlaClock.objects.filter(
            feedback=feedback, state=ClockState.RUNNING, due_at__isnull=False, breached_at__isnull=True
        )
        .exclude(kind=ClockKind.FIRST_RESPONSE)
        .order_by("due_at")
        .values_list("due_at", flat=True)
        .first()
    )
    return timezone.localtime(second) if second else None


def salutation(name: str, gender: str) -> str:
    """张女士, 张先生, or a neutral word where the name is not known; never the whole name."""
    word = {"f": pgettext("after a surname", "Ms"), "m": pgettext("after a surname", "Mr")}.get(gender)
    family = masking.mask_name(name).rstrip("*") if name else ""
    if family and word:
        return pgettext("surname and title", "%(family)s%(title)s") % {"family": family, "title": word}
    return _("dear customer")


def _stage(feedback: Feedback) -> str:
    if feedback.first_response_at is None:
        return Scene.FIRST_CONTACT
    return Scene.RESULT_NOTICE if feedback.status in ("resolved", "closed") else Scene.SOLUTION


def newest_entry(feedback: Feedback) -> int:
    """The last thing said, by its number; 0 when nothing was."""
    return (
        Entry.objects.filter(feedback=feedback)
        .exclude(kind=EntryKind.NOTE)
        .order_by("-pk")
        .values_list("pk", flat=True)
        .first()
        or 0
    )


def preview_values(subject_key: str, user: Any) -> Mapping[str, str] | None:
    """Values of a real case for the preview of a template; None when it is not a case or not theirs to see."""
    kind, _sep, number = subject_key.partition(":")
    if kind != "feedback" or not number.isdecimal():
        return None
    feedback = (
        Feedback.objects.visible_to(user)
        .select_related("customer", "order", "store", "product", "category", "subcategory")
        .filter(pk=int(number))
        .first()
    )
    return values_of(feedback, user) if feedback is not None else None


def composer(feedback: Feedback, user: User, now: datetime) -> dict[str, Any]:
    """Everything the composer draws. Four queries."""
    offered = ways(feedback)
    first = next((way for way in offered if way.open), None)
    rows = list(
        MessageTemplate.objects.filter(
            is_active=True, message_class="service", channel__in=[way.channel for way in offered if way.open]
        ).exclude(
            scene__in=(Scene.SURVEY, Scene.BIRTHDAY, Scene.OPTOUT_CONFIRM, Scene.PRIVACY, Scene.RECEIVED)
        )
    )
    values = values_of(feedback, user)
    codes = {node.code for node in (feedback.category, feedback.subcategory) if node is not None}
    stage = _stage(feedback)
    rows.sort(
        key=lambda row: (
            not (row.category_code and row.category_code in codes),
            row.scene != stage,
            bool(row.tier) and row.tier != feedback.tier,
            row.title,
        )
    )
    return {
        "ways": offered,
        "first_way": first.channel if first else "",
        "templates": [
            {
                "id": row.pk,
                "channel": row.channel,
                "title": row.title,
                "scene": row.get_scene_display(),
                "fits": bool(row.category_code and row.category_code in codes) or row.scene == stage,
                "text": preview(row, values),
            }
            for row in rows
        ],
        "newest": newest_entry(feedback),
    }
