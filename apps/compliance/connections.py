"""What compliance plugs into lower apps."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _


def connect() -> None:
    """Register; called once when Django starts."""
    from apps.compliance.services import verdicts
    from apps.core.approvals import Decider, deciders

    deciders.register(verdicts.KIND, Decider(_("Legal release"), verdicts.approved, verdicts.rejected))
