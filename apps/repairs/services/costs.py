"""What a repair has cost: the sum of what was given for it, as the ledger of rewards knows it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Coalesce

from apps.repairs.models import RepairCase
from apps.rewards.choices import GrantState
from apps.rewards.models import Grant

PREFIX = "repair:"


@transaction.atomic
def recount(case_id: int, *, now: datetime) -> Decimal:
    """CNY, with what was really paid where that is known: a coupon that expired unused has cost nothing. Three queries.

    Figures follow by `updated_at`. Safe to repeat.
    """
    # Of two bookings at once the later sum is written.
    RepairCase.objects.select_for_update(of=("self",), no_key=True).filter(pk=case_id).order_by().first()
    given = Grant.objects.filter(subject_key=f"{PREFIX}{case_id}").exclude(status=GrantState.REVERSED)
    cost: Decimal = given.aggregate(n=Sum(Coalesce("actual_cost", "cost")))["n"] or Decimal(0)
    RepairCase.objects.filter(pk=case_id).exclude(cost=cost).update(cost=cost, updated_at=now)
    return cost


def on_booked(*, grant_id: int, now: datetime) -> None:
    """Something changed for a grant: where it belongs to a repair, the repair's cost follows."""
    key = Grant.objects.values_list("subject_key", flat=True).filter(pk=grant_id).first() or ""
    number = key.removeprefix(PREFIX)
    if key.startswith(PREFIX) and number.isdecimal():
        recount(int(number), now=now)
