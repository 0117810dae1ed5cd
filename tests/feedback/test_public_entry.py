"""The public feedback entry as its visitors use it (R67)."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from celery import shared_task
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation
from PIL import Image

from apps.core.models import ActionLog, PublicCount, StaffNotice, StoredFile
from apps.core.public import ALPHABET, read_nonce
from apps.core.services import public as sending
from apps.customers.models import Customer, Order
from apps.feedback.choices import Source
from apps.feedback.models import Entry, Feedback, FeedbackFile, PublicEntry, PublicReceipt
from apps.feedback.services import moves
from apps.feedback.services import public_entry as service
from apps.feedback.web import views
from apps.shop.models import WorkItem
from tests.core.test_public import photo
from tests.factories import Cast, case, make_store, make_user, told

pytestmark = pytest.mark.django_db
LATE = "等了七天还没送到，客服也不理人，要求退款"


@pytest.fixture(autouse=True)
def _no_hurry(settings: Any) -> None:
    settings.PUBLIC_ENTRY = settings.PUBLIC_ENTRY | {"least_seconds": 0}


@pytest.fixture
def entry(cast: Cast) -> PublicEntry:
    return service.open_page(store=cast.store, by=None, now=timezone.now())


def visitor(**options: Any) -> Client:
    return Client(enforce_csrf_checks=True, **options)


def hidden(response: HttpResponse, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', response.content.decode())
    assert found, name
    return found[1]


def fill(client: Client, entry: PublicEntry, **values: Any) -> dict[str, Any]:
    """The page's own hidden fields, with what somebody types."""
    page = client.get(entry.path)
    assert page.status_code == 200
    return {
        "nonce": hidden(page, "nonce"),
        "csrfmiddlewaretoken": hidden(page, "csrfmiddlewaretoken"),
        "text": LATE,
    } | values


def send(client: Client, entry: PublicEntry, **values: Any) -> HttpResponse:
    return client.post(entry.path, fill(client, entry, **values))


def slip(response: HttpResponse) -> tuple[str, str]:
    """Number and code of the answer page."""
    text = response.content.decode()
    number = re.search(r"<dd>(F\d{7,})</dd>", text)
    secret = re.search(r'class="secret">([^<]+)<', text)
    assert number and secret, text
    return number[1], secret[1]


def look(client: Client, number: str, secret: str, **extra: Any) -> HttpResponse:
    page = client.get("/f/status/")
    data = {
        "number": number,
        "secret": secret,
        "csrfmiddlewaretoken": hidden(page, "csrfmiddlewaretoken"),
    }
    return client.post("/f/status/", data, **extra)


def add(client: Client, page: HttpResponse, text: str) -> HttpResponse:
    names = ("nonce", "ticket", "csrfmiddlewaretoken")
    return client.post("/f/status/add/", {name: hidden(page, name) for name in names} | {"text": text})


# -- saying something ----------
def test_one_form_becomes_one_case_with_owner_and_clocks(entry: PublicEntry, cast: Cast) -> None:
    answer = send(visitor(), entry, rating="1", kind="complaint")
    number, secret = slip(answer)
    feedback = Feedback.objects.get()
    assert feedback.number == number
    assert (feedback.source, feedback.channel.code) == (Source.PUBLIC, "public_form")
    assert (feedback.store, feedback.rating, feedback.kind) == (cast.store, 1, "complaint")
    # Handed out at once, like everything that comes in.
    assert feedback.assignee in (cast.alice, cast.bob)
    assert feedback.clocks.exists()
    receipt = PublicReceipt.objects.get()
    assert secret.replace(" ", "") not in str(vars(receipt))
    assert set(secret.replace(" ", "")) <= set(ALPHABET)


def test_the_same_form_twice_shows_the_same_number(entry: PublicEntry) -> None:
    client = visitor()
    data = fill(client, entry)
    first, second = client.post(entry.path, data), client.post(entry.path, data)
    assert slip(first) == slip(second)
    assert Feedback.objects.count() == 1
    assert PublicCount.objects.order_by("-count")[0].count == 1


