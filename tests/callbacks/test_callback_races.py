"""Two people at one call, two sweeps at one plan, on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.callbacks.models import Callback, CallbackAttempt, CallbackPlan
from apps.callbacks.services import calls
from apps.callbacks.services.scheduling import schedule
from apps.callbacks.services.sweep import sweep_callbacks
from apps.core.exceptions import DomainError
from apps.core.models import StaffNotice
from apps.customers.models import Customer
from apps.feedback.models import Feedback
from tests.factories import NOW, arrive, make_cast, make_user
from tests.feedback.test_races import at_once, faults

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("committed")]


def plan_one() -> Callback:
    customer = Customer.objects.create(nickname="客", phone="13800000001")
    return schedule(key="k", customer=customer, reason="回访", due_at=NOW, now=NOW)


def test_many_take_one_call_and_one_wins() -> None:
    row = plan_one()
    people = [make_user(f"p{n}", "ops") for n in range(4)]
    copies = [Callback.objects.get(pk=row.pk) for _ in people]
    out = at_once(
        [
            lambda copy=copy, by=by: calls.take(callback=copy, by=by, now=NOW)
            for copy, by in zip(copies, people, strict=True)
        ]
    )
    assert not faults(out)
    assert sum(not isinstance(result, Exception) for result in out) == 1
    assert sum(isinstance(result, DomainError) for result in out) == 3
    row.refresh_from_db()
    assert row.status == "calling" and row.assignee in people


def test_one_missed_call_counts_once() -> None:
    row, by = plan_one(), make_user("p", "ops")
    copies = [Callback.objects.get(pk=row.pk) for _ in range(4)]
    out = at_once(
        [
            lambda copy=copy: calls.record_attempt(callback=copy, outcome="no_answer", by=by, now=NOW)
            for copy in copies
        ]
    )
    assert not faults(out)
    row.refresh_from_db()
    assert (row.tries, CallbackAttempt.objects.count()) == (1, 1)


def test_planning_at_once_plans_one() -> None:
    customer = Customer.objects.create(nickname="客", phone="13800000001")
    out = at_once(
        [
            lambda: schedule(key="same", customer=customer, reason="回访", due_at=NOW, now=NOW)
            for _ in range(4)
        ]
    )
    assert not faults(out)
    assert len({row.pk for row in out}) == Callback.objects.count() == 1


def test_two_sweeps_plan_and_tell_once() -> None:
    cast = make_cast()
    CallbackPlan.objects.filter(code="after-case-72h").update(
        is_active=True, team=cast.team, seen_until=NOW - timedelta(days=4)
    )
    for number in range(20):
        feedback = arrive("A", now=NOW - timedelta(hours=80))
        customer = Customer.objects.create(nickname="客", phone=f"139{number:08d}")
        Feedback.objects.filter(pk=feedback.pk).update(
            status="resolved", resolved_at=NOW - timedelta(hours=73), customer=customer
        )
    StaffNotice.objects.all().delete()
    out = at_once([lambda: sweep_callbacks(now=NOW) for _ in range(3)])
    assert not faults(out)
    assert Callback.objects.count() == 20
    told = StaffNotice.objects.filter(dedupe_key__startswith="callbacks_due")
    assert set(told.values_list("recipient", flat=True)) <= {cast.alice.pk, cast.bob.pk, cast.lin.pk}
    assert Callback.objects.filter(told_at__isnull=True).count() == 0
