"""The one writer of budgets and their ledger."""

from __future__ import annotations

import logging
from datetime import datetime
from decimal import Decimal
from functools import partial

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.exceptions import DomainError
from apps.core.models import User
from apps.rewards.choices import EntryKind
from apps.rewards.models import Budget, LedgerEntry
from apps.rewards.signals import grant_booked

log = logging.getLogger(__name__)
ZERO = Decimal(0)


class BudgetExhausted(DomainError):
    """The budget has not so much left."""

    code = "budget_exhausted"
    status = 422


class BudgetClosed(DomainError):
    """The budget is out of use, out of its days, or meant for something else."""

    code = "budget_closed"
    status = 422


@transaction.atomic
def book(
    *,
    budget_id: int,
    grant_id: int | None,
    key: str,
    by: User | None,
    now: datetime,
    commit: Decimal = ZERO,
    spend: Decimal = ZERO,
) -> list[LedgerEntry]:
    """Move a budget: `commit` and `spend` are signed CNY. Locks the budget, writes one ledger row for each of the two.

    Raises BudgetExhausted where the budget would promise and spend more than it has.
    """
    # No key is touched, so rows that point to this budget may be written meanwhile.
    budget = Budget.objects.select_for_update(of=("self",), no_key=True).get(pk=budget_id)
    committed, spent = budget.committed + commit, budget.spent + spend
    if commit + spend > 0 and committed + spent > budget.amount:
        raise BudgetExhausted(
            _("“%(budget)s” has only ¥%(left)s left.") % {"budget": budget, "left": f"{budget.left:.2f}"},
            field="budget",
        )
    if grant_id is not None:
        transaction.on_commit(partial(_announce, grant_id, now))
    Budget.objects.filter(pk=budget_id).update(committed=committed, spent=spent, updated_at=now)
    rows = [
        (EntryKind.COMMIT if commit > 0 else EntryKind.RELEASE, commit),
        (EntryKind.SPEND if spend > 0 else EntryKind.REVERSE, spend),
    ]
    return LedgerEntry.objects.bulk_create(
        LedgerEntry(
            budget_id=budget_id,
            grant_id=grant_id,
            kind=kind,
            amount=amount,
            key=f"{key}:{kind.value}",
            at=now,
            by=by,
        )
        for kind, amount in rows
        if amount
    )


def _announce(grant_id: int, now: datetime) -> None:
    for receiver, answer in grant_booked.send_robust(sender=Budget, grant_id=grant_id, now=now):
        if isinstance(answer, Exception):
            log.error("rewards: %s could not follow a booking", receiver, exc_info=answer)


def check_open(*, budget: Budget, purpose: str, now: datetime) -> None:
    """Raises BudgetClosed unless the budget may be used today for this purpose."""
    today = timezone.localdate(now)
    if not budget.is_active or not budget.first_day <= today <= budget.last_day:
        raise BudgetClosed(_("“%(budget)s” is not open today.") % {"budget": budget}, field="budget")
    if budget.purpose != purpose:
        raise BudgetClosed(
            _("“%(budget)s” is for something else: %(purpose)s.")
            % {"budget": budget, "purpose": budget.get_purpose_display()},
            field="budget",
        )
