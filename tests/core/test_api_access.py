"""Who may call: tokens, scopes, throttle; how errors look; the schema; the command that makes tokens."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.core.api.throttling import TokenThrottle
from apps.core.exceptions import InvalidInput
from apps.core.hashing import token_digest
from apps.core.models import Integration, IntegrationToken
from apps.core.services.tokens import SCOPES, issue_token, revoke_token
from apps.feedback.models import Feedback
from tests.feedback.api_fixtures import (  # noqa: F401
    A_TEXT,
    Client,
    api_client,
    clean_shop,
    counted,
    loaded_shop,
    make_token,
    other_clients,
)

BODY = {"channel": "taobao", "text": A_TEXT}


# -- tokens --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "header", ["", "Token", "Token ", "Token a b", "Token fc_nope", "Bearer x", "Token ü", "Basic eDp5"]
)
def test_without_a_valid_token_nothing_is_told(shop: Any, header: str) -> None:
    stranger = Client()
    if header:
        stranger.credentials(HTTP_AUTHORIZATION=header.encode().decode("latin-1"))
    for answer in (
        stranger.read("feedback/"),
        stranger.send("feedback/", BODY),
        stranger.read("customers/1/"),
    ):
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["code"] in ("not_authenticated", "authentication_failed")
    assert Feedback.objects.count() == 0


def test_revoked_expired_and_switched_off(shop: Any) -> None:
    now = datetime.now(UTC)
    for number, end in enumerate(("revoked", "expired", "off")):
        token, key = make_token(name=f"erp{number}")
        assert Client(key).read("feedback/").status_code == 200
        if end == "revoked":
            revoke_token(token=token, now=now)
        elif end == "expired":
            IntegrationToken.objects.filter(pk=token.pk).update(expires_at=now)
        else:
            Integration.objects.filter(pk=token.integration_id).update(is_active=False)
        assert Client(key).read("feedback/").status_code == 401


def test_the_key_is_kept_as_a_hash_only(shop: Any) -> None:
    token, key = make_token()
    token.refresh_from_db()
    assert token.digest == token_digest(key) and key not in str(token.__dict__)
    assert key.startswith(token.prefix) and len(token.prefix) == 9


def test_last_used_is_written_every_ten_minutes(shop: Any) -> None:
    token, key = make_token()
    old = datetime.now(UTC) - timedelta(minutes=11)
    IntegrationToken.objects.update(last_used_at=old)
    first = counted(lambda: Client(key).read("stock/"))[1]
    again = counted(lambda: Client(key).read("stock/"))[1]
    assert len(first) == len(again) + 1
    token.refresh_from_db()
    assert token.last_used_at > old


def test_a_token_that_would_have_expired_is_not_made(shop: Any) -> None:
    now = datetime.now(UTC)
    integration = Integration.objects.create(name="x")
    for wrong in ({"expires_at": now, "scopes": ["feedback:read"]}, {"scopes": ["nope"]}, {"scopes": []}):
        with pytest.raises(InvalidInput):
            issue_token(integration=integration, now=now, **wrong)
    assert not IntegrationToken.objects.filter(integration=integration).exists()


NEEDS = [
    ("GET", "feedback/", "feedback:read"),
    ("POST", "feedback/", "feedback:write"),
    ("POST", "feedback/bulk/", "feedback:write"),
    ("GET", "feedback/1/", "feedback:read"),
    ("PATCH", "feedback/1/", "feedback:write"),
    ("POST", "feedback/1/moves/", "feedback:move"),
    ("GET", "customers/", "customers:read"),
    ("GET", "customers/1/", "customers:read"),
    ("POST", "customers/", "customers:write"),
    ("GET", "orders/", "customers:read"),
    ("GET", "orders/1/", "customers:read"),
    ("POST", "orders/", "orders:write"),
    ("GET", "stock/", "stock:read"),
    ("GET", "stock/1/", "stock:read"),
    ("POST", "stock/", "stock:write"),
]


@pytest.mark.parametrize(("method", "path", "scope"), NEEDS)
def test_each_address_needs_its_scope(client_for: Any, method: str, path: str, scope: str) -> None:
    def call(scopes: list[str]) -> Any:
        return client_for(scopes).generic(method, f"/api/v1/{path}", b"{}", content_type="application/json")

    refused = call([other for other in SCOPES if other != scope])
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    assert scope in refused.json()["detail"]
    assert call([scope]).status_code in (200, 400, 404)


# -- throttle ------------------------------------------------------------------------------------------------
def test_too_many_requests(client: Client, client_for: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TokenThrottle, "THROTTLE_RATES", {"token": "3/day"})
    assert [client.read("stock/").status_code for _ in range(3)] == [200] * 3
    answer = client.read("stock/")
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert 0 < int(answer["Retry-After"]) <= 86_400
    assert client_for(["stock:read"], name="other").read("stock/").status_code == 200


def test_the_next_window_starts_anew(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TokenThrottle, "THROTTLE_RATES", {"token": "1/min"})
    moment = [6_000.0]
    monkeypatch.setattr(TokenThrottle, "timer", lambda self: moment[0])
    codes = []
    for moment[0] in (6_000.0, 6_059.0, 6_060.0):
        codes.append(client.read("stock/").status_code)
    assert codes == [200, 429, 200]


# -- errors --------------------------------------------------------------------------------------------------
def test_a_problem_document(client: Client) -> None:
    answer = client.send("feedback/", {"channel": "nowhere", "text": "a"})
    assert answer.json() == {
        "type": "about:blank",
        "title": answer.json()["title"],
        "status": 422,
        "detail": "There is no channel “nowhere”.",
        "code": "unknown_channel",
        "errors": [
            {"code": "unknown_channel", "detail": "There is no channel “nowhere”.", "attr": "channel"}
        ],
    }


def test_problems_speak_the_callers_language(shop: Any) -> None:
    key = make_token()[1]
    chinese = Client(key)
    chinese.credentials(HTTP_AUTHORIZATION=f"Token {key}", HTTP_ACCEPT_LANGUAGE="zh-hans")
    answer = chinese.send("feedback/", {"channel": "taobao"})
    assert answer.json()["errors"][0]["code"] == "required"
    assert answer["Content-Language"] == "zh-hans"


def test_a_fault_tells_no_detail(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.feedback.api import views

    def fails(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(views, "take", fails)
    answer = client.send("feedback/", BODY)
    assert (answer.status_code, answer.json()["code"]) == (500, "server_error")
    assert "secret" not in answer.content.decode()


# -- schema and documents ------------------------------------------------------------------------------------
def test_the_schema_is_valid_and_without_warnings(shop: Any, tmp_path: Any) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))
    text = (tmp_path / "schema.yml").read_text()
    for method, path, _scope in NEEDS:
        assert f"/api/v1/{path.replace('1/', '{id}/')}:" in text, (method, path)
    assert "/api/v1/hooks/{channel}/:" in text and "application/problem+json" in text


def test_schema_and_docs_need_no_token_and_no_network(shop: Any, settings: Any) -> None:
    # Tests collect no static files.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
    stranger = Client()
    assert stranger.get("/api/v1/schema/").status_code == 200
    page = stranger.get("/api/v1/docs/")
    assert page.status_code == 200
    assert b"drf_spectacular_sidecar" in page.content
    assert b"cdn" not in page.content and b"unpkg" not in page.content


# -- the command ---------------------------------------------------------------------------------------------
def made(*args: str, **options: Any) -> tuple[str, str]:
    """(standard output, standard error)"""
    out, err = io.StringIO(), io.StringIO()
    call_command("create_token", *args, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_create_token_prints_a_key_that_works(shop: Any) -> None:
    out, err = made(
        "shopware", "--scopes", "feedback:read, stock:read", "--expires-days", "30", "--stores", "west,east"
    )
    key = out.strip()
    token = IntegrationToken.objects.get(digest=token_digest(key))
    assert (token.integration.name, token.scopes, token.stores) == (
        "shopware",
        ["feedback:read", "stock:read"],
        ["west", "east"],
    )
    assert timedelta(days=29, hours=23) < token.expires_at - datetime.now(UTC) <= timedelta(days=30)
    assert "shopware" in err and key not in err
    assert Client(key).read("feedback/").status_code == 200
    made("shopware", "--all-scopes")
    assert Integration.objects.filter(name="shopware").count() == 1
    assert IntegrationToken.objects.latest("id").scopes == list(SCOPES)


@pytest.mark.parametrize(
    "args",
    [
        ("x", "--scopes", "nope"),
        ("x", "--scopes", ","),
        ("x",),
        ("x", "--all-scopes", "--stores", "nowhere"),
        ("x", "--all-scopes", "--expires-days", "0"),
        ("  ", "--all-scopes"),
    ],
)
def test_create_token_refuses_and_leaves_nothing(shop: Any, args: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        made(*args)
    assert not Integration.objects.exists()
