"""Edges to Celery: fetch nothing, call one service."""

from celery import shared_task
from django.utils import timezone


@shared_task
def take_down_turned_task() -> None:
    """Reviews in a showcase that are no longer positive."""
    from apps.repairs.services.showcase import take_down_turned

    take_down_turned(now=timezone.now())


@shared_task
def ask_for_reviews_task() -> None:
    """Review requests after delivery."""
    from apps.repairs.services.review_requests import sweep

    sweep(now=timezone.now())


@shared_task
def overdue_actions_task() -> None:
    """Reputation actions past their day."""
    from apps.repairs.services.reputation import sweep_overdue

    sweep_overdue(now=timezone.now())
