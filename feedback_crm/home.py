"""The first page: what must I do now? (screens.md, home)"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.dashboard import cards


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Fill the first page with the cards of the person's groups, each drawn from its own figures."""
    now = timezone.now()
    groups = set(request.user.groups.values_list("name", flat=True))
    if request.user.is_superuser:
        groups.add("admin")
    drawn = []
    for card in cards:
        if not (card.groups & groups):
            continue
        filled = card.context(request.user, now)
        if filled is None:
            continue
        html = render_to_string(card.template, {**filled, "now": now}, request=request)
        drawn.append({"title": card.title, "wide": card.wide, "alarm": filled.get("alarm"), "html": html})
    return context | {"home_cards": drawn, "title": _("Workplace")}
