"""The product's icon, for browsers and bookmarks."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

pytestmark = pytest.mark.django_db


def test_the_icon_is_where_browsers_ask_and_where_pages_say(client: Client) -> None:
    answer = client.get("/favicon.ico")
    assert (answer.status_code, answer["Location"]) == (302, "/static/core/icon.svg")
    assert (
        '<link rel="icon" href="/static/core/icon.svg" type="image/svg+xml"'
        in client.get("/admin/login/").content.decode()
    )
    found = finders.find("core/icon.svg")
    assert found is not None and Path(found).read_text().startswith("<svg ")


def test_the_icon_keeps_its_hashed_name_in_production(client: Client, settings, tmp_path: Path) -> None:
    from django.core.management import call_command

    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    }
    call_command("collectstatic", interactive=False, verbosity=0, ignore=["unfold", "rest_framework*"])
    location = client.get("/favicon.ico")["Location"]
    assert location.startswith("/static/core/icon.") and location != "/static/core/icon.svg"
    assert (tmp_path / location.removeprefix("/static/")).exists()
