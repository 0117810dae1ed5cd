"""Figures of repairs: the arithmetic, the roll-up against counting by hand, indicators, repeat purchase."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.db.models import Sum
from django.utils import timezone

from apps.core.metrics import Span, metrics
from apps.core.models import ActionLog, StoredFile, User
from apps.core.statistics import newcombe
from apps.customers.models import Customer, Order
from apps.feedback.models import Category, Channel, Feedback, FeedbackChange, SlaClock
from apps.repairs import choices, figures, guards
from apps.repairs.figures import (
    BINS,
    Buyer,
    CaseFacts,
    Wait,
    after_callback,
    bin_of,
    from_bins,
    pairs,
    place,
    tally,
)
from apps.repairs.models import (
    Appeal,
    FiguresState,
    RepairCallbackDay,
    RepairCase,
    RepairDay,
    RepairPart,
    RepeatMonth,
)
from apps.repairs.selectors import figures as reads
from apps.repairs.services import cases, outcomes
from apps.repairs.services.repeat import refresh_repeat
from apps.repairs.services.rollup import forget_figures, rebuild_figures, refresh_figures
from apps.shop.models import Store
from tests.factories import NOW, make_user, queries
from tests.repairs.world import Shop, fresh, invited, make_case, make_shop, satisfied, talked

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


# -- arithmetic ----------
def test_the_plain_lists_say_what_the_states_say() -> None:
    assert set(choices.ENDED) == figures.ENDED
    assert set(choices.RepairStatus.values) >= figures.CLOSED
    assert figures.SATISFIED_FROM == guards.SATISFIED_FROM
    assert {name for name, _edge in BINS} <= set(reads.COUNTS)


@pytest.mark.parametrize(
    ("minutes", "name"),
    [
        (0, "wait_15m"),
        (15, "wait_15m"),
        (15.1, "wait_30m"),
        (120, "wait_2h"),
        (1440, "wait_24h"),
        (9999, "wait_more"),
    ],
)
def test_a_time_to_contact_has_one_bin(minutes: float, name: str) -> None:
    assert bin_of(minutes) == name


def test_quantiles_of_bins() -> None:
    empty = [0] * len(BINS)
    assert from_bins(empty, 0.5) is None
    assert from_bins([0, 0, 4, *empty[3:]], 0.5) == Wait(45.0)
    assert from_bins([5, 0, 0, 5, *empty[4:]], 0.9) == Wait(60 + 60 * 0.8)
    assert from_bins([*empty[:-1], 3], 0.5) == Wait(4320.0, open_ended=True)


def test_places_are_those_of_percentile_cont() -> None:
    assert place(1, 0.9) == (0, 0.0)
    rank, rest = place(4, 0.5)
    assert (rank, rest) == (1, 0.5)


def test_the_difference_of_shares_has_newcombes_interval() -> None:
    assert tuple(round(value, 4) for value in newcombe(56, 70, 48, 80)) == (0.2, 0.0524, 0.3339)
    difference, low, high = newcombe(0, 10, 10, 10)
    assert (difference, low) == (-1.0, -1.0)
    assert high < 0


def test_a_misread_review_counts_as_nothing_else() -> None:
    case = CaseFacts(status="dismissed", opened_at=NOW, contacted_at=NOW + HOUR, cost=Decimal(5))
    assert tally(case, now=NOW) == Counter(dismissed=1)


def test_a_promise_counts_once_its_time_is_over_or_it_was_kept() -> None:
    waiting = CaseFacts(status="triaged", opened_at=NOW, contact_due_at=NOW + HOUR)
    assert tally(waiting, now=NOW)["contact_due"] == 0
    assert tally(waiting, now=NOW + HOUR)["contact_due"] == 1
    assert tally(waiting, now=NOW + HOUR)["contact_in_time"] == 0
    early = CaseFacts(status="contacted", opened_at=NOW, contact_due_at=NOW + HOUR, contacted_at=NOW + HOUR)
    assert tally(early, now=NOW)["contact_in_time"] == 1
    unpromised = CaseFacts(status="contacted", opened_at=NOW, contacted_at=NOW)
    assert tally(unpromised, now=NOW)["contact_due"] == 0


@pytest.mark.parametrize(
    ("status", "outcome", "unseen", "counted"),
    [
        ("withdrawn", 30 * DAY, None, {"closed": 1, "withdrawn": 1}),
        ("withdrawn", 30 * DAY + HOUR, None, {"closed": 1}),
        # Missing in time, confirmed later.
        ("withdrawn", 40 * DAY, 29 * DAY, {"closed": 1, "withdrawn": 1}),
        ("revised", 2 * DAY, None, {"closed": 1, "revised": 1}),
        ("kept", 2 * DAY, None, {"closed": 1}),
        ("satisfied", None, None, {"closed": 1}),
        # The platform's removal is no withdrawal and no failure of a repair.
        ("removed", 2 * DAY, None, None),
        ("dismissed", 2 * DAY, None, None),
        ("renegotiate", None, None, None),
    ],
)
def test_what_became_of_a_review_after_the_callback(
    status: str, outcome: timedelta | None, unseen: timedelta | None, counted: dict[str, int] | None
) -> None:
    case = CaseFacts(
        status=status,
        opened_at=NOW - DAY,
        called_back_at=NOW,
        satisfaction=5,
        outcome_at=NOW + outcome if outcome is not None else None,
        unseen_since=NOW + unseen if unseen is not None else None,
    )
    assert after_callback(case) == (Counter(counted) if counted is not None else None)
    assert after_callback(CaseFacts(status="withdrawn", opened_at=NOW, outcome_at=NOW)) is None


def test_pairs_are_near_in_time_of_one_cell_and_use_nobody_twice() -> None:
    late = NOW + timedelta(days=200)
    repaired = [Buyer(1, "a", NOW, DAY), Buyer(2, "a", NOW + DAY, DAY), Buyer(3, "b", NOW, DAY)]
    others = [Buyer(11, "a", NOW + 2 * DAY), Buyer(12, "a", NOW - HOUR), Buyer(13, "a", NOW + 9 * DAY)]
    found = pairs(repaired, others, now=late)
    assert [(mine.customer, other.customer) for mine, other in found] == [(1, 12), (2, 11)]
    assert found[0][1].since == NOW - HOUR + DAY
    # Neither the repaired customer's nor the other's 90 days may be running.
    assert pairs(repaired, others, now=NOW + timedelta(days=90)) == []


# -- the roll-up ----------
STATES = (
    "collected", "triaged", "contacted", "unreachable", "proposed", "renegotiate", "executed", "satisfied", "invited",
    "unsatisfied", "appealed", "withdrawn", "revised", "kept", "kept_public_reply", "removed", "dismissed",
)  # fmt: skip


def scatter(count: int, *, seed: int = 1, now: datetime = NOW) -> list[RepairCase]:
    """Repairs in every state, with every moment set or not, over ten weeks; nothing but the database's constraints holds."""
    rng = random.Random(seed)
    channels = list(Channel.objects.filter(is_review_platform=True)[:2])
    tops = [None, *Category.objects.filter(parent__isnull=True)[:2]]
    stores = [
        None,
        *(Store.objects.get_or_create(code=f"s{n}", defaults={"name": f"店{n}"})[0] for n in (1, 2)),
    ]
    people = [None, *(User.objects.get_or_create(username=f"agent{n}")[0] for n in (1, 2))]
    by = people[1]
    proof = StoredFile.objects.create(
        file="p.png", name="p.png", content_type="image/png", size=1, sha256="1" * 64, created_at=now
    )
    made = []
    for number in range(count):
        opened = now - timedelta(minutes=rng.randrange(70 * 1440))
        status = rng.choice(STATES)
        moment = opened

        def after(share: float) -> datetime | None:
            nonlocal moment
            if rng.random() > share:
                return None
            moment += timedelta(minutes=rng.choice((5, 15, 40, 300, 2000, 9000, 30000)))
            return moment

        narrowed = {
            "channel": rng.choice(channels), "store": rng.choice(stores), "category": rng.choice(tops),
            "tier": rng.choice("SAB"),
        }  # fmt: skip
        feedback = Feedback.objects.create(
            text="差", rating=1, posted_at=opened, received_at=opened, kind="complaint", sentiment="negative",
            created_at=opened, updated_at=opened, external_id=f"scatter{seed}-{number}", **narrowed,
        )  # fmt: skip
        if rng.random() < 0.8:
            SlaClock.objects.create(
                feedback=feedback, kind="first_response", value=4, unit="hours", started_at=opened,
                due_at=opened + timedelta(hours=rng.choice((1, 4, 24))),
            )  # fmt: skip
        contacted, proposed, accepted, executed = after(0.8), after(0.7), after(0.7), after(0.8)
        called = after(0.7)
        gone = status in ("withdrawn", "removed")
        case = RepairCase.objects.create(
            feedback=feedback, status=status, opened_at=opened, updated_at=opened, contacted_at=contacted,
            proposed_at=proposed, accepted_at=accepted, executed_at=executed, called_back_at=called,
            handler=rng.choice(people) if contacted else None, cost=Decimal(rng.choice((0, 0, 12, 30))),
            satisfaction=rng.choice((1, 3, 4, 5)) if called else None,
            invited_at=after(0.5) if executed else None, invitation="愿意的话可以更新", outcome_at=after(0.9),
            unseen_since=called if gone and rng.random() < 0.5 else None,
            outcome_proof=proof if gone else None, outcome_by=by if gone else None,
            outcome_change=FeedbackChange.objects.create(feedback=feedback, seen_at=opened) if status == "revised" else None,
            **narrowed,
        )  # fmt: skip
        if rng.random() < 0.2:
            ActionLog.objects.create(model="repairs.repaircase", object_id=case.pk, verb="reopen", at=opened)
        for round_no in range(1, rng.choice((1, 1, 2, 3))):
            state = rng.choice(("filed", "upheld", "rejected", "dropped"))
            Appeal.objects.create(
                case=case, round=round_no, status=state, filed_at=opened, filed_by=by, answer_due_at=opened,
                updated_at=opened, proof=proof if state == "upheld" else None, evidence_hash="x", case_number="1",
            )  # fmt: skip
        made.append(case)
    return made