def test_a_second_post_waits_by_looking_not_by_claiming_again(
    entry: PublicEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "PATIENCE", 1.0)
    client = visitor()
    data = fill(client, entry)
    nonce = read_nonce(data["nonce"], views.SAY, timezone.now())
    assert nonce is not None
    mine = sending.claim(nonce, limits=[], now=timezone.now())
    with CaptureQueriesContext(connection) as captured:
        answer = client.post(entry.path, data)
    assert answer.status_code == 422
    assert LATE in answer.content.decode()
    assert len([q for q in captured.captured_queries if q["sql"].startswith("INSERT")]) <= 1
    assert len(captured) <= 20
    # Given back: the next one is taken in.
    sending.release(nonce, mine, now=timezone.now())
    assert client.post(entry.path, data).status_code == 200


def test_long_after_the_code_is_not_shown_again(entry: PublicEntry) -> None:
    client = visitor()
    data = fill(client, entry)
    number, secret = slip(client.post(entry.path, data))
    PublicReceipt.objects.update(created_at=timezone.now() - timedelta(hours=1))
    again = client.post(entry.path, data).content.decode()
    assert number in again
    assert secret not in again


def test_anonymous_stores_neither_name_nor_telephone_nor_order(entry: PublicEntry, cast: Cast) -> None:
    customer = Customer.objects.create(nickname="小周")
    Order.objects.create(order_no="D20260001", customer=customer)
    send(
        visitor(),
        entry,
        anonymous="on",
        agreed="on",
        nickname="王小明",
        phone="13912345678",
        order_no="D20260001",
    )
    feedback = Feedback.objects.get()
    assert (feedback.author_name, feedback.order_no, feedback.order, feedback.customer) == (
        "",
        "",
        None,
        None,
    )
    assert Customer.objects.count() == 1
    assert PublicReceipt.objects.get().is_anonymous
    assert PublicReceipt.objects.get().notice == ""


def test_a_telephone_is_kept_with_consent_only(entry: PublicEntry) -> None:
    client = visitor()
    refused = send(client, entry, phone="13912345678", nickname="王小明")
    assert refused.status_code == 422
    assert not Feedback.objects.exists()
    assert "13912345678" in refused.content.decode()
    send(client, entry, phone="13912345678", nickname="王小明", agreed="on")
    assert Feedback.objects.get().customer.phone == "13912345678"
    assert PublicReceipt.objects.get().notice == service.NOTICE


def test_photos_come_without_place_and_name(entry: PublicEntry) -> None:
    upload = SimpleUploadedFile("张三身份证.jpg", photo().getvalue(), "image/jpeg")
    send(visitor(), entry, photos=[upload])
    stored = FeedbackFile.objects.get().file
    assert stored.name == "photo-1.jpg"
    assert stored.uploaded_by is None
    with Image.open(stored.file) as picture:
        assert not picture.getexif()


def test_a_wrong_photo_keeps_the_text_and_takes_nothing_in(entry: PublicEntry) -> None:
    client = visitor()
    data = fill(client, entry)
    bad = SimpleUploadedFile("a.jpg", b"<script>", "image/jpeg")
    answer = client.post(entry.path, data | {"photos": [bad]})
    assert answer.status_code == 422
    assert LATE in answer.content.decode()
    assert not Feedback.objects.exists()
    assert not StoredFile.objects.exists()
    # The same form, put right, goes through.
    assert client.post(entry.path, data).status_code == 200
    assert Feedback.objects.count() == 1


def test_more_than_six_photos_are_refused(entry: PublicEntry) -> None:
    uploads = [SimpleUploadedFile(f"{n}.jpg", photo().getvalue(), "image/jpeg") for n in range(7)]
    assert send(visitor(), entry, photos=uploads).status_code == 422
    assert not Feedback.objects.exists()


@pytest.mark.parametrize("text", ["", "嗯", "长" * 2001])
def test_a_bad_text_is_named_and_kept(entry: PublicEntry, text: str) -> None:
    answer = send(visitor(), entry, text=text, order_no="D1")
    assert answer.status_code == 422
    assert 'class="error"' in answer.content.decode()
    assert 'value="D1"' in answer.content.decode()
    assert not Feedback.objects.exists()


