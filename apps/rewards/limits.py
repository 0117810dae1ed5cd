"""Who may promise how much, as arithmetic (R27; domain.md 6 "Limits"). Plain Python; amounts in CNY."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

# Punitive damages (消保法 55: triple; 食品安全法 148: tenfold), harm to health, press: legal looks at each.
FLAGS = frozenset({"triple", "tenfold", "medical", "media"})
Reason = tuple[str, Mapping[str, object]]
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Level:
    """One step. `goodwill` and `refund` (beyond the statutory one) are the most a single promise may cost, `day` and

    `month` what one person may promise in all; None: no limit. `permission` is held by those of this level.
    """

    code: str
    rank: int
    permission: str
    goodwill: Decimal | None
    refund: Decimal | None
    needs_legal: bool = False
    day: Decimal | None = None
    month: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """`cap_items` goodwill items in `cap_days` for each customer; beyond it the level `cap_level` decides.

    Above `two_people_above` nobody decides alone. `legal` is the permission of the legal department.
    """

    cap_items: int
    cap_days: int
    cap_level: str
    two_people_above: Decimal
    legal: str


@dataclass(frozen=True, slots=True)
class Spend:
    """What somebody wants to promise now; `items` is how many things of it are more than the law asks."""

    goodwill: Decimal = ZERO
    refund_extra: Decimal = ZERO
    flags: frozenset[str] = frozenset()
    items: int = 1

    @property
    def total(self) -> Decimal:
        """All that is not owed by law."""
        return self.goodwill + self.refund_extra


@dataclass(frozen=True, slots=True)
class Spent:
    """What was promised already: by this person today and this month, to this customer within the cap's days."""

    today: Decimal = ZERO
    month: Decimal = ZERO
    items: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.today + other.today, self.month + other.month, self.items + other.items)


@dataclass(frozen=True, slots=True)
class Assessment:
    """The answer. `permissions`: of each another person must hold one; empty: the person may alone.

    `reasons` say why more than the person's own level is asked, as codes with their numbers; `words` are the same for
    people, filled by the selector. `refusal` is set where nobody may.
    """

    level: str
    permissions: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    refusal: str = ""
    words: tuple[str, ...] = field(default=(), compare=False)

    @property
    def alone(self) -> bool:
        """Whether the person may without anybody else."""
        return not self.permissions and not self.refusal


def _fits(level: Level, spend: Spend) -> bool:
    return (level.goodwill is None or spend.goodwill <= level.goodwill) and (
        level.refund is None or spend.refund_extra <= level.refund
    )


def assess(
    spend: Spend, *, levels: Sequence[Level], policy: Policy, held: frozenset[str], spent: Spent
) -> Assessment:
    """Which level `spend` needs, and who else must agree with a person who holds `held`.

    Raises ValueError for an unknown flag or an amount below zero. Without any level that fits, `refusal` is "no_level".
    """
    if unknown := spend.flags - FLAGS:
        raise ValueError(f"unknown flags {sorted(unknown)}")
    if spend.goodwill < 0 or spend.refund_extra < 0:
        raise ValueError("amounts below zero")
    ladder = sorted(levels, key=lambda level: level.rank)
    if not ladder:
        return Assessment("", refusal="no_level")
    own = max(
        (level for level in ladder if level.permission in held), key=lambda level: level.rank, default=None
    )
    rank = own.rank if own else 0
    reasons: list[Reason] = []
    fitting = [level for level in ladder if _fits(level, spend)]
    if not fitting:
        return Assessment(ladder[-1].code, refusal="no_level")
    need = fitting[0]
    if need.rank > rank:
        reasons.append(("amount", {"amount": spend.total, "level": need.code}))
    if spend.flags:
        need = ladder[-1]
        reasons += [(flag, {}) for flag in sorted(spend.flags)]
    if spend.total > 0 and spent.items + spend.items > policy.cap_items:
        cap = next((level for level in ladder if level.code == policy.cap_level), ladder[-1])
        if cap.rank > rank:
            reasons.append(("customer_cap", {"items": spent.items + spend.items, "days": policy.cap_days}))
        need = max(need, cap, key=lambda level: level.rank)
    if own is not None:
        above = next((level for level in ladder if level.rank > own.rank), None)
        for code, most, before in (("day", own.day, spent.today), ("month", own.month, spent.month)):
            if most is not None and spend.total > 0 and before + spend.total > most:
                reasons.append((code, {"spent": before, "limit": most}))
                need = max(need, above or own, key=lambda level: level.rank)
                if above is None:
                    rank = 0
    permissions: list[str] = []
    if need.rank > rank:
        permissions.append(need.permission)
    if need.needs_legal or spend.flags:
        # Legal is always a person of its own, whatever rights somebody holds.
        permissions.append(policy.legal)
        reasons.append(("legal", {}))
    if spend.total > policy.two_people_above and not permissions:
        permissions.append(need.permission)
        reasons.append(("two_people", {"limit": policy.two_people_above}))
    return Assessment(need.code, tuple(permissions), tuple(reasons))


def covered(permissions: Sequence[str], approvers: Sequence[frozenset[str]]) -> bool:
    """Whether each permission is held by an approver of its own (two permissions, two people)."""
    if not permissions:
        return True
    first, rest = permissions[0], permissions[1:]
    return any(
        first in held and covered(rest, [*approvers[:index], *approvers[index + 1 :]])
        for index, held in enumerate(approvers)
    )
