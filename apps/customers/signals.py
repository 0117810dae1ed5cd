"""What higher apps may listen to. Sent after commit, never inside a transaction, never used inside this app."""

from django.dispatch import Signal

# order_ids: list[int] (also of orders that came again unchanged), now: datetime
orders_written = Signal()
