"""Badges of repairs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.feedback.templatetags.feedback_ui import span_text
from apps.repairs.choices import APPEAL_COLOURS, OFFER_COLOURS, REMEDY_COLOURS, STATUS_COLOURS

register = template.Library()
COLOURS: dict[str, dict[Any, str]] = {
    "repaircase": STATUS_COLOURS,
    "offer": OFFER_COLOURS,
    "remedy": REMEDY_COLOURS,
    "appeal": APPEAL_COLOURS,
}


@register.simple_tag
def repair_badge(row: Any) -> SafeString:
    """The state in words."""
    colour = COLOURS[row._meta.model_name].get(row.status, "grey")
    return format_html('<span class="fc-badge is-{}">{}</span>', colour, row.get_status_display())


@register.simple_tag
def repair_due(row: Any, now: datetime) -> SafeString:
    """Time left to the next step: red past it, amber in the last four hours, green before."""
    if row.next_due_at is None or not row.is_open:
        return format_html('<span class="fc-clock is-none">{}</span>', "—")
    left = (row.next_due_at - now).total_seconds()
    colour = "red" if left <= 0 else "amber" if left < 4 * 3600 else "green"
    words = _("%(time)s overdue") if left <= 0 else _("%(time)s left")
    return format_html(
        '<time class="fc-clock is-{}" datetime="{}" data-due="{}" title="{}">{}</time>',
        colour,
        row.next_due_at.isoformat(),
        int(row.next_due_at.timestamp()),
        timezone.localtime(row.next_due_at).strftime("%m-%d %H:%M"),
        words % {"time": span_text(left)},
    )
