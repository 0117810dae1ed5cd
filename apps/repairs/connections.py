"""What repairs plug into lower apps."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.core.approvals import Decider, deciders
from apps.core.dashboard import Card, cards
from apps.core.wording import VERBS, move_tables
from apps.customers.registries import Mover, TimelineEvent, TimelineSource, movers, timeline
from apps.feedback.registries import CasePanel, InvitationKeeper, case_panels, invitations, work_of_people

log = logging.getLogger(__name__)
FOLLOWED = frozenset({"correct", "merge", "dismiss", "escalate", "route", "raise_tier"})
WORKING = frozenset({"ops", "ops-lead", "care", "care-lead", "pr", "pr-lead", "legal", "store", "admin"})
LEADING = frozenset({"ops-lead", "care-lead", "pr-lead", "manager", "admin"})


def on_taken_in(sender: Any, *, feedback_ids: list[int], historical: bool, **others: Any) -> None:
    """Negative reviews open repairs; follow-ups may end or reopen one. What fails here the sweep makes good."""
    from apps.repairs.tasks import after_intake

    try:
        after_intake(feedback_ids, historical=historical)
    except Exception:
        log.exception("repairs: arrivals could not be looked at")


def on_moved(sender: Any, *, feedback_id: int, verb: str, **others: Any) -> None:
    """What colleagues correct on the feedback is copied."""
    from apps.repairs.tasks import after_move

    if verb in FOLLOWED:
        after_move(feedback_id)


def on_message(sender: Any, *, message_id: int, state: str, at: datetime, **others: Any) -> None:
    """A public reply has left."""
    if state in ("sent", "delivered"):
        from apps.repairs.services.replies import on_message as settled
        from apps.repairs.services.telling import forget_code

        settled(message_id=message_id, now=at)
        forget_code(message_id=message_id)


def on_callback(sender: Any, *, callback_id: int, **others: Any) -> None:
    """A callback has come to its end. What fails here the sweep makes good."""
    from apps.repairs.tasks import after_callback

    try:
        after_callback(callback_id)
    except Exception:
        log.exception("repairs: the result of a callback could not be taken")


def on_booked(sender: Any, *, grant_id: int, now: datetime, **others: Any) -> None:
    """What a repair was given has cost more or less: a coupon expired, a refund was smaller."""
    from apps.repairs.services.costs import on_booked as follow

    follow(grant_id=grant_id, now=now)


def timeline_events(customer_id: int, user: Any, limit: int) -> Iterable[TimelineEvent]:
    """A customer's repairs and how they ended (R25). One query beyond the person's scope."""
    from django.urls import reverse

    from apps.repairs.models import RepairCase

    if not user.has_perm("repairs.view_repaircase"):
        return
    rows = RepairCase.objects.visible_to(user).filter(customer_id=customer_id).select_related("feedback")
    for row in rows.order_by("-updated_at")[:limit]:
        yield TimelineEvent(
            at=row.outcome_at or row.updated_at,
            kind="repair",
            title=f"{row.number} · {row.get_status_display()}",
            text=row.feedback.snippet,
            url=reverse("admin:repairs_repaircase_change", args=[row.pk]),
            icon="healing",
        )


def may_open_file(user: Any, stored: Any) -> bool:
    """Whether a stored file belongs to a repair this person may see. One query."""
    from django.db.models import Q

    from apps.repairs.models import RepairCase

    if not user.has_perm("repairs.view_repaircase"):
        return False
    mine = (
        Q(evidence__file=stored)
        | Q(outcome_proof=stored)
        | Q(appeals__proof=stored)
        | Q(offers__remedies__proof=stored)
    )
    return RepairCase.objects.visible_to(user).filter(mine).exists()


def may_open_permission(user: Any, stored: Any) -> bool:
    """Whether a stored file shows an author's permission that this person may read. One query."""
    from apps.repairs.models import ShowcaseItem

    return (
        user.has_perm("repairs.view_showcaseitem")
        and ShowcaseItem.objects.visible_to(user).filter(permissions__file=stored).exists()
    )


def reputation_card(user: Any, now: datetime) -> dict[str, Any] | None:
    """Late actions and reviews waiting for release."""
    from apps.repairs.selectors.reputation import home_card

    return home_card(user, now)


def author_answered(inbound: Any, now: datetime) -> bool:
    """An author's yes or no to being shown."""
    from apps.repairs.services.showcase import on_answer

    return on_answer(inbound, now)


def plug_showcase() -> None:
    """Indicators of reviews, authors' answers, the card for leads, evidence files."""
    from apps.core.admin.files import file_readers
    from apps.core.dashboard import Card, cards
    from apps.core.metrics import metrics
    from apps.messaging.registries import inbound_handlers
    from apps.repairs.selectors.reviews import METRICS

    for order, metric in enumerate(METRICS):
        metrics.register(metric.code, metric, order=10 + order)
    # Before the case's own handler: a plain yes to our question is no new word on the case.
    inbound_handlers.register("showcase", author_answered, order=5)
    file_readers.register("repairs.showcase", may_open_permission)
    cards.register(
        "repairs.reputation",
        Card(
            _("Reputation: late or waiting"),
            frozenset({"ops-lead", "care-lead", "pr-lead", "manager", "admin"}),
            "repairs/cards/reputation.html",
            reputation_card,
        ),
        order=45,
    )


