"""Asking every customer for an honest review after delivery (R68).

Nobody is chosen: the sweep reads orders by the day they were delivered and never looks at stars, feelings, tiers or open
complaints (REV-09). What the gate refuses – no consent, opt-out, hold, too often – is refused for everybody alike.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from apps.compliance.selectors import check
from apps.compliance.services import verdicts
from apps.compliance.types import Facts, worst
from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError, InvalidInput, StaleState
from apps.core.models import ActionLog, User
from apps.core.services.approvals import holders
from apps.core.services.notices import notify
from apps.core.workflow import check as check_move
from apps.core.workflow import perform
from apps.customers.models import Order
from apps.feedback.selectors.composer import salutation
from apps.messaging.services.outbox import Draft, enqueue
from apps.messaging.templates import label_of, mandatory_of, render
from apps.repairs.choices import PlanState, RequestChannel
from apps.repairs.models import ReviewRequest, ReviewRequestPlan
from apps.repairs.services.praise import reward_findings
from apps.repairs.transitions import REQUEST_PLAN, REQUESTS
from apps.shop.models import Company

log = logging.getLogger(__name__)

# Its beginning makes it a survey for consent, opt-out and the customer's settings.
PURPOSE = "survey_review"
BATCH = 500
# An order the sweep has not come to by then is left alone: late questions annoy.
LATE = timedelta(days=7)
USEFUL = timedelta(days=7)
KNOWN = ("customer_name", "brand", "store", "order_tail")


def _law(plan: ReviewRequestPlan, now: datetime) -> tuple[list[Any], Facts]:
    facts = Facts(
        subject="message",
        reward="none",
        trigger="none",
        review_script_required=False,
        invites_review=True,
        audience_satisfied_only=False,
        # A first request about a new order, to which no remedy belongs: REV-10 is about asking again for a change.
        review_invites_before=0,
        refused_review_contact=False,
        remedy_executed=True,
        channel=plan.channel,
        message_class="marketing",
        # The gate asks both of each customer.
        consent=True,
        opted_out=False,
        local_hour=12,
    )
    body = plan.template.body
    return [
        *reward_findings(body, now=now, trigger="review_any", subject="message"),
        *check(body, facts=facts, at=now),
    ], facts


def switch_on(*, plan: ReviewRequestPlan, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Begin with orders that are delivered from now on. Raises InvalidInput (channel, template), Unlawful."""
    check_move(REQUEST_PLAN, plan, "switch_on", by=by, reason="")
    _check_plan(plan, by=by, now=now)
    return perform(
        REQUEST_PLAN,
        plan,
        "switch_on",
        by=by,
        now=now,
        via=via,
        changes={"switched_on_at": now},
        expect={"template_id": plan.template_id, "channel": plan.channel},
    )


def _check_plan(plan: ReviewRequestPlan, *, by: User | None, now: datetime) -> None:
    """Whether it may ask in these words. Raises InvalidInput, or Unlawful with the verdict kept."""
    template = plan.template
    if plan.channel not in RequestChannel.values or template.channel == "sms":
        raise InvalidInput(
            _("Carriers refuse SMS that ask for reviews: choose another channel."), field="channel"
        )
    if template.channel != plan.channel:
        raise InvalidInput(
            _("This template is for another channel: %(channel)s.")
            % {"channel": template.get_channel_display()},
            field="template",
        )
    if not template.is_active:
        raise InvalidInput(_("This template is not in use."), field="template")
    unknown = [name for name in mandatory_of(template) if name not in KNOWN]
    if unknown:
        raise InvalidInput(
            _("An order does not know: %(names)s.")
            % {"names": ", ".join(label_of(name) for name in unknown)},
            field="template",
        )
    findings, facts = _law(plan, now)
    if worst(findings) in ("block", "require_approval"):
        verdicts.keep(
            findings=findings,
            text=template.body,
            facts=facts,
            by=by,
            now=now,
            subject_key=f"review_requests:{plan.pk}",
            url=f"/admin/repairs/reviewrequestplan/{plan.pk}/change/",
        )
        raise verdicts.Unlawful(
            _("%(what)s: %(why)s") % {"what": findings[0].title, "why": findings[0].message},
            findings=findings,
        )


