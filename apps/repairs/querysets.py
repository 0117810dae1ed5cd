"""Chainable filters."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import models
from django.db.models import Q

from apps.repairs.choices import OPEN, Part


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


# -- showcase, review requests, reputation ----------


def _scope(user: Any) -> Any:
    from apps.shop.selectors import scope_of

    return scope_of(user, see_all="feedback.see_all_feedback")


class ShowItemQuerySet(models.QuerySet[Any, Any]):
    """Reviews proposed for the showcase."""

    def visible_to(self, user: Any) -> ShowItemQuerySet:
        """As their feedback."""
        scope = _scope(user)
        if scope.everything:
            return self
        return self.filter(
            Q(feedback__assignee_id=user.pk)
            | Q(feedback__store_id__in=scope.stores)
            | Q(feedback__department_id__in=scope.departments)
        )

    def still_positive(self) -> ShowItemQuerySet:
        """Whose review is still praise and has no negative follow-up: nothing else is ever given out."""
        from apps.feedback.models import Feedback

        later = Feedback.objects.filter(
            Q(sentiment="negative") | Q(rating__lte=3), parent_id=models.OuterRef("feedback_id")
        )
        return self.filter(
            ~Q(feedback__sentiment="negative"),
            Q(feedback__rating__isnull=True) | Q(feedback__rating__gte=4),
            ~models.Exists(later),
        ).exclude(feedback__status="dismissed")

    def author_left(self) -> ShowItemQuerySet:
        """Whose author was erased, or took back the consent to reuse of reviews after permitting the text."""
        from apps.customers.choices import CustomerState, Purpose

        back = self.model._default_manager.filter(
            permissions__part=Part.TEXT,
            feedback__customer__consents__purpose=Purpose.SHOWCASE,
            feedback__customer__consents__granted=False,
            feedback__customer__consents__at__gte=models.F("permissions__granted_at"),
        )
        return self.filter(Q(feedback__customer__state=CustomerState.ERASED) | Q(pk__in=back.values("pk")))

    def showable(self) -> ShowItemQuerySet:
        """Still positive, and of an author whose data may be used (PIPL 15, 47 ¶2)."""
        from apps.customers.choices import CustomerState

        return (
            self.still_positive()
            .exclude(feedback__customer__state=CustomerState.RESTRICTED)
            .exclude(pk__in=self.model._default_manager.all().author_left().values("pk"))
        )

    def with_later_version(self) -> ShowItemQuerySet:
        """Whose review was changed by its author since it was proposed."""
        from apps.feedback.models import FeedbackChange

        later = FeedbackChange.objects.filter(
            feedback_id=models.OuterRef("feedback_id"), seen_at__gte=models.OuterRef("created_at")
        )
        return self.filter(models.Exists(later))


class OfStoreQuerySet(models.QuerySet[Any, Any]):
    """Records of one store, or of the company where they name none."""

    def visible_to(self, user: Any) -> OfStoreQuerySet:
        """All for those who see every store, else those of their stores; the company's own are everybody's."""
        scope = _scope(user)
        return self if scope.everything else self.filter(Q(store__isnull=True) | Q(store_id__in=scope.stores))


class ActionQuerySet(models.QuerySet[Any, Any]):
    """Reputation actions."""

    def visible_to(self, user: Any) -> ActionQuerySet:
        """Everything, or one's own and those of one's stores."""
        scope = _scope(user)
        if scope.everything:
            return self
        return self.filter(Q(owner_id=user.pk) | Q(store_id__in=scope.stores))

    def overdue(self, today: date) -> ActionQuerySet:
        """Open and past the day they were due."""
        return self.filter(status__in=("planned", "doing"), due_on__lt=today)


class ValueQuerySet(models.QuerySet[Any, Any]):
    """Figures from outside."""

    def visible_to(self, user: Any) -> ValueQuerySet:
        """Those of the stores a person sees."""
        scope = _scope(user)
        return self if scope.everything else self.filter(store_id__in=scope.stores)


class RollupQuerySet(models.QuerySet[Any, Any]):
    """Figures that were added up by store and handler."""

    def visible_to(self, user: Any) -> RollupQuerySet:
        """All of them, or those of a person's stores: sums know no single case, so nothing else can be told apart."""
        from apps.shop.selectors import scope_of

        scope = scope_of(user, see_all="feedback.see_all_feedback")
        return self if scope.everything else self.filter(store_id__in=scope.stores)
