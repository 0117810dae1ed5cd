"""The search box: Chinese of two characters, numbers, phones; never what is masked."""

from __future__ import annotations

import pytest
from django.db import connection

from apps.customers.models import Customer, Order
from apps.feedback import search
from apps.feedback.models import Feedback
from apps.feedback.selectors.queue import queue_page
from apps.feedback.selectors.search import MOST_HITS, find
from tests.factories import NOW, Cast, arrive, queries, take, voice

pytestmark = pytest.mark.django_db

TEXTS = {
    "tea": "这款龙井茶叶香气足,包装漏气了",
    "fresh": "收到的草莓烂了一半,漏水,客服电话 13800001234 打不通",
    "phone": "iPhone15 手机壳颜色不对 Model X200",
    "apart": "好用的东西,店家用心了",
    "together": "真是好用心的店家",
    "traditional": "服務態度很差,退貨麻煩",
    "percent": "100%纯棉_标签写错",
}


@pytest.fixture
def texts(db: None) -> dict[str, int]:
    """Case ids by name."""
    outcomes = take(*(voice(text, external_id=f"ID-{name}") for name, text in TEXTS.items()), grade="A")
    return dict(zip(TEXTS, [o.feedback_id for o in outcomes], strict=True))


def hits(q: str, texts: dict[str, int]) -> set[str]:
    names = {pk: name for name, pk in texts.items()}
    return {names[pk] for pk in find(Feedback.objects.all(), q).values_list("pk", flat=True)}


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("茶叶", {"tea"}),
        ("漏", {"tea", "fresh"}),
        ("漏气", {"tea"}),
        ("龙井茶叶香气", {"tea"}),
        ("龙井 漏气", {"tea"}),
        ("漏气 龙井", {"tea"}),
        ("龙井 漏水", set()),
        ("iphone", {"phone"}),
        ("IPHONE15", {"phone"}),
        ("ｉＰｈｏｎｅ", {"phone"}),
        ("x200", {"phone"}),
        ("好用心", {"together"}),
        ("服务态度", {"traditional"}),
        ("退貨", {"traditional"}),
        ("退货麻烦", {"traditional"}),
        ("id-tea", {"tea"}),
        ("不存在的词", set()),
        ("", set(TEXTS)),
        ("  ", set(TEXTS)),
        ("，。！", set()),
    ],
)
def test_words(texts: dict[str, int], q: str, found: set[str]) -> None:
    if q == "，。！":
        # Nothing to look for finds nothing; SQLite looks for the signs themselves.
        assert hits(q, texts) == set()
        return
    assert hits(q, texts) == found


@pytest.mark.parametrize(
    "q", ["'", '"', "\\", "& |", "!", "a:*", "(", "%", "_", "\x00", "茶\x00叶", "😀", "龙井' | '漏水"]
)
def test_no_sign_breaks_the_search(texts: dict[str, int], q: str) -> None:
    hits(q, texts)


def test_a_case_is_found_by_its_number(texts: dict[str, int]) -> None:
    pk = texts["tea"]
    for q in (f"F{pk:07d}", f"f{pk}", f" F{pk} "):
        assert hits(q, texts) == {"tea"}
    assert hits("F999999999999", texts) == set()


ORDERS = ["20261118001", "1234567890123456789", "DD2026-1118_001", "200000"]


@pytest.mark.parametrize("number", ORDERS)
def test_orders_are_found_by_their_whole_number(texts: dict[str, int], number: str) -> None:
    order = Order.objects.create(order_no=number)
    Feedback.objects.filter(pk=texts["tea"]).update(order=order)
    Feedback.objects.filter(pk=texts["phone"]).update(order_no=number)
    assert hits(number, texts) == {"tea", "phone"}
    assert hits(f" {number} ", texts) == {"tea", "phone"}
    assert hits(number[:-1] + "9" if number[-1] != "9" else number[:-1] + "8", texts) == set()


