"""Whatever people try, in whatever order: nobody is invited twice, nothing is paid twice, no budget is exceeded, no outcome
stands without its evidence. And each guard is needed: without it, one of these sequences breaks a promise.

What happened is judged by an account of its own (`Witness`), never by the facts that the guards are told.
"""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.callbacks.models import Callback
from apps.core.exceptions import DomainError
from apps.core.models import Approval
from apps.core.reference import touch
from apps.core.services import approvals
from apps.feedback.models import Feedback, FeedbackChange
from apps.messaging.models import OutboundMessage
from apps.messaging.services.outbox import mark_sent
from apps.repairs import guards
from apps.repairs.models import Offer, PublicReply, Remedy, RepairCase, RepairPolicy
from apps.repairs.selectors.reference import forget_rules
from apps.repairs.services import appeals, callbacks, cases, invites, offers, outcomes, replies
from apps.repairs.services.moving import move
from apps.rewards.models import Budget, Grant, LedgerEntry
from tests.factories import NOW
from tests.repairs.world import (
    INVITATION,
    OFFER,
    REPLY,
    Shop,
    agreed,
    carried_out,
    line,
    make_case,
    make_shop,
    picture,
    satisfied,
    talked,
    with_evidence,
)

pytestmark = pytest.mark.django_db

