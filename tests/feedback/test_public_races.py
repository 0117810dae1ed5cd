"""One form posted by eight at once, one visit recorded by two: real threads on PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.test import Client
from django.utils import timezone

from apps.core.models import PublicCount, PublicNonce
from apps.feedback.models import Entry, Feedback, MysteryVisit, PublicReceipt
from apps.feedback.services import public_entry as service
from apps.feedback.services import visits
from tests.factories import NOW, make_cast
from tests.feedback.test_public_entry import add, fill, look, slip, visitor
from tests.feedback.test_races import at_once, faults
from tests.feedback.test_visits import agreeable, make_talk, make_visit

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("committed")]


@pytest.fixture(autouse=True)
def _no_hurry(settings: Any) -> None:
    settings.PUBLIC_ENTRY = django_settings.PUBLIC_ENTRY | {"least_seconds": 0, "per_address": 3}


def test_eight_posts_of_one_form_make_one_case() -> None:
    cast = make_cast()
    entry = service.open_page(store=cast.store, by=None, now=timezone.now())
    client = visitor()
    data = fill(client, entry)
    cookies = client.cookies

    def post() -> Any:
        own: Client = visitor()
        own.cookies = cookies
        return own.post(entry.path, data)

    answers = at_once([post] * 8)
    assert not faults(answers)
    assert Counter(answer.status_code for answer in answers) == {200: 8}
    assert len({slip(answer) for answer in answers}) == 1
    assert Feedback.objects.count() == PublicReceipt.objects.count() == PublicNonce.objects.count() == 1
    # Counted once, although only three may come from one address.
    assert set(PublicCount.objects.values_list("count", flat=True)) == {1}


def test_eight_guesses_at_once_get_five_tries() -> None:
    cast = make_cast()
    entry = service.open_page(store=cast.store, by=None, now=timezone.now())
    client = visitor()
    number, _secret = slip(client.post(entry.path, fill(client, entry)))
    answers = at_once([lambda: look(visitor(), number, "AAAAAAAA").status_code] * 8)
    assert Counter(answers) == {403: 5, 429: 3}


def test_one_addition_sent_by_four_at_once_is_added_once() -> None:
    cast = make_cast()
    entry = service.open_page(store=cast.store, by=None, now=timezone.now())
    client = visitor()
    page = look(client, *slip(client.post(entry.path, fill(client, entry))))
    answers = at_once([lambda: add(client, page, "补充：盒子也破了").status_code] * 4)
    assert Counter(answers) == {200: 4}
    assert Entry.objects.filter(kind="inbound").count() == 1


def test_two_record_one_visit_and_one_is_told() -> None:
    cast = make_cast()
    visit = make_visit(cast, "收银台排队二十分钟没人管", "货架上有过期酸奶", "洗手间没有纸")
    visits.submit(visit=visit, by=cast.alice, now=NOW)
    copies = [type(visit).objects.get(pk=visit.pk) for _ in range(4)]
    results = at_once([lambda row=row: visits.record(visit=row, by=cast.lin, now=NOW) for row in copies])
    assert not faults(results)
    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert Feedback.objects.filter(channel__code="mystery_visit").count() == 3
    assert visit.findings.filter(feedback__isnull=True).count() == 0


def test_a_form_saved_while_its_visit_is_submitted_does_not_make_it_a_draft_again() -> None:
    cast = make_cast()
    visit = make_visit(cast, "货架上有过期酸奶", visitor_name="某某调研公司")
    client = Client()
    client.force_login(cast.alice)
    scores = list(visit.scores.all())
    form: dict[str, Any] = {
        "store": cast.store.pk, "visited_at_0": "2026-11-01", "visited_at_1": "10:00:00", "visitor": "",
        "visitor_name": "某某调研公司", "summary": "改", "findings-TOTAL_FORMS": 0, "findings-INITIAL_FORMS": 0,
        "scores-TOTAL_FORMS": len(scores), "scores-INITIAL_FORMS": len(scores),
    }  # fmt: skip
    for n, score in enumerate(scores):
        form |= {f"scores-{n}-id": score.pk, f"scores-{n}-visit": visit.pk, f"scores-{n}-score": 7}
        form |= {f"scores-{n}-note": ""}
    submitted = threading.Event()

    def submit() -> None:
        with transaction.atomic():
            visits.submit(visit=MysteryVisit.objects.get(pk=visit.pk), by=cast.alice, now=timezone.now())
            submitted.set()
            # The form is posted meanwhile and meets a row that is about to change.
            time.sleep(1)

    def save() -> int:
        submitted.wait(timeout=30)
        return client.post(f"/admin/feedback/mysteryvisit/{visit.pk}/change/", form).status_code

    results = at_once([submit, save])
    assert not faults(results)
    assert results[1] == 403
    visit.refresh_from_db()
    assert (visit.status, visit.summary) == ("submitted", "")


def test_two_choose_the_same_customers() -> None:
    cast = make_cast()
    talk = make_talk(cast)
    ids = [row.pk for row in agreeable(20)]
    results = at_once([lambda: visits.choose(symposium=talk, customer_ids=ids, by=cast.lin, now=NOW)] * 4)
    assert not faults(results)
    assert talk.invitations.count() == 20
    assert sum(added for added, _left in results) == 20
