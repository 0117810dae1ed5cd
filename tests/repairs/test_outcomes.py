"""Opening and outcomes: what intake, later imports and complete lists show (R26, R28, R29; decisions, items 3 and 14)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.core.exceptions import DomainError, IllegalMove, NotPermitted
from apps.core.models import Approval
from apps.core.services import approvals
from apps.feedback.models import Feedback, FeedbackChange, ImportRun, SnapshotRow
from apps.feedback.services import moves
from apps.feedback.services.file_import import import_file
from apps.messaging.models import OutboundMessage
from apps.messaging.services.outbox import mark_sent
from apps.repairs.models import AppealRule, PublicReply, RepairCase, RepairPolicy
from apps.repairs.services import appeals, cases, outcomes, replies
from apps.repairs.services.moving import GuardFailed
from apps.repairs.services.sweep import sweep
from tests.factories import NOW, make_store, queries, reads, take, voice
from tests.repairs.world import (
    REPLY,
    Shop,
    fresh,
    invited,
    make_case,
    make_review,
    make_shop,
    picture,
    talked,
    with_evidence,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(db: None) -> Shop:
    return make_shop()


# -- opening ----------
@pytest.mark.parametrize(
    ("values", "opens"),
    [
        ({"rating": 1}, True),
        ({"rating": 2}, True),
        ({"rating": 3}, False),
        ({"rating": None}, True),
        ({"rating": 1, "channel": "hotline"}, False),
    ],
)
def test_which_feedback_opens_a_repair(shop: Shop, values: dict[str, Any], opens: bool) -> None:
    (outcome,) = take(voice(external_id="x1", **values), grade="A")
    assert cases.open_for(feedback_ids=[outcome.feedback_id], now=NOW) == int(opens)
    assert RepairCase.objects.filter(feedback_id=outcome.feedback_id).exists() is opens


def test_history_opens_nothing_but_a_person_may(shop: Shop) -> None:
    (outcome,) = take(voice(rating=1, external_id="x1"), grade="A", historical=True)
    assert cases.open_for(feedback_ids=[outcome.feedback_id], now=NOW) == 0
    feedback = Feedback.objects.get(pk=outcome.feedback_id)
    case = cases.open_by_hand(feedback=feedback, by=shop.agent, now=NOW, reason="老差评也要修复")
    assert cases.open_by_hand(feedback=feedback, by=shop.agent, now=NOW).pk == case.pk


def test_a_hundred_reviews_cost_as_many_statements_as_one(shop: Shop) -> None:
    ids = [o.feedback_id for o in take(*[voice(rating=1, external_id=f"n{i}") for i in range(60)], grade="A")]
    with queries() as one:
        cases.open_for(feedback_ids=ids[:1], now=NOW)
    with queries() as many:
        cases.open_for(feedback_ids=ids[1:], now=NOW)
    assert len(reads(many)) == len(reads(one))


def test_opening_twice_opens_one(shop: Shop) -> None:
    feedback = make_review(shop)
    for _time in range(2):
        cases.open_for(feedback_ids=[feedback.pk], now=NOW)
    assert RepairCase.objects.filter(feedback=feedback).count() == 1


def test_the_rules_may_be_switched_off(shop: Shop) -> None:
    from apps.core.reference import touch

    RepairPolicy.objects.update(opens_by_itself=False)
    touch("repairs")
    assert cases.open_for(feedback_ids=[make_review(shop).pk], now=NOW) == 0


def test_what_is_corrected_on_the_feedback_comes_along(shop: Shop) -> None:
    case = make_case(shop)
    store = make_store()
    Feedback.objects.filter(pk=case.feedback_id).update(tier="S", tier_rank=0, store=store)
    cases.follow_feedback(feedback_id=case.feedback_id, now=NOW)
    case = fresh(case)
    assert (case.tier, case.store) == ("S", store)


def test_a_dismissed_feedback_takes_its_repair_along(shop: Shop) -> None:
    case = make_case(shop)
    moves.dismiss(feedback=case.feedback, by=shop.agent, now=NOW, reason="广告")
    cases.follow_feedback(feedback_id=case.feedback_id, now=NOW)
    assert fresh(case).status == "dismissed"


# -- seen in a later import ----------
def later(case: RepairCase, rating: int, text: str = "改了一下") -> None:
    take(
        voice(
            channel=case.feedback.channel.code,
            external_id=case.feedback.external_id,
            rating=rating,
            text=text,
        ),
        now=NOW + timedelta(days=2),
    )


def test_more_stars_in_a_later_import_are_a_revision(shop: Shop) -> None:
    case = make_case(shop)
    later(case, 5)
    sweep(now=NOW + timedelta(days=2))
    case = fresh(case)
    assert case.status == "revised" and case.outcome_change is not None
    assert sweep(now=NOW + timedelta(days=2)).outcomes == 0


def test_one_star_more_is_no_revision(shop: Shop) -> None:
    case = make_case(shop)
    later(case, 3)
    sweep(now=NOW + timedelta(days=2))
    assert fresh(case).status == "triaged"


def test_nobody_can_call_a_review_revised_that_nobody_saw(shop: Shop) -> None:
    case = make_case(shop)
    other = make_case(shop)
    later(other, 5)
    change = FeedbackChange.objects.get(feedback_id=other.feedback_id)
    with pytest.raises(GuardFailed):
        outcomes.see_revised(case=case, change=change, now=NOW)


def test_a_review_that_turns_bad_opens_a_repair(shop: Shop) -> None:
    (outcome,) = take(voice(rating=5, external_id="good"), grade="praise")
    take(voice(external_id="good", rating=1, text="用了两天就坏了，气死"), now=NOW + timedelta(days=1))
    sweep(now=NOW + timedelta(days=1))
    assert RepairCase.objects.filter(feedback_id=outcome.feedback_id).exists()


def follow_up(case: RepairCase, grade: str, rating: int) -> None:
    take(
        voice(
            channel=case.feedback.channel.code,
            external_id=f"{case.feedback.external_id}#2",
            follow_up_to=case.feedback.external_id,
            rating=rating,
        ),
        grade=grade,
        now=NOW + timedelta(days=9),
    )


def test_a_kind_follow_up_repairs_and_an_angry_one_reopens(shop: Shop) -> None:
    case = make_case(shop)
    follow_up(case, "praise", 5)
    sweep(now=NOW + timedelta(days=9))
    assert fresh(case).status == "revised"
    angry = invited(shop, make_case(shop))
    cases.keep(case=angry, by=shop.agent, now=shop.now)
    follow_up(angry, "A", 1)
    sweep(now=NOW + timedelta(days=9))
    assert fresh(angry).status == "triaged"
    cases.dismiss(case=fresh(angry), reason="看过了", by=shop.agent, now=NOW + timedelta(days=9))
    sweep(now=NOW + timedelta(days=10))
    assert fresh(angry).status == "dismissed", "the same follow-up opens a case once"


# -- complete lists ----------
def complete_list(tmp_path: Any, shop: Shop, store: Any, rows: list[str], **values: Any) -> ImportRun:
    path = tmp_path / f"list{len(rows)}-{len(values)}.csv"
    path.write_text("评价ID,评价内容,评分,评价时间\n" + "\n".join(rows), "utf-8")
    from apps.feedback.models import Channel
    from apps.feedback.services.file_import import digest_of

    run = ImportRun.objects.create(
        sha256=digest_of(path),
        channel=Channel.objects.get(code="taobao"),
        file_name=path.name,
        store=store,
        snapshot={"store": store.code, "from": "2026-11-01", "to": "2026-11-30"},
        state=ImportRun.State.RUNNING,
        started_at=NOW,
        by=shop.lead,
    )
    import_file(
        path=path,
        channel="taobao",
        now=lambda: NOW,
        mapping="external_id=评价ID,text=评价内容,rating=评分,posted_at=评价时间",
        store=store.code,
    )
    run.refresh_from_db()
    return run


def test_missing_in_a_complete_list_waits_for_a_person(shop: Shop, tmp_path: Any) -> None:
    store = make_store()
    gone = make_case(shop, store=store.code, posted_at=NOW - timedelta(days=3))
    there = make_case(shop, store=store.code, posted_at=NOW - timedelta(days=3))
    old = make_case(shop, store=store.code, posted_at=NOW - timedelta(days=60))
    Feedback.objects.filter(pk__in=[gone.feedback_id, there.feedback_id, old.feedback_id]).update(store=store)
    RepairCase.objects.update(store=store)
    listed = there.feedback
    row = f"{listed.external_id},{listed.text},1,{listed.posted_at:%Y-%m-%d %H:%M}"
    run = complete_list(tmp_path, shop, store, [row])
    assert list(SnapshotRow.objects.filter(run=run).values_list("feedback_id", flat=True)) == [listed.pk]
    assert sweep(now=NOW + timedelta(hours=1)).unseen == 1
    assert fresh(gone).unseen_since is not None and fresh(gone).status == "triaged"
    assert fresh(there).unseen_since is None and fresh(old).unseen_since is None
    with pytest.raises(GuardFailed) as error:
        outcomes.confirm_gone(case=gone, by_platform=False, reason="看过", proof=None, by=shop.lead, now=NOW)
    assert error.value.params["missing"] == ["proof"]
    with pytest.raises(GuardFailed):
        outcomes.confirm_gone(
            case=there, by_platform=False, reason="看过", proof=picture(), by=shop.lead, now=NOW
        )
    with pytest.raises(NotPermitted):
        outcomes.confirm_gone(
            case=gone, by_platform=False, reason="看过", proof=picture(), by=shop.agent, now=NOW
        )
    outcomes.confirm_gone(
        case=gone, by_platform=True, reason="平台通知", proof=picture(), by=shop.lead, now=NOW
    )
    assert fresh(gone).status == "removed"


def test_a_list_with_rejected_rows_is_not_complete(shop: Shop, tmp_path: Any) -> None:
    store = make_store()
    case = make_case(shop, store=store.code, posted_at=NOW - timedelta(days=3))
    RepairCase.objects.update(store=store)
    run = complete_list(tmp_path, shop, store, ["z1,还不错,9颗星星,2026-11-10 10:00", "z2,,,"])
    assert run.rejected
    assert sweep(now=NOW + timedelta(hours=1)).unseen == 0
    assert fresh(case).unseen_since is None


def test_seen_again_is_missing_no_more(shop: Shop, tmp_path: Any) -> None:
    store = make_store()
    case = make_case(shop, store=store.code, posted_at=NOW - timedelta(days=3))
    RepairCase.objects.update(store=store, unseen_since=NOW - timedelta(days=1))
    row = f"{case.feedback.external_id},{case.feedback.text},1,{case.feedback.posted_at:%Y-%m-%d %H:%M}"
    complete_list(tmp_path, shop, store, [row])
    sweep(now=NOW + timedelta(hours=1))
    assert fresh(case).unseen_since is None


# -- not reached, public reply ----------
def test_three_tries_on_three_days_then_a_public_reply(shop: Shop) -> None:
    case = make_case(shop)
    for number in range(3):
        with pytest.raises(GuardFailed):
            cases.give_up_contact(case=fresh(case), by=shop.agent, now=shop.now)
        cases.try_contact(
            case=fresh(case), how="phone", note="没人接", by=shop.agent, now=NOW + timedelta(days=number)
        )
    cases.give_up_contact(case=fresh(case), by=shop.agent, now=NOW + timedelta(days=2))
    case = fresh(case)
    assert case.status == "unreachable" and case.feedback.first_response_at is None
    replies.write(case=case, text=REPLY, by=shop.agent, now=NOW + timedelta(days=2))
    assert fresh(case).status == "unreachable", "written is not out"
    message = OutboundMessage.objects.get(channel="public_reply")
    mark_sent(message=message, proof="评价下方", by=shop.agent, now=NOW + timedelta(days=2))
    replies.on_message(message_id=message.pk, now=NOW + timedelta(days=2))
    assert fresh(case).status == "kept_public_reply"


def test_the_sweep_settles_a_reply_whose_signal_was_lost(shop: Shop) -> None:
    case = talked(shop, make_case(shop))
    cases.end_talks(case=case, reason="谈不拢", by=shop.agent, now=NOW)
    replies.write(case=fresh(case), text=REPLY, by=shop.agent, now=NOW)
    OutboundMessage.objects.filter(channel="public_reply").update(state="sent", sent_at=NOW)
    assert sweep(now=NOW + timedelta(minutes=1)).replies == 1
    assert fresh(case).status == "kept_public_reply"


def test_an_urgent_case_is_answered_in_public_by_two(shop: Shop) -> None:
    case = talked(shop, make_case(shop, grade="S"), by=shop.lead)
    cases.end_talks(case=case, reason="谈不拢", by=shop.agent, now=NOW)
    reply = replies.write(case=fresh(case), text=REPLY, by=shop.agent, now=NOW)
    assert reply.state == "waiting" and not OutboundMessage.objects.filter(channel="public_reply").exists()
    approvals.decide(approval=Approval.objects.get(state="pending"), verb="approve", by=shop.lead, now=NOW)
    reply.refresh_from_db()
    assert (reply.state, reply.approved_by) == ("written", shop.lead)


def test_a_rejected_reply_goes_nowhere(shop: Shop) -> None:
    case = talked(shop, make_case(shop, grade="S"), by=shop.lead)
    replies.write(case=fresh(case), text=REPLY, by=shop.agent, now=NOW)
    approvals.decide(
        approval=Approval.objects.get(state="pending"),
        verb="reject",
        by=shop.lead,
        now=NOW,
        reason="语气生硬",
    )
    assert PublicReply.objects.get().state == "rejected"
    assert not OutboundMessage.objects.filter(channel="public_reply").exists()


# -- malice ----------
def test_low_stars_alone_never_make_an_appeal(shop: Shop) -> None:
    case = make_case(shop)
    with pytest.raises(IllegalMove):
        appeals.file_appeal(case=case, case_number="AP1", statement="", by=shop.lead, now=NOW)
    appeals.suspect(case=case, reason="一星", by=shop.agent, now=NOW)
    appeals.add_evidence(
        case=fresh(case),
        ground="contradicts_facts",
        what="物流记录",
        captured_at=NOW,
        file=picture(),
        by=shop.agent,
        now=NOW,
    )
    with pytest.raises(GuardFailed) as error:
        appeals.file_appeal(case=fresh(case), case_number="AP1", statement="", by=shop.lead, now=NOW)
    assert error.value.params["missing"] == ["two_grounds", "malice"]


def test_an_appeal_its_rejection_a_second_one_and_no_third(shop: Shop) -> None:
    case = with_evidence(shop, make_case(shop))
    first = appeals.file_appeal(case=case, case_number="AP1", statement="请核实", by=shop.lead, now=NOW)
    assert first.evidence_hash and first.answer_due_at == NOW + timedelta(days=3)
    appeals.reject(case=fresh(case), reason="证据不足", by=shop.lead, now=NOW)
    with pytest.raises(IllegalMove):
        appeals.file_appeal(case=fresh(case), case_number="AP2", statement="", by=shop.lead, now=NOW)
    appeals.add_evidence(
        case=fresh(case),
        ground="competitor",
        what="账号认证",
        captured_at=NOW,
        file=picture(),
        by=shop.agent,
        now=NOW,
    )
    second = appeals.file_appeal(case=fresh(case), case_number="AP2", statement="", by=shop.lead, now=NOW)
    assert second.round == 2 and second.evidence_hash != first.evidence_hash
    appeals.reject(case=fresh(case), reason="仍不足", by=shop.lead, now=NOW)
    appeals.add_evidence(
        case=fresh(case),
        ground="same_text",
        what="多店同文",
        captured_at=NOW,
        file=picture(),
        by=shop.agent,
        now=NOW,
    )
    with pytest.raises(GuardFailed) as error:
        appeals.file_appeal(case=fresh(case), case_number="AP3", statement="", by=shop.lead, now=NOW)
    assert "appeals_left" in error.value.params["missing"]
    appeals.end_appeal(case=fresh(case), reason="公开回复", by=shop.agent, now=NOW)
    assert fresh(case).status == "reply_due"


def test_an_upheld_appeal_needs_its_proof_and_counts_as_removed(shop: Shop) -> None:
    case = with_evidence(shop, make_case(shop))
    appeals.file_appeal(case=case, case_number="AP1", statement="", by=shop.lead, now=NOW)
    with pytest.raises(GuardFailed):
        appeals.uphold(case=fresh(case), answer="已删", proof=None, by=shop.lead, now=NOW)
    appeals.uphold(case=fresh(case), answer="已删", proof=picture(), by=shop.lead, now=NOW)
    assert fresh(case).status == "removed"
    assert case.appeals.get().status == "upheld"


def test_the_platforms_window_is_data(shop: Shop) -> None:
    from apps.core.reference import touch

    case = with_evidence(shop, make_case(shop, posted_at=NOW - timedelta(days=10)))
    AppealRule.objects.filter(channel=case.channel).update(window_days=7)
    touch("repairs")
    with pytest.raises(GuardFailed) as error:
        appeals.file_appeal(case=case, case_number="AP1", statement="", by=shop.lead, now=NOW)
    assert error.value.params["missing"] == ["within_window"]


def test_the_same_file_proves_a_ground_once(shop: Shop) -> None:
    case = with_evidence(shop, make_case(shop), "asks_money")
    same = b"the same picture"
    appeals.add_evidence(
        case=case,
        ground="competitor",
        what="账号截图",
        captured_at=NOW,
        file=picture(same),
        by=shop.agent,
        now=NOW,
    )
    with pytest.raises(DomainError):
        appeals.add_evidence(
            case=fresh(case),
            ground="competitor",
            what="又一次",
            captured_at=NOW,
            file=picture(same),
            by=shop.agent,
            now=NOW,
        )


def test_overdue_steps_are_told_once(shop: Shop) -> None:
    from tests.factories import told

    case = make_case(shop)
    Feedback.objects.filter(pk=case.feedback_id).update(assignee=shop.agent)
    for _time in range(2):
        sweep(now=NOW + timedelta(days=2))
    assert told(shop.agent, case.number) == 1


def test_an_undone_import_takes_its_untouched_repairs_along(shop: Shop, tmp_path: Any) -> None:
    """What the rules opened is no work of a person; what somebody spoke about stays."""
    from apps.feedback.selectors.imports import untouched_rows

    store = make_store()
    run = complete_list(tmp_path, shop, store, [f"u{n},坏了{n}个,1,2026-11-1{n} 10:00" for n in (1, 2)])
    ids = list(Feedback.objects.filter(import_run=run).order_by("pk").values_list("pk", flat=True))
    assert cases.open_for(feedback_ids=ids, now=NOW) == 2
    assert untouched_rows(run).count() == 2
    cases.try_contact(
        case=fresh(RepairCase.objects.get(feedback_id=ids[0])),
        how="phone",
        note="没人接",
        by=shop.agent,
        now=NOW,
    )
    assert list(untouched_rows(run).values_list("pk", flat=True)) == ids[1:]
    Feedback.objects.get(pk=ids[1]).delete()
    assert not RepairCase.objects.filter(feedback_id=ids[1]).exists()
