"""Rules at work: matching, loops, the breaker, exactly once, dry run equals the real thing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.automation import tasks
from apps.automation.book import book, problems_of_rule
from apps.automation.models import EventBatch, Mark, Proposal, RestockMention, Rule, RuleRun
from apps.automation.registries import events
from apps.automation.services import engine, rules
from apps.automation.services.dry_run import dry_run
from apps.automation.services.reference_data import load_automation_reference
from apps.core.exceptions import DomainError
from apps.core.models import ActionLog
from apps.feedback.models import Entry, Feedback
from apps.feedback.services import moves
from apps.shop.models import StockLevel, WorkItem
from tests.factories import NOW, Cast, arrive, case, queries, reads, snapshot, take, told, voice

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=1)
NEGATIVE = {"field": "sentiment", "op": "in", "value": ["negative"]}


def only(*keep: str) -> None:
    """Switch the shipped rules off."""
    for rule in Rule.objects.filter(status="enabled").exclude(code__in=keep):
        rules.disable(rule=rule, by=None, now=NOW)


def make_rule(
    code: str = "r", *, actions: list[dict[str, Any]] | None = None, on: bool = True, **values: Any
) -> Rule:
    values = {"event": "taken_in", "conditions": {"all": [NEGATIVE]}, "name": code} | values
    rule = Rule(code=code, actions=actions or [{"code": "mark", "params": {"name": code}}], **values)
    rules.save(rule=rule, by=None, now=NOW)
    if on:
        dry_run(rule=rule, days=1, by=None, now=NOW)
        rules.enable(rule=rule, by=None, now=NOW - timedelta(hours=1))
    return rule


def work(*rows: Feedback, now: Any = NOW) -> engine.Result:
    """Note these as arrived and let the rules look."""
    result = engine.Result()
    for pk in engine.arrived(feedback_ids=[row.pk for row in rows], now=now):
        engine.work_on(batch_id=pk, now=now, result=result)
    return result


def marks(row: Feedback) -> list[str]:
    return list(Mark.objects.filter(feedback=row).order_by("id").values_list("name", flat=True))


def test_a_matching_row_is_acted_on_once_however_often_it_is_looked_at(cast: Cast) -> None:
    only()
    make_rule(
        "hit",
        actions=[{"code": "mark", "params": {"name": "热"}}, {"code": "note", "params": {"text": "看"}}],
    )
    bad, good = arrive("A"), arrive("praise")
    # A crash between the batch and its end: the batch is there again, and so is another with the same event.
    for _again in range(2):
        work(bad, good)
    EventBatch.objects.update(done_at=None)
    engine.work_due(now=LATER)
    assert marks(bad) == ["热"] and marks(good) == []
    assert Entry.objects.filter(feedback=bad, kind="note").count() == 1
    run = RuleRun.objects.get()
    assert (run.feedback_id, run.version, [o["result"] for o in run.outcomes]) == (
        bad.pk,
        1,
        ["done", "done"],
    )


def test_what_a_lost_message_left_is_found_and_nothing_is_found_twice(cast: Cast) -> None:
    only()
    engine.collect(now=NOW)
    make_rule("hit")
    row = arrive("A")
    noted = arrive("A")
    engine.arrived(feedback_ids=[noted.pk], now=NOW)
    assert engine.collect(now=LATER) == 1
    assert engine.collect(now=LATER) == 0
    engine.work_due(now=LATER)
    assert marks(row) == marks(noted) == ["hit"]
    assert engine.collect(now=NOW + timedelta(hours=2)) == 0


def test_one_message_brings_a_worker_for_all_that_comes_meanwhile(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    only()
    make_rule("hit")
    asked: list[list[int]] = []
    monkeypatch.setattr(tasks.work_on_task, "delay", asked.append)
    rows = [arrive("A") for _ in range(3)]
    EventBatch.objects.all().delete()
    asked.clear()
    for row in rows:
        tasks.note_arrivals([row.pk])
    first = EventBatch.objects.order_by("id").first()
    assert first is not None and asked == [[first.pk]]
    tasks.work_on_task(*asked)
    assert [marks(row) for row in rows] == [["hit"]] * 3
    # All is done: the next one asks anew. So does one whose forerunner was left lying.
    late = arrive("A")
    EventBatch.objects.filter(done_at=None).delete()
    asked.clear()
    tasks.note_arrivals([late.pk])
    EventBatch.objects.filter(done_at=None).update(created_at=timezone.now() - timedelta(minutes=1))
    tasks.note_arrivals([late.pk])
    assert len(asked) == 2


def test_order_and_stop(cast: Cast) -> None:
    only()
    make_rule("last", position=30)
    make_rule("second", position=20, stop=True)
    make_rule("first", position=10)
    row = arrive("A")
    work(row)
    assert marks(row) == ["first", "second"]


@pytest.mark.parametrize(
    "barred",
    [
        {"active_from": NOW + timedelta(hours=1)},
        {"active_until": NOW - timedelta(minutes=1)},
    ],
)
def test_a_rule_acts_only_within_its_time(cast: Cast, barred: dict[str, Any]) -> None:
    only()
    make_rule("hit", **barred)
    row = arrive("A")
    work(row)
    assert marks(row) == []


def test_history_is_left_alone_unless_the_rule_says_so(cast: Cast) -> None:
    only()
    make_rule("new")
    make_rule("old", with_historical=True)
    (outcome,) = take(voice(), grade="A", historical=True)
    row = case(outcome.feedback_id)
    work(row)
    assert marks(row) == ["old"]


def test_two_rules_that_feed_each_other_end(cast: Cast) -> None:
    """A marks and raises on every move; its own move may not set it off again, nor may the chain grow without end."""
    only()
    up = [{"code": "raise_tier", "params": {"tier": "A"}}]
    make_rule("up", actions=up, conditions={})
    for code in ("one", "two", "three", "four"):
        away = "set_team"
        make_rule(
            code,
            event="moved",
            conditions={},
            actions=[
                {"code": away, "params": {"team": _team(code)}},
                {"code": "mark", "params": {"name": code}},
            ],
        )
    engine.collect(now=NOW - timedelta(hours=1))
    row = arrive("B")
    work(row)
    for round_ in range(8):
        at = NOW + timedelta(minutes=round_)
        engine.collect(now=at)
        engine.work_due(now=at)
    runs = list(RuleRun.objects.filter(feedback=row))
    assert runs and max(run.depth for run in runs) <= 3
    assert all(len(set(run.chain)) == len(run.chain) for run in runs)
    assert engine.work_due(now=NOW + timedelta(hours=1)).acted == 0


def _team(code: str) -> int:
    from apps.shop.models import Department, Team

    return Team.objects.create(code=f"t-{code}", name=code, department=Department.objects.first()).pk


def test_the_breaker_stops_a_rule_that_runs_wild_and_tells_the_lead(cast: Cast) -> None:
    only()
    rule = make_rule("wild", max_per_hour=3)
    rows = [arrive("A") for _ in range(5)]
    work(*rows)
    rule.refresh_from_db()
    assert rule.status == "stopped" and sum(bool(marks(row)) for row in rows) == 3
    assert told(cast.lin, "wild") == 1
    another = arrive("A")
    work(another)
    assert marks(another) == []


def test_a_tier_is_raised_never_lowered_and_telling_changes_nothing(cast: Cast) -> None:
    """Trap: “notify only” still lowered the priority and saved it (django-helpdesk)."""
    only()
    make_rule("up", actions=[{"code": "raise_tier", "params": {"tier": "A"}}], conditions={})
    low, high = arrive("B"), arrive("S")
    work(low, high)
    assert (case(low.pk).tier, case(high.pk).tier) == ("A", "S")
    log = ActionLog.objects.get(object_id=low.pk, verb="escalate")
    assert (log.via, log.by) == ("automation", None)
    only()
    make_rule(
        "tell", actions=[{"code": "notify", "params": {"who": "lead", "text": "看一下"}}], conditions={}
    )
    row = arrive("A")
    before = snapshot(row)
    work(row)
    assert told(cast.lin, "看一下") == 1 and snapshot(row) == before


def test_a_rule_with_an_unknown_field_is_an_error_not_silently_false(cast: Cast) -> None:
    only()
    rule = make_rule(
        "bad", conditions={"all": [{"field": "phase_of_moon", "op": "in", "value": ["full"]}]}, on=False
    )
    assert "phase_of_moon" in problems_of_rule(rule)[0]
    dry_run(rule=rule, days=1, by=None, now=NOW)
    with pytest.raises(DomainError, match="phase_of_moon"):
        rules.enable(rule=rule, by=None, now=NOW)
    # On already when its field went away: named, not asked.
    Rule.objects.filter(pk=rule.pk).update(status="enabled")
    from apps.automation.book import forget_book

    forget_book()
    assert [broken.pk for broken, _why in book().broken] == [rule.pk]


def test_switching_on_needs_a_dry_run_of_this_version(cast: Cast) -> None:
    rule = make_rule("r", on=False)
    with pytest.raises(DomainError) as refused:
        rules.enable(rule=rule, by=None, now=NOW)
    assert refused.value.code == "dry_run_needed"
    dry_run(rule=rule, days=1, by=None, now=NOW)
    with pytest.raises(DomainError):
        rules.enable(rule=rule, by=None, now=NOW + timedelta(hours=25))
    rules.enable(rule=rule, by=None, now=NOW)
    rule.max_per_hour = 7
    rules.save(rule=rule, by=None, now=NOW)
    assert (rule.status, rule.version) == ("draft", 2)
    with pytest.raises(DomainError):
        rules.enable(rule=rule, by=None, now=NOW)


def test_a_dry_run_foretells_the_real_run_and_writes_nothing(cast: Cast) -> None:
    only()
    rule = make_rule(
        "r", conditions={"all": [NEGATIVE, {"field": "tier", "op": "in", "value": ["A"]}]}, on=False
    )
    rows = [arrive(grade) for grade in ("A", "B", "S", "A", "praise")]
    tried = dry_run(rule=rule, days=3, by=None, now=LATER)
    assert not Mark.objects.exists() and not RuleRun.objects.exists()
    rules.enable(rule=rule, by=None, now=LATER)
    Rule.objects.update(enabled_at=NOW - timedelta(days=1))
    from apps.automation.book import forget_book

    forget_book()
    work(*rows)
    really = set(RuleRun.objects.values_list("feedback_id", "instance"))
    assert {(hit["feedback"], hit["instance"]) for hit in tried.samples["hits"]} == really
    assert (tried.matched, tried.examined, tried.is_cut) == (2, 5, False)
    assert sum(count for _why, count in tried.failures) == 3
    assert any("S" in miss["why"] and miss["feedback"] == rows[2].pk for miss in tried.samples["misses"])


def test_unmatched_rows_cost_no_query(cast: Cast) -> None:
    only()
    make_rule(
        "hit", conditions={"all": [NEGATIVE, {"field": "earlier_complaints", "op": "gte", "value": 99}]}
    )
    few, many = [arrive("A")], [arrive("A") for _ in range(50)]
    book()
    counts = []
    for rows in (few, many):
        (batch,) = engine.arrived(feedback_ids=[row.pk for row in rows], now=NOW)
        with queries() as captured:
            engine.work_on(batch_id=batch, now=NOW)
        counts.append(len(reads(captured)))
    assert counts[0] == counts[1] <= 10


def test_moves_deadlines_and_replies_reach_their_rules(cast: Cast) -> None:
    only()
    engine.collect(now=NOW - timedelta(hours=1))
    make_rule("moved", event="moved", event_params={"verb": "record_contact"}, conditions={})
    make_rule("late", event="clock_breached", conditions={})
    make_rule("wrote", event="replied", conditions={})
    row = arrive("A")
    moves.record_contact(feedback=row, how="phone", said="已致电", by=cast.alice, now=LATER)
    moves.add_note(feedback=row, text="内部备注", by=cast.alice, now=LATER)
    Entry.objects.create(feedback=row, kind="inbound", text="还没到", at=LATER)
    clock = row.clocks.first()
    clock.events.create(feedback=row, kind="breached", at=LATER)
    engine.collect(now=LATER)
    engine.work_due(now=LATER)
    assert sorted(marks(row)) == ["late", "moved", "wrote"]
    assert {event.source for event in events} >= {"late_orders", "low_stock"}


def test_shipped_rules_do_not_double_what_intake_did(cast: Cast) -> None:
    take(voice("用了你们的面膜全身过敏,太差了", store=cast.store.code, product_sku=cast.product.sku))
    row = Feedback.objects.get()
    Rule.objects.filter(status="enabled").update(enabled_at=NOW - timedelta(days=1))
    from apps.automation.book import forget_book

    forget_book()
    work(row)
    assert case(row.pk).tier == "S"
    assert WorkItem.objects.filter(kind="self_check").count() == 1
    assert told(cast.max, "过敏/假货") == 1
    assert load_automation_reference(now=NOW)["automation rules"] == {"kept": 4}
    assert not any(problems_of_rule(rule) for rule in Rule.objects.all())


def test_a_missing_product_opens_one_request_with_owner_and_deadline(cast: Cast) -> None:
    Rule.objects.filter(status="enabled").update(enabled_at=NOW - timedelta(days=1))
    StockLevel.objects.create(
        store=cast.store, product=cast.product, level=0, reorder_point=5, counted_at=NOW
    )
    from apps.automation.book import forget_book

    forget_book()
    rows = [_missing(cast) for _ in range(3)]
    work(rows[0])
    work(*rows[1:])
    item = WorkItem.objects.get(kind="restock")
    assert (item.owner, item.store, item.product) == (cast.sue, cast.store, cast.product)
    assert item.due_at is not None and item.due_at > NOW
    assert RestockMention.objects.filter(work=item).count() == 3
    log = ActionLog.objects.get(object_id=rows[0].pk, verb="restock")
    assert log.at - rows[0].received_at < timedelta(minutes=10) and log.data["level"] == 0


def _missing(cast: Cast) -> Feedback:
    item = voice(store=cast.store.code, product_sku=cast.product.sku)
    from tests.factories import read_as

    with read_as("A", category="STOCK", subcategory="STOCK_OUT"):
        (outcome,) = take(item)
    return case(outcome.feedback_id)


def test_money_is_only_proposed_and_one_of_a_kind_waits(cast: Cast) -> None:
    only()
    for code in ("one", "two"):
        make_rule(code, actions=[{"code": "propose_compensation", "params": {"amount": 10, "days": 2}}])
    row = arrive("A")
    work(row)
    proposal = Proposal.objects.get()
    assert (proposal.status, proposal.payload["amount"]) == ("proposed", 10)
    assert WorkItem.objects.filter(origin_key__startswith="proposal").count() == 0
