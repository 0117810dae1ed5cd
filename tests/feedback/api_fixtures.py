"""What the API's tests share: a loaded shop, people on shift, a token, a client."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.core.models import Integration, IntegrationToken, User
from apps.core.reference import touch
from apps.core.services.tokens import SCOPES, issue_token
from apps.feedback.selectors import reference as reference_module
from apps.feedback.selectors.reference import STAMP, forget_reference, reference
from apps.shop.choices import TeamRole
from apps.shop.models import Department, Product, Store, Team, TeamMember

A_TEXT = "包裹压坏了，里面商品全碎了，要求退货退款"
S_TEXT = "吃了你们的东西食物中毒住院了，我要投诉到12315"
INQUIRY = "请问什么时候发货？"


class Client(APIClient):
    """Talks to /api/v1/ as one token, in English."""

    def __init__(self, key: str = "", **kwargs: Any) -> None:
        super().__init__(raise_request_exception=False, **kwargs)
        self.key = key
        headers = {"HTTP_ACCEPT_LANGUAGE": "en"}
        if key:
            headers["HTTP_AUTHORIZATION"] = f"Token {key}"
        self.credentials(**headers)

    def send(self, path: str, body: Any, **headers: str) -> Any:
        """POST as JSON; header names as keyword arguments with underscores."""
        return self.post(f"/api/v1/{path}", body, format="json", headers=dashed(headers))

    def change(self, path: str, body: Any) -> Any:
        """PATCH as JSON."""
        return self.patch(f"/api/v1/{path}", body, format="json")

    def read(self, path: str, **query: Any) -> Any:
        """GET."""
        return self.get(f"/api/v1/{path}", query)


def dashed(headers: dict[str, str]) -> dict[str, str]:
    """idempotency_key → Idempotency-Key"""
    return {name.replace("_", "-").title(): value for name, value in headers.items()}


def make_token(scopes: Any = SCOPES, stores: Any = (), name: str = "erp") -> tuple[IntegrationToken, str]:
    """A token of the integration `name`."""
    integration, _created = Integration.objects.get_or_create(name=name)
    token, key = issue_token(integration=integration, scopes=scopes, stores=stores, now=datetime.now(UTC))
    # As after its first use: the rare write of last_used_at has its own test.
    IntegrationToken.objects.filter(pk=token.pk).update(last_used_at=datetime.now(UTC))
    return token, key


def load_shop() -> dict[str, Any]:
    """Reference data, two stores, a product, a team with a lead and two people on shift, a manager."""
    forget_reference()
    call_command("load_reference", stdout=io.StringIO(), stderr=io.StringIO())
    west = Store.objects.create(code="west", name="西湖店", aliases=["西湖"])
    east = Store.objects.create(code="east", name="滨江店")
    product = Product.objects.create(sku="MUG-1", name="马克杯")
    ana = User.objects.create(username="ana", name="安娜", is_superuser=True)
    ben = User.objects.create(username="ben", name="本")
    lead = User.objects.create(username="lea", name="李姐")
    manager = User.objects.create(username="max", name="马总")
    manager.groups.add(Group.objects.get(name="manager"))
    lead.groups.add(Group.objects.get(name="ops-lead"))
    team = Team.objects.create(code="care", name="客服组", department=Department.objects.first())
    for user, role, takes in (
        (ana, TeamRole.MEMBER, True),
        (ben, TeamRole.MEMBER, True),
        (lead, TeamRole.LEAD, False),
    ):
        TeamMember.objects.create(team=team, user=user, role=role, takes_work=takes)
    touch(STAMP)
    forget_reference()
    reference()
    return {
        "west": west,
        "east": east,
        "product": product,
        "ana": ana,
        "ben": ben,
        "lead": lead,
        "team": team,
    }


@pytest.fixture(scope="module", name="loaded")
def loaded_shop(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, Any]]:
    """`load_shop`, once for a module: every test runs in a savepoint inside, the whole is rolled back at the
    end.

    Not for tests with transaction=True; these call `load_shop` themselves.
    """
    with django_db_blocker.unblock():
        outer = transaction.atomic()
        outer.__enter__()
        try:
            data = load_shop()
            yield data | {"kept": reference_module._cached._kept}
        finally:
            transaction.set_rollback(True)
            outer.__exit__(None, None, None)
            forget_reference()


@pytest.fixture(name="shop")
def clean_shop(loaded: dict[str, Any], db: None) -> Iterator[dict[str, Any]]:
    """The loaded shop with clean caches: stamps are rolled back, so a version may come twice."""
    cache.clear()
    reference_module._cached._kept = loaded["kept"]
    yield loaded
    forget_reference()
    cache.clear()


@pytest.fixture(name="client")
def api_client(shop: dict[str, Any]) -> Client:
    """A client with every scope except seeing personal data whole."""
    return Client(make_token([scope for scope in SCOPES if scope != "customers:unmask"])[1])


@pytest.fixture(name="client_for")
def other_clients(shop: dict[str, Any]) -> Callable[..., Client]:
    """Makes clients with other scopes or stores."""
    return lambda *args, **kwargs: Client(make_token(*args, **kwargs)[1])


def counted(work: Callable[[], Any]) -> tuple[Any, list[str]]:
    """(answer, its SELECT, INSERT, UPDATE and DELETE statements)."""
    with CaptureQueriesContext(connection) as queries:
        answer = work()
    kinds = ("SELECT", "INSERT", "UPDATE", "DELETE")
    return answer, [q["sql"] for q in queries if q["sql"].lstrip().upper().startswith(kinds)]