def switch_off(*, plan: ReviewRequestPlan, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Ask nobody more. What was written already goes out."""
    return perform(REQUEST_PLAN, plan, "switch_off", by=by, now=now, via=via)


def sweep(*, now: datetime) -> dict[str, int]:
    """Ask about every order whose days have passed, once an order: {"asked", "refused"}. May run twice or in parallel.

    The template of a plan may have been changed since somebody switched it on: words that may not go out switch it off.
    """
    done = {"asked": 0, "refused": 0}
    plans = ReviewRequestPlan.objects.filter(status=PlanState.ON).select_related("template").order_by("pk")
    for plan in list(plans):
        try:
            _check_plan(plan, by=None, now=now)
        except DomainError as error:
            _stop(plan, error, now)
            continue
        try:
            states = _ask(plan, now=now)
        except Exception:
            # One plan that fails holds up no other.
            log.exception("review requests of plan %s could not be written", plan.pk)
        else:
            for state in states:
                done["refused" if state == "refused" else "asked"] += 1
    return done


def _stop(plan: ReviewRequestPlan, error: DomainError, now: datetime) -> None:
    why = str(error.message)
    try:
        with transaction.atomic():
            perform(REQUEST_PLAN, plan, "switch_off", by=None, now=now, reason=why, via="sweep")
            notify(
                recipients=holders(REQUESTS),
                level=NoticeLevel.WARNING,
                title=_("Review requests were switched off: %(plan)s") % {"plan": plan.name},
                body=why,
                url=f"/admin/repairs/reviewrequestplan/{plan.pk}/change/",
                key=f"review_requests_off:{plan.pk}:{now:%Y%m%d%H%M}",
                now=now,
            )
    except StaleState:
        # A colleague was a moment earlier.
        return


def due(plan: ReviewRequestPlan, *, now: datetime) -> Any:
    """Orders to ask about; the index `customers_order_delivered` serves it."""
    until = now - timedelta(days=plan.days_after)
    since = max(filter(None, (plan.switched_on_at, until - LATE)))
    rows = Order.objects.filter(
        delivered_at__gte=since, delivered_at__lte=until, customer__isnull=False
    ).filter(~Exists(ReviewRequest.objects.filter(order_id=OuterRef("pk"))))
    stores = list(plan.stores.values_list("pk", flat=True))
    if stores:
        rows = rows.filter(store_id__in=stores)
    return rows.select_related("customer", "store").order_by("delivered_at", "id")


@transaction.atomic
def _ask(plan: ReviewRequestPlan, *, now: datetime) -> list[str]:
    # Two sweeps at once take turns; whoever comes second finds the rows of the first.
    locked = (
        ReviewRequestPlan.objects.select_for_update(of=("self",)).select_related("template").get(pk=plan.pk)
    )
    if locked.status != PlanState.ON:
        return []
    orders = list(due(locked, now=now)[:BATCH])
    if not orders:
        return []
    # Another plan's sweep may hold some of them: the unique key decides, and both write the same one message.
    ReviewRequest.objects.bulk_create(
        (ReviewRequest(order=order, plan=locked, at=now) for order in orders), ignore_conflicts=True
    )
    mine = {
        row.order_id: row
        for row in ReviewRequest.objects.filter(order__in=orders, plan=locked, message__isnull=True, at=now)
    }
    orders = [order for order in orders if order.pk in mine]
    brand = Company.objects.filter(pk=1).values_list("name", flat=True).first() or ""
    messages = enqueue([_draft(locked, order, brand, now) for order in orders], by=None, now=now)
    for order, message in zip(orders, messages, strict=True):
        mine[order.pk].message = message
    ReviewRequest.objects.bulk_update(mine.values(), ["message"], batch_size=200)
    return [str(message.state) for message in messages]


def _draft(plan: ReviewRequestPlan, order: Order, brand: str, now: datetime) -> Draft:
    return Draft(
        purpose=PURPOSE,
        subject_key=f"order:{order.pk}",
        channel=plan.channel,
        body=render(plan.template, _values(order, brand)),
        message_class="marketing",
        customer=order.customer,
        template=plan.template,
        title=_("How was your order?"),
        is_automatic=True,
        last_useful_at=now + USEFUL,
    )


def _values(order: Order, brand: str) -> Mapping[str, str]:
    customer = order.customer
    assert customer is not None
    store = order.store.name if order.store else ""
    values = {
        "customer_name": salutation(customer.name, customer.gender),
        "brand": brand or store or _("our shop"),
        "store": store or brand or _("our shop"),
        "order_tail": order.order_no.strip()[-4:] or "–",
    }
    # Names come from outside: one that looks like a variable of ours must not stop the letters to everybody.
    return {name: value.replace("{{", "{").replace("}}", "}") for name, value in values.items()}
