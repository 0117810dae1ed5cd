"""Edges to Celery: fetch nothing, call one service."""

from celery import shared_task
from django.utils import timezone


@shared_task
def sweep_sla_task() -> None:
    """Warnings, breaches, escalations."""
    from apps.feedback.services.sweep import sweep_sla

    sweep_sla(now=timezone.now())


@shared_task
def sweep_promises_task() -> None:
    """Promises to customers: due soon, or broken."""
    from apps.feedback.services.promises import sweep_promises

    sweep_promises(now=timezone.now())


@shared_task
def link_near_duplicates_task() -> None:
    """Near duplicates of what came one by one."""
    from apps.feedback.services.background import link_near_duplicates

    link_near_duplicates(now=timezone.now())


@shared_task
def dispatch_waiting_task() -> None:
    """Feedback that nobody has yet."""
    from apps.feedback.services.background import dispatch_waiting

    dispatch_waiting(now=timezone.now())


@shared_task
def link_orders_task() -> None:
    """Orders that were written at the same moment as feedback naming them."""
    from apps.feedback.services.orders import link_recent

    link_recent(now=timezone.now())


@shared_task
def forget_old_task() -> None:
    """Kept answers and signatures past their time."""
    from apps.feedback.services.background import forget_old

    forget_old(now=timezone.now())


@shared_task
def check_calendar_task() -> None:
    """Missing public holidays."""
    from apps.feedback.services.background import check_calendar

    check_calendar(now=timezone.now())


@shared_task
def train_text_task(user_id: int) -> None:
    """Learn from rated reviews and corrections, and tell whoever asked."""
    from apps.core.models import User
    from apps.feedback.services.training import train_and_tell

    user = User.objects.filter(pk=user_id).first()
    if user is not None:
        train_and_tell(by=user, now=timezone.now())


@shared_task(time_limit=24 * 3600)
def work_on_import_task(run_id: int) -> None:
    """What one import wants: its check, its rows, its undoing."""
    from apps.feedback.services.import_work import work_on

    work_on(run_id=run_id, clock=timezone.now)


@shared_task(time_limit=24 * 3600)
def sweep_imports_task() -> None:
    """Imports that are wanted and that nobody works on."""
    from apps.feedback.services.import_work import sweep_imports

    sweep_imports(clock=timezone.now)


@shared_task
def send_digest_task() -> None:
    """The morning digest, when its time has come."""
    from apps.feedback.services.digest import send_when_due

    send_when_due(now=timezone.now())


@shared_task
def clear_demo_task(user_id: int) -> None:
    """Remove the demo shop, and tell whoever asked."""
    from apps.core.models import User
    from apps.feedback.services.demo import clear_and_tell

    user = User.objects.filter(pk=user_id).first()
    if user is not None:
        clear_and_tell(by=user, now=timezone.now())


@shared_task
def settle_replies_task() -> None:
    """Replies that went out while nobody listened, "received" notices, old presences."""
    from apps.feedback.services import notices_out, presence, replies

    now = timezone.now()
    replies.settle_missed(now=now)
    notices_out.acknowledge_missed(now=now)
    presence.forget(now=now)


@shared_task
def group_topics_task() -> None:
    """Common problems: what came since the last round, and approved answers to many."""
    from apps.feedback.services import topics

    now = timezone.now()
    topics.group_new(now=now)
    topics.send_answers(now=now)


@shared_task
def answer_due_task() -> None:
    """New questions: answered by machine where the rules allow it, else left to people with a reason."""
    from apps.feedback.services.auto_answer import answer_due

    answer_due(now=timezone.now())


@shared_task
def propose_articles_task() -> None:
    """Articles from answers that worked."""
    from apps.feedback.services.knowledge import propose

    propose(now=timezone.now())
