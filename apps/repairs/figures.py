"""Arithmetic of the figures of repairs (R31; domain.md 3.3). Plain Python: values in, numbers out.

Time to contact is counted in minutes from the opening of a repair (the arrival of its review, or the moment somebody opened
it by hand) to the first talk.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

SATISFIED_FROM = 4
#: A review counts as withdrawn or revised when that was seen no later than so long after the callback.
RIPE_AFTER = timedelta(days=30)
#: A purchase counts as "again" within so long.
AGAIN_WITHIN = timedelta(days=90)

DISMISSED, REMOVED, WITHDRAWN, REVISED = "dismissed", "removed", "withdrawn", "revised"
#: Outcomes that a page stacks, each with its count.
OUTCOMES = {
    "withdrawn": "withdrawn",
    "revised": "revised",
    "kept": "kept",
    "kept_public": "kept_public_reply",
    "removed": "removed",
}
ENDED = frozenset({*OUTCOMES.values(), DISMISSED})
#: The shop has done its part: an outcome of the customer, or satisfied and only the customer's word is open. Removals by the
#: platform are no success of a repair and stand apart (appeals).
CLOSED = frozenset({"satisfied", "invited", "withdrawn", "revised", "kept", "kept_public_reply"})

#: Upper edges of the bins of time to contact, in minutes, with their columns; the last bin is open.
BINS: tuple[tuple[str, int | None], ...] = (
    ("wait_15m", 15),
    ("wait_30m", 30),
    ("wait_1h", 60),
    ("wait_2h", 120),
    ("wait_4h", 240),
    ("wait_8h", 480),
    ("wait_24h", 1440),
    ("wait_48h", 2880),
    ("wait_72h", 4320),
    ("wait_more", None),
)


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What figures need of one repair. `contact_due_at`: until when the first contact was promised, None without promise."""

    status: str
    opened_at: datetime
    contacted_at: datetime | None = None
    contact_due_at: datetime | None = None
    proposed_at: datetime | None = None
    accepted_at: datetime | None = None
    executed_at: datetime | None = None
    called_back_at: datetime | None = None
    satisfaction: int | None = None
    invited_at: datetime | None = None
    unseen_since: datetime | None = None
    outcome_at: datetime | None = None
    cost: Decimal = Decimal(0)
    reopened: bool = False
    appeals: tuple[str, ...] = ()


def bin_of(minutes: float) -> str:
    """The column of the bin in which a time to contact falls; edges belong to the bin below them."""
    return next(name for name, edge in BINS if edge is None or minutes <= edge)


def tally(case: CaseFacts, *, now: datetime) -> Counter[str]:
    """The counts of one repair; what is not named is zero. A misread review counts as dismissed and nothing else."""
    if case.status == DISMISSED:
        return Counter(dismissed=1)
    satisfied = case.satisfaction is not None and case.satisfaction >= SATISFIED_FROM
    repaired = case.status in (WITHDRAWN, REVISED)
    closed = case.status in CLOSED
    # A promise is due when it was kept or its time is over; an open breach is never left out.
    promised = case.contact_due_at is not None
    met = promised and case.contacted_at is not None and case.contacted_at <= case.contact_due_at  # type: ignore[operator]
    counts = {
        "opened": True,
        "contacted": case.contacted_at is not None,
        "contact_due": promised and (case.contacted_at is not None or case.contact_due_at <= now),  # type: ignore[operator]
        "contact_in_time": met,
        "proposed": case.proposed_at is not None,
        "accepted": case.accepted_at is not None,
        "executed": case.executed_at is not None,
        "called_back": case.called_back_at is not None,
        "answered": case.satisfaction is not None,
        "satisfied": satisfied,
        # Reopening forgets the answer; whoever was invited had been satisfied.
        "once_satisfied": satisfied or case.invited_at is not None,
        "invited": case.invited_at is not None,
        "repaired_invited": repaired and case.invited_at is not None,
        "unreachable": case.contacted_at is None and case.status in ("unreachable", "kept_public_reply"),
        "reopened": case.reopened,
        "still_open": case.status not in ENDED,
        "closed": closed,
        "succeeded": closed and satisfied,
        "appeals_filed": sum(status in ("filed", "upheld", "rejected") for status in case.appeals),
        "appeals_upheld": sum(status == "upheld" for status in case.appeals),
        "appeals_rejected": sum(status == "rejected" for status in case.appeals),
    } | {name: case.status == status for name, status in OUTCOMES.items()}
    done = Counter({name: int(value) for name, value in counts.items() if value})
    if case.contacted_at is not None:
        done[bin_of((case.contacted_at - case.opened_at).total_seconds() / 60)] = 1
    return done


