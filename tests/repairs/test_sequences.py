"""Whatever people try, in whatever order: nobody is invited twice, nothing is paid twice, no budget is exceeded, no outcome
stands without its evidence. And each guard is needed: without it, one of these sequences breaks a promise.

What happened is judged by an account of its own (`Witness`), never by the facts that the guards are told.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.callbacks.models import Callback
from apps.core.exceptions import DomainError
from apps.core.models import Approval
from apps.core.services import approvals
from apps.feedback.models import Feedback, FeedbackChange
from apps.messaging.models import OutboundMessage
from apps.messaging.services.outbox import mark_sent
from apps.repairs import guards
from apps.repairs.models import Offer, PublicReply, Remedy, RepairCase
from apps.repairs.services import appeals, callbacks, cases, invites, offers, outcomes, replies
from apps.repairs.services.moving import move
from apps.rewards.models import Budget, Grant, LedgerEntry
from tests.repairs.world import INVITATION, OFFER, REPLY, Shop, fresh, line, make_case, make_shop, picture

pytestmark = pytest.mark.django_db

SEQUENCES = 500
STEPS = 16
CLEAN = (INVITATION, "如果您愿意，可以按真实感受更新评价，不更新也没关系。")
#: Neutral in tone, but with a benefit attached; lawful, but leaning; lawful and flat, without the way out.
BRIBE = "如果您愿意，可以按真实感受更新评价，更新后返现5元，好与不好都行。"
LEANING = "如果您愿意，麻烦更新评价改成五星好评，真实感受也行。"
FLAT = "请您更新一下评价，谢谢。"
OFFERS = (OFFER, "给您退款并道歉。", "送您一张券，表示歉意。")
CONDITIONAL = "删除差评后，给您退50元。"
UNLAWFUL = "给您换新。最终解释权归本店所有。"


class Broken(AssertionError):
    """A promise was broken."""


@dataclass
class Witness:
    """What really happened, written down beside the product's own books."""

    talked: bool = False
    refused_contact: bool = False
    vain: list[datetime] = field(default_factory=list)
    score: int | None = None
    carried_out: int = 0
    invitations: int = 0
    new_offers: int = 0
    grounds: dict[str, bool] = field(default_factory=dict)
    appeals: int = 0
    better_seen: bool = False
    kind_follow_up: bool = False
    missing: bool = False


