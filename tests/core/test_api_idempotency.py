"""Idempotency-Key on every POST that creates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.core.models import IdempotentRequest
from apps.core.services import idempotency
from apps.customers.models import Customer, Order
from apps.feedback.models import Entry, Feedback
from apps.feedback.services.background import forget_old
from apps.shop.models import StockLevel
from tests.feedback.api_fixtures import (  # noqa: F401
    A_TEXT,
    Client,
    api_client,
    clean_shop,
    loaded_shop,
    make_token,
    other_clients,
)

BODY = {"channel": "taobao", "text": A_TEXT}
CALLS = [
    ("feedback/", BODY, Feedback),
    ("feedback/bulk/", [BODY, BODY], Feedback),
    ("customers/", {"external_id": "c1"}, Customer),
    ("orders/", {"order_no": "o1"}, Order),
    ("stock/", {"store": "west", "sku": "MUG-1", "level": 3}, StockLevel),
]


@pytest.mark.parametrize(("path", "body", "model"), CALLS)
def test_the_same_again_gets_the_kept_answer(client: Client, path: str, body: Any, model: Any) -> None:
    first = client.send(path, body, idempotency_key="k1")
    count = model.objects.count()
    again = client.send(path, body, idempotency_key="k1")
    assert first.status_code in (200, 201) and "Idempotent-Replayed" not in first.headers
    assert (again.status_code, again["Idempotent-Replayed"]) == (first.status_code, "true")
    assert again.json() == first.json()
    assert model.objects.count() == count >= 1


def test_a_move_is_done_once(client: Client) -> None:
    pk = client.send("feedback/", BODY).json()["id"]
    move = {"verb": "record_contact", "how": "phone", "said": "已致电"}
    for _twice in range(2):
        assert client.send(f"feedback/{pk}/moves/", move, idempotency_key="m1").status_code == 200
    assert Entry.objects.filter(kind="contact").count() == 1


def test_without_a_key_or_with_another_the_work_is_done_again(client: Client) -> None:
    for key in ({}, {}, {"idempotency_key": "a"}, {"idempotency_key": "b"}):
        assert client.send("feedback/", BODY, **key).status_code == 201
    assert Feedback.objects.count() == 4


def test_another_body_or_path_under_the_key_is_refused(client: Client) -> None:
    client.send("feedback/", BODY, idempotency_key="k1")
    for path, body in (("feedback/", BODY | {"rating": 1}), ("feedback/bulk/", BODY)):
        answer = client.send(path, body, idempotency_key="k1")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert Feedback.objects.count() == 1


def test_keys_belong_to_a_token(client: Client, client_for: Any) -> None:
    other = client_for(["feedback:write"], name="other")
    assert (
        client.send("feedback/", BODY, idempotency_key="k1").json()["id"]
        != (other.send("feedback/", BODY, idempotency_key="k1").json()["id"])
    )


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 121, "ü"])
def test_a_senseless_key_is_refused(client: Client, key: str) -> None:
    answer = client.send("feedback/", BODY, idempotency_key=key)
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "Idempotency-Key")
    assert Feedback.objects.count() == IdempotentRequest.objects.count() == 0


@pytest.mark.parametrize("bad", [{"channel": "nowhere", "text": "a"}, {"channel": "taobao"}, b"{"])
def test_a_refusal_gives_the_key_back(client: Client, bad: Any) -> None:
    if isinstance(bad, bytes):
        answer = client.generic(
            "POST",
            "/api/v1/feedback/",
            bad,
            content_type="application/json",
            headers={"Idempotency-Key": "k1"},
        )
    else:
        answer = client.send("feedback/", bad, idempotency_key="k1")
    assert answer.status_code in (400, 422)
    assert IdempotentRequest.objects.count() == 0
    assert client.send("feedback/", BODY, idempotency_key="k1").status_code == 201


def test_a_fault_gives_the_key_back_and_leaves_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.feedback.api import views

    def fails(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("after the work")

    with monkeypatch.context() as patch:
        patch.setattr(views.answers, "taken", fails)
        assert client.send("feedback/", BODY, idempotency_key="k1").status_code == 500
    assert Feedback.objects.count() == IdempotentRequest.objects.count() == 0
    assert client.send("feedback/", BODY, idempotency_key="k1").status_code == 201


def test_while_the_first_still_runs_the_second_is_told(client: Client) -> None:
    client.send("feedback/", BODY, idempotency_key="k1")
    IdempotentRequest.objects.update(status=None, answer=None)
    answer = client.send("feedback/", BODY, idempotency_key="k1")
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
    assert Feedback.objects.count() == 1


def test_a_claim_of_a_dead_process_is_taken_over(shop: Any) -> None:
    token, _key = make_token()
    now = datetime.now(UTC)
    first = idempotency.claim(token=token, key="k", fingerprint="f", now=now - idempotency.DEAD_AFTER)
    with pytest.raises(idempotency.KeyInUse):
        idempotency.claim(token=token, key="k", fingerprint="f", now=now)
    taken = idempotency.claim(token=token, key="k", fingerprint="f", now=now + timedelta(seconds=1))
    assert taken.row.pk == first.row.pk and not taken.kept
    # The first one, should it live after all, can neither keep its answer nor release the key.
    with pytest.raises(idempotency.StaleState):
        idempotency.keep(row=first.row, status=201, answer={})
    idempotency.release(row=first.row)
    idempotency.keep(row=taken.row, status=201, answer={"id": 1})
    assert idempotency.claim(token=token, key="k", fingerprint="f", now=now).kept


def test_kept_answers_are_forgotten_after_a_day(client: Client) -> None:
    client.send("feedback/", BODY, idempotency_key="k1")
    IdempotentRequest.objects.update(created_at=datetime.now(UTC) - timedelta(hours=25))
    forget_old(now=datetime.now(UTC))
    assert client.send("feedback/", BODY, idempotency_key="k1").status_code == 201
    assert Feedback.objects.count() == 2
