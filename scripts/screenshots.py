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
from datetime import datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

OUT = Path(__file__).resolve().parent.parent / "docs" / "images"
LARGEST = 250_000
SCREENS = {"desktop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
QUEUE = "/admin/feedback/feedback/"
# Pictures of the first record behind a list, with what follows its address in place of "change".
FIRST_OF = {
    "public-sheet": "sheet", "visit": "change", "symposium": "change", "topic": "change", "quality-review": "change",
    "repair": "change",
}  # fmt: skip
PEOPLE = "/admin/feedback/handover/people/"
CALLBACKS = "/admin/callbacks/callback/agenda/?who=all"
RULES, OUTBOX = "/admin/automation/rule/", "/admin/messaging/outboundmessage/"
# Words the law check has something to say about.
UNLAWFUL = "亲，给您返现20元，麻烦把评价改成好评"


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
    arguments.add_argument(
        "--case",
        type=int,
        default=0,
        help="number of a case with a conversation, for “reply” and “reply-check”",
    )
    arguments.add_argument(
        "--only", nargs="*", default=[], help="names of the pictures to take; default: all"
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
        for name, screen, user, path in pictures(given.user, given.lead or given.user, given.case):
            if given.only and name not in given.only:
                continue
            with logged_in(browser, base, user, given.password, screen) as page:
                page.goto(base + path)
                if name in FIRST_OF:
                    link = page.locator("#result_list tbody th a, #result_list tbody td a").first
                    if not link.count():
                        print(f"{name}: nothing there to photograph")
                        continue
                    page.goto(base + str(link.get_attribute("href")).replace("change", FIRST_OF[name]))
                if name == "public-phone" and page.locator(".stores a").count():
                    page.locator(".stores a").first.click()
                if path == QUEUE and name.startswith("case"):
                    page.locator(".fc-row:not(.is-overdue) .fc-snippet").first.click()
                if path == PEOPLE:
                    plan_of_first(page)
                if name in PREPARED:
                    PREPARED[name](page)
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
        for name, picture in [] if given.only else import_pictures(browser, base, given.user, given.password):
            (given.out / f"{name}.png").write_bytes(picture)
            large += len(picture) > LARGEST
            print(f"{name}.png  {len(picture) / 1000:.0f} kB")
        browser.close()
    return large


def import_pictures(browser: Browser, base: str, user: str, password: str) -> Iterator[tuple[str, bytes]]:
    """The steps of an import, made with a small file of their own."""
    with logged_in(browser, base, user, password, "desktop") as page:
        page.goto(f"{base}/admin/feedback/importrun/add/")
        page.set_input_files(
            "input[type=file]",
            {"name": "淘宝评价导出.csv", "mimeType": "text/csv", "buffer": sample_export().encode("gb18030")},
        )
        page.select_option("#id_channel", label="淘宝")
        for number in range(1, 5):
            page.wait_for_load_state("networkidle")
            if number == 4:
                page.wait_for_url("**/report/", timeout=90_000)
            page.wait_for_timeout(400)
            yield f"import-{number}", smaller(page.screenshot(type="png"))
            if number < 4:
                page.click(".fc-actions button.is-main")


def sample_export() -> str:
    """A platform's export with a few rows that have to be mended; its numbers are new every time."""
    now = datetime.now().astimezone()
    day, stamp = (now - timedelta(days=1)).strftime("%Y-%m-%d"), now.strftime("%m%d%H%M%S")
    texts = (
        ("好评", "茶叶很香，包装也好，回购第三次了"),
        ("差评", "等了七天才到，太慢了，要求退款"),
        ("中评", "味道一般，价格有点贵"),
        ("差评", "盒子压扁了，茶叶撒了一箱子"),
        ("好评", "客服有问必答，发货很快"),
    )
    lines = ["评价编号,订单编号,买家会员名,宝贝标题,评价结果,评价内容,评价时间"]
    for number in range(40):
        grade, text = texts[number % len(texts)]
        at = "前天" if number in (7, 19) else f"{day} {8 + number % 12:02d}:15:00"
        order = "1.23E+17" if number == 11 else f"{stamp}{number:06d}12"
        lines.append(f"{stamp}{number:03d},{order},茶友{number}**,明前龙井 250g,{grade},{text},{at}")
    return "\n".join(lines)


def pictures(user: str, lead: str, case: int) -> Iterator[tuple[str, str, str, str]]:
    """File name, screen, log-in name, address. A log-in name of operations shows what its menu shows."""
    yield "home", "desktop", lead, "/admin/"
    yield "queue", "desktop", user, QUEUE
    yield "case", "desktop", user, QUEUE
    yield "queue-phone", "phone", user, QUEUE
    yield "case-phone", "phone", user, QUEUE
    yield "sla", "desktop", user, "/admin/feedback/slapolicy/"
    yield "new", "desktop", user, QUEUE + "add/"
    yield "public-phone", "phone", user, "/f/"
    yield "public-sheet", "desktop", lead, "/admin/feedback/publicentry/"
    yield "visit", "desktop", lead, "/admin/feedback/mysteryvisit/"
    yield "symposium", "desktop", lead, "/admin/feedback/symposium/"
    yield "handover", "desktop", lead, PEOPLE
    yield "digest", "desktop", lead, "/admin/digest/"
    yield "setup", "desktop", user, "/admin/setup/stores/"
    if case:
        for name in ("reply", "reply-check"):
            yield name, "desktop", user, f"{QUEUE}{case}/change/"
    yield "to-do", "desktop", user, f"{OUTBOX}?what=to_do"
    yield "topic", "desktop", lead, "/admin/feedback/topic/"
    yield "words", "desktop", user, "/admin/feedback/words/?days=30"
    yield "check", "desktop", user, "/admin/compliance/try/"
    yield "knowledge", "desktop", lead, "/admin/feedback/article/"
    yield "rule", "desktop", lead, RULES
    yield "callbacks", "desktop", lead, CALLBACKS
    yield "repair", "desktop", lead, "/admin/repairs/repaircase/?tab=invite"
    yield "funnel", "desktop", lead, "/admin/repairs/repaircase/funnel/"
    yield "callback-sheet", "desktop", lead, CALLBACKS
    yield "dry-run", "desktop", lead, RULES
    yield "team-performance", "desktop", user, "/admin/performance/agentmonth/team/"
    yield "quality-review", "desktop", user, "/admin/performance/qualityreview/?status__exact=open"


def plan_of_first(page: Page) -> None:
    """On to the plan of handing over the work of the first person in the list."""
    page.locator("main a.fc-button, #content a.fc-button, .fc-list a.fc-button").first.click()
    page.locator("select[name=way]").select_option("one")
    page.locator("select[name=to] option:nth-child(3)").evaluate("option => { option.selected = true; }")
    page.fill("textarea[name=reason]", "请假三天")
    page.locator("form.fc-form button[type=submit]").click()


def conversation(page: Page) -> None:
    """What was said, and the composer below it."""
    page.locator("[data-composer]").evaluate("e => e.closest('.fc-card, section').scrollIntoView()")
    page.evaluate("window.scrollBy(0, -80)")


def voices(page: Page) -> None:
    """How often, where, and in whose words."""
    page.locator(".fc-topic").evaluate("e => e.scrollIntoView()")
    page.evaluate("window.scrollBy(0, -80)")


def unlawful_reply(page: Page) -> None:
    """The findings below the composer while somebody writes; nothing is sent."""
    page.fill("#id_reply_text", UNLAWFUL)
    page.locator("[data-findings] *").first.wait_for()
    page.locator("[data-composer]").evaluate("e => e.scrollIntoView()")
    page.evaluate("window.scrollBy(0, -80)")


def unlawful_text(page: Page) -> None:
    """The page that checks a text."""
    page.fill("textarea[name=text]", UNLAWFUL)
    page.locator("form:has(textarea[name=text]) button[type=submit]").last.click()


def shipped_rule(page: Page) -> None:
    """The rule of the late deliveries in the builder."""
    page.locator("#result_list a", has_text="物流超时").first.click()
    page.wait_for_load_state("networkidle")
    page.locator(".fc-rule").evaluate("e => e.scrollIntoView()")
    page.evaluate("window.scrollBy(0, -80)")


def dry_run(page: Page) -> None:
    """What that rule would have done in thirty days."""
    shipped_rule(page)
    page.locator("a[href$='/dry-run/']").first.click()
    page.fill("input[name=days]", "30")
    page.locator("form:has(input[name=days]) button[type=submit]").last.click()


def call_sheet(page: Page) -> None:
    """The sheet of the first callback that the person may make, with an outcome chosen."""
    addresses = [str(a.get_attribute("href")) for a in page.locator("a.cb-item").all()]
    for address in addresses:
        page.goto(page.url.split("/admin/")[0] + address)
        if page.locator("[data-sheet]").count():
            page.keyboard.press("1")
            return


PREPARED = {
    "callback-sheet": call_sheet,
    "reply": conversation,
    "reply-check": unlawful_reply,
    "topic": voices,
    "check": unlawful_text,
    "rule": shipped_rule,
    "dry-run": dry_run,
}


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
