"""Offers: prepared, approved, made, answered, carried out (R27)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import override

from apps.compliance.services import verdicts
from apps.compliance.types import Facts, worst
from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError, InvalidInput, NotPermitted, StaleState
from apps.core.models import ActionLog, Approval, User
from apps.core.services import approvals
from apps.core.services.files import IMAGES, store_file
from apps.core.services.notices import notify
from apps.core.workflow import check as check_move
from apps.core.workflow import perform
from apps.customers.models import Customer, Order
from apps.customers.selectors import surviving
from apps.feedback.choices import ContactMethod, Status, Tier
from apps.feedback.models import Feedback
from apps.feedback.services import moves as feedback_moves
from apps.feedback.services import replies as answers
from apps.messaging.choices import MessageChannel
from apps.repairs.choices import (
    LIVE_OFFERS,
    OFFER_KEY,
    Liability,
    OfferStatus,
    RemedyKind,
    RemedyStatus,
    RepairStatus,
)
from apps.repairs.guards import unmet
from apps.repairs.models import Offer, Remedy, RemedyType, RepairCase
from apps.repairs.selectors.facts import facts_of, for_update, live_offer, next_due, read_offer
from apps.repairs.selectors.promised import promised
from apps.repairs.services.costs import recount
from apps.repairs.services.moving import move
from apps.repairs.services.moving import refuse as refuse_move
from apps.repairs.transitions import OFFER, REMEDY, REPAIR, WORK
from apps.rewards import limits
from apps.rewards.choices import BY_HAND, GrantState
from apps.rewards.models import Budget, CouponType, Gift, Grant, PointsAccount
from apps.rewards.selectors import assess, open_budgets
from apps.rewards.services import grants
from apps.shop.choices import WorkKind
from apps.shop.models import WorkItem
from apps.shop.transitions import WORK_ITEM

ZERO = Decimal(0)
KINDS = ("repairs.offer", "repairs.offer_second")
#: What one point is worth, CNY: the usual hundred points for one yuan.
POINT = Decimal("0.01")
PROOFS = IMAGES | frozenset({"application/pdf"})
#: Remedies that are money beyond the goods: what exceeds the statutory part is a refund beyond the law.
MONEY_BACK = frozenset({RemedyKind.REFUND, RemedyKind.RETURN, RemedyKind.DISCOUNT})
#: Remedies that rewards issue by themselves.
ISSUED = {RemedyKind.COUPON: "coupon", RemedyKind.POINTS: "points", RemedyKind.GIFT: "gift"}
PAID = {RemedyKind.REFUND: "refund", RemedyKind.RETURN: "refund", RemedyKind.DISCOUNT: "discount"}


@dataclass(frozen=True, slots=True)
class Line:
    """One remedy as somebody wants to offer it. Amounts are CNY; `statutory` is the part the law gives anyway."""

    type: RemedyType
    amount: Decimal = ZERO
    statutory: Decimal = ZERO
    note: str = ""
    coupon_type: CouponType | None = None
    gift: Gift | None = None
    points: int = 0
    due_at: datetime | None = None


def prepare(
    *,
    case: RepairCase,
    text: str,
    lines: Sequence[Line],
    by: User,
    now: datetime,
    liability: Sequence[str] = (),
    via: str = "admin",
) -> Offer:
    """Write an offer down, after the talk and before the customer hears it.

    Above the writer's limit a second person is asked (domain.md 6); the offer then waits. Raises InvalidInput, IllegalMove
    (no talk yet), Unlawful where the words tie it to the review: the refusal is kept as a verdict.
    """
    check_move(REPAIR, case, "propose", by=by, reason="")
    text = text.strip()
    if len(text) < 4:
        raise InvalidInput(_("Write what you offer, in the words the customer will hear."), field="text")
    if not lines:
        raise InvalidInput(_("Choose at least one remedy."), field="remedies")
    unknown = [code for code in liability if code not in Liability.values]
    if unknown:
        raise InvalidInput(_("Unknown value “%(value)s”.") % {"value": unknown[0]}, field="liability")
    conditional, findings = read_offer(case, text, now=now)
    if conditional or worst(findings) == "block":
        verdicts.keep(
            findings=findings,
            text=text,
            facts=Facts(subject="remedy", trigger="none"),
            by=by,
            now=now,
            subject_key=f"repair:{case.pk}",
            url=page_of(case.pk),
        )
        raise verdicts.Unlawful(
            _("An offer hangs on nothing. Take out what speaks of the review: %(rule)s.")
            % {"rule": findings[0].title if findings else _("the words ask for the review to be changed")},
            findings=findings,
            field="text",
        )
    lines = [_checked(line, now=now) for line in lines]
    with transaction.atomic():
        locked = for_update(case.pk)
        check_move(REPAIR, locked, "propose", by=by, reason="")
        if locked.customer_id is None and any(_reward_of(line.type, line.amount) for line in lines):
            # Whose limits would count?
            raise InvalidInput(
                _(
                    "The customer is not known: enter them on the feedback before you promise something of value."
                ),
                field="remedies",
            )
        lines = due_by_law(locked, lines)
        goodwill, refund_extra, statutory = sums(lines)
        if locked.customer_id is not None:
            # As in `rewards`: the customer, then the colleague. Two offers written at once see each other.
            Customer.objects.select_for_update(of=("self",), no_key=True).get(pk=locked.customer_id)
        User.objects.select_for_update(of=("self",), no_key=True).get(pk=by.pk)
        judged = assess(
            by=by,
            customer=locked.customer,
            goodwill=goodwill,
            refund_extra=refund_extra,
            flags=frozenset(liability),
            now=now,
            items=sum(line.amount > line.statutory for line in lines),
            waiting=promised(by=by, customer=locked.customer, now=now),
        )
        if judged.refusal:
            raise NotPermitted(judged.refusal)
        number = Offer.objects.filter(case=locked).count() + 1
        try:
            with transaction.atomic():
                offer = Offer.objects.create(
                    case=locked,
                    number=number,
                    text=text,
                    goodwill=goodwill,
                    refund_extra=refund_extra,
                    statutory=statutory,
                    liability=list(liability),
                    reasons=[str(word) for word in judged.words],
                    needs=list(judged.permissions),
                    level=judged.level,
                    customer=locked.customer,
                    by=by,
                    created_at=now,
                    updated_at=now,
                )
        except IntegrityError:
            raise InvalidInput(
                _("There is an offer already. Take it back before you write another."), field="text"
            ) from None
        Remedy.objects.bulk_create(
            [
                Remedy(
                    offer=offer,
                    type=line.type,
                    amount=line.amount,
                    statutory=line.statutory,
                    note=line.note[:300],
                    coupon_type=line.coupon_type,
                    gift=line.gift,
                    points=line.points,
                    due_at=line.due_at,
                    updated_at=now,
                )
                for line in lines
            ]
        )
        if judged.permissions:
            perform(OFFER, offer, "ask", by=by, now=now, via=via)
            _ask(offer, by=by, now=now)
        else:
            perform(OFFER, offer, "release", by=by, now=now, via=via)
    return offer


def _checked(line: Line, *, now: datetime) -> Line:
    """A line with its amount and due date put right; refused where it cannot be kept or the law forbids it."""
    kind, label = RemedyKind(line.type.kind), str(line.type)
    if line.amount < 0 or line.statutory < 0 or line.statutory > line.amount:
        raise InvalidInput(
            _("%(remedy)s: the part due by law cannot be more than the whole.") % {"remedy": label},
            field="remedies",
        )
    amount = line.amount
    if kind == RemedyKind.COUPON:
        if line.coupon_type is None:
            raise InvalidInput(_("%(remedy)s: choose which coupon.") % {"remedy": label}, field="remedies")
        if line.coupon_type.face_value is None:
            raise InvalidInput(
                _("%(remedy)s: choose one that is worth an amount.") % {"remedy": label}, field="remedies"
            )
        amount = line.coupon_type.face_value
    elif kind == RemedyKind.GIFT:
        if line.gift is None:
            raise InvalidInput(_("%(remedy)s: choose which gift.") % {"remedy": label}, field="remedies")
        amount = line.gift.cost
    elif kind == RemedyKind.POINTS:
        if line.points <= 0:
            raise InvalidInput(_("%(remedy)s: say how many points.") % {"remedy": label}, field="remedies")
        amount = line.points * POINT
    elif kind in MONEY_BACK and amount <= 0:
        raise InvalidInput(_("%(remedy)s: say how much money.") % {"remedy": label}, field="remedies")
    due = line.due_at or now + timedelta(days=line.type.due_days)
    if due <= now:
        raise InvalidInput(
            _("%(remedy)s: the due date lies in the past.") % {"remedy": label}, field="remedies"
        )
    if line.type.legal_days and due > now + timedelta(days=line.type.legal_days, minutes=1):
        raise InvalidInput(
            _("%(remedy)s: by law within %(days)d days (%(law)s).")
            % {"remedy": label, "days": line.type.legal_days, "law": line.type.law or "–"},
            field="remedies",
        )
    return Line(
        type=line.type,
        amount=amount,
        statutory=line.statutory,
        note=line.note,
        coupon_type=line.coupon_type,
        gift=line.gift,
        points=line.points,
        due_at=due,
    )


def due_by_law(case: RepairCase, lines: Sequence[Line]) -> list[Line]:
    """The lines with what of each counts as due by law: goods sent, repaired or exchanged, and money said to be due.

    All of it is at most what the customer paid for the order, less what was booked or offered as due on any repair of
    it: the rest counts as beyond the law, so that nobody passes their limit by a word. Without a known order everything
    does. Locks the order, so that two repairs of one purchase see each other.
    """
    order_id, paid = case.feedback.order_id, ZERO
    repairs = {case.pk}
    if order_id is not None:
        order = Order.objects.select_for_update(of=("self",), no_key=True).get(pk=order_id)
        paid = order.total or ZERO
        repairs |= set(RepairCase.objects.filter(feedback__order=order_id).values_list("pk", flat=True))
    booked = Grant.objects.filter(subject_key__in=[f"repair:{pk}" for pk in repairs]).exclude(
        status=GrantState.REVERSED
    )
    offered = Remedy.objects.filter(
        offer__case__in=repairs, offer__status__in=LIVE_OFFERS, status=RemedyStatus.PLANNED
    )
    left = paid - sum(
        (
            booked.aggregate(sum=Sum("owed"))["sum"] or ZERO,
            offered.aggregate(sum=Sum("statutory"))["sum"] or ZERO,
        )
    )
    found = []
    for line in lines:
        if line.type.kind in MONEY_BACK:
            claimed = line.statutory
        else:
            claimed = ZERO if line.type.is_goodwill else line.amount
        part = max(ZERO, min(claimed, left))
        left -= part
        found.append(replace(line, statutory=part))
    return found


def sums(lines: Sequence[Line]) -> tuple[Decimal, Decimal, Decimal]:
    """(goodwill, money beyond the law, due by law) in CNY, of lines of which `due_by_law` has told the lawful part."""
    goodwill = extra = statutory = ZERO
    for line in lines:
        statutory += line.statutory
        if line.type.is_goodwill and line.type.kind not in MONEY_BACK:
            goodwill += line.amount - line.statutory
        else:
            extra += line.amount - line.statutory
    return goodwill, extra, statutory


def _ask(offer: Offer, *, by: User, now: datetime) -> None:
    case = offer.case
    paid = case.feedback.order.total if case.feedback.order is not None else None
    for kind, permission in zip(KINDS, offer.needs, strict=False):
        approvals.ask(
            kind=kind,
            record=offer,
            title=_("Offer on %(number)s: %(amount)s CNY") % {"number": case.number, "amount": offer.total},
            permission=permission,
            by=by,
            now=now,
            summary=offer.text,
            payload={
                str(_("remedies")): "; ".join(
                    f"{remedy.type} {remedy.amount}" if remedy.amount else str(remedy.type)
                    for remedy in offer.remedies.select_related("type")
                ),
                str(_("goodwill (CNY)")): str(offer.goodwill),
                str(_("beyond the statutory refund (CNY)")): str(offer.refund_extra),
                str(_("due by law (CNY)")): str(offer.statutory),
                str(_("paid for the order (CNY)")): str(paid) if paid is not None else "–",
                str(_("special liability")): "; ".join(offer.liabilities()) or "–",
                str(_("why a second person")): " ".join(offer.reasons),
                "_permission": permission,
            },
            url=page_of(case.pk),
        )


def approved(approval: Approval, by: User, now: datetime) -> None:
    """A second person's yes. Where two must agree, they are two people."""
    offer = Offer.objects.select_for_update(of=("self",), no_key=True).get(pk=approval.object_id)
    permission = str(approval.payload.get("_permission"))
    if by.pk == offer.by_id:
        raise NotPermitted(_("You asked for this yourself: a second person decides."))
    if by.pk in offer.approved_by.values():
        raise NotPermitted(_("You have approved this already: another person has to agree as well."))
    given = offer.approved_by | {permission: by.pk}
    Offer.objects.filter(pk=offer.pk).update(approved_by=given, updated_at=now)
    offer.approved_by = given
    if set(offer.needs) <= set(given):
        perform(OFFER, offer, "release", by=None, now=now, via="approval", data={"approved_by": given})


