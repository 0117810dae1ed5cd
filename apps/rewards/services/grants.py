"""The one way in which a customer is given something (R27, R49): limits, budget, reward and ledger together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.compliance.selectors import check
from apps.compliance.services.verdicts import Unlawful
from apps.compliance.types import Facts
from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted
from apps.core.models import ActionLog, User
from apps.core.services.files import IMAGES, store_file
from apps.core.workflow import check as check_move
from apps.core.workflow import perform
from apps.customers.choices import CustomerState
from apps.customers.models import Customer
from apps.customers.selectors import surviving
from apps.rewards import limits
from apps.rewards.choices import BY_HAND, CouponState, DeliveryState, GrantState, Purpose, RewardKind
from apps.rewards.models import Budget, Coupon, CouponType, Gift, GiftDelivery, Grant, PointsAccount
from apps.rewards.selectors import assess, held_by, who_decides
from apps.rewards.services import budgets, coupons, gifts, points
from apps.rewards.transitions import COUPON, DELIVERY, GRANT

ZERO = Decimal(0)
# What the law calls the reward (`compliance.types.Facts.reward`).
LEGAL_WORDS = {RewardKind.REFUND: "none", RewardKind.OTHER: "none"}
# Money that goes back to the customer: what exceeds the statutory part has a limit of its own (domain.md 6).
MONEY_BACK = frozenset({RewardKind.REFUND, RewardKind.DISCOUNT})


PROOFS = IMAGES | frozenset({"application/pdf"})


class ApprovalNeeded(NotPermitted):
    """Somebody else must agree; `permissions` in params are what they must hold."""

    code = "approval_needed"


class KeyReused(DomainError):
    """The key belongs to another grant."""

    code = "key_reused"


@dataclass(frozen=True, slots=True)
class Reward:
    """What is given. `text` is what the customer is told about it, checked like every promise."""

    kind: str
    coupon_type: CouponType | None = None
    points: int = 0
    gift: Gift | None = None
    text: str = ""

    def check(self) -> None:
        """Raises InvalidInput where the kind lacks what it needs."""
        if self.kind not in RewardKind.values:
            raise InvalidInput(_("Unknown reward."), field="kind")
        if self.kind == RewardKind.COUPON and self.coupon_type is None:
            raise InvalidInput(_("Which coupon?"), field="coupon_type")
        if self.kind == RewardKind.POINTS and self.points <= 0:
            raise InvalidInput(_("How many points?"), field="points")
        if self.kind == RewardKind.GIFT and self.gift is None:
            raise InvalidInput(_("Which gift?"), field="gift")

    def describe(self, cost: Decimal) -> str:
        """In a few words, as the ledger keeps it."""
        if self.kind == RewardKind.COUPON and self.coupon_type is not None:
            return self.coupon_type.name
        if self.kind == RewardKind.POINTS:
            return ngettext("%(count)d point", "%(count)d points", self.points) % {"count": self.points}
        if self.kind == RewardKind.GIFT and self.gift is not None:
            return self.gift.name
        return f"{RewardKind(self.kind).label} ¥{cost:.2f}"


def grant(
    *,
    key: str,
    kind: str,
    reward: Reward,
    customer: Customer,
    budget: Budget,
    subject_key: str,
    cost: Decimal,
    by: User | None,
    now: datetime,
    approved_by: Sequence[User] = (),
    note: str = "",
    owed: Decimal = ZERO,
    flags: frozenset[str] = frozenset(),
    judged: limits.Assessment | None = None,
    promised_at: datetime | None = None,
) -> Grant:
    """Give `reward` to `customer` once for `key`, at `cost` CNY from `budget`; the same key answers the same grant.

    `owed` is the part the law gives anyway (no goodwill, no limit). `flags` are those of `limits.FLAGS`. `by=None` is
    the program itself: it may nothing alone, so `approved_by` must cover it. Everything or nothing, in one transaction.

    `judged` is the answer of `selectors.assess` for a promise that this is a part of, from the day on which it was made:
    a part is not judged by itself then, nor by what was promised since. Whom it names must have agreed all the same.
    `promised_at` is that day: it counts there for the person's limits.

    Raises ApprovalNeeded (with `permissions`), budgets.BudgetExhausted or BudgetClosed, coupons.Refused,
    gifts.OutOfStock, Unlawful, InvalidInput, KeyReused.
    """
    known = _known(key, customer, reward)
    if known is not None:
        return known
    try:
        with transaction.atomic():
            return _grant(
                key=key,
                kind=kind,
                reward=reward,
                customer=customer,
                budget=budget,
                subject_key=subject_key,
                cost=cost,
                by=by,
                now=now,
                approved_by=approved_by,
                note=note,
                owed=owed,
                flags=flags,
                judged=judged,
                promised_at=promised_at,
            )
    except IntegrityError:
        # Somebody else was quicker with the same key.
        known = _known(key, customer, reward)
        if known is None:
            raise
        return known


def _known(key: str, customer: Customer, reward: Reward) -> Grant | None:
    found = Grant.objects.filter(key=key).select_related("customer").first()
    if found is None:
        return None
    same_person = surviving(found.customer).pk == surviving(customer).pk
    if not same_person or found.reward != reward.kind:
        raise KeyReused(_("Something else was given under this key already."))
    return found


def _grant(
    *,
    key: str,
    kind: str,
    reward: Reward,
    customer: Customer,
    budget: Budget,
    subject_key: str,
    cost: Decimal,
    by: User | None,
    now: datetime,
    approved_by: Sequence[User],
    note: str,
    owed: Decimal,
    flags: frozenset[str],
    judged: limits.Assessment | None,
    promised_at: datetime | None,
) -> Grant:
    reward.check()
    if kind not in Purpose.values:
        raise InvalidInput(_("Compensation or campaign?"), field="kind")
    cost, owed = Decimal(cost).quantize(coupons.CENT), Decimal(owed).quantize(coupons.CENT)
    if cost < 0 or not 0 <= owed <= cost:
        raise InvalidInput(_("A cost is not below zero, and no more of it is owed than it is."), field="cost")
    # Whoever gives the same customer, or the same colleague who gives, waits: caps and daily limits hold. Always in
    # this order: customer, colleague, reward, budget.
    person = Customer.objects.select_for_update(of=("self",), no_key=True).get(pk=surviving(customer).pk)
    if person.state != CustomerState.ACTIVE:
        raise IllegalMove(
            _("%(customer)s is “%(state)s”.")
            % {"customer": person.masked_name, "state": person.get_state_display()}
        )
    known = _known(key, person, reward)
    if known is not None:
        return known
    if by is not None:
        User.objects.select_for_update(of=("self",), no_key=True).filter(pk=by.pk).order_by().first()
    level = _check_people(
        reward=reward,
        customer=person,
        extra=cost - owed,
        flags=flags,
        by=by,
        now=now,
        approved_by=approved_by,
        judged=judged,
    )
    budgets.check_open(budget=budget, purpose=kind, now=now)
    _check_words(reward, now)
    row = Grant.objects.create(
        key=key,
        kind=kind,
        reward=reward.kind,
        what=reward.describe(cost)[:120],
        subject_key=subject_key,
        customer=person,
        budget=budget,
        cost=cost,
        owed=owed,
        is_goodwill=cost > owed,
        points=reward.points if reward.kind == RewardKind.POINTS else 0,
        level=level,
        promised_at=promised_at,
        note=note.strip()[:300],
        by=by,
        at=now,
    )
    row.approvers.set(approved_by)
    _hand_over(row, reward, by=by, now=now)
    budgets.book(budget_id=budget.pk, grant_id=row.pk, key=f"grant:{row.pk}", by=by, now=now, commit=cost)
    ActionLog.objects.create(
        model="rewards.grant",
        object_id=row.pk,
        verb="grant",
        to_state=GrantState.GRANTED,
        reason=row.note,
        by=by,
        at=now,
        data={"cost": str(cost), "subject": subject_key},
    )
    if reward.kind == RewardKind.POINTS:
        # Points are given at once: there is nothing to wait for.
        _pay(row, cost, now=now, by=by, key="paid")
    return row


def _check_people(
    *,
    reward: Reward,
    customer: Customer,
    extra: Decimal,
    flags: frozenset[str],
    by: User | None,
    now: datetime,
    approved_by: Sequence[User],
    judged: limits.Assessment | None,
) -> str:
    """The level that decided. Raises ApprovalNeeded or InvalidInput."""
    refund = extra if reward.kind in MONEY_BACK else ZERO
    found = judged or assess(
        by=by, customer=customer, goodwill=extra - refund, refund_extra=refund, flags=flags, now=now
    )
    if found.refusal:
        raise NotPermitted(found.refusal)
    others = [person for person in dict.fromkeys(approved_by) if person != by]
    if judged is not None:
        # Decided by people who might then; that one of them has left since takes nothing back from the customer.
        agreed = len(others) >= len(found.permissions)
    else:
        held = [held_by(person, found.permissions) for person in others if person.is_active]
        agreed = limits.covered(found.permissions, held)
    if not agreed:
        raise ApprovalNeeded(
            _("This needs the consent of %(people)s. %(why)s")
            % {"people": who_decides(found.permissions), "why": " ".join(found.words)},
            permissions=found.permissions,
        )
    return found.level


def _check_words(reward: Reward, now: datetime) -> None:
    """What the customer reads about it hangs on nothing and promises nothing unlawful. Raises Unlawful."""
    text = reward.text or (reward.gift.text if reward.gift else "")
    if not text.strip():
        return
    facts = Facts(
        subject="remedy",
        reward=LEGAL_WORDS.get(RewardKind(reward.kind), reward.kind),
        trigger="none",
        remedy_condition="none",
        review_script_required=False,
        invites_review=False,
    )
    findings = [*check(text, at=now), *check(text, facts=facts, at=now)]
    bad = [finding for finding in findings if finding.action == "block"]
    if bad:
        raise Unlawful(" ".join(dict.fromkeys(finding.message for finding in bad)), findings=bad)


def _hand_over(row: Grant, reward: Reward, *, by: User | None, now: datetime) -> None:
    if reward.kind == RewardKind.COUPON:
        assert reward.coupon_type is not None
        coupons.issue(kind=reward.coupon_type, customer=row.customer, grant=row, by=by, now=now)
    elif reward.kind == RewardKind.POINTS:
        points.earn(
            customer=row.customer,
            points=reward.points,
            key=f"grant:{row.pk}",
            by=by,
            now=now,
            reason=row.what,
            grant=row,
        )
    elif reward.kind == RewardKind.GIFT:
        assert reward.gift is not None
        gifts.take(gift=reward.gift, grant=row, now=now)


def _pay(
    row: Grant, actual: Decimal, *, now: datetime, by: User | None, key: str, **changes: object
) -> ActionLog:
    """What was set aside goes; what it really cost is spent."""
    log = perform(
        GRANT,
        row,
        "settle",
        by=by if key == "settle" else None,
        now=now,
        changes={"actual_cost": actual, "settled_at": now} | changes,
        data={"cost": str(actual)},
    )
    budgets.book(
        budget_id=row.budget_id,
        grant_id=row.pk,
        key=f"{key}:{row.pk}",
        by=by,
        now=now,
        commit=-row.cost,
        spend=actual,
    )
    return log


@transaction.atomic
def settle(
    *,
    grant: Grant,
    actual_cost: Decimal,
    proof: str,
    by: User,
    now: datetime,
    proof_file: File | None = None,
) -> ActionLog:
    """Cash, a refund or the like was paid: what it cost, and the proof (a number, a picture).

    Never more than was agreed to. Coupons, points and gifts settle themselves.
    """
    if grant.reward not in BY_HAND:
        raise IllegalMove(_("Coupons, points and gifts settle themselves."))
    actual = Decimal(actual_cost).quantize(coupons.CENT)
    if not 0 <= actual <= grant.cost:
        raise InvalidInput(
            _("At most ¥%(cost)s was agreed to.") % {"cost": f"{grant.cost:.2f}"}, field="actual_cost"
        )
    if len(proof.strip()) < 2 and proof_file is None:
        raise InvalidInput(_("What proves the payment? A number or a picture."), field="proof")
    check_move(GRANT, grant, "settle", by=by, reason="")
    stored = store_file(upload=proof_file, by=by, now=now, allowed=PROOFS) if proof_file is not None else None
    return _pay(
        grant,
        actual,
        now=now,
        by=by,
        key="settle",
        proof=proof.strip()[:300],
        proof_file_id=stored.pk if stored else None,
    )


@transaction.atomic
def reverse(*, grant: Grant, reason: str, by: User | None, now: datetime, via: str = "") -> ActionLog:
    """Take a grant back, once: the coupon becomes void, points and stock go back, the budget gets its money back.

    Refused where the customer has used it already: a redeemed coupon, spent points, a gift that is on its way.
    """
    # First what the customer holds, then the grant: the order in which redeeming and sending lock them.
    if grant.reward == RewardKind.COUPON:
        _void_coupon(grant, reason, now)
    elif grant.reward == RewardKind.GIFT:
        _cancel_gift(grant, reason, now)
    elif grant.reward == RewardKind.POINTS:
        # The accounts are locked by what is taken back; a second person who reverses fails at the grant below.
        list(
            PointsAccount.objects.select_for_update(of=("self",), no_key=True).filter(
                customer=grant.customer_id
            )
        )
    before = Grant.objects.select_for_update(of=("self",), no_key=True).get(pk=grant.pk)
    grant.status, grant.actual_cost = before.status, before.actual_cost
    log = perform(
        GRANT, grant, "reverse", by=by, now=now, reason=reason, via=via, changes={"reversed_at": now}
    )
    if grant.reward == RewardKind.POINTS:
        points.reverse(key=f"grant:{grant.pk}", by=by, now=now, reason=reason)
    settled = before.status == GrantState.SETTLED
    budgets.book(
        budget_id=grant.budget_id,
        grant_id=grant.pk,
        key=f"reverse:{grant.pk}",
        by=by,
        now=now,
        commit=ZERO if settled else -grant.cost,
        spend=-(before.actual_cost or ZERO) if settled else ZERO,
    )
    return log


def _void_coupon(grant: Grant, reason: str, now: datetime) -> None:
    coupon = Coupon.objects.select_for_update(of=("self",), no_key=True).get(grant=grant)
    if coupon.status == CouponState.REDEEMED:
        raise IllegalMove(_("The coupon has been redeemed already."))
    if coupon.status == CouponState.ISSUED:
        perform(COUPON, coupon, "void", by=None, now=now, reason=reason, via="grant")


def _cancel_gift(grant: Grant, reason: str, now: datetime) -> None:
    delivery = GiftDelivery.objects.select_for_update(of=("self",), no_key=True).get(grant=grant)
    if delivery.status in (DeliveryState.SENT, DeliveryState.DELIVERED):
        raise IllegalMove(_("The gift is on its way already."))
    if delivery.status in (DeliveryState.TO_SEND, DeliveryState.RETURNED):
        perform(DELIVERY, delivery, "cancel", by=None, now=now, reason=reason, via="grant")
        gifts.put_back(delivery=delivery, now=now)
