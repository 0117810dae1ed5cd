"""Periodic work. Rows are made once and then belong to staff: settings-based schedules would undo their edits."""

from __future__ import annotations

from collections import Counter

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import IntervalSchedule, PeriodicTask

SECONDS, MINUTES, HOURS = IntervalSchedule.SECONDS, IntervalSchedule.MINUTES, IntervalSchedule.HOURS
SCHEDULES = (
    (_("SLA: warnings, breaches, escalations, resuming"), "apps.feedback.tasks.sweep_sla_task", 30, SECONDS),
    (_("Promises to customers: reminders"), "apps.feedback.tasks.sweep_promises_task", 1, MINUTES),
    (_("Dispatch: feedback that nobody has yet"), "apps.feedback.tasks.dispatch_waiting_task", 2, MINUTES),
    (
        _("Count replies that went out, acknowledge arrivals"),
        "apps.feedback.tasks.settle_replies_task",
        20,
        SECONDS,
    ),
    (_("Group common problems, send answers to many"), "apps.feedback.tasks.group_topics_task", 1, MINUTES),
    (_("Link near duplicates"), "apps.feedback.tasks.link_near_duplicates_task", 1, MINUTES),
    (_("Link feedback with its order"), "apps.feedback.tasks.link_orders_task", 10, MINUTES),
    (_("Go on with imports that wait or stood still"), "apps.feedback.tasks.sweep_imports_task", 1, MINUTES),
    (_("Forget kept API answers and signatures"), "apps.feedback.tasks.forget_old_task", 1, HOURS),
    (_("Automatic answers to plain questions"), "apps.feedback.tasks.answer_due_task", 15, SECONDS),
    (_("Propose articles from answers that worked"), "apps.feedback.tasks.propose_articles_task", 168, HOURS),
    (_("Morning digest: at 8:45 on workdays"), "apps.feedback.tasks.send_digest_task", 5, MINUTES),
    (_("Send messages that are due"), "apps.messaging.tasks.send_due_messages_task", 10, SECONDS),
    (_("Urgent notices into the staff group"), "apps.messaging.tasks.carry_notices_task", 30, SECONDS),
    (_("Inbound messages left half done"), "apps.messaging.tasks.settle_inbound_task", 1, MINUTES),
    (_("Automation: look at what happened"), "apps.automation.tasks.sweep_events_task", 1, MINUTES),
    (_("Automation: late orders, low stock"), "apps.automation.tasks.sweep_conditions_task", 1, HOURS),
    (_("Send outgoing webhooks"), "apps.automation.tasks.send_webhooks_task", 30, SECONDS),
    (_("Forget old runs of rules"), "apps.automation.tasks.forget_automation_task", 24, HOURS),
    (_("Repairs: outcomes, callbacks, overdue steps"), "apps.repairs.tasks.sweep_repairs_task", 1, MINUTES),
    (_("Repairs: figures of changed days"), "apps.repairs.tasks.refresh_repair_figures_task", 2, MINUTES),
    (_("Repairs: all figures anew"), "apps.repairs.tasks.rebuild_repair_figures_task", 24, HOURS),
    (
        _("Callbacks: plan, share out, remind"),
        "apps.callbacks.tasks.sweep_callbacks_task",
        5,
        MINUTES,
    ),
    (_("Coupons and points past their date"), "apps.rewards.tasks.expire_rewards_task", 1, HOURS),
    (_("Free coupons of cancelled orders"), "apps.rewards.tasks.free_coupons_task", 10, MINUTES),
    (_("Gifts that should have been sent"), "apps.rewards.tasks.overdue_gifts_task", 1, HOURS),
    (
        _("Showcase: take down what is no longer positive"),
        "apps.repairs.tasks.take_down_turned_task",
        10,
        MINUTES,
    ),
    (_("Ask for reviews after delivery"), "apps.repairs.tasks.ask_for_reviews_task", 1, HOURS),
    (_("Reputation actions past their day"), "apps.repairs.tasks.overdue_actions_task", 12, HOURS),
    (
        _("People: figures, scores, quality sample, trainings"),
        "apps.performance.tasks.count_performance_task",
        24,
        HOURS,
    ),
    (_("Warn of missing public holidays"), "apps.feedback.tasks.check_calendar_task", 12, HOURS),
)


def load_schedules() -> Counter[str]:
    """Make the schedules that are missing, known by their task; names are written in the shop's language."""
    done: Counter[str] = Counter()
    with translation.override(settings.LANGUAGE_CODE):
        for name, task, every, period in SCHEDULES:
            if PeriodicTask.objects.filter(task=task).exists():
                done["kept"] += 1
                continue
            interval, _made = IntervalSchedule.objects.get_or_create(every=every, period=period)
            PeriodicTask.objects.create(name=str(name), task=task, interval=interval)
            done["created"] += 1
    return done
