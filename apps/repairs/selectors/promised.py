"""What has been offered to customers and is not booked yet: limits count it as soon as it is written down (R27)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db.models import F, Q, Sum
from django.utils import timezone

from apps.core.models import User
from apps.customers.models import Customer
from apps.repairs.choices import LIVE_OFFERS, RemedyStatus
from apps.repairs.models import Remedy
from apps.rewards.limits import Spent

ZERO = Decimal(0)


def promised(*, by: User, customer: Customer | None, now: datetime) -> Spent:
    """Goodwill in offers that wait, are made or accepted: CNY a person wrote down today and this month, by the shop's

    calendar, and items for this customer. What is carried out is a grant and counted there. Two queries.
    """
    day = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    beyond = Remedy.objects.filter(
        status=RemedyStatus.PLANNED, offer__status__in=LIVE_OFFERS, amount__gt=F("statutory")
    )
    mine = beyond.filter(offer__by=by, offer__created_at__gte=day.replace(day=1)).aggregate(
        month=Sum(F("amount") - F("statutory")),
        today=Sum(F("amount") - F("statutory"), filter=Q(offer__created_at__gte=day)),
    )
    items = 0 if customer is None else beyond.filter(offer__case__customer=customer).count()
    return Spent(mine["today"] or ZERO, mine["month"] or ZERO, items)
