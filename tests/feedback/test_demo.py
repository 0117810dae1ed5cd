"""The demo shop: played through the real services, looks alive, and goes without a trace."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import global_settings
from django.db import transaction
from django.db.models import Count, Min

from apps.core.models import ActionLog, StaffNotice, User
from apps.customers.models import Customer, Order
from apps.feedback.choices import OPEN, Status
from apps.feedback.models import (
    Channel,
    Entry,
    Feedback,
    FeedbackChange,
    FeedbackSearch,
    SlaClock,
    SlaEvent,
    SlaPause,
)
from apps.feedback.selectors.reference import forget_reference
from apps.feedback.services import moves
from apps.feedback.services.demo import clear_demo, is_loaded, load_demo
from apps.shop.models import Store, Team, WorkItem
from tests.factories import NOW, load_reference, make_user, take, voice

pytestmark = [pytest.mark.xdist_group("demo")]
COUNTED = (
    ActionLog,
    Channel,
    Customer,
    Entry,
    Feedback,
    FeedbackChange,
    FeedbackSearch,
    Order,
    SlaClock,
    SlaEvent,
    SlaPause,
    StaffNotice,
    Store,
    Team,
    User,
    WorkItem,
)


def counted() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in COUNTED}


@pytest.fixture(scope="module")
def demo(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, Any]]:
    """The demo shop beside one real case, in a transaction that is never committed."""
    with django_db_blocker.unblock():
        with transaction.atomic():
            forget_reference()
            if not Channel.objects.exists():
                load_reference()
            before = counted()
            (outcome,) = take(voice(customer={"external_id": "real", "phone": "13912345678"}), grade="A")
            moves.record_contact(
                feedback=Feedback.objects.get(), how="phone", said="已致电", by=None, now=NOW
            )
            users = load_demo(now=NOW)
            yield {"real": outcome.feedback_id, "users": users, "before": before}
            transaction.set_rollback(True)
        forget_reference()


@pytest.fixture(autouse=True)
def _apart(demo: dict[str, Any]) -> Iterator[None]:
    """What one test changes is gone for the next."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


ROWS = Feedback.objects.filter(source="demo")


def test_it_is_large_and_has_every_state_tier_and_channel(demo: dict[str, Any]) -> None:
    assert is_loaded() and ROWS.count() >= 400
    assert set(ROWS.values_list("status", flat=True)) == set(Status.values)
    tiers = Counter(ROWS.values_list("tier", flat=True))
    assert min(tiers["S"], tiers["A"], tiers["B"]) >= 20
    unheard = Channel.objects.exclude(pk__in=ROWS.values("channel")).values_list("code", flat=True)
    assert sorted(unheard) == ["other", "sms"]
    assert ROWS.filter(status="waiting").values("wait_reason").distinct().count() >= 2


def test_nothing_lies_in_the_future_and_it_spans_weeks(demo: dict[str, Any]) -> None:
    assert not ROWS.filter(received_at__gt=NOW).exists()
    assert (
        not ActionLog.objects.filter(at__gt=NOW).exists() and not SlaEvent.objects.filter(at__gt=NOW).exists()
    )
    assert NOW - ROWS.aggregate(first=Min("received_at"))["first"] > timedelta(days=45)


def test_some_missed_some_met_some_still_run(demo: dict[str, Any]) -> None:
    states = Counter(SlaClock.objects.filter(feedback__in=ROWS).values_list("state", flat=True))
    assert all(states[state] > 0 for state in ("running", "paused", "met", "missed", "cancelled")), states
    missed = ROWS.filter(breached_at__isnull=False).count()
    assert 0 < missed < ROWS.count() / 2
    assert (
        ROWS.filter(status__in=OPEN, due_at__lte=NOW).exists()
        and ROWS.filter(status__in=OPEN, due_at__gt=NOW).exists()
    )


def test_the_books_agree(demo: dict[str, Any]) -> None:
    for feedback in ROWS.prefetch_related("clocks"):
        rows = list(feedback.clocks.all())
        running = [clock.due_at for clock in rows if clock.state == "running"]
        assert feedback.due_at == (min(running) if running else None), feedback.number
        missed = [clock.breached_at for clock in rows if clock.breached_at]
        assert feedback.breached_at == (min(missed) if missed else None), feedback.number
        assert feedback.status in OPEN or not running
    assert FeedbackSearch.objects.filter(feedback__in=ROWS).count() == ROWS.count()


