"""Notices for staff, carried into their group chats."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from apps.core.choices import NoticeLevel
from apps.core.masking import mask_text
from apps.core.models import StaffNotice
from apps.core.reference import touch
from apps.messaging.choices import MessageChannel, MessageClass
from apps.messaging.models import MessagingPolicy, OutboundMessage
from apps.messaging.selectors import STAMP, setup
from apps.messaging.services.outbox import Draft, enqueue

# What was told longer ago is news no more.
FRESH = timedelta(hours=1)
# Rows are numbered before they are committed: look back a little behind the newest seen.
BEHIND = 500
AT_ONCE = 200


def tell_group(
    *, level: str, title: str, body: str = "", url: str = "", key: str, now: datetime
) -> list[OutboundMessage]:
    """Tell every staff group once per `key`; [] while no group robot is in use. Texts are masked here.

    Goes through the outbox like all messages: nothing is sent inside a transaction, what fails is tried again.
    """
    robots = setup().robots
    address = f"{settings.SITE_URL}{url}" if url.startswith("/") else url
    drafts = [
        Draft(
            purpose="staff_notice",
            subject_key=f"notice:{key}"[:80],
            channel=MessageChannel.STAFF_GROUP,
            # An urgent notice is not held up by anything; its class also decides whether everybody is called.
            message_class=MessageClass.SAFETY if level == NoticeLevel.URGENT else MessageClass.SERVICE,
            gateway=robot,
            title=mask_text(title),
            body=mask_text(body) or mask_text(title),
            link=address,
            is_automatic=True,
            last_useful_at=now + timedelta(hours=6),
        )
        for robot in robots
    ]
    return enqueue(drafts, by=None, now=now) if drafts else []


def carry_notices(*, now: datetime) -> int:
    """New urgent notices of the bell into the groups, each once however many colleagues got it; returns how many."""
    ready = setup()
    newest = StaffNotice.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    seen = MessagingPolicy.objects.values_list("last_notice_id", flat=True).first()
    if seen is None or (newest == seen and not ready.robots):
        return 0
    carried = 0
    if ready.robots and ready.policy.carry_urgent:
        rows = StaffNotice.objects.filter(
            pk__gt=max(seen - BEHIND, 0), level=NoticeLevel.URGENT, created_at__gt=now - FRESH
        ).order_by("pk")
        told: dict[str, StaffNotice] = {}
        for row in rows[: BEHIND + AT_ONCE]:
            # The key ends in the recipient: colleagues who were told the same share the rest.
            told.setdefault(row.dedupe_key.rpartition(":")[0] or row.dedupe_key, row)
        before = set(
            OutboundMessage.objects.filter(
                purpose="staff_notice", subject_key__in=[f"notice:{key}"[:80] for key in told]
            ).values_list("subject_key", flat=True)
        )
        for key, row in told.items():
            if f"notice:{key}"[:80] in before:
                continue
            tell_group(level=row.level, title=row.title, body=row.body, url=row.url, key=key, now=now)
            carried += 1
    if newest > seen:
        MessagingPolicy.objects.filter(last_notice_id__lt=newest).update(last_notice_id=newest)
    return carried


def policy_changed() -> None:
    """Every process reads rules and gateways again."""
    touch(STAMP)
