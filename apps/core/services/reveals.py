"""Seeing personal data whole."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import models
from django.utils.translation import gettext as _

from apps.core.exceptions import NotPermitted, ReasonNeeded
from apps.core.models import Reveal, User


def reveal(
    *, record: models.Model, fields: Iterable[str], permission: str, reason: str, by: User, now: datetime
) -> dict[str, str]:
    """The named fields unmasked, after permission and reason, with an audit row written first (PIPL art. 51)."""
    names = list(fields)
    if not by.has_perm(permission):
        raise NotPermitted(_("You may not see personal data whole."))
    if len(reason.strip()) < 2:
        raise ReasonNeeded(_("Say why you need to see this; the reason is kept."), field="reason")
    Reveal.objects.create(
        model=record._meta.label_lower,
        object_id=record.pk,
        fields=names,
        reason=reason.strip()[:300],
        by=by,
        at=now,
    )
    return {name: str(getattr(record, name) or "") for name in names}
