"""The morning digest: once a person and workday, as a staff notice (R16)."""

from __future__ import annotations

from datetime import date, datetime, time

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation

from apps.core.choices import NoticeLevel
from apps.core.models import StaffNotice, User
from apps.core.services.notices import notice_rows
from apps.feedback.selectors.digest import digests, is_workday, readers
from apps.shop.models import StaffProfile

# Shop time. Whoever was not told by noon is not told in the afternoon what the morning brings.
FROM, UNTIL = time(8, 45), time(12, 0)
PAGE = "/admin/digest/"


def key_of(day: date) -> str:
    """What makes telling twice impossible."""
    return f"digest:{day:%Y%m%d}"


def send_digest(*, now: datetime) -> dict[str, int]:
    """Write today's digests to everybody who has not got theirs; answers workday (0/1), readers, sent.

    Nothing on days the shop's working calendar has closed. Running it twice, or two at once, tells once: the notice's
    key names person and day.
    """
    day = timezone.localdate(now)
    if not is_workday(day):
        return {"workday": 0, "readers": 0, "sent": 0}
    with transaction.atomic():
        people = readers()
        told = set(
            StaffNotice.objects.filter(
                dedupe_key__in=[f"{key_of(day)}:{user.pk}" for user in people]
            ).values_list("recipient_id", flat=True)
        )
        missing = [user for user in people if user.pk not in told]
        if not missing:
            return {"workday": 1, "readers": len(people), "sent": 0}
        with translation.override(settings.LANGUAGE_CODE):
            rows = [
                row
                for user_id, digest in digests(missing, now).items()
                for row in notice_rows(
                    recipients=[user_id],
                    level=NoticeLevel.WARNING if digest.alarm else NoticeLevel.INFO,
                    title=digest.title,
                    body=digest.text(),
                    url=PAGE,
                    key=key_of(day),
                    now=now,
                )
            ]
        StaffNotice.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    return {"workday": 1, "readers": len(people), "sent": len(rows)}


def send_when_due(*, now: datetime) -> dict[str, int]:
    """For the schedule, which asks every few minutes, so that a lost run at 8:45 is made good by the next."""
    if not FROM <= timezone.localtime(now).time() < UNTIL:
        return {"workday": 0, "readers": 0, "sent": 0}
    return send_digest(now=now)


def switch(*, user: User, on: bool, now: datetime) -> None:
    """One's own digest on or off."""
    profile, _created = StaffProfile.objects.get_or_create(user=user)
    if profile.wants_digest != on:
        profile.wants_digest = on
        profile.save(update_fields=["wants_digest", "updated_at"])