def local(moment: datetime) -> date:
    return timezone.localtime(moment).date()


def by_hand(keep: Callable[[RepairCase], bool], *, now: datetime = NOW) -> dict[str, Any]:
    """The figures of these cases, counted one by one and without the code under test."""
    rows = [case for case in RepairCase.objects.select_related("feedback") if keep(case)]
    real = [case for case in rows if case.status != "dismissed"]
    clocks = dict(
        SlaClock.objects.filter(kind="first_response", cycle=0).values_list("feedback_id", "due_at")
    )
    again = set(
        ActionLog.objects.filter(model="repairs.repaircase", verb="reopen").values_list(
            "object_id", flat=True
        )
    )
    done = {"satisfied", "invited", "withdrawn", "revised", "kept", "kept_public_reply"}

    def appeals(*states: str) -> int:
        return Appeal.objects.filter(case__in=real, status__in=states).count()

    def count(test: Callable[[RepairCase], Any]) -> int:
        return sum(bool(test(case)) for case in real)

    return {
        "opened": len(real),
        "dismissed": len(rows) - len(real),
        "contacted": count(lambda c: c.contacted_at),
        "contact_due": count(
            lambda c: c.feedback_id in clocks and (c.contacted_at or clocks[c.feedback_id] <= now)
        ),
        "contact_in_time": count(
            lambda c: c.feedback_id in clocks and c.contacted_at and c.contacted_at <= clocks[c.feedback_id]
        ),
        "proposed": count(lambda c: c.proposed_at),
        "accepted": count(lambda c: c.accepted_at),
        "executed": count(lambda c: c.executed_at),
        "called_back": count(lambda c: c.called_back_at),
        "answered": count(lambda c: c.satisfaction),
        "satisfied": count(lambda c: (c.satisfaction or 0) >= 4),
        "once_satisfied": count(lambda c: (c.satisfaction or 0) >= 4 or c.invited_at),
        "invited": count(lambda c: c.invited_at),
        "repaired_invited": count(lambda c: c.invited_at and c.status in ("withdrawn", "revised")),
        **{
            name: count(lambda c, status=status: c.status == status)
            for name, status in (
                ("withdrawn", "withdrawn"),
                ("revised", "revised"),
                ("kept", "kept"),
                ("kept_public", "kept_public_reply"),
                ("removed", "removed"),
            )
        },
        "unreachable": count(
            lambda c: not c.contacted_at and c.status in ("unreachable", "kept_public_reply")
        ),
        "reopened": count(lambda c: c.pk in again),
        "still_open": count(lambda c: c.status in choices.OPEN),
        "closed": count(lambda c: c.status in done),
        "succeeded": count(lambda c: c.status in done and (c.satisfaction or 0) >= 4),
        "appeals_filed": appeals("filed", "upheld", "rejected"),
        "appeals_upheld": appeals("upheld"),
        "appeals_rejected": appeals("rejected"),
        "cost": sum((case.cost for case in rows), Decimal(0)),
    }


