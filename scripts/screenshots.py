"""Photograph a running demo shop for the documentation.

    python scripts/screenshots.py --base-url http://127.0.0.1:8000 --user admin --password …

Starts nothing itself. Needs playwright and a Chromium; Pillow, where installed, makes the pictures smaller.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

OUT = Path(__file__).resolve().parent.parent / "docs" / "images"
LARGEST = 250_000
SCREENS = {"desktop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
QUEUE = "/admin/feedback/feedback/"
PEOPLE = "/admin/feedback/handover/people/"


def main() -> int:
    """Take every picture; the number of those that came out too large is the exit code."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--base-url", required=True)
    arguments.add_argument("--user", required=True)
    arguments.add_argument("--password", required=True)
    arguments.add_argument(
        "--lead", default="", help="log-in name whose first page is photographed; default: USER"
    )
    arguments.add_argument("--out", type=Path, default=OUT)
    arguments.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("chromium-browser"))
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    base, large = given.base_url.rstrip("/"), 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=given.chromium,
            args=[
                "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking",
            ],
        )  # fmt: skip
        for name, screen, user, path in pictures(given.user, given.lead or given.user):
            with logged_in(browser, base, user, given.password, screen) as page:
                page.goto(base + path)
                if path == QUEUE and name.startswith("case"):
                    page.locator(".fc-row:not(.is-overdue) .fc-snippet").first.click()
                if path == PEOPLE:
                    plan_of_first(page)
                page.wait_for_load_state("networkidle")
                page.wait_for_timeout(400)
                picture = smaller(page.screenshot(type="png"))
                if path == PEOPLE:
                    # The demo stays as it was: the plan is dropped, nothing changed hands.
                    page.locator("form[action$='/drop/'] button").click()
                    page.wait_for_load_state("networkidle")
            (given.out / f"{name}.png").write_bytes(picture)
            large += len(picture) > LARGEST
            print(f"{name}.png  {len(picture) / 1000:.0f} kB")
        browser.close()
    return large


def pictures(user: str, lead: str) -> Iterator[tuple[str, str, str, str]]:
    """File name, screen, log-in name, address."""
    yield "home", "desktop", lead, "/admin/"
    yield "queue", "desktop", user, QUEUE
    yield "case", "desktop", user, QUEUE
    yield "queue-phone", "phone", user, QUEUE
    yield "case-phone", "phone", user, QUEUE
    yield "sla", "desktop", user, "/admin/feedback/slapolicy/"
    yield "new", "desktop", user, QUEUE + "add/"
    yield "handover", "desktop", lead, PEOPLE
    yield "digest", "desktop", lead, "/admin/digest/"
    yield "setup", "desktop", user, "/admin/setup/stores/"


def plan_of_first(page: Page) -> None:
    """On to the plan of handing over the work of the first person in the list."""
    page.locator("main a.fc-button, #content a.fc-button, .fc-list a.fc-button").first.click()
    page.locator("select[name=way]").select_option("one")
    page.locator("select[name=to] option:nth-child(3)").evaluate("option => { option.selected = true; }")
    page.fill("textarea[name=reason]", "请假三天")
    page.locator("form.fc-form button[type=submit]").click()


@contextmanager
def logged_in(browser: Browser, base: str, user: str, password: str, screen: str) -> Iterator[Page]:
    """A page of a person's own session, in Chinese and in daylight."""
    context = browser.new_context(viewport=SCREENS[screen], locale="zh-CN", color_scheme="light")
    page = context.new_page()
    page.goto(base + "/admin/login/")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")
    page.wait_for_load_state("networkidle")
    if "/login/" in page.url:
        sys.exit(f"{user} cannot log in at {base}")
    yield page
    context.close()


def smaller(picture: bytes) -> bytes:
    """The same picture in 256 colours, if Pillow is here."""
    try:
        from PIL import Image
    except ImportError:
        return picture
    with Image.open(io.BytesIO(picture)) as full:
        few = full.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    few.save(buffer, "PNG", optimize=True)
    return min(buffer.getvalue(), picture, key=len)


if __name__ == "__main__":
    sys.exit(main())