def worked_on(rows: Any) -> Any:
    """Repairs that a person opened or moved; the rest were opened by the rules and wait."""
    return rows.exclude(
        status__in=("collected", "triaged"), opened_by__isnull=True, handler__isnull=True, tries__isnull=True
    )


def connect() -> None:
    """Register; called once when Django starts."""
    from apps.callbacks.signals import callback_finished
    from apps.core.admin.files import file_readers
    from apps.core.demo import DemoPart, demo_parts
    from apps.feedback.signals import moved, taken_in
    from apps.messaging.signals import message_settled
    from apps.repairs import transitions
    from apps.repairs.selectors import figures
    from apps.repairs.services import demo, demo_showcase, offers, replies, rollup
    from apps.rewards.signals import grant_booked

    plug_showcase()
    taken_in.connect(on_taken_in, dispatch_uid="repairs.taken_in")
    moved.connect(on_moved, dispatch_uid="repairs.moved")
    message_settled.connect(on_message, dispatch_uid="repairs.message")
    grant_booked.connect(on_booked, dispatch_uid="repairs.booked")
    callback_finished.connect(on_callback, dispatch_uid="repairs.callback")
    invitations.register("repairs", KEEPER)
    deciders.register(offers.KINDS[0], OFFER_DECIDER)
    deciders.register(offers.KINDS[1], SECOND_DECIDER)
    deciders.register(replies.KIND, REPLY_DECIDER)
    movers.register("repairs.repaircase.customer", Mover("repairs.repaircase", "customer"))
    movers.register("repairs.offer.customer", Mover("repairs.offer", "customer"))
    timeline.register("repairs", TimelineSource(_("Review repairs"), timeline_events), order=11)
    file_readers.register("repairs", may_open_file)
    for name, table in (
        ("repaircase", transitions.REPAIR),
        ("offer", transitions.OFFER),
        ("remedy", transitions.REMEDY),
        ("appeal", transitions.APPEAL),
    ):
        move_tables.register(f"repairs.{name}", table)
    VERBS.setdefault("open_repair", _("Repair opened"))
    VERBS.setdefault("tell", _("Customer told"))
    work_of_people.register("repair", worked_on)
    case_panels.register("repairs", PANEL, order=5)
    demo_parts.register(
        "reputation", DemoPart(lambda now: demo_showcase.load(now), demo_showcase.clear), order=130
    )
    demo_parts.register("repairs", DemoPart(demo.load, demo.clear), order=120)
    # Moments of the demo lie in the past: no refresh would see that they changed.
    demo_parts.register("repairs.figures", DemoPart(rollup.rebuild_figures, rollup.forget_figures), order=190)
    figures.register()
    cards.register("repairs.mine", HOME_CARD, order=33)
    cards.register("repairs.lead", LEAD_CARD, order=34)


def _keeper_facts(feedback: Any, now: datetime) -> Any:
    from apps.repairs.services.invites import facts_for_feedback

    return facts_for_feedback(feedback, now)


def _keeper_claim(feedback: Any, **values: Any) -> None:
    from apps.repairs.services.invites import claim_for_feedback

    claim_for_feedback(feedback, **values)


def _offer_yes(approval: Any, by: Any, now: datetime) -> None:
    from apps.repairs.services import offers

    offers.approved(approval, by, now)


def _offer_no(approval: Any, by: Any, now: datetime) -> None:
    from apps.repairs.services import offers

    offers.rejected(approval, by, now)


def _reply_yes(approval: Any, by: Any, now: datetime) -> None:
    from apps.repairs.services import replies

    replies.reply_approved(approval, by, now)


def _reply_no(approval: Any, by: Any, now: datetime) -> None:
    from apps.repairs.services import replies

    replies.reply_rejected(approval, by, now)


def _panel(feedback: Any, user: Any, now: datetime) -> dict[str, Any] | None:
    from apps.repairs.selectors.page import case_panel

    return case_panel(feedback, user, now)


def _mine(user: Any, now: datetime) -> dict[str, Any] | None:
    from apps.repairs.selectors.home import mine

    return mine(user, now)


def _leads(user: Any, now: datetime) -> dict[str, Any] | None:
    from apps.repairs.selectors.home import leads

    return leads(user, now)


KEEPER = InvitationKeeper(facts=_keeper_facts, claim=_keeper_claim)
OFFER_DECIDER = Decider(_("Offer to a customer"), _offer_yes, _offer_no)
SECOND_DECIDER = Decider(_("Offer to a customer, second approval"), _offer_yes, _offer_no)
REPLY_DECIDER = Decider(_("Public reply under a review"), _reply_yes, _reply_no)
PANEL = CasePanel(_("Review repair"), "repairs/case_panel.html", _panel)
HOME_CARD = Card(_("Repairs: my next steps"), WORKING, "repairs/cards/mine.html", _mine)
LEAD_CARD = Card(_("Repairs: overdue and missing reviews"), LEADING, "repairs/cards/lead.html", _leads)
