"""A second person decides, never whoever asked."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from apps.core.approvals import Decider, deciders
from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted, StaleState
from apps.core.models import Approval, StaffNotice
from apps.core.services import approvals
from apps.feedback.models import Channel
from tests.factories import NOW, Cast, make_cast

KIND, PERMISSION = "test.thing", "feedback.assign_feedback"


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    called: list[str] = []

    def rejected(approval: Approval, by: Any, now: Any) -> None:
        called.append("rejected")

    def approved(approval: Approval, by: Any, now: Any) -> None:
        if approval.payload.get("_broken"):
            raise InvalidInput("the record has moved on")
        called.append("approved")

    monkeypatch.setitem(deciders._items, KIND, (100, Decider("Thing", approved, rejected)))
    return called


def asked(by: Any, **payload: Any) -> Approval:
    return approvals.ask(
        kind=KIND,
        record=Channel.objects.order_by("pk")[0],
        title="Release it",
        permission=PERMISSION,
        by=by,
        now=NOW,
        payload=payload,
    )


def test_asking_twice_is_one_request_and_those_who_may_decide_are_told(cast: Cast, done: list[str]) -> None:
    first, second = asked(cast.alice), asked(cast.alice)
    assert first.pk == second.pk
    told = set(
        StaffNotice.objects.filter(title__contains="Release it").values_list("recipient_id", flat=True)
    )
    assert cast.lin.pk in told and cast.alice.pk not in told and cast.bob.pk not in told


def test_requester_never_decides_even_with_every_right(cast: Cast, done: list[str]) -> None:
    cast.lin.is_superuser = True
    cast.lin.save()
    approval = asked(cast.lin)
    with pytest.raises(NotPermitted):
        approvals.approve(approval=approval, by=cast.lin, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.filter(pk=approval.pk).update(state="approved", decided_by=cast.lin)
    assert done == []


def test_deciding_needs_the_right_the_request_names(cast: Cast, done: list[str]) -> None:
    with pytest.raises(NotPermitted):
        approvals.approve(approval=asked(cast.alice), by=cast.bob, now=NOW)
    assert done == []


def test_approved_once_then_final(cast: Cast, done: list[str]) -> None:
    approval = asked(cast.alice)
    stale = Approval.objects.get(pk=approval.pk)
    approvals.approve(approval=approval, by=cast.lin, now=NOW)
    assert (approval.state, approval.decided_by_id, done) == ("approved", cast.lin.pk, ["approved"])
    with pytest.raises(StaleState):
        approvals.reject(approval=stale, by=cast.max, now=NOW, reason="no")
    with pytest.raises(IllegalMove):
        approvals.withdraw(approval=approval, by=cast.alice, now=NOW)
    assert done == ["approved"]


def test_a_decision_whose_effect_is_refused_is_not_made(cast: Cast, done: list[str]) -> None:
    approval = asked(cast.alice, _broken=True)
    with pytest.raises(InvalidInput):
        approvals.approve(approval=approval, by=cast.lin, now=NOW)
    approval.refresh_from_db()
    assert approval.state == "pending"


def test_a_request_that_nobody_else_could_decide_is_refused(cast: Cast, done: list[str]) -> None:
    with pytest.raises(InvalidInput, match=r"."):
        approvals.ask(
            kind=KIND,
            record=Channel.objects.order_by("pk")[0],
            title="x",
            permission="core.no_such_permission",
            by=cast.alice,
            now=NOW,
        )


def test_list_shows_what_waits_for_me_and_rejecting_needs_a_reason(cast: Cast, done: list[str]) -> None:
    approval = asked(cast.alice)
    lead, asker = Client(), Client()
    lead.force_login(cast.lin)
    asker.force_login(cast.alice)
    page = reverse("admin:core_approval_changelist")
    assert "Release it" in lead.get(page).content.decode()
    assert "Release it" not in asker.get(page).content.decode()
    assert "Release it" in asker.get(page + "?what=asked").content.decode()
    move = reverse("admin:core_approval_move", args=[approval.pk, "reject"])
    assert asker.get(move).status_code in (403, 404)
    lead.post(move, {"reason": ""})
    approval.refresh_from_db()
    assert approval.state == "pending"
    lead.post(move, {"reason": "too much"})
    approval.refresh_from_db()
    assert (approval.state, approval.reason, done) == ("rejected", "too much", ["rejected"])


@pytest.mark.postgres
def test_two_who_decide_at_once(committed: None, done: list[str]) -> None:
    cast = make_cast()
    approval = asked(cast.alice)
    gate, won = threading.Barrier(2), []

    def run(verb: str, by: Any) -> None:
        try:
            mine = Approval.objects.get(pk=approval.pk)
            gate.wait(10)
            approvals.decide(approval=mine, verb=verb, by=by, now=NOW, reason="so")
            won.append(verb)
        except DomainError:
            pass
        finally:
            connection.close()

    threads = [
        threading.Thread(target=run, args=arguments)
        for arguments in (("approve", cast.lin), ("reject", cast.max))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and len(done) == 1
