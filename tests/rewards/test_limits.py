"""Who may promise how much: the table of domain.md 6."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from apps.rewards.limits import Level, Policy, Spend, Spent, assess, covered

D = Decimal
LADDER = (
    Level("agent", 1, "p.agent", D(30), D(100), day=D(200)),
    Level("lead", 2, "p.lead", D(300), D(300)),
    Level("manager", 3, "p.manager", D(1000), D(1000)),
    Level("director", 4, "p.director", None, None, needs_legal=True),
)
POLICY = Policy(3, 90, "lead", D(1000), "p.legal")
HELD = {
    "agent": frozenset({"p.agent"}),
    "lead": frozenset({"p.agent", "p.lead"}),
    "manager": frozenset({"p.agent", "p.lead", "p.manager", "p.director"}),
    "nobody": frozenset(),
}


def ask(who: str, goodwill: Any = 0, refund: Any = 0, *flags: str, items: int = 0, today: Any = 0) -> Any:
    return assess(
        Spend(D(goodwill), D(refund), frozenset(flags)),
        levels=LADDER,
        policy=POLICY,
        held=HELD[who],
        spent=Spent(today=D(today), items=items),
    )


@pytest.mark.parametrize(
    ("who", "goodwill", "refund", "level", "permissions"),
    [
        ("agent", 30, 0, "agent", ()),
        ("agent", "30.01", 0, "lead", ("p.lead",)),
        ("agent", 0, 100, "agent", ()),
        ("agent", 0, "100.01", "lead", ("p.lead",)),
        ("lead", 300, 300, "lead", ()),
        ("lead", 301, 0, "manager", ("p.manager",)),
        ("manager", 1000, 0, "manager", ()),
        ("manager", 600, 600, "manager", ("p.manager",)),
        ("manager", 1001, 0, "director", ("p.legal",)),
        ("lead", 1001, 0, "director", ("p.director", "p.legal")),
        ("nobody", 1, 0, "agent", ("p.agent",)),
    ],
)
def test_amounts(who: str, goodwill: Any, refund: Any, level: str, permissions: tuple[str, ...]) -> None:
    found = ask(who, goodwill, refund)
    assert (found.level, found.permissions) == (level, permissions)
    assert found.alone is not bool(permissions)


@pytest.mark.parametrize("flag", ["triple", "tenfold", "medical", "media"])
def test_what_the_law_punishes_needs_a_director_and_legal(flag: str) -> None:
    assert ask("agent", 1, 0, flag).permissions == ("p.director", "p.legal")
    found = ask("manager", 1, 0, flag)
    assert found.permissions == ("p.legal",)
    assert (flag, {}) in found.reasons


def test_the_fourth_goodwill_item_needs_a_lead() -> None:
    assert ask("agent", 5, items=2).alone
    found = ask("agent", 5, items=3)
    assert found.permissions == ("p.lead",)
    assert found.reasons[0] == ("customer_cap", {"items": 4, "days": 90})
    assert ask("lead", 5, items=3).alone
    # What the law gives anyway is no goodwill.
    assert ask("agent", 0, items=9).alone


def test_a_person_s_day_is_limited() -> None:
    assert ask("agent", 10, today=190).alone
    found = ask("agent", 10, today=191)
    assert (found.permissions, found.reasons[0][0]) == (("p.lead",), "day")


def test_two_permissions_are_two_people() -> None:
    both = frozenset({"p.director", "p.legal"})
    assert not covered(("p.director", "p.legal"), [both])
    assert covered(("p.director", "p.legal"), [both, frozenset({"p.director"})])
    assert covered((), [])


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown"):
        ask("agent", 1, 0, "whim")
    with pytest.raises(ValueError, match="below"):
        ask("agent", -1)
    assert assess(Spend(D(1)), levels=(), policy=POLICY, held=frozenset(), spent=Spent()).refusal
