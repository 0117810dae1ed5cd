"""The main pages in a real browser: nothing a screen reader stumbles over, and a case worked without a mouse."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from apps.automation.models import Rule
from apps.customers.models import Customer
from apps.feedback.models import Channel, Correction, Feedback, ImportRun, WebhookSecret
from apps.feedback.services.import_work import sweep_imports
from apps.feedback.services.public_entry import open_page
from tests.factories import Cast, make_cast, take, voice

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium"),
    # Both databases draw the same pages; twice as long would tell nothing more.
    pytest.mark.skipif("DATABASE_URL" in os.environ, reason="runs with SQLite"),
]


@pytest.fixture
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    # Playwright keeps a loop running in this thread; Django then takes every query for a mistake.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()
    os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")


def page_of(browser: Any, site: str, user: Any, **context: Any) -> Any:
    """A page logged in as this person."""
    client = Client()
    client.force_login(user)
    name = django_settings.SESSION_COOKIE_NAME
    opened = browser.new_context(
        viewport={"width": 1440, "height": 900}, locale="zh-CN", bypass_csp=True, **context
    )
    opened.add_cookies([{"name": name, "value": client.cookies[name].value, "url": site}])
    return opened.new_page()


@pytest.fixture
def shop() -> Cast:
    cast = make_cast()
    now = timezone.now()
    take(
        voice("等了七天还没送到,客服也不回", order_no="T1001", rating=1,
              customer={"external_id": "c1", "nickname": "小林", "phone": "13800000001"}),
        voice("吃完全家上吐下泻,已经在医院了", rating=1, store="renmin", product_sku="TEA-1"),
        voice("很好喝,下次还来", rating=5),
        now=now - timedelta(minutes=20),
    )  # fmt: skip
    return cast


def violations(page: Any) -> list[str]:
    """What axe finds against WCAG 2 A and AA, a line each."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}).response["violations"]
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_stands_in_a_screen_readers_way(
    live_server: Any, browser: Any, shop: Cast, theme: str
) -> None:
    case = Feedback.objects.order_by("id").first()
    customer = Customer.objects.first()
    rule = Rule.objects.first()
    assert case is not None and customer is not None and rule is not None
    entry = open_page(store=shop.store, by=shop.max, now=timezone.now())
    page = page_of(browser, live_server.url, shop.lin, color_scheme=theme)
    wrong = {}
    for address in (
        "/admin/",
        "/admin/feedback/feedback/",
        "/admin/feedback/feedback/?tier=A&q=客服",
        f"/admin/feedback/feedback/{case.pk}/change/",
        f"/admin/feedback/feedback/{case.pk}/move/record_contact/",
        f"/admin/feedback/feedback/{case.pk}/dossier/",
        "/admin/feedback/feedback/add/",
        "/admin/feedback/importrun/",
        "/admin/feedback/importrun/add/",
        f"/admin/customers/customer/{customer.pk}/change/",
        f"/admin/customers/customer/{customer.pk}/change/?tab=panel-feedback",
        f"/admin/customers/customer/{customer.pk}/change/?tab=consents",
        "/admin/core/staffnotice/",
        "/admin/feedback/topic/",
        "/admin/feedback/words/",
        "/admin/feedback/article/",
        "/admin/compliance/try/",
        "/admin/messaging/outboundmessage/",
        "/admin/automation/rule/",
        f"/admin/automation/rule/{rule.pk}/change/",
        "/f/",
        entry.path,
        "/f/status/",
    ):
        answer = page.goto(live_server.url + address)
        assert answer.status == 200, address
        if found := violations(page):
            wrong[address] = found
    assert not wrong, "\n".join(f"{address} {line}" for address, lines in wrong.items() for line in lines)


