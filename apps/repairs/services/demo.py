"""Repairs of the demo shop: its negative reviews played through the real services, each to another end."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import cycle
from typing import Any

from django.core.files.base import ContentFile, File
from django.utils import timezone
from PIL import Image, ImageDraw

from apps.callbacks.models import Callback
from apps.core.exceptions import DomainError
from apps.core.models import ActionLog, Approval, User
from apps.core.services import approvals
from apps.feedback.choices import Source
from apps.feedback.incoming import IncomingFeedback
from apps.feedback.models import Feedback, FeedbackChange
from apps.feedback.services.intake import take_in
from apps.messaging.services.outbox import mark_sent
from apps.repairs.models import (
    Appeal,
    ContactTry,
    Evidence,
    Offer,
    PublicReply,
    Remedy,
    RemedyType,
    RepairCase,
)
from apps.repairs.services import appeals, callbacks, cases, invites, offers, outcomes, replies
from apps.rewards.services import demo as rewards_demo
from apps.shop.models import WorkItem

#: The shop began to repair so long ago; what came before stays plain feedback.
SINCE = timedelta(days=60)
INVITATION = "感谢您确认问题已解决。如果您愿意，可以按真实感受更新或追加评价，好与不好我们都接受；不更新也完全没关系，售后承诺照常有效。"
REPLY = "您好，感谢如实反馈。针对这次的问题，我们已主动联系并提出处理方案，同时改进了出库检查。您的意见会保留在这里，如需帮助请随时联系客服。"
WISHES = ("希望换一个好的", "希望退款", "希望尽快补发", "希望有人重视这个问题", "希望门店道歉")


class TooSoon(DomainError):
    """The story has come to the present."""


class Stage:
    """One repair and the people on it."""

    def __init__(self, case: RepairCase, agent: User, lead: User, start: datetime, wish: str) -> None:
        self.case, self.agent, self.lead, self.wish = case, agent, lead, wish
        self.now = start
        # Nothing of the demo lies in the future.
        self.latest: datetime | None = None

    def fresh(self) -> RepairCase:
        """As it stands."""
        self.case = RepairCase.objects.select_related(
            "feedback", "feedback__channel", "channel", "customer"
        ).get(pk=self.case.pk)
        return self.case

    def later(self, **span: float) -> datetime:
        """Go on, never at night."""
        self.now += timedelta(**span)
        local = timezone.localtime(self.now)
        if not 9 <= local.hour < 20:
            self.now = (local + timedelta(days=local.hour >= 20)).replace(hour=10, minute=local.minute)
        if self.latest is not None and self.now > self.latest:
            raise TooSoon("")
        return self.now

    # -- steps ----------
    def contact(self) -> None:
        """The first talk, an hour or two after the review."""
        case = self.fresh()
        if case.status == "collected":
            cases.triage(case=case, by=self.agent, now=self.now)
        who = self.lead if case.tier == "S" else self.agent
        cases.contact(
            case=self.fresh(),
            how="phone",
            said="给您添麻烦了，非常抱歉。请说说当时的情况，我们一定处理。",
            wishes=self.wish,
            by=who,
            now=self.later(hours=1.5),
        )

    def offer(self, code: str, text: str, amount: int = 0, *, approve: bool = True) -> Offer:
        """Prepare and, where needed, have it approved."""
        line = offers.Line(type=RemedyType.objects.get(code=code), amount=Decimal(amount))
        made = offers.prepare(
            case=self.fresh(), text=text, lines=[line], by=self.agent, now=self.later(minutes=30)
        )
        if approve:
            for approval in Approval.objects.filter(
                model="repairs.offer", object_id=made.pk, state="pending"
            ):
                approvals.decide(
                    approval=approval, verb="approve", by=self.lead, now=self.later(minutes=20), reason="同意"
                )
        return made

    def agree(self) -> None:
        """Made and accepted."""
        offers.propose(case=self.fresh(), how="phone", by=self.agent, now=self.later(minutes=15))
        offers.accept(case=self.fresh(), by=self.agent, now=self.later(hours=2), note="可以")

    def carry_out(self, *, whole: bool = True) -> None:
        """Booked, sent, proven."""
        offers.execute(case=self.fresh(), by=self.agent, now=self.later(hours=1))
        if not whole:
            return
        for remedy in Remedy.objects.filter(offer__case=self.case, status="doing").select_related("type"):
            offers.finish_remedy(
                remedy=remedy,
                carrier="顺丰" if remedy.type.needs_tracking else "",
                tracking_no=f"SF{7_000_000 + remedy.pk}" if remedy.type.needs_tracking else "",
                proof=picture(f"凭证 {remedy.pk}"),
                proof_note="已核对",
                by=self.agent,
                now=self.later(days=1),
            )
        offers.complete(case=self.fresh(), by=self.agent, now=self.later(hours=1))

    def call(self, score: int, said: str) -> None:
        """The callback's result."""
        case = self.fresh()
        callback = callbacks.latest(case)
        by = self.lead if callback is not None and callback.not_by_id == self.agent.pk else self.agent
        callbacks.record_result(
            case=case, satisfaction=score, how="phone", said=said, by=by, now=self.later(hours=72)
        )

    def invite(self) -> None:
        """Once."""
        invites.invite(
            case=self.fresh(), text=INVITATION, how="phone", by=self.agent, now=self.later(minutes=30)
        )

    def answer_in_public(self) -> None:
        """Written, approved where it is urgent, put on the platform."""
        case = self.fresh()
        if not case.channel.accepts_public_reply:
            replies.finish(case=case, by=self.agent, now=self.later(hours=3))
            return
        reply = replies.write(case=case, text=REPLY, by=self.agent, now=self.later(hours=3))
        for approval in Approval.objects.filter(
            model="repairs.publicreply", object_id=reply.pk, state="pending"
        ):
            approvals.decide(
                approval=approval, verb="approve", by=self.lead, now=self.later(hours=1), reason="可以"
            )
        reply.refresh_from_db()
        if (
            reply.entry is not None
            and reply.entry.message is not None
            and reply.entry.message.state == "to_do"
        ):
            mark_sent(
                message=reply.entry.message, proof="评价下方可见", by=self.agent, now=self.later(minutes=20)
            )
            replies.on_message(message_id=reply.entry.message_id, now=self.now)

    def revise(self, stars: int = 5) -> None:
        """The customer changes the review; a later import shows it."""
        feedback = self.fresh().feedback
        item = IncomingFeedback(
            channel=feedback.channel.code,
            text="更新：换的新货收到了，客服处理很及时，现在用着很满意。",
            external_id=feedback.external_id,
            rating=stars,
            posted_at=feedback.posted_at,
        )
        take_in([item], source=Source.DEMO, now=self.later(days=2))
        outcomes.look_at_changes(changes=FeedbackChange.objects.filter(feedback=feedback), now=self.now)


