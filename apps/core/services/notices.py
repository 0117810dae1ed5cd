"""Telling staff."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from apps.core.models import StaffNotice


def notify(
    *,
    recipients: Iterable[int],
    level: str,
    title: str,
    key: str,
    now: datetime,
    body: str = "",
    url: str = "",
) -> int:
    """Tell each recipient (user ids) once per `key`; returns how many rows were written at most.

    One INSERT for all. A key seen before is skipped by the database, so callers may repeat themselves after a crash.
    """
    rows = notice_rows(recipients=recipients, level=level, title=title, key=key, now=now, body=body, url=url)
    StaffNotice.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def notice_rows(
    *,
    recipients: Iterable[int],
    level: str,
    title: str,
    key: str,
    now: datetime,
    body: str = "",
    url: str = "",
) -> list[StaffNotice]:
    """The rows of one notice, unsaved: sweeps gather them and write all in one INSERT."""
    return [
        StaffNotice(
            recipient_id=user_id,
            level=level,
            title=title[:200],
            body=body,
            url=url,
            dedupe_key=f"{key}:{user_id}"[:120],
            created_at=now,
        )
        for user_id in dict.fromkeys(recipients)
    ]


def mark_read(*, user_id: int, now: datetime, notice_id: int | None = None) -> int:
    """Mark one notice of a person, or all of them, as read; returns how many were unread."""
    unread = StaffNotice.objects.filter(recipient_id=user_id, read_at__isnull=True)
    if notice_id is not None:
        unread = unread.filter(pk=notice_id)
    return unread.update(read_at=now)