def test_from_a_platforms_export_to_a_resolved_case_by_keyboard(
    live_server: Any, browser: Any, shop: Cast, tmp_path: Path
) -> None:
    """The mouse is never used; the file is put into the focused field, as a file dialog would."""
    Feedback.objects.all().delete()
    day = timezone.localtime().strftime("%Y/%m/%d")
    export = tmp_path / "评价导出.csv"
    export.write_text(
        f'评价编号,评价内容,星级,评价时间\nK-1,"包裹破了,里面的杯子碎了两个,要求补发",1,{day} 00:01\n',
        encoding="gb18030",
    )
    page = page_of(browser, live_server.url, shop.lin)
    keys = page.keyboard

    def tab_to(what: str) -> None:
        for _ in range(150):
            keys.press("Tab")
            if page.evaluate("what => document.activeElement.matches(what)", what):
                return
        raise AssertionError(f"{what} cannot be reached with Tab on {page.url}")

    def enter(what: str) -> None:
        tab_to(what)
        with page.expect_navigation():
            keys.press("Enter")

    page.goto(f"{live_server.url}/admin/feedback/importrun/add/")
    tab_to("#id_file, input[type=file]")
    page.set_input_files("input[type=file]", str(export))
    tab_to("select[name=channel]")
    page.select_option("select[name=channel]", str(Channel.objects.get(code="taobao").pk))
    enter("form button[type=submit].is-main, form .fc-button.is-main")
    for _step in range(6):
        if page.url.endswith("/run/"):
            # The worker's part.
            sweep_imports(clock=timezone.now)
            break
        enter("form button[type=submit].is-main, a.fc-button.is-main")
        page.wait_for_load_state()
    run = ImportRun.objects.get()
    assert (run.created, Feedback.objects.count()) == (1, 1)
    case = Feedback.objects.get()

    page.goto(f"{live_server.url}/admin/feedback/feedback/")
    keys.press("j")
    with page.expect_navigation():
        keys.press("c")
    case.refresh_from_db()
    assert case.assignee == shop.lin

    keys.press("j")
    keys.press("e")
    page.wait_for_selector("dialog[open]")
    enter("dialog button[name=tier][value=B]")
    case.refresh_from_db()
    assert (case.tier, Correction.objects.count()) == ("B", 1)
    with page.expect_navigation():
        keys.press("z")
    case.refresh_from_db()
    assert (case.tier, Correction.objects.count()) == ("A", 0)

    keys.press("j")
    with page.expect_navigation():
        keys.press("o")
    with page.expect_navigation():
        keys.press("r")
    tab_to("select[name=how]")
    page.select_option("select[name=how]", "phone")
    tab_to("textarea[name=said]")
    keys.type("已致歉,今天补发两个杯子")
    enter("form button.is-main")
    with page.expect_navigation():
        keys.press("s")
    tab_to("textarea[name=reason]")
    keys.type("补发已寄出,顾客满意")
    enter("form button.is-main")
    case.refresh_from_db()
    assert (case.status, case.first_response_at is not None) == ("resolved", True)


def test_a_complaint_is_answered_by_template_and_the_customers_words_come_back(
    live_server: Any, browser: Any, shop: Cast
) -> None:
    """An ops user answers by template, the customer answers through a webhook, the clocks tell it right."""
    case = Feedback.objects.get(order_no="T1001")
    page = page_of(browser, live_server.url, shop.alice)
    address = f"{live_server.url}/admin/feedback/feedback/{case.pk}/change/"
    page.goto(address)
    box = page.locator("#id_reply_text")
    box.fill("您把差评改一下,我给您退50元")
    page.locator("[data-findings] .fc-findings", has_text="REV-02").wait_for()
    page.select_option(
        "#id_reply_template",
        label=page.locator("#id_reply_template option", has_text="首次联系(体验类)").first.inner_text(),
    )
    filled = box.input_value()
    assert case.number not in filled and "〔" in filled and "Alice" in filled
    page.get_by_role("button", name="发送", exact=True).click()
    page.locator("text=请把〔〕里的内容补充完整").first.wait_for()
    assert box.input_value() == filled
    box.fill("您好,非常抱歉,我们马上核实物流,今天 18:00 前给您答复。")
    page.get_by_role("button", name="发送", exact=True).click()
    page.locator(".fc-sent", has_text="待人工发送").wait_for()
    assert case.clocks.get(kind="first_response").state == "running"
    page.fill("input[name=proof]", "聊天 10:05")
    page.get_by_role("button", name="已发出", exact=True).click()
    page.locator(".fc-sent", has_text="已发出").wait_for()
    assert case.clocks.get(kind="first_response").state == "met"
    secret, body = (
        "a shared secret of some length",
        {"type": "message", "text": "还是没收到", "external_id": "m1"},
    )
    WebhookSecret.objects.create(channel=case.channel, secret=secret, created_at=timezone.now())
    raw, stamp = json.dumps(body | {"customer": {"external_id": "c1"}}).encode(), str(int(time.time()))
    signature = hmac.new(secret.encode(), stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
    answer = Client().generic(
        "POST",
        "/api/v1/hooks/taobao/",
        raw,
        content_type="application/json",
        headers={"X-Timestamp": stamp, "X-Signature": signature},
    )
    assert answer.json()["results"][0]["number"] == case.number
    page.goto(address)
    line = page.locator(".fc-line.is-customer", has_text="还是没收到")
    assert line.count() == 1
    case.refresh_from_db()
    assert case.status == "in_progress" and case.first_response_at is not None


def test_new_feedback_announces_itself_without_moving_rows(
    live_server: Any, browser: Any, shop: Cast
) -> None:
    page = page_of(browser, live_server.url, shop.lin)
    page.goto(f"{live_server.url}/admin/feedback/feedback/?tab=all")
    rows = page.locator("[data-row]").count()
    page.evaluate("document.querySelector('[data-pulse]').dataset.every = 300")
    page.wait_for_function("document.title.startsWith('(1)')", timeout=15_000)
    take(voice("又碎了一箱,第二次了,要求补发"), voice("虫子在饼干里爬,孩子吃了进医院"), now=timezone.now())
    bar = page.locator("[data-new]")
    bar.wait_for(state="visible", timeout=15_000)
    assert "2" in bar.inner_text()
    assert page.locator("[data-row]").count() == rows
    page.wait_for_function("document.title.startsWith('(2)')", timeout=15_000)
    assert page.locator("[data-alarm-text]").inner_text().count("F0") == 1
