"""Praise, permission of authors, showcases and what they give out (R32, R71; REV-07)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone, translation

from apps.compliance.models import ComplianceRule, Verdict
from apps.compliance.services.verdicts import Unlawful
from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted, ReasonNeeded, StaleState
from apps.core.models import StaffNotice
from apps.core.reference import touch
from apps.core.services.files import store_file
from apps.customers.models import ContactHold, Customer
from apps.customers.services.consent import record_consent
from apps.feedback.incoming import IncomingFeedback
from apps.feedback.models import Entry, Feedback, FeedbackFile
from apps.feedback.selectors.reference import reference
from apps.feedback.services.changes import apply_change
from apps.messaging.models import InboundMessage, MessageTemplate, OutboundMessage
from apps.messaging.services.inbound import IncomingMessage, receive
from apps.repairs.models import PraiseMark, PraiseTag, Showcase, ShowcaseItem, ShowPermission
from apps.repairs.selectors.showcase import SwitchedOff, export, fill, snippet
from apps.repairs.services import praise, showcase
from apps.repairs.showing import is_excerpt, names_selection, offers_something, read_answer
from apps.repairs.transitions import SHOW_ITEM
from tests.core.test_public import photo
from tests.factories import NOW, Cast, arrive, make_store, make_user, reads
from tests.factories import queries as queries_of
from tests.feedback.api_fixtures import Client as ApiClient
from tests.feedback.api_fixtures import make_token

pytestmark = pytest.mark.django_db
TEXT = "很好喝，杯子也漂亮，不好看的是袋子，下次还来"
ALL = frozenset({"text", "photo", "nickname"})


@pytest.mark.parametrize(
    ("shown", "fine"),
    [
        (TEXT, True),
        ("很好喝…下次还来", True),
        ("很好喝，…", True),
        ("…杯子也漂亮…", True),
        ("很好喝，杯子也漂亮...下次还来", True),
        ("很好喝 … 下次还来", True),
        # Without a mark, in another order, with another word, out of the middle of a clause.
        ("很好喝，下次还来", False),
        ("下次还来…很好喝", False),
        ("非常好喝…下次还来", False),
        ("…好看的是袋子…", False),
        ("…次还来", False),
        ("…", False),
        ("", False),
    ],
)
def test_only_whole_clauses_may_be_left_out(shown: str, fine: bool) -> None:
    assert is_excerpt(shown, TEXT) is fine


@pytest.mark.parametrize(
    ("text", "answer", "parts"),
    [
        ("同意", "yes", {"text"}),
        ("同意!", "yes", {"text"}),
        ("全部同意", "yes", {"text", "photo", "nickname"}),
        ("同意文字和照片", "yes", {"text", "photo"}),
        ("不同意", "no", set()),
        ("不要用", "no", set()),
        ("撤回展示", "back", set()),
        ("同意文字，不同意照片", "", set()),
        ("同意，但是要给我红包", "", set()),
        ("给多少钱同意", "", set()),
        ("你好", "", set()),
        ("", "", set()),
    ],
)
def test_answers_of_authors(text: str, answer: str, parts: set[str]) -> None:
    said = read_answer(text, ALL)
    assert (said.answer, set(said.parts)) == (answer, parts)


def test_labels_and_offers() -> None:
    assert names_selection("精选评价，非全部")
    assert not names_selection("顾客评价")
    assert offers_something("送您一张五元券作为奖励") and not offers_something("谢谢您的评价")


def customer(**values: Any) -> Customer:
    return Customer.objects.create(**({"name": "王小雨", "email": "wang@example.com"} | values))


def good(text: str = TEXT, **values: Any) -> Feedback:
    """A five-star review of somebody known by e-mail."""
    row = arrive("praise", text=text, rating=values.pop("rating", 5), **values)
    row.customer, row.author_name = customer(email=f"w{row.pk}@example.com"), "小雨不吃鱼"
    row.save()
    return row


def item_of(cast: Cast, *, state: str = "proposed", parts: Any = ("text",), **values: Any) -> ShowcaseItem:
    item = showcase.propose(feedback=values.pop("feedback", None) or good(), by=cast.alice, now=NOW, **values)
    if state in ("permitted", "released"):
        showcase.grant(item=item, parts=parts, reason="电话里同意", by=cast.alice, now=NOW)
    if state == "released":
        showcase.release(item=item, by=cast.lin, now=NOW)
    return ShowcaseItem.objects.get(pk=item.pk)


def template(code: str = "SHOW_ASK_MAIL") -> MessageTemplate:
    return MessageTemplate.objects.get(code=code)


def make_page(**values: Any) -> Showcase:
    return Showcase.objects.create(
        **({"code": "home", "name": "首页", "reviews_url": "https://shop.example/all"} | values)
    )


# -- praise ----------
def test_praise_is_thanked_once_though_its_case_is_closed(cast: Cast) -> None:
    row = good()
    assert row.status == "closed"
    first = praise.thank(feedback=row, template=template("TH_MAIL"), by=cast.alice, now=NOW)
    again = praise.thank(feedback=row, template=template("TH_MAIL"), by=cast.bob, now=NOW)
    assert first == again and Entry.objects.filter(feedback=row).count() == 1
    row.refresh_from_db()
    assert row.status == "closed"


def test_thanks_with_a_present_are_stopped_by_the_law(cast: Cast) -> None:
    gift = MessageTemplate.objects.create(
        code="TH_GIFT", channel="email", title="谢", body="谢谢您的好评，送您一张五元优惠券。"
    )
    with pytest.raises(Unlawful) as refusal:
        praise.thank(feedback=good(), template=gift, by=cast.alice, now=NOW)
    assert refusal.value.params["findings"][0].rule == "REV-01"
    assert Verdict.objects.filter(ruling="blocked").exists() and not OutboundMessage.objects.exists()


def test_many_are_thanked_each_by_itself(cast: Cast) -> None:
    rows = [good(), good(), good()]
    Customer.objects.filter(pk=rows[1].customer_id).update(email="")
    done = praise.thank_many(feedback=rows, templates=[template("TH_MAIL")], by=cast.alice, now=NOW)
    assert [row.done for row in done] == [True, False, True]
    with pytest.raises(NotPermitted):
        praise.thank(feedback=rows[1], template=template("TH_MAIL"), by=cast.ann, now=NOW)


def test_tags_are_suggested_by_words_and_put_on_once(cast: Cast) -> None:
    row, tags = good(), list(PraiseTag.objects.all())
    fitting = praise.suggested(row, tags)
    assert {tag.name for tag in fitting} >= {"口味好", "好看"}
    assert praise.set_tags(feedback=[row], add=fitting, by=cast.alice, now=NOW) == len(fitting)
    assert praise.set_tags(feedback=[row], add=fitting, by=cast.alice, now=NOW) == 0
    praise.set_tags(feedback=[row], remove=fitting, by=cast.alice, now=NOW)
    assert not PraiseMark.objects.exists()


# -- the way to the showcase ----------
def test_who_may_be_proposed(cast: Cast) -> None:
    nameless = arrive("praise", text="好评", rating=5)
    for row in (nameless, arrive("A", rating=1)):
        with pytest.raises(InvalidInput):
            showcase.propose(feedback=row, by=cast.alice, now=NOW)
    with pytest.raises(NotPermitted):
        showcase.propose(feedback=good(), by=cast.ann, now=NOW)
    row = good()
    showcase.propose(feedback=row, by=cast.alice, now=NOW)
    with pytest.raises(InvalidInput, match=r"(?i)before|以前"):
        showcase.propose(feedback=row, by=cast.bob, now=NOW)


def test_words_are_never_changed(cast: Cast) -> None:
    item = item_of(cast)
    with pytest.raises(InvalidInput) as refusal:
        showcase.edit(item=item, text="太好喝了", photos=(), with_nickname=False, by=cast.alice, now=NOW)
    assert refusal.value.params["field"] == "text"
    showcase.edit(item=item, text="很好喝…", photos=(), with_nickname=True, by=cast.alice, now=NOW)
    item.refresh_from_db()
    assert (item.text, item.with_nickname) == ("很好喝…", True)


def test_a_second_person_releases_with_permission_only(cast: Cast) -> None:
    item = item_of(cast)
    with pytest.raises(IllegalMove):
        showcase.release(item=item, by=cast.lin, now=NOW)
    with pytest.raises(ReasonNeeded):
        showcase.grant(item=item, parts=["text"], reason=" ", by=cast.alice, now=NOW)
    with pytest.raises(InvalidInput):
        showcase.grant(item=item, parts=["photo"], reason="电话", by=cast.alice, now=NOW)
    showcase.grant(item=item, parts=["text"], reason="电话里同意", by=cast.alice, now=NOW)
    with pytest.raises(NotPermitted):
        showcase.release(item=item, by=cast.bob, now=NOW)
    showcase.release(item=item, by=cast.lin, now=NOW)
    # A lead's own proposal needs another lead; the database holds it too.
    own = showcase.propose(feedback=good(), by=cast.lin, now=NOW)
    showcase.grant(item=own, parts=["text"], reason="电话里同意", by=cast.lin, now=NOW)
    with pytest.raises(NotPermitted):
        showcase.release(item=own, by=cast.lin, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        ShowcaseItem.objects.filter(pk=own.pk).update(
            status="released", released_by=cast.lin, released_at=NOW
        )
    showcase.release(item=own, by=cast.max, now=NOW)


def test_permission_without_evidence_is_none(cast: Cast) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ShowPermission.objects.create(item=item_of(cast), part="text", granted_at=NOW)


def test_author_is_asked_and_a_plain_yes_permits_the_text_alone(cast: Cast) -> None:
    item = item_of(cast, with_nickname=True)
    showcase.ask(item=item, template=template(), by=cast.alice, now=NOW)
    message = OutboundMessage.objects.get(purpose="showcase_ask")
    assert "没有任何报酬" in message.body and "昵称" in message.body and item.status == "asked"
    with pytest.raises(IllegalMove):
        showcase.ask(item=item, template=template(), by=cast.bob, now=NOW)
    OutboundMessage.objects.filter(pk=message.pk).update(state="sent", sent_at=NOW)
    before = Entry.objects.count()
    address = item.feedback.customer.email
    answer = IncomingMessage(channel="email", address=address, text="同意", external_id="1")
    assert receive([answer], gateway_code="mail", now=NOW)[0].state == "handled"
    item = ShowcaseItem.objects.get(pk=item.pk)
    assert item.status == "permitted" and item.granted() == {"text"}
    permission = item.permissions.get(part="text")
    assert permission.inbound == InboundMessage.objects.get() and permission.asked_at == NOW
    assert Entry.objects.count() == before
    assert StaffNotice.objects.filter(recipient=cast.alice, dedupe_key__startswith="show_answer").exists()
    # Taken back in plain words: gone at once, for good.
    showcase.release(item=item, by=cast.lin, now=NOW)
    back = IncomingMessage(channel="email", address=address, text="撤回展示", external_id="2")
    receive([back], gateway_code="mail", now=NOW)
    item.refresh_from_db()
    assert item.status == "withdrawn" and not fill(make_page(), now=NOW).reviews


def test_no_means_no_and_doubt_is_left_to_people(cast: Cast) -> None:
    item = item_of(cast)
    showcase.ask(item=item, template=template(), by=cast.alice, now=NOW)
    OutboundMessage.objects.update(state="sent", sent_at=NOW)
    say = lambda text, number: receive(  # noqa: E731
        [
            IncomingMessage(
                channel="email", address=item.feedback.customer.email, text=text, external_id=number
            )
        ],
        gateway_code="mail",
        now=NOW,
    )
    say("给多少钱？", "1")
    item.refresh_from_db()
    assert item.status == "asked"
    say("不同意", "2")
    item.refresh_from_db()
    assert item.status == "refused"
    with pytest.raises(InvalidInput):
        showcase.propose(feedback=item.feedback, by=cast.alice, now=NOW)


def test_the_gate_speaks_before_the_author_is_asked(cast: Cast) -> None:
    item = item_of(cast)
    ContactHold.objects.create(customer=item.feedback.customer, reason="勿扰", starts_at=NOW, by=cast.lin)
    with pytest.raises(InvalidInput):
        showcase.ask(item=item, template=template(), by=cast.alice, now=NOW)
    item.refresh_from_db()
    assert item.status == "proposed" and OutboundMessage.objects.get().state == "refused"
    bribe = MessageTemplate.objects.create(
        code="SHOW_ASK_BRIBE", channel="email", title="求", body="同意展示好评就送您优惠券"
    )
    with pytest.raises(Unlawful):
        showcase.ask(item=item_of(cast), template=bribe, by=cast.alice, now=NOW)


def test_photo_and_nickname_need_permissions_of_their_own(cast: Cast) -> None:
    row = good()
    stored = store_file(upload=SimpleUploadedFile("a.jpg", photo().read()), by=cast.alice, now=NOW)
    picture = FeedbackFile.objects.create(feedback=row, file=stored)
    item = item_of(cast, state="released", feedback=row, photos=[picture], with_nickname=True)
    (shown,) = fill(make_page(), now=NOW).reviews
    assert shown.photos == () and "*" in shown.name
    showcase.hide(item=item, reason="补许可", by=cast.lin, now=NOW)
    showcase.grant(item=item, parts=["photo", "nickname"], reason="又问了一次", by=cast.alice, now=NOW)
    showcase.release(item=item, by=cast.lin, now=NOW)
    (shown,) = fill(Showcase.objects.get(), now=NOW).reviews
    assert shown.photos[0].startswith("data:image/jpeg;base64,") and shown.name == "小雨不吃鱼"
    showcase.withdraw(item=item, parts=["photo"], reason="不想露照片", by=cast.bob, now=NOW)
    (shown,) = fill(Showcase.objects.get(), now=NOW).reviews
    assert shown.photos == () and shown.name == "小雨不吃鱼"
    with pytest.raises(InvalidInput):
        other = FeedbackFile.objects.create(feedback=good(), file=stored)
        showcase.propose(feedback=good(), by=cast.alice, now=NOW, photos=[other])


@pytest.mark.parametrize("how", ["stars", "feeling", "follow-up"])
def test_a_review_that_turns_is_not_given_out_and_taken_down(cast: Cast, how: str) -> None:
    item, page = item_of(cast, state="released"), make_page()
    assert len(fill(page, now=NOW).reviews) == 1
    if how == "stars":
        Feedback.objects.filter(pk=item.feedback_id).update(rating=2)
    elif how == "feeling":
        Feedback.objects.filter(pk=item.feedback_id).update(sentiment="negative")
    else:
        later = arrive("A", rating=1)
        Feedback.objects.filter(pk=later.pk).update(parent=item.feedback)
    assert fill(page, now=NOW).reviews == ()
    assert (showcase.take_down_turned(now=NOW), showcase.take_down_turned(now=NOW)) == (1, 0)
    item.refresh_from_db()
    assert item.status == "withdrawn" and item.why_ended
    assert StaffNotice.objects.filter(dedupe_key__startswith="show_turned").count() == 2


def test_every_move_is_a_service_or_the_sweep() -> None:
    from apps.repairs.admin.showcase import ShowcaseItemAdmin

    assert set(SHOW_ITEM.verbs()) == set(ShowcaseItemAdmin.moves) | {"turn"}


# -- showcases ----------
@pytest.mark.parametrize(
    "wrong",
    [
        {"reviews_url": ""},
        {"label": ""},
        {"label": "顾客评价"},
        {"claims_all": True},
        {"shows_counts": False},
        {"label": "只展示好评"},
    ],
)
def test_a_showcase_that_hides_the_rest_is_refused(cast: Cast, wrong: dict[str, Any]) -> None:
    page = make_page(**wrong)
    with pytest.raises(Unlawful) as refusal:
        showcase.switch_on(showcase=page, by=cast.lin, now=NOW)
    assert refusal.value.params["findings"][0].rule == "REV-07" and "条例" in str(refusal.value.message)
    assert Verdict.objects.filter(subject="display", ruling="blocked").exists()
    with pytest.raises(SwitchedOff):
        export(page, now=NOW)


def test_the_database_refuses_a_showcase_without_label_or_link() -> None:
    for wrong in ({"reviews_url": ""}, {"label": ""}, {"claims_all": True}):
        with pytest.raises(IntegrityError), transaction.atomic():
            make_page(status="on", **wrong)


def test_what_is_given_out_is_labelled_counted_and_escaped(cast: Cast) -> None:
    now = timezone.now()
    for stars in (1, 2, 5):
        arrive("A" if stars < 3 else "praise", rating=stars, now=now)
    item_of(cast, state="released", feedback=good("<script>alert(1)</script>，好喝"))
    page = make_page()
    showcase.switch_on(showcase=page, by=cast.lin, now=NOW)
    data, tag, _changed = export(page, now=now)
    html = data["html"]
    assert data["counts"]["all"] >= 3 and data["counts"]["negative"] == 2
    assert data["label"] in html and "https://shop.example/all" in html and "<figure" in html
    assert "<script" not in html and "&lt;script&gt;" in html and "★★★★★" in html
    assert data["reviews"][0]["author"].endswith("*") and export(page, now=now)[1] == tag


def test_a_showcase_takes_what_it_names(cast: Cast) -> None:
    west = make_store("west")
    item_of(cast, state="released", feedback=good(store="renmin"))
    row = good(store="west", product_sku="TEA-1")
    item_of(cast, state="released", feedback=row)
    tag = PraiseTag.objects.all()[0]
    praise.set_tags(feedback=[row], add=[tag], by=cast.alice, now=NOW)
    assert len(fill(make_page(code="a"), now=NOW).reviews) == 2
    for code, narrowed in (("b", {"store": west}), ("c", {"tag": tag}), ("d", {"product": row.product})):
        (shown,) = fill(make_page(code=code, **narrowed), now=NOW).reviews
        assert shown.store == west.name


def test_filling_costs_the_same_for_one_and_for_many(cast: Cast) -> None:
    page = make_page(most=50)
    item_of(cast, state="released")
    with queries_of() as one:
        fill(page, now=NOW)
    for _n in range(6):
        item_of(cast, state="released")
    with queries_of() as many:
        assert len(fill(page, now=NOW).reviews) == 7
    assert len(one) == len(many)
    assert snippet(fill(page, now=NOW)).count("<figure") == 7


def test_api_answers_once_and_says_not_modified(cast: Cast) -> None:
    page = make_page(store=cast.store)
    item = item_of(cast, state="released", feedback=good(store="renmin"))
    _token, key = make_token(["showcase:read"])
    api = ApiClient(key)
    assert api.read("showcases/home/").status_code == 409
    showcase.switch_on(showcase=page, by=cast.lin, now=NOW)
    answer = api.read("showcases/home/")
    assert answer.status_code == 200 and answer.json()["reviews"][0]["text"] == item.text
    assert answer["ETag"] and answer["Last-Modified"]
    again = api.get("/api/v1/showcases/home/", headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304
    showcase.withdraw(item=item, reason="撤回", by=cast.alice, now=NOW)
    later = api.get("/api/v1/showcases/home/", headers={"If-None-Match": answer["ETag"]})
    assert later.status_code == 200 and later.json()["reviews"] == []
    assert ApiClient(make_token(["feedback:read"], name="b")[1]).read("showcases/home/").status_code == 403
    assert api.read("showcases/nowhere/").status_code == 404
    bound = make_token(["showcase:read"], stores=["elsewhere"], name="c")[1]
    assert ApiClient(bound).read("showcases/home/").status_code == 404


# -- pages ----------
def test_the_list_of_praise_costs_the_same_for_one_and_for_many(cast: Cast, client: Client) -> None:
    client.force_login(cast.lin)
    praise.set_tags(feedback=[good()], add=PraiseTag.objects.all()[3:4], by=cast.alice, now=NOW)
    client.get("/admin/repairs/praise/")
    with queries_of() as one:
        assert client.get("/admin/repairs/praise/").status_code == 200
    for _n in range(10):
        row = good()
    praise.set_tags(feedback=[row], add=PraiseTag.objects.all()[:3], by=cast.alice, now=NOW)
    arrive("A", rating=1)
    with queries_of() as many:
        answer = client.get("/admin/repairs/praise/")
    assert len(reads(one)) == len(reads(many))
    assert answer.context["cl"].result_count == 11
    tag = PraiseTag.objects.all()[0]
    assert client.get(f"/admin/repairs/praise/?tag={tag.pk}").context["cl"].result_count == 1
    assert client.get("/admin/repairs/praise/?tag=none").context["cl"].result_count == 9


def test_store_staff_see_and_thank_their_own(cast: Cast, client: Client) -> None:
    mine, other = good(store="renmin"), good()
    client.force_login(cast.sue)
    page = client.get("/admin/repairs/praise/")
    assert page.context["cl"].result_count == 1
    asked = client.get(f"/admin/repairs/praise/thank/?ids={mine.pk}&ids={other.pk}")
    assert [row.pk for row in asked.context["rows"]] == [mine.pk]
    assert client.get(f"/admin/repairs/praise/propose/?ids={mine.pk}").status_code == 403


def test_from_the_list_to_the_showcase_by_its_pages(cast: Cast, client: Client) -> None:
    row = good()
    client.force_login(cast.alice)
    chosen = client.post("/admin/repairs/praise/", {"action": "propose_action", "_selected_action": [row.pk]})
    assert client.get(chosen.url).status_code == 200 and not ShowcaseItem.objects.exists()
    client.post("/admin/repairs/praise/propose/", {"ids": [row.pk]})
    item = ShowcaseItem.objects.get()
    page = f"/admin/repairs/showcaseitem/{item.pk}/"
    asked = client.get(f"{page}move/ask/")
    assert "没有任何报酬" in asked.content.decode()
    client.post(f"{page}excerpt/", {"text": "很好喝…"})
    proof = SimpleUploadedFile("a.jpg", photo().read(), content_type="image/jpeg")
    client.post(f"{page}move/grant/", {"parts": ["text"], "reason": "聊天截图", "file": proof})
    assert item.permissions.get().file is not None
    assert client.post(f"{page}move/release/").status_code == 403
    client.force_login(cast.lin)
    assert client.get(item.permissions.get().file and f"{page}change/").status_code == 200
    client.post(f"{page}move/release/", {})
    item.refresh_from_db()
    assert (item.status, item.text) == ("released", "很好喝…")
    home = make_page()
    address = f"/admin/repairs/showcase/{home.pk}/"
    assert client.get(f"{address}export/html/").status_code == 302
    client.post(f"{address}move/switch_on/", {})
    assert "很好喝" in client.get(f"{address}export/html/").content.decode()
    assert json.loads(client.get(f"{address}export/json/").content)["reviews"]
    # What is on was checked as it stands.
    assert client.post(f"{address}change/", {"name": "改"}).status_code == 403
    client.force_login(make_user("ivy", "dept"))
    assert client.get(f"{address}export/json/").status_code in (302, 403, 404)


def test_tagging_and_thanking_by_their_pages(cast: Cast, client: Client) -> None:
    rows = [good(), good()]
    ids = [row.pk for row in rows]
    client.force_login(cast.alice)
    tags = client.get(f"/admin/repairs/praise/tags/?ids={ids[0]}")
    assert tags.context["form"].initial["add"]
    client.post("/admin/repairs/praise/tags/", {"ids": ids, "add": tags.context["form"].initial["add"]})
    assert PraiseMark.objects.filter(feedback=rows[1]).exists()
    done = client.post("/admin/repairs/praise/thank/", {"ids": ids, "templates": [template("TH_MAIL").pk]})
    assert done.context["count"] == 2


# -- second reading ----------
@pytest.mark.parametrize(
    "text",
    [
        "没同意过",
        "我没授权",
        "不太同意",
        "谁同意了",
        "不想授权",
        "除了照片都同意",
        "同意，照片打码",
        "同意文字，名字隐去",
        "同意吗",
        "不要撤回展示",
    ],
)
def test_what_is_no_plain_yes_permits_nothing(text: str) -> None:
    assert read_answer(text, ALL).answer == ""


def test_parts_that_are_named_are_the_parts_permitted() -> None:
    assert read_answer("文字和照片都同意", ALL).parts == {"text", "photo"}
    assert read_answer("好的，没问题，同意展示", ALL).parts == {"text"}
    back = read_answer("撤回照片，谢谢", ALL)
    assert (back.answer, back.parts) == ("back", {"photo"})
    # As easy as giving: other words beside it do not hold it up.
    assert read_answer("撤回展示，还钱", ALL).answer == "back"


@pytest.mark.parametrize(
    ("shown", "whole"),
    [
        ("…good…", "This is not good, sadly"),
        ("…5分…", "只能给4.5分，一般"),
        ("…000人说好…", "不到1,000人说好，一般"),
    ],
)
def test_no_cut_inside_a_word_or_number(shown: str, whole: str) -> None:
    assert not is_excerpt(shown, whole)
    assert is_excerpt("…杯子漂亮…", "很好喝 杯子漂亮 下次来") and is_excerpt(
        "It is good.…", "It is good. And fast."
    )


def test_a_long_review_is_proposed_up_to_a_whole_clause(cast: Cast) -> None:
    row = good("很好喝，杯子也漂亮。" * 150)
    item = showcase.propose(feedback=row, by=cast.alice, now=NOW)
    assert len(item.text) <= 1000 and item.text.endswith("，…") and item.says_so_still()
    silent = good()
    Feedback.objects.filter(pk=silent.pk).update(text=" ")
    with pytest.raises(InvalidInput, match=r"(?i)could be shown|可以展示"):
        showcase.propose(feedback=silent, by=cast.alice, now=NOW)


def say(item: ShowcaseItem, text: str, number: str) -> None:
    answer = IncomingMessage(
        channel="email", address=item.feedback.customer.email, text=text, external_id=number
    )
    receive([answer], gateway_code="mail", now=NOW)


def test_taking_back_holds_for_every_review_of_the_author(cast: Cast) -> None:
    """We promised “at any time”: whoever has three reviews shown need not write three times."""
    first, second = item_of(cast, state="released"), item_of(cast, state="released")
    Feedback.objects.filter(pk=second.feedback_id).update(customer=first.feedback.customer)
    other = item_of(cast, state="released")
    # Something else went to them since: it is that message which they seem to answer.
    OutboundMessage.objects.create(
        purpose="reply", subject_key="x", customer=first.feedback.customer, channel="email", state="sent",
        recipient_key=f"c:{first.feedback.customer_id}", idempotency_key="k", body="x", sent_at=NOW,
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    say(first, "撤回授权", "1")
    states = dict(ShowcaseItem.objects.values_list("pk", "status"))
    assert states == {first.pk: "withdrawn", second.pk: "withdrawn", other.pk: "released"}
    assert StaffNotice.objects.filter(dedupe_key__startswith="show_answer").count() == 2


def test_photos_alone_are_taken_back_in_words(cast: Cast) -> None:
    item = item_of(cast, state="released", parts=("text", "photo"))
    say(item, "撤回照片展示", "1")
    item = ShowcaseItem.objects.get(pk=item.pk)
    assert (item.status, item.granted()) == ("released", {"text"})


def test_consent_taken_back_in_the_ledger_takes_it_out(cast: Cast) -> None:
    item, page = item_of(cast, state="released"), make_page(code="ledger", reviews_url="https://x.example/a")
    customer_ = item.feedback.customer
    record_consent(
        customer=customer_, purpose="showcase", channel="any", granted=False, source="电话", now=NOW, by=None
    )
    assert fill(page, now=NOW).reviews == ()
    assert (showcase.take_down_turned(now=NOW), showcase.take_down_turned(now=NOW)) == (1, 0)
    item.refresh_from_db()
    assert item.status == "withdrawn"
    # Who said no is not asked again about another review.
    later = item_of(cast)
    Feedback.objects.filter(pk=later.feedback_id).update(customer=customer_)
    with pytest.raises(InvalidInput):
        showcase.ask(item=later, template=template(), by=cast.alice, now=NOW)
    assert not OutboundMessage.objects.exists()


@pytest.mark.parametrize("state", ["restricted", "erased"])
def test_data_that_may_not_be_used_is_not_shown(cast: Cast, state: str) -> None:
    item, page = item_of(cast, state="released"), make_page()
    other = item_of(cast, state="permitted")
    Customer.objects.filter(pk__in=(item.feedback.customer_id, other.feedback.customer_id)).update(
        state=state
    )
    assert fill(page, now=NOW).reviews == ()
    with pytest.raises(InvalidInput):
        showcase.release(item=other, by=cast.lin, now=NOW)
    # Storage only may end again; what was erased is gone.
    assert showcase.take_down_turned(now=NOW) == (2 if state == "erased" else 0)


def test_words_the_author_has_changed_are_not_shown_any_more(cast: Cast) -> None:
    item, page = item_of(cast, state="released"), make_page()
    kept = item_of(cast, state="released", text="很好喝…")
    for row, text in ((item.feedback, "还行，下次再说"), (kept.feedback, TEXT + "，真的")):
        version = IncomingFeedback(channel="taobao", text=text, rating=5)
        apply_change(reference(), feedback_id=row.pk, item=version, now=timezone.now() + timedelta(days=400))
    Feedback.objects.update(sentiment="positive")
    assert [row.text for row in fill(page, now=NOW).reviews] == ["很好喝…"]
    assert (showcase.take_down_turned(now=NOW), showcase.take_down_turned(now=NOW)) == (1, 0)
    item.refresh_from_db()
    assert item.status == "permitted"
    with pytest.raises(InvalidInput):
        showcase.release(item=item, by=cast.lin, now=NOW)
    showcase.edit(item=item, text="还行…", photos=(), with_nickname=False, by=cast.alice, now=NOW)
    showcase.release(item=item, by=cast.lin, now=NOW)


def test_another_word_does_not_replace_the_proof(cast: Cast) -> None:
    item = item_of(cast)
    showcase.ask(item=item, template=template(), by=cast.alice, now=NOW)
    OutboundMessage.objects.update(state="sent", sent_at=NOW)
    say(item, "同意", "1")
    item = ShowcaseItem.objects.get(pk=item.pk)
    showcase.grant(item=item, parts=["text", "nickname"], reason="电话里又问了", by=cast.alice, now=NOW)
    text, name = (item.permissions.get(part=part) for part in ("text", "nickname"))
    assert text.inbound is not None and text.evidence == "同意" and name.evidence == "电话里又问了"


def test_a_part_never_asked_for_can_be_taken_back(cast: Cast) -> None:
    item = item_of(cast, state="permitted")
    showcase.withdraw(item=item, parts=["photo"], reason="不要用照片", by=cast.alice, now=NOW)
    with pytest.raises(InvalidInput):
        showcase.grant(item=item, parts=["photo"], reason="误记", by=cast.alice, now=NOW)


def test_what_is_given_out_is_chinese_whoever_takes_it_out(cast: Cast) -> None:
    row = good()
    Feedback.objects.filter(pk=row.pk).update(author_name="")
    item_of(cast, state="released", feedback=row)
    page = make_page()
    with translation.override("en"):
        english = fill(page, now=NOW).reviews[0]
    with translation.override("zh-hans"):
        chinese = fill(page, now=NOW).reviews[0]
    assert english == chinese and "customer" not in english.name


def test_a_rule_without_a_law_still_refuses_in_words(cast: Cast) -> None:
    ComplianceRule.objects.filter(code="REV-07").update(law="")
    touch("compliance")
    with pytest.raises(Unlawful):
        showcase.switch_on(showcase=make_page(label="顾客评价"), by=cast.lin, now=NOW)


def test_a_part_chosen_while_the_question_is_written_is_not_asked_unseen(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = item_of(cast)
    written = showcase.question

    def slow(*args: Any) -> str:
        text = written(*args)
        showcase.edit(item=item, text=TEXT, photos=(), with_nickname=True, by=cast.bob, now=NOW)
        return text

    monkeypatch.setattr(showcase, "question", slow)
    with pytest.raises(StaleState):
        showcase.ask(item=item, template=template(), by=cast.alice, now=NOW)
    assert not OutboundMessage.objects.exists()