SEQUENCES = 500
STEPS = 12
PARTS = 4
#: After so many sequences in vain a guard counts as useless.
MOST = 120
TRIES = 4
STARTS = ("A", "A", "S", "B", "haggled", "waiting", "doing", "called", "happy", "accused")
CLEAN = (INVITATION, "如果您愿意，可以按真实感受更新评价，不更新也没关系。")
#: Neutral in tone, but with a benefit attached; lawful, but leaning; lawful and flat, without the way out.
BRIBE = "如果您愿意，可以按真实感受更新评价，更新后返现5元，好与不好都行。"
#: Neutral, nothing attached, and yet no lawful words.
UNFAIR = "如果您愿意，可以按真实感受更新评价，不更新也没关系。最终解释权归本店所有。"
LEANING = "如果您愿意，麻烦更新评价改成五星好评，真实感受也行。"
FLAT = "请您更新一下评价，谢谢。"
OFFERS = (OFFER, "给您退款并道歉。", "送您一张券，表示歉意。")
CONDITIONAL = "删除差评后，给您退50元。"
#: Kind and lawful, and yet a review is asked for beside the help.
SOFT = "给您换新，也请您更新一下评价。"
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

    def __init__(
        self, rng: random.Random, shop: Shop, case: RepairCase, seen: Witness, now: datetime
    ) -> None:
        self.rng, self.shop, self.seen, self.now = rng, shop, seen, now
        self.case = case
        self.done: list[str] = []

    def people(self) -> Any:
        shop = self.shop
        return self.rng.choice(
            (shop.agent, shop.agent, shop.other, shop.lead, shop.lead, shop.manager, shop.legal)
        )

    def status(self) -> str:
        return RepairCase.objects.values_list("status", flat=True).get(pk=self.case.pk)

    # -- steps ----------
    def step(self, name: str) -> bool:
        """Try one thing; whether it happened. A refusal by a rule is right, anything else is a fault."""
        self.case.refresh_from_db()
        self.shop.now = self.now
        before = self.case.status
        try:
            with transaction.atomic():
                after: Callable[[], None] | None = getattr(self, f"do_{name}")()
        except DomainError:
            if self.status() != before:
                raise Broken(f"{name} was refused and yet moved the case") from None
            return False
        if after is not None:
            after()
        self.done.append(name)
        self.judge(name, before)
        return True

    def do_wait(self) -> None:
        self.now += timedelta(hours=self.rng.choice((1, 5, 13, 25, 73, 300)))

    def do_night(self) -> None:
        local = timezone.localtime(self.now)
        self.now = local.replace(hour=23) + timedelta(days=local.hour >= 23)

    def do_next_day(self) -> None:
        self.now += timedelta(days=1)

    def do_refuse_contact(self) -> Any:
        """The customer writes to us: please do not ask me about my review."""
        RepairCase.objects.filter(pk=self.case.pk).update(refuses_review_contact=True)
        return lambda: setattr(self.seen, "refused_contact", True)

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
        text = rng.choice((*OFFERS, *OFFERS, CONDITIONAL, SOFT, UNLAWFUL))
        offers.prepare(
            case=self.case, text=text, lines=rng.choice(choices), by=self.people(), now=self.now,
            liability=["triple"] if rng.random() < 0.1 else [],
        )  # fmt: skip
        if text not in OFFERS:
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

    def do_call_off(self) -> None:
        begun = Remedy.objects.filter(
            offer__case=self.case, offer__status="accepted", status__in=("doing", "done")
        )
        under_way = begun.exists()
        offers.call_off(case=self.case, reason="缺货", by=self.people(), now=self.now)
        if under_way:
            raise Broken("an offer was called off while it was carried out")

    def open_remedy(self) -> Remedy | None:
        found = list(Remedy.objects.filter(offer__case=self.case, status="doing").order_by("pk"))
        return self.rng.choice(found) if found else None

    def do_finish(self) -> None:
        remedy = self.open_remedy()
        if remedy is not None:
            proven = self.rng.random() < 0.7
            offers.finish_remedy(
                remedy=remedy, by=self.people(), now=self.now, tracking_no="SF12345" if proven else "",
                proof=picture() if proven else None,
            )  # fmt: skip

    def do_cancel_remedy(self) -> None:
        remedy = self.open_remedy()
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
        text = self.rng.choice((*CLEAN, *CLEAN, BRIBE, UNFAIR, LEANING, FLAT))
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
        key = f"feedback:{self.case.feedback_id}"
        message = OutboundMessage.objects.filter(
            channel="public_reply", state="to_do", subject_key=key
        ).first()
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
        getattr(
            self,
            f"do_spoil_{self.rng.choice(('text', 'approval', 'executed', 'score', 'status', 'proof', 'talk'))}",
        )()

    def do_spoil_text(self) -> None:
        text = self.rng.choice((CONDITIONAL, SOFT, UNLAWFUL))
        Offer.objects.filter(case=self.case, status="ready").update(text=text)

    def do_spoil_approval(self) -> None:
        Offer.objects.filter(case=self.case, status="waiting").update(status="ready")

    def do_spoil_executed(self) -> None:
        if self.case.status in ("satisfied", "callback") and self.case.invited_at is None:
            RepairCase.objects.filter(pk=self.case.pk).update(executed_at=None)
            self.seen.carried_out = 0

    def do_spoil_score(self) -> None:
        if self.case.status == "satisfied":
            RepairCase.objects.filter(pk=self.case.pk).update(satisfaction=2)
            self.seen.score = 2

    def do_spoil_status(self) -> None:
        if self.case.status == "invited":
            RepairCase.objects.filter(pk=self.case.pk).update(status="satisfied")

    def do_spoil_proof(self) -> None:
        Remedy.objects.filter(offer__case=self.case, status="done").update(proof=None, tracking_no="")

    def do_spoil_talk(self) -> None:
        if self.case.status in ("contacted", "renegotiate"):
            what = self.rng.choice(({"apologised": False}, {"wishes": ""}))
            RepairCase.objects.filter(pk=self.case.pk).update(**what)
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
                len(seen.vain) < TRIES or len({timezone.localdate(at) for at in seen.vain}) < 3
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
        grants = Grant.objects.filter(subject_key=f"repair:{self.case.pk}")
        commits = Counter(
            LedgerEntry.objects.filter(kind="commit", grant__in=grants).values_list("grant_id", flat=True)
        )
        if any(count > 1 for count in commits.values()):
            raise Broken("something was paid twice")
        paid = Remedy.objects.filter(offer__case=self.case, grant__isnull=False).values_list(
            "grant_id", flat=True
        )
        if sorted(paid) != sorted(grants.values_list("pk", flat=True)):
            raise Broken("a payment without its remedy")


