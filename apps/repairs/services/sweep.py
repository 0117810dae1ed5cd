"""Everything about repairs that happens without a person. Running twice changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.callbacks.models import Callback
from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError
from apps.core.services.notices import notify
from apps.feedback.models import Feedback, FeedbackChange, ImportRun
from apps.feedback.selectors.reference import reference
from apps.repairs.choices import RepairStatus
from apps.repairs.models import PublicReply, Remedy, RepairCase, RepairPolicy
from apps.repairs.selectors.reference import policy
from apps.repairs.services import callbacks, outcomes, replies
from apps.repairs.services.cases import negative, open_for
from apps.repairs.services.offers import page_of
from apps.repairs.transitions import FREE
from apps.shop.models import Store

#: Rows get their numbers before they are committed: look back a little behind the newest seen.
BEHIND = 200
AT_ONCE = 1000


@dataclass
class Swept:
    """What one run did."""

    opened: int = 0
    outcomes: int = 0
    callbacks: int = 0
    replies: int = 0
    unseen: int = 0
    overdue: int = 0


def sweep(*, now: datetime) -> Swept:
    """Open what signals have missed, look at changes, follow-ups, callbacks and replies, tell of what is overdue."""
    done = Swept()
    rules = policy()
    missed = (
        Feedback.objects.filter(
            negative(rules),
            received_at__gte=now - timedelta(days=1),
            channel__is_review_platform=True,
            is_historical=False,
            parent__isnull=True,
            repair__isnull=True,
        )
        .exclude(status__in=("merged", "dismissed"))
        .order_by("received_at")
        .values_list("pk", flat=True)[:AT_ONCE]
    )
    done.opened = open_for(feedback_ids=list(missed), now=now)
    done.outcomes = _changes(now) + outcomes.look_at_follow_ups(
        follow_ups=outcomes.recent_follow_ups(now), now=now
    )
    done.callbacks = _callbacks(now)
    done.replies = _replies(now)
    done.unseen = _snapshots(now)
    done.overdue = _overdue(now)
    return done


def _changes(now: datetime) -> int:
    row = RepairPolicy.objects.get_or_create(pk=1)[0]
    changes = list(FeedbackChange.objects.filter(pk__gt=row.last_change_id - BEHIND).order_by("pk")[:AT_ONCE])
    # Better reviews whose repair had to be carried through first.
    waiting = FeedbackChange.objects.filter(
        feedback__repair__status__in=FREE, new_rating__gte=policy().better_from
    ).order_by("-pk")[:BEHIND]
    count = outcomes.look_at_changes(changes=[*changes, *waiting], now=now)
    if changes:
        RepairPolicy.objects.filter(pk=1, last_change_id__lt=changes[-1].pk).update(
            last_change_id=changes[-1].pk
        )
    return count


def _callbacks(now: datetime) -> int:
    """Results whose signal a crash has lost, and calls that nothing waits for any more."""
    count = callbacks.call_off_stale(now=now)
    waiting = RepairCase.objects.filter(status=RepairStatus.CALLBACK).values_list("pk", "callback_round")
    keys = [f"{callbacks.PREFIX}{pk}:{number}" for pk, number in waiting[:5000]]
    ended = Callback.objects.filter(key__in=keys, status__in=("done", "unreached", "cancelled")).values_list(
        "pk", flat=True
    )
    for pk in ended:
        try:
            callbacks.on_finished(callback_id=pk, now=now)
            count += 1
        except DomainError:
            continue
    return count


def _replies(now: datetime) -> int:
    rows = PublicReply.objects.filter(
        state=PublicReply.State.WRITTEN, entry__message__state__in=("sent", "delivered")
    ).select_related("entry__message", "case")
    return sum(replies.settle(reply=row, now=now) for row in rows[:AT_ONCE])


def _snapshots(now: datetime) -> int:
    """Complete lists that came in: whose reviews are missing?"""
    count = 0
    runs = ImportRun.objects.filter(
        state=ImportRun.State.DONE, finished_at__gte=now - timedelta(days=2), compared_at__isnull=True
    ).exclude(snapshot={})
    for run in runs[:20]:
        store = Store.objects.filter(code=run.snapshot.get("store")).first()
        if store is not None and not run.rejected:
            count += outcomes.mark_unseen(
                run_id=run.pk,
                channel_id=run.channel_id,
                store_id=store.pk,
                first=_midnight(run.snapshot["from"]),
                last=_midnight(run.snapshot["to"]) + timedelta(days=1),
                now=now,
            )
        elif run.rejected and run.by_id:
            # What could not be read may be the very reviews that seem to be missing.
            notify(
                recipients=[run.by_id],
                level=NoticeLevel.WARNING,
                title=_("%(file)s: rows were rejected, so the list is not complete and was not compared")
                % {"file": run.file_name},
                url=f"/admin/feedback/importrun/{run.pk}/change/",
                key=f"snapshot_gaps:{run.pk}",
                now=now,
            )
        ImportRun.objects.filter(pk=run.pk).update(compared_at=now)
    if count:
        notify(
            recipients=reference().managers,
            level=NoticeLevel.INFO,
            title=_("%(count)d reviews are missing on their platform: please look") % {"count": count},
            url="/admin/repairs/repaircase/?tab=unseen",
            key=f"repairs_unseen:{now:%Y%m%d%H}",
            now=now,
        )
    return count


def _midnight(day: str) -> datetime:
    return timezone.make_aware(datetime.combine(date.fromisoformat(day), time.min))


def _overdue(now: datetime) -> int:
    """Tell the owner once that a step is overdue, and the owner of a late remedy."""
    count = 0
    rows = RepairCase.objects.overdue(now).filter(next_due_at__gte=now - timedelta(days=3))
    for case in rows.select_related("feedback").order_by("next_due_at")[:AT_ONCE]:
        who = case.feedback.assignee_id or case.handler_id
        if who is None:
            continue
        notify(
            recipients=[who],
            level=NoticeLevel.WARNING,
            title=_("%(number)s: next step overdue") % {"number": case.number},
            body=case.feedback.snippet,
            url=page_of(case.pk),
            key=f"repair_due:{case.pk}:{case.status}:{case.renegotiations}",
            now=now,
        )
        count += 1
    for remedy in (
        Remedy.objects.filter(status="doing", due_at__lte=now, due_at__gte=now - timedelta(days=3))
        .select_related("offer__case__feedback", "type")
        .order_by("due_at")[:AT_ONCE]
    ):
        case = remedy.offer.case
        who = case.feedback.assignee_id or case.handler_id
        if who is not None:
            notify(
                recipients=[who],
                level=NoticeLevel.WARNING,
                title=_("%(number)s: %(remedy)s is overdue") % {"number": case.number, "remedy": remedy.type},
                url=page_of(case.pk),
                key=f"remedy_due:{remedy.pk}",
                now=now,
            )
            count += 1
    return count
