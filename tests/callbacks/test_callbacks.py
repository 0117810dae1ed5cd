"""Callbacks: planning, calling, the sweep, who may be called (R30, R36, R44)."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import IntegrityError, transaction

from apps.callbacks import signals
from apps.callbacks.models import Callback, CallbackAttempt, CallbackPlan
from apps.callbacks.selectors import finished_of
from apps.callbacks.selectors.figures import completion, reached, satisfaction
from apps.callbacks.services import calls, picking
from apps.callbacks.services.scheduling import Wanted, schedule, schedule_many
from apps.callbacks.services.sweep import sweep_callbacks
from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted, StaleState
from apps.core.metrics import Span, metrics
from apps.customers.models import ConsentEvent, ContactHold, Customer
from apps.customers.selectors import may_contact, timeline_of
from apps.customers.services import merging
from apps.feedback.models import Feedback
from apps.feedback.selectors.reference import forget_reference
from apps.feedback.services import moves
from apps.feedback.services.replies import asks_for_review
from apps.messaging.models import MessageTemplate, MessagingPolicy
from apps.messaging.selectors import forget_setup
from apps.shop.models import Leave
from tests.factories import NOW, Cast, arrive, at, case, make_user, queries, reads, told

pytestmark = pytest.mark.django_db
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + b"\0" * 20


def person(**values: Any) -> Customer:
    number = Customer.objects.count()
    return Customer.objects.create(**({"nickname": f"客{number}", "phone": f"138{number:08d}"} | values))


def agree(customer: Customer, purpose: str = "survey", granted: bool = True, channel: str = "phone") -> None:
    ConsentEvent.objects.create(
        customer=customer,
        purpose=purpose,
        channel=channel,
        granted=granted,
        source="test",
        at=NOW - timedelta(9),
    )


def plan_one(customer: Customer | None = None, key: str = "k", **values: Any) -> Callback:
    defaults = {"reason": "问题解决了吗", "due_at": NOW + timedelta(hours=1), "now": NOW}
    return schedule(key=key, customer=customer or person(), **(defaults | values))


def solved(cast: Cast, *, hours_ago: int = 71, **values: Any) -> Feedback:
    """A case of somebody with a phone that Alice resolved."""
    came = NOW - timedelta(hours=hours_ago + 1)
    feedback = arrive("A", now=came, store=cast.store.code)
    Feedback.objects.filter(pk=feedback.pk).update(
        customer=person(), assignee=cast.alice, status="in_progress"
    )
    feedback = case(feedback.pk)
    moves.resolve(feedback=feedback, by=cast.alice, now=NOW - timedelta(hours=hours_ago), reason="已补发")
    return case(feedback.pk)


def active_plan(cast: Cast, **values: Any) -> CallbackPlan:
    plan = CallbackPlan.objects.get(code="after-case-72h")
    for name, value in (
        {"is_active": True, "team": cast.team, "seen_until": NOW - timedelta(days=4)} | values
    ).items():
        setattr(plan, name, value)
    plan.save()
    return plan


# -- planning ----------
def test_planning_twice_plans_one() -> None:
    customer = person()
    first = plan_one(customer, key="repair:7", subject_key="repair:7")
    again = plan_one(customer, key="repair:7", subject_key="repair:7", due_at=NOW + timedelta(days=2))
    assert first.pk == again.pk
    assert again.due_at == NOW + timedelta(hours=1)
    assert first.is_service and first.is_open


def test_the_night_is_left_to_customers() -> None:
    assert plan_one(due_at=at("11-18 22:30")).due_at == at("11-19 08:00")
    MessagingPolicy.objects.update(soft_from="09:00")
    forget_setup()
    assert plan_one(key="b", due_at=at("11-18 22:30")).due_at == at("11-19 09:00")


def test_who_may_not_be_called_is_called_off_at_once_and_says_why() -> None:
    held, erased, silent, refused, fine = (person() for _ in range(5))
    ContactHold.objects.create(customer=held, reason="诉讼", starts_at=NOW - timedelta(1), by=make_user("x"))
    Customer.objects.filter(pk=erased.pk).update(state="erased")
    erased.refresh_from_db()
    agree(refused)
    agree(refused, granted=False, channel="any")
    agree(fine)
    rows = schedule_many(
        [
            Wanted("a", held, "回访", NOW),
            Wanted("b", erased, "回访", NOW),
            Wanted("c", silent, "回访", NOW, is_service=False),
            Wanted("d", refused, "回访", NOW, is_service=False),
            Wanted("e", fine, "回访", NOW, is_service=False),
            Wanted("f", silent, "回访", NOW),
        ],
        now=NOW,
    )
    assert [row.end_reason for row in rows] == ["on_hold", "erased", "no_consent", "opted_out", "", ""]
    assert [row.is_open for row in rows] == [False, False, False, False, True, True]


def test_many_cost_as_much_as_one() -> None:
    def cost(first: int, count: int) -> int:
        items = [Wanted(f"n{n}", person(), "回访", NOW) for n in range(first, first + count)]
        with queries() as captured:
            schedule_many(items, now=NOW)
        return len(reads(captured))

    cost(0, 1)
    assert cost(1, 1) == cost(10, 40)


def test_a_merged_customers_callback_goes_to_the_survivor(cast: Cast) -> None:
    old, new = person(), person()
    row = plan_one(old)
    merging.merge(source=old, target=new, by=cast.max, now=NOW, reason="同一个人")
    row.refresh_from_db()
    assert row.customer == new
    assert not merging.undecided()
    old.refresh_from_db()
    assert plan_one(old, key="later").customer == new


def test_planning_needs_permission_and_reason(cast: Cast) -> None:
    with pytest.raises(NotPermitted):
        plan_one(by=cast.ann)
    with pytest.raises(InvalidInput):
        plan_one(reason=" ")
    with pytest.raises(InvalidInput):
        plan_one(assignee=cast.alice, not_by=cast.alice)


# -- calling ----------
def test_take_call_finish(cast: Cast, django_capture_on_commit_callbacks: Any) -> None:
    heard: list[dict[str, Any]] = []

    def listen(**values: Any) -> None:
        heard.append(values)

    signals.callback_finished.connect(listen)
    row = plan_one(subject_key="repair:1")
    calls.take(callback=row, by=cast.bob, now=NOW)
    with django_capture_on_commit_callbacks(execute=True):
        calls.finish(
            callback=row, outcome="reached_satisfied", satisfaction=5, by=cast.bob, now=NOW, note="谢谢"
        )
    signals.callback_finished.disconnect(listen)
    (said,) = heard
    assert (said["subject_key"], said["outcome"], said["satisfaction"]) == (
        "repair:1",
        "reached_satisfied",
        5,
    )
    assert [found.pk for found in finished_of("repair:1")] == [row.pk]
    row.refresh_from_db()
    assert (row.status, row.finished_by, row.attempt_rows.count()) == ("done", cast.bob, 1)
    assert any(event.kind == "callback" for event in timeline_of(row.customer_id, cast.lin))


def test_whoever_handled_the_case_neither_gets_the_call_nor_records_it(cast: Cast) -> None:
    row = plan_one(not_by=cast.alice)
    for act in (
        lambda: calls.take(callback=row, by=cast.alice, now=NOW),
        lambda: calls.finish(callback=row, outcome="reached_satisfied", by=cast.alice, now=NOW),
        lambda: calls.record_attempt(callback=row, outcome="no_answer", by=cast.alice, now=NOW),
        lambda: calls.assign(callback=row, to=cast.alice, by=cast.lin, now=NOW),
    ):
        with pytest.raises(DomainError, match=r"handled|处理"):
            act()
    with pytest.raises(IntegrityError), transaction.atomic():
        Callback.objects.filter(pk=row.pk).update(assignee=cast.alice)
    calls.assign(callback=row, to=cast.bob, by=cast.lin, now=NOW)
    assert told(cast.bob) == 1


def test_only_one_calls(cast: Cast) -> None:
    row = plan_one()
    stale = Callback.objects.get(pk=row.pk)
    calls.take(callback=row, by=cast.alice, now=NOW)
    with pytest.raises(StaleState, match="Alice"):
        calls.take(callback=stale, by=cast.bob, now=NOW)
    row = Callback.objects.get(pk=row.pk)
    with pytest.raises(StaleState):
        calls.finish(callback=row, outcome="reached_satisfied", by=cast.bob, now=NOW)


def test_three_days_without_an_answer_end_it(cast: Cast) -> None:
    row, moment = plan_one(), NOW
    for day in range(3):
        assert row.is_open
        calls.record_attempt(callback=row, outcome="no_answer", by=cast.bob, now=moment)
        if day < 2:
            with pytest.raises(InvalidInput) as refusal:
                calls.record_attempt(
                    callback=row, outcome="busy", by=cast.bob, now=moment + timedelta(hours=1)
                )
            assert refusal.value.code == "too_soon"
            assert row.due_at.astimezone(NOW.tzinfo).date() == (moment + timedelta(days=1)).date()
            moment = row.due_at
    assert (row.status, row.tries, row.outcome) == ("unreached", 3, "no_answer")
    days = {a.at.astimezone(NOW.tzinfo).date() for a in row.attempt_rows.all()}
    assert len(days) == 3
    with pytest.raises(IllegalMove):
        calls.record_attempt(callback=row, outcome="no_answer", by=cast.bob, now=moment + timedelta(days=1))
    calls.reopen(callback=row, due_at=moment + timedelta(days=2), by=cast.bob, now=moment, reason="顾客回电")
    assert (row.tries, row.round, row.status) == (0, 2, "planned")


def test_called_later_does_not_count_and_needs_a_time(cast: Cast) -> None:
    row = plan_one()
    with pytest.raises(InvalidInput):
        calls.record_attempt(callback=row, outcome="call_later", by=cast.bob, now=NOW)
    calls.record_attempt(
        callback=row, outcome="call_later", by=cast.bob, now=NOW, next_at=NOW + timedelta(hours=4)
    )
    assert (row.tries, row.due_at) == (0, NOW + timedelta(hours=4))


def test_a_wish_for_this_afternoon_counts_more_than_a_try_of_this_morning(cast: Cast) -> None:
    row = plan_one()
    calls.take(callback=row, by=cast.bob, now=NOW)
    calls.record_attempt(callback=row, outcome="no_answer", by=cast.bob, now=NOW)
    with pytest.raises(IllegalMove) as refused:
        calls.take(callback=row, by=cast.bob, now=NOW + timedelta(minutes=20))
    assert refused.value.code == "too_soon"
    # The customer rings back.
    wish = NOW + timedelta(hours=4)
    calls.record_attempt(
        callback=row, outcome="call_later", by=cast.bob, now=NOW + timedelta(minutes=30), next_at=wish
    )
    calls.take(callback=row, by=cast.bob, now=wish)
    # Nobody picks up all the same: that can be written down, and from now on it is another day again.
    calls.record_attempt(callback=row, outcome="no_answer", by=cast.bob, now=wish)
    assert (row.status, row.tries) == ("planned", 2)
    with pytest.raises(IllegalMove):
        calls.take(callback=row, by=cast.bob, now=wish + timedelta(minutes=20))


def test_a_refusal_is_kept_and_stops_other_calls(cast: Cast) -> None:
    customer = person()
    agree(customer)
    other = plan_one(customer, key="care", is_service=False)
    service = plan_one(customer, key="case")
    row = plan_one(customer, key="this")
    calls.finish(callback=row, outcome="refused", by=cast.sue, now=NOW)
    other.refresh_from_db()
    service.refresh_from_db()
    assert (other.status, other.end_reason, service.status) == ("cancelled", "opted_out", "planned")
    assert not may_contact(customer.pk, purpose="survey", channel="phone")
    assert row.status == "done" and row.satisfaction is None


def test_a_hold_set_since_stops_the_call(cast: Cast) -> None:
    row = plan_one()
    ContactHold.objects.create(customer=row.customer, reason="丧事", starts_at=NOW, by=cast.lin)
    with pytest.raises(IllegalMove) as refusal:
        calls.take(callback=row, by=cast.bob, now=NOW)
    assert refusal.value.code == "blocked"
    row.refresh_from_db()
    assert (row.status, row.end_reason) == ("cancelled", "on_hold")


def test_nobody_is_called_at_night(cast: Cast) -> None:
    row = plan_one()
    for act in (
        lambda now: calls.take(callback=row, by=cast.bob, now=now),
        lambda now: calls.finish(callback=row, outcome="reached_neutral", by=cast.bob, now=now),
    ):
        with pytest.raises(IllegalMove) as refusal:
            act(at("11-18 21:30"))
        assert refusal.value.code == "hours"
    # A call begun in time may end late.
    calls.take(callback=row, by=cast.bob, now=at("11-18 20:58"))
    calls.finish(callback=row, outcome="reached_neutral", by=cast.bob, now=at("11-18 21:05"))


def test_a_recording_needs_a_yes(cast: Cast) -> None:
    row = plan_one()

    def save(consented: bool | None) -> None:
        calls.finish(
            callback=row,
            outcome="reached_satisfied",
            by=cast.bob,
            now=NOW,
            recording=calls.Recording(
                announced=True, consented=consented, upload=SimpleUploadedFile("a.wav", WAV)
            ),
        )

    for word in (None, False):
        with pytest.raises(InvalidInput):
            save(word)
    assert not CallbackAttempt.objects.exists()
    save(True)
    attempt = row.attempt_rows.get()
    assert attempt.file is not None and attempt.consent is not None and attempt.consent.purpose == "recording"
    with pytest.raises(IntegrityError), transaction.atomic():
        CallbackAttempt.objects.filter(pk=attempt.pk).update(consent=None)


def test_stars_and_outcome_agree(cast: Cast) -> None:
    row = plan_one()
    for outcome, stars in (("reached_satisfied", 1), ("reached_unsatisfied", 5), ("reached_neutral", 6)):
        with pytest.raises(InvalidInput):
            calls.finish(callback=row, outcome=outcome, satisfaction=stars, by=cast.bob, now=NOW)


# -- what follows ----------
def test_not_satisfied_opens_the_case_again(cast: Cast) -> None:
    feedback = solved(cast)
    row = plan_one(feedback.customer, feedback=feedback, not_by=cast.alice)
    calls.finish(
        callback=row, outcome="reached_unsatisfied", satisfaction=1, by=cast.bob, now=NOW, note="还是坏的"
    )
    feedback = case(feedback.pk)
    assert (feedback.status, feedback.reopened) == ("in_progress", 1)
    assert told(cast.alice) == 1


def test_not_satisfied_after_a_week_tells_the_owner(cast: Cast) -> None:
    feedback = solved(cast, hours_ago=24 * 9)
    row = plan_one(feedback.customer, feedback=feedback)
    calls.finish(callback=row, outcome="reached_unsatisfied", by=cast.bob, now=NOW)
    assert case(feedback.pk).status == "resolved"
    assert told(cast.alice) == 1


def test_something_new_becomes_feedback_once(cast: Cast) -> None:
    row = plan_one()
    made = calls.raise_feedback(callback=row, text="另外上次买的茶叶有异味", by=cast.bob, now=NOW)
    assert (made.channel.code, made.customer) == ("callback", row.customer)
    with pytest.raises(IllegalMove):
        calls.raise_feedback(callback=row, text="又一件事", by=cast.bob, now=NOW)


# -- the sweep ----------
def test_a_plan_calls_after_72_hours_but_not_by_the_handler(cast: Cast) -> None:
    active_plan(cast)
    feedback = solved(cast)
    nobody = arrive("A", now=NOW - timedelta(hours=72))
    Feedback.objects.filter(pk=nobody.pk).update(status="resolved", resolved_at=NOW - timedelta(hours=71))
    assert sweep_callbacks(now=NOW).planned == 1
    row = Callback.objects.get()
    assert row.feedback == feedback
    assert row.due_at == feedback.resolved_at + timedelta(hours=72)
    assert (row.not_by, row.assignee, len(row.questions)) == (cast.alice, cast.bob, 3)
    assert sweep_callbacks(now=NOW + timedelta(minutes=5)).planned == 0
    assert Callback.objects.count() == 1


def test_plans_narrow_and_start_when_switched_on(cast: Cast) -> None:
    plan = active_plan(cast, tiers=["S"])
    solved(cast)
    assert sweep_callbacks(now=NOW).planned == 0
    plan = active_plan(cast, seen_until=NOW)
    solved(cast, hours_ago=2)
    assert sweep_callbacks(now=NOW).planned == 0
    picking.switch_on(plan=plan, was_active=False, now=NOW)
    assert plan.seen_until == NOW
    active_plan(cast, sample_percent=1)
    solved(cast)
    assert sweep_callbacks(now=NOW).planned in (0, 1)


def test_work_is_shared_and_leave_is_known(cast: Cast) -> None:
    plan = active_plan(cast, not_by_handler=False)
    items = [Wanted(f"w{n}", person(), "回访", NOW + timedelta(hours=2), plan=plan) for n in range(4)]
    rows = schedule_many(items, now=NOW)
    assert sorted(row.assignee.username for row in rows) == ["alice", "alice", "bob", "bob"]
    # Leave of the past is not kept in memory, whatever the tests' clock says.
    far = at("2035-03-05 10:00")
    day = far.date()
    Leave.objects.create(user=cast.alice, first_day=day, last_day=day)
    forget_reference()
    later = [Wanted(f"l{n}", person(), "回访", far, plan=plan) for n in range(2)]
    assert {row.assignee for row in schedule_many(later, now=NOW)} == {cast.bob}


def test_reminders_come_once(cast: Cast) -> None:
    row = plan_one(assignee=cast.bob, due_at=NOW)
    for minutes in (0, 5, 10):
        sweep_callbacks(now=NOW + timedelta(minutes=minutes))
    assert told(cast.bob) == 1
    assert told(cast.lin) == 0
    for hours in (25, 26):
        sweep_callbacks(now=NOW + timedelta(hours=hours))
    assert (told(cast.bob), told(cast.lin)) == (1, 1)
    row.refresh_from_db()
    calls.postpone(callback=row, due_at=NOW + timedelta(days=2), by=cast.bob, now=NOW, reason="顾客出差")
    sweep_callbacks(now=NOW + timedelta(days=2, hours=1))
    assert told(cast.bob) == 2


def test_the_sweep_ends_what_is_over(cast: Cast) -> None:
    plan = active_plan(cast)
    feedback = solved(cast)
    open_again = plan_one(feedback.customer, key="open", feedback=feedback, plan=plan)
    moves.reopen(feedback=feedback, by=cast.alice, now=NOW, reason="又坏了")
    held = plan_one(key="held")
    ContactHold.objects.create(customer=held.customer, reason="投诉", starts_at=NOW, by=cast.lin)
    forgotten = plan_one(key="call")
    calls.take(callback=forgotten, by=cast.bob, now=NOW)
    old = plan_one(key="old")
    result = sweep_callbacks(now=NOW + timedelta(hours=3))
    assert (result.cancelled, result.put_back) == (2, 1)
    states = {row.key: (row.status, row.end_reason) for row in Callback.objects.all()}
    assert states["open"] == ("cancelled", "case_open")
    assert states["held"] == ("cancelled", "on_hold")
    assert states["call"][0] == "planned"
    sweep_callbacks(now=NOW + timedelta(days=31))
    old.refresh_from_db()
    assert old.status == "cancelled" and open_again.pk


def test_a_periodic_plan_calls_each_member_once_a_round(cast: Cast) -> None:
    plan = CallbackPlan.objects.get(code="members-half-year")
    plan.is_active, plan.every_days, plan.person = True, 14, cast.bob
    plan.save()
    members = [person(member_tier="gold") for _ in range(20)]
    for row in members[:15]:
        agree(row)
    person(member_tier="silver")
    for day in range(14):
        sweep_callbacks(now=NOW + timedelta(days=day))
    rows = Callback.objects.filter(plan=plan)
    assert rows.values("customer").distinct().count() == rows.count() == 15
    assert {row.assignee for row in rows} == {cast.bob}
    assert all(not row.is_service for row in rows)


def test_the_command_counts(cast: Cast) -> None:
    out = io.StringIO()
    call_command("sweep_callbacks", "--json", stdout=out)
    assert set(json.loads(out.getvalue())) == {
        "planned", "cancelled", "assigned", "told", "lead_told", "unreached", "put_back"
    }  # fmt: skip


def test_a_plan_that_is_no_service_needs_consent_by_law() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CallbackPlan.objects.create(code="x", name_zh="x", trigger="periodic", purpose="service")


# -- lists picked by hand ----------
def test_a_list_is_sorted_by_who_may_be_called(cast: Cast) -> None:
    plan = CallbackPlan.objects.get(code="hand-picked")
    fine, silent, busy, mute = (person(external_id=f"M{n}") for n in range(4))
    Customer.objects.filter(pk=mute.pk).update(phone="", phone_hash="")
    for row in (fine, busy, mute):
        agree(row)
    plan_one(busy, key="busy")
    data = "姓名,顾客编号\n甲,M0\n乙,M1\n丙,M2\n丁,M3\n戊,M0\n己,NOBODY\n".encode("gb18030")
    lines = picking.lines_of_file(SimpleUploadedFile("a.csv", data))
    assert [line.text for line in lines] == ["M0", "M1", "M2", "M3", "M0", "NOBODY"]
    picked = picking.look(lines, plan=plan, user=cast.alice, now=NOW)
    assert picked.allowed == [fine]
    assert {row: str(why.value) for row, why in picked.excluded} == {
        silent: "no_consent", busy: "planned", mute: "no_phone"
    }  # fmt: skip
    assert [line.row for line, _why in picked.rejects] == [6, 7]
    made, _picked = picking.plan_picked(
        customer_ids=[fine.pk, silent.pk],
        plan=plan,
        reason="节后回访",
        due_at=NOW + timedelta(days=1),
        by=cast.alice,
        now=NOW,
    )
    assert [row.customer for row in made] == [fine]
    with pytest.raises(InvalidInput):
        picking.lines_of_file(SimpleUploadedFile("a.bin", b"\xff\xfe\x00\x81\xff"))


def test_a_case_gets_one_callback_by_hand(cast: Cast) -> None:
    feedback = solved(cast)
    values = {"reason": "处理好了吗", "due_at": NOW + timedelta(days=1), "by": cast.bob, "now": NOW}
    row = picking.plan_for_case(feedback=feedback, **values)
    assert (row.not_by, row.is_service) == (cast.alice, True)
    with pytest.raises(InvalidInput):
        picking.plan_for_case(feedback=feedback, **values)


# -- figures ----------
def test_figures_say_their_n(cast: Cast) -> None:
    for number in range(12):
        row = plan_one(key=f"f{number}", due_at=NOW)
        if number < 10:
            stars = 5 if number < 8 else 3
            outcome = "reached_satisfied" if stars == 5 else "reached_neutral"
            calls.finish(callback=row, outcome=outcome, satisfaction=stars, by=cast.bob, now=NOW)
    calls.cancel(callback=plan_one(key="off"), by=cast.bob, now=NOW, reason="不需要")
    today = Span(NOW.date(), NOW.date())
    with queries() as captured:
        (point,) = completion([today], {})
    assert len(captured) == 1
    assert (point.hits, point.n) == (10, 12)
    assert [(p.hits, p.n, p.value) for p in satisfaction([today], {"agent": cast.bob.pk})] == [(8, 10, 0.8)]
    assert reached([Span(at("11-01 00:00").date(), at("11-02 00:00").date())], {})[0].value is None
    assert metrics.get("callback_csat") is not None
    with pytest.raises(KeyError):
        completion([today], {"weather": 1})


def test_stores_see_theirs(cast: Cast) -> None:
    mine = solved(cast)
    row = plan_one(mine.customer, feedback=mine)
    other = plan_one(key="other")
    assert set(Callback.objects.visible_to(cast.sue)) == {row}
    assert set(Callback.objects.visible_to(cast.alice)) == {row, other}


def test_no_shipped_script_of_a_callback_asks_for_the_review() -> None:
    scripts = MessageTemplate.objects.filter(channel="phone_script")
    assert scripts.filter(scene="callback_invite").exists()
    # Whether the customer is satisfied is not known yet: the one invitation comes after.
    callback = MessageTemplate.objects.filter(scene="callback_invite")
    assert [row.code for row in callback | scripts if asks_for_review(f"{row.title} {row.body}")] == []
    assert [
        plan.code for plan in CallbackPlan.objects.all() if any(map(asks_for_review, plan.questions))
    ] == []
    assert asks_for_review(MessageTemplate.objects.get(code="RV_INVITE").body)