class World:
    """One case and everything that can be tried on it."""

    def __init__(self, rng: random.Random, shop: Shop, grade: str) -> None:
        self.rng, self.shop, self.seen = rng, shop, Witness()
        self.now = shop.now
        self.case = make_case(shop, grade=grade)
        self.done: list[str] = []

    def people(self) -> Any:
        shop = self.shop
        return self.rng.choice(
            (shop.agent, shop.agent, shop.other, shop.lead, shop.lead, shop.manager, shop.legal)
        )

    # -- steps ----------
    def step(self, name: str) -> bool:
        """Try one thing; whether it happened. A refusal by a rule is right, anything else is a fault."""
        self.case = fresh(self.case)
        self.shop.now = self.now
        before = self.case.status
        try:
            with transaction.atomic():
                after: Callable[[], None] | None = getattr(self, f"do_{name}")()
        except DomainError:
            if fresh(self.case).status != before:
                raise Broken(f"{name} was refused and yet moved the case") from None
            return False
        if after is not None:
            after()
        self.done.append(name)
        self.judge(name, before)
        return True

    def do_wait(self) -> None:
        self.now += timedelta(hours=self.rng.choice((1, 5, 13, 25, 73, 300)))

    def do_triage(self) -> None:
        cases.triage(case=self.case, by=self.people(), now=self.now)

    def do_contact(self) -> Any:
        rng, by = self.rng, self.people()
        apologised, wishes = rng.random() < 0.8, rng.choice(("想换一个", "想换一个", "退款", ""))
        said = rng.choice(("对不起，给您添麻烦了", "很抱歉", "抱歉，麻烦您改一下评价"))
        refuses = rng.random() < 0.15
        tier = self.case.tier
        cases.contact(
            case=self.case, how="phone", said=said, wishes=wishes, apologised=apologised,
            refuses_review_contact=refuses, by=by, now=self.now,
        )  # fmt: skip
        if not (apologised and wishes):
            raise Broken("a talk without apology or without listening")
        if "评价" in said:
            raise Broken("the first talk spoke of the review")
        if tier == "S" and by not in (self.shop.lead, self.shop.manager):
            raise Broken("an urgent case was contacted by somebody who leads nobody")

        def note() -> None:
            self.seen.talked, self.seen.vain = True, []
            self.seen.refused_contact |= refuses

        return note

    def do_try_contact(self) -> Any:
        cases.try_contact(case=self.case, how="phone", note="没人接", by=self.people(), now=self.now)
        return lambda: self.seen.vain.append(self.now)

    def do_give_up_contact(self) -> None:
        cases.give_up_contact(case=self.case, by=self.people(), now=self.now)

    def do_prepare(self) -> None:
        shop, rng = self.shop, self.rng
        choices = [
            [line(shop, "exchange")],
            [line(shop, "coupon", coupon_type=shop.coupon)],
            [line(shop, "refund", amount=Decimal(rng.choice((40, 90, 160, 450))))],
            [line(shop, "refund", amount=Decimal(200), statutory=Decimal(200)), line(shop, "apology_spoken")],
            [line(shop, "coupon", coupon_type=shop.coupon), line(shop, "refund", amount=Decimal(30))],
        ]
        text = rng.choice((*OFFERS, *OFFERS, CONDITIONAL, UNLAWFUL))
        offers.prepare(
            case=self.case, text=text, lines=rng.choice(choices), by=self.people(), now=self.now,
            liability=["triple"] if rng.random() < 0.1 else [],
        )  # fmt: skip
        if text in (CONDITIONAL, UNLAWFUL):
            raise Broken("an unlawful offer was written down")

    def do_decide(self) -> None:
        for approval in list(Approval.objects.filter(state="pending")):
            verb = "approve" if self.rng.random() < 0.8 else "reject"
            approvals.decide(approval=approval, verb=verb, by=self.people(), now=self.now, reason="看过了")

    def do_take_back(self) -> None:
        offer = Offer.objects.filter(case=self.case).order_by("-number").first()
        if offer is not None:
            offers.take_back(offer=offer, reason="重写", by=self.people(), now=self.now)

    def do_propose(self) -> None:
        offers.propose(case=self.case, how="phone", by=self.people(), now=self.now)
        offer = Offer.objects.filter(case=self.case, status="made").get()
        if not self.seen.talked:
            raise Broken("an offer before apology and listening")
        if offer.text not in OFFERS:
            raise Broken("the customer heard an offer that hangs on something or is unlawful")
        deciders = list(offer.approved_by.values())
        beyond = offer.goodwill > 30 or offer.refund_extra > 100 or offer.liability
        if beyond and offer.by == self.shop.agent and not deciders:
            raise Broken("an offer above the limit without a second person")
        if offer.liability and len(set(deciders)) < 2:
            raise Broken("special liability without two people")
        if offer.by_id in deciders:
            raise Broken("somebody approved their own offer")

    def do_accept(self) -> None:
        offers.accept(case=self.case, by=self.people(), now=self.now)

    def do_refuse(self) -> Any:
        offers.refuse(case=self.case, reason="不满意方案", by=self.people(), now=self.now)
        return self._new_offer

    def do_renegotiate(self) -> Any:
        offers.renegotiate(case=self.case, reason="重新协商", by=self.people(), now=self.now)
        return self._new_offer

    def _new_offer(self) -> None:
        self.seen.new_offers += 1

    def do_end_talks(self) -> None:
        cases.end_talks(case=self.case, reason="谈不拢", by=self.people(), now=self.now)

    def do_execute(self) -> None:
        offers.execute(case=self.case, by=self.people(), now=self.now)

    def do_finish(self) -> None:
        remedy = Remedy.objects.filter(offer__case=self.case, status="doing").order_by("?").first()
        if remedy is not None:
            proven = self.rng.random() < 0.7
            offers.finish_remedy(
                remedy=remedy, by=self.people(), now=self.now, tracking_no="SF12345" if proven else "",
                proof=picture() if proven else None,
            )  # fmt: skip

    def do_cancel_remedy(self) -> None:
        remedy = Remedy.objects.filter(offer__case=self.case, status="doing").order_by("?").first()
        if remedy is not None:
            offers.cancel_remedy(remedy=remedy, reason="顾客不要了", by=self.people(), now=self.now)

    def do_complete(self) -> Any:
        offer = Offer.objects.filter(case=self.case, status="accepted").first()
        offers.complete(case=self.case, by=self.people(), now=self.now)
        rows = list(offer.remedies.exclude(status="cancelled").select_related("type")) if offer else []
        if not rows or any(row.status != "done" for row in rows):
            raise Broken("carried out with open remedies")
        for row in rows:
            if row.type.needs_tracking and not row.tracking_no:
                raise Broken("carried out without a tracking number")
            if row.type.needs_proof and not row.type.needs_tracking and row.proof_id is None:
                raise Broken("carried out without proof")
        return self._carried

    def _carried(self) -> None:
        self.seen.carried_out += 1
        self.seen.score = None

    def do_result(self) -> Any:
        score = self.rng.choice((1, 3, 4, 5, 5))
        callbacks.record_result(
            case=self.case, satisfaction=score, how="phone", said="说完了", by=self.people(), now=self.now
        )
        return lambda: setattr(self.seen, "score", score)

    def do_say_satisfied(self) -> Any:
        """As a program would that calls the move by itself."""
        score, verb = self.rng.choice((1, 2, 3, 4, 5)), self.rng.choice(("satisfied", "unsatisfied"))
        move(
            self.case, verb, by=self.people(), now=self.now, known={"satisfaction": score},
            changes={"satisfaction": score, "called_back_at": self.now},
        )  # fmt: skip
        if (score >= 4) != (verb == "satisfied"):
            raise Broken("a score and a verdict that contradict each other")
        return lambda: setattr(self.seen, "score", score)

    def do_callback_ends(self) -> None:
        Callback.objects.filter(subject_key=f"repair:{self.case.pk}", status="planned").update(
            status="unreached"
        )

    def do_missed(self) -> None:
        in_vain = Callback.objects.filter(
            key=f"repair:{self.case.pk}:{self.case.callback_round}", status__in=("unreached", "cancelled")
        ).exists()
        callbacks.missed(case=self.case, by=self.people(), now=self.now)
        if not in_vain:
            raise Broken("given up on a callback that nobody had tried to its end")

    def do_invite(self) -> Any:
        text = self.rng.choice((*CLEAN, *CLEAN, BRIBE, LEANING, FLAT))
        invites.invite(case=self.case, text=text, how="phone", by=self.people(), now=self.now)
        if text not in CLEAN:
            raise Broken("an invitation that is not neutral and lawful")
        if not self.seen.carried_out:
            raise Broken("invited before anything was carried out")
        if self.seen.score is None or self.seen.score < 4:
            raise Broken("invited somebody who is not satisfied")
        if self.seen.refused_contact:
            raise Broken("invited somebody who does not want to be asked")
        if not 8 <= timezone.localtime(self.now).hour < 21:
            raise Broken("invited at night")

        def note() -> None:
            self.seen.invitations += 1

        return note

    def do_keep(self) -> None:
        cases.keep(case=self.case, by=self.people(), now=self.now)

    def do_write_reply(self) -> None:
        replies.write(case=self.case, text=REPLY, by=self.people(), now=self.now)

    def do_put_reply_out(self) -> None:
        message = OutboundMessage.objects.filter(channel="public_reply", state="to_do").first()
        if message is not None:
            mark_sent(message=message, proof="页面可见", by=self.people(), now=self.now)
            replies.on_message(message_id=message.pk, now=self.now)

    def do_finish_reply(self) -> None:
        replies.finish(case=self.case, by=self.people(), now=self.now)

    def do_suspect(self) -> None:
        appeals.suspect(case=self.case, reason="要红包", by=self.people(), now=self.now)

    def do_evidence(self) -> Any:
        ground = self.rng.choice(("asks_money", "never_bought", "contradicts_facts", "advertising"))
        filed = self.rng.random() < 0.7
        appeals.add_evidence(
            case=self.case, ground=ground, what="聊天截图", captured_at=self.now, by=self.people(), now=self.now,
            file=picture() if filed else None,
        )  # fmt: skip
        return lambda: self.seen.grounds.update({ground: self.seen.grounds.get(ground, False) or filed})

    def do_clear(self) -> None:
        appeals.clear(case=self.case, reason="查无实据", by=self.people(), now=self.now)

    def do_appeal(self) -> Any:
        number = self.rng.choice(("AP-2026-1", "AP-2026-2", ""))
        old = self.now - Feedback.objects.get(pk=self.case.feedback_id).posted_at > timedelta(days=30)
        second = self.seen.appeals > 0
        appeals.file_appeal(case=self.case, case_number=number, statement="", by=self.people(), now=self.now)
        grounds = self.seen.grounds
        if len(grounds) < 2 or not all(grounds.values()):
            raise Broken("appealed without proof of two grounds")
        if not {"asks_money", "never_bought"} & set(grounds):
            raise Broken("appealed without a ground of malice")
        if not number:
            raise Broken("appealed without the platform's number")
        if old and not second:
            raise Broken("appealed after the platform's time")
        if self.seen.appeals >= 2:
            raise Broken("a third appeal")

        def note() -> None:
            self.seen.appeals += 1

        return note

    def do_uphold(self) -> None:
        proof = picture() if self.rng.random() < 0.6 else None
        appeals.uphold(case=self.case, answer="已删除", proof=proof, by=self.people(), now=self.now)
        if proof is None:
            raise Broken("an appeal won without proof")

    def do_reject_appeal(self) -> None:
        appeals.reject(case=self.case, reason="证据不足", by=self.people(), now=self.now)

    def do_end_appeal(self) -> None:
        appeals.end_appeal(case=self.case, reason="不再申诉", by=self.people(), now=self.now)

    def do_import_change(self) -> Any:
        old, new = self.case.feedback.rating, self.rng.choice((1, 2, 3, 4, 5))
        Feedback.objects.filter(pk=self.case.feedback_id).update(rating=new)
        change = FeedbackChange.objects.create(
            feedback_id=self.case.feedback_id, seen_at=self.now, old_rating=old, new_rating=new
        )
        self.seen.better_seen |= new >= 4 and new > (old or 0)
        if self.rng.random() < 0.5:
            outcomes.look_at_changes(changes=[change], now=self.now)
        else:
            outcomes.see_revised(case=self.case, change=change, now=self.now)

    def do_list_lacks_it(self) -> Any:
        RepairCase.objects.filter(pk=self.case.pk).update(unseen_since=self.now)
        return lambda: setattr(self.seen, "missing", True)

    def do_gone(self) -> None:
        by = self.people() if self.rng.random() < 0.8 else None
        proof = picture() if self.rng.random() < 0.7 else None
        by_platform = self.rng.random() < 0.4
        unseen = self.case.unseen_since is not None
        outcomes.confirm_gone(
            case=self.case, by_platform=by_platform, reason="看过平台", proof=proof, by=by, now=self.now
        )
        if by is None or proof is None or not unseen:
            raise Broken("a review called gone without a person, a proof or a list that lacks it")

    def do_reopen(self) -> None:
        cases.reopen(case=self.case, reason="又有新情况", by=self.people(), now=self.now)

    def do_dismiss(self) -> None:
        cases.dismiss(case=self.case, reason="不是差评", by=self.people(), now=self.now)

    def do_turn_urgent(self) -> None:
        RepairCase.objects.filter(pk=self.case.pk).update(tier="S")
        Feedback.objects.filter(pk=self.case.feedback_id).update(tier="S", tier_rank=0)

    # -- damage: rows as another program, a restored copy or a mistake may leave them ----------
    def do_spoil(self) -> None:
        case, rng = RepairCase.objects.filter(pk=self.case.pk), self.rng
        kind = rng.choice(("offer", "approval", "executed", "score", "proof", "apology"))
        status = self.case.status
        if kind == "offer":
            Offer.objects.filter(case=self.case, status="ready").update(
                text=rng.choice((CONDITIONAL, UNLAWFUL))
            )
        elif kind == "approval":
            Offer.objects.filter(case=self.case, status="waiting").update(status="ready")
        elif kind == "executed" and status in ("satisfied", "callback") and self.case.invited_at is None:
            case.update(executed_at=None)
            self.seen.carried_out = 0
        elif kind == "score" and status == "satisfied":
            case.update(satisfaction=2)
            self.seen.score = 2
        elif kind == "proof":
            Remedy.objects.filter(offer__case=self.case, status="done").update(proof=None, tracking_no="")
        elif kind == "apology" and status in ("contacted", "renegotiate"):
            case.update(**rng.choice(({"apologised": False}, {"wishes": ""})))
            self.seen.talked = False

    # -- promises ----------
    def judge(self, name: str, before: str) -> None:
        case = RepairCase.objects.get(pk=self.case.pk)
        seen = self.seen
        if seen.invitations > 1:
            raise Broken("invited twice")
        if seen.new_offers > 2:
            raise Broken("more than two new offers")
        if case.status != before:
            if case.status == "unreachable" and (
                len(seen.vain) < 3 or len({timezone.localdate(at) for at in seen.vain}) < 3
            ):
                raise Broken("given up after too few tries or days")
            if case.status == "revised" and not seen.better_seen:
                raise Broken("revised, but nobody saw it")
            if case.status in ("kept_public_reply",):
                out = PublicReply.objects.filter(case=case, state="sent")
                if not out.exists():
                    raise Broken("answered in public, but no reply is out")
                if case.tier == "S" and not out.filter(approved_by__isnull=False).exists():
                    raise Broken("an urgent case's reply went out without a second person")
            if case.status == "satisfied" and not seen.carried_out:
                raise Broken("satisfied with nothing")
            if case.status == "triaged" and name == "reopen":
                seen.score, seen.better_seen = None, False
        self.books()

    def books(self) -> None:
        budget = Budget.objects.get(pk=self.shop.budget.pk)
        if budget.committed + budget.spent > budget.amount:
            raise Broken("a budget was exceeded")
        commits = Counter(LedgerEntry.objects.filter(kind="commit").values_list("grant_id", flat=True))
        if any(count > 1 for count in commits.values()):
            raise Broken("something was paid twice")
        paid = Counter(Remedy.objects.filter(grant__isnull=False).values_list("grant_id", flat=True))
        if any(count > 1 for count in paid.values()) or Grant.objects.count() != len(paid):
            raise Broken("a payment without its remedy")


