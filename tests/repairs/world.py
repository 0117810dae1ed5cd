"""One shop with one negative review, and everything people may try with it, for tests of repairs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.core.models import Approval, User
from apps.core.services import approvals
from apps.customers.models import Customer, Order
from apps.feedback.models import Feedback
from apps.repairs.models import RemedyType, RepairCase
from apps.repairs.services import appeals, callbacks, cases, invites, offers
from apps.rewards.models import Budget, CouponType
from tests.factories import NOW, arrive, make_user

PNG = b"\x89PNG\r\n\x1a\n"
_files = itertools.count(1)
INVITATION = (
    "感谢您确认问题已解决。如果您愿意，可以按真实感受更新或追加评价，好与不好我们都接受；不更新也完全没关系。"
)
OFFER = "给您换一个全新的杯子，往返运费我们承担，三天内寄出。"
REPLY = "您好，针对杯子漏水，我们已为您换新并改进了出厂检查，感谢如实反馈，如有需要请联系客服。"


def picture(content: bytes = b"") -> SimpleUploadedFile:
    """A picture nobody has seen before, unless its content is given."""
    return SimpleUploadedFile(
        "p.png", PNG + (content or str(next(_files)).encode()), content_type="image/png"
    )


@dataclass
class Shop:
    """The cast and the goods."""

    agent: User
    other: User
    lead: User
    manager: User
    legal: User
    customer: Customer
    order: Order
    budget: Budget
    coupon: CouponType
    now: datetime = NOW
    types: dict[str, RemedyType] = field(default_factory=dict)


def make_shop(*, budget: int = 5000) -> Shop:
    """Ops with two agents, a lead, management, legal; one customer with one order of 200 CNY."""
    customer = Customer.objects.create(name="张小明", phone="13812345678")
    order = Order.objects.create(
        order_no="20261110000123", customer=customer, total=Decimal(200), placed_at=NOW
    )
    return Shop(
        agent=make_user("agent", "ops"),
        other=make_user("other", "ops"),
        lead=make_user("lead", "ops-lead"),
        manager=make_user("boss", "manager"),
        legal=make_user("law", "legal"),
        customer=customer,
        order=order,
        budget=make_budget(budget),
        coupon=make_coupon_type(),
        types={row.code: row for row in RemedyType.objects.all()},
    )


def make_budget(amount: int, **values: Any) -> Budget:
    """Money for compensation this year."""
    return Budget.objects.create(
        **(
            {
                "code": f"comp{amount}",
                "name": "售后补偿",
                "purpose": "compensation",
                "first_day": NOW.date().replace(month=1, day=1),
                "last_day": NOW.date().replace(month=12, day=31),
                "amount": Decimal(amount),
            }
            | values
        )
    )


def make_coupon_type(value: int = 10, **values: Any) -> CouponType:
    """A coupon of so much."""
    return CouponType.objects.create(
        **(
            {
                "code": f"care{value}",
                "name": f"{value}元关怀券",
                "name_en": f"{value} CNY coupon",
                "face_value": Decimal(value),
                "valid_days": 30,
                "scope": "全店通用",
                "is_active": True,
            }
            | values
        )
    )


def make_review(shop: Shop, *, grade: str = "A", rating: int = 1, **values: Any) -> Feedback:
    """A negative review of a known customer that names the order."""
    feedback = arrive(grade, now=shop.now, rating=rating, external_id=f"r{next(_files)}", **values)
    Feedback.objects.filter(pk=feedback.pk).update(customer=shop.customer, order=shop.order)
    return Feedback.objects.get(pk=feedback.pk)


def make_case(shop: Shop, *, grade: str = "A", rating: int = 1, **values: Any) -> RepairCase:
    """A repair, opened by the rules, of somebody we know."""
    feedback = make_review(shop, grade=grade, rating=rating, **values)
    cases.open_for(feedback_ids=[feedback.pk], now=shop.now)
    RepairCase.objects.filter(feedback=feedback).update(customer=shop.customer)
    return fresh(RepairCase.objects.get(feedback=feedback))


def fresh(case: RepairCase) -> RepairCase:
    """As it stands in the database."""
    return RepairCase.objects.select_related("feedback", "feedback__channel", "channel", "customer").get(
        pk=case.pk
    )


def talked(shop: Shop, case: RepairCase, by: User | None = None) -> RepairCase:
    """After the first talk."""
    cases.contact(
        case=case,
        how="phone",
        said="给您添麻烦了，很抱歉。",
        wishes="想换一个新的",
        by=by or shop.agent,
        now=shop.now,
    )
    return fresh(case)


def line(shop: Shop, code: str, **values: Any) -> offers.Line:
    """One remedy of an offer."""
    return offers.Line(type=shop.types[code], **values)


def agreed(shop: Shop, case: RepairCase, *lines: offers.Line) -> RepairCase:
    """An offer within the agent's limit, made and accepted."""
    case = talked(shop, case)
    offers.prepare(
        case=case, text=OFFER, lines=lines or [line(shop, "exchange")], by=shop.agent, now=shop.now
    )
    decide_all(shop)
    offers.propose(case=case, how="phone", by=shop.agent, now=shop.now)
    offers.accept(case=case, by=shop.agent, now=shop.now)
    return fresh(case)


