"""The home page in a real browser: what only layout can show."""

from __future__ import annotations

import mimetypes
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from apps.core.models import User
from apps.feedback.selectors.reference import forget_reference
from apps.shop.models import StaffProfile
from tests.factories import Cast, take, voice

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium"),
]
SITE = "http://shop.test"
# For each row of the load card: how many lines its figures take, and where its bar begins and ends.
MEASURE = """() => [...document.querySelectorAll('.fc-bar')].map(row => {
    const figures = row.querySelector('.fc-quiet'), bar = row.querySelector('.fc-track').getBoundingClientRect();
    const line = parseFloat(getComputedStyle(figures).lineHeight) || 20;
    return [figures.textContent, Math.round(figures.getBoundingClientRect().height / line), bar.left, bar.right];
})"""


def measured(html: str, width: int) -> tuple[list[list[Any]], bool]:
    """The rows at this width, and whether the card is wider than its place."""
    from playwright.sync_api import Route, sync_playwright

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(SITE).partition("?")[0]
        if path == "/":
            route.fulfill(body=html, content_type="text/html; charset=utf-8")
        elif path.startswith("/static/") and (found := finders.find(path.removeprefix("/static/"))):
            kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
            route.fulfill(body=Path(found).read_bytes(), content_type=kind)
        else:
            route.fulfill(status=404)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 1000})
        page.route("**/*", serve)
        page.goto(SITE + "/")
        rows = page.evaluate(MEASURE)
        too_wide = page.evaluate(
            "() => { const c = document.querySelector('.fc-bars'); return c.scrollWidth > c.clientWidth; }"
        )
        browser.close()
    return rows, too_wide


@pytest.mark.parametrize("width", [1440, 390])
def test_the_load_of_each_person_fits_one_line(cast: Cast, client: Client, width: int) -> None:
    User.objects.filter(pk=cast.alice.pk).update(is_away=True, name="名字很长的客服同事小欧阳")
    StaffProfile.objects.filter(user__in=[cast.alice, cast.bob]).update(capacity=1000)
    forget_reference()
    take(*(voice() for _ in range(120)), grade="A")
    client.force_login(cast.lin)
    rows, too_wide = measured(client.get("/admin/").content.decode(), width)
    assert [figures for figures, *_rest in rows] == ["120 / 1000 · 交接", "0 / 1000 · 不在岗"]
    assert [lines for _figures, lines, *_rest in rows] == [1, 1]
    assert not too_wide
    # One scale: every bar begins and ends at the same place, and is long enough to be read.
    (left, right), (left2, right2) = (row[2:] for row in rows)
    assert (left, right) == (left2, right2) and right - left >= 40