def added_up(**filters: Any) -> dict[str, Any]:
    names = [name for name in (*reads.COUNTS, "cost") if not name.startswith("wait_")]
    return {
        name: value or 0
        for name, value in RepairDay.objects.filter(**filters).aggregate(**{n: Sum(n) for n in names}).items()
    }


@pytest.mark.django_db
def test_the_roll_up_says_what_counting_says() -> None:
    made = scatter(220)
    assert rebuild_figures(now=NOW).changed > 20
    assert added_up() == by_hand(lambda case: True)
    day, handler = local(made[0].opened_at), next(case.handler for case in made if case.handler)
    assert added_up(day=day) == by_hand(lambda case: local(case.opened_at) == day)
    assert added_up(handler=handler, tier="A") == by_hand(
        lambda case: case.handler == handler and case.tier == "A"
    )
    assert added_up(store=None, category=None) == by_hand(
        lambda case: case.store is None and case.category is None
    )
    bins = RepairDay.objects.aggregate(**{name: Sum(name) for name, _edge in BINS})
    waits = [(c.contacted_at - c.opened_at) for c in made if c.contacted_at and c.status != "dismissed"]
    assert bins["wait_15m"] == sum(wait <= timedelta(minutes=15) for wait in waits)
    assert bins["wait_more"] == sum(wait > timedelta(hours=72) for wait in waits)
    assert sum(bins.values()) == len(waits)