#: From each state the steps that lead on; the rest is tried now and then all the same.
ONWARD: dict[str, tuple[str, ...]] = {
    "collected": ("triage",),
    "triaged": ("contact", "contact", "try_contact", "give_up_contact", "suspect"),
    "contacted": ("prepare", "prepare", "decide", "propose", "propose", "take_back", "end_talks", "spoil"),
    "unreachable": ("write_reply", "put_reply_out", "decide", "contact", "turn_urgent", "finish_reply"),
    "proposed": ("accept", "accept", "refuse"),
    "renegotiate": ("prepare", "decide", "propose", "spoil"),
    "accepted": ("execute",),
    "executing": ("finish", "finish", "complete", "cancel_remedy", "spoil"),
    "executed": ("result", "say_satisfied"),
    "callback": ("result", "result", "say_satisfied", "callback_ends", "missed", "spoil"),
    "satisfied": ("invite", "invite", "keep", "spoil", "wait"),
    "unsatisfied": ("renegotiate", "end_talks"),
    "invited": ("keep", "import_change", "list_lacks_it", "gone"),
    "reply_due": ("write_reply", "put_reply_out", "decide", "finish_reply", "turn_urgent"),
    "suspected": ("evidence", "clear"),
    "evidence": ("evidence", "evidence", "appeal", "appeal", "clear"),
    "appealed": ("uphold", "reject_appeal"),
    "appeal_rejected": ("evidence", "evidence", "end_appeal"),
}
ANYTHING = tuple(name.removeprefix("do_") for name in dir(World) if name.startswith("do_"))


