"""Counting months: what counts for whom and when, locking, the file."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from apps.callbacks.models import Callback
from apps.compliance.models import Verdict
from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted
from apps.core.models import ActionLog
from apps.customers.models import Customer
from apps.feedback.models import Feedback, SlaClock
from apps.performance.models import AgentMonth, MonthRoll
from apps.performance.selectors.cells import cell
from apps.performance.services import months, quality
from apps.repairs.models import RepairCase
from tests.factories import NOW, Cast, at
from tests.performance.world import LAST, MONTH, OCTOBER, figures, points, sample, solved

pytestmark = pytest.mark.django_db


def total(person: object, month: date = LAST) -> AgentMonth:
    return AgentMonth.objects.get(person=person, month=month, category__isnull=True)


def test_cases_clocks_and_answers(cast: Cast) -> None:
    rows = solved(cast.alice, 3)
    Feedback.objects.filter(pk=rows[0].pk).update(reopened=1)
    SlaClock.objects.filter(feedback__in=rows).delete()
    due = OCTOBER + timedelta(hours=4)
    for row, state, breached in zip(rows, ("met", "missed", "running"), (None, due, None), strict=True):
        SlaClock.objects.create(
            feedback=row, kind="first_response", value=240, unit="minutes", started_at=OCTOBER, due_at=due,
            state=state, breached_at=breached,
        )  # fmt: skip
    # Somebody else's case and a case of another month are not hers.
    solved(cast.bob, 1)
    solved(cast.alice, 1, now=NOW - timedelta(days=1))
    months.rebuild(month=LAST, now=NOW)
    row = total(cast.alice)
    assert (row.handled, row.reopened, row.due, row.met) == (3, 1, 3, 1)
    assert (row.responses, row.response_median, row.response_p90) == (3, 30.0, 30.0)
    by_category = AgentMonth.objects.get(person=cast.alice, month=LAST, category__code="LOGISTICS")
    assert by_category.handled == 3
    assert total(cast.bob).handled == 1


def test_a_running_month_counts_no_promise_before_it_is_due(cast: Cast) -> None:
    (row,) = solved(cast.alice, 1, now=NOW - timedelta(hours=5))
    SlaClock.objects.filter(feedback=row).delete()
    for kind, due in (("first_response", NOW - timedelta(hours=1)), ("resolved", NOW + timedelta(days=1))):
        SlaClock.objects.create(
            feedback=row, kind=kind, value=1, unit="minutes", started_at=NOW, due_at=due, state="met"
        )
    months.rebuild(month=MONTH, now=NOW)
    assert (total(cast.alice, MONTH).due, total(cast.alice, MONTH).met) == (1, 1)


def test_repairs_stars_calls_and_blocked_texts(cast: Cast) -> None:
    rows = solved(cast.alice, 3)
    for row, status, stars in zip(rows, ("kept", "kept", "dismissed"), (5, 2, 5), strict=True):
        RepairCase.objects.create(
            feedback=row, status=status, channel=row.channel, category=row.category, tier="A", handler=cast.alice,
            opened_at=OCTOBER, updated_at=NOW, outcome_at=OCTOBER, satisfaction=stars, cost=Decimal("12.50"),
        )  # fmt: skip
    customer = Customer.objects.create(nickname="客")
    for key, stars in (("a", 5), ("b", 3), ("c", None)):
        Callback.objects.create(
            key=key, customer=customer, feedback=rows[0], not_by=cast.alice, finished_by=cast.bob, status="done",
            reason="回访", due_at=OCTOBER, promised_at=OCTOBER, finished_at=OCTOBER, satisfaction=stars,
        )  # fmt: skip
    for ruling in ("blocked", "warned"):
        Verdict.objects.create(
            subject="reply", text_hash="x", action="block", ruling=ruling, by=cast.alice, at=OCTOBER
        )
    months.rebuild(month=LAST, now=NOW)
    row = total(cast.alice)
    assert (row.repairs, row.repaired, row.cost, row.hits) == (2, 1, Decimal("25.00"), 1)
    # The stars are hers, the calls are his.
    assert (row.answers, row.happy, row.callbacks) == (2, 1, 0)
    assert (total(cast.bob).callbacks, total(cast.bob).answers) == (3, 0)


def test_quality_counts_in_the_month_of_the_sample(cast: Cast) -> None:
    drawn = sample(cast.alice, each=2)
    for review in drawn.reviews.select_related("feedback"):
        quality.submit(review=review, points=points(1), comment="", by=cast.lin, now=NOW)
    months.rebuild(month=LAST, now=NOW)
    row = total(cast.alice)
    assert row.quality_cases == 2
    assert row.seen()["quality"] == (0.5, 2)


def test_counting_twice_changes_nothing(cast: Cast) -> None:
    solved(cast.alice, 2)
    first = months.rebuild(month=LAST, now=NOW)
    before = list(AgentMonth.objects.order_by("person_id", "category_id").values_list("person", "handled"))
    assert months.rebuild(month=LAST, now=NOW) == first
    assert (
        list(AgentMonth.objects.order_by("person_id", "category_id").values_list("person", "handled"))
        == before
    )


def test_a_locked_month_stays(cast: Cast) -> None:
    months.rebuild(month=LAST, now=NOW)
    roll = MonthRoll.objects.get(month=LAST)
    with pytest.raises(NotPermitted):
        months.lock(roll=roll, by=cast.alice, now=NOW)
    months.lock(roll=roll, by=cast.max, now=NOW)
    with pytest.raises(IllegalMove):
        months.rebuild(month=LAST, now=NOW)
    assert list(months.rebuild_recent(now=NOW)) == ["2026-11"]
    months.unlock(roll=roll, by=cast.max, now=NOW, reason="漏了几单")
    assert months.rebuild(month=LAST, now=NOW) == 0


def test_the_running_month_is_not_locked_and_the_next_not_counted(cast: Cast) -> None:
    months.rebuild(month=MONTH, now=NOW)
    with pytest.raises(IllegalMove):
        months.lock(roll=MonthRoll.objects.get(month=MONTH), by=cast.max, now=NOW)
    with pytest.raises(InvalidInput):
        months.rebuild(month=date(2026, 12, 1), now=NOW)


def test_the_month_of_the_shop_decides() -> None:
    # In Shanghai it is December already.
    assert months.this_month(at("2026-12-01 00:30")) == date(2026, 12, 1)


def test_the_command(cast: Cast) -> None:
    call_command("count_performance", month="2026-10")
    assert MonthRoll.objects.filter(month=LAST).exists()
    for wrong in ("2026-13", "nonsense", "2199-01"):
        with pytest.raises(CommandError):
            call_command("count_performance", month=wrong)
    call_command("count_performance")


def test_the_database_refuses_parts_larger_than_the_whole(cast: Cast) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        figures(cast.alice, due=3, met=4)
    figures(cast.alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        figures(cast.alice)


@pytest.mark.parametrize(
    ("n", "text", "note", "ranked"),
    [(0, "–", "", False), (9, "6 / 9", "样本太少", False), (20, "70%", "14 / 20 · 48%–85%", False), (40, "70%", "28 / 40", True)],
)  # fmt: skip
def test_small_samples_say_so(cast: Cast, n: int, text: str, note: str, ranked: bool) -> None:
    row = AgentMonth(person=cast.alice, month=LAST, answers=n, happy=round(n * 0.7))
    got = cell(row, "csat")
    assert (got.text, got.note, got.rank is not None) == (text, note, ranked)
    assert got.small == (n < 30)


def test_an_arrow_needs_two_good_months(cast: Cast) -> None:
    now, before = (AgentMonth(answers=40, happy=n) for n in (38, 30))
    assert cell(now, "csat", before).arrow == "up"
    assert cell(before, "csat", now).arrow == "down"
    assert cell(now, "csat", AgentMonth(answers=20, happy=10)).arrow == ""
    slow, quick = (AgentMonth(responses=40, response_median=m) for m in (60.0, 20.0))
    assert cell(quick, "response_median", slow).arrow == "up"


def test_the_file_is_safe_and_noted(cast: Cast) -> None:
    text = months.export(month=LAST, heads=["人"], rows=[["=1+1", 3]], by=cast.lin, now=NOW)
    assert text == "\ufeff人\r\n'=1+1,3\r\n"
    assert ActionLog.objects.filter(model="performance.monthroll", verb="export", by=cast.lin).exists()
    with pytest.raises(NotPermitted):
        months.export(month=LAST, heads=[], rows=[], by=cast.alice, now=NOW)
