"""Chainable filters on feedback."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F, Q

from apps.feedback.choices import OPEN, OPEN_TOPICS


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


def _scope(user: Any) -> Any:
    from apps.shop.selectors import scope_of

    return scope_of(user, see_all="feedback.see_all_feedback")


class PublicEntryQuerySet(models.QuerySet[Any, Any]):
    """Public pages of stores."""

    def visible_to(self, user: Any) -> PublicEntryQuerySet:
        """Those of the stores a person sees."""
        scope = _scope(user)
        return self if scope.everything else self.filter(store_id__in=scope.stores)

    def open(self) -> PublicEntryQuerySet:
        """Switched on, of a store that is still there."""
        return self.filter(is_on=True, store__is_active=True)


class VisitQuerySet(models.QuerySet[Any, Any]):
    """Mystery visits."""

    def visible_to(self, user: Any) -> VisitQuerySet:
        """All for those who see every store. A store sees a visit once it is submitted: before, it is a secret."""
        scope = _scope(user)
        if scope.everything:
            return self
        return self.filter(
            Q(visitor_id=user.pk)
            | Q(created_by_id=user.pk)
            | Q(store_id__in=scope.stores) & ~Q(status="draft")
        )


class SymposiumQuerySet(models.QuerySet[Any, Any]):
    """Symposiums."""

    def visible_to(self, user: Any) -> SymposiumQuerySet:
        """The host's own, and those about a store the person sees."""
        scope = _scope(user)
        if scope.everything:
            return self
        through = self.model.stores.through
        about = through.objects.filter(symposium_id=models.OuterRef("pk"), store_id__in=scope.stores)
        return self.filter(Q(host_id=user.pk) | models.Exists(about))


class TopicQuerySet(models.QuerySet[Any, Any]):
    """Common problems."""

    def visible_to(self, user: Any) -> TopicQuerySet:
        """All for those who see every feedback, else those with at least one feedback the person sees."""
        scope = _scope(user)
        if scope.everything:
            return self
        return self.filter(
            Q(members__feedback__assignee_id=user.pk)
            | Q(members__feedback__store_id__in=scope.stores)
            | Q(members__feedback__department_id__in=scope.departments)
        ).distinct()

    def open(self) -> TopicQuerySet:
        """Somebody may still have to do something."""
        return self.filter(state__in=OPEN_TOPICS)


class ArticleQuerySet(models.QuerySet[Any, Any]):
    """Knowledge articles."""

    def visible_to(self, user: Any) -> ArticleQuerySet:
        """All, or those for every store and for the stores a person sees."""
        scope = _scope(user)
        if scope.everything:
            return self
        others = self.model.stores.through.objects.exclude(store_id__in=scope.stores)
        mine = self.model.stores.through.objects.filter(store_id__in=scope.stores)
        return self.filter(~Q(pk__in=others.values("article_id")) | Q(pk__in=mine.values("article_id")))

    def valid_at(self, day: Any) -> ArticleQuerySet:
        """Published and within their dates."""
        return self.filter(
            Q(valid_from__isnull=True) | Q(valid_from__lte=day),
            Q(valid_until__isnull=True) | Q(valid_until__gte=day),
            state="published",
        )


class AutoAnswerQuerySet(models.QuerySet[Any, Any]):
    """Automatic answers."""

    def visible_to(self, user: Any) -> AutoAnswerQuerySet:
        """Those on cases a person may see."""
        scope = _scope(user)
        if scope.everything:
            return self
        return self.filter(
            Q(feedback__assignee_id=user.pk)
            | Q(feedback__store_id__in=scope.stores)
            | Q(feedback__department_id__in=scope.departments)
        )

    def to_review(self) -> AutoAnswerQuerySet:
        """Drawn for review and not judged yet."""
        return self.filter(sampled_for_review=True, verdict="", state="sent")