#: From each state the steps that lead on; the rest is tried now and then all the same.
ONWARD: dict[str, tuple[str, ...]] = {
    "collected": ("triage",),
    "triaged": ("contact", "contact", "try_contact", "give_up_contact", "suspect"),
    "contacted": ("prepare", "prepare", "decide", "propose", "propose", "take_back", "end_talks", "spoil"),
    "unreachable": ("write_reply", "put_reply_out", "decide", "contact", "turn_urgent", "finish_reply"),
    "proposed": ("accept", "accept", "refuse"),
    "renegotiate": ("prepare", "decide", "propose", "spoil"),
    "accepted": ("execute", "execute", "execute", "refuse", "call_off"),
    "executing": ("finish", "finish", "complete", "cancel_remedy", "call_off", "spoil"),
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


@dataclass
class Stage:
    """One shop and cases to start from: new ones of each tier, and one of each later station."""

    shop: Shop
    cases: dict[str, tuple[int, Witness, datetime]]


def make_stage() -> Stage:
    """Four tries on three days: so both are counted."""
    RepairPolicy.objects.update(tries=TRIES)
    touch("repairs")
    shop = make_shop()
    started: dict[str, tuple[int, Witness, datetime]] = {}
    for tier in "SAB":
        started[tier] = (make_case(shop, grade=tier).pk, Witness(), shop.now)
    haggled = talked(shop, make_case(shop))
    for _number in range(2):
        offers.prepare(case=haggled, text=OFFER, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now)
        offers.propose(case=haggled, how="phone", by=shop.agent, now=shop.now)
        offers.refuse(case=haggled, reason="要别的", by=shop.agent, now=shop.now)
    offers.prepare(case=haggled, text=OFFER, lines=[line(shop, "exchange")], by=shop.agent, now=shop.now)
    offers.propose(case=haggled, how="phone", by=shop.agent, now=shop.now)
    started["haggled"] = (haggled.pk, Witness(talked=True, new_offers=2), shop.now)
    above = talked(shop, make_case(shop))
    big = [line(shop, "refund", amount=Decimal(450))]
    offers.prepare(case=above, text=OFFER, lines=big, by=shop.agent, now=shop.now)
    started["waiting"] = (above.pk, Witness(talked=True), shop.now)
    under_way = agreed(
        shop, make_case(shop), line(shop, "exchange"), line(shop, "refund", amount=Decimal(40))
    )
    offers.execute(case=under_way, by=shop.agent, now=shop.now)
    started["doing"] = (under_way.pk, Witness(talked=True), shop.now)
    carried = carried_out(shop, make_case(shop))
    started["called"] = (carried.pk, Witness(talked=True, carried_out=1), shop.now)
    happy = satisfied(shop, make_case(shop))
    started["happy"] = (happy.pk, Witness(talked=True, carried_out=1, score=5), shop.now)
    shop.now = NOW
    accused = with_evidence(shop, make_case(shop))
    started["accused"] = (accused.pk, Witness(grounds={"asks_money": True, "never_bought": True}), NOW)
    return Stage(shop, started)


@pytest.fixture
def stage(db: None) -> Iterator[Stage]:
    """Every sequence starts from here and is taken back."""
    yield make_stage()
    forget_rules()


def run(
    stage: Stage, seed: int, *, towards: tuple[str, ...] = (), start: str = "", steps: int = STEPS
) -> World:
    """One random sequence. `towards` are steps that are tried more often."""
    rng = random.Random(seed)
    shop = stage.shop
    Budget.objects.filter(pk=shop.budget.pk).update(amount=rng.choice((100, 500, 5000)))
    pk, seen, now = stage.cases[start or rng.choice(STARTS)]
    case = RepairCase.objects.select_related("feedback", "feedback__channel", "channel", "customer").get(
        pk=pk
    )
    world = World(rng, shop, case, copy.deepcopy(seen), now)
    for _step in range(steps):
        onward = ONWARD.get(world.status(), ("import_change", "reopen", "list_lacks_it", "gone"))
        if towards and rng.random() < 0.55:
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


def in_vain(stage: Stage, seed: int, **options: Any) -> World:
    """Run a sequence and take everything back."""
    world: World | None = None
    try:
        with transaction.atomic():
            world = run(stage, seed, **options)
            raise Undo
    except Undo:
        pass
    assert world is not None
    return world


@pytest.mark.parametrize("part", range(PARTS))
def test_no_sequence_breaks_a_promise(part: int, stage: Stage) -> None:
    """500 sequences on SQLite, every fifth of them again on PostgreSQL, which judges the same constraints."""
    each = SEQUENCES // PARTS
    if connection.vendor == "postgresql":
        each //= 5
    reached: Counter[str] = Counter()
    for number in range(each):
        world = in_vain(stage, part * 1000 + number)
        reached.update(world.done)
    # Sequences that do nothing prove nothing.
    assert reached["contact"] > each / 10 and reached["execute"] + reached["invite"] + reached["appeal"]


#: What leads to the place where a guard is needed.
TOWARDS: dict[str, tuple[str, ...]] = {
    "s_lead": ("contact",),
    "apologised": ("contact", "prepare", "spoil_talk"),
    "listened": ("contact", "prepare", "spoil_talk"),
    "not_about_review": ("contact",),
    "enough_tries": ("try_contact", "give_up_contact", "next_day"),
    "enough_days": ("try_contact", "try_contact", "give_up_contact"),
    "has_offer": ("contact", "propose"),
    "unconditional": ("contact", "prepare", "spoil_text", "propose"),
    "offer_lawful": ("contact", "prepare", "spoil_text", "propose"),
    "offer_approved": ("spoil_approval", "propose"),
    "talks_left": ("refuse",),
    "nothing_begun": ("call_off",),
    "all_done": ("finish", "complete"),
    "all_proven": ("finish", "finish", "spoil_proof", "complete"),
    "executed": ("spoil", "spoil", "invite"),
    "satisfied": ("say_satisfied",),
    "unsatisfied": ("say_satisfied",),
    "callback_given_up": ("missed",),
    "not_invited": ("invite", "spoil_status"),
    "not_refused": ("refuse_contact", "invite"),
    "hours": ("night", "invite"),
    "text_neutral": ("invite",),
    "text_lawful": ("invite",),
    "replied": ("contact", "end_talks", "finish_reply"),
    "reply_approved": ("contact", "end_talks", "write_reply", "put_reply_out", "turn_urgent", "finish_reply"),
    "two_grounds": ("suspect", "evidence", "appeal"),
    "malice": ("suspect", "evidence", "appeal"),
    "evidence_dated": ("suspect", "evidence", "appeal"),
    "case_number": ("appeal",),
    "within_window": ("wait", "appeal"),
    "appeals_left": ("appeal", "appeal", "reject_appeal", "evidence"),
    "seen_better": ("import_change",),
    "unseen": ("gone",),
    "by_person": ("list_lacks_it", "gone"),
    "proof": ("list_lacks_it", "gone"),
}
#: Where the way to a guard is long, a sequence starts on it.
START = {
    "talks_left": "haggled",
    "offer_approved": "waiting",
    "nothing_begun": "doing",
    "all_done": "doing",
    "all_proven": "doing",
    "enough_tries": "A",
    "executed": "happy",
    "satisfied": "called",
    "unsatisfied": "called",
    "callback_given_up": "called",
    "not_invited": "happy",
    "not_refused": "happy",
    "hours": "happy",
    "text_neutral": "happy",
    "text_lawful": "happy",
    "case_number": "accused",
    "within_window": "accused",
    "appeals_left": "accused",
}
CODES = sorted({guard.code for group in guards.GUARDS.values() for guard in group})


def test_every_guard_has_its_way() -> None:
    assert sorted(TOWARDS) == CODES


@pytest.mark.skipif("connection.vendor == 'postgresql'", reason="the guards know no database")
@pytest.mark.parametrize("part", range(PARTS))
def test_without_any_one_guard_a_promise_is_broken(
    part: int, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each guard holds something up: take it away and one of the sequences above fails."""
    whole = guards.GUARDS
    useless = []
    for code in CODES[part::PARTS]:
        without = {
            verb: tuple(guard for guard in group if guard.code != code) for verb, group in whole.items()
        }
        monkeypatch.setattr(guards, "GUARDS", without)
        if not any(breaks(stage, seed, code) for seed in range(MOST)):
            useless.append(code)
    assert not useless, f"nothing fails without {useless}"


def breaks(stage: Stage, seed: int, code: str) -> bool:
    """Whether this sequence breaks a promise, or the database has to step in."""
    try:
        in_vain(stage, seed, towards=TOWARDS[code], start=START.get(code, ""), steps=30)
    except (Broken, IntegrityError, AssertionError):
        return True
    return False
