"""Chainable filters on callbacks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q

from apps.callbacks.choices import FINISHED, OPEN


class CallbackQuerySet(models.QuerySet[Any, Any]):
    """Filters named after what people ask for."""

    def visible_to(self, user: Any) -> CallbackQuerySet:
        """All for those who see every store; else one's own, those of cases one sees, those of one's stores' customers."""
        from apps.customers.models import Order
        from apps.feedback.models import Feedback
        from apps.shop.selectors import scope_of

        scope = scope_of(user, see_all="feedback.see_all_feedback")
        if scope.everything:
            return self
        mine = Q(assignee_id=user.pk) | Q(feedback__in=Feedback.objects.visible_to(user).values("pk"))
        if scope.stores:
            bought = Order.objects.filter(store_id__in=scope.stores, customer__isnull=False)
            # A call about another store's case is not theirs, even if the customer once bought here.
            mine |= Q(feedback__isnull=True, customer_id__in=bought.values("customer_id"))
        return self.filter(mine)

    def open(self) -> CallbackQuerySet:
        """Somebody still has to call."""
        return self.filter(status__in=OPEN)

    def finished(self) -> CallbackQuerySet:
        """Done, or given up after the last attempt."""
        return self.filter(status__in=FINISHED)

    def overdue(self, now: datetime) -> CallbackQuerySet:
        """Open, and the time to call is past."""
        return self.open().filter(due_at__lte=now)
