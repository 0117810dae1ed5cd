"""Edges to Celery: fetch nothing, call one service."""

from celery import shared_task
from django.utils import timezone


@shared_task
def send_due_messages_task() -> None:
    """Send what is due."""
    from apps.messaging.services.sending import send_due

    send_due(clock=timezone.now)


@shared_task
def carry_notices_task() -> None:
    """Urgent notices into the staff group."""
    from apps.messaging.services.staff import carry_notices

    carry_notices(now=timezone.now())


@shared_task
def settle_inbound_task() -> None:
    """Inbound messages that a crash left half done."""
    from apps.messaging.services.inbound import settle_received

    settle_received(now=timezone.now())
