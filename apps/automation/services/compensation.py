"""A confirmed compensation becomes a coupon where one of its value and a budget are there (decisions, item 20)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation

from django.db import transaction
from django.utils.translation import gettext as _

from apps.automation.models import Proposal
from apps.automation.services.proposals import as_work
from apps.core.exceptions import DomainError
from apps.core.models import User
from apps.rewards.choices import Purpose, RewardKind
from apps.rewards.selectors import coupon_of_value, open_budgets
from apps.rewards.services.grants import Reward, grant


def give_coupon(proposal: Proposal, by: User, now: datetime) -> str:
    """Issue the coupon in the name of whoever confirmed, within their limits; else a colleague does it by hand.

    Answers what became of it, with the reason where it did not work.
    """
    feedback = proposal.feedback
    try:
        amount = Decimal(str(proposal.payload.get("amount")))
    except InvalidOperation:
        return as_work(proposal, by, now)
    kind = coupon_of_value(amount, now=now)
    budget = next(
        (
            row
            for row in open_budgets(purpose=Purpose.COMPENSATION, now=now, store_id=feedback.store_id)[:20]
            if row.left >= amount
        ),
        None,
    )
    if feedback.customer is None or kind is None or budget is None:
        return as_work(proposal, by, now)
    try:
        with transaction.atomic():
            given = grant(
                key=f"proposal:{proposal.pk}",
                kind=Purpose.COMPENSATION,
                reward=Reward(RewardKind.COUPON, coupon_type=kind),
                customer=feedback.customer,
                budget=budget,
                subject_key=f"feedback:{feedback.pk}",
                cost=amount,
                by=by,
                now=now,
            )
    except DomainError as error:
        return f"{error.message} {as_work(proposal, by, now)}"
    return _("Coupon %(code)s was issued: %(coupon)s.") % {
        "code": given.coupon.masked_code,
        "coupon": given.what,
    }