@pytest.mark.django_db
def test_withdrawal_is_counted_by_the_day_of_the_callback() -> None:
    made = scatter(220)
    rebuild_figures(now=NOW)
    done = {"satisfied", "invited", "withdrawn", "revised", "kept", "kept_public_reply"}
    base = [case for case in made if case.called_back_at and case.status in done]
    for day in {local(case.called_back_at) for case in base if case.called_back_at}:
        mine = [case for case in base if case.called_back_at and local(case.called_back_at) == day]
        expected = Counter(closed=len(mine), withdrawn=0, revised=0)
        for case in mine:
            assert case.called_back_at
            seen = (case.unseen_since if case.status == "withdrawn" else None) or case.outcome_at
            if (
                case.status in ("withdrawn", "revised")
                and seen
                and seen - case.called_back_at <= timedelta(days=30)
            ):
                expected[case.status] += 1
        sums = RepairCallbackDay.objects.filter(day=day).aggregate(
            closed=Sum("closed"), withdrawn=Sum("withdrawn"), revised=Sum("revised")
        )
        assert sums == dict(expected)
    assert RepairCallbackDay.objects.aggregate(n=Sum("closed"))["n"] == len(base)


@pytest.mark.django_db
def test_exact_quantiles_and_those_of_bins_agree() -> None:
    made = scatter(120)
    rebuild_figures(now=NOW)
    boss = make_user("boss", "manager")
    whole = reads.Slice(local(NOW - timedelta(days=80)), local(NOW))
    found = reads.read(boss, whole, now=NOW)
    waits = sorted(
        (case.contacted_at - case.opened_at).total_seconds() / 60
        for case in made
        if case.contacted_at and case.status != "dismissed"
    )
    rank, rest = place(len(waits), 0.5)
    assert found.exact
    assert found.median == Wait(waits[rank] + (waits[rank + 1] - waits[rank]) * rest)
    # Added up before times were kept to the second: no median is made of what is missing.
    RepairPart.objects.update(waits="")
    RepairDay.objects.update(waits="")
    rough = reads.read(boss, whole, now=NOW)
    assert not rough.exact
    assert rough.median and found.median
    assert bin_of(rough.median.minutes) == bin_of(found.median.minutes)
    # Only one person's cases, of one tier.
    one = next(case.handler_id for case in made if case.handler_id)
    mine = reads.read(boss, reads.Slice(whole.first, whole.last, agent=one, tier="A"), now=NOW)
    assert mine.total["opened"] == by_hand(lambda case: case.handler_id == one and case.tier == "A")["opened"]


