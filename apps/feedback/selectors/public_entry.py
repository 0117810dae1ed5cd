"""What a customer may read of a case, in plain words."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from apps.feedback.choices import ClockKind, ClockState, ContactMethod, EntryKind, Status, WaitReason
from apps.feedback.models import Entry, Feedback, PublicEntry, SlaClock

MERGE_DEPTH = 20


def listed_pages() -> list[PublicEntry]:
    """The open pages that may stand in the list, by city. One query."""
    return list(
        PublicEntry.objects.open()
        .filter(is_listed=True)
        .select_related("store")
        .order_by("store__city", "store__name", "pk")[:500]
    )


def page_of(code: str) -> PublicEntry | None:
    """The open page with this code. One query."""
    return PublicEntry.objects.open().select_related("store").filter(code=code.upper()).first()


def case_of(feedback_id: int) -> Feedback:
    """The case in which this one is worked on: itself, or what it was merged into."""
    feedback = Feedback.objects.get(pk=feedback_id)
    for _step in range(MERGE_DEPTH):
        if feedback.merged_into_id is None:
            break
        feedback = Feedback.objects.get(pk=feedback.merged_into_id)
    return feedback


def ended_at(feedback: Feedback) -> datetime | None:
    """When the case ended, None while it is open."""
    if feedback.is_open:
        return None
    return feedback.closed_at or feedback.resolved_at or feedback.updated_at


def promised_at(feedback_id: int) -> tuple[datetime | None, datetime | None]:
    """(first answer by, first answer given at); None where nothing was promised or nobody answered yet."""
    clock = (
        SlaClock.objects.filter(feedback_id=feedback_id, kind=ClockKind.FIRST_RESPONSE)
        .order_by("-cycle")
        .first()
    )
    if clock is None or clock.state == ClockState.CANCELLED:
        return None, None
    if clock.state in (ClockState.MET, ClockState.MISSED):
        return None, clock.stopped_at
    return clock.due_at, None


@dataclass(frozen=True)
class Line:
    """Something said that the customer may read."""

    at: datetime
    by_shop: bool
    text: str


@dataclass
class Progress:
    """How far a case is, in words for its customer."""

    number: str
    received_at: datetime
    words: str
    step: int
    since: datetime | None
    answer_by: datetime | None
    answered_at: datetime | None
    store: Any
    waits_for_you: bool
    lines: list[Line] = field(default_factory=list)


def _for_the_page(entry: Entry) -> bool:
    """What the customer wrote, what was answered on this very page, and what a machine answered at once."""
    if entry.kind == EntryKind.INBOUND:
        return True
    if entry.kind == EntryKind.REPLY:
        return entry.method == ContactMethod.PUBLIC_REPLY and entry.settled_at is not None
    return entry.method == ContactMethod.PUBLIC_REPLY or (
        entry.is_automatic and entry.method == ContactMethod.CHAT
    )


def progress(feedback_id: int) -> Progress:
    """The state of a case for its customer. Internal words, owners, tiers and notes never appear.

    Of the conversation only what was meant for the customer: contacts by "public reply", and what the customer
    added. A merged case shows the state of the case it became part of, and nothing said there: that may be meant
    for somebody else. Five queries, plus one a merge.
    """
    own = Feedback.objects.select_related("store").get(pk=feedback_id)
    feedback = case_of(own.pk) if own.merged_into_id else own
    answer_by, answered_at = promised_at(feedback.pk)
    status = feedback.status
    step, since = 1, None
    waits = status == Status.WAITING and feedback.wait_reason == WaitReason.CUSTOMER
    if status in (Status.NEW, Status.ASSIGNED):
        words = _("We have received it; a colleague will look at it.")
    elif status == Status.IN_PROGRESS:
        step, since = 2, feedback.first_response_at or feedback.claimed_at or feedback.assigned_at
        words = _("We are working on it.")
    elif status == Status.WAITING:
        step, since = 2, feedback.first_response_at or feedback.assigned_at
        words = (
            _("We have a question and wait for your answer.")
            if waits
            else _("We are working on it and wait for others, such as the carrier.")
        )
    elif status == Status.RESOLVED:
        step, since, words = 3, feedback.resolved_at, _("It is solved. Tell us below if it is not.")
    else:
        step, since = 3, ended_at(feedback)
        words = _("Finished. Thank you for telling us.")
        if since == own.received_at:
            words = _("We have read it with thanks. It needs no answer.")
    lines = [
        Line(entry.at, entry.kind != EntryKind.INBOUND, entry.text)
        for entry in Entry.objects.filter(
            feedback_id=own.pk, kind__in=[EntryKind.CONTACT, EntryKind.REPLY, EntryKind.INBOUND]
        )
        if _for_the_page(entry)
    ]
    return Progress(
        number=own.number,
        received_at=own.received_at,
        words=words,
        step=step,
        since=since,
        answer_by=answer_by,
        answered_at=answered_at,
        store=own.store,
        waits_for_you=waits,
        lines=lines,
    )