def test_it_has_conversations_follow_ups_changes_and_duplicates(demo: dict[str, Any]) -> None:
    assert Entry.objects.filter(feedback__in=ROWS).values("kind").distinct().count() >= 4
    assert ROWS.exclude(parent=None).exists() and FeedbackChange.objects.filter(feedback__in=ROWS).exists()
    assert ROWS.exclude(similar_to=None).exists() and ROWS.exclude(merged_into=None).exists()
    assert ROWS.filter(reopened__gt=0).exists()
    assert ROWS.exclude(customer=None).count() > 50 and ROWS.exclude(product=None).count() > 50


def test_the_bell_is_no_flood(demo: dict[str, Any]) -> None:
    unread = StaffNotice.objects.filter(read_at__isnull=True).values("recipient").annotate(n=Count("id"))
    assert unread and max(entry["n"] for entry in unread) <= 60


def test_work_is_spread_and_people_exist(demo: dict[str, Any], settings: Any) -> None:
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS
    users = demo["users"]
    assert len(users.password) >= 12 and len(users.rows) >= 10
    owners = Counter(ROWS.exclude(assignee=None).values_list("assignee__username", flat=True))
    assert len(owners) >= 4 and max(owners.values()) < ROWS.count() / 2
    username = random.Random(1).choice(users.rows)[0]
    assert User.objects.get(username=username).check_password(users.password)
    assert not User.objects.filter(username__in=[r[0] for r in users.rows], is_staff=False).exists()


def test_clearing_leaves_nothing_of_it_and_keeps_what_is_real(demo: dict[str, Any]) -> None:
    real = Feedback.objects.get(pk=demo["real"])
    clear_demo(now=NOW)
    assert not is_loaded()
    after, before = counted(), demo["before"]
    left = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    # The one real case with all that belongs to it; and the administrator, so that nobody is locked out.
    assert left == {
        "ActionLog": 1,
        "Customer": 1,
        "Entry": 1,
        "Feedback": 1,
        "FeedbackSearch": 1,
        "SlaClock": 2,
        "User": 1,
    }
    assert User.objects.filter(username="admin").exists()
    assert Feedback.objects.get().customer.phone == "13912345678" and Feedback.objects.get() == real


def test_clearing_keeps_what_real_work_refers_to(demo: dict[str, Any]) -> None:
    """A demo person worked on the real case, a demo case was merged into by it, another follows one up."""
    forget_reference()
    real = Feedback.objects.get(pk=demo["real"])
    worker = User.objects.filter(groups__name="ops").exclude(username="admin").order_by("pk")[0]
    lead = make_user("reallead", "ops-lead")
    moves.assign(feedback=real, to=worker, by=lead, now=NOW)
    moves.record_contact(feedback=real, how="chat", said="已留言", by=worker, now=NOW)
    target = (
        ROWS.filter(status__in=OPEN)
        .exclude(pk__in=ROWS.exclude(merged_into=None).values("pk"))
        .order_by("pk")[0]
    )
    moves.merge(feedback=real, into=target, by=lead, now=NOW, reason="同一件事")
    first = ROWS.exclude(external_id="").order_by("pk")[0]
    (child,) = take(
        voice(
            channel=first.channel.code,
            follow_up_to=first.external_id,
            store=Store.objects.order_by("pk")[0].code,
        ),
        grade="A",
        now=NOW,
    )
    assert Feedback.objects.get(pk=child.feedback_id).parent == first
    clear_demo(now=NOW)
    assert not is_loaded()
    kept = Feedback.objects.get(pk=real.pk)
    assert (kept.assignee, kept.merged_into) == (worker, None) and kept.status != "merged"
    worker.refresh_from_db()
    assert worker.is_active is False
    follow_up = Feedback.objects.get(pk=child.feedback_id)
    assert follow_up.parent is None and follow_up.store is not None
    assert set(Store.objects.values_list("pk", flat=True)) == {follow_up.store_id}
