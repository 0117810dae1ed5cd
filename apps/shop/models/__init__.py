"""Where the shop sells, who works there and when."""

from apps.shop.models.calendars import CalendarDay, WorkCalendar
from apps.shop.models.organisation import (
    Company,
    Department,
    Leave,
    StaffProfile,
    Store,
    Team,
    TeamMember,
)
from apps.shop.models.products import Product, StockLevel
from apps.shop.models.work import WorkItem

__all__ = (
    "CalendarDay",
    "Company",
    "Department",
    "Leave",
    "Product",
    "StaffProfile",
    "StockLevel",
    "Store",
    "Team",
    "TeamMember",
    "WorkCalendar",
    "WorkItem",
)