def run(seed: int, *, towards: tuple[str, ...] = (), steps: int = STEPS) -> World:
    """One random sequence. `towards` are steps that are tried more often."""
    rng = random.Random(seed)
    shop = make_shop(budget=rng.choice((100, 500, 5000)))
    world = World(rng, shop, rng.choice(("A", "A", "S", "B")))
    for _step in range(steps):
        onward = ONWARD.get(fresh(world.case).status, ("import_change", "reopen", "list_lacks_it", "gone"))
        if towards and rng.random() < 0.35:
            name = rng.choice(towards)
        else:
            name = rng.choice(onward) if rng.random() < 0.85 else rng.choice(ANYTHING)
        world.step(name)
        if rng.random() < 0.15:
            # The same button pressed twice.
            world.step(name)
    return world


class Undo(Exception):
    """Ends a sequence and takes its rows back."""


def in_vain(seed: int, **options: Any) -> World:
    """Run a sequence and take everything back."""
    world: World | None = None
    try:
        with transaction.atomic():
            world = run(seed, **options)
            raise Undo
    except Undo:
        pass
    assert world is not None
    return world


@pytest.mark.parametrize("part", range(10))
def test_no_sequence_breaks_a_promise(part: int) -> None:
    """500 sequences on SQLite, every fifth of them again on PostgreSQL, which judges the same constraints."""
    each = SEQUENCES // 10
    if connection.vendor == "postgresql":
        each //= 5
    reached: Counter[str] = Counter()
    for number in range(each):
        world = in_vain(part * 1000 + number)
        reached.update(world.done)
    # Sequences that do nothing prove nothing.
    assert reached["contact"] > each / 4 and reached["prepare"] > each / 10


