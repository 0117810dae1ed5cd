"""Kept views, live counters, one-click and bulk correction with their way back, promises, case files."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core.exceptions import DomainError, InvalidInput, NotPermitted, StaleState
from apps.core.models import ActionLog, Reveal, StaffNotice
from apps.core.services.files import store_file
from apps.feedback.choices import ClockState
from apps.feedback.models import Correction, Entry, Feedback, FeedbackFile, Promise, SavedView, SlaClock
from apps.feedback.selectors.queue import neighbour, pulse, queue_page
from apps.feedback.services import moves, promises, views
from apps.shop.models import TeamMember, WorkItem
from tests.factories import NOW, Cast, arrive, queries, take, voice
from tests.feedback.test_admin_feedback import PNG, QUEUE, login

pytestmark = pytest.mark.django_db


# -- kept views ----------------------------------------------------------------------------------------------
def test_a_view_keeps_what_narrows_the_queue_and_nothing_else(cast: Cast) -> None:
    view = views.save_view(
        name="  物流  超时 ", params={"category": "LOGISTICS", "tab": "overdue", "p": "3", "evil": "1"},
        by=cast.alice, now=NOW,
    )  # fmt: skip
    assert (view.name, view.params) == ("物流 超时", {"category": "LOGISTICS", "tab": "overdue"})
    again = views.save_view(name="物流 超时", params={"tier": "S"}, by=cast.alice, now=NOW)
    assert (again.pk, SavedView.objects.get().params) == (view.pk, {"tier": "S"})


def test_a_view_needs_a_name_and_something_to_keep(cast: Cast) -> None:
    for name, params in (("  ", {"tier": "S"}), ("空", {}), ("空", {"p": "2"})):
        with pytest.raises(InvalidInput):
            views.save_view(name=name, params=params, by=cast.alice, now=NOW)
    assert not SavedView.objects.exists()


def test_team_views_are_made_by_leads_and_seen_by_members(cast: Cast) -> None:
    with pytest.raises(NotPermitted):
        views.save_view(name="组", params={"tier": "S"}, by=cast.alice, now=NOW, team=cast.team)
    view = views.save_view(name="组", params={"tier": "S"}, by=cast.lin, now=NOW, team=cast.team)
    assert TeamMember.objects.filter(team=cast.team, user=cast.alice).exists()
    shown = queue_page(user=cast.alice, params={"tier": "S"}, now=NOW).views
    assert [(v["name"], v["team"], v["active"]) for v in shown] == [("组", True, True)]
    assert queue_page(user=cast.ann, params={}, now=NOW).views == []
    with pytest.raises(NotPermitted):
        views.delete_view(view=view, by=cast.alice)
    views.delete_view(view=view, by=cast.lin)
    assert not SavedView.objects.exists()


def test_nobody_deletes_another_persons_view(cast: Cast) -> None:
    view = views.save_view(name="我的", params={"tier": "S"}, by=cast.alice, now=NOW)
    assert login(cast.bob).post(f"{QUEUE}views/{view.pk}/delete/").status_code == 403
    assert login(cast.alice).get(f"{QUEUE}views/{view.pk}/delete/").status_code == 405
    assert login(cast.alice).post(f"{QUEUE}views/{view.pk}/delete/").status_code == 302
    assert not SavedView.objects.exists()


def test_the_page_keeps_and_shows_a_view(cast: Cast) -> None:
    client = login(cast.alice)
    client.post(f"{QUEUE}views/save/", {"name": "急件", "query": "tab=open&tier=S"})
    page = client.get(f"{QUEUE}?tab=open&tier=S").content.decode()
    assert "急件" in page
    assert client.get(f"{QUEUE}?tab=open&tier=A").content.decode().count("急件") == 1


# -- live ----------------------------------------------------------------------------------------------------
def test_the_pulse_counts_what_came_into_this_list_only(cast: Cast) -> None:
    first = arrive("A", now=timezone.now())
    client = login(cast.alice)
    address = reverse("admin:feedback_feedback_pulse")
    arrive("A", now=timezone.now())
    arrive("praise", now=timezone.now())
    everything = client.get(address, {"since": first.pk, "tab": "all"}).json()
    still_open = client.get(address, {"since": first.pk, "tab": "open"}).json()
    other = client.get(address, {"since": first.pk, "tab": "open", "channel": "jd"}).json()
    assert (everything["new"], still_open["new"], other["new"]) == (2, 1, 0)
    assert everything["counts"]["open"] == "2"
    assert client.get(address, {"since": "x" * 50}).json()["new"] == 0


def test_the_alarm_names_urgent_cases_until_somebody_answers(cast: Cast) -> None:
    case = arrive("S")
    assert [a["id"] for a in pulse(user=cast.alice, params={}, since=0, now=NOW).alarms] == [case.pk]
    moves.record_contact(
        feedback=case, how="phone", said="已致电顾客致歉", by=cast.alice, now=NOW + timedelta(minutes=9)
    )
    assert pulse(user=cast.alice, params={}, since=0, now=NOW).alarms == []


def test_the_pulse_asks_the_same_for_1_and_50(cast: Cast) -> None:
    arrive("A")
    pulse(user=cast.alice, params={}, since=1, now=NOW)
    with queries() as one:
        pulse(user=cast.alice, params={}, since=1, now=NOW)
    take(*(voice() for _ in range(50)), grade="S")
    with queries() as fifty:
        pulse(user=cast.alice, params={}, since=1, now=NOW)
    assert len(fifty) == len(one) <= 6


def test_store_staff_hear_of_their_stores_only(cast: Cast) -> None:
    arrive("S", channel="jd")
    assert pulse(user=cast.sue, params={}, since=0, now=NOW).alarms == []
    mine = arrive("S", store="renmin")
    assert [a["id"] for a in pulse(user=cast.sue, params={}, since=0, now=NOW).alarms] == [mine.pk]


def test_next_walks_the_list_one_came_from(cast: Cast) -> None:
    late = [arrive("A", now=NOW + timedelta(minutes=n)) for n in range(3)]
    urgent = arrive("S", now=NOW + timedelta(minutes=5))
    order = [urgent.pk, *(case.pk for case in late)]
    now = NOW + timedelta(minutes=6)
    for here, following in zip(order, [*order[1:], None], strict=True):
        assert neighbour(user=cast.alice, params={}, after=here, now=now) == following
    # Resolved meanwhile: on to the top of what is left.
    assert neighbour(user=cast.alice, params={"tier": "A"}, after=urgent.pk, now=now) == late[0].pk
    client = login(cast.alice)
    client.get(f"{QUEUE}?tab=open&tier=A")
    assert client.get(f"{QUEUE}next/{late[0].pk}/").url == f"{QUEUE}{late[1].pk}/change/"
    assert client.get(f"{QUEUE}next/{late[2].pk}/").url == f"{QUEUE}?tab=open&tier=A"


# -- correction ----------------------------------------------------------------------------------------------
def quick(client: Client, case: Feedback, **data: Any) -> Any:
    return client.post(f"{QUEUE}{case.pk}/quick/", data)


def test_one_click_corrects_one_thing_and_keeps_it_for_training(cast: Cast) -> None:
    case = arrive("A")
    quick(login(cast.alice), case, sentiment="neutral", back="queue")
    case.refresh_from_db()
    kept = Correction.objects.get()
    assert (case.sentiment, case.tier, kept.before, kept.after, kept.by) == (
        "neutral", "A", {"sentiment": "negative"}, {"sentiment": "neutral"}, cast.alice,
    )  # fmt: skip


def test_confirming_a_doubtful_reading_clears_the_doubt(cast: Cast) -> None:
    case = arrive("A")
    Feedback.objects.filter(pk=case.pk).update(needs_review=True, s_review=True)
    quick(login(cast.alice), case, confirm="1")
    case.refresh_from_db()
    assert (case.needs_review, case.s_review, Correction.objects.get().after) == (False, False, {})


def test_nonsense_corrects_nothing(cast: Cast) -> None:
    case = arrive("A")
    for data in ({}, {"tier": "Z"}, {"category": "NOWHERE"}, {"status": "closed"}):
        quick(login(cast.alice), case, **data)
    case.refresh_from_db()
    assert (case.tier, case.status in ("new", "assigned"), Correction.objects.count()) == ("A", True, 0)
    assert quick(login(cast.ann), case, tier="S").status_code == 403
    assert login(cast.alice).get(f"{QUEUE}{case.pk}/quick/").status_code == 405


def clocks(case: Feedback) -> list[tuple[Any, ...]]:
    return list(
        SlaClock.objects.filter(feedback=case, state=ClockState.RUNNING)
        .order_by("kind")
        .values_list("kind", "due_at", "value", "unit", "started_at", "next_check_at")
    )


def test_undoing_a_raised_tier_puts_the_clocks_back(cast: Cast) -> None:
    case = arrive("A")
    before, due = clocks(case), case.due_at
    log = moves.correct(feedback=case, values={"tier": "S"}, by=cast.alice, now=NOW + timedelta(minutes=5))
    case.refresh_from_db()
    assert (case.tier, clocks(case) != before, case.due_at < due) == ("S", True, True)
    assert WorkItem.objects.filter(origin_key=f"feedback:{case.pk}:self_check").exists()
    assert log is not None
    moves.undo(log=log, by=cast.alice, now=NOW + timedelta(minutes=6))
    case.refresh_from_db()
    assert (case.tier, case.tier_rank, clocks(case), case.due_at) == ("A", 1, before, due)
    assert not WorkItem.objects.filter(origin_key=f"feedback:{case.pk}:self_check").exists()
    # What was taken back teaches nothing.
    assert not Correction.objects.exists()


def test_a_miss_survives_the_undo(cast: Cast) -> None:
    case = arrive("A")
    now = NOW + timedelta(minutes=5)
    log = moves.correct(feedback=case, values={"tier": "S"}, by=cast.alice, now=now)
    SlaClock.objects.filter(feedback=case, kind="first_response").update(breached_at=now + timedelta(hours=1))
    assert log is not None
    moves.undo(log=log, by=cast.alice, now=now + timedelta(hours=2))
    assert SlaClock.objects.get(feedback=case, kind="first_response").breached_at is not None


def test_an_undo_after_another_move_is_refused(cast: Cast) -> None:
    case = arrive("A")
    log = moves.correct(feedback=case, values={"tier": "B"}, by=cast.alice, now=NOW)
    moves.claim(feedback=Feedback.objects.get(pk=case.pk), by=cast.alice, now=NOW)
    assert log is not None
    with pytest.raises(StaleState):
        moves.undo(log=log, by=cast.alice, now=NOW)


def test_bulk_correction_tells_each_outcome_and_offers_the_way_back(cast: Cast) -> None:
    one, same = arrive("A"), arrive("A")
    Feedback.objects.filter(pk=same.pk).update(sentiment="positive")
    client = login(cast.alice)
    client.get(f"{QUEUE}?tab=open")
    response = client.post(
        f"{QUEUE}bulk/correct/", {"id": [one.pk, same.pk, 999_999], "sentiment": "positive"}
    )
    page = response.content.decode()
    one.refresh_from_db()
    assert one.sentiment == "positive"
    assert one.number in page and "#999999" in page
    log = ActionLog.objects.get(verb="correct", object_id=one.pk)
    assert reverse("admin:feedback_feedback_undo", args=[log.pk]) in page
    client.post(reverse("admin:feedback_feedback_undo", args=[log.pk]), {"back": "queue"})
    one.refresh_from_db()
    assert one.sentiment == "negative"
    # Nothing chosen: nothing happens, and it says so.
    assert client.post(f"{QUEUE}bulk/correct/", {"id": [one.pk]}).url == f"{QUEUE}?tab=open"


def test_moves_lead_back_to_the_list_as_it_was(cast: Cast) -> None:
    case = arrive("A", now=timezone.now())
    client = login(cast.alice)
    client.get(f"{QUEUE}?tab=all&tier=A")
    response = client.post(f"{QUEUE}{case.pk}/move/claim/", {"back": "queue"})
    assert response.url == f"{QUEUE}?tab=all&tier=A"
    page = client.get(response.url).content.decode()
    log = ActionLog.objects.get(verb="claim")
    assert reverse("admin:feedback_feedback_undo", args=[log.pk]) in page
    assert (
        reverse("admin:feedback_feedback_undo", args=[log.pk])
        not in client.get(response.url).content.decode()
    )


# -- promises ------------------------------------------------------------------------------------------------
def promise(case: Feedback, cast: Cast, hours: float = 8) -> Promise:
    return promises.make(
        feedback=case, what="18点前给补发单号", due_at=NOW + timedelta(hours=hours), by=cast.alice, now=NOW
    )


def test_a_promise_is_reminded_once_and_told_broken_once(cast: Cast) -> None:
    case = arrive("A")
    moves.claim(feedback=case, by=cast.alice, now=NOW)
    made = promise(case, cast)
    assert promises.sweep_promises(now=NOW + timedelta(hours=7)) == {"reminded": 0, "broken": 0}
    for expected in ({"reminded": 1, "broken": 0}, {"reminded": 0, "broken": 0}):
        assert promises.sweep_promises(now=NOW + timedelta(hours=7, minutes=31)) == expected
    for expected in ({"reminded": 0, "broken": 1}, {"reminded": 0, "broken": 0}):
        assert promises.sweep_promises(now=NOW + timedelta(hours=8)) == expected
    assert StaffNotice.objects.filter(
        recipient=cast.alice, dedupe_key__startswith=f"promise_broken:{made.pk}"
    ).exists()
    # Kept late is kept, and stays late.
    made.refresh_from_db()
    promises.keep(promise=made, by=cast.alice, now=NOW + timedelta(hours=9))
    made.refresh_from_db()
    assert (made.status, made.broken_at, made.is_late(NOW + timedelta(days=9))) == ("kept", made.due_at, True)


def test_a_promise_kept_in_time_is_never_broken(cast: Cast) -> None:
    made = promise(arrive("A"), cast)
    promises.keep(promise=made, by=cast.alice, now=NOW + timedelta(hours=1))
    promises.sweep_promises(now=NOW + timedelta(days=2))
    made.refresh_from_db()
    assert (made.status, made.broken_at) == ("kept", None)
    with pytest.raises(DomainError):
        promises.keep(promise=Promise.objects.get(pk=made.pk), by=cast.alice, now=NOW)


def test_the_same_promise_twice_is_one(cast: Cast) -> None:
    case = arrive("A")
    assert promise(case, cast).pk == promise(case, cast).pk
    assert ActionLog.objects.filter(verb="promise").count() == 1


@pytest.mark.parametrize(("what", "hours"), [("", 4), ("寄出", 0), ("寄出", -1), ("寄出", 24 * 200)])
def test_a_promise_that_cannot_be_is_refused(cast: Cast, what: str, hours: float) -> None:
    case = arrive("A")
    with pytest.raises(InvalidInput):
        promises.make(feedback=case, what=what, due_at=NOW + timedelta(hours=hours), by=cast.alice, now=NOW)


def test_the_pages_of_a_promise(cast: Cast) -> None:
    case = arrive("A", now=timezone.now())
    client = login(cast.alice)
    address = f"{QUEUE}{case.pk}/promise/"
    assert client.post(address, {"what": "寄出", "due_at": "2001-01-01T10:00"}).status_code == 422
    due = timezone.localtime() + timedelta(hours=3)
    client.post(address, {"what": "今天寄出,电话13812345678", "due_at": due.strftime("%Y-%m-%dT%H:%M")})
    made = Promise.objects.get()
    page = client.get(f"{QUEUE}{case.pk}/change/").content.decode()
    assert "今天寄出" in page and "13812345678" not in page
    end = f"{QUEUE}promise/{made.pk}/"
    client.get(f"{end}keep/")
    made.refresh_from_db()
    assert made.status == "open"
    assert client.post(f"{end}cancel/", {"reason": ""}).status_code == 422
    client.post(f"{end}cancel/", {"reason": "顾客说不用了"})
    made.refresh_from_db()
    assert made.status == "cancelled"
    assert login(cast.ann).post(f"{end}keep/").status_code == 403
    assert client.post(f"{end}nonsense/").status_code == 404


# -- case file -----------------------------------------------------------------------------------------------
def with_story(cast: Cast) -> Feedback:
    case = arrive(
        "A", now=timezone.now() - timedelta(hours=1), text="快递弄坏了,打13912345678没人理<b>气</b>",
        order_no="2026112200001234", customer={"external_id": "w1", "nickname": "王小明", "phone": "13912345678"},
    )  # fmt: skip
    Entry.objects.create(
        feedback=case, kind="note", text="内部:疑似快递责任", at=timezone.now(), by=cast.alice
    )
    stored = store_file(
        upload=SimpleUploadedFile("破损.png", PNG, "image/png"), by=cast.alice, now=timezone.now()
    )
    FeedbackFile.objects.create(feedback=case, file=stored)
    return case


def test_a_case_file_is_masked_and_complete(cast: Cast) -> None:
    case = with_story(cast)
    client = login(cast.alice)
    response = client.post(f"{QUEUE}{case.pk}/dossier/", {"purpose": "platform", "pictures": "on"})
    document = response.content.decode()
    assert response["Content-Disposition"] == f'attachment; filename="{case.number}-dossier.html"'
    for hidden in ("13912345678", "2026112200001234", "王小明", "疑似快递责任", "<b>气</b>"):
        assert hidden not in document, hidden
    assert "139****5678" in document
    assert hashlib.sha256(PNG).hexdigest() in document
    assert "data:image/png;base64," in document
    # One file: nothing is fetched from anywhere.
    assert not re.search(r'(?:src|href)="(?!data:)', document)
    log = ActionLog.objects.get(verb="dossier")
    assert log.data["sha256"] == hashlib.sha256(response.content).hexdigest()
    assert not Reveal.objects.exists()


def test_whole_data_needs_the_permission_and_a_reason(cast: Cast) -> None:
    case = with_story(cast)
    address = f"{QUEUE}{case.pk}/dossier/"
    plain = login(cast.alice).post(address, {"purpose": "court", "whole": "on", "reason": "起诉"})
    assert "13912345678" not in plain.content.decode()
    lead = login(cast.lin)
    assert lead.post(address, {"purpose": "court", "whole": "on"}).status_code == 422
    whole = lead.post(address, {"purpose": "court", "whole": "on", "notes": "on", "reason": "起诉需要"})
    document = whole.content.decode()
    assert "13912345678" in document and "疑似快递责任" in document
    assert Reveal.objects.get().reason == "起诉需要"
    assert login(cast.ann).post(address, {"purpose": "own"}).status_code == 403


def test_what_was_written_by_hand_is_masked_too(cast: Cast) -> None:
    case = with_story(cast)
    moves.claim(feedback=case, by=cast.alice, now=timezone.now())
    promise = promises.make(
        feedback=case, what="回电13700000001", due_at=timezone.now() + timedelta(hours=3), by=cast.alice,
        now=timezone.now(),
    )  # fmt: skip
    moves.resolve(feedback=case, by=cast.alice, now=timezone.now(), reason="已退款,联系13700000002")
    masked = login(cast.alice).post(f"{QUEUE}{case.pk}/dossier/", {"purpose": "platform"}).content.decode()
    assert promise.what not in masked and "13700000001" not in masked and "13700000002" not in masked
    whole = login(cast.lin).post(
        f"{QUEUE}{case.pk}/dossier/", {"purpose": "court", "whole": "on", "reason": "起诉需要"}
    )
    assert whole.content.decode().count("13700000002") == 2


# -- phone numbers ---------------------------------------------------------------------------------------------
def test_a_phone_number_searched_for_stands_in_no_address(cast: Cast) -> None:
    case = arrive("A", customer={"external_id": "p1", "phone": "13811112222"})
    other = arrive("A")
    client = login(cast.alice)
    there = client.get(QUEUE, {"q": "138 1111 2222", "tier": "A"})
    assert there.status_code == 302 and "2222" not in there.url and "tier=A" in there.url
    page = client.get(there.url).content.decode()
    assert case.number in page and other.number not in page
    assert "13811112222" not in page + client.session["queue"]
    # A filter chosen next keeps the search, which its box does not show.
    token = re.search(r'name="kept" value="(~[0-9a-f]{64})"', page)
    assert token is not None
    kept = client.get(QUEUE, {"q": "", "kept": token[1], "tab": "all"}).content.decode()
    assert case.number in kept and other.number not in kept


def test_the_search_by_phone_follows_merged_customers(cast: Cast) -> None:
    from apps.customers.models import Customer
    from apps.customers.services import merging

    case = arrive("A", customer={"external_id": "p1", "phone": "13811112222"})
    source = Customer.objects.get()
    target = Customer.objects.create(nickname="新档案")
    merging.merge(source=source, target=target, by=cast.lin, now=NOW, reason="同一个人")
    page = login(cast.alice).get(QUEUE, {"q": "13811112222"}, follow=True).content.decode()
    assert case.number in page


def test_files_of_imports_open_on_their_own_pages_only(cast: Cast) -> None:
    from django.core.files.base import ContentFile

    from apps.core.models import StoredFile
    from apps.feedback.models import Channel, ImportRun

    stored = StoredFile(name="导出.csv", content_type="text/csv", suffix=".csv", size=3, sha256="0" * 64,
                        uploaded_by=cast.alice, created_at=NOW)  # fmt: skip
    stored.file.save("x.csv", ContentFile(b"a,b"), save=False)
    stored.save()
    address = reverse("admin:core_storedfile_open", args=[stored.pk])
    assert login(cast.alice).get(address).status_code == 200
    ImportRun.objects.create(channel=Channel.objects.first(), file=stored, started_at=NOW, by=cast.alice)
    assert login(cast.alice).get(address).status_code in (403, 404)
    assert login(cast.bob).get(address).status_code in (403, 404)


# -- who sees and who is told ------------------------------------------------------------------------------------
def test_store_staff_meet_the_customers_of_their_stores_only(cast: Cast) -> None:
    from apps.customers.models import Customer, Order

    heard = arrive("A", store="renmin", customer={"external_id": "h1", "nickname": "说过话的"}).customer
    elsewhere = arrive("A", channel="jd", customer={"external_id": "e1", "nickname": "别处的"}).customer
    bought = Customer.objects.create(nickname="买过的")
    Order.objects.create(order_no="9001", customer=bought, store=cast.store)
    assert heard is not None and elsewhere is not None
    page = login(cast.sue).get("/admin/customers/customer/").content.decode()
    assert "说过话的" in page and "买过的" in page and "别处的" not in page
    assert login(cast.sue).get(f"/admin/customers/customer/{elsewhere.pk}/change/").status_code in (302, 404)
    assert "别处的" in login(cast.alice).get("/admin/customers/customer/").content.decode()


def test_the_leads_of_the_queue_hear_of_every_urgent_case(cast: Cast) -> None:
    case = arrive("S")
    told = set(
        StaffNotice.objects.filter(dedupe_key__startswith=f"s:{case.pk}:").values_list("recipient", flat=True)
    )
    assert {cast.lin.pk, cast.max.pk} <= told


def test_priority_follows_a_correction_and_its_undo(cast: Cast) -> None:
    case = arrive("S")
    log = moves.correct(feedback=case, values={"tier": "B"}, by=cast.alice, now=NOW)
    lower = Feedback.objects.get(pk=case.pk).priority
    assert lower < case.priority
    assert "priority" not in Correction.objects.get().after
    assert log is not None
    moves.undo(log=log, by=cast.alice, now=NOW)
    assert Feedback.objects.get(pk=case.pk).priority == case.priority
    page = login(cast.alice).get(f"{QUEUE}{case.pk}/change/").content.decode()
    assert "REGULATOR" not in page
