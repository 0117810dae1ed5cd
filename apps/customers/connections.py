"""What this app plugs into its own registries: movers for its own relations, the first timeline sources."""

from apps.customers import selectors
from apps.customers.registries import Mover, TimelineSource, movers, timeline


def connect() -> None:
    """Register; called once when Django starts."""
    for model, field in (
        ("customers.customeridentity", "customer"),
        ("customers.order", "customer"),
        ("customers.consentevent", "customer"),
        ("customers.contacthold", "customer"),
    ):
        movers.register(f"{model}.{field}", Mover(model, field))
    timeline.register(
        "orders", TimelineSource(selectors.TIMELINE_LABELS["order"], selectors.order_events), order=20
    )
    timeline.register(
        "consents", TimelineSource(selectors.TIMELINE_LABELS["consent"], selectors.consent_events), order=30
    )
