"""Handing out a case file: permission, reason and a trace of what left the house."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.core.models import ActionLog, User
from apps.core.services.reveals import reveal
from apps.feedback.models import Feedback
from apps.feedback.selectors.dossier import Wanted, contents


@transaction.atomic
def hand_out(
    *,
    feedback: Feedback,
    wanted: Wanted,
    reason: str,
    draw: Callable[[dict[str, Any]], str],
    by: User,
    now: datetime,
) -> tuple[str, str]:
    """The document and its SHA-256. Whole personal data needs the permission to see it, and a reason (PIPL 51)."""
    if wanted.whole:
        reveal(
            record=feedback,
            fields=["text", "author_name", "order_no"],
            permission="customers.unmask_customer",
            reason=reason,
            by=by,
            now=now,
        )
    document = draw(contents(feedback, wanted, now))
    digest = hashlib.sha256(document.encode()).hexdigest()
    ActionLog.objects.create(
        model="feedback.feedback",
        object_id=feedback.pk,
        verb="dossier",
        from_state=feedback.status,
        to_state=feedback.status,
        reason=reason or wanted.purpose,
        by=by,
        via="admin",
        at=now,
        data={
            "purpose": wanted.purpose,
            "recipient": wanted.recipient,
            "whole": wanted.whole,
            "notes": wanted.notes,
            "sha256": digest,
        },
    )
    return document, digest