@pytest.mark.django_db
def test_parts_and_finest_rows_tell_the_same() -> None:
    made = scatter(150, seed=7)
    rebuild_figures(now=NOW)
    boss = make_user("boss", "manager")
    first, last = local(NOW - timedelta(days=50)), local(NOW)
    for tier in ("", "A"):
        whole = reads.read(boss, reads.Slice(first, last, tier=tier), now=NOW)
        # What the page of somebody with stores reads, for all of them.
        narrowed = {"tier": tier} if tier else {}
        waits: list[str] = []
        total, by = reads._folded(
            RepairDay.objects.filter(day__range=(first, last), **narrowed),
            {name: Sum(name) for name in (*reads.COUNTS, "cost")},
            waits,
        )
        assert whole.total == total
        assert {group: dict(rows) for group, rows in whole.by.items()} == {
            group: dict(rows) for group, rows in by.items()
        }
        inside = [
            case
            for case in made
            if first <= local(case.opened_at) <= last and tier in ("", case.tier) and case.contacted_at
        ]
        took = sorted(
            (case.contacted_at - case.opened_at).total_seconds() / 60
            for case in inside
            if case.status != "dismissed"
        )
        rank, rest = place(len(took), 0.9)
        assert whole.exact
        assert whole.p90 and whole.p90.minutes == pytest.approx(
            took[rank] + (took[min(rank + 1, len(took) - 1)] - took[rank]) * rest
        )
        assert sorted(int(part) for text in waits for part in text.split(",") if part) == [
            round(minutes * 60) for minutes in took
        ]


@pytest.mark.django_db
def test_days_begin_at_the_shops_midnight() -> None:
    """In UTC both moments lie on the 17th."""
    shop = make_shop()
    first = make_case(shop)
    second = make_case(shop)
    begins = reads.midnight(date(2026, 11, 18))
    RepairCase.objects.filter(pk=first.pk).update(opened_at=begins - timedelta(microseconds=1))
    RepairCase.objects.filter(pk=second.pk).update(opened_at=begins)
    rebuild_figures(now=shop.now)
    days = [date(2026, 11, 17), date(2026, 11, 18)]
    assert list(RepairDay.objects.order_by("day").values_list("day", "opened")) == [(day, 1) for day in days]
    assert set(RepairPart.objects.values_list("part", "day")) == {
        (part, day) for part in RepairPart.Part.values for day in days
    }
    assert refresh_figures(now=shop.now).changed == 0


@pytest.mark.django_db
def test_parts_are_not_read_before_they_were_added_up() -> None:
    scatter(30)
    rebuild_figures(now=NOW)
    boss = make_user("boss", "manager")
    whole = reads.Slice(local(NOW - timedelta(days=80)), local(NOW))
    told = reads.read(boss, whole, now=NOW)
    # As an update of the software leaves it: the parts are being filled.
    RepairPart.objects.filter(day__lt=local(NOW - timedelta(days=20))).delete()
    FiguresState.objects.update(seen_up_to=None)
    assert reads.read(boss, whole, now=NOW).total == told.total
    refresh_figures(now=NOW)
    assert reads.read(boss, whole, now=NOW).total == told.total
    assert FiguresState.objects.get().seen_up_to == NOW


