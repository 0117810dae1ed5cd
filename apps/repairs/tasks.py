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


def after_intake(feedback_ids: list[int], *, historical: bool) -> None:
    """Look at what has just come in, in the process that brought it."""
    from apps.feedback.models import Feedback
    from apps.repairs.services import cases, outcomes

    now = timezone.now()
    if not historical:
        cases.open_for(feedback_ids=feedback_ids, now=now)
    follow_ups = Feedback.objects.filter(pk__in=feedback_ids, parent__repair__isnull=False)
    outcomes.look_at_follow_ups(follow_ups=follow_ups, now=now)


def after_move(feedback_id: int) -> None:
    """A colleague has moved or corrected a feedback."""
    from apps.repairs.services.cases import follow_feedback

    follow_feedback(feedback_id=feedback_id, now=timezone.now())


def after_callback(callback_id: int) -> None:
    """A callback has come to its end."""
    from apps.repairs.services.callbacks import on_finished

    on_finished(callback_id=callback_id, now=timezone.now())


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


@shared_task
def refresh_repair_figures_task() -> dict[str, int]:
    """Add up again the days whose repairs have changed."""
    from dataclasses import asdict

    from apps.repairs.services.rollup import refresh_figures

    return asdict(refresh_figures(now=timezone.now()))


@shared_task
def rebuild_repair_figures_task() -> dict[str, int]:
    """Once a day everything anew, so that nothing that was missed stays wrong; repeat purchase with it."""
    from dataclasses import asdict

    from apps.repairs.services.repeat import refresh_repeat
    from apps.repairs.services.rollup import rebuild_figures

    now = timezone.now()
    return asdict(rebuild_figures(now=now)) | {"quarters": refresh_repeat(now=now)}
