"""Points come, go and expire (R47). What expires first is spent first; no account is ever below zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.choices import ApprovalState
from apps.core.exceptions import DomainError, InvalidInput, NotPermitted, ReasonNeeded
from apps.core.models import ActionLog, Approval, User
from apps.core.services import approvals
from apps.core.workflow import perform
from apps.customers.models import Customer
from apps.customers.selectors import surviving
from apps.rewards.choices import PointsKind
from apps.rewards.models import Grant, PointsAccount, PointsEntry, PointsLot
from apps.rewards.selectors import policy
from apps.rewards.transitions import ACCOUNT, ADJUST

KIND = "rewards.points"
APPROVE = "rewards.approve_points"
MOST = 1_000_000
POINTS, REASON = "_points", "_reason"


class NotEnoughPoints(DomainError):
    """The customer has fewer."""

    code = "not_enough_points"
    status = 422


def account_of(customer: Customer, *, now: datetime) -> PointsAccount:
    """The customer's own account, opened when there is none. Two writers meet at the unique key."""
    try:
        with transaction.atomic():
            account, _made = PointsAccount.objects.get_or_create(
                origin=customer.pk, defaults={"customer": customer}
            )
    except IntegrityError:
        account = PointsAccount.objects.get(origin=customer.pk)
    return account


def _locked(customer: Customer) -> list[PointsAccount]:
    # In the order of keys, so that two spenders never wait for each other in a ring.
    return list(
        PointsAccount.objects.select_for_update(of=("self",), no_key=True)
        .filter(customer=customer)
        .order_by("pk")
    )


def _book(
    moves: Sequence[tuple[PointsLot, int]],
    accounts: dict[int, PointsAccount],
    *,
    kind: str,
    key: str,
    reason: str,
    by: User | None,
    now: datetime,
) -> list[PointsEntry]:
    """Move lots by signed points: lots, accounts and ledger together. The accounts are locked by the caller."""
    for lot, points in moves:
        PointsLot.objects.filter(pk=lot.pk).update(left=lot.left + points)
        lot.left += points
        account = accounts[lot.account_id]
        account.balance += points
        PointsAccount.objects.filter(pk=account.pk).update(balance=account.balance, updated_at=now)
    return PointsEntry.objects.bulk_create(
        PointsEntry(
            account_id=lot.account_id,
            lot=lot,
            kind=kind,
            amount=points,
            key=key,
            reason=reason[:300],
            at=now,
            by=by,
        )
        for lot, points in moves
    )


@transaction.atomic
def earn(
    *,
    customer: Customer,
    points: int,
    key: str,
    by: User | None,
    now: datetime,
    expires_at: datetime | None = None,
    reason: str = "",
    grant: Grant | None = None,
) -> PointsLot:
    """Give points; the same `key` gives them once. They expire after the policy's days unless told otherwise."""
    if not 0 < points <= MOST:
        raise InvalidInput(_("Points are a whole number above zero."), field="points")
    customer = surviving(customer)
    expires = expires_at or now + timedelta(days=policy().points_days)
    if expires <= now:
        raise InvalidInput(_("These points would have expired already."), field="expires_at")
    account_of(customer, now=now)
    accounts = {row.pk: row for row in _locked(customer)}
    before = PointsEntry.objects.filter(key=key).select_related("lot").first()
    if before is not None:
        return before.lot
    own = next((row for row in accounts.values() if row.origin == customer.pk), None) or next(
        iter(accounts.values())
    )
    lot = PointsLot.objects.create(
        account=own, grant=grant, amount=points, left=0, earned_at=now, expires_at=expires
    )
    _book([(lot, points)], accounts, kind=PointsKind.EARN, key=key, reason=reason, by=by, now=now)
    return lot


@transaction.atomic
def spend(
    *, customer: Customer, points: int, key: str, by: User | None, now: datetime, reason: str = ""
) -> list[PointsEntry]:
    """Take points, what expires first first; the same `key` takes them once. Raises NotEnoughPoints.

    Points past their date are not spent, whether the sweep has seen them or not.
    """
    if not 0 < points <= MOST:
        raise InvalidInput(_("Points are a whole number above zero."), field="points")
    customer = surviving(customer)
    accounts = {row.pk: row for row in _locked(customer)}
    before = list(PointsEntry.objects.filter(key=key))
    if before:
        return before
    moves, missing = [], points
    for lot in PointsLot.objects.filter(account__in=accounts, left__gt=0, expires_at__gt=now).order_by(
        "expires_at", "id"
    ):
        part = min(lot.left, missing)
        moves.append((lot, -part))
        missing -= part
        if not missing:
            break
    if missing:
        raise NotEnoughPoints(
            _("Only %(have)d points are there, %(want)d are asked for.")
            % {"have": points - missing, "want": points},
            field="points",
        )
    return _book(moves, accounts, kind=PointsKind.SPEND, key=key, reason=reason, by=by, now=now)


