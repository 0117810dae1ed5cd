"""Templates, gateways, the outbox, what comes back, the shop's rules."""

from apps.messaging.models.gateway import Gateway
from apps.messaging.models.inbound import AddressBlock, ConsentLink, InboundMessage
from apps.messaging.models.outbound import OutboundMessage
from apps.messaging.models.policy import MessagingPolicy
from apps.messaging.models.template import MessageTemplate

__all__ = (
    "AddressBlock",
    "ConsentLink",
    "Gateway",
    "InboundMessage",
    "MessageTemplate",
    "MessagingPolicy",
    "OutboundMessage",
)
