"""Chainable filters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q

from apps.messaging.choices import WAITING


def _reached(user: Any) -> Q | None:
    """Rows of customers a person meets; None: every row (decision 12)."""
    from apps.customers.models import Customer
    from apps.customers.selectors import visible_to
    from apps.shop.selectors import scope_of

    scope = scope_of(user, see_all="feedback.see_all_feedback")
    if scope.everything:
        return None
    if not scope.stores:
        return Q(pk__in=[])
    return Q(customer__in=visible_to(user, Customer.objects.all()).values("pk"))


class OutboundQuerySet(models.QuerySet[Any]):
    """Messages."""

    def visible_to(self, user: Any) -> OutboundQuerySet:
        """Leads and ops all; stores those to customers they meet; everybody their own."""
        reached = _reached(user)
        return self if reached is None else self.filter(reached | Q(by_id=user.pk))

    def due(self, now: datetime) -> OutboundQuerySet:
        """What a worker may take, oldest first."""
        waiting = self.filter(state__in=sorted(WAITING), next_attempt_at__lte=now)
        return waiting.order_by("next_attempt_at", "id")

    def about(self, subject_key: str) -> OutboundQuerySet:
        """Everything about one record, newest first."""
        return self.filter(subject_key=subject_key).order_by("-id")


class InboundQuerySet(models.QuerySet[Any]):
    """What came in."""

    def visible_to(self, user: Any) -> InboundQuerySet:
        """As for messages: stores see their customers'."""
        reached = _reached(user)
        return self if reached is None else self.filter(reached)
