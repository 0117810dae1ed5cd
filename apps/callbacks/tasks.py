"""Edges to Celery: fetch nothing, call one service."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone, translation


@shared_task
def sweep_callbacks_task() -> None:
    """Callbacks that plans ask for, that are due, that are over."""
    from apps.callbacks.services.sweep import sweep_callbacks

    # Reasons and notices are written for staff.
    with translation.override(settings.LANGUAGE_CODE):
        sweep_callbacks(now=timezone.now())
