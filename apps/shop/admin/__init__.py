"""Back office of the shop."""

from apps.shop.admin import calendars, organisation, products, work

__all__ = ("calendars", "organisation", "products", "work")
