"""Rules among each other and over time: one that fails stops no other, what holds again asks again, history stays quiet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError

from apps.automation.book import forget_book
from apps.automation.models import EventBatch, Proposal, RestockMention, RuleRun, Watermark, WebhookDelivery
from apps.automation.registries import Action, actions, fields
from apps.automation.services import engine, proposals
from apps.automation.services.dry_run import dry_run
from apps.automation.services.messages import templates
from apps.automation.services.sweeps import tell_broken
from apps.compliance.types import Finding
from apps.core.models import ActionLog, Approval
from apps.customers.models import Order
from apps.feedback.models import Feedback
from apps.feedback.services import moves
from apps.messaging.models import OutboundMessage
from apps.messaging.templates import Missing
from apps.shop.models import Department, StockLevel, WorkItem
from tests.automation.test_engine import LATER, _missing, make_rule, marks, only, work
from tests.automation.test_webhooks import endpoint
from tests.factories import NOW, Cast, arrive, case, take, told, voice

pytestmark = pytest.mark.django_db


def sweep(now: Any = NOW) -> engine.Result:
    engine.sweep_conditions(now=now)
    return engine.work_due(now=now)


# -- events that are states: late orders, low stock ----------
def test_a_late_order_is_told_once_while_its_case_is_open(cast: Cast) -> None:
    only()
    tell = [{"code": "notify", "params": {"who": "lead", "text": "迟迟未到"}}]
    rule = make_rule("late", event="order_late", event_params={"days": 5}, conditions={}, actions=tell)
    rows = {name: arrive("A") for name in ("late", "young", "delivered", "cancelled", "closed", "dismissed")}
    for number, (name, row) in enumerate(rows.items()):
        order = Order.objects.create(
            order_no=f"N{number}",
            placed_at=NOW - timedelta(days=4 if name == "young" else 6),
            status={"cancelled": "cancelled", "delivered": "delivered"}.get(name, "shipped"),
            delivered_at=NOW if name == "delivered" else None,
        )
        Feedback.objects.filter(pk=row.pk).update(
            order=order, status=name if name in ("closed", "dismissed") else row.status
        )
    tried = dry_run(rule=rule, days=30, by=None, now=NOW)
    assert sweep().acted == tried.matched == 1
    assert [run.feedback_id for run in RuleRun.objects.all()] == [rows["late"].pk]
    assert sweep(NOW + timedelta(hours=1)).acted == 0 and told(cast.lin, "迟迟未到") == 1
    # The young order is late a day later, by itself.
    assert sweep(NOW + timedelta(days=1)).acted == 1


def test_low_stock_asks_again_only_after_a_new_count_and_a_request_that_was_done(cast: Cast) -> None:
    only()
    rule = make_rule(
        "low", event="stock_low", conditions={}, actions=[{"code": "restock", "params": {"hours": 8}}]
    )
    hit = make_rule("hit")
    rows = [_missing(cast), _missing(cast)]
    Feedback.objects.filter(pk=_missing(cast).pk).update(status="dismissed")
    Feedback.objects.filter(pk=_missing(cast).pk).update(received_at=NOW - timedelta(days=15))
    arrive("A", store=cast.store.code, product_sku=cast.product.sku)
    level = StockLevel.objects.create(
        store=cast.store, product=cast.product, level=2, reorder_point=5, counted_at=NOW
    )
    assert dry_run(rule=rule, days=90, by=None, now=NOW).matched == 2
    assert sweep().acted == 2 and sweep(NOW + timedelta(hours=1)).acted == 0
    assert {row.feedback_id for row in RuleRun.objects.filter(rule=rule)} == {row.pk for row in rows}
    WorkItem.objects.filter(kind="restock").update(status="done")
    # Counted anew, still too few: a second request, and nobody else's rules suffer for it.
    StockLevel.objects.filter(pk=level.pk).update(counted_at=NOW + timedelta(days=1))
    next_day = NOW + timedelta(days=1, hours=1)
    result = sweep(next_day)
    assert (result.acted, result.faults) == (2, 0)
    assert WorkItem.objects.filter(kind="restock").count() == 2
    assert RestockMention.objects.count() == 4
    StockLevel.objects.filter(pk=level.pk).update(level=9, counted_at=NOW + timedelta(days=2))
    assert sweep(NOW + timedelta(days=2)).acted == 0
    assert hit.status == "enabled" and not EventBatch.objects.filter(done_at__isnull=True).exists()


# -- one rule's trouble is its own ----------
@pytest.mark.parametrize("error", [IntegrityError, OperationalError, RuntimeError])
def test_an_action_that_always_fails_takes_no_other_rule_with_it(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    only()
    monkeypatch.setattr(actions, "_items", dict(actions._items))

    def boom(work: Any, params: Any, matches: Any) -> list[str]:
        raise error("always")

    actions.register("boom", Action("boom", boom))
    make_rule("bad", position=1, actions=[{"code": "boom", "params": {}}])
    make_rule("good", position=2)
    row = arrive("A")
    assert work(row).faults == 0
    assert marks(row) == ["good"]
    assert RuleRun.objects.get(rule__code="bad").outcomes[0]["result"] != "done"


def test_a_conflict_that_passes_is_tried_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead-lock is no reason to leave an action out."""
    only()
    monkeypatch.setattr(actions, "_items", dict(actions._items))
    tries = []

    def once(work: Any, params: Any, matches: Any) -> list[str]:
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("deadlock detected")
        return ["done"] * len(matches)

    actions.register("once", Action("once", once))
    make_rule("r", actions=[{"code": "once", "params": {}}, {"code": "mark", "params": {"name": "x"}}])
    row = arrive("A")
    work(row)
    assert len(tries) == 2 and marks(row) == ["x"]
    assert [o["result"] for o in RuleRun.objects.get().outcomes] == ["done", "done"]


