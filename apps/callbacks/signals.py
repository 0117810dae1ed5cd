"""What higher apps may listen to. Sent after commit, never used inside this app."""

from django.dispatch import Signal

# callback_id: int, subject_key: str, outcome: str, satisfaction: int | None. Done, or given up unreached.
callback_finished = Signal()
