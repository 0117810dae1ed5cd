"""Registers every admin class of this app."""

from apps.messaging.admin import gateways, inbound, outbox, policy, templates

__all__ = ("gateways", "inbound", "outbox", "policy", "templates")
