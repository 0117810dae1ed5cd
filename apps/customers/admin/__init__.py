"""Back office of customers."""

from apps.customers.admin import customer, ledger, orders

__all__ = ("customer", "ledger", "orders")