def carried_out(shop: Shop, case: RepairCase, *lines: offers.Line) -> RepairCase:
    """Everything done and proven."""
    case = agreed(shop, case, *lines)
    offers.execute(case=case, by=shop.agent, now=shop.now)
    finish_all(shop, case)
    offers.complete(case=case, by=shop.agent, now=shop.now)
    return fresh(case)


def finish_all(shop: Shop, case: RepairCase) -> None:
    """Every remedy with tracking number and picture."""
    for offer in case.offers.filter(status="accepted"):
        for remedy in offer.remedies.filter(status="doing"):
            offers.finish_remedy(
                remedy=remedy,
                tracking_no="SF123456",
                carrier="顺丰",
                proof=picture(),
                by=shop.agent,
                now=shop.now,
            )


def satisfied(shop: Shop, case: RepairCase, *lines: offers.Line) -> RepairCase:
    """After a good callback."""
    case = carried_out(shop, case, *lines)
    shop.now += timedelta(hours=72)
    callbacks.take_result(case=case, satisfaction=5, by=None, now=shop.now)
    return fresh(case)


def invited(shop: Shop, case: RepairCase) -> RepairCase:
    """After the one invitation, said by telephone."""
    case = satisfied(shop, case)
    invites.invite(case=case, text=INVITATION, how="phone", by=shop.agent, now=shop.now)
    return fresh(case)


def decide_all(shop: Shop, verb: str = "approve") -> int:
    """Whatever waits is decided by somebody who may and did not ask."""
    done = 0
    for approval in Approval.objects.filter(state="pending").order_by("pk"):
        for person in (shop.lead, shop.manager, shop.legal):
            if person.pk != approval.requested_by_id and person.has_perm(approval.permission):
                approvals.decide(approval=approval, verb=verb, by=person, now=shop.now, reason="看过了")
                done += 1
                break
    return done


def with_evidence(shop: Shop, case: RepairCase, *grounds: str) -> RepairCase:
    """Suspected, with a picture for each ground."""
    appeals.suspect(case=case, reason="聊天里索要红包", by=shop.agent, now=shop.now)
    for ground in grounds or ("asks_money", "never_bought"):
        appeals.add_evidence(
            case=case,
            ground=ground,
            what="截图：聊天记录",
            captured_at=shop.now,
            file=picture(),
            by=shop.agent,
            now=shop.now,
        )
    return fresh(case)


def blank_file() -> ContentFile:
    """Of no known type."""
    return ContentFile(b"hello", name="x.txt")
