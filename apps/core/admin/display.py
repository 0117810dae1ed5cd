"""Small things lists show in the same way everywhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

# Colours of choices (red, amber …) → the theme's label types.
LABELS = {
    "red": "danger",
    "amber": "warning",
    "green": "success",
    "blue": "info",
    "grey": "default",
    "primary": "primary",
}


class Badge(tuple[Any, Any]):
    """(value, label) for `@display(label=…)`. Where a page prints it as it is, it reads as its label."""

    __slots__ = ()

    def __str__(self) -> str:
        return str(self[1])


def badge(value: Any, label: Any) -> Badge:
    """A badge: `value` chooses the colour, `label` is read."""
    return Badge((value, label))


def span(length: timedelta) -> str:
    """A stretch of time in its two largest units: 3 d 4 h, 2 h 5 min, 12 min."""
    minutes = max(int(length.total_seconds() // 60), 0)
    days, rest = divmod(minutes, 1440)
    hours, minutes = divmod(rest, 60)
    if days:
        text = _("%(days)d d %(hours)d h") % {"days": days, "hours": hours}
    elif hours:
        text = _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    else:
        text = _("%(minutes)d min") % {"minutes": minutes}
    return text


def countdown(due: datetime | None, now: datetime, *, soon: timedelta = timedelta(hours=2)) -> Badge | None:
    """(colour, text) of a deadline: red when past, amber when near, green before; None without one.

    Use with `@display(label=LABELS)`. The text says the same as the colour.
    """
    if due is None:
        return None
    if due <= now:
        return badge("red", _("%(time)s overdue") % {"time": span(now - due)})
    return badge("amber" if due - now <= soon else "green", _("%(time)s left") % {"time": span(due - now)})


def link(url: str, text: Any) -> SafeString:
    """A link in the theme's colour."""
    return format_html(
        '<a class="text-primary-600 underline dark:text-primary-400" href="{}">{}</a>', url, text
    )
