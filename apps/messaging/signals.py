"""What higher apps may listen to. Sent after commit, never inside a transaction, never used inside this app."""

from django.dispatch import Signal

# message_id: int, state: "sent" | "delivered" | "failed" | "to_check" | "refused", at: datetime
message_settled = Signal()
# inbound_id: int
message_received = Signal()