@pytest.mark.django_db
def test_a_refresh_notices_cases_that_are_gone_or_came_late() -> None:
    made = scatter(40)
    rebuild_figures(now=NOW)
    later = NOW + timedelta(hours=3)
    # An import taken back: whatever hung on the case goes with it and no row says so.
    gone = [case.pk for case in made if local(case.opened_at) < local(NOW - timedelta(days=10))][:9]
    Appeal.objects.filter(case__in=gone).delete()
    RepairCase.objects.filter(pk__in=gone).delete()
    refresh_figures(now=later)
    assert added_up() == by_hand(lambda case: True, now=later)
    # Committed long after the moment it names: older than what the refresh looks back.
    fresh_one = made[-1]
    feedback = Feedback.objects.create(
        text="差", rating=1, posted_at=NOW, received_at=NOW, kind="complaint", sentiment="negative", created_at=NOW,
        updated_at=NOW, external_id="late", channel=fresh_one.channel, tier="A",
    )  # fmt: skip
    RepairCase.objects.create(
        feedback=feedback, status="triaged", opened_at=NOW - timedelta(days=30), updated_at=NOW - timedelta(days=1),
        channel=fresh_one.channel, tier="A",
    )  # fmt: skip
    refresh_figures(now=later + HOUR)
    assert added_up() == by_hand(lambda case: True, now=later + HOUR)
    assert refresh_figures(now=later + HOUR).changed == 0


@pytest.mark.django_db
def test_a_refresh_follows_moves_corrections_and_reopenings() -> None:
    shop = make_shop()
    case = satisfied(shop, make_case(shop))
    refresh_figures(now=shop.now)
    day = local(case.opened_at)
    assert added_up(day=day)["succeeded"] == 1
    assert RepairDay.objects.get(opened=1).handler == shop.agent
    # Nothing happened: nothing is written.
    assert refresh_figures(now=shop.now + HOUR).changed == 0
    before = RepairDay.objects.get(opened=1).pk
    assert rebuild_figures(now=shop.now + HOUR).changed == 0
    assert RepairDay.objects.get(opened=1).pk == before

    shop.now += 40 * DAY
    change = FeedbackChange.objects.create(
        feedback=case.feedback, seen_at=shop.now, old_rating=1, new_rating=5
    )
    outcomes.look_at_changes(changes=[change], now=shop.now)
    refresh_figures(now=shop.now)
    row = RepairDay.objects.get(opened=1)
    assert (row.revised, row.kept, row.still_open) == (1, 0, 0)
    # Revised 40 days after the callback: an outcome, but not within the 30 days of the rate.
    assert RepairCallbackDay.objects.get().revised == 0

    cases.reopen(case=fresh(case), reason="又投诉了", by=shop.lead, now=shop.now + HOUR)
    Feedback.objects.filter(pk=case.feedback_id).update(
        category=Category.objects.filter(parent=None).last(), tier="S"
    )
    cases.follow_feedback(feedback_id=case.feedback_id, now=shop.now + HOUR)
    refresh_figures(now=shop.now + HOUR)
    row = RepairDay.objects.get()
    assert (row.opened, row.reopened, row.revised, row.still_open, row.satisfied) == (1, 1, 0, 1, 0)
    assert (row.tier, row.category) == ("S", Category.objects.filter(parent=None).last())
    assert not RepairCallbackDay.objects.exists()


@pytest.mark.django_db
def test_a_callback_that_moves_to_another_day_is_not_counted_twice() -> None:
    shop = make_shop()
    case = satisfied(shop, make_case(shop))
    refresh_figures(now=shop.now)
    first = RepairCallbackDay.objects.get().day
    later = shop.now + 20 * DAY
    RepairCase.objects.filter(pk=case.pk).update(called_back_at=later, updated_at=later)
    refresh_figures(now=later)
    assert RepairCallbackDay.objects.get().day == local(later) != first


