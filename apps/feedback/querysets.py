"""Chainable filters on feedback."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F, Q

from apps.feedback.choices import OPEN


class FeedbackQuerySet(models.QuerySet[Any, Any]):
    """Filters named after what people ask for."""

    def visible_to(self, user: Any) -> FeedbackQuerySet:
        """The rows a person may see: theirs, their stores', their department's, or all (decision 12)."""
        from apps.shop.selectors import scope_of

        scope = scope_of(user, see_all="feedback.see_all_feedback")
        if scope.everything:
            return self
        return self.filter(
            Q(assignee_id=user.pk) | Q(store_id__in=scope.stores) | Q(department_id__in=scope.departments)
        )

    def open(self) -> FeedbackQuerySet:
        """Somebody still has to do something."""
        return self.filter(status__in=OPEN)

    def unassigned(self) -> FeedbackQuerySet:
        """Open and nobody's."""
        return self.open().filter(assignee__isnull=True)

    def overdue(self, now: datetime) -> FeedbackQuerySet:
        """Open and past the deadline that comes first."""
        return self.open().filter(due_at__lte=now)

    def most_urgent_first(self) -> FeedbackQuerySet:
        """S before A before B, then by deadline; an index serves it."""
        return self.order_by("tier_rank", F("due_at").asc(nulls_last=True), "id")

    def strongest_negative_first(self) -> FeedbackQuerySet:
        """By priority (R11, R13)."""
        return self.order_by("-priority", "id")