def test_line_breaks_count_as_they_do_in_the_browser(entry: PublicEntry) -> None:
    client = visitor()
    lines = ["长" * 19] * 100  # 1900 signs and 99 breaks: 1999 for the browser, 2098 as sent
    answer = send(client, entry, text="\r\n".join(lines))
    assert answer.status_code == 200
    assert Feedback.objects.get().text.count("\n") == 99
    page = look(client, *slip(answer))
    assert add(client, page, "\r\n".join(lines)).status_code == 200
    assert "\r" not in Entry.objects.get(kind="inbound").text


def test_praise_ticked_by_mistake_does_not_hide_a_complaint(entry: PublicEntry) -> None:
    send(visitor(), entry, kind="praise")
    assert Feedback.objects.get().is_open


def test_over_the_limit_the_text_stays_and_the_time_is_named(entry: PublicEntry, settings: Any) -> None:
    settings.PUBLIC_ENTRY = settings.PUBLIC_ENTRY | {"per_address": 2}
    client = visitor()
    for _ in range(2):
        assert send(client, entry).status_code == 200
    data = fill(client, entry, text="第三条：" + LATE)
    answer = client.post(entry.path, data)
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert "第三条" in answer.content.decode()
    assert Feedback.objects.count() == 2
    # Somebody else's address is somebody else.
    assert client.post(entry.path, data, REMOTE_ADDR="203.0.113.9").status_code == 200


def test_the_trap_and_a_hurry_ask_for_one_more_press(entry: PublicEntry, settings: Any) -> None:
    client = visitor()
    data = fill(client, entry)
    assert client.post(entry.path, data | {"fc_leave_empty": "x"}).status_code == 422
    settings.PUBLIC_ENTRY = settings.PUBLIC_ENTRY | {"least_seconds": 60}
    early = client.post(entry.path, data)
    assert early.status_code == 422
    assert LATE in early.content.decode()
    settings.PUBLIC_ENTRY = settings.PUBLIC_ENTRY | {"least_seconds": 0}
    assert client.post(entry.path, data).status_code == 200
    assert Feedback.objects.count() == 1


@pytest.mark.parametrize("nonce", ["", "x", "W10:1:1"])
def test_a_forged_form_gets_a_fresh_one_with_the_text(entry: PublicEntry, nonce: str) -> None:
    client = visitor()
    answer = client.post(entry.path, fill(client, entry) | {"nonce": nonce})
    assert answer.status_code == 422
    assert LATE in answer.content.decode()
    assert hidden(answer, "nonce") != nonce


def test_without_cookies_a_page_says_so(entry: PublicEntry) -> None:
    data = fill(visitor(), entry)
    answer = visitor().post(entry.path, data)
    assert answer.status_code == 403
    assert "Cookie" in answer.content.decode() or "cookie" in answer.content.decode()
    assert not Feedback.objects.exists()