@pytest.mark.django_db
def test_a_promise_that_runs_out_is_noticed_without_a_move() -> None:
    shop = make_shop()
    case = make_case(shop)
    refresh_figures(now=shop.now)
    assert added_up()["contact_due"] == 0
    due = SlaClock.objects.get(feedback=case.feedback, kind="first_response").due_at
    assert due is not None
    refresh_figures(now=due + timedelta(minutes=1))
    assert (added_up()["contact_due"], added_up()["contact_in_time"]) == (1, 0)


@pytest.mark.django_db
def test_days_whose_cases_are_gone_are_emptied_and_the_command_says_what_it_did(capsys: Any) -> None:
    scatter(6)
    call_command("rebuild_repair_figures", "--json")
    assert '"changed": ' in capsys.readouterr().out
    Appeal.objects.all().delete()
    RepairCase.objects.all().delete()
    call_command("rebuild_repair_figures")
    assert not RepairDay.objects.exists()
    assert not RepairCallbackDay.objects.exists()
    assert forget_figures() == 0
    assert FiguresState.objects.get().seen_up_to is None


@pytest.mark.django_db
def test_the_database_refuses_the_same_group_twice() -> None:
    channel = Channel.objects.first()
    RepairDay.objects.create(day=NOW.date(), channel=channel, tier="A", opened=1)
    with pytest.raises(IntegrityError):
        RepairDay.objects.create(day=NOW.date(), channel=channel, tier="A", opened=1)


@pytest.mark.postgres
@pytest.mark.usefixtures("committed")
def test_runs_at_the_same_time_count_nothing_twice() -> None:
    scatter(60)
    faults: list[BaseException] = []
    start = threading.Barrier(4)

    def work(job: Callable[..., Any]) -> None:
        try:
            start.wait(10)
            job(now=NOW)
        except BaseException as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=work, args=(job,))
        for job in (refresh_figures, rebuild_figures, refresh_figures, rebuild_figures)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not faults
    assert added_up() == by_hand(lambda case: True)


# -- indicators ----------
@pytest.mark.django_db
def test_indicators_tell_hits_and_n(django_assert_num_queries: Any) -> None:
    made = scatter(150)
    rebuild_figures(now=NOW)
    today = local(NOW)
    spans = [
        Span(today - timedelta(days=70), today - timedelta(days=35)),
        Span(today - timedelta(days=34), today),
    ]
    whole = by_hand(lambda case: True)
    for code, hits, base in (
        ("repair_success", whole["succeeded"], whole["closed"]),
        ("repair_contact_in_time", whole["contact_in_time"], whole["contact_due"]),
        (
            "repair_appeal_success",
            whole["appeals_upheld"],
            whole["appeals_upheld"] + whole["appeals_rejected"],
        ),
        ("repair_cost_per_case", None, whole["accepted"]),
    ):
        metric = metrics.get(code)
        assert metric is not None
        with django_assert_num_queries(1):
            points = metric.series(spans, {})
        assert sum(point.n for point in points) == base, code
        if hits is not None:
            assert sum(point.hits for point in points) == hits, code
    split = [
        metrics.get(code).series(spans, {})
        for code in ("repair_withdrawal", "repair_revision", "repair_repaired")
    ]  # type: ignore[union-attr]
    for withdrawn, revised, repaired in zip(*split, strict=True):
        assert withdrawn.hits + revised.hits == repaired.hits
        assert withdrawn.n == revised.n == repaired.n
    channel = made[0].channel_id
    mine = metrics.get("repair_success").series(spans, {"channel": channel})  # type: ignore[union-attr]
    assert sum(point.n for point in mine) == by_hand(lambda case: case.channel_id == channel)["closed"]
    with pytest.raises(KeyError):
        metrics.get("repair_success").series(spans, {"product": 1})  # type: ignore[union-attr]


# -- repeat purchase ----------
def buyer(shop: Shop, number: int, *, again_after: timedelta | None, before: int = 1) -> Customer:
    customer = Customer.objects.create(nickname=f"买家{number}")
    moments = [NOW - timedelta(days=30 + n) for n in range(before)]
    if again_after is not None:
        moments.append(NOW + again_after)
    for index, moment in enumerate(moments):
        Order.objects.create(
            order_no=f"R{number}-{index}", customer=customer, placed_at=moment, status="completed"
        )
    return customer


