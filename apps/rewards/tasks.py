"""Edges to Celery: fetch nothing, call one service."""

from celery import shared_task
from django.utils import timezone


@shared_task
def expire_rewards_task() -> None:
    """Coupons and points past their date."""
    from apps.rewards.services import coupons, points

    now = timezone.now()
    coupons.expire_due(now=now)
    points.expire_due(now=now)


@shared_task
def free_coupons_task() -> None:
    """Coupons of cancelled orders that the signal missed."""
    from apps.rewards.services.coupons import free_cancelled

    free_cancelled(now=timezone.now())


@shared_task
def overdue_gifts_task() -> None:
    """Tell about gifts that should have been sent."""
    from apps.rewards.services.gifts import tell_overdue

    tell_overdue(now=timezone.now())
