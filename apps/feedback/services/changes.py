"""Later versions of a review (R4)."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.utils.translation import gettext as _

from apps.core import masking
from apps.core.choices import NoticeLevel
from apps.core.models import ActionLog
from apps.core.services.notices import notify
from apps.feedback import matching, search
from apps.feedback.choices import TIER_RANK, Status, Tier
from apps.feedback.incoming import IncomingFeedback
from apps.feedback.models import Feedback, FeedbackChange, FeedbackSearch
from apps.feedback.selectors.reference import Reference
from apps.feedback.services import clocks
from apps.feedback.services.dispatch import hand_out
from apps.feedback.services.grading import asks_for_nothing, tier_of
from apps.feedback.services.self_check import open_self_checks
from apps.feedback.services.telling import address, people


def apply_change(ref: Reference, *, feedback_id: int, item: IncomingFeedback, now: datetime) -> bool:
    """Keep the old version, take over the new one, read it again. False when nothing differs.

    The tier may rise through a change, never fall: a promise made stands. A closed review that turned into a
    complaint opens again with fresh clocks.
    """
    feedback = Feedback.objects.select_for_update().get(pk=feedback_id)
    rating = item.rating if item.rating is not None else feedback.rating
    if feedback.text == item.text and feedback.rating == rating:
        return False
    FeedbackChange.objects.create(
        feedback=feedback,
        seen_at=now,
        old_text=feedback.text,
        new_text=item.text,
        old_rating=feedback.rating,
        new_rating=rating,
    )
    reading = ref.reader.read(item.text, rating, is_review_channel=feedback.channel.is_review_platform)
    tier, reasons = tier_of(ref, reading, feedback.channel)
    masked = masking.mask_text(item.text)
    key = matching.text_key(item.text)
    feedback.text, feedback.rating, feedback.snippet = item.text, rating, masked[:200]
    feedback.text_key = matching.key_hash(key) if key else None
    feedback.sentiment, feedback.sentiment_score = reading.sentiment, reading.sentiment_score
    feedback.emotion, feedback.reading_version = reading.emotion, reading.version
    feedback.reading = feedback.reading | {
        "reasons": reasons,
        "keywords": list(reading.keywords),
        "spans": [[s.start, s.end, s.role, s.code] for s in reading.spans[:20]],
    }
    feedback.updated_at = now
    rises = TIER_RANK[tier] < feedback.tier_rank
    if rises:
        feedback.tier, feedback.tier_rank = tier, TIER_RANK[tier]
        category = ref.categories.get(reading.category)
        sub = ref.categories.get(reading.subcategory)
        feedback.category_id = category.pk if category else feedback.category_id
        feedback.subcategory_id = sub.pk if sub else None
        feedback.kind = reading.kind
    reopens = (
        feedback.status == Status.CLOSED
        and not feedback.is_historical
        and not asks_for_nothing(reading.kind, reading.sentiment, tier, False)
    )
    before = feedback.status
    if reopens:
        feedback.status = Status.ASSIGNED if feedback.assignee_id else Status.NEW
        feedback.closed_at = feedback.resolved_at = None
        feedback.kind = reading.kind
        if feedback.assignee_id is None:
            hand_out(ref, feedback, now=now)
    feedback.save()
    if rises and tier == Tier.S and feedback.is_open:
        open_self_checks(ref, [feedback], now=now)
        notify(
            recipients=people(ref, feedback, ("lead", "manager")),
            level=NoticeLevel.URGENT,
            title=_("S · %(number)s: respond within the hour") % {"number": feedback.number},
            body=feedback.snippet,
            url=address(feedback.pk),
            key=f"s:{feedback.pk}",
            now=now,
        )
    if reopens:
        kinds = [target.kind for target in ref.targets[feedback.tier]]
        clocks.start_cycle(ref, feedback, now=now, kinds=kinds)
    elif rises and feedback.is_open:
        clocks.upgrade(ref, feedback, now=now)
    body = search.body_of(masked, feedback.external_id)
    FeedbackSearch.objects.update_or_create(
        feedback=feedback,
        defaults={"body": body, "grams": search.vector(body) if connection.vendor == "postgresql" else None},
    )
    ActionLog.objects.create(
        model="feedback.feedback",
        object_id=feedback.pk,
        verb="changed",
        from_state=before,
        to_state=feedback.status,
        via="intake",
        at=now,
        data={"rating": rating},
    )
    return True