def picture(text: str) -> File:
    """A small picture with a few words on it, as a proof looks."""
    image = Image.new("RGB", (320, 120), "#f8fafc")
    ImageDraw.Draw(image).text((16, 50), text.encode("ascii", "ignore").decode() or "proof", fill="#0f172a")
    content = io.BytesIO()
    image.save(content, "PNG")
    return ContentFile(content.getvalue(), name="proof.png")


# -- stories ----------
def _repaired(stage: Stage) -> None:
    stage.contact()
    stage.offer("exchange", "给您换一个全新的，往返运费我们承担，三天内寄出。")
    stage.agree()
    stage.carry_out()
    stage.call(5, "收到新的了，很满意")


def revised(stage: Stage) -> None:
    """Repaired, invited, raised to five stars."""
    _repaired(stage)
    stage.invite()
    if stage.case.feedback.external_id:
        stage.revise()


def kept(stage: Stage) -> None:
    """Repaired; the review stays, which is fine."""
    _repaired(stage)
    stage.invite()
    cases.keep(case=stage.fresh(), by=stage.agent, now=stage.later(days=3), reason="顾客选择不更新")


def withdrawn(stage: Stage) -> None:
    """Repaired; its author took the review away, which a person has confirmed."""
    _repaired(stage)
    stage.invite()
    RepairCase.objects.filter(pk=stage.case.pk).update(unseen_since=stage.later(days=2))
    outcomes.confirm_gone(
        case=stage.fresh(), by_platform=False, reason="平台页面显示买家已删除", proof=picture("deleted by buyer"),
        by=stage.lead, now=stage.later(hours=2),
    )  # fmt: skip