@transaction.atomic
def reverse(*, key: str, by: User | None, now: datetime, reason: str = "") -> int:
    """Undo the act `key` once: spent points go back to their lots, earned ones are taken back.

    Answers the points that moved; 0 where it was undone already or never happened. Raises NotEnoughPoints where earned
    points are spent already. Points that have expired since stay expired.
    """
    found = list(PointsEntry.objects.filter(key=key).select_related("account").order_by("id"))
    if not found:
        return 0
    accounts = {
        row.pk: row
        for row in PointsAccount.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk__in={entry.account_id for entry in found})
        .order_by("pk")
    }
    undo = f"{key}:reverse"
    if PointsEntry.objects.filter(key=undo).exists():
        return 0
    lots = PointsLot.objects.in_bulk([entry.lot_id for entry in found])
    gone = set(
        PointsEntry.objects.filter(lot__in=lots, kind=PointsKind.EXPIRE).values_list("lot_id", flat=True)
    )
    moves = []
    for entry in found:
        lot = lots[entry.lot_id]
        if entry.amount < 0:
            moves.append((lot, -entry.amount))
        elif entry.lot_id in gone:
            continue
        elif lot.left < entry.amount:
            raise NotEnoughPoints(
                _("%(count)d of these points are spent already.") % {"count": entry.amount - lot.left}
            )
        else:
            moves.append((lot, -entry.amount))
    _book(moves, accounts, kind=PointsKind.REVERSE, key=undo, reason=reason, by=by, now=now)
    return sum(abs(points) for _lot, points in moves)


def expire_due(*, now: datetime, limit: int = 1000) -> int:
    """Let points past their date expire; answers how many points. Running twice changes nothing more."""
    total = 0
    due = PointsLot.objects.filter(left__gt=0, expires_at__lte=now).order_by("expires_at", "id")
    for account_id in dict.fromkeys(due.values_list("account_id", flat=True)[:limit]):
        with transaction.atomic():
            account = PointsAccount.objects.select_for_update(of=("self",), no_key=True).get(pk=account_id)
            lots = PointsLot.objects.filter(account=account, left__gt=0, expires_at__lte=now).order_by("id")
            for lot in lots:
                total += lot.left
                # The number of times a lot expired stands in the key: points that come back expire again.
                times = PointsEntry.objects.filter(lot=lot, kind=PointsKind.EXPIRE).count()
                _book(
                    [(lot, -lot.left)],
                    {account.pk: account},
                    kind=PointsKind.EXPIRE,
                    key=f"expire:{lot.pk}:{times}",
                    reason="",
                    by=None,
                    now=now,
                )
    return total


# -- a person adjusts ----------
@dataclass(frozen=True, slots=True)
class Adjusted:
    """What became of it: done, or asked for."""

    log: ActionLog | None = None
    approval: Approval | None = None


@transaction.atomic
def adjust(*, account: PointsAccount, points: int, reason: str, by: User, now: datetime) -> Adjusted:
    """Add points, or take them with a minus. Above the policy's limit a second person is asked first."""
    if not by.has_perm(ADJUST):
        raise NotPermitted(_("You may not adjust points."))
    if len(reason.strip()) < 2:
        raise ReasonNeeded(_("Say why: the reason is kept."), field="reason")
    if not points or abs(points) > MOST:
        raise InvalidInput(_("By how many points?"), field="points")
    # In small steps it is the same act: what one person adds to one account in a day counts together, and what they take.
    _locked(account.customer)
    if abs(points) + adjusted_today(account, points, by, now) <= policy().points_alone:
        return Adjusted(log=_adjust(account, points, reason, by, now, key=""))
    if Approval.objects.filter(
        kind=KIND, model=account._meta.label_lower, object_id=account.pk, state=ApprovalState.PENDING
    ).exists():
        # Asking once more would answer the request that waits, and this one would be lost without a word.
        raise InvalidInput(
            _("A request waits for this account already: it must be decided first."), code="waits_already"
        )
    asked = approvals.ask(
        kind=KIND,
        record=account,
        title=_("%(points)+d points for %(customer)s")
        % {"points": points, "customer": account.customer.masked_name},
        permission=APPROVE,
        by=by,
        now=now,
        summary=reason.strip(),
        # In words for whoever decides; the underscored ones are for `approved`.
        payload={
            _("Points"): f"{points:+d}",
            _("Reason"): reason.strip(),
            POINTS: points,
            REASON: reason.strip(),
        },
        url=f"/admin/rewards/pointsaccount/{account.pk}/change/",
    )
    return Adjusted(approval=asked)


def adjusted_today(account: PointsAccount, points: int, by: User, now: datetime) -> int:
    """Points that a person has moved the same way on their own word on this day of the shop's calendar. One query."""
    day = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    amounts = PointsEntry.objects.filter(
        account__customer=account.customer_id, by=by, at__gte=day, key__startswith="adjust:"
    ).exclude(key__startswith="adjust:approval:")
    return sum(abs(n) for n in amounts.values_list("amount", flat=True) if (n > 0) == (points > 0))


def _adjust(
    account: PointsAccount, points: int, reason: str, by: User, now: datetime, *, key: str
) -> ActionLog:
    log = perform(
        ACCOUNT, account, "adjust", by=by, now=now, reason=reason, via="admin", data={"points": points}
    )
    act: dict[str, Any] = {
        "customer": account.customer,
        "key": key or f"adjust:{log.pk}",
        "by": by,
        "now": now,
        "reason": reason.strip(),
    }
    if points > 0:
        earn(points=points, **act)
    else:
        spend(points=-points, **act)
    return log


def approved(approval: Approval, by: User, now: datetime) -> None:
    """The second person's yes: done in the name of whoever asked."""
    account = PointsAccount.objects.select_related("customer").get(pk=approval.object_id)
    person = approval.requested_by or by
    asked = approval.payload
    _adjust(
        account,
        # Requests of an earlier version name them without the underscore.
        asked[POINTS] if POINTS in asked else asked["points"],
        asked[REASON] if REASON in asked else asked["reason"],
        person,
        now,
        key=f"adjust:approval:{approval.pk}",
    )