def reviewed(shop: Shop, customer: Customer, *, repaired: bool) -> RepairCase:
    case = make_case(shop)
    values: dict[str, Any] = {"customer": customer, "opened_at": NOW}
    if repaired:
        values |= {
            "status": "satisfied", "executed_at": NOW + DAY, "called_back_at": NOW + 4 * DAY, "satisfaction": 5,
        }  # fmt: skip
    RepairCase.objects.filter(pk=case.pk).update(**values)
    return fresh(case)


@pytest.mark.django_db
def test_repaired_customers_are_compared_with_others_like_them() -> None:
    shop = make_shop()
    for number in range(4):
        reviewed(shop, buyer(shop, number, again_after=20 * DAY if number < 3 else None), repaired=True)
    for number in range(10, 14):
        # Two days after the review is before the 90 days that their repaired partners have.
        reviewed(shop, buyer(shop, number, again_after=2 * DAY if number < 12 else 60 * DAY), repaired=False)
    # Bought ten times before: nobody to compare with.
    reviewed(shop, buyer(shop, 20, again_after=None, before=10), repaired=True)
    refresh_repeat(now=NOW + timedelta(days=93))
    assert not RepeatMonth.objects.exists()
    refresh_repeat(now=NOW + timedelta(days=95))
    row = RepeatMonth.objects.get()
    assert (row.cohort, row.pairs, row.again, row.others_again) == (5, 4, 3, 2)
    refresh_repeat(now=NOW + timedelta(days=95), whole=True)
    assert RepeatMonth.objects.get().pairs == 4
    month = row.month
    assert reads.repeat(month, month, now=NOW + timedelta(days=95)).pairs == 0
    assert reads.repeat(month, month, now=NOW + timedelta(days=140)).pairs == 4


@pytest.mark.django_db
def test_a_cancelled_order_is_no_purchase_and_a_helped_customer_no_comparison() -> None:
    shop = make_shop()
    mine = buyer(shop, 1, again_after=20 * DAY)
    Order.objects.filter(customer=mine, placed_at__gt=NOW).update(status="cancelled")
    reviewed(shop, mine, repaired=True)
    helped = buyer(shop, 2, again_after=20 * DAY)
    reviewed(shop, helped, repaired=True)
    reviewed(shop, helped, repaired=False)
    reviewed(shop, buyer(shop, 3, again_after=None), repaired=False)
    refresh_repeat(now=NOW + timedelta(days=100))
    row = RepeatMonth.objects.get()
    assert (row.cohort, row.pairs, row.again, row.others_again) == (2, 1, 0, 0)


@pytest.mark.django_db
def test_a_quarter_whose_cases_are_all_gone_is_emptied() -> None:
    RepeatMonth.objects.create(
        month=date(2026, 5, 1), quarter=date(2026, 4, 1), cohort=3, pairs=2, again=1, others_again=1
    )
    refresh_repeat(now=NOW)
    assert not RepeatMonth.objects.exists()


@pytest.mark.django_db
def test_comparing_asks_the_same_for_few_and_for_many() -> None:
    shop = make_shop()
    asked = []
    refresh_repeat(now=NOW)
    for count in (2, 12):
        for number in range(count):
            reviewed(shop, buyer(shop, count * 100 + number, again_after=DAY), repaired=number % 2 == 0)
        with queries() as captured:
            refresh_repeat(now=NOW + timedelta(days=95))
        asked.append(len(captured))
    assert asked[0] == asked[1]


@pytest.mark.django_db
def test_the_whole_path_stands_in_one_row() -> None:
    shop = make_shop()
    invited(shop, make_case(shop))
    talked(shop, make_case(shop))
    rebuild_figures(now=shop.now)
    sums = added_up()
    assert [
        sums[name] for name in ("opened", "contacted", "proposed", "accepted", "executed", "called_back")
    ] == [2, 2, 1, 1, 1, 1]
    assert (sums["once_satisfied"], sums["invited"], sums["still_open"]) == (1, 1, 2)
