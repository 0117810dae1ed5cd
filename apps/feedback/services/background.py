"""Work that may come a moment later: near duplicates of single arrivals, dispatch when somebody comes on shift."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, Q
from django.utils.translation import gettext as _

from apps.core.choices import NoticeLevel
from apps.core.models import ActionLog, IdempotentRequest
from apps.core.services.notices import notify
from apps.core.services.public import forget_public
from apps.feedback import matching
from apps.feedback.choices import Status
from apps.feedback.models import Feedback, ImportRun, WebhookNonce
from apps.feedback.selectors.reference import reference
from apps.feedback.services.dispatch import Dispatcher, team_of
from apps.feedback.services.handover import forget_plans
from apps.feedback.services.intake import Near
from apps.feedback.services.public_entry import forget_contacts
from apps.shop.selectors import missing_holiday_years

# Kept by a worker process between runs: filling the index anew each minute would cost more than the look-ups.
_near = Near()
_linked_up_to: dict[int, int] = {}


def link_near_duplicates(*, now: datetime, limit: int = 5000) -> int:
    """Link rows that came one by one (form, API, webhook) to the near duplicates before them; returns how many.

    The first run of a worker fills one index per channel with the last 30 days; later runs only add what is new.
    """
    linked = 0
    for channel_id in (
        Feedback.objects.filter(created_at__gte=now - timedelta(days=1))
        .order_by()
        .values_list("channel_id", flat=True)
        .distinct()
    ):
        if channel_id not in _linked_up_to:
            _linked_up_to[channel_id] = 0
            _near.indexes[channel_id] = matching.NearIndex(threshold=0.8)
        index = _near.indexes[channel_id]
        rows = (
            Feedback.objects.filter(
                channel_id=channel_id,
                pk__gt=_linked_up_to[channel_id],
                received_at__gte=now - timedelta(days=30),
            )
            .order_by("pk")
            .values_list("id", "text", "similar_to_id", "created_at")
        )
        for pk, text, similar_id, created_at in rows.iterator(chunk_size=2000):
            _linked_up_to[channel_id] = pk
            key = matching.text_key(text)
            if not key:
                continue
            if similar_id is None and created_at >= now - timedelta(days=1) and linked < limit:
                matches = index.find(key)
                if matches:
                    other, score = max(matches, key=lambda match: (match[1], -match[0]))
                    # The index may still know a row whose import has been undone.
                    there = Feedback.objects.filter(pk=other)
                    linked += Feedback.objects.filter(Exists(there), pk=pk, similar_to__isnull=True).update(
                        similar_to_id=other, similarity=score
                    )
            index.add(pk, key)
    return linked


def dispatch_waiting(*, now: datetime, limit: int = 500) -> int:
    """Give open feedback without an owner to whoever is on shift now and has room; returns how many found one."""
    ref = reference()
    given = 0
    with transaction.atomic():
        rows = list(
            Feedback.objects.unassigned()
            .filter(status=Status.NEW)
            .most_urgent_first()
            .only(
                "id", "tier", "team_id", "status", "category_id", "subcategory_id", "store_id", "channel_id"
            )[:limit]
        )
        known = {team.id: team for team in ref.teams}
        # What came before there was a team, or belonged to one that is gone, goes to whichever fits now.
        teams = {row.pk: known.get(row.team_id or 0) or team_of(ref, row) for row in rows}
        dispatcher = Dispatcher(ref, now)
        dispatcher.lock(team for team in teams.values() if team is not None)
        logs = []
        # All turns before the first write: a person's load is read once, without what is given here.
        turns = [
            (row, team, dispatcher.pick(team, row.tier))
            for row in rows
            if (team := teams[row.pk]) is not None
        ]
        for row, team, user_id in turns:
            if user_id is None:
                continue
            # Somebody may have claimed it while we looked.
            if Feedback.objects.filter(pk=row.pk, status=Status.NEW, assignee__isnull=True).update(
                assignee_id=user_id, team_id=team.id, assigned_at=now, status=Status.ASSIGNED, updated_at=now
            ):
                given += 1
                logs.append(
                    ActionLog(
                        model="feedback.feedback",
                        object_id=row.pk,
                        verb="dispatch",
                        from_state=Status.NEW,
                        to_state=Status.ASSIGNED,
                        via="dispatch",
                        at=now,
                        data={"assignee": user_id, "team": team.id},
                    )
                )
        ActionLog.objects.bulk_create(logs, batch_size=500)
        dispatcher.save()
    return given


def forget_old(*, now: datetime) -> int:
    """Drop kept API answers after a day, seen signatures after their window, what public pages remember, and plans

    nobody confirmed.
    """
    forget_public(now=now)
    forget_contacts(now=now)
    gone, _rows = IdempotentRequest.objects.filter(created_at__lt=now - timedelta(days=1)).delete()
    more, _rows = WebhookNonce.objects.filter(at__lt=now - timedelta(hours=1)).delete()
    # Those with a kept file go on by themselves (sweep_imports); those of the command cannot.
    day_ago = now - timedelta(days=1)
    stalled = ImportRun.objects.filter(
        Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=day_ago),
        state=ImportRun.State.RUNNING,
        file__isnull=True,
        started_at__lt=day_ago,
    )
    stalled.update(
        state=ImportRun.State.FAILED, message=_("Stopped half-way; import the same file again to go on.")
    )
    return gone + more + forget_plans(now=now)


def check_calendar(*, now: datetime) -> list[int]:
    """Tell leads and managers when a year's public holidays are not loaded yet (peers 3.1)."""
    years = missing_holiday_years(now.date())
    if years:
        ref = reference()
        notify(
            recipients=[*ref.ops_leads, *ref.managers],
            level=NoticeLevel.WARNING,
            title=_("Public holidays of %(years)s are missing") % {"years": ", ".join(map(str, years))},
            body=_(
                "Until they are loaded, deadlines count plain weekends. Run load_reference after an upgrade, or enter the days."
            ),
            url="/admin/shop/calendarday/",
            key=f"holidays:{now.date():%Y%m}",
            now=now,
        )
    return years
