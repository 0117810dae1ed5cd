"""What this app plugs into its own registries: movers for its own relations, the first timeline sources."""

from django.utils.translation import gettext_lazy as _

from apps.core.history import reasons
from apps.customers import selectors
from apps.customers.registries import Mover, TimelineSource, movers, timeline


def connect() -> None:
    """Register; called once when Django starts."""
    for code, text in (
        ("api", _("by API")),
        ("merged_into", _("merged into #%(value)s")),
        ("filled_from", _("filled from #%(value)s")),
        ("merge_undone_into", _("merge into #%(value)s undone")),
        ("merge_undone_from", _("merge of #%(value)s undone")),
    ):
        reasons.register(code, text)
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
