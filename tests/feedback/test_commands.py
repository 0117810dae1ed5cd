"""The commands people and cron call: their output, their refusals, the tasks behind the schedule."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command

from apps.core.models import IdempotentRequest, Integration, IntegrationToken, StaffNotice
from apps.feedback import tasks
from apps.feedback.models import Channel, Feedback, ImportRun, WebhookNonce
from apps.feedback.services.background import check_calendar, forget_old, link_near_duplicates
from apps.shop.models import CalendarDay
from tests.factories import NOW, Cast, arrive, at, case, take, told, voice

pytestmark = pytest.mark.django_db
START = at("11-25 10:00")


def command(name: str, *args: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(name, *args, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


# -- sweep_sla -----------------------------------------------------------------------------------------------
def test_the_sweep_says_what_it_did(cast: Cast) -> None:
    arrive("A", now=START)
    line = command("sweep_sla", at="2026-11-25T16:00:00+08:00", json=True)
    assert json.loads(line) == {"examined": 2, "warned": 3, "breached": 1, "escalated": 2}
    assert list(json.loads(line)) == ["examined", "warned", "breached", "escalated"]
    assert (
        command("sweep_sla", at="2026-11-25T16:00:00+08:00").strip()
        == "examined 0, warned 0, breached 0, escalated 0"
    )


def test_a_moment_without_zone_is_the_shops(cast: Cast) -> None:
    arrive("A", now=START)
    assert json.loads(command("sweep_sla", at="2026-11-25 11:59", json=True))["examined"] == 0
    assert json.loads(command("sweep_sla", at="2026-11-25 12:00", json=True))["examined"] == 1


@pytest.mark.parametrize("moment", ["tomorrow", "2026-13-01T00:00", "2026-02-30 10:00"])
def test_a_moment_that_is_none_is_refused(cast: Cast, moment: str) -> None:
    arrive("A", now=START)
    with pytest.raises(CommandError, match="not a moment"):
        command("sweep_sla", at=moment)
    assert Feedback.objects.get().breached_at is None


def test_without_a_moment_it_is_now(cast: Cast) -> None:
    arrive("A", now=START)
    with time_machine.travel(at("11-25 14:00"), tick=False):
        assert json.loads(command("sweep_sla", json=True))["breached"] == 1


# -- near duplicates of single arrivals ----------------------------------------------------------------------
BASE = "这家店的烧烤味道很好但是服务员态度差上菜慢等了一个小时才吃上真的不会再来第二次了"


def test_what_came_one_by_one_is_linked_later_within_its_channel(cast: Cast) -> None:
    first = arrive("A", text=BASE)
    near = arrive("A", text=BASE.replace("烧烤", "火锅"))
    elsewhere = arrive("A", text=BASE.replace("烧烤", "火锅"), channel="jd")
    far = arrive("A")
    assert near.similar_to is None
    assert link_near_duplicates(now=NOW + timedelta(minutes=1)) == 1
    assert case(near.pk).similar_to == first and 0.8 <= case(near.pk).similarity < 1
    assert case(elsewhere.pk).similar_to is None and case(far.pk).similar_to is None
    # A second run adds only what is new, and knows the earlier ones.
    assert link_near_duplicates(now=NOW + timedelta(minutes=2)) == 0
    third = arrive("A", text=BASE + "唉", now=NOW + timedelta(minutes=3))
    assert link_near_duplicates(now=NOW + timedelta(minutes=4)) == 1
    assert case(third.pk).similar_to == first


def test_what_is_linked_already_stays_and_yesterdays_is_left_alone(cast: Cast) -> None:
    arrive("A", text=BASE)
    old = arrive("A", text=BASE + "唉", now=NOW - timedelta(hours=25))
    equal = arrive("A", text=BASE)
    assert equal.similarity == 1.0
    link_near_duplicates(now=NOW)
    assert case(old.pk).similar_to is None and case(equal.pk).similarity == 1.0


# -- housekeeping --------------------------------------------------------------------------------------------
def test_kept_answers_and_signatures_are_forgotten_after_their_time(db: None) -> None:
    token = IntegrationToken.objects.create(
        integration=Integration.objects.create(name="erp"), prefix="x", digest="d", created_at=NOW
    )
    for key, age in (("old", timedelta(days=1, seconds=1)), ("kept", timedelta(hours=23))):
        IdempotentRequest.objects.create(token=token, key=key, fingerprint="f", created_at=NOW - age)
    WebhookNonce.objects.create(signature="old", at=NOW - timedelta(hours=1, seconds=1))
    WebhookNonce.objects.create(signature="kept", at=NOW - timedelta(minutes=59))
    assert forget_old(now=NOW) == 2
    assert IdempotentRequest.objects.get().key == "kept" and WebhookNonce.objects.get().signature == "kept"


def test_an_import_that_stopped_half_way_is_said_to_have_failed(db: None) -> None:
    channel = Channel.objects.get(code="jd")
    for name, age in (("old", 25), ("new", 23)):
        ImportRun.objects.create(
            sha256=name, channel=channel, file_name=name, started_at=NOW - timedelta(hours=age)
        )
    forget_old(now=NOW)
    assert dict(ImportRun.objects.values_list("file_name", "state")) == {"old": "failed", "new": "running"}
    assert ImportRun.objects.get(file_name="old").message


def test_missing_holidays_are_told_once_a_month(cast: Cast) -> None:
    CalendarDay.objects.all().delete()
    assert check_calendar(now=at("10-05 10:00")) == [2026]
    check_calendar(now=at("10-31 10:00"))
    assert (told(cast.lin), told(cast.max)) == (1, 1)
    assert check_calendar(now=at("11-01 10:00")) == [2026, 2027]
    assert (told(cast.lin), told(cast.max)) == (2, 2)
    assert not StaffNotice.objects.filter(recipient=cast.alice).exists()


def test_tasks_read_the_clock_and_call_their_service(cast: Cast) -> None:
    cast.off_duty()
    feedback = arrive("A", now=START)
    type(cast.team.members.first()).objects.filter(role="member").update(takes_work=True)
    from apps.feedback.selectors.reference import forget_reference

    forget_reference()
    with time_machine.travel(at("11-25 14:00"), tick=False):
        tasks.dispatch_waiting_task()
        tasks.sweep_sla_task()
        tasks.link_near_duplicates_task()
        tasks.forget_old_task()
        tasks.check_calendar_task()
    stored = case(feedback.pk)
    assert (stored.assignee, stored.breached_at) == (cast.alice, at("11-25 14:00"))


# -- load_demo, clear_demo -----------------------------------------------------------------------------------
def test_the_demo_is_not_loaded_twice(db: None) -> None:
    take(voice(), source="demo")
    with pytest.raises(CommandError):
        command("load_demo")
    assert Feedback.objects.count() == 1


def test_clearing_without_demo_removes_nothing_real(cast: Cast) -> None:
    feedback = arrive("S", store="renmin", customer={"external_id": "c1", "phone": "13800001234"})
    lines = command("clear_demo").splitlines()
    assert lines and all(line.endswith(": 0 removed") for line in lines)
    assert case(feedback.pk).customer is not None and case(feedback.pk).store == cast.store