def test_a_condition_that_cannot_read_a_row_stops_no_other_rule(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    only()
    make_rule("bad", position=1, conditions={"all": [{"field": "customer_tags", "op": "in", "value": ["x"]}]})
    make_rule("good", position=2)
    (outcome,) = take(voice(customer={"phone": "13812345678"}), grade="A")
    row = case(outcome.feedback_id)
    assert row.customer is not None
    # Tags as an older import wrote them.
    type(row.customer).objects.update(tags=[{"name": "x"}])
    assert work(row).faults == 0 and marks(row) == ["good"]


# -- what happened before anybody listened ----------
def test_a_busy_shop_does_not_tell_its_whole_past(cast: Cast) -> None:
    """The newest move is always young there: the mark has to pass what is older all the same."""
    only()
    Watermark.objects.all().delete()
    row = arrive("A", now=NOW - timedelta(days=2))
    for days in (2, 1):
        _called(row, cast, NOW - timedelta(days=days))
    _called(row, cast, NOW - timedelta(minutes=1))
    engine.collect(now=NOW)
    endpoint(events=["feedback.created", "feedback.moved"])
    engine.collect(now=LATER)
    engine.work_due(now=LATER)
    old = ActionLog.objects.filter(model="feedback.feedback", at__lt=NOW - timedelta(hours=1))
    assert old.count() >= 2
    assert not WebhookDelivery.objects.filter(instance__in=[f"log:{log.pk}" for log in old]).exists()
    assert not WebhookDelivery.objects.filter(event="feedback.created").exists()
    # From here on everything is told.
    _called(row, cast, LATER)
    engine.collect(now=LATER)
    engine.work_due(now=LATER)
    newest = (
        ActionLog.objects.filter(model="feedback.feedback", verb="record_contact").order_by("-id").first()
    )
    assert newest is not None and WebhookDelivery.objects.filter(instance=f"log:{newest.pk}").count() == 1


def _called(row: Feedback, cast: Cast, now: Any) -> None:
    moves.record_contact(feedback=case(row.pk), how="phone", said="已致电", by=cast.alice, now=now)


def test_history_is_neither_told_nor_written_to(cast: Cast) -> None:
    """Decisions, item 3: no messages about what is imported for the record, whatever a rule says."""
    only()
    endpoint()
    code = next(code for code, _name in templates())
    make_rule(
        "old",
        with_historical=True,
        actions=[{"code": "send_template", "params": {"template": code}}],
    )
    (outcome,) = take(voice(customer={"phone": "13812345678"}), grade="A", historical=True)
    work(case(outcome.feedback_id))
    assert not WebhookDelivery.objects.exists() and not OutboundMessage.objects.exists()
    assert RuleRun.objects.get().outcomes[0]["result"] != "done"


@pytest.mark.parametrize("gone", ["merged", "dismissed"])
def test_nothing_is_done_about_a_case_that_is_no_more(cast: Cast, gone: str) -> None:
    only()
    make_rule("hit")
    make_rule("move", event="moved", conditions={})
    row = arrive("A")
    Feedback.objects.filter(pk=row.pk).update(
        status=gone, **({"merged_into": arrive("A")} if gone == "merged" else {})
    )
    work(row)
    assert marks(row) == []


# -- actions ----------
def act(cast: Cast, code: str, **params: Any) -> tuple[Feedback, str]:
    """One case after a rule did this, and what became of it."""
    only()
    make_rule("r", actions=[{"code": code, "params": params}])
    row = arrive("A", store=cast.store.code)
    work(row)
    return case(row.pk), RuleRun.objects.get().outcomes[0]["result"]


def test_assign(cast: Cast) -> None:
    row, result = act(cast, "assign", person=str(cast.bob.pk))
    assert row.assignee == cast.bob and result in ("done", "unchanged")
    cast.bob.is_active = False
    cast.bob.save()
    again = arrive("A")
    owner = again.assignee
    work(again)
    assert case(again.pk).assignee == owner


def test_set_department(cast: Cast) -> None:
    legal = Department.objects.exclude(pk=None).order_by("-pk").first()
    assert legal is not None
    row, result = act(cast, "set_department", department=str(legal.pk))
    assert (row.department, result) == (legal, "done")
    log = ActionLog.objects.get(object_id=row.pk, verb="route")
    assert (log.via, log.by) == ("automation", None)


def test_round_robin_takes_turns_and_leaves_owners_alone(cast: Cast) -> None:
    only()
    make_rule("r", actions=[{"code": "round_robin", "params": {}}])
    owned = arrive("A")
    free = [arrive("A") for _ in range(4)]
    Feedback.objects.filter(pk__in=[row.pk for row in free]).update(assignee=None, status="new")
    before = owned.assignee_id
    work(owned, *free)
    assert case(owned.pk).assignee_id == before
    owners = [case(row.pk).assignee for row in free]
    assert sorted(str(owner) for owner in owners) == sorted([str(cast.alice), str(cast.bob)] * 2)
    cast.off_duty()
    lonely = arrive("A")
    Feedback.objects.filter(pk=lonely.pk).update(assignee=None, status="new")
    forget_book()
    work(lonely)
    assert case(lonely.pk).assignee is None


@pytest.mark.parametrize("to", ["store", "department"])
def test_open_task(cast: Cast, to: str) -> None:
    row, result = act(cast, "task", title="请核实", to=to, hours=8)
    item = WorkItem.objects.get(origin_key__endswith=":task")
    assert result == "done" and item.due_at is not None and item.due_at > NOW
    assert (item.store == cast.store, item.owner == cast.sue) == (
        (True, True) if to == "store" else (False, False)
    )
    # Another event of the same case opens no second one.
    RuleRun.objects.all().delete()
    work(row)
    assert WorkItem.objects.filter(origin_key__endswith=":task").count() == 1


def test_call_webhook(cast: Cast) -> None:
    away = endpoint(events=[])
    row, result = act(cast, "webhook", endpoint=str(away.pk))
    delivery = WebhookDelivery.objects.get()
    assert (result, delivery.event, delivery.body["rule"]) == ("done", "automation.action", "r")
    assert delivery.body["feedback"]["number"] == row.number
    work(row)
    assert WebhookDelivery.objects.count() == 1


def test_the_leads_hear_of_a_rule_that_cannot_work(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    only()
    make_rule("r")
    monkeypatch.setattr(fields, "_items", {k: v for k, v in fields._items.items() if k != "sentiment"})
    forget_book()
    assert tell_broken(now=NOW) == tell_broken(now=NOW) == 1
    assert told(cast.lin, "r") == 1


# -- what a person confirms ----------
def _proposed(cast: Cast, text: str) -> Proposal:
    (outcome,) = take(voice(customer={"phone": "13812345678"}), grade="A")
    row = case(outcome.feedback_id)
    return Proposal.objects.create(
        kind="message", title="t", feedback=row, payload={"text": text}, expires_at=LATER
    )


def test_no_gap_in_a_text_reaches_a_customer(cast: Cast) -> None:
    proposal = _proposed(cast, "您的包裹{{tracking_no}}正在加急。")
    with pytest.raises(Missing, match="tracking_no"):
        proposals.confirm(proposal=proposal, by=cast.lin, now=NOW)
    proposal.refresh_from_db()
    assert proposal.status == "proposed" and not OutboundMessage.objects.exists()


def test_a_confirmed_text_that_needs_a_second_person_reaches_them(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.feedback.services import replies

    real = replies.findings_of

    def findings_of(*args: Any, **options: Any) -> Any:
        _found, facts = real(*args, **options)
        return [Finding("X-1", "require_approval", "t", "m", "", "", ())], facts

    monkeypatch.setattr(replies, "findings_of", findings_of)
    proposal = _proposed(cast, "您好,我们会全额退款。")
    proposals.confirm(proposal=proposal, by=cast.lin, now=NOW)
    proposal.refresh_from_db()
    assert proposal.status == "done" and Approval.objects.filter(state="pending").count() == 1
    assert not OutboundMessage.objects.exists()
