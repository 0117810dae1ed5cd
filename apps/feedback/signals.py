"""What higher apps may listen to. Sent after commit, never inside a transaction, never used inside this app."""

from django.dispatch import Signal

# feedback_ids: list[int], historical: bool
taken_in = Signal()
# feedback_id: int, verb: str, by_id: int | None
moved = Signal()
