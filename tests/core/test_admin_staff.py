"""Staff accounts, notices, keys of integrations, files, whole data."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.core.models import Integration, IntegrationToken, ReferenceStamp, Reveal, StaffNotice, User
from apps.core.services.files import store_file
from apps.core.services.notices import notify
from apps.core.services.tokens import find_token
from apps.customers.models import Customer
from tests.factories import Cast, make_user

pytestmark = pytest.mark.django_db
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    """Pages need no collected files."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture
def boss(client: Client) -> User:
    user = make_user("boss", is_superuser=True)
    client.force_login(user)
    return user


def grant(user: User, *codenames: str) -> User:
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return User.objects.get(pk=user.pk)


# -- notices
def test_notices_are_ones_own_with_unread_first(boss: User, client: Client) -> None:
    now = datetime.now(UTC)
    other = make_user("other")
    for number in range(3):
        notify(recipients=[boss.pk, other.pk], level="info", title=f"n{number}", key=f"k{number}", now=now)
    first = StaffNotice.objects.get(recipient=boss, title="n2")
    assert client.get(reverse("admin:core_staffnotice_changelist")).status_code == 200
    assert StaffNotice.objects.filter(read_at__isnull=False).count() == 0, "looking at the list reads nothing"
    read = reverse("admin:core_staffnotice_read", args=[first.pk])
    assert client.get(read).status_code == 405
    assert client.post(read).status_code == 302
    rows = client.get(reverse("admin:core_staffnotice_changelist")).context["cl"].result_list
    assert [(row.title, row.read_at is None) for row in rows] == [("n1", True), ("n0", True), ("n2", False)]
    theirs = StaffNotice.objects.filter(recipient=other).first()
    assert client.post(reverse("admin:core_staffnotice_read", args=[theirs.pk])).status_code == 404
    client.post(reverse("admin:core_staffnotice_read_all"))
    assert StaffNotice.objects.filter(recipient=boss, read_at__isnull=True).count() == 0
    assert StaffNotice.objects.filter(recipient=other, read_at__isnull=True).count() == 3


@pytest.mark.parametrize(
    ("address", "lands"),
    [("/admin/shop/", "/admin/shop/"), ("https://evil.example/", "/admin/core/staffnotice/")],
)
def test_opening_a_notice_reads_it_and_stays_on_this_site(
    boss: User, client: Client, address: str, lands: str
) -> None:
    notify(recipients=[boss.pk], level="info", title="n", key="k", now=datetime.now(UTC), url=address)
    notice = StaffNotice.objects.get()
    answer = client.post(reverse("admin:core_staffnotice_read", args=[notice.pk]) + "?open=1")
    assert (answer.status_code, answer["Location"]) == (302, lands)
    notice.refresh_from_db()
    assert notice.read_at is not None


# -- accounts
def test_nobody_raises_themselves(client: Client) -> None:
    clerk = grant(make_user("clerk"), "view_user", "change_user", "add_user")
    chief = make_user("chief", is_superuser=True)
    client.force_login(clerk)
    own = reverse("admin:core_user_change", args=[clerk.pk])
    client.post(
        own, {"username": "clerk", "name": "C", "is_superuser": "on", "groups": [1], "is_active": "on"}
    )
    clerk.refresh_from_db()
    assert (clerk.is_superuser, clerk.groups.count(), clerk.is_active, clerk.is_staff) == (
        False,
        0,
        True,
        True,
    )
    assert (
        client.post(reverse("admin:core_user_change", args=[chief.pk]), {"username": "x"}).status_code == 403
    )
    assert client.get(reverse("admin:auth_user_password_change", args=[chief.pk])).status_code == 403
    assert client.get(reverse("admin:core_user_delete", args=[chief.pk])).status_code == 403


def test_going_away_reaches_dispatch(boss: User, client: Client, cast: Cast) -> None:
    before = ReferenceStamp.objects.get(code="feedback").version
    address = reverse("admin:core_user_change", args=[cast.alice.pk])
    answer = client.post(
        address,
        {
            "username": "alice",
            "name": "Alice",
            "email": "",
            "is_away": "on",
            "is_active": "on",
            "is_staff": "on",
            "date_joined_0": "2026-01-01",
            "date_joined_1": "10:00",
        },
    )
    assert answer.status_code == 302
    cast.alice.refresh_from_db()
    assert cast.alice.is_away
    assert ReferenceStamp.objects.get(code="feedback").version == before + 1


