"""Chainable filters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q

from apps.repairs.choices import OPEN


class RepairQuerySet(models.QuerySet[Any, Any]):
    """Repairs."""

    def visible_to(self, user: Any) -> RepairQuerySet:
        """The repairs of the feedback a person may see (decision 12), without a join for those who see everything."""
        from apps.shop.selectors import scope_of

        scope = scope_of(user, see_all="feedback.see_all_feedback")
        if scope.everything:
            return self
        return self.filter(
            Q(feedback__assignee_id=user.pk)
            | Q(store_id__in=scope.stores)
            | Q(feedback__department_id__in=scope.departments)
        )

    def open(self) -> RepairQuerySet:
        """Somebody still has to do something."""
        return self.filter(status__in=OPEN)

    def overdue(self, now: datetime) -> RepairQuerySet:
        """Open, and the next step should have been done."""
        return self.open().filter(next_due_at__lte=now)


class RollupQuerySet(models.QuerySet[Any, Any]):
    """Figures that were added up by store and handler."""

    def visible_to(self, user: Any) -> RollupQuerySet:
        """All of them, or those of a person's stores: sums know no single case, so nothing else can be told apart."""
        from apps.shop.selectors import scope_of

        scope = scope_of(user, see_all="feedback.see_all_feedback")
        return self if scope.everything else self.filter(store_id__in=scope.stores)
