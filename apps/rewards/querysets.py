"""Whose rows a person sees; ledgers that only grow."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from apps.customers.models import Customer
from apps.customers.selectors import visible_to as visible_customers
from apps.shop.selectors import scope_of

SEE_ALL = "feedback.see_all_feedback"


class OfCustomer(models.QuerySet[Any, Any]):
    """Rows of a customer: whoever is bound to stores sees those of the customers of these stores."""

    customer_path = "customer"

    def visible_to(self, user: Any) -> Any:
        """Without a join where the person sees every customer."""
        seen = visible_customers(user, Customer.objects.all())
        return self if not seen.query.where else self.filter(**{f"{self.customer_path}__in": seen})


class OfStore(models.QuerySet[Any, Any]):
    """Budgets: those of the whole shop and of a person's own stores."""

    def visible_to(self, user: Any) -> Any:
        """No query beyond the scope."""
        scope = scope_of(user, see_all=SEE_ALL)
        if scope.everything or not scope.stores:
            return self
        return self.filter(Q(store__isnull=True) | Q(store_id__in=scope.stores))


class AppendOnly(models.QuerySet[Any, Any]):
    """A ledger: rows are added, never changed, never deleted."""

    def update(self, **values: Any) -> int:
        """Never."""
        raise TypeError("a ledger is not changed: write another row")

    def delete(self) -> Any:
        """Never."""
        raise TypeError("nothing is deleted from a ledger")

    def bulk_update(self, *args: Any, **options: Any) -> int:
        """Never."""
        raise TypeError("a ledger is not changed: write another row")