def seconds_to_contact(case: CaseFacts) -> int | None:
    """From opening to first talk in whole seconds; None without a talk and for misread reviews."""
    if case.status == DISMISSED or case.contacted_at is None:
        return None
    return round((case.contacted_at - case.opened_at).total_seconds())


def after_callback(case: CaseFacts) -> Counter[str] | None:
    """What became of a review whose repair was closed with a callback, 30 days on; None where it was not.

    `withdrawn` and `revised` only as far as they were seen within 30 days after the callback (or before it). A withdrawn
    review is gone since it was missing, whenever a person confirmed it. Removals by the platform are left out.
    """
    if case.called_back_at is None or case.satisfaction is None or case.status not in CLOSED:
        return None
    done = Counter(closed=1)
    seen = case.outcome_at
    if case.status == WITHDRAWN and case.unseen_since is not None:
        seen = case.unseen_since
    if case.status in (WITHDRAWN, REVISED) and seen is not None and seen <= case.called_back_at + RIPE_AFTER:
        done[case.status] = 1
    return done


@dataclass(frozen=True, slots=True)
class Wait:
    """A quantile of time to contact in minutes; `open_ended`: it is at least so long."""

    minutes: float
    open_ended: bool = False


def from_bins(counts: Sequence[int], share: float) -> Wait | None:
    """The quantile as bins tell it: straight lines between their edges. None without any contact.

    >>> from_bins([10, 10, 0, 0, 0, 0, 0, 0, 0, 0], 0.5)
    Wait(minutes=15.0, open_ended=False)
    """
    total = sum(counts)
    if not total:
        return None
    wanted, below, lower = share * total, 0, 0
    for (_name, edge), count in zip(BINS, counts, strict=True):
        if edge is None:
            break
        if count and below + count >= wanted:
            return Wait(lower + (edge - lower) * (wanted - below) / count)
        below, lower = below + count, edge
    return Wait(float(lower), open_ended=True)


def place(n: int, share: float) -> tuple[int, float]:
    """Where a quantile lies among n sorted values: the rank below it from 0 and how far to the next (as percentile_cont)."""
    exact = share * (n - 1)
    return int(exact), exact - int(exact)


def quantile(ordered: Sequence[int], share: float) -> Wait | None:
    """The quantile of times in seconds, shortest first. None without any.

    >>> quantile([60, 120, 240, 600], 0.5)
    Wait(minutes=3.0, open_ended=False)
    """
    if not ordered:
        return None
    rank, rest = place(len(ordered), share)
    below, above = ordered[rank], ordered[min(rank + 1, len(ordered) - 1)]
    return Wait((below + (above - below) * rest) / 60)


@dataclass(frozen=True, slots=True)
class Buyer:
    """A customer with a negative review. `cell`: what has to be the same. `delay`: from review to satisfied callback."""

    customer: int
    cell: Hashable
    opened_at: datetime
    delay: timedelta = timedelta(0)

    @property
    def since(self) -> datetime:
        """From when a purchase counts."""
        return self.opened_at + self.delay


def orders_bucket(before: int) -> str:
    """Customers are compared with others who had bought about as often."""
    return str(before) if before < 2 else "2-3" if before < 4 else "4+"


def pairs(repaired: Iterable[Buyer], others: Iterable[Buyer], *, now: datetime) -> list[tuple[Buyer, Buyer]]:
    """Each repaired customer with one other of the same cell whose review is nearest in time; nobody is used twice.

    The other's 90 days begin as long after their review as those of the repaired customer. Pairs whose 90 days are not over
    are not made. The same input gives the same pairs.
    """
    pool: dict[Hashable, list[tuple[datetime, int]]] = defaultdict(list)
    for other in others:
        pool[other.cell].append((other.opened_at, other.customer))
    for rows in pool.values():
        rows.sort()
    found = []
    for buyer in sorted(repaired, key=lambda row: (row.opened_at, row.customer)):
        rows = pool.get(buyer.cell, [])
        last = now - AGAIN_WITHIN - buyer.delay
        at = bisect_left(rows, (buyer.opened_at, 0))
        near = [index for index in (at - 1, at) if 0 <= index < len(rows) and rows[index][0] <= last]
        if buyer.since + AGAIN_WITHIN > now or not near:
            continue
        best = min(near, key=lambda index: (abs(rows[index][0] - buyer.opened_at), index))
        opened_at, customer = rows.pop(best)
        found.append((buyer, Buyer(customer, buyer.cell, opened_at, buyer.delay)))
    return found


def bought_again(buyer: Buyer, orders: Sequence[datetime]) -> bool:
    """Whether one of these sorted orders lies in the 90 days."""
    index = bisect_left(orders, buyer.since)
    return index < len(orders) and orders[index] <= buyer.since + AGAIN_WITHIN