def test_a_whole_phone_finds_its_customer_through_the_hash(texts: dict[str, int]) -> None:
    customer = Customer.objects.create(phone="13900002222")
    Feedback.objects.filter(pk=texts["apart"]).update(customer=customer)
    for q in ("13900002222", "139 0000 2222", "+86 139-0000-2222", "8613900002222"):
        assert hits(q, texts) == {"apart"}, q
    assert hits("13900002223", texts) == set()


def test_an_account_finds_its_customer(texts: dict[str, int]) -> None:
    (outcome,) = take(voice("别的话别的话", customer={"external_id": "tb_wang88"}), grade="A")
    assert list(find(Feedback.objects.all(), "tb_wang88").values_list("pk", flat=True)) == [
        outcome.feedback_id
    ]


@pytest.mark.parametrize("q", ["13800001234", "00001", "8000", "0000", "38000012"])
def test_masked_digits_are_not_to_be_found(texts: dict[str, int], q: str) -> None:
    assert hits(q, texts) == set()
    assert hits("138****1234", texts) <= {"fresh"}


def test_a_changed_text_is_found_by_its_new_words_only(texts: dict[str, int]) -> None:
    take(voice("换了新的说法", external_id="ID-tea"), grade="A")
    assert hits("龙井", texts) == set() and hits("新的说法", texts) == {"tea"}


def test_the_newest_come_first_and_not_without_end(texts: dict[str, int]) -> None:
    outcomes = take(*(voice("不错不错真不错") for _ in range(MOST_HITS + 5)), grade="praise")
    found = find(Feedback.objects.all(), "不错")
    assert found.count() == MOST_HITS
    assert outcomes[-1].feedback_id in set(found.values_list("pk", flat=True))
    assert outcomes[0].feedback_id not in set(found.values_list("pk", flat=True))


def test_the_queue_searches_only_what_a_person_sees(cast: Cast) -> None:
    arrive("A", text="龙井茶叶漏气了一整罐", store="renmin")
    arrive("A", text="龙井茶叶发霉了一整罐")
    page = queue_page(user=cast.sue, params={"q": "龙井"}, now=NOW)
    assert [row.store for row in page.rows] == [cast.store] and page.tab == "all"
    assert len(queue_page(user=cast.alice, params={"q": "龙井"}, now=NOW).rows) == 2
    assert len(queue_page(user=cast.alice, params={"q": "龙井", "tab": "mine"}, now=NOW).rows) == 1


def test_the_queue_costs_the_same_for_one_and_for_twenty(cast: Cast) -> None:
    take(voice(), grade="A")
    with queries() as one:
        queue_page(user=cast.alice, params={}, now=NOW)
    take(*(voice(store="renmin", customer={"external_id": f"c{n}"}) for n in range(20)), grade="A")
    with queries() as many:
        page = queue_page(user=type(cast.alice).objects.get(pk=cast.alice.pk), params={}, now=NOW)
    assert len(page.rows) == 21
    # One more than before: the person's scope was kept on the first one's account.
    assert len(many) - len(one) <= 4


# -- plain parts ---------------------------------------------------------------------------------------------
def test_lexemes_are_pairs_single_signs_and_whole_words() -> None:
    assert search.grams(search.body_of("好用心 iPhone-15")) == {"好用", "用心", "心", "iphone", "15"}
    assert search.query("好用心 iPh") == "'好用' & '用心' & 'iph':*"
    assert search.query("心") == "'心':*"
    assert search.query("!!") == ""
    assert search.grams("") == set() and search.vector("") == ""


def test_long_texts_are_indexed_by_their_beginning() -> None:
    body = search.body_of("头" + "中" * 5000 + "尾")
    assert len(body) == search.MAX_INDEXED and "尾" not in search.grams(body)
    assert len(next(iter(search.grams("a" * 100)))) == 40


@pytest.mark.postgres
def test_two_characters_hit_the_index(texts: dict[str, int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT feedback_id FROM feedback_feedbacksearch WHERE grams @@ '''茶叶'''::tsquery"
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Bitmap Index Scan" in plan, plan
