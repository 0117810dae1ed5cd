"""Filters of the list."""

from __future__ import annotations

from typing import Any

import django_filters
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

from apps.feedback.choices import Kind, Sentiment, Status, Tier
from apps.feedback.models import Feedback
from apps.feedback.querysets import FeedbackQuerySet
from apps.feedback.selectors.reference import reference
from apps.feedback.selectors.search import find


def _unknown(name: str, value: str) -> ValidationError:
    # An empty list would hide a spelling mistake.
    return ValidationError(
        {name: [_("There is no “%(value)s”.") % {"value": value[:80]}]}, code=f"unknown_{name}"
    )


class FeedbackFilter(django_filters.FilterSet):
    """tier, status, kind and sentiment may be repeated; codes that do not exist are refused, not answered
    empty.
    """

    tier = django_filters.MultipleChoiceFilter(choices=Tier.choices)
    status = django_filters.MultipleChoiceFilter(choices=Status.choices)
    kind = django_filters.MultipleChoiceFilter(choices=Kind.choices)
    sentiment = django_filters.MultipleChoiceFilter(choices=Sentiment.choices)
    category = django_filters.CharFilter(method="by_category", help_text="Code of a category or sub-category")
    channel = django_filters.CharFilter(method="by_channel", help_text="Code")
    store = django_filters.CharFilter(method="by_store", help_text="Code")
    product = django_filters.CharFilter(field_name="product__sku", help_text="SKU")
    assignee = django_filters.CharFilter(field_name="assignee__username", help_text="User name")
    external_id = django_filters.CharFilter(field_name="external_id", help_text="The platform's own number")
    received_after = django_filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="gte")
    received_before = django_filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="lte")
    q = django_filters.CharFilter(
        method="by_words", max_length=200, help_text="Words, or a number, or a whole phone"
    )

    class Meta:
        model = Feedback
        fields: list[str] = []

    def by_category(self, rows: FeedbackQuerySet, name: str, value: str) -> FeedbackQuerySet:
        """A category with its sub-categories, or one sub-category; both through the category's index."""
        node = reference().categories.get(value)
        if node is None:
            raise _unknown(name, value)
        if node.parent_id is None:
            return rows.filter(category_id=node.pk)
        return rows.filter(category_id=node.parent_id, subcategory_id=node.pk)

    def by_channel(self, rows: FeedbackQuerySet, name: str, value: str) -> FeedbackQuerySet:
        """By the channel's code."""
        channel = reference().channels.get(value)
        if channel is None:
            raise _unknown(name, value)
        return rows.filter(channel_id=channel.pk)

    def by_store(self, rows: FeedbackQuerySet, name: str, value: str) -> FeedbackQuerySet:
        """By the store's code, name or other name."""
        store = reference().store(value)
        if store is None:
            raise _unknown(name, value)
        return rows.filter(store_id=store.pk)

    def by_words(self, rows: FeedbackQuerySet, name: str, value: str) -> Any:
        """The search box."""
        return find(rows, value)
