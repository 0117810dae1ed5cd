"""PATCH feedback/{id}/ and POST feedback/{id}/moves/."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.core.models import ActionLog
from apps.feedback.incoming import IncomingFeedback
from apps.feedback.models import Correction, Entry, Feedback, SlaClock
from apps.feedback.selectors.case import thread
from apps.feedback.services.intake import take_in
from apps.feedback.transitions import FEEDBACK
from tests.feedback.api_fixtures import (  # noqa: F401
    A_TEXT,
    Client,
    api_client,
    clean_shop,
    loaded_shop,
    other_clients,
)


@pytest.fixture
def case(shop: dict[str, Any]) -> Feedback:
    """One complaint, an hour old, with ana."""
    now = datetime.now(UTC) - timedelta(hours=1)
    (outcome,) = take_in([IncomingFeedback("taobao", A_TEXT, store="west")], source="api", now=now)
    Feedback.objects.filter(pk=outcome.feedback_id).update(assignee=shop["ana"])
    return Feedback.objects.get(pk=outcome.feedback_id)


def moved(client: Client, case: Feedback, **body: Any) -> Any:
    """One move."""
    return client.send(f"feedback/{case.pk}/moves/", body)


def state(case: Feedback) -> tuple[Any, ...]:
    """What a refused call must leave alone."""
    row = Feedback.objects.get(pk=case.pk)
    clocks = list(SlaClock.objects.filter(feedback=row).values_list("kind", "state", "due_at"))
    return row.__dict__ | {"_state": None}, clocks, ActionLog.objects.count(), Entry.objects.count()


# -- putting the reading right -------------------------------------------------------------------------------
def test_patch_corrects_and_keeps_what_was_read(client: Client, case: Feedback) -> None:
    answer = client.change(
        f"feedback/{case.pk}/",
        {
            "kind": "suggestion",
            "tier": "A",
            "sentiment": "neutral",
            "emotion": "neutral",
            "subcategory": "SAFETY_FOOD",
        },
    )
    body = answer.json()
    assert answer.status_code == 200
    assert {k: body[k] for k in ("kind", "tier", "sentiment", "emotion", "category", "subcategory")} == {
        "kind": "suggestion",
        "tier": "A",
        "sentiment": "neutral",
        "emotion": "neutral",
        "category": "SAFETY",
        "subcategory": "SAFETY_FOOD",
    }
    correction = Correction.objects.get()
    assert (correction.before["kind"], correction.after["kind"], correction.by) == (
        "complaint",
        "suggestion",
        None,
    )
    assert ActionLog.objects.filter(verb="correct", via="api:erp", object_id=case.pk).count() == 1


def test_patch_with_the_same_values_changes_nothing(client: Client, case: Feedback) -> None:
    before = state(case)
    assert client.change(f"feedback/{case.pk}/", {"tier": case.tier}).status_code == 200
    assert state(case) == before


@pytest.mark.parametrize(
    "name", ["text", "status", "assignee", "rating", "store", "customer", "due_at", "id"]
)
def test_patch_names_what_cannot_be_changed(client: Client, case: Feedback, name: str) -> None:
    before = state(case)
    answer = client.change(f"feedback/{case.pk}/", {"tier": "B", name: "x"})
    assert answer.status_code == 400
    assert [(e["attr"], e["code"]) for e in answer.json()["errors"]] == [(name, "not_changeable")]
    assert state(case) == before


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({}, 400, "empty", None),
        ([], 400, "invalid", None),
        ("x", 400, "invalid", None),
        ({"tier": "X"}, 400, "invalid_choice", "tier"),
        ({"tier": {"a": 1}}, 400, "invalid_choice", "tier"),
        ({"kind": ["complaint"]}, 400, "invalid_choice", "kind"),
        ({"kind": None}, 400, "null", "kind"),
        ({"category": "NOPE"}, 422, "unknown_category", "category"),
        ({"category": "SAFETY_FOOD"}, 422, "unknown_category", "category"),
        ({"subcategory": "SAFETY"}, 422, "unknown_subcategory", "subcategory"),
        ({"category": "REFUND", "subcategory": "SAFETY_FOOD"}, 422, "invalid", "subcategory"),
    ],
)
def test_patch_refuses(
    client: Client, case: Feedback, body: Any, status: int, code: str, field: str | None
) -> None:
    before = state(case)
    answer = client.change(f"feedback/{case.pk}/", body)
    first = answer.json()["errors"][0]
    assert (answer.status_code, first["code"], first["attr"]) == (status, code, field), answer.content
    assert state(case) == before


# -- moves ---------------------------------------------------------------------------------------------------
def test_every_verb_of_the_table_is_mapped() -> None:
    from apps.feedback.api import moving
    from apps.feedback.api.serializers import VERBS

    mapped = {*moving.PLAIN, *moving.SAID, "claim", "assign", "record_contact", "wait", "merge", "note"}
    assert set(VERBS) == mapped == set(FEEDBACK.verbs()) - {"correct", "route"}


def test_a_contact_stops_the_first_clock(client: Client, case: Feedback) -> None:
    at = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    answer = moved(client, case, verb="record_contact", how="phone", said="已致电道歉", at=at)
    assert (answer.status_code, answer.json()["status"]) == (200, "in_progress")
    assert answer.json()["deadlines"][0]["state"] == "met"
    entry = Entry.objects.get(kind="contact")
    assert (entry.method, entry.text, entry.by) == ("phone", "已致电道歉", None)


def test_what_a_program_says_or_notes_names_the_program(client: Client, case: Feedback) -> None:
    for body in (
        {"verb": "record_contact", "how": "phone", "said": "已致电道歉"},
        {"verb": "give_plan", "said": "今天换新"},
        {"verb": "note", "said": "老顾客"},
    ):
        assert moved(client, case, **body).status_code == 200
    assert [(line.text, line.who) for line in thread(case)] == [
        ("已致电道歉", "api:erp"),
        ("今天换新", "api:erp"),
        ("老顾客", "api:erp"),
    ]


def test_a_case_from_claim_to_reopening(client: Client, case: Feedback) -> None:
    for body, status in (
        ({"verb": "claim", "assignee": "ana"}, "assigned"),
        ({"verb": "assign", "assignee": "ben", "reason": "班次"}, "assigned"),
        ({"verb": "give_plan", "said": "今天换新"}, "in_progress"),
        ({"verb": "give_progress", "reason": "已寄出"}, "in_progress"),
        ({"verb": "wait", "why": "customer", "reason": "等照片"}, "waiting"),
        ({"verb": "resume"}, "in_progress"),
        ({"verb": "escalate", "reason": "客户很生气"}, "in_progress"),
        ({"verb": "note", "said": "内部备注"}, "in_progress"),
        ({"verb": "resolve", "reason": "已换新"}, "resolved"),
        ({"verb": "close"}, "closed"),
        ({"verb": "reopen", "reason": "又坏了"}, "in_progress"),
        ({"verb": "dismiss", "reason": "重复"}, "dismissed"),
    ):
        answer = moved(client, case, **body)
        assert (answer.status_code, answer.json().get("status")) == (200, status), (body, answer.content)
    verbs = list(
        ActionLog.objects.filter(object_id=case.pk, via="api:erp")
        .order_by("id")
        .values_list("verb", flat=True)
    )
    assert verbs == [
        "claim",
        "assign",
        "give_plan",
        "give_progress",
        "wait",
        "resume",
        "escalate",
        "resolve",
        "close",
        "reopen",
        "dismiss",
    ]


@pytest.mark.parametrize("into", ["{pk}", "F{pk:07d}", "f{pk}"])
def test_merging_and_undoing_it(client: Client, case: Feedback, into: str) -> None:
    (other,) = take_in(
        [IncomingFeedback("taobao", "另一个问题，要求退款")], source="api", now=datetime.now(UTC)
    )
    answer = moved(client, case, verb="merge", into=into.format(pk=other.feedback_id), reason="同一位顾客")
    assert (answer.json()["status"], answer.json()["merged_into"]) == ("merged", other.feedback_id)
    answer = moved(client, case, verb="unmerge", reason="不是同一件事")
    assert (answer.json()["status"], answer.json()["merged_into"]) == ("in_progress", None)


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({}, 400, "required", "verb"),
        ({"verb": "explode"}, 400, "invalid_choice", "verb"),
        ({"verb": "correct"}, 400, "invalid_choice", "verb"),
        ({"verb": ["close"]}, 400, "invalid_choice", "verb"),
        ({"verb": "resume"}, 409, "illegal_move", None),
        ({"verb": "reopen", "reason": "x"}, 409, "illegal_move", None),
        ({"verb": "unmerge", "reason": "x"}, 409, "illegal_move", None),
        ({"verb": "resolve"}, 422, "reason_needed", "reason"),
        ({"verb": "dismiss", "reason": "  "}, 422, "reason_needed", "reason"),
        ({"verb": "wait", "why": "customer"}, 422, "reason_needed", "reason"),
        ({"verb": "wait", "reason": "等照片"}, 422, "invalid", "why"),
        (
            {"verb": "wait", "why": "customer", "reason": "x", "until": "2020-01-01T00:00:00Z"},
            422,
            "invalid",
            "until",
        ),
        ({"verb": "claim"}, 422, "unknown_assignee", "assignee"),
        ({"verb": "claim", "assignee": "nobody"}, 422, "unknown_assignee", "assignee"),
        ({"verb": "claim", "assignee": "ben"}, 403, "not_permitted", None),
        ({"verb": "assign", "assignee": "ana"}, 422, "invalid", "assignee"),
        ({"verb": "record_contact", "said": "打过电话"}, 422, "invalid", "how"),
        ({"verb": "record_contact", "how": "pigeon", "said": "打过电话"}, 400, "invalid_choice", "how"),
        ({"verb": "record_contact", "how": "phone"}, 422, "invalid", "said"),
        (
            {"verb": "record_contact", "how": "phone", "said": "好的", "at": "2999-01-01T00:00:00Z"},
            422,
            "invalid",
            "at",
        ),
        ({"verb": "give_plan"}, 422, "invalid", "said"),
        ({"verb": "merge", "reason": "x"}, 422, "unknown_feedback", "into"),
        ({"verb": "merge", "reason": "x", "into": "F9999999"}, 422, "unknown_feedback", "into"),
        ({"verb": "merge", "reason": "x", "into": "9" * 18}, 422, "unknown_feedback", "into"),
        ({"verb": "note"}, 422, "invalid", "text"),
    ],
)
def test_a_refused_move_changes_nothing(
    client: Client, case: Feedback, body: Any, status: int, code: str, field: str | None
) -> None:
    before = state(case)
    answer = moved(client, case, **body)
    first = answer.json()["errors"][0]
    assert (answer.status_code, first["code"], first["attr"]) == (status, code, field), answer.content
    assert state(case) == before


def test_a_second_claim_is_told_who_has_it(client: Client, case: Feedback) -> None:
    assert moved(client, case, verb="claim", assignee="ana").status_code == 200
    answer = moved(client, case, verb="claim", assignee="ana")
    assert (answer.status_code, answer.json()["code"]) == (409, "stale_state")


def test_moving_needs_its_own_scope(client_for: Any, case: Feedback) -> None:
    answer = moved(client_for(["feedback:read", "feedback:write"]), case, verb="close")
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


def test_a_long_integration_name_still_fits_the_log(client_for: Any, case: Feedback) -> None:
    long = client_for(["feedback:move"], name="a-very-long-name-of-a-program")
    assert moved(long, case, verb="close").status_code == 200
    assert ActionLog.objects.get(verb="close").via == "api:a-very-long-name"
