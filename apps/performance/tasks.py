"""Edges to Celery: fetch nothing, call one service."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone, translation


@shared_task
def count_performance_task() -> None:
    """Figures of the running and the last month, drafts of scores, the sample, proposals, reminders."""
    from apps.performance.services.nightly import nightly

    # Notices are written for staff.
    with translation.override(settings.LANGUAGE_CODE):
        nightly(now=timezone.now())
