"""What feedback plugs into lower apps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core.approvals import Decider, deciders
from apps.core.dashboard import Card, cards
from apps.core.staffing import OpenWork, open_work
from apps.customers.registries import (
    Mover,
    Panel,
    TimelineEvent,
    TimelineSource,
    movers,
    panels,
    reach,
    timeline,
)
from apps.customers.signals import orders_written

WORKING = frozenset(
    {"ops", "ops-lead", "care", "care-lead", "pr", "pr-lead", "legal", "dept", "store", "admin"}
)
LEADING = frozenset({"ops-lead", "manager", "admin", "care-lead", "pr-lead"})


def timeline_events(customer_id: int, user: Any, limit: int) -> Iterable[TimelineEvent]:
    """A customer's feedback and every contact on it, newest first (R25). Two queries."""
    from apps.core.masking import mask_text
    from apps.feedback.models import Entry, Feedback
    from apps.feedback.services.telling import address

    visible = Feedback.objects.visible_to(user).filter(customer_id=customer_id)
    rows = list(visible.select_related("channel").order_by("-received_at")[:limit])
    for row in rows:
        yield TimelineEvent(
            at=row.received_at,
            kind="feedback",
            title=f"{row.number} · {row.channel} · {row.get_kind_display()}",
            text=row.snippet,
            url=address(row.pk),
            icon="chat",
        )
    entries = Entry.objects.filter(
        feedback__in=[row.pk for row in rows], kind__in=("contact", "reply", "inbound")
    ).select_related("by")
    for entry in entries.order_by("-at")[:limit]:
        yield TimelineEvent(
            at=entry.at,
            kind="contact",
            title=f"{entry.get_kind_display()} · {entry.get_method_display()} · {entry.by or ''}",
            text=mask_text(entry.text),
            url=address(entry.feedback_id),
            icon="call",
        )


def customers_heard(stores: tuple[int, ...], user: Any) -> Any:
    """Customers whose feedback a person bound to stores sees."""
    from apps.feedback.models import Feedback

    return Feedback.objects.visible_to(user).filter(customer__isnull=False).values("customer_id")


def panel_context(customer: Any, user: Any) -> dict[str, Any]:
    """A customer's cases, open ones first, and how they went. Two queries."""
    from apps.feedback.models import Feedback

    rows = list(
        Feedback.objects.visible_to(user)
        .filter(customer_id=customer.pk)
        .select_related("channel", "store", "category", "subcategory", "assignee")
        .defer("text", "resolution")
        .order_by("-received_at", "-id")[:101]
    )
    rows, more = rows[:100], len(rows) > 100
    answered = [row for row in rows if row.first_response_at]
    return {
        "cases": sorted(rows, key=lambda row: not row.is_open),
        "more": more,
        "open_count": sum(row.is_open for row in rows),
        "negative": sum(row.sentiment == "negative" for row in rows),
        "answered": len(answered),
    }


def may_open_file(user: Any, stored: Any) -> bool:
    """Whether a stored file belongs to a feedback this person may see. One query."""
    from apps.feedback.models import Feedback

    return (
        user.has_perm("feedback.view_feedback")
        and Feedback.objects.visible_to(user).filter(files__file=stored).exists()
    )


def is_import_file(stored: Any) -> bool:
    """Exports of platforms hold the phones of all their customers: they are read on the import's pages only."""
    from django.db.models import Q

    from apps.feedback.models import ImportRun

    return ImportRun.objects.filter(Q(file=stored) | Q(rejects_file=stored)).exists()


def link_orders(sender: Any, *, order_ids: list[int], now: datetime, **others: Any) -> None:
    """Orders were written: feedback that named them before finds them now."""
    from apps.feedback.services import orders

    orders.link_orders(order_ids=order_ids, now=now)


def symposium_events(customer_id: int, user: Any, limit: int) -> Iterable[TimelineEvent]:
    """Symposiums a customer was invited to, and whether they came (R25, R73). One query."""
    from django.urls import reverse

    from apps.feedback.models import Symposium, SymposiumInvitation

    if not user.has_perm("feedback.view_symposium"):
        return
    visible = Symposium.objects.visible_to(user)
    rows = (
        SymposiumInvitation.objects.filter(customer_id=customer_id, symposium__in=visible)
        .exclude(status="chosen")
        .select_related("symposium")
        .order_by("-symposium__held_at", "-id")
    )
    for row in rows[:limit]:
        came = row.status in ("attended", "absent")
        yield TimelineEvent(
            # A symposium to come would stand above everything that has happened: it stands at its last change.
            at=row.symposium.held_at if came else row.updated_at,
            kind="symposium",
            title=str(_("Symposium")) + f" · {row.symposium.topic}",
            text=str(row.get_status_display()),
            url=reverse("admin:feedback_symposium_change", args=[row.symposium_id]),
            icon="forum",
        )


