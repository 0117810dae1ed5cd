"""What the shop has decided about repairs, in memory."""

from __future__ import annotations

from apps.core.reference import Cached
from apps.repairs.models import AppealRule, RemedyType, RepairPolicy

STAMP = "repairs"


class _Rules:
    def __init__(self) -> None:
        self.policy = RepairPolicy.objects.filter(pk=1).first() or RepairPolicy(pk=1)
        self.appeals = {rule.channel_id: rule for rule in AppealRule.objects.all()}
        self.remedies = list(
            RemedyType.objects.filter(is_active=True)
            .select_related("department")
            .prefetch_related("categories")
        )


_rules = Cached(STAMP, _Rules)


def policy() -> RepairPolicy:
    """The rules for repairs; what is shipped where nobody has decided."""
    return _rules.get().policy


def appeal_rule(channel_id: int) -> AppealRule:
    """What a platform asks of an appeal; the usual where nobody entered it."""
    return _rules.get().appeals.get(channel_id) or AppealRule(channel_id=channel_id)


def remedies() -> list[RemedyType]:
    """The remedies in use, in their order."""
    return _rules.get().remedies


def forget_rules() -> None:
    """Drop what is in memory; tests call it."""
    _rules.forget()
