"""Who gets it: round robin inside the team, by shift and capacity (R16; peers 4.2)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.choices import NoticeLevel
from apps.core.models import ActionLog
from apps.core.services.notices import notify
from apps.feedback.choices import OPEN, Status, Tier
from apps.feedback.models import DispatchCursor, Feedback
from apps.feedback.selectors.reference import Reference, TeamRef, Worker


def team_of(ref: Reference, record: Feedback) -> TeamRef | None:
    """The team that takes a case."""
    return ref.team_for(
        category=ref.categories_by_id.get(record.category_id) if record.category_id else None,
        sub=ref.categories_by_id.get(record.subcategory_id) if record.subcategory_id else None,
        store_id=record.store_id,
        channel_id=record.channel_id,
        tier=record.tier,
    )


class Dispatcher:
    """Hands out the feedback of one transaction.

    1. `lock` takes the cursor rows of all teams involved, in order of their key, so that two intakes wait for each
       other instead of dead-locking or sharing a turn.
    2. `pick` gives the next person on shift with room left. S goes out even to the full: it cannot wait for room.
       The turn goes round the places of the team's members. In the place of somebody on leave works their stand-in,
       who need not belong to the team and who gets that share beside the share of a place of their own.
    3. `save` writes the cursors; teams where nobody was found get one alarm an hour.
    """

    def __init__(self, ref: Reference, now: datetime, *, without: frozenset[int] = frozenset()) -> None:
        """`without` are people who get nothing this time, e.g. whoever hands their work over."""
        self.ref = ref
        self.now = now
        self.without = without
        self._cursors: dict[int, DispatchCursor] = {}
        # Team → whose place → who works in it now.
        self._seats: dict[int, dict[int, Worker]] = {}
        self._load: dict[int, int] | None = None
        # Handed out by this round, not yet written.
        self._given: dict[int, int] = {}
        self._moved: set[int] = set()
        self._empty: dict[int, int] = {}

    def lock(self, teams: Iterable[TeamRef]) -> None:
        """Lock the cursors of these teams."""
        wanted = {team.id: team for team in teams}
        for team in wanted.values():
            self._seats[team.id] = {
                seat: worker
                for seat, worker in self.ref.seats_now(team, self.now).items()
                if worker.user_id not in self.without
            }
        busy = sorted(team_id for team_id, seats in self._seats.items() if seats)
        if not busy:
            return
        cursors = DispatchCursor.objects.select_for_update().filter(team_id__in=busy).order_by("team_id")
        self._cursors = {cursor.team_id: cursor for cursor in cursors}
        missing = [team_id for team_id in busy if team_id not in self._cursors]
        if missing:
            DispatchCursor.objects.bulk_create(
                [DispatchCursor(team_id=pk) for pk in missing], ignore_conflicts=True
            )
            self._cursors |= {cursor.team_id: cursor for cursor in cursors.filter(team_id__in=missing)}

    def _has_room(self, worker: Worker) -> bool:
        """Whether a person may get one more. The load is read once, under the locks, and only when it matters."""
        if self._load is None:
            people = {worker.user_id for seats in self._seats.values() for worker in seats.values()}
            self._load = dict(
                Feedback.objects.filter(assignee_id__in=people, status__in=OPEN)
                .order_by()
                .values_list("assignee_id")
                .annotate(n=Count("id"))
            )
        return self._load.get(worker.user_id, 0) + self._given.get(worker.user_id, 0) < worker.capacity

    def pick(self, team: TeamRef, tier: str) -> int | None:
        """The user id whose turn it is, or None when nobody is here or has room."""
        seats = self._seats.get(team.id)
        if seats:
            cursor = self._cursors[team.id]
            # The whole team, so that the turn goes on behind somebody who is off now.
            order = [worker.user_id for worker in team.workers]
            start = order.index(cursor.last_user_id) + 1 if cursor.last_user_id in order else 0
            for seat in (*order[start:], *order[:start]):
                worker = seats.get(seat)
                if worker is None:
                    continue
                if tier == Tier.S or self._has_room(worker):
                    self._given[worker.user_id] = self._given.get(worker.user_id, 0) + 1
                    cursor.last_user_id = seat
                    self._moved.add(team.id)
                    return worker.user_id
        self._empty[team.id] = self._empty.get(team.id, 0) + 1
        return None

    def here(self, team: TeamRef) -> list[int]:
        """Who works in a locked team now, each once, in the order of their places."""
        return list(dict.fromkeys(worker.user_id for worker in self._seats.get(team.id, {}).values()))

    def save_turns(self) -> None:
        """Write the cursors that moved."""
        for team_id in sorted(self._moved):
            DispatchCursor.objects.filter(team_id=team_id).update(
                last_user_id=self._cursors[team_id].last_user_id
            )

    def save(self) -> None:
        """Write the cursors that moved and raise the alarms."""
        self.save_turns()
        if not self._empty:
            return
        hour = timezone.localtime(self.now).strftime("%Y%m%d%H")
        leads = {team.id: team.leads or self.ref.ops_leads for team in self.ref.teams}
        # One notice per lead and hour, however many teams and rows it concerns: an alarm that repeats is not read.
        # Whoever leads the queue knows what lies in it, whichever team is empty.
        recipients = {lead for team_id in self._empty for lead in leads.get(team_id, [])}
        recipients.update(self.ref.ops_leads)
        notify(
            recipients=sorted(recipients),
            level=NoticeLevel.WARNING,
            title=_("Nobody is free: %(count)d feedback without an owner")
            % {"count": sum(self._empty.values())},
            body=_(
                "Everybody in the team is off shift, away or at capacity. Assign by hand or change the shift."
            ),
            url="/admin/feedback/feedback/?tab=unassigned",
            key=f"empty_pool:{hour}",
            now=self.now,
        )


def hand_out(ref: Reference, feedback: Feedback, *, now: datetime) -> None:
    """Team and person for a new or reopened case that is nobody's work yet; the caller saves. Nobody free leaves it new,

    and the sweep of waiting cases finds it."""
    team = team_of(ref, feedback)
    if team is None:
        return
    feedback.team_id = team.id
    dispatcher = Dispatcher(ref, now)
    dispatcher.lock([team])
    user_id = dispatcher.pick(team, feedback.tier)
    dispatcher.save()
    if user_id is None:
        return
    feedback.assignee_id, feedback.assigned_at, feedback.status = user_id, now, Status.ASSIGNED
    ActionLog.objects.create(
        model="feedback.feedback",
        object_id=feedback.pk,
        verb="dispatch",
        from_state=Status.NEW,
        to_state=Status.ASSIGNED,
        via="dispatch",
        at=now,
        data={"assignee": user_id, "team": team.id},
    )
