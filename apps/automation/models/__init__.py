"""Rules and their runs, proposals, restock requests, outgoing webhooks."""

from apps.automation.models.proposals import Mark, Proposal, RestockMention
from apps.automation.models.rules import DryRun, EventBatch, Origin, Rule, RuleRun, RuleVersion, Watermark
from apps.automation.models.webhooks import WebhookDelivery, WebhookEndpoint

__all__ = (
    "DryRun",
    "EventBatch",
    "Mark",
    "Origin",
    "Proposal",
    "RestockMention",
    "Rule",
    "RuleRun",
    "RuleVersion",
    "Watermark",
    "WebhookDelivery",
    "WebhookEndpoint",
)
