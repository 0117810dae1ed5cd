"""Badges, countdowns and marked words: one source for every page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from apps.core.masking import mask_order_no, mask_text
from apps.feedback.choices import EMOTION_ICONS, STATUS_COLOURS, TIER_COLOURS

register = template.Library()


@register.simple_tag
def tier_badge(row: Any) -> SafeString:
    """S red, A amber, B blue; the letter carries the meaning, the colour only helps."""
    return format_html(
        '<span class="fc-tier is-{}" title="{}">{}</span>',
        TIER_COLOURS[row.tier],
        row.get_tier_display(),
        row.tier,
    )


@register.simple_tag
def status_badge(row: Any) -> SafeString:
    """The state in words."""
    return format_html(
        '<span class="fc-badge is-{}">{}</span>', STATUS_COLOURS[row.status], row.get_status_display()
    )


@register.filter
def order_number(value: str) -> str:
    """An order's number with its last four signs."""
    return mask_order_no(value or "")


@register.filter
def emotion_icon(row: Any) -> str:
    """The emotion as a face."""
    return EMOTION_ICONS.get(row.emotion, "")


def span_text(seconds: float) -> str:
    """A stretch of time as people say it, in at most two units."""
    minutes = int(abs(seconds) // 60)
    days, rest = divmod(minutes, 1440)
    hours, mins = divmod(rest, 60)
    if days:
        return _("%(d)d d %(h)d h") % {"d": days, "h": hours}
    if hours:
        return _("%(h)d h %(m)d min") % {"h": hours, "m": mins}
    return _("%(m)d min") % {"m": mins}


@register.simple_tag
def countdown(row: Any, now: datetime) -> SafeString:
    """Time left to the deadline that comes first: green, amber in the last fifth, red past it, grey while paused."""
    if row.status == "waiting":
        until = timezone.localtime(row.wait_until).strftime("%m-%d %H:%M") if row.wait_until else ""
        return format_html(
            '<span class="fc-clock is-grey" title="{}">'
            '<span class="material-symbols-outlined" aria-hidden="true">pause</span> {}</span>',
            row.get_wait_reason_display(),
            until or pgettext("clock", "paused"),
        )
    if row.due_at is None or not row.is_open:
        return format_html('<span class="fc-clock is-none">{}</span>', "—")
    left = (row.due_at - now).total_seconds()
    total = (row.due_at - row.due_from).total_seconds() if row.due_from else 0
    colour = "red" if left <= 0 else "amber" if total and left < total * 0.2 else "green"
    words = _("%(time)s overdue") if left <= 0 else _("%(time)s left")
    return format_html(
        '<time class="fc-clock is-{}" datetime="{}" data-due="{}" title="{} {}">{}</time>'
        '<span class="fc-clock-kind">{}</span>',
        colour,
        row.due_at.isoformat(),
        int(row.due_at.timestamp()),
        row.get_due_kind_display(),
        timezone.localtime(row.due_at).strftime("%m-%d %H:%M"),
        words % {"time": span_text(left)},
        row.get_due_kind_display(),
    )


@register.simple_tag
def avatar(user: Any) -> SafeString:
    """Who has it: the initials, and the whole name for those who read."""
    if user is None:
        return format_html(
            '<span class="fc-avatar is-nobody" title="{0}">？</span><span class="fc-name">{0}</span>',
            _("nobody"),
        )
    return format_html(
        '<span class="fc-avatar" aria-hidden="true">{}</span><span class="fc-name">{}</span>',
        user.initials,
        user,
    )


@register.simple_tag
def marked(pieces: list[tuple[str, str, str]]) -> SafeString:
    """Text with the words that decided marked."""
    return format_html_join(
        "",
        "{}",
        (
            (format_html('<mark class="fc-mark is-{}">{}</mark>', mark, piece) if mark else piece,)
            for piece, mark, _code in pieces
        ),
    )


@register.filter
def duration(seconds: float | None) -> str:
    """A number of seconds in words; "—" for none."""
    return "—" if seconds is None else span_text(seconds)


@register.filter
def mask(text: str) -> str:
    """Free text with personal data masked."""
    return mask_text(str(text))


@register.simple_tag
def percent(value: float) -> str:
    """A share as whole per cent."""
    return f"{value:.0%}"


@register.inclusion_tag("admin/feedback/article/card.html", takes_context=True)
def knowledge_card(context: Any) -> dict[str, Any]:
    """What the knowledge base says to the case of the page."""
    from apps.feedback.selectors.knowledge import card

    case, request = context["case"], context["request"]
    return {
        "card": card(case, request.user, context["now"]),
        "case": case,
        "csrf_token": context.get("csrf_token"),
    }