def refused(stage: Stage) -> None:
    """No agreement; everybody can read what was offered."""
    stage.contact()
    stage.offer("discount", "退您20元，表示歉意。", 20)
    offers.propose(case=stage.fresh(), how="phone", by=stage.agent, now=stage.later(minutes=15))
    offers.refuse(case=stage.fresh(), reason="坚持要求十倍赔偿", by=stage.agent, now=stage.later(hours=3))
    cases.end_talks(
        case=stage.fresh(), reason="诉求超出责任范围，无法达成一致", by=stage.agent, now=stage.later(hours=1)
    )
    stage.answer_in_public()


def unreachable(stage: Stage) -> None:
    """Three tries on three days, then a public reply."""
    if stage.fresh().status == "collected":
        cases.triage(case=stage.case, by=stage.agent, now=stage.now)
    for _try in range(3):
        cases.try_contact(
            case=stage.fresh(), how="phone", note="响铃无人接听", by=stage.agent, now=stage.later(days=1)
        )
    cases.give_up_contact(case=stage.fresh(), by=stage.agent, now=stage.later(hours=1))
    stage.answer_in_public()


def unhappy(stage: Stage) -> None:
    """The first remedy did not do; a refund did."""
    stage.contact()
    stage.offer("reship", "马上给您补发一份，今天寄出。")
    stage.agree()
    stage.carry_out()
    stage.call(2, "补发的还是坏的")
    offers.renegotiate(
        case=stage.fresh(), reason="补发仍有问题，改为退款", by=stage.agent, now=stage.later(hours=1)
    )
    stage.offer("refund", "给您全额退款，商品不用退回。", 80)
    stage.agree()
    stage.carry_out()
    stage.call(4, "退款到账了，算是解决了")
    cases.keep(case=stage.fresh(), by=stage.agent, now=stage.later(days=1), reason="不再打扰顾客")


def malicious(stage: Stage) -> None:
    """Two grounds with pictures, an appeal, upheld by the platform."""
    appeals.suspect(
        case=stage.fresh(), reason="私聊索要 200 元红包才肯改评", by=stage.agent, now=stage.later(hours=2)
    )
    for ground, what in (
        ("asks_money", "聊天截图：不给红包就不改差评"),
        ("never_bought", "后台查询：该账号在本店无订单"),
    ):
        appeals.add_evidence(
            case=stage.fresh(), ground=ground, what=what, captured_at=stage.now, file=picture(ground), by=stage.agent,
            now=stage.later(minutes=20),
        )  # fmt: skip
    appeals.file_appeal(
        case=stage.fresh(), case_number=f"AP{2026_000 + stage.case.pk}", statement="附聊天记录与订单查询结果，请核实。",
        by=stage.lead, now=stage.later(hours=1),
    )  # fmt: skip
    appeals.uphold(
        case=stage.fresh(),
        answer="核实属实，评价已删除",
        proof=picture("appeal upheld"),
        by=stage.lead,
        now=stage.later(days=2),
    )


OLD: tuple[Callable[[Stage], None], ...] = (
    revised, kept, withdrawn, unreachable, kept, refused, unhappy, revised, kept, malicious,
)  # fmt: skip


def _talked(stage: Stage) -> None:
    stage.contact()


def _above_limit(stage: Stage) -> None:
    stage.contact()
    stage.offer("refund", "给您退款180元，商品不用退回。", 180, approve=False)


def _under_way(stage: Stage) -> None:
    stage.contact()
    stage.offer("exchange", "给您换一个全新的，往返运费我们承担。")
    stage.agree()
    stage.carry_out(whole=False)


def _to_call(stage: Stage) -> None:
    stage.contact()
    stage.offer("reship", "马上给您补发，今天寄出。")
    stage.agree()
    stage.carry_out()


def _to_answer(stage: Stage) -> None:
    stage.contact()
    cases.end_talks(case=stage.fresh(), reason="顾客不愿继续沟通", by=stage.agent, now=stage.later(hours=2))


