"""Customers, their identities, orders, consents and holds."""

from apps.customers.models.consent import ConsentEvent, ContactHold
from apps.customers.models.customer import Customer, CustomerIdentity, CustomerMerge
from apps.customers.models.orders import Order, OrderItem

__all__ = (
    "ConsentEvent",
    "ContactHold",
    "Customer",
    "CustomerIdentity",
    "CustomerMerge",
    "Order",
    "OrderItem",
)
