"""The one pipeline behind every door: what gets in, what it becomes, what it costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import translation

from apps.core.models import ActionLog, StaffNotice
from apps.customers.models import Customer, CustomerIdentity, Order, OrderItem
from apps.feedback import signals
from apps.feedback.choices import EntryKind
from apps.feedback.incoming import FOLLOW_UP_ROWS, MAX_TEXT
from apps.feedback.marks import Marks
from apps.feedback.models import Channel, Entry, Feedback, FeedbackSearch, ImportRun, SlaClock
from apps.feedback.selectors.reference import forget_reference, reference
from apps.feedback.services.intake import Near
from apps.shop.models import WorkItem
from tests.factories import (
    NOW,
    Cast,
    arrive,
    at,
    case,
    clocks,
    make_product,
    make_store,
    make_user,
    queries,
    reads,
    take,
    told,
    verbs,
    voice,
)

pytestmark = pytest.mark.django_db
LATE = "快递送了七天才到,物流太慢了,很失望"


# -- what gets in --------------------------------------------------------------------------------------------
def test_a_text_and_a_channel_are_enough() -> None:
    (outcome,) = take(voice(LATE))
    assert (outcome.state, outcome.code, outcome.message, outcome.similar_to) == ("created", "", "", None)
    feedback = case(outcome.feedback_id)
    assert (feedback.text, feedback.snippet, feedback.channel.code, feedback.source) == (
        LATE,
        LATE,
        "taobao",
        "api",
    )
    assert (feedback.posted_at, feedback.received_at, feedback.created_at) == (NOW, NOW, NOW)
    assert (feedback.customer, feedback.store, feedback.product, feedback.order, feedback.rating) == (
        None,
    ) * 5
    # The real engine is behind the pipeline.
    assert (feedback.kind, feedback.sentiment, feedback.tier) == ("review", "negative", "A")
    assert feedback.category.code == "LOGISTICS" and feedback.department.name == "供应链"
    assert feedback.reading_version == reference().reader.read(LATE, None).version
    assert FeedbackSearch.objects.get().body == reference_body(feedback)
    assert set(clocks(feedback)) == {"first_response", "resolved"}


def reference_body(feedback: Feedback) -> str:
    from apps.feedback.search import body_of

    return body_of(feedback.snippet, feedback.external_id)


REJECTIONS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"channel": "nowhere"}, "unknown_channel", "channel", "There is no channel “nowhere”."),
    ({"channel": "kuaishou"}, "unknown_channel", "channel", "There is no channel “kuaishou”."),
    (
        {"text": "长" * (MAX_TEXT + 1)}, "text_too_long", "text",
        "The text has 100001 characters; at most 100000 can be kept.",
    ),
    ({"text": " \n\t\x00 "}, "text_missing", "text", "The text is empty."),
    ({"rating": 0}, "bad_rating", "rating", "Stars must be 1 to 5, not 0."),
    ({"rating": 6}, "bad_rating", "rating", "Stars must be 1 to 5, not 6."),
    (
        {"posted_at": NOW + timedelta(minutes=11)}, "future_date", "posted_at",
        f"The date lies in the future: {NOW + timedelta(minutes=11)}.",
    ),
    (
        {"store": "火星店"}, "unknown_store", "store",
        "There is no store “火星店”. Create it or add the name to a store's other names.",
    ),
    ({"kind": "rant"}, "unknown_kind", "kind", "Unknown kind “rant”."),
    *(
        (
            {name: "9" * (limit + 1)}, f"{name}_too_long", name,
            f"This number has more than {limit} characters: {'9' * 20}…",
        )
        for name, limit in (("external_id", 120), ("order_no", 64), ("product_sku", 64))
    ),
]  # fmt: skip


@pytest.mark.parametrize(("values", "code", "field", "message"), REJECTIONS, ids=[r[1] for r in REJECTIONS])
def test_what_cannot_come_in_is_named_and_leaves_nothing(
    values: dict[str, Any], code: str, field: str, message: str
) -> None:
    Channel.objects.filter(code="kuaishou").update(is_active=False)
    forget_reference()
    with translation.override("en"):
        good, bad = take(voice(), voice(row=7, **({"text": LATE} | values)))
    assert (bad.state, bad.code, bad.field, bad.message) == ("rejected", code, field, message)
    assert (bad.feedback_id, bad.row) == (None, 7)
    assert good.state == "created"
    assert list(Feedback.objects.values_list("id", flat=True)) == [good.feedback_id]


def test_the_limits_themselves_come_in() -> None:
    outcomes = take(
        voice("长" * MAX_TEXT),
        voice(rating=1),
        voice(rating=5),
        voice(external_id="9" * 120, order_no="9" * 64, product_sku="9" * 64),
        voice(posted_at=NOW + timedelta(minutes=10)),
    )  # fmt: skip
    assert [o.state for o in outcomes] == ["created"] * 5
    feedback = case(outcomes[0].feedback_id)
    assert len(feedback.text) == MAX_TEXT and len(feedback.snippet) == 200


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("前\x00后", "前后"),
        ("好评😀👍🏽 𠮷野家", "好评😀👍🏽 𠮷野家"),
        ("坏\ud83d字", "坏?字"),
        ("  两头空  ", "两头空"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_texts_are_kept_as_said_but_for_what_no_database_takes(given: str, kept: str) -> None:
    (outcome,) = take(voice(given))
    assert case(outcome.feedback_id).text == kept


def test_awkward_signs_in_every_other_value_harm_nothing() -> None:
    bad = "x\x00y\ud83d"
    (outcome,) = take(
        voice(
            external_id=bad, order_no=bad, product_sku=bad, follow_up_to=bad, images=[bad],
            customer={"external_id": bad, "nickname": bad, "phone": "138\x0000001234", "email": "a\x00@b.cn"},
            transcript=[{"who": bad, "text": bad}],
        )
    )  # fmt: skip
    feedback = case(outcome.feedback_id)
    assert (feedback.external_id, feedback.order_no, feedback.image_urls) == ("xy?", "xy?", ["xy?"])
    assert (feedback.author_name, feedback.customer.phone, feedback.customer.email) == (
        "xy?",
        "13800001234",
        "a@b.cn",
    )
    assert Entry.objects.get().speaker == "xy?"


def test_a_hundred_kilobytes_on_a_crowded_line() -> None:
    (outcome,) = take(voice("啊" * 33_000 + " 吃完上吐下泻"))
    assert len(case(outcome.feedback_id).text) == 33_007


def test_a_transcript_is_kept_line_by_line() -> None:
    lines = [
        {"who": "顾客", "text": "在吗"},
        {"who": "客服", "text": "  "},
        {"who": "客服", "text": "在的", "at": at("11-18 09:00")},
    ]
    (outcome,) = take(voice(channel="online_chat", transcript=lines, posted_at=at("11-18 08:00")))
    entries = Entry.objects.filter(feedback_id=outcome.feedback_id)
    assert [(e.kind, e.speaker, e.text, e.at) for e in entries] == [
        (EntryKind.TRANSCRIPT, "顾客", "在吗", at("11-18 08:00")),
        (EntryKind.TRANSCRIPT, "客服", "在的", at("11-18 09:00")),
    ]
    # What an agent said in a transcript is no answer of ours to this case.
    assert case(outcome.feedback_id).first_response_at is None


def test_store_names_and_aliases_are_understood(cast: Cast) -> None:
    outcomes = take(*(voice(store=name) for name in ("renmin", " RENMIN ", "人民路店", "人民路旗舰店")))
    assert {case(o.feedback_id).store_id for o in outcomes} == {cast.store.pk}


def test_given_kind_wins_over_the_reading() -> None:
    (outcome,) = take(voice(kind="suggestion"), grade="A")
    assert case(outcome.feedback_id).kind == "suggestion"


def test_listeners_hear_after_commit(django_capture_on_commit_callbacks: Any) -> None:
    heard: list[dict[str, Any]] = []

    def listen(sender: Any, **values: Any) -> None:
        heard.append({k: values[k] for k in ("feedback_ids", "historical")})

    signals.taken_in.connect(listen)
    try:
        with django_capture_on_commit_callbacks() as callbacks:
            outcomes = take(voice(), voice())
        assert heard == []
        for callback in callbacks:
            callback()
        assert heard == [{"feedback_ids": [o.feedback_id for o in outcomes], "historical": False}]
        with django_capture_on_commit_callbacks() as callbacks:
            take(voice(""), voice("", channel="nowhere"), dry_run=Marks())
        assert callbacks == []
    finally:
        signals.taken_in.disconnect(listen)


# -- duplicates ----------------------------------------------------------------------------------------------
def test_same_channel_and_number_is_the_same_feedback() -> None:
    (first,) = take(voice(LATE, external_id="r1", rating=2))
    again, elsewhere = take(
        voice(LATE, external_id="r1", rating=2), voice(LATE, external_id="r1", channel="jd")
    )
    assert (again.state, again.feedback_id) == ("unchanged", first.feedback_id)
    assert elsewhere.state == "created"
    assert Feedback.objects.count() == 2 and verbs(case(first.feedback_id)) == []


def test_the_same_number_twice_in_one_list() -> None:
    one, two, three = take(*(voice(t, external_id="r1") for t in (LATE, LATE, LATE + "!")))
    assert [one.state, two.state, three.state] == ["created", "unchanged", "changed"]
    assert {one.feedback_id, two.feedback_id, three.feedback_id} == {one.feedback_id}
    feedback = Feedback.objects.get()
    assert feedback.text == LATE + "!" and feedback.changes.count() == 1


AUTHORS = [
    {"customer": {"external_id": "tb-77"}},
    {"customer": {"nickname": "小王"}},
    {"customer": {"nickname": "王" * 90}},
    {"customer": {"phone": "+86 138-0000-1234"}},
    {"customer": {"email": "Wang@Example.com"}},
    {"order_no": "2026111801"},
    {"order_no": "9" * 64},
]


@pytest.mark.parametrize(
    "author", AUTHORS, ids=["id", "nickname", "long nickname", "phone", "email", "order", "long order"]
)
def test_without_a_number_author_time_and_text_make_it_the_same(author: dict[str, Any]) -> None:
    posted = at("11-17 20:15")
    (first,) = take(voice(LATE, posted_at=posted, **author))
    again, twice = take(voice(LATE, posted_at=posted, **author), voice(LATE, posted_at=posted, **author))
    assert (again.state, again.feedback_id) == ("unchanged", first.feedback_id)
    assert (twice.state, twice.feedback_id) == ("unchanged", first.feedback_id)
    others = take(
        voice(LATE, posted_at=posted + timedelta(seconds=1), **author),
        voice(LATE + "啊", posted_at=posted, **author),
        voice(LATE, posted_at=posted, channel="jd", **author),
    )
    assert [o.state for o in others] == ["created"] * 3


def test_signs_alone_are_known_again_by_author_and_time() -> None:
    posted = at("11-17 20:15")
    (first,) = take(voice("！！？", posted_at=posted, order_no="2026111801"))
    again, other, worded = take(
        voice("！！？", posted_at=posted, order_no="2026111801"),
        voice("！！？", posted_at=posted, order_no="2026111802"),
        voice(LATE, posted_at=posted, order_no="2026111801"),
    )
    assert (again.state, again.feedback_id) == ("unchanged", first.feedback_id)
    assert (other.state, worded.state) == ("created", "created")


@pytest.mark.parametrize(
    ("text", "index"),
    [(LATE, "feedback_text_key"), ("！！？", "feedback_without_key")],
    ids=["words", "signs"],
)
def test_a_voice_without_a_number_is_looked_up_by_an_index(text: str, index: str) -> None:
    take(voice(text, posted_at=at("11-17 20:15"), order_no="1"))
    with queries() as captured:
        take(voice(text, posted_at=at("11-17 20:15"), order_no="2"))
    (asked,) = [sql for sql in reads(captured) if "author_name" in sql and "merged_into_id" in sql]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # A table this small is read whole unless told otherwise.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {asked}")
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {asked.replace('%', '%%')}")
        plan = "\n".join(str(line[-1]) for line in cursor.fetchall())
    # Which index a table of two rows is read by is a toss on PostgreSQL; that there is one is not.
    assert index in plan or connection.vendor == "postgresql", plan
    assert "Seq Scan on feedback_feedback" not in plan, plan
    # Only rows of these people at this time leave the database, however many wrote the same.
    assert "posted_at" in asked.split("WHERE")[1] and "author_name" in asked.split("WHERE")[1]


def test_twins_in_one_list_count_once() -> None:
    posted = at("11-17 20:15")
    one, two, three = take(*(voice(LATE, posted_at=posted, order_no="2026111801") for _ in range(3)))
    assert (one.state, two.state, three.state) == ("created", "unchanged", "unchanged")
    assert one.feedback_id == two.feedback_id == three.feedback_id == Feedback.objects.get().pk


def test_every_outcome_but_a_refusal_names_its_feedback() -> None:
    posted = at("11-17 20:15")
    loose = {"posted_at": posted, "customer": {"nickname": "小王"}}
    take(voice(LATE, external_id="known", rating=2))
    outcomes = take(
        voice(LATE, external_id="known", rating=2), voice(LATE, external_id="known", rating=5),
        voice(external_id="r1", text="甲"), voice(external_id="r1", text="甲"),
        voice(external_id="r1", text="乙"), voice(external_id="r1", text="乙"), voice(external_id="r1", text="甲"),
        voice(LATE, **loose), voice(LATE, **loose), voice(LATE, rating=1, **loose), voice(channel="nowhere"),
    )  # fmt: skip
    assert [o.state for o in outcomes] == [
        "unchanged", "changed", "created", "unchanged", "changed", "unchanged", "changed", "created", "unchanged",
        "unchanged", "rejected",
    ]  # fmt: skip
    known, r1, own = (outcomes[n].feedback_id for n in (0, 2, 7))
    assert [o.feedback_id for o in outcomes] == [known] * 2 + [r1] * 5 + [own] * 3 + [None]
    assert len({known, r1, own, None}) == 4


@pytest.mark.parametrize("nickname", ["匿名用户", "匿名", "微信用户", "***", "j***n", ""])
def test_nobody_is_the_same_as_nobody(nickname: str) -> None:
    posted = at("11-17 20:15")
    customer = {"nickname": nickname}
    outcomes = take(*(voice(LATE, posted_at=posted, customer=customer) for _ in range(2)))
    assert [o.state for o in outcomes] == ["created", "created"]


def test_rows_of_one_file_are_known_by_their_number() -> None:
    run = ImportRun.objects.create(
        sha256="a" * 64, channel=Channel.objects.get(code="taobao"), file_name="f.csv", started_at=NOW
    )
    items = [voice(LATE, row=n, posted_at=at("11-17 20:15"), customer={"nickname": "小王"}) for n in (2, 3)]
    assert [o.state for o in take(*items, run=run)] == ["created", "created"]
    assert [o.state for o in take(*items, voice(LATE, row=4), run=run)] == [
        "unchanged",
        "unchanged",
        "created",
    ]
    assert list(Feedback.objects.order_by("source_row").values_list("source_row", flat=True)) == [2, 3, 4]


def test_equal_text_by_somebody_else_is_created_and_linked() -> None:
    (first,) = take(voice(LATE, customer={"external_id": "a"}))
    other, short, far = take(
        voice(LATE + "!!", customer={"external_id": "b"}), voice("不错"), voice(LATE, channel="jd"),
        now=NOW + timedelta(days=1),
    )  # fmt: skip
    assert (other.state, other.similar_to) == ("created", first.feedback_id)
    assert case(other.feedback_id).similarity == 1.0
    # Too short to say anything, and another channel.
    assert (short.similar_to, far.similar_to) == (None, None)


def test_equal_texts_of_last_month_are_not_linked() -> None:
    take(voice(LATE), now=NOW - timedelta(days=31))
    (later,) = take(voice(LATE))
    assert later.similar_to is None


def test_near_duplicates_are_linked_within_a_run_and_with_the_last_thirty_days() -> None:
    base = "这家店的烧烤味道很好但是服务员态度差上菜慢等了一个小时才吃上真的不会再来第二次了"
    take(voice(base, external_id="old"), now=NOW - timedelta(days=40))
    (kept,) = take(voice(base, external_id="kept"), now=NOW - timedelta(days=20))
    near = Near()
    one, two, other = take(
        voice(base + "吧", external_id="x"),
        voice(base.replace("烧烤", "火锅"), external_id="y"),
        voice(external_id="z"),
        near=near,
    )
    assert (one.similar_to, two.similar_to, other.similar_to) == (kept.feedback_id, kept.feedback_id, None)
    assert 0.8 <= case(two.feedback_id).similarity < 1
    # The next list of the same run knows the one before.
    (three,) = take(voice(base[2:] + "哦哦", external_id="w"), near=near)
    assert three.similar_to is not None


# -- later versions ------------------------------------------------------------------------------------------
def test_a_later_text_is_kept_as_history_and_read_again() -> None:
    (first,) = take(voice("快递有点慢,催了两次才发货", external_id="r1", rating=3))
    later = NOW + timedelta(days=1)
    (changed,) = take(voice("店家道歉了,已补发", external_id="r1", rating=5), now=later)
    assert (changed.state, changed.feedback_id) == ("changed", first.feedback_id)
    feedback = case(first.feedback_id)
    assert (feedback.text, feedback.rating, feedback.snippet) == ("店家道歉了,已补发", 5, "店家道歉了,已补发")
    (change,) = feedback.changes.all()
    assert (change.old_text, change.new_text) == ("快递有点慢,催了两次才发货", "店家道歉了,已补发")
    assert (change.old_rating, change.new_rating, change.seen_at) == (3, 5, later)
    assert "店家道歉了" in FeedbackSearch.objects.get(pk=feedback.pk).body
    assert verbs(feedback) == ["changed"]
    assert take(voice("店家道歉了,已补发", external_id="r1"), now=later)[0].state == "unchanged"


# -- people, orders ------------------------------------------------------------------------------------------
def test_the_same_account_is_one_customer() -> None:
    take(voice(customer={"external_id": "tb-1", "nickname": "小王"}), voice(customer={"external_id": "tb-1"}))
    take(voice(customer={"external_id": "tb-1"}))
    customer = Customer.objects.get()
    assert customer.feedback.count() == 3 and customer.nickname == "小王"
    assert [(i.channel, i.external_id) for i in customer.identities.all()] == [("taobao", "tb-1")]


def test_one_phone_on_two_channels_is_one_customer() -> None:
    take(voice(customer={"external_id": "tb-1", "phone": "13800001234"}))
    take(voice(channel="jd", customer={"external_id": "jd-9", "phone": "+86 138 0000 1234"}))
    customer = Customer.objects.get()
    assert customer.feedback.count() == 2
    assert set(customer.identities.values_list("channel", "external_id")) == {
        ("taobao", "tb-1"),
        ("jd", "jd-9"),
    }


def test_one_address_in_two_spellings_is_one_customer() -> None:
    take(voice(customer={"email": "Li@Example.com"}), voice(customer={"email": " li@example.com"}))
    assert Customer.objects.get().feedback.count() == 2


def test_the_same_account_name_elsewhere_is_somebody_else() -> None:
    take(voice(customer={"external_id": "x1"}), voice(channel="jd", customer={"external_id": "x1"}))
    assert Customer.objects.count() == 2


@pytest.mark.parametrize("name", ["匿名用户", "匿名买家", "微信用户", "游客", "***", "l***i", "Anonymous"])
def test_the_anonymous_never_become_one_customer(name: str) -> None:
    outcomes = take(*(voice(customer={"external_id": name, "nickname": name}) for _ in range(2)))
    assert [case(o.feedback_id).customer for o in outcomes] == [None, None]
    assert Customer.objects.count() == 0 and CustomerIdentity.objects.count() == 0


@pytest.mark.parametrize(
    "values", [{"phone": "无"}, {"phone": "138****1234"}, {"email": "  "}, {"email": "l***@qq.com"}]
)
def test_an_unusable_phone_or_address_finds_nobody(values: dict[str, str]) -> None:
    stranger = Customer.objects.create(nickname="没有电话")
    Customer.objects.create(nickname="遮住的", phone="138****1234", email="l***@qq.com")
    outcomes = take(*(voice(customer=values) for _ in range(2)))
    assert [case(o.feedback_id).customer for o in outcomes] == [None, None]
    assert stranger.feedback.count() == 0


def test_an_order_brings_store_customer_and_its_only_product(cast: Cast) -> None:
    customer = Customer.objects.create(nickname="买家")
    order = Order.objects.create(order_no="20261118001", store=cast.store, customer=customer)
    OrderItem.objects.create(order=order, product=cast.product, sku=cast.product.sku)
    (outcome,) = take(voice(order_no="20261118001"))
    feedback = case(outcome.feedback_id)
    assert (feedback.order, feedback.store, feedback.customer) == (order, cast.store, customer)
    assert feedback.product == cast.product


def test_what_is_said_wins_over_the_order_and_two_products_are_no_guess(cast: Cast) -> None:
    other = make_store("nanjing")
    forget_reference()
    order = Order.objects.create(order_no="20261118001", store=cast.store)
    for product in (cast.product, make_product("TEA-2")):
        OrderItem.objects.create(order=order, product=product, sku=product.sku)
    named, open_ = take(
        voice(order_no="20261118001", store="nanjing", product_sku="TEA-2"), voice(order_no="20261118001")
    )
    assert (case(named.feedback_id).store, case(named.feedback_id).product.sku) == (other, "TEA-2")
    assert case(open_.feedback_id).product is None


def test_an_unknown_sku_or_order_is_kept_as_text() -> None:
    (outcome,) = take(voice(product_sku="NO-1", order_no="404404"))
    feedback = case(outcome.feedback_id)
    assert (feedback.product, feedback.order, feedback.order_no) == (None, None, "404404")
    assert feedback.reading["product_sku"] == "NO-1"


def test_follow_ups_find_their_first_review_before_beside_and_never() -> None:
    (first,) = take(voice(external_id="r1"))
    later, beside, child, lost = take(
        voice(external_id="r2", follow_up_to="r1"),
        voice(external_id="r3"),
        voice(external_id="r4", follow_up_to="r3"),
        voice(external_id="r5", follow_up_to="nothing"),
    )
    assert case(later.feedback_id).parent_id == first.feedback_id
    assert case(child.feedback_id).parent_id == beside.feedback_id
    assert case(lost.feedback_id).parent_id is None and lost.state == "created"


@pytest.mark.parametrize("named", ["row:abc", "row:", "row:²", "row:2", "row:" + "9" * 100])
def test_a_follow_up_to_a_strange_number_comes_in_alone(named: str) -> None:
    run = ImportRun.objects.create(
        sha256="c" * 64, channel=Channel.objects.get(code="taobao"), file_name="f.csv", started_at=NOW
    )
    first, second = take(voice("甲", row=2), voice("乙", row=3, follow_up_to=named), run=run)
    (alone,) = take(voice("丙", follow_up_to=named))
    assert [o.state for o in (first, second, alone)] == ["created"] * 3
    assert not Feedback.objects.filter(parent__isnull=False).exists()


@pytest.mark.parametrize("near", [None, Near()], ids=["numbered later", "numbered beforehand"])
def test_follow_ups_in_the_rows_of_their_reviews_cost_no_query_each(near: Near | None) -> None:
    run = ImportRun.objects.create(
        sha256="b" * 64, channel=Channel.objects.get(code="taobao"), file_name="f.csv", started_at=NOW
    )

    def rows(first: int, last: int) -> list[Any]:
        out = []
        for n in range(first, last):
            out.append(voice(row=n))
            out.append(voice(row=FOLLOW_UP_ROWS + n, follow_up_row=n))
        return out

    take(*rows(2, 12), run=run, near=near, historical=True)
    with queries() as few:
        take(*rows(12, 14), run=run, near=near, historical=True)
    with queries() as many:
        take(*rows(14, 24), run=run, near=near, historical=True)
    # SQLite takes only so many values at once.
    assert len(many) <= len(few) + 1
    # Known rows are looked for among the rows of the list, not in all that lies between 14 and a billion.
    (known,) = [q["sql"] for q in many.captured_queries if "source_row" in q["sql"] and "SELECT" in q["sql"][:7]
                and f" {FOLLOW_UP_ROWS + 14}" in q["sql"]]  # fmt: skip
    assert f" {FOLLOW_UP_ROWS + 23}" in known and " 14 " not in known
    for row in Feedback.objects.filter(import_run=run, source_row__gte=FOLLOW_UP_ROWS):
        assert row.parent is not None and row.parent.source_row == (row.source_row or 0) - FOLLOW_UP_ROWS
    # A follow-up that comes again, when its review is in already, finds it.
    Feedback.objects.filter(import_run=run, source_row=FOLLOW_UP_ROWS + 15).delete()
    _first, again = take(*rows(15, 16), run=run, near=near, historical=True)
    assert again.state == "created" and case(again.feedback_id).parent_id == _first.feedback_id


def test_a_follow_up_may_stand_before_its_review() -> None:
    child, first = take(voice(external_id="r4", follow_up_to="r3"), voice(external_id="r3"))
    assert case(child.feedback_id).parent_id == first.feedback_id


# -- historical, praise, S -----------------------------------------------------------------------------------
def test_history_is_stored_and_found_but_asks_nothing_of_anybody(cast: Cast) -> None:
    before = NOW - timedelta(days=31)
    old, told_so, fresh = take(
        voice(posted_at=before),
        voice(posted_at=NOW, external_id="h"),
        voice(posted_at=NOW - timedelta(days=30)),
        grade="S",
        historical_after_days=30,
    )
    (declared,) = take(voice(posted_at=NOW), grade="S", historical=True)
    for outcome in (old, declared):
        feedback = case(outcome.feedback_id)
        assert (feedback.is_historical, feedback.status, feedback.closed_at) == (True, "closed", NOW)
        assert (feedback.tier, feedback.due_at, feedback.assignee, feedback.needs_review) == (
            "S",
            None,
            None,
            False,
        )
        assert clocks(feedback) == {} and FeedbackSearch.objects.filter(pk=feedback.pk).exists()
        assert not WorkItem.objects.filter(origin_key__startswith=f"feedback:{feedback.pk}:").exists()
        assert not StaffNotice.objects.filter(url__contains=f"/{feedback.pk}/").exists()
    for outcome in (told_so, fresh):
        assert not case(outcome.feedback_id).is_historical
    assert told(cast.max) == 2


def test_praise_is_stored_closed_without_clock_or_owner(cast: Cast) -> None:
    feedback = arrive("praise")
    assert (feedback.status, feedback.closed_at, feedback.due_at, feedback.assignee) == (
        "closed",
        NOW,
        None,
        None,
    )
    assert clocks(feedback) == {} and not feedback.is_historical


def test_a_doubtful_praise_is_looked_at_first(cast: Cast) -> None:
    from tests.factories import read_as

    with read_as("praise", needs_review=True):
        (outcome,) = take(voice())
    feedback = case(outcome.feedback_id)
    assert (feedback.status, feedback.needs_review) == ("assigned", True)
    assert set(clocks(feedback)) == {"first_response", "progress_given", "resolved"}


def test_s_tells_lead_and_manager_at_once_and_has_the_store_check_itself(cast: Cast) -> None:
    feedback = arrive("S", store="renmin", product_sku="TEA-1")
    assert (feedback.tier, feedback.tier_rank, feedback.due_at) == ("S", 0, NOW + timedelta(hours=1))
    notices = StaffNotice.objects.filter(url=f"/admin/feedback/feedback/{feedback.pk}/change/")
    assert set(notices.values_list("recipient__username", "level")) == {("lin", "urgent"), ("max", "urgent")}
    assert set(notices.values_list("created_at", flat=True)) == {NOW}
    (item,) = WorkItem.objects.all()
    assert (item.kind, item.status, item.store, item.product) == (
        "self_check",
        "open",
        cast.store,
        cast.product,
    )
    assert (item.owner, item.due_at) == (cast.sue, NOW + timedelta(hours=4))
    assert item.origin_key == f"feedback:{feedback.pk}:self_check"
    # Round robin has it too: an alarm is no owner.
    assert feedback.assignee == cast.alice and verbs(feedback) == ["dispatch"]


def test_without_a_team_the_ops_leads_hear_of_an_s() -> None:
    lead = make_user("lin", "ops-lead")
    forget_reference()
    assert arrive("S").assignee is None
    assert told(lead) == 1


def test_many_s_at_once_ring_once(cast: Cast) -> None:
    take(*(voice() for _ in range(21)), grade="S")
    assert (told(cast.lin), told(cast.max)) == (1, 1)
    assert WorkItem.objects.count() == 21
    take(*(voice() for _ in range(20)), grade="S", now=NOW + timedelta(hours=1))
    assert (told(cast.lin), told(cast.max)) == (21, 21)


@pytest.mark.parametrize("channel", ["authority_12315", "consumer_association", "heimao"])
def test_what_an_authority_passes_on_is_s(cast: Cast, channel: str) -> None:
    feedback = arrive("B", channel=channel)
    assert feedback.tier == "S" and f"authority:{channel}" in feedback.reading["reasons"]
    assert told(cast.max) == 1


def test_the_authority_rule_is_policy_and_spares_praise(cast: Cast) -> None:
    from apps.feedback.models import TierPolicy

    assert arrive("praise", channel="authority_12315").tier == "B"
    TierPolicy.objects.update(authority_is_s=False)
    forget_reference()
    assert arrive("B", channel="authority_12315").tier == "B"


# -- priority ------------------------------------------------------------------------------------------------
def test_priority_adds_urgency_severity_scope_and_customer_value(cast: Cast) -> None:
    gold = Customer.objects.create(nickname="金", member_tier="gold")
    CustomerIdentity.objects.create(customer=gold, channel="taobao", external_id="g1", created_at=NOW)
    # Base 30, severity 15 × 0.5, customer value 10 × 0.2 for somebody unknown.
    assert arrive("A").priority == round(30 + 7.5 + 2)
    assert arrive("A", text="今天必须给我处理一下这件事").priority == round(30 + 15 + 7.5 + 2)
    assert arrive("A", customer={"external_id": "g1"}).priority == round(30 + 7.5 + 7)
    assert arrive("B").priority == 12
    assert arrive("praise").priority == 10
    assert arrive("S").priority == round(60 + 13.5 + 2)


def test_the_third_of_the_same_problem_ranks_higher(cast: Cast) -> None:
    plain = [arrive("A", product_sku="TEA-1").priority for _ in range(3)]
    assert plain[0] == plain[1] < plain[2]
    assert plain[2] - plain[0] == round(7.5 + 32 + 15 * 0.3) - round(7.5 + 32)
    assert arrive("A", product_sku="TEA-1", now=NOW + timedelta(hours=25)).priority == plain[0]


# -- who was merged ------------------------------------------------------------------------------------------
def chain(**values: Any) -> tuple[Customer, Customer]:
    """Somebody merged into another, who was merged in turn: (first, whoever they live on in)."""
    end = Customer.objects.create(nickname="现在", phone="13900009999", member_tier="diamond")
    middle = Customer.objects.create(nickname="中间", state="merged", merged_into=end)
    return Customer.objects.create(state="merged", merged_into=middle, **values), end


@pytest.mark.parametrize(
    "author",
    [{"external_id": "tb1"}, {"phone": "13800001234"}, {"email": "a@b.cn"}],
    ids=["identity", "phone", "email"],
)
def test_a_merged_customer_is_found_as_the_survivor(author: dict[str, str]) -> None:
    first, end = chain(phone="13800001234", email="a@b.cn")
    CustomerIdentity.objects.create(customer=first, channel="taobao", external_id="tb1", created_at=NOW)
    (outcome,) = take(voice(customer=author))
    assert case(outcome.feedback_id).customer_id == end.pk
    assert Customer.objects.count() == 3 and CustomerIdentity.objects.count() == 1


def test_whoever_has_a_phone_now_comes_before_whoever_had_it() -> None:
    chain(phone="13800001234")
    now = Customer.objects.create(phone="13800001234")
    (outcome,) = take(voice(customer={"phone": "13800001234"}))
    assert case(outcome.feedback_id).customer_id == now.pk


def test_an_erased_survivor_is_nobody_s_phone() -> None:
    _first, end = chain(phone="13800001234")
    Customer.objects.filter(pk=end.pk).update(state="erased", phone="", phone_hash="")
    (outcome,) = take(voice(customer={"phone": "13800001234"}))
    assert case(outcome.feedback_id).customer.state == "active"


def test_the_order_of_a_merged_customer_leads_to_the_survivor() -> None:
    first, end = chain()
    Order.objects.create(order_no="o1", customer=first)
    (outcome,) = take(voice(order_no="o1"))
    assert case(outcome.feedback_id).customer_id == end.pk


def test_a_voice_that_came_before_a_merge_is_still_known_after_it() -> None:
    said = {"posted_at": at("11-17 20:15"), "customer": {"phone": "13800001234"}}
    (before,) = take(voice(LATE, **said))
    end = Customer.objects.create(phone="13900009999")
    Customer.objects.filter(phone="13800001234").update(state="merged", merged_into=end)
    Feedback.objects.update(customer=end)
    (after,) = take(voice(LATE, **said))
    assert (after.state, after.feedback_id) == ("unchanged", before.feedback_id)


def test_merges_cost_one_query_a_step_however_many_and_nothing_where_there_are_none(cast: Cast) -> None:
    def cost(count: int, code: str, *, merged: bool) -> int:
        for n in range(count):
            values = {"phone": f"139{code}{n:04d}"}
            chain(**values) if merged else Customer.objects.create(**values)
        # Long enough to be compared with earlier texts, whatever ran before.
        said = [f"第{code}件衣服第{n}颗扣子掉了，袖口也开线了，客服说了很久没有人管" for n in range(count)]
        items = [voice(customer={"phone": f"139{code}{n:04d}"}, text=text) for n, text in enumerate(said)]
        with queries() as captured:
            take(*items, grade="A")
        return len(reads(captured))

    take(voice(), grade="A")
    plain = cost(1, "1111", merged=False)
    assert cost(1, "2222", merged=True) == cost(40, "3333", merged=True) == plain + 2


# -- cost ----------------------------------------------------------------------------------------------------
def rich(n: int, code: str) -> dict[str, Any]:
    return {
        "external_id": f"{code}{n}", "store": "renmin", "product_sku": "TEA-1", "order_no": f"{code}-{n}",
        "customer": {"external_id": f"{code}{n}", "phone": f"1380000{n:04d}"}, "follow_up_to": "none",
        # Long enough to be compared with earlier texts, whatever ran before.
        "text": f"第{n}件衣服的拉链坏了，袖口也开线了，客服说了很久没有人管",
    }  # fmt: skip


def test_fifty_ask_the_database_what_one_asks(cast: Cast) -> None:
    take(voice(), grade="A")
    with queries() as one:
        take(voice(**rich(0, "one")), grade="A")
    with queries() as fifty:
        take(*(voice(**rich(n, "many")) for n in range(50)), grade="A")
    ids = [sql for sql in reads(fifty) if "sqlite_sequence" in sql or "pg_get_serial_sequence" in sql]
    # From fifty rows on their keys are fetched beforehand, in one go; nothing else is added.
    assert len(ids) == 1
    assert len(reads(fifty)) - len(ids) == len(reads(one))


def test_one_minimal_item_costs_at_most_twelve_queries(cast: Cast) -> None:
    take(voice(), grade="A")
    with queries() as captured:
        take(voice(), grade="A")
    statements = [
        q["sql"] for q in captured.captured_queries if not q["sql"].startswith(("SAVEPOINT", "RELEASE"))
    ]
    assert len(statements) <= 12, statements


def test_a_batch_is_one_transaction(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.feedback.services import intake

    def broken(*args: Any, **options: Any) -> None:
        raise RuntimeError("the bell fell off")

    monkeypatch.setattr(intake, "_alarm", broken)
    with pytest.raises(RuntimeError):
        take(voice(external_id="r1", customer={"phone": "13800001234"}), voice())
    assert (Feedback.objects.count(), Customer.objects.count(), SlaClock.objects.count()) == (0, 0, 0)
    assert ActionLog.objects.count() == 0


def test_a_dry_run_writes_nothing_and_tells_what_would_happen() -> None:
    take(voice(LATE, external_id="r1"))
    seen = Marks()
    with queries() as captured:
        outcomes = take(
            voice(LATE, external_id="r1"), voice(LATE, external_id="r1", rating=1), voice("第二位的话", external_id="r2"),
            voice(channel="nowhere"), dry_run=seen,
        )  # fmt: skip
    assert [o.state for o in outcomes] == ["unchanged", "changed", "created", "rejected"]
    assert outcomes[0].feedback_id == outcomes[1].feedback_id == Feedback.objects.get().pk
    twice = take(*(voice(LATE, external_id="r3") for _ in range(2)), dry_run=Marks())
    assert [o.state for o in twice] == ["created", "unchanged"]
    assert take(voice("第二位的话", external_id="r2"), dry_run=seen)[0].state == "unchanged"
    assert Feedback.objects.count() == 1
    assert not any(q["sql"].startswith(("INSERT", "UPDATE", "DELETE")) for q in captured.captured_queries)
