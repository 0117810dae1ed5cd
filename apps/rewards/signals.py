"""What higher apps may listen to. Sent after commit, never used inside this app."""

from django.dispatch import Signal

# grant_id: int, now: datetime. Something was set aside, spent or freed for a grant: its cost may be another.
grant_booked = Signal()