def open_work_of(person: Any, viewer: Any, now: datetime) -> OpenWork | None:
    """What a person still has on their desk, for whoever may hand it over. Four queries."""
    from django.urls import reverse
    from django.utils.translation import gettext

    from apps.feedback.selectors.handover import desk

    if not viewer.has_perm("feedback.assign_feedback"):
        return None
    found = desk(person, viewer, now)
    return OpenWork(
        count=found.total,
        text=gettext(
            "%(person)s has open work: %(cases)d feedback, %(promises)d promises, %(work)d work items."
        )
        % {"person": person, "cases": found.cases, "promises": found.promises, "work": found.work},
        url=reverse("admin:feedback_handover_person", args=[person.pk]),
    )


def count_reply(sender: Any, *, message_id: int, state: str, at: datetime, **others: Any) -> None:
    """A message is settled: where it is a reply on a case, it counts now."""
    from apps.feedback.services import replies

    replies.settle(message_id=message_id, now=at)


def plug_messages() -> None:
    """Replies, answers of customers, previews of templates."""
    from apps.core.approvals import Decider, deciders
    from apps.feedback.selectors.composer import preview_values as values
    from apps.feedback.services import inbound, replies, topics
    from apps.messaging.registries import inbound_handlers, preview_values
    from apps.messaging.signals import message_settled

    message_settled.connect(count_reply, dispatch_uid="feedback.count_reply")
    inbound_handlers.register("case", inbound.on_case, order=10)
    inbound_handlers.register("feedback", inbound.as_new, order=90)
    preview_values.register("feedback", values)
    deciders.register(
        topics.APPROVAL_KIND, Decider(_("Answer to many"), topics.answer_approved, topics.answer_rejected)
    )
    deciders.register(
        replies.APPROVAL_KIND, Decider(_("Reply to a customer"), replies.held_approved, replies.held_rejected)
    )


def article_approved(approval: Any, by: Any, now: datetime) -> None:
    """A second person published an article."""
    from apps.feedback.services import knowledge

    knowledge.approved(approval, by, now)


def article_rejected(approval: Any, by: Any, now: datetime) -> None:
    """A second person sent an article back."""
    from apps.feedback.services import knowledge

    knowledge.rejected(approval, by, now)


ARTICLE_DECIDER = Decider(_("Knowledge article"), article_approved, article_rejected)


def connect() -> None:
    """Register; called once when Django starts."""
    from apps.core.admin.files import file_readers, kept_apart
    from apps.feedback.selectors import home, shift_notes

    plug_messages()
    reach.register("feedback", customers_heard)
    panels.register(
        "feedback",
        Panel(
            _("Feedback and repairs"), "feedback/customer_panel.html", panel_context, "feedback.view_feedback"
        ),
        order=10,
    )
    deciders.register("feedback.article", ARTICLE_DECIDER)
    orders_written.connect(link_orders, dispatch_uid="feedback.link_orders")

    open_work.register("feedback", open_work_of)
    file_readers.register("feedback", may_open_file)
    kept_apart.register("feedback.importrun", is_import_file)
    movers.register("feedback.feedback.customer", Mover("feedback.feedback", "customer"))
    for relation in ("symposiuminvitation", "symposiumfinding"):
        movers.register(f"feedback.{relation}.customer", Mover(f"feedback.{relation}", "customer"))
    timeline.register("symposiums", TimelineSource(_("Symposiums"), symposium_events), order=40)
    timeline.register("feedback", TimelineSource(_("Feedback"), timeline_events), order=10)
    for order, code, card in (
        (
            5,
            "calendar",
            Card(_("Calendar"), LEADING, "feedback/cards/calendar.html", home.calendar_warning, wide=True),
        ),
        (
            10,
            "alarms",
            Card(_("S alarms"), WORKING | LEADING, "feedback/cards/alarms.html", home.alarms, wide=True),
        ),
        (
            20,
            "breaches",
            Card(_("Overdue and urgent"), LEADING, "feedback/cards/breaches.html", home.breaches, wide=True),
        ),
        (30, "mine", Card(_("My work"), WORKING, "feedback/cards/mine.html", home.my_work)),
        (40, "pool", Card(_("Unassigned, to claim"), WORKING, "feedback/cards/pool.html", home.pool)),
        (50, "load", Card(_("Load per person"), LEADING, "feedback/cards/load.html", home.load)),
        (
            55,
            "notes",
            Card(
                _("Shift notes of my team"), WORKING | LEADING, "feedback/cards/notes.html", shift_notes.card
            ),
        ),
        (60, "day", Card(_("My day"), WORKING, "feedback/cards/day.html", home.my_day)),
        (
            70,
            "weeks",
            Card(
                _("Today against last week"), LEADING | {"analyst"}, "feedback/cards/weeks.html", home.weeks
            ),
        ),
    ):
        cards.register(f"feedback.{code}", card, order=order)