def test_browsers_send_no_origin_from_a_page_without_referrer(entry: PublicEntry) -> None:
    """With `Referrer-Policy: no-referrer` they send `Origin: null` and, over HTTPS, no Referer."""
    client = visitor()
    data = fill(client, entry)
    assert client.post(entry.path, data, headers={"Origin": "null"}, secure=True).status_code == 200
    foreign = client.post(entry.path, fill(client, entry), headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403


def test_typed_text_is_escaped(entry: PublicEntry) -> None:
    answer = send(visitor(), entry, text="<script>alert(1)</script>", phone='"><b>', agreed="on")
    assert answer.status_code == 422
    assert "<script>alert" not in answer.content.decode()
    assert '"><b>' not in answer.content.decode()


@pytest.mark.parametrize("address", ["/f/", "/f/status/", "page", "/f/NOTHERE1/"])
def test_headers_keep_others_out(entry: PublicEntry, address: str) -> None:
    answer = visitor().get(entry.path if address == "page" else address)
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "noindex" in answer["X-Robots-Tag"]
    assert "no-store" in answer["Cache-Control"]
    assert "private" in answer["Cache-Control"]
    assert "unsafe" not in answer["Content-Security-Policy"]
    text = answer.content.decode()
    assert "style=" not in text
    assert not re.search(r"<script(?![^>]* src=)| on\w+=", text)


def test_closed_and_unknown_pages_say_so(entry: PublicEntry, cast: Cast) -> None:
    assert visitor().get("/f/NOTHERE1/").status_code == 404
    PublicEntry.objects.update(is_on=False)
    assert visitor().get(entry.path).status_code == 404
    PublicEntry.objects.update(is_on=True)
    type(cast.store).objects.update(is_active=False)
    assert visitor().get(entry.path).status_code == 404
    assert visitor().post(entry.path).status_code in (403, 404)


def test_the_list_names_open_pages_only(entry: PublicEntry) -> None:
    other = service.open_page(store=make_store("anfu"), by=None, now=timezone.now(), is_listed=False)
    text = visitor().get("/f/").content.decode()
    assert entry.path in text
    assert other.path not in text
    assert visitor().get(other.path).status_code == 200


def test_language_is_chinese_until_somebody_switches(entry: PublicEntry) -> None:
    client = visitor()
    assert 'lang="zh-hans"' in client.get(entry.path).content.decode()
    assert client.get(entry.path, {"lang": "en"})["Location"] == entry.path
    assert "What happened?" in client.get(entry.path).content.decode()


def test_pages_ask_few_queries_however_much_there_is(entry: PublicEntry) -> None:
    def count(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert visitor().get(address).status_code == 200
        return len(captured)

    one = count("/f/")
    for n in range(50):
        service.open_page(store=make_store(f"s{n}"), by=None, now=timezone.now())
    assert count("/f/") == one == 1
    assert count(entry.path) == 1


# -- looking after it ----------
def test_number_and_code_open_the_case(entry: PublicEntry, cast: Cast) -> None:
    client = visitor()
    number, secret = slip(send(client, entry))
    feedback = case(Feedback.objects.get().pk)
    moves.record_contact(
        feedback=feedback,
        how="public_reply",
        said="已为您补发，单号明天给您",
        by=cast.lin,
        now=timezone.now(),
    )
    moves.record_contact(
        feedback=feedback, how="phone", said="内部：顾客很生气，先安抚", by=cast.lin, now=timezone.now()
    )
    moves.add_note(feedback=feedback, text="内部备注：老顾客", by=cast.lin, now=timezone.now())
    page = look(client, number, secret.lower()).content.decode()
    assert "已为您补发" in page
    assert "内部" not in page
    assert cast.alice.name not in page
    assert secret.replace(" ", "") not in page.replace(" ", "")


def test_wrong_codes_and_unknown_numbers_answer_alike(entry: PublicEntry) -> None:
    client = visitor()
    number, _secret = slip(send(client, entry))
    wrong = look(client, number, "AAAAAAAA")
    unknown = look(client, "F9999999", "AAAAAAAA")
    huge = look(client, "F" + "9" * 18, "AAAAAAAA")
    assert wrong.status_code == unknown.status_code == huge.status_code == 403
    strip = re.compile(rf"{number}|F9999999|name=.csrfmiddlewaretoken. value=.[^>]+")
    assert strip.sub("", wrong.content.decode()) == strip.sub("", unknown.content.decode())


def test_guessing_is_locked_out_even_with_the_right_code(entry: PublicEntry) -> None:
    client = visitor()
    number, secret = slip(send(client, entry))
    states = [look(client, number, "AAAAAAA" + sign).status_code for sign in "ACDEFG"]
    assert states == [403] * 5 + [429]
    assert look(client, number, secret).status_code == 429
    # From elsewhere the customer still gets in.
    assert look(client, number, secret, REMOTE_ADDR="203.0.113.9").status_code == 200


def test_strangers_in_many_networks_do_not_lock_the_customer_out(entry: PublicEntry) -> None:
    client = visitor()
    number, secret = slip(send(client, entry))
    stranger = visitor()
    for network in range(15):
        states = [
            look(stranger, number, "AAAAAAAA", REMOTE_ADDR=f"198.51.100.{network}").status_code
            for _ in range(5)
        ]
        assert states == [403] * 5
    assert look(client, number, secret).status_code == 200


def test_guessing_from_everywhere_is_bounded_all_the_same() -> None:
    tries, seconds = service.GUESSES_EVERYWHERE
    an_hour = tries * 3600 / seconds
    # A year of it, without a pause and from as many networks as there are.
    assert an_hour * 24 * 366 / len(ALPHABET) ** service.SECRET_LENGTH < 0.001


def test_looking_with_the_right_code_is_never_locked(entry: PublicEntry) -> None:
    client = visitor()
    number, secret = slip(send(client, entry))
    assert [look(client, number, secret).status_code for _ in range(12)] == [200] * 12


def test_an_answer_resumes_a_case_that_waits(entry: PublicEntry, cast: Cast) -> None:
    client = visitor()
    number, secret = slip(send(client, entry))
    feedback = case(Feedback.objects.get().pk)
    moves.wait(feedback=feedback, why="customer", by=cast.lin, now=timezone.now(), reason="等顾客提供单号")
    page = look(client, number, secret)
    answer = add(client, page, "单号是 SF1234567")
    assert answer.status_code == 200
    feedback.refresh_from_db()
    assert feedback.status == "in_progress"
    (line,) = Entry.objects.filter(kind="inbound")
    assert line.text == "单号是 SF1234567"
    assert told(feedback.assignee, feedback.number) >= 1


def test_adding_twice_with_one_form_adds_once(entry: PublicEntry) -> None:
    client = visitor()
    page = look(client, *slip(send(client, entry)))
    for _ in range(2):
        assert add(client, page, "补充：包装也破了").status_code == 200
    assert Entry.objects.filter(kind="inbound").count() == 1


@pytest.mark.parametrize(
    ("text", "status"),
    [("又坏了，还是没解决，要求退款", "in_progress"), ("谢谢，非常满意，服务真好", "resolved")],
)
def test_a_resolved_case_opens_again_unless_it_is_thanks(
    entry: PublicEntry, cast: Cast, text: str, status: str
) -> None:
    client = visitor()
    number, secret = slip(send(client, entry))
    feedback = case(Feedback.objects.get().pk)
    moves.resolve(feedback=feedback, by=cast.lin, now=timezone.now(), reason="已退款")
    assert add(client, look(client, number, secret), text).status_code == 200
    feedback.refresh_from_db()
    assert feedback.status == status
    assert Entry.objects.filter(kind="inbound").count() == 1


def test_a_case_nobody_owned_is_handed_out_when_the_customer_comes_back(
    entry: PublicEntry, cast: Cast
) -> None:
    client = visitor()
    # Praise is put aside at once and belongs to nobody.
    number, secret = slip(send(client, entry, text="谢谢，非常满意，服务真好", rating="5"))
    feedback = case(Feedback.objects.get().pk)
    assert (feedback.status, feedback.assignee) == ("closed", None)
    assert add(client, look(client, number, secret), "又坏了，还是没解决，要求退款").status_code == 200
    feedback.refresh_from_db()
    assert feedback.status == "assigned"
    assert feedback.assignee in (cast.alice, cast.bob)
    assert feedback.team is not None
    assert told(feedback.assignee, feedback.number) >= 1


def test_a_case_that_opens_while_nobody_is_there_waits_to_be_handed_out(
    entry: PublicEntry, cast: Cast
) -> None:
    client = visitor()
    number, secret = slip(send(client, entry, text="谢谢，非常满意，服务真好", rating="5"))
    page = look(client, number, secret)
    cast.off_duty()
    assert add(client, page, "又坏了，还是没解决，要求退款").status_code == 200
    feedback = Feedback.objects.get()
    assert (feedback.status, feedback.assignee) == ("new", None)
    moves.claim(feedback=feedback, by=cast.lin, now=timezone.now())


def test_after_thirty_days_the_text_stays_with_the_customer(entry: PublicEntry, cast: Cast) -> None:
    client = visitor()
    number, secret = slip(send(client, entry))
    feedback = case(Feedback.objects.get().pk)
    moves.resolve(feedback=feedback, by=cast.lin, now=timezone.now(), reason="已退款")
    Feedback.objects.update(resolved_at=timezone.now() - timedelta(days=31))
    answer = add(client, look(client, number, secret), "又坏了，要求退款")
    assert answer.status_code == 409
    assert "又坏了，要求退款" in answer.content.decode()
    assert not Entry.objects.exists()


def test_what_reads_like_an_emergency_raises_the_case(entry: PublicEntry, cast: Cast) -> None:
    client = visitor()
    number, secret = slip(send(client, entry, text="请问什么时候发货？"))
    assert Feedback.objects.get().tier == "B"
    add(client, look(client, number, secret), "吃完之后食物中毒住院了")
    assert Feedback.objects.get().tier == "S"
    assert told(cast.max, "S") >= 1


def test_a_ticket_opens_no_other_case_and_ends(entry: PublicEntry) -> None:
    client = visitor()
    page = look(client, *slip(send(client, entry)))
    data = {name: hidden(page, name) for name in ("nonce", "ticket", "csrfmiddlewaretoken")}
    forged = client.post("/f/status/add/", data | {"ticket": data["ticket"][:-3] + "abc", "text": "别人的"})
    assert forged.status_code == 403
    assert not Entry.objects.exists()


def test_no_personal_data_in_addresses_or_logs(entry: PublicEntry, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = visitor()
    answer = send(client, entry, phone="13912345678", nickname="王小明", agreed="on")
    number, secret = slip(answer)
    page = look(client, number, secret)
    for response in (answer, page):
        assert "Location" not in response
        addresses = re.findall(r'(?:href|action|src)="([^"]*)"', response.content.decode())
        for found in (*addresses, response.request["PATH_INFO"], response.request["QUERY_STRING"]):
            assert number not in found
            assert secret.replace(" ", "") not in found
    assert "13912345678" not in caplog.text.replace("139****5678", "")
    assert secret.replace(" ", "") not in caplog.text


def test_staff_are_told_in_the_language_of_the_shop_whatever_the_customer_reads(
    entry: PublicEntry, cast: Cast
) -> None:
    client = visitor()
    client.get(entry.path, {"lang": "en"})
    number, secret = slip(send(client, entry, text="吃完之后食物中毒住院了", rating="1"))
    feedback = case(Feedback.objects.get().pk)
    assert feedback.tier == "S"
    moves.wait(feedback=feedback, why="customer", by=cast.lin, now=timezone.now(), reason="等顾客提供病历")
    answer = add(client, look(client, number, secret), "病历明天发给您")
    assert "Thank you" in answer.content.decode()
    stored = [
        *StaffNotice.objects.values_list("title", flat=True),
        *WorkItem.objects.values_list("title", flat=True),
        *ActionLog.objects.filter(verb="resume").values_list("reason", flat=True),
        *Entry.objects.filter(kind="inbound").values_list("speaker", flat=True),
    ]
    assert len(stored) >= 5
    assert [text for text in stored if not re.search("[\u4e00-\u9fff]", text)] == []
    # The customer is still told in their own.
    assert "Please write a little more." in send(client, entry, text="x").content.decode()


def test_background_work_speaks_the_language_of_the_shop() -> None:
    @shared_task
    def spoken_task() -> str:
        return translation.get_language()

    with translation.override("en"):
        assert spoken_task.apply().get() == "zh-hans"
        assert translation.get_language() == "en"


# -- forgetting ----------
def test_name_and_telephone_go_after_the_promised_time(entry: PublicEntry, cast: Cast) -> None:
    send(visitor(), entry, phone="13912345678", nickname="王小明", agreed="on")
    feedback = case(Feedback.objects.get().pk)
    moves.resolve(feedback=feedback, by=cast.lin, now=timezone.now(), reason="已退款")
    assert service.forget_contacts(now=timezone.now() + timedelta(days=364)) == 0
    assert service.forget_contacts(now=timezone.now() + timedelta(days=366)) == 1
    customer = Customer.objects.get()
    assert (customer.phone, customer.phone_hash, customer.nickname) == ("", "", "")
    feedback.refresh_from_db()
    assert feedback.author_name == ""
    assert service.forget_contacts(now=timezone.now() + timedelta(days=366)) == 0


def test_a_customer_known_otherwise_keeps_the_telephone(entry: PublicEntry, cast: Cast) -> None:
    send(visitor(), entry, phone="13912345678", nickname="王小明", agreed="on")
    Order.objects.create(order_no="D1", customer=Customer.objects.get())
    Feedback.objects.update(status="closed", closed_at=timezone.now())
    assert service.forget_contacts(now=timezone.now() + timedelta(days=366)) == 1
    assert Customer.objects.get().phone == "13912345678"


def test_somebody_who_wrote_twice_is_forgotten_when_the_last_case_is_over(
    entry: PublicEntry, cast: Cast
) -> None:
    for text in (LATE, "包装也破了，要求换货"):
        send(visitor(), entry, text=text, phone="13912345678", nickname="王小明", agreed="on")
    first, second = Feedback.objects.order_by("pk")
    assert first.customer == second.customer
    now = timezone.now()
    moves.resolve(feedback=case(first.pk), by=cast.lin, now=now, reason="已退款")
    later = now + timedelta(days=366)
    # The other case still runs: the shop may have to call.
    assert service.forget_contacts(now=later) == 0
    assert Customer.objects.get().phone == "13912345678"
    assert Feedback.objects.get(pk=first.pk).author_name == ""
    moves.resolve(feedback=case(second.pk), by=cast.lin, now=later, reason="已换货")
    assert service.forget_contacts(now=later + timedelta(days=366)) == 2
    assert Customer.objects.get().phone == ""
    assert service.forget_contacts(now=later + timedelta(days=366)) == 0


# -- the back office ----------
def staff(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


ADMIN = "/admin/feedback/publicentry/"


def test_a_lead_opens_a_page_and_prints_the_sheet(cast: Cast) -> None:
    client = staff(cast.lin)
    answer = client.post(
        ADMIN + "add/", {"store": cast.store.pk, "is_on": "on", "is_listed": "on", "welcome": ""}
    )
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    entry = PublicEntry.objects.get()
    assert len(entry.code) == service.CODE_LENGTH
    sheet = client.get(f"{ADMIN}{entry.pk}/sheet/").content.decode()
    assert "<svg" in sheet
    assert cast.store.name in sheet
    assert entry.code in sheet
    assert client.get(ADMIN).status_code == client.get(f"{ADMIN}{entry.pk}/change/").status_code == 200


def test_a_new_address_needs_a_reason_and_ends_the_old_one(entry: PublicEntry, cast: Cast) -> None:
    client, old = staff(cast.lin), entry.path
    url = f"{ADMIN}{entry.pk}/renew/"
    client.get(url)
    client.post(url, {"reason": ""})
    assert PublicEntry.objects.get().path == old
    client.post(url, {"reason": "旧海报被人撕走"})
    new = PublicEntry.objects.get().path
    assert new != old
    assert visitor().get(old).status_code == 404
    assert visitor().get(new).status_code == 200
    assert ActionLog.objects.filter(model="feedback.publicentry", verb="renew_code").count() == 1


def test_stores_see_and_print_theirs_only(entry: PublicEntry, cast: Cast) -> None:
    other = service.open_page(store=make_store("anfu"), by=None, now=timezone.now())
    client = staff(cast.sue)
    assert client.get(f"{ADMIN}{entry.pk}/sheet/").status_code == 200
    assert client.get(f"{ADMIN}{other.pk}/sheet/").status_code == 404
    assert client.post(f"{ADMIN}{entry.pk}/renew/", {"reason": "想换"}).status_code == 403
    assert staff(make_user("nobody")).get(f"{ADMIN}{entry.pk}/sheet/").status_code == 403


def test_the_list_asks_the_same_number_of_queries_for_1_and_50(entry: PublicEntry, cast: Cast) -> None:
    client = staff(cast.lin)

    def count() -> int:
        client.get(ADMIN)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(ADMIN).status_code == 200
        return len(captured)

    one = count()
    for n in range(50):
        service.open_page(store=make_store(f"s{n}"), by=None, now=timezone.now())
    assert count() == one