def rejected(approval: Approval, by: User, now: datetime) -> None:
    """A second person's no: the offer is taken back, the writer writes another."""
    offer = Offer.objects.select_for_update(of=("self",), no_key=True).get(pk=approval.object_id)
    if offer.status in (OfferStatus.WAITING, OfferStatus.DRAFT):
        perform(OFFER, offer, "cancel", by=None, now=now, reason=approval.reason, via="approval")
    # Whoever decides the other request just now holds it and waits for the offer: theirs is left alone.
    _call_off(offer, now=now, skip_locked=True)


def _call_off(offer: Offer, *, now: datetime, skip_locked: bool = False) -> None:
    """Nobody decides this offer any more. Deciding locks the request, then the offer: so does whoever calls this first."""
    waiting = Approval.objects.select_for_update(of=("self",), skip_locked=skip_locked, no_key=True).filter(
        kind__in=KINDS, model="repairs.offer", object_id=offer.pk, state="pending"
    )
    for approval in waiting.order_by("pk"):
        approvals.withdraw(approval=approval, by=None, now=now, reason=_("The offer was taken back."))
    _drop_words(offer, _("The offer was taken back."), now=now)


def _drop_words(offer: Offer, why: str, *, now: datetime) -> None:
    """Its words may wait for somebody: nobody is told an offer that is off, or told already."""
    answers.drop_held(feedback_id=offer.case.feedback_id, token=f"{OFFER_KEY}{offer.pk}", now=now, reason=why)


