"""The right end of every admin page's head: the bell, and what keeps open pages live."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.functional import SimpleLazyObject

# The bell shows so many titles; its number stops at 99.
SHOWN = 6
MOST = 100


def header(request: HttpRequest) -> dict[str, Any]:
    """Context for the admin's frame. Costs one query, and only where the frame is drawn."""

    def draw() -> str:
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated or not user.is_staff:
            return ""
        from apps.core.models import StaffNotice

        notices = list(
            StaffNotice.objects.filter(recipient_id=user.pk, read_at__isnull=True)
            .only("id", "title", "level", "created_at", "url")
            .order_by("-created_at")[:MOST]
        )
        return render_to_string(
            "admin/core/bell.html",
            {
                "notices": notices[:SHOWN],
                "unread": len(notices),
                "more": max(0, len(notices) - SHOWN),
                "live": user.has_perm("feedback.view_feedback"),
                # Not the request: its context would ask for this head again.
                "csrf_token": get_token(request),
            },
        )

    return {"page_head": SimpleLazyObject(draw)}
