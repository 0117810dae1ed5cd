"""Edges to Celery: fetch nothing, call one service."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone


def note_arrivals(feedback_ids: list[int]) -> None:
    """Write down what came in and ask a worker to look, unless one is on its way; called after commit."""
    from apps.automation.services.engine import arrived, is_awaited

    now = timezone.now()
    ids = arrived(feedback_ids=feedback_ids, now=now)
    if ids and not is_awaited(batch_ids=ids, now=now):
        work_on_task.delay(ids)


@shared_task
def work_on_task(batch_ids: list[int]) -> None:
    """Rules over what has just come in, and over what came meanwhile."""
    from apps.automation.services.engine import work_on, work_waiting

    for pk in batch_ids:
        work_on(batch_id=pk, now=timezone.now())
    work_waiting(now=timezone.now())


@shared_task
def sweep_events_task() -> None:
    """What happened since the last look, and what a lost message left."""
    from apps.automation.services.engine import collect, work_due, work_waiting

    now = timezone.now()
    collect(now=now)
    work_due(now=now)
    # An arrival of this moment may have counted on this worker (`is_awaited`).
    work_waiting(now=now)


@shared_task
def sweep_conditions_task() -> None:
    """Late orders, low stock, proposals past their time, broken rules."""
    from apps.automation.services.engine import sweep_conditions, work_due
    from apps.automation.services.proposals import expire_due
    from apps.automation.services.sweeps import tell_broken

    now = timezone.now()
    expire_due(now=now)
    tell_broken(now=now)
    sweep_conditions(now=now)
    work_due(now=now)


@shared_task
def send_webhooks_task() -> None:
    """Outgoing webhooks that are due."""
    from apps.automation.services.outbox import send_due

    send_due(now=timezone.now(), clock=timezone.now)


@shared_task
def forget_automation_task() -> None:
    """Runs and messages past their time."""
    from apps.automation.services import engine, outbox

    now = timezone.now()
    engine.forget_old(now=now, days=settings.AUTOMATION_KEEP_DAYS)
    outbox.forget_old(now=now, days=settings.AUTOMATION_KEEP_DAYS)