#: What leads to the place where a guard is needed.
TOWARDS: dict[str, tuple[str, ...]] = {
    "s_lead": ("contact",),
    "apologised": ("contact", "prepare", "spoil"),
    "listened": ("contact", "prepare", "spoil"),
    "not_about_review": ("contact",),
    "enough_tries": ("try_contact", "give_up_contact", "wait"),
    "enough_days": ("try_contact", "try_contact", "give_up_contact"),
    "has_offer": ("contact", "propose"),
    "unconditional": ("contact", "prepare", "spoil", "propose"),
    "offer_lawful": ("contact", "prepare", "spoil", "propose"),
    "offer_approved": ("contact", "prepare", "spoil", "propose"),
    "talks_left": ("contact", "prepare", "decide", "propose", "refuse"),
    "all_done": ("contact", "prepare", "propose", "accept", "execute", "complete"),
    "all_proven": ("contact", "prepare", "propose", "accept", "execute", "finish", "spoil", "complete"),
    "executed": (
        "contact",
        "prepare",
        "propose",
        "accept",
        "execute",
        "finish",
        "complete",
        "result",
        "spoil",
        "invite",
    ),
    "satisfied": (
        "contact",
        "prepare",
        "propose",
        "accept",
        "execute",
        "finish",
        "complete",
        "say_satisfied",
    ),
    "unsatisfied": (
        "contact",
        "prepare",
        "propose",
        "accept",
        "execute",
        "finish",
        "complete",
        "say_satisfied",
    ),
    "callback_given_up": (
        "contact",
        "prepare",
        "propose",
        "accept",
        "execute",
        "finish",
        "complete",
        "missed",
    ),
    "not_invited": (
        "contact",
        "prepare",
        "propose",
        "accept",
        "execute",
        "finish",
        "complete",
        "result",
        "invite",
        "keep",
        "reopen",
    ),
    "not_refused": (
        "contact",
        "prepare",
        "propose",
        "accept",
        "execute",
        "finish",
        "complete",
        "result",
        "invite",
    ),
    "hours": (
        "contact",
        "prepare",
        "propose",
        "accept",
        "execute",
        "finish",
        "complete",
        "result",
        "wait",
        "invite",
    ),
    "text_neutral": (
        "contact",
        "prepare",
        "propose",
        "accept",
        "execute",
        "finish",
        "complete",
        "result",
        "invite",
    ),
    "text_lawful": (
        "contact",
        "prepare",
        "propose",
        "accept",
        "execute",
        "finish",
        "complete",
        "result",
        "invite",
    ),
    "replied": ("contact", "end_talks", "finish_reply"),
    "reply_approved": ("contact", "end_talks", "write_reply", "put_reply_out", "turn_urgent", "finish_reply"),
    "two_grounds": ("suspect", "evidence", "appeal"),
    "malice": ("suspect", "evidence", "appeal"),
    "evidence_dated": ("suspect", "evidence", "appeal"),
    "case_number": ("suspect", "evidence", "appeal"),
    "within_window": ("wait", "suspect", "evidence", "appeal"),
    "appeals_left": ("suspect", "evidence", "appeal", "reject_appeal"),
    "seen_better": ("import_change",),
    "unseen": ("gone",),
    "by_person": ("list_lacks_it", "gone"),
    "proof": ("list_lacks_it", "gone"),
}
CODES = sorted({guard.code for group in guards.GUARDS.values() for guard in group})


def test_every_guard_has_its_way() -> None:
    assert sorted(TOWARDS) == CODES


@pytest.mark.skipif("connection.vendor == 'postgresql'", reason="the guards know no database")
@pytest.mark.parametrize("code", CODES)
def test_without_this_guard_a_promise_is_broken(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each guard holds something up: take it away and one of the sequences above fails."""
    without = {
        verb: tuple(guard for guard in group if guard.code != code) for verb, group in guards.GUARDS.items()
    }
    monkeypatch.setattr(guards, "GUARDS", without)
    for seed in range(400):
        try:
            in_vain(seed, towards=TOWARDS[code], steps=40)
        except Undo:
            continue
        except Exception:
            return
    pytest.fail(f"nothing fails without {code}")
