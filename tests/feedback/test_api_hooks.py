"""POST hooks/{channel}/: signed, fresh, once."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from apps.feedback.models import Channel, Feedback, WebhookNonce, WebhookSecret
from apps.feedback.services.hooks import follow, mapped
from tests.feedback.api_fixtures import (  # noqa: F401
    A_TEXT,
    Client,
    api_client,
    clean_shop,
    loaded_shop,
    other_clients,
)

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SECRET = "a shared secret of some length"


@pytest.fixture
def hook(shop: dict[str, Any]) -> WebhookSecret:
    """Taobao's webhook."""
    return WebhookSecret.objects.create(
        channel=Channel.objects.get(code="taobao"), secret=SECRET, created_at=datetime.now(UTC)
    )


def signed(
    body: Any, *, at: int | None = None, secret: str = SECRET, channel: str = "taobao", **change: str
) -> Any:
    """One message with its headers."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    stamp = str(at if at is not None else int(NOW.timestamp()))
    signature = hmac.new(secret.encode(), stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
    headers = {"X-Timestamp": stamp, "X-Signature": f"sha256={signature}"} | change
    with time_machine.travel(NOW, tick=False):
        return Client().generic(
            "POST", f"/api/v1/hooks/{channel}/", raw, content_type="application/json", headers=headers
        )


def test_a_signed_message_comes_in(hook: WebhookSecret) -> None:
    answer = signed({"text": A_TEXT, "external_id": "r1", "channel": "jd", "colour": "red"})
    row = Feedback.objects.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "created": 1,
        "unchanged": 0,
        "changed": 0,
        "rejected": 0,
        "results": [
            {
                "index": 0,
                "status": "created",
                "id": row.pk,
                "number": row.number,
                "tier": row.tier,
                "ignored": ["colour"],
            }
        ],
    }
    assert (row.channel.code, row.source, row.external_id) == ("taobao", "hook", "r1")


@pytest.mark.parametrize(
    "body", [[{"text": "一"}, {"text": "二"}], {"items": [{"text": "一"}, {"text": "二"}]}]
)
def test_many_in_one_message(hook: WebhookSecret, body: Any) -> None:
    assert signed(body).json()["created"] == 2


def test_one_bad_item_does_not_sink_the_others(hook: WebhookSecret) -> None:
    answer = signed([{"text": "一"}, {"text": ""}, 5, {}])
    assert [r["status"] for r in answer.json()["results"]] == ["created", "rejected", "rejected", "rejected"]


@pytest.mark.parametrize("plain", [True, False])
def test_the_signature_may_come_with_or_without_its_prefix(hook: WebhookSecret, plain: bool) -> None:
    raw, stamp = b'{"text": "hello"}', str(int(NOW.timestamp()))
    value = hmac.new(SECRET.encode(), stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
    answer = signed(raw, **{"X-Signature": value if plain else f"SHA256={value.upper()}"})
    assert answer.json()["created"] == 1


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_are_in_time(hook: WebhookSecret, seconds: int) -> None:
    assert signed({"text": A_TEXT}, at=int(NOW.timestamp()) + seconds).status_code == 200


BAD: list[dict[str, Any]] = [
    {"at": int(NOW.timestamp()) - 301},
    {"at": int(NOW.timestamp()) + 301},
    {"secret": "another secret"},
    {"channel": "jd"},
    {"channel": "nowhere"},
    {"X-Signature": ""},
    {"X-Signature": "sha256="},
    {"X-Signature": "0" * 64},
    {"X-Signature": "ü" * 64},
    {"X-Timestamp": ""},
    {"X-Timestamp": "now"},
    {"X-Timestamp": "9" * 40},
    {"X-Timestamp": str(int(NOW.timestamp()) + 1)},
]


@pytest.mark.parametrize("change", BAD, ids=[repr(change)[:40] for change in BAD])
def test_whatever_is_wrong_the_answer_is_the_same(hook: WebhookSecret, change: dict[str, Any]) -> None:
    answer = signed({"text": A_TEXT}, **change)
    assert answer.status_code == 401
    assert answer.json() == signed({"text": A_TEXT}, secret="wrong").json()
    assert (answer.json()["code"], answer["WWW-Authenticate"]) == ("bad_signature", "HMAC-SHA256")
    assert (Feedback.objects.count(), WebhookNonce.objects.count()) == (0, 0)


def test_a_changed_body_is_refused(hook: WebhookSecret) -> None:
    raw, stamp = b'{"text": "hello"}', str(int(NOW.timestamp()))
    value = hmac.new(SECRET.encode(), stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
    assert signed(b'{"text": "hullo"}', **{"X-Signature": value}).status_code == 401


@pytest.mark.parametrize("field", ["hook", "channel"])
def test_a_switched_off_hook_is_unknown(hook: WebhookSecret, field: str) -> None:
    (WebhookSecret if field == "hook" else Channel).objects.update(is_active=False)
    assert signed({"text": A_TEXT}).status_code == 401


def test_a_replay_is_refused(hook: WebhookSecret) -> None:
    assert signed({"text": A_TEXT}).status_code == 200
    answer = signed({"text": A_TEXT})
    assert (answer.status_code, answer.json()["code"]) == (409, "replayed")
    assert Feedback.objects.count() == WebhookNonce.objects.count() == 1


def test_after_a_failure_the_message_may_come_again(
    hook: WebhookSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.feedback.api import hooks

    def fails(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(hooks, "take_in", fails)
        answer = signed({"text": A_TEXT})
        assert (answer.status_code, answer.json()["code"]) == (500, "server_error")
        assert "disk full" not in answer.content.decode()
    assert signed({"text": A_TEXT}).json()["created"] == 1


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 50_000, b"[]"])
def test_a_signed_message_that_cannot_be_read(hook: WebhookSecret, raw: bytes) -> None:
    answer = signed(raw)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_a_message_that_is_too_large(hook: WebhookSecret) -> None:
    answer = signed(b'"' + b"a" * (2 * 1024 * 1024) + b'"')
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


# -- a foreign message ---------------------------------------------------------------------------------------
FOREIGN = {
    "event": "review",
    "shop": {"code": "west"},
    "data": {
        "list": [
            {
                "id": 77,
                "body": {"words": [A_TEXT]},
                "stars": "1",
                "user": {"nick": "安娜"},
                "ts": 1767225600000,
                "pic": "https://a.example/1.jpg",
            },
            {"id": 78, "body": {"words": ["还行"]}, "ts": "1767225600"},
        ]
    },
}
MAPPING = {
    "items": "data.list",
    "external_id": "id",
    "text": "body.words.0",
    "rating": "stars",
    "customer.nickname": "user.nick",
    "posted_at": "ts",
    "images": "pic",
    "store": "$.shop.code",
    "transcript": "body.missing",
    "kind": "complaint",
}


def test_a_mapping_reads_a_foreign_message(hook: WebhookSecret) -> None:
    WebhookSecret.objects.update(mapping={key: value for key, value in MAPPING.items() if key != "kind"})
    answer = signed(FOREIGN)
    assert answer.json()["created"] == 2, answer.json()
    first, second = Feedback.objects.order_by("id")
    assert (first.external_id, first.text, first.rating, first.author_name) == ("77", A_TEXT, 1, "安娜")
    assert (first.store.code, first.image_urls) == ("west", ["https://a.example/1.jpg"])
    assert first.posted_at == second.posted_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert (second.rating, second.author_name) == (None, "")


def test_a_mapping_that_finds_nothing_rejects_the_item(hook: WebhookSecret) -> None:
    WebhookSecret.objects.update(mapping={"text": "nope.nope"})
    assert signed({"text": "hello"}).json()["results"][0]["error"]["code"] == "required"


@pytest.mark.parametrize(
    "mapping", [{"text": {"a": 1}}, {"text": ""}, {"customer": "a", "customer.phone": "b"}, ["x"]]
)
def test_a_senseless_mapping_is_no_fault_of_ours(hook: WebhookSecret, mapping: Any) -> None:
    WebhookSecret.objects.update(mapping=mapping)
    assert signed({"text": "hello", "a": 1, "b": 2}).status_code == 200


def test_paths() -> None:
    assert follow({"a": [{"b": 1}]}, "a.0.b") == 1
    assert follow({"a": [1]}, "a.1") is None
    assert follow({"a": [1]}, "a.-1") is None
    assert follow("text", "0") is None
    assert mapped({"a": 1}, {"rating": 5, "text": "a"}, root={}) == {"rating": 5, "text": 1}
    assert mapped({"t": 10**30}, {"posted_at": "t"}, root={}) == {"posted_at": str(10**30)[:40]}
