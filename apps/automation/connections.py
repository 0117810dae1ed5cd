"""What automation plugs into lower apps, and the actions of the apps below it."""

from __future__ import annotations

import logging
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.automation.choices import ProposalKind
from apps.automation.registries import Action, Choices, Param, actions, executors
from apps.core.dashboard import Card, cards
from apps.feedback.signals import moved, taken_in

log = logging.getLogger(__name__)
LEADING = frozenset({"ops-lead", "manager", "admin", "care-lead", "pr-lead"})
# Highest compensation a rule may propose (CNY); above it a person decides from scratch.
COMPENSATION_LIMIT = 200


# -- choices of parameters ----------
def _tiers() -> Choices:
    from apps.feedback.choices import Tier

    return [(value, str(label)) for value, label in Tier.choices]


def _departments() -> Choices:
    from apps.shop.models import Department

    return list(Department.objects.filter(is_active=True).values_list("pk", "name"))


def _teams() -> Choices:
    from apps.shop.models import Team

    return list(Team.objects.filter(is_active=True).values_list("pk", "name"))


def _people() -> Choices:
    from apps.core.models import User

    rows = User.objects.filter(is_active=True, is_staff=True).order_by("name", "username")
    return [(row.pk, str(row)) for row in rows]


def _endpoints() -> Choices:
    from apps.automation.models import WebhookEndpoint

    return list(WebhookEndpoint.objects.filter(is_active=True).values_list("pk", "name"))


def _levels() -> Choices:
    from apps.core.choices import NoticeLevel

    return [(value, str(label)) for value, label in NoticeLevel.choices]


def _who() -> Choices:
    return [
        ("owner", str(_("the owner"))),
        ("lead", str(_("the team's lead"))),
        ("manager", str(_("management"))),
        ("department", str(_("the head of the department"))),
        ("store", str(_("the store's manager"))),
        ("person", str(_("one person (choose below)"))),
    ]


def _places() -> Choices:
    return [("store", str(_("the store"))), ("department", str(_("the department")))]


def _register_actions() -> None:
    from apps.automation.services import actions as do
    from apps.automation.services import compensation, messages

    hours = Param("hours", _("due in hours of working time"), "number", default=8, least=1, most=200)
    text = Param("text", _("text"), "long")
    table: tuple[tuple[str, Action], ...] = (
        (
            "raise_tier",
            Action(_("raise the tier to"), do.raise_tier, (Param("tier", _("tier"), "choice", _tiers),)),
        ),
        (
            "set_department",
            Action(
                _("hand to the department"),
                do.set_department,
                (Param("department", _("department"), "choice", _departments),),
            ),
        ),
        (
            "set_team",
            Action(_("hand to the team"), do.set_team, (Param("team", _("team"), "choice", _teams),)),
        ),
        ("assign", Action(_("assign to"), do.assign, (Param("person", _("person"), "choice", _people),))),
        ("round_robin", Action(_("assign by turns, where nobody has it"), do.round_robin)),
        ("mark", Action(_("add the tag"), do.mark, (Param("name", _("tag"), "text"),))),
        ("note", Action(_("add an internal note"), do.note, (text,))),
        (
            "notify",
            Action(
                _("tell staff"),
                do.notify_staff,
                (
                    Param("who", pgettext_lazy("automation", "who"), "choice", _who),
                    Param("person", _("person"), "choice", _people, required=False),
                    Param("level", _("level"), "choice", _levels, default="info"),
                    Param("text", _("text"), "text"),
                ),
            ),
        ),
        (
            "task",
            Action(
                _("open a task"),
                do.open_task,
                (
                    Param("title", _("title"), "text"),
                    Param("to", pgettext_lazy("automation", "for"), "choice", _places),
                    hours,
                ),
            ),
        ),
        ("self_check", Action(_("have the store check itself"), do.self_check)),
        ("restock", Action(_("ask the store to restock"), do.restock, (hours,))),
        (
            "webhook",
            Action(
                _("tell another program"),
                do.call_webhook,
                (Param("endpoint", _("webhook address"), "choice", _endpoints),),
            ),
        ),
        (
            "propose_compensation",
            Action(
                _("propose a compensation"),
                do.propose_compensation,
                (
                    Param(
                        "amount", _("coupon (CNY)"), "number", default=10, least=1, most=COMPENSATION_LIMIT
                    ),
                    Param("days", _("promise within days (0: none)"), "number", default=0, least=0, most=30),
                    Param("text", _("text"), "long", required=False),
                ),
                proposes=True,
            ),
        ),
        ("propose_public_reply", Action(_("propose a public reply"), do.propose_public_reply, (text,), True)),
        (
            "propose_message",
            Action(_("propose a message to the customer"), do.propose_message, (text,), True),
        ),
        (
            "propose_crisis",
            Action(
                _("propose to open a crisis"),
                do.propose_crisis,
                (Param("text", _("reason"), "long", required=False),),
                True,
            ),
        ),
        (
            "send_template",
            Action(
                _("send a template to the customer"),
                messages.send_template,
                (Param("template", _("template"), "choice", messages.templates),),
            ),
        ),
    )
    for order, (code, action) in enumerate(table):
        actions.register(code, action, order=order)
    executors.register(ProposalKind.COMPENSATION, compensation.give_coupon)
    executors.register(ProposalKind.MESSAGE, messages.say_privately)
    executors.register(ProposalKind.PUBLIC_REPLY, messages.say_publicly)


def on_taken_in(sender: Any, *, feedback_ids: list[int], historical: bool, **others: Any) -> None:
    """Note the arrivals and ask a worker to look. Nothing that fails here may reach whoever brought the feedback."""
    from apps.automation.tasks import note_arrivals

    try:
        note_arrivals(feedback_ids)
    except Exception:
        # The sweep finds what is not written down.
        log.exception("automation: arrivals could not be handed on")


def on_moved(sender: Any, **others: Any) -> None:
    """Ask a worker to look at the log, where some rule wants to know; the regular sweep does it otherwise."""
    from apps.automation.book import book
    from apps.automation.tasks import sweep_events_task

    try:
        if book().listens("moves"):
            sweep_events_task.delay()
    except Exception:
        log.exception("automation: a move could not be handed on")


def connect() -> None:
    """Register; called once when Django starts."""
    from apps.automation import fields, selectors, sources
    from apps.automation.services.outbox import somebody_reads
    from apps.core.wording import VERBS
    from apps.feedback.registries import CasePanel, case_panels
    from apps.feedback.services.replies_hook import readers

    readers.register("webhooks", somebody_reads)
    fields.register()
    sources.register()
    _register_actions()
    VERBS["restock"] = _("Stock shown, restock asked for")
    case_panels.register(
        "automation", CasePanel(_("Automation and stock"), "automation/case_panel.html", selectors.case_panel)
    )
    cards.register(
        "automation", Card(_("Automation"), LEADING, "automation/card.html", selectors.lead_card), order=25
    )
    taken_in.connect(on_taken_in, dispatch_uid="automation.taken_in")
    moved.connect(on_moved, dispatch_uid="automation.moved")
