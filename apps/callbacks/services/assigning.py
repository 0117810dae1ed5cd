"""Who calls: the least busy of the team who is there at that time and did not handle the case."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from django.db.models import Count

from apps.callbacks.models import Callback
from apps.feedback.selectors.reference import Reference, reference


class Balance:
    """Shares callbacks out in one go. Loads are read once; leave, stand-ins, shifts and capacity as in dispatch.

    A person's capacity is counted in open callbacks, apart from their cases.
    """

    def __init__(self, ref: Reference | None = None) -> None:
        self.ref = ref or reference()
        self.teams = {team.id: team for team in self.ref.teams}
        self._load: Counter[int] | None = None

    @property
    def load(self) -> Counter[int]:
        """Open callbacks a person. One query, the first time."""
        if self._load is None:
            rows = (
                Callback.objects.open()
                .filter(assignee__isnull=False)
                .order_by()
                .values_list("assignee_id")
                .annotate(n=Count("id"))
            )
            self._load = Counter(dict(rows))
        return self._load

    def pick(self, team_id: int, *, at: datetime, not_by: int | None) -> int | None:
        """The user id of whoever is there at `at` with most room; None when nobody is."""
        team = self.teams.get(team_id)
        if team is None:
            return None
        seats = self.ref.seats_now(team, at)
        # In the order of the team's places, so that equals take turns as they fill up.
        free = [
            worker.user_id
            for worker in seats.values()
            if worker.user_id != not_by and self.load[worker.user_id] < worker.capacity
        ]
        if not free:
            return None
        chosen = min(free, key=lambda user_id: self.load[user_id])
        self.load[chosen] += 1
        return chosen
