"""The edge to Celery."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone


@shared_task
def sweep_repairs_task() -> dict[str, int]:
    """Open, compare, settle and remind."""
    from dataclasses import asdict

    from apps.repairs.services.sweep import sweep

    return asdict(sweep(now=timezone.now()))