def _suspected(stage: Stage) -> None:
    appeals.suspect(case=stage.fresh(), reason="要求先转账再改评", by=stage.agent, now=stage.later(hours=2))
    appeals.add_evidence(
        case=stage.fresh(), ground="asks_money", what="聊天截图：先转 100 元", captured_at=stage.now, file=picture("chat"),
        by=stage.agent, now=stage.later(minutes=10),
    )  # fmt: skip


NEW: tuple[Callable[[Stage], None], ...] = (
    _talked,
    _above_limit,
    _under_way,
    _to_call,
    _repaired,
    _to_answer,
    _suspected,
)


def load(*, now: datetime) -> int:
    """Play the repairs since the shop began with them; answers how many. Nothing without the demo's people."""
    people = {
        user.username: user for user in User.objects.filter(username__in=("linyue", "hejun", "chensiyuan"))
    }
    if "linyue" not in people or "chensiyuan" not in people:
        return 0
    lead = people.pop("chensiyuan")
    demo = RepairCase.objects.filter(feedback__source=Source.DEMO)
    _forget(demo.filter(opened_at__lt=now - SINCE))
    agents = cycle(people.values())
    old, new, wishes = cycle(OLD), cycle(NEW), cycle(WISHES)
    played = 0
    for case in demo.filter(customer__isnull=False).order_by("opened_at", "pk"):
        age = now - case.opened_at
        if age < timedelta(hours=30):
            # Today's reviews are for whoever tries the shop.
            continue
        story = next(old) if age > timedelta(days=6) else next(new)
        stage = Stage(case, next(agents), lead, case.opened_at, next(wishes))
        stage.latest = now
        # Where somebody of the demo's history was there before, the case stays where it got to.
        with contextlib.suppress(DomainError):
            story(stage)
        played += 1
    return played


def _forget(rows: Any) -> int:
    """Take repairs away with all that hangs on them, the log among it: what never was leaves no trace."""
    ids = list(rows.values_list("pk", flat=True))
    cases_of = {"case__in": ids}
    parts: dict[str, list[int]] = {
        "repairs.repaircase": ids,
        "repairs.offer": list(Offer.objects.filter(**cases_of).values_list("pk", flat=True)),
        "repairs.remedy": list(Remedy.objects.filter(offer__case__in=ids).values_list("pk", flat=True)),
        "repairs.appeal": list(Appeal.objects.filter(**cases_of).values_list("pk", flat=True)),
        "repairs.publicreply": list(PublicReply.objects.filter(**cases_of).values_list("pk", flat=True)),
        "callbacks.callback": list(
            Callback.objects.filter(subject_key__in=[f"repair:{pk}" for pk in ids]).values_list(
                "pk", flat=True
            )
        ),
        "messaging.outboundmessage": list(
            PublicReply.objects.filter(**cases_of, entry__message__isnull=False).values_list(
                "entry__message_id", flat=True
            )
        ),
    }
    Callback.objects.filter(pk__in=parts["callbacks.callback"]).delete()
    works = [f"repairs.remedy:{pk}" for pk in parts["repairs.remedy"]]
    Remedy.objects.filter(pk__in=parts["repairs.remedy"]).delete()
    WorkItem.objects.filter(origin_key__in=works).delete()
    for label in ("repairs.offer", "repairs.publicreply"):
        asked = Approval.objects.filter(model=label, object_id__in=parts[label])
        numbers = list(asked.values_list("pk", flat=True))
        ActionLog.objects.filter(model="core.approval", object_id__in=numbers).delete()
        asked.delete()
    for model in (Offer, PublicReply, Evidence, Appeal, ContactTry):
        model.objects.filter(**cases_of).delete()
    for label, numbers in parts.items():
        ActionLog.objects.filter(model=label, object_id__in=numbers).delete()
    RepairCase.objects.filter(pk__in=ids).delete()
    return len(ids)


def clear() -> int:
    """Repairs of demo feedback go, with what was booked for them."""
    rows = RepairCase.objects.filter(feedback__in=Feedback.objects.filter(source=Source.DEMO).values("pk"))
    keys = [f"repair:{pk}" for pk in rows.values_list("pk", flat=True)]
    count = _forget(rows)
    rewards_demo.forget(subject_keys=keys)
    return count
