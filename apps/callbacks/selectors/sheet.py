"""Everything on one call sheet (screens.md, callbacks)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.callbacks import guards
from apps.callbacks.choices import Block
from apps.callbacks.models import Callback
from apps.callbacks.selectors.blocks import PURPOSES, block_of, window_of, zone
from apps.core.masking import mask_text
from apps.core.models import ActionLog, User
from apps.core.wording import verb_label
from apps.customers.models import ConsentEvent
from apps.customers.selectors import holds_now
from apps.feedback.models import Entry
from apps.feedback.selectors.composer import salutation, values_of
from apps.messaging.choices import MessageChannel, Scene
from apps.messaging.models import MessageTemplate
from apps.messaging.templates import preview
from apps.shop.models import Company


def script_of(callback: Callback, user: User) -> str:
    """The words to say, filled with what is known; what is missing stands in 〔 〕. Three queries at most."""
    text: Any = callback.script
    if not text and callback.plan is not None and callback.plan.template_id:
        text = callback.plan.template
    if not text and callback.feedback is not None:
        text = (
            MessageTemplate.objects.filter(
                scene=Scene.CALLBACK_INVITE, channel=MessageChannel.PHONE_SCRIPT, is_active=True
            )
            .order_by("code")
            .first()
        )
    if callback.feedback is not None:
        values = values_of(callback.feedback, user)
    else:
        customer = callback.customer
        values = {
            "customer_name": salutation(customer.name, customer.gender),
            "brand": Company.objects.filter(pk=1).values_list("name", flat=True).first() or "",
            "agent_name": user.get_short_name() or str(user),
        }
    if not text:
        return _("Hello, this is %(person)s of %(shop)s. May I ask you a few short questions?") % {
            "person": values["agent_name"],
            "shop": values.get("brand") or _("the shop"),
        }
    return mask_text(preview(text, values))


def contacts(callback: Callback) -> list[dict[str, Any]]:
    """The last words exchanged on the case, newest first. One query."""
    if callback.feedback_id is None:
        return []
    rows = Entry.objects.filter(
        feedback_id=callback.feedback_id, kind__in=("contact", "reply", "inbound", "plan", "progress")
    ).select_related("by")
    return [
        {
            "at": row.at,
            "what": row.get_kind_display(),
            "how": row.get_method_display(),
            "by": row.by,
            "text": mask_text(row.text),
        }
        for row in rows.order_by("-at", "-pk")[:5]
    ]


def sheet(callback: Callback, user: User, now: datetime) -> dict[str, Any]:
    """The page's context, in a fixed number of queries."""
    window, at_home = window_of(callback), zone()
    obstacle = block_of(callback, now) if callback.is_open else None
    if callback.status == "cancelled" and callback.end_reason in Block.values:
        why = str(Block(callback.end_reason).label)
    else:
        why = mask_text(callback.end_reason)
    recording = (
        ConsentEvent.objects.filter(customer_id=callback.customer_id, purpose="recording")
        .order_by("-at")
        .first()
    )
    wanted = PURPOSES.get(callback.purpose)  # type: ignore[call-overload]
    consent = (
        ConsentEvent.objects.filter(
            customer_id=callback.customer_id, purpose=wanted, channel__in=("phone", "any")
        )
        .order_by("-at", "-pk")
        .first()
        if wanted
        else None
    )
    logs = ActionLog.objects.filter(model="callbacks.callback", object_id=callback.pk).select_related("by")
    return {
        "callback": callback,
        "customer": callback.customer,
        "case": callback.feedback,
        "resolution": mask_text(callback.feedback.resolution) if callback.feedback else "",
        "script": script_of(callback, user),
        "contacts": contacts(callback),
        "attempts": [
            {"row": row, "note": mask_text(row.note)}
            for row in callback.attempt_rows.select_related("by", "file").order_by("-number")
        ],
        "answers": [
            {"question": entry["question"], "answer": mask_text(entry["answer"])}
            for entry in callback.answers
        ],
        "note": mask_text(callback.note),
        "why_ended": why,
        "obstacle": obstacle,
        "holds": [mask_text(hold.reason) for hold in holds_now(callback.customer_id, now)],
        "consent": consent,
        "recording": recording,
        "window": window,
        "in_hours": guards.is_open(now, window, at_home),
        "is_handler": callback.not_by_id == user.pk,
        "others_call": callback.status == "calling" and callback.assignee_id not in (None, user.pk),
        "left": callback.max_attempts - callback.tries,
        "history": [
            {
                "at": timezone.localtime(row.at),
                "label": verb_label(row.model, row.verb),
                "by": row.by or _("system"),
                "reason": mask_text(row.reason),
            }
            for row in logs.order_by("-at", "-pk")[:20]
        ],
    }