@transaction.atomic
def take_back(*, offer: Offer, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Take back an offer the customer has not heard yet, to write another."""
    case = for_update(offer.case_id)
    if case.status not in (RepairStatus.CONTACTED, RepairStatus.RENEGOTIATE):
        raise DomainError(_("The customer has heard this offer already: it holds."))
    if answers.is_out(case.feedback_id, f"{OFFER_KEY}{offer.pk}"):
        raise DomainError(
            _("Its words are on their way to the customer: it holds. Press “%(move)s” now.")
            % {"move": REPAIR.get("propose").label}  # type: ignore[union-attr]
        )
    _call_off(offer, now=now)
    offer.refresh_from_db()
    return perform(OFFER, offer, "cancel", by=by, now=now, reason=reason, via=via)


def drop_offer(case: RepairCase, *, by: User | None, now: datetime, reason: str) -> None:
    """The talks have ended: what was not agreed is off the table."""
    offer = live_offer(case)
    if offer is None or offer.status == OfferStatus.ACCEPTED:
        return
    _call_off(offer, now=now)
    # Approved meanwhile, perhaps.
    offer.refresh_from_db()
    verb = "refuse" if offer.status == OfferStatus.MADE else "cancel"
    perform(OFFER, offer, verb, by=by, now=now, reason=reason)


def propose(
    *,
    case: RepairCase,
    how: str,
    by: User,
    now: datetime,
    send_by: str = "",
    via: str = "admin",
) -> ActionLog:
    """The customer hears the offer: told by a person (`how`), or sent (`send_by`, a message channel).

    Counts as plan given for S. Raises GuardFailed, and whatever sending a reply raises. A text that a rule holds for a
    second person (Held) leaves the case where it is; what they are asked is kept. Once they agree the text goes out, and
    the move is made by pressing the button again, which sends nothing twice.
    """
    if send_by and send_by not in MessageChannel.values:
        raise InvalidInput(_("Unknown value “%(value)s”.") % {"value": send_by}, field="how")
    if not send_by and how not in ContactMethod.values:
        raise InvalidInput(_("Say how the customer was contacted."), field="how")
    if how == ContactMethod.PUBLIC_REPLY or send_by == MessageChannel.PUBLIC_REPLY:
        raise InvalidInput(_("An offer is made to the customer alone, not in public."), field="how")
    if not send_by:
        return _made(case, None, how=how, by=by, now=now, via=via)
    current = RepairCase.objects.select_related("feedback", "channel").get(pk=case.pk)
    check_move(REPAIR, current, "propose", by=by, reason="")
    refuse_move("propose", unmet("propose", facts_of(current, by=by, now=now)))
    offer = live_offer(current)
    assert offer is not None, "the guard saw it"
    # Before the transaction: what the law holds or blocks stays written down, though the offer is not made.
    answer = answers.Reply(channel=send_by, text=offer.text, token=f"{OFFER_KEY}{offer.pk}")
    answers.clear(feedback=current.feedback, reply=answer, by=by, now=now)
    with transaction.atomic():
        log = _made(case, offer, how="", by=by, now=now, via=via)
        answers.send_cleared(feedback=current.feedback, reply=answer, by=by, now=now)
    return log


@transaction.atomic
def _made(case: RepairCase, meant: Offer | None, *, how: str, by: User, now: datetime, via: str) -> ActionLog:
    """The offer is made; `how` it was told, empty where a message says it, with the words of the offer that is `meant`."""
    log = move(case, "propose", by=by, now=now, via=via, changes={"proposed_at": case.proposed_at or now})
    offer = live_offer(case)
    assert offer is not None, "the guard saw it"
    if meant is not None and offer.pk != meant.pk:
        raise StaleState(_("Somebody else has just written another offer. Look at it before you go on."))
    if how:
        _drop_words(offer, _("The customer was told by telephone or in person."), now=now)
    perform(OFFER, offer, "make", by=by, now=now, via=via, changes={"made_at": now})
    feedback = Feedback.objects.get(pk=case.feedback_id)
    if how and feedback.is_open:
        feedback_moves.record_contact(feedback=feedback, how=how, said=offer.text, by=by, now=now, via=via)
    if feedback.is_open and feedback.tier == Tier.S:
        feedback.refresh_from_db()
        feedback_moves.give_plan(feedback=feedback, said=offer.text, by=by, now=now, via=via)
    return log


@transaction.atomic
def accept(*, case: RepairCase, by: User, now: datetime, note: str = "", via: str = "admin") -> ActionLog:
    """The customer says yes."""
    log = move(
        case, "accept", by=by, now=now, reason=note, via=via, changes={"accepted_at": case.accepted_at or now}
    )
    offer = live_offer(case)
    if offer is not None:
        perform(OFFER, offer, "accept", by=by, now=now, via=via, changes={"answer": note.strip()})
    return log


@transaction.atomic
def refuse(*, case: RepairCase, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """The customer wants something else: the offer is off, what they ask for stands on the case."""
    log = move(
        case,
        "refuse",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"renegotiations": case.renegotiations + 1, "wishes": reason.strip()},
    )
    offer = live_offer(case)
    if offer is not None:
        _call_off(offer, now=now)
        perform(OFFER, offer, "refuse", by=by, now=now, via=via, changes={"answer": reason.strip()})
    return log


@transaction.atomic
def renegotiate(*, case: RepairCase, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """The remedy did not do: a new offer is made."""
    return move(
        case,
        "renegotiate",
        by=by,
        now=now,
        reason=reason,
        via=via,
        changes={"renegotiations": case.renegotiations + 1, "wishes": reason.strip()},
    )


@transaction.atomic
def call_off(*, case: RepairCase, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """What was agreed cannot be carried out (sold out, no such courier): the offer is off, another is due.

    Only while nothing of it is under way. It is the shop that fails here, so it counts as no new offer.
    """
    log = move(case, "call_off", by=by, now=now, reason=reason, via=via)
    offer = live_offer(case)
    if offer is not None:
        for remedy in offer.remedies.all():
            if remedy.status == RemedyStatus.PLANNED:
                perform(REMEDY, remedy, "cancel", by=by, now=now, reason=reason, via=via)
        _call_off(offer, now=now)
        perform(OFFER, offer, "cancel", by=by, now=now, reason=reason, via=via)
    return log


@transaction.atomic
def execute(*, case: RepairCase, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Carry the accepted offer out: money and coupons are booked once, departments and stores get their work.

    Whatever a budget or a limit refuses takes the whole step back. Raises GuardFailed, and what `rewards` raises.
    """
    log = move(case, "execute", by=by, now=now, via=via)
    offer = live_offer(case)
    assert offer is not None, "the guard saw it"
    # It counts as the promise of whoever wrote it; the person who presses the button need not be allowed to promise.
    approvers = list(User.objects.filter(pk__in=offer.approved_by.values()))
    planned = offer.remedies.filter(status=RemedyStatus.PLANNED)
    remedies = list(planned.select_related("type", "type__department", "coupon_type", "gift"))
    _lock_rewards(case, offer, remedies, now=now)
    for remedy in remedies:
        perform(REMEDY, remedy, "begin", by=by, now=now, via=via)
        _book(case, offer, remedy, by=by, approvers=approvers, now=now)
        _hand_over(case, remedy, by=by, now=now)
        # What is issued by a row in our own books is done with it.
        if remedy.type.kind in (RemedyKind.COUPON, RemedyKind.POINTS) and remedy.grant_id:
            perform(
                REMEDY,
                remedy,
                "finish",
                by=by,
                now=now,
                via=via,
                changes={
                    "done_at": now,
                    "done_by_id": by.pk,
                    "actual_cost": remedy.amount,
                    "proof_note": _("issued by the system"),
                },
            )
    due = next_due(case, RepairStatus.EXECUTING, now=now)
    RepairCase.objects.filter(pk=case.pk).update(next_due_at=due)
    case.cost, case.next_due_at = recount(case.pk, now=now), due
    return log


def _book(
    case: RepairCase, offer: Offer, remedy: Remedy, *, by: User, approvers: list[User], now: datetime
) -> None:
    reward = _reward_of(remedy.type, remedy.amount)
    if not reward:
        return
    if case.customer is None:
        raise InvalidInput(
            _("%(remedy)s: the customer is not known; enter them on the feedback first.")
            % {"remedy": remedy.type},
            field="remedies",
        )
    grant = grants.grant(
        key=f"repairs.remedy:{remedy.pk}",
        kind="compensation",
        reward=grants.Reward(
            kind=reward, coupon_type=remedy.coupon_type, points=remedy.points, gift=remedy.gift
        ),
        customer=case.customer,
        budget=_budget(case, remedy.amount, now=now),
        subject_key=f"repair:{case.pk}",
        cost=remedy.amount,
        owed=remedy.statutory,
        flags=frozenset(offer.liability),
        # Corrected to somebody else since: what that customer has had already was not asked then.
        judged=limits.Assessment(offer.level, tuple(offer.needs))
        if _same(offer.customer, case.customer)
        else None,
        promised_at=offer.created_at,
        by=offer.by,
        now=now,
        approved_by=approvers,
        note=f"{offer} · {remedy.type}",
    )
    Remedy.objects.filter(pk=remedy.pk).update(grant=grant)
    remedy.grant = grant


def _reward_of(kind: RemedyType, amount: Decimal) -> str:
    """What rewards call it; empty where nothing is booked."""
    code = RemedyKind(kind.kind)
    return ISSUED.get(code) or PAID.get(code) or ("other" if amount > 0 else "")


def _same(one: Customer | None, other: Customer | None) -> bool:
    return one is not None and other is not None and surviving(one).pk == surviving(other).pk


def _lock_rewards(case: RepairCase, offer: Offer, remedies: Sequence[Remedy], *, now: datetime) -> None:
    """Everything that carrying out will book, in one order: customer, colleague, rewards, budgets. Two offers at once,

    with a coupon and a gift each, would else wait for each other.
    """
    if case.customer_id is None:
        return
    free = {"of": ("self",), "no_key": True}
    list(Customer.objects.select_for_update(**free).filter(pk=case.customer_id))
    list(User.objects.select_for_update(**free).filter(pk=offer.by_id).order_by())
    kinds = {row.coupon_type_id for row in remedies if row.coupon_type_id}
    gifts = {row.gift_id for row in remedies if row.gift_id}
    list(CouponType.objects.select_for_update(**free).filter(pk__in=kinds).order_by("pk"))
    list(Gift.objects.select_for_update(**free).filter(pk__in=gifts).order_by("pk"))
    if any(row.points for row in remedies):
        list(PointsAccount.objects.select_for_update(**free).filter(customer=case.customer_id).order_by("pk"))
    budgets = list(
        open_budgets(purpose="compensation", now=now, store_id=case.store_id).values_list("pk", flat=True)
    )
    list(Budget.objects.select_for_update(**free).filter(pk__in=budgets).order_by("pk"))


def _budget(case: RepairCase, cost: Decimal, *, now: datetime) -> Budget:
    """The budget it is paid from: the store's own first, the first that has room."""
    budgets = list(open_budgets(purpose="compensation", now=now, store_id=case.store_id))
    if not budgets:
        raise InvalidInput(_("No budget for compensation is open today. Ask your lead to open one."))
    return next((budget for budget in budgets if budget.left >= cost), budgets[0])


def _hand_over(case: RepairCase, remedy: Remedy, *, by: User, now: datetime) -> None:
    """Work for whoever carries it out: the store, or the department of the remedy."""
    store = case.store if remedy.type.by_store else None
    department = remedy.type.department
    if store is None and department is None:
        return
    item, _made = WorkItem.objects.get_or_create(
        origin_key=f"repairs.remedy:{remedy.pk}",
        defaults={
            "kind": WorkKind.TASK,
            "title": f"{case.number} · {remedy.type}"[:200],
            "body": remedy.note or remedy.offer.text[:300],
            "store": store,
            "department": None if store is not None else department,
            "due_at": remedy.due_at,
            "url": page_of(case.pk),
        },
    )
    Remedy.objects.filter(pk=remedy.pk).update(work=item)
    remedy.work = item


def _close_work(remedy: Remedy, verb: str, words: str, *, now: datetime) -> None:
    """The work that was handed over ends with its remedy, unless whoever has it was quicker."""
    if remedy.work_id is None:
        return
    item = WorkItem.objects.select_for_update(of=("self",), no_key=True).get(pk=remedy.work_id)
    step = WORK_ITEM.get(verb)
    if step is not None and item.status in step.sources:
        changes = {"evidence": words, "done_at": now} if verb == "finish" else {}
        perform(WORK_ITEM, item, verb, by=None, now=now, reason=words, via="repair", changes=changes)


@transaction.atomic
def finish_remedy(
    *,
    remedy: Remedy,
    by: User,
    now: datetime,
    carrier: str = "",
    tracking_no: str = "",
    proof_note: str = "",
    actual_cost: Decimal | None = None,
    proof: File | None = None,
    via: str = "admin",
) -> ActionLog:
    """One remedy is done. What its kind must show has to be there: a tracking number, a picture of the refund."""
    case = for_update(remedy.offer.case_id)
    remedy = Remedy.objects.select_related("type", "grant", "offer", "work").get(pk=remedy.pk)
    if case.status != RepairStatus.EXECUTING:
        raise DomainError(_("Remedies are finished while the case is being carried out."))
    kind = remedy.type
    if kind.needs_tracking and len(tracking_no.strip()) < 4:
        raise InvalidInput(_("Enter the tracking number."), field="tracking_no")
    if kind.needs_proof and proof is None and not kind.needs_tracking:
        raise InvalidInput(_("Add a picture or document that proves it."), field="proof")
    if actual_cost is not None and actual_cost < 0:
        raise InvalidInput(_("A cost cannot be below zero."), field="actual_cost")
    paid = remedy.amount if actual_cost is None else actual_cost
    if paid > remedy.amount:
        raise InvalidInput(
            _("More than was approved (%(amount)s CNY): make a new offer instead.")
            % {"amount": remedy.amount},
            field="actual_cost",
        )
    stored = store_file(upload=proof, by=by, now=now, allowed=PROOFS) if proof is not None else None
    log = perform(
        REMEDY,
        remedy,
        "finish",
        by=by,
        now=now,
        via=via,
        changes={
            "carrier": carrier.strip()[:40],
            "tracking_no": tracking_no.strip()[:64],
            "proof_note": proof_note.strip()[:300],
            "proof_id": stored.pk if stored else None,
            "actual_cost": paid,
            "done_at": now,
            "done_by_id": by.pk,
        },
    )
    shown = [carrier.strip(), tracking_no.strip(), proof_note.strip(), stored.name if stored else ""]
    _close_work(remedy, "finish", " ".join(filter(None, shown)) or str(remedy.type), now=now)
    if (
        remedy.grant is not None
        and remedy.grant.reward in BY_HAND
        and remedy.grant.status == GrantState.GRANTED
    ):
        grants.settle(
            grant=remedy.grant,
            actual_cost=paid,
            proof=proof_note.strip() or tracking_no.strip() or (stored.name if stored else ""),
            by=by,
            now=now,
        )
        recount(case.pk, now=now)
    RepairCase.objects.filter(pk=case.pk).update(
        next_due_at=next_due(case, RepairStatus.EXECUTING, now=now), updated_at=now
    )
    return log


@transaction.atomic
def cancel_remedy(*, remedy: Remedy, reason: str, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Not needed any more: what was booked for it goes back to the budget, once; whoever had the work is told.

    Where it was the only one, a lead calls the offer off and another is made.
    """
    case = for_update(remedy.offer.case_id)
    remedy = Remedy.objects.select_related("type", "grant", "offer", "work").get(pk=remedy.pk)
    if case.status != RepairStatus.EXECUTING:
        raise DomainError(_("Remedies are cancelled while the case is being carried out."))
    log = perform(REMEDY, remedy, "cancel", by=by, now=now, reason=reason, via=via)
    if remedy.grant is not None and remedy.grant.status != GrantState.REVERSED:
        grants.reverse(grant=remedy.grant, reason=reason, by=None, now=now)
    _close_work(remedy, "cancel", reason, now=now)
    RepairCase.objects.filter(pk=case.pk).update(
        next_due_at=next_due(case, RepairStatus.EXECUTING, now=now), updated_at=now
    )
    recount(case.pk, now=now)
    return log


@transaction.atomic
def complete(*, case: RepairCase, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Every remedy is done and proven: the feedback is resolved, a callback is planned."""
    from apps.repairs.services.callbacks import plan

    log = move(case, "complete", by=by, now=now, via=via, changes={"executed_at": now})
    offer = live_offer(case)
    if offer is not None:
        perform(OFFER, offer, "finish", by=by, now=now, via=via)
    feedback = Feedback.objects.get(pk=case.feedback_id)
    if feedback.status in (Status.ASSIGNED, Status.IN_PROGRESS, Status.WAITING):
        with override("zh-hans"):
            done = "; ".join(str(remedy.type) for remedy in (offer.remedies.all() if offer else ()))
        feedback_moves.resolve(feedback=feedback, by=by, now=now, reason=done or _("Carried out."), via=via)
    plan(case=case, by=by, now=now)
    return log


def page_of(case_id: int) -> str:
    """The address of a repair's page."""
    return f"/admin/repairs/repaircase/{case_id}/change/"


def tell_handler(case: RepairCase, title: str, *, now: datetime, key: str, urgent: bool = False) -> None:
    """Tell whoever has the case."""
    feedback = case.feedback
    who = feedback.assignee_id or case.handler_id
    if who is not None:
        notify(
            recipients=[who],
            level=NoticeLevel.URGENT if urgent else NoticeLevel.INFO,
            title=title,
            body=feedback.snippet,
            url=page_of(case.pk),
            key=key,
            now=now,
        )


def may_prepare(user: Any) -> bool:
    """Whether a person may write offers."""
    return bool(user.has_perm(WORK))