# -- integrations
def test_a_key_is_shown_once_and_revoked_by_post(boss: User, client: Client) -> None:
    integration = Integration.objects.create(name="ERP")
    address = reverse("admin:core_integration_key", args=[integration.pk])
    assert client.get(address).status_code == 200
    assert IntegrationToken.objects.count() == 0
    answer = client.post(
        address, {"scopes": ["feedback:write", "stock:read"], "stores": "renmin， xihu", "days": "30"}
    )
    key = re.search(r'value="(fc_[\w-]+)"', answer.content.decode())[1]
    assert "no-store" in answer["Cache-Control"]
    token = IntegrationToken.objects.get()
    assert (token.scopes, token.stores) == (["feedback:write", "stock:read"], ["renmin", "xihu"])
    assert find_token(key=key, now=datetime.now(UTC)).pk == token.pk
    page = client.get(reverse("admin:core_integration_change", args=[integration.pk])).content.decode()
    assert key not in page
    assert token.prefix in page
    assert token.digest not in page
    revoke = reverse("admin:core_integration_revoke", args=[integration.pk, token.pk])
    client.get(revoke)
    assert find_token(key=key, now=datetime.now(UTC)) is not None, "a GET revokes nothing"
    client.post(revoke)
    assert find_token(key=key, now=datetime.now(UTC)) is None


@pytest.mark.parametrize(
    ("data", "field"),
    [({}, "scopes"), ({"scopes": ["all"]}, "scopes"), ({"scopes": ["stock:read"], "days": "0"}, "days")],
)
def test_a_key_without_sense_is_refused(
    boss: User, client: Client, data: dict[str, object], field: str
) -> None:
    integration = Integration.objects.create(name="ERP")
    answer = client.post(reverse("admin:core_integration_key", args=[integration.pk]), data)
    assert list(answer.context["form"].errors) == [field]
    assert IntegrationToken.objects.count() == 0


# -- files
def test_files_open_for_the_permitted_only(client: Client) -> None:
    owner, stranger, auditor = (
        make_user("owner"),
        make_user("stranger"),
        grant(make_user("auditor"), "view_storedfile"),
    )
    picture = store_file(upload=SimpleUploadedFile("a.png", PNG), by=owner, now=datetime.now(UTC))
    paper = store_file(
        upload=SimpleUploadedFile("<b>.pdf", b"%PDF-1.7 x"),
        by=owner,
        now=datetime.now(UTC),
        allowed=frozenset({"application/pdf"}),
    )
    address = reverse("admin:core_storedfile_open", args=[picture.pk])
    assert client.get(address).status_code == 302, "not logged in"
    client.force_login(stranger)
    assert client.get(address).status_code == 403
    for user in (owner, auditor):
        client.force_login(user)
        answer = client.get(address)
        assert answer.status_code == 200
        assert b"".join(answer.streaming_content) == PNG
    assert answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Content-Disposition"] == 'inline; filename="a.png"'
    download = client.get(reverse("admin:core_storedfile_open", args=[paper.pk]))
    assert download["Content-Disposition"].startswith("attachment")
    assert client.get(reverse("admin:core_storedfile_open", args=[999999])).status_code == 404


# -- whole data
def test_whole_data_needs_permission_and_reason_and_leaves_a_row(client: Client) -> None:
    customer = Customer.objects.create(name="张伟明", phone="13812345678", email="zhang@example.com")
    address = reverse("admin:customers_customer_reveal", args=[customer.pk])
    client.force_login(grant(make_user("plain"), "view_customer"))
    assert client.get(address).status_code == 403
    clerk = grant(make_user("clerk"), "view_customer", "unmask_customer")
    client.force_login(clerk)
    assert "13812345678" not in client.get(address).content.decode()
    refused = client.post(address, {"fields_wanted": ["phone"], "reason": " "})
    assert list(refused.context["form"].errors) == ["reason"]
    assert "13812345678" not in refused.content.decode()
    assert Reveal.objects.count() == 0
    assert list(
        client.post(address, {"fields_wanted": ["note"], "reason": "call"}).context["form"].errors
    ) == ["fields_wanted"]
    shown = client.post(address, {"fields_wanted": ["phone"], "reason": "call back about F0000001"})
    text = shown.content.decode()
    assert "13812345678" in text
    assert "zhang@example.com" not in text
    assert "no-store" in shown["Cache-Control"]
    row = Reveal.objects.get()
    assert (row.model, row.object_id, row.fields, row.reason, row.by) == (
        "customers.customer",
        customer.pk,
        ["phone"],
        "call back about F0000001",
        clerk,
    )
    assert "13812345678" not in client.get(address).content.decode(), "shown once"
