"""The knowledge base: retrieval, gates, approval by a second person, automatic answers and their review (R21)."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from apps.compliance.models import Verdict as LawVerdict
from apps.compliance.services.verdicts import Unlawful
from apps.core.exceptions import IllegalMove, InvalidInput, NotPermitted
from apps.core.models import Approval
from apps.core.reference import touch
from apps.core.services import approvals
from apps.core.statistics import Share, wilson
from apps.customers.models import ContactHold
from apps.feedback.analysis import Reader
from apps.feedback.answering import Entry, Facts, Index, prepare, stops
from apps.feedback.answering.training import entries_from
from apps.feedback.models import (
    Article,
    ArticleProposal,
    ArticleUse,
    ArticleVariant,
    AutoAnswer,
    Channel,
    Feedback,
)
from apps.feedback.models import (
    Entry as ThreadEntry,
)
from apps.feedback.selectors import knowledge as selector
from apps.feedback.services import auto_answer, knowledge, moves
from apps.feedback.services.replies_hook import readers, senders, unlawful
from apps.messaging.models import OutboundMessage
from tests.factories import NOW, Cast, arrive, case, clocks, make_product, make_store, queries
from tests.feedback.test_admin_feedback import login

ROOT = Path(__file__).resolve().parents[2]
db = pytest.mark.django_db


@pytest.fixture(scope="module")
def shipped() -> Index:
    articles = json.loads((ROOT / "apps/feedback/demo_data/knowledge.json").read_text("utf-8"))["articles"]
    shop = json.loads((ROOT / "apps/feedback/demo_data/shop.json").read_text("utf-8"))
    return Index(entries_from(articles, {row["sku"]: row for row in shop["products"]}))


@pytest.fixture(autouse=True)
def _fresh() -> Any:
    selector.forget_base()
    yield
    selector.forget_base()


# -- retrieval ----------
@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("亲 啥时候能寄呀", "ship-when"),
        ("啥時候能發貨", "ship-when"),  # traditional
        ("包裹走到哪了", "ship-track"),
        ("下单地址写错了咋改", "ship-address"),
        ("发票抬头写错了，能换一张不", "invoice-fix"),
        ("乌鲁木齐寄得到不", "ship-remote"),
        ("一米五的床用哪个码", "bed-size"),
        ("提子咋放", "grape-keep"),
        ("炸锅能烤整鸡么", "fryer-size"),
        ("电热壶底下一圈水碱", "kettle-scale"),
        ("店里几点打烊", "store-hours"),
        ("How long until you dispatch my order?", "ship-when"),
        ("is engraving of the bottle possible", "cup-engrave"),
    ],
)
def test_questions_find_their_article(shipped: Index, question: str, code: str) -> None:
    best = shipped.search(question)[0]
    assert best.key[0] == code, shipped.search(question)  # type: ignore[index]
    assert best.confidence > 0.25


@pytest.mark.parametrize(
    "question", ["怎么炖鸡汤", "帮我写个请假条", "学校几号开学", "What is the weather like?", "哈哈", "?", ""]
)
def test_other_matters_find_nothing_sure(shipped: Index, question: str) -> None:
    assert all(hit.confidence < 0.5 for hit in shipped.search(question))


def test_one_meaning_is_one_sign_and_courtesies_vanish() -> None:
    assert prepare("亲,请问啥时候能发货呀").text == prepare("什么时候能寄出").text
    assert prepare("发票").text != prepare("发货票").text


def test_what_the_case_is_about_decides_between_equals() -> None:
    entries = [
        Entry(key=key, language="zh", title="怎么清洗", variants=("清洗方法",), products=frozenset({key}))
        for key in ("cup", "pot")
    ]
    index = Index(entries)
    assert index.search("怎么洗", products=frozenset({"pot"}))[0].key == "pot"
    assert index.search("怎么洗", products=frozenset({"cup"}))[0].key == "cup"
    assert [hit.key for hit in index.search("怎么洗", only={"cup"})] == ["cup"]


def test_fixed_questions_by_the_real_reading_and_gates(shipped: Index) -> None:
    """Every fifth question of the fixed set; the whole set and the speed are the benchmark's business."""
    reader = Reader.from_package()
    rows = [
        json.loads(line)
        for line in (ROOT / "benchmarks/data/kb_questions.jsonl").read_text("utf-8").splitlines()
    ]
    rows = rows[::5]
    sent = right = 0
    for row in rows:
        read = reader.read(row["text"], None, is_review_channel=False)
        facts = Facts(
            read.kind, read.sentiment, read.emotion, read.tier, read.category, read.subcategory, read.s_review
        )
        hits = shipped.search(row["text"], limit=1)
        if stops(row["text"], facts) or not hits or hits[0].confidence < shipped.weights.threshold:
            continue
        sent += 1
        right += hits[0].key[0] == row.get("article")  # type: ignore[index]
    answerable = sum(row["kind"] == "answer" for row in rows)
    assert answerable == 60
    assert right / sent >= 0.92, (right, sent)
    assert right / answerable >= 0.7, (right, answerable)


# -- gates ----------
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("能便宜点吗", "price"),
        ("有没有优惠券", "price"),
        ("降价了给保价不", "price"),
        ("能再少十块不", "price"),
        ("运费多少", "price"),
        ("我要退钱", "refund"),
        ("不合适可以退吗", "refund"),
        ("钱什么时候到账", "refund"),
        ("坏了赔不赔", "compensation"),
        ("晚到有补偿吗", "compensation"),
        ("我找12315", "legal"),
        ("孕妇能用吗", "health"),
        ("用了会不会过敏", "health"),
        ("把我的个人信息删了", "personal_data"),
        ("转人工", "human"),
        ("帮我找真人", "human"),
        ("什么破服务", "anger"),
        ("怎么辨真伪", "counterfeit"),
        ("附近哪里有加油站", "elsewhere"),
        ("你们招聘吗", "elsewhere"),
        ("can i get a refund", "refund"),
        ("is there a discount", "price"),
        ("在吗?在吗?在吗?", "several"),
        ("我想问一下" + "这个那个" * 40, "long"),
    ],
)
def test_words_that_call_for_a_person(text: str, reason: str) -> None:
    assert reason in stops(text, Facts())


@pytest.mark.parametrize(
    "text",
    [
        "换货怎么弄",
        "什么时候补货",
        "少放点辣可以吗",
        "少糖可以吗",
        "开车过来停哪里",
        "保温多久",
        "几点开门",
        "能补开发票吗",
    ],
)
def test_harmless_neighbours_pass(text: str) -> None:
    assert stops(text, Facts()) == []


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts(kind="complaint"), "not_inquiry"),
        (Facts(kind="review"), "not_inquiry"),
        (Facts(sentiment="negative"), "negative"),
        (Facts(emotion="anger"), "negative"),
        (Facts(emotion="disappointment"), "negative"),
        (Facts(tier="S"), "tier"),
        (Facts(tier="A"), "tier"),
        (Facts(s_review=True), "doubtful"),
        (Facts(category="PRICE"), "price"),
        (Facts(category="SAFETY", emotion="anxiety"), "health"),
        (Facts(category="COUNTERFEIT"), "counterfeit"),
        (Facts(category="REFUND", subcategory="REFUND_SLOW"), "refund"),
        (Facts(repeated=True), "repeated"),
    ],
)
def test_what_the_reading_leaves_to_people(facts: Facts, reason: str) -> None:
    assert reason in stops("几点开门", facts)
    assert stops("几点开门", Facts()) == []


@db
@pytest.mark.usefixtures("cast")
def test_staff_add_words_to_a_gate() -> None:
    from apps.feedback.models import WordList

    assert stops("多少银子", Facts(), selector.gate_words()) == []
    row = WordList.objects.get(path="knowledge/gates/price")
    assert "便宜" in row.words and not any(word.startswith("re:") for word in row.words)
    row.words = ["多少银子", "re:.*"]
    row.save()
    words = selector.gate_words()
    assert stops("多少银子", Facts(), words) == ["price"]
    assert stops("能再少十块不", Facts(), words) == ["price"]  # the shipped expressions stay
    assert stops("几点开门", Facts(), words) == []


# -- approval ----------
def draft(cast: Cast, **values: Any) -> Article:
    article = Article.objects.create(
        **(
            {
                "code": "hours",
                "title": "门店营业时间",
                "body": "每天10:00–22:00营业。",
                "written_by": cast.lin,
            }
            | values
        )
    )
    ArticleVariant.objects.create(article=article, text="几点开门")
    return article


def publish(cast: Cast, **values: Any) -> Article:
    article = draft(cast, **values)
    knowledge.submit(article=article, by=cast.lin, now=NOW)
    approvals.decide(
        approval=Approval.objects.get(object_id=article.pk), verb="approve", by=cast.max, now=NOW
    )
    article.refresh_from_db()
    return article


@db
def test_a_second_person_publishes(cast: Cast) -> None:
    article = draft(cast)
    with pytest.raises(NotPermitted):
        knowledge.submit(article=article, by=cast.alice, now=NOW)
    knowledge.submit(article=article, by=cast.lin, now=NOW)
    approval = Approval.objects.get(object_id=article.pk)
    with pytest.raises(NotPermitted):
        approvals.decide(approval=approval, verb="approve", by=cast.lin, now=NOW)
    assert selector.base().known == {}
    approvals.decide(approval=approval, verb="approve", by=cast.max, now=NOW)
    article.refresh_from_db()
    assert (article.state, article.version, article.published_at) == ("published", 1, NOW)
    assert list(selector.base().known) == [article.pk]
    assert article.history.first().history_user == cast.max
    knowledge.revise(article=article, by=cast.lin, now=NOW)
    assert selector.base().known == {}


@db
def test_sent_back_withdrawn_retired(cast: Cast) -> None:
    article = draft(cast)
    knowledge.submit(article=article, by=cast.lin, now=NOW)
    approvals.decide(
        approval=Approval.objects.get(object_id=article.pk),
        verb="reject",
        by=cast.max,
        now=NOW,
        reason="时间不对",
    )
    article.refresh_from_db()
    assert article.state == "draft"
    knowledge.submit(article=article, by=cast.lin, now=NOW)
    knowledge.withdraw(article=article, by=cast.lin, now=NOW)
    assert article.state == "draft" and not Approval.objects.filter(state="pending").exists()
    knowledge.retire(article=article, by=cast.lin, now=NOW, reason="不再适用")
    with pytest.raises(IllegalMove):
        knowledge.submit(article=article, by=cast.lin, now=NOW)
    bare = Article.objects.create(code="bare", title="空", body="空")
    with pytest.raises(InvalidInput):
        knowledge.submit(article=bare, by=cast.lin, now=NOW)


# -- automatic answers ----------
@pytest.fixture(autouse=True)
def _a_program_reads_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(readers._items, "test", (1, lambda: True))


def rules(cast: Cast, **values: Any) -> None:
    auto_answer.set_policy(
        values={"auto_answer": True, "threshold": 0.4, "sample_percent": 100} | values,
        channels=list(Channel.objects.filter(code__in=("online_chat", "wechat_chat"))),
        by=cast.lin,
        now=NOW - timedelta(minutes=5),
    )


def ask(text: str = "店里几点打烊", **values: Any) -> Feedback:
    return arrive("B", text=text, channel=values.pop("channel", "online_chat"), **values)


@pytest.fixture
def on(cast: Cast) -> Cast:
    publish(cast)
    rules(cast)
    return cast


def created(feedback: Feedback) -> Feedback:
    # Rows are stamped by the intake's clock; the sweep looks at that column.
    Feedback.objects.filter(pk=feedback.pk).update(created_at=NOW)
    return feedback


@db
def test_answers_once_says_what_it_is_and_lets_the_clock_run(on: Cast) -> None:
    feedback = created(ask())
    heard: list[str] = []
    senders.register("test", lambda case, text, now: heard.append(text))
    try:
        assert auto_answer.answer_due(now=NOW) == 1
        assert auto_answer.answer_due(now=NOW + timedelta(minutes=1)) == 0
    finally:
        senders._items.pop("test")
    answer = AutoAnswer.objects.get()
    assert (answer.state, answer.version, answer.sampled_for_review) == ("sent", 1, True)
    assert heard == [answer.text] and "自动回复" in answer.text and "人工" in answer.text
    entry = ThreadEntry.objects.get(feedback=feedback)
    assert entry.is_automatic and entry.by is None and entry.text == answer.text
    now = case(feedback.pk)
    assert now.first_response_at is None and now.status == feedback.status
    assert clocks(feedback)["first_response"].state == "running"
    assert ArticleUse.objects.get().kind == "auto"


@db
@pytest.mark.parametrize(
    ("text", "values", "reason"),
    [
        ("几点开门,有优惠吗", {}, "price"),
        ("洗衣机皮带断了找谁", {}, "unsure"),
        ("几点开门,转人工", {}, "human"),
    ],
)
def test_left_to_a_person_with_a_note(on: Cast, text: str, values: dict[str, Any], reason: str) -> None:
    feedback = created(ask(text, **values))
    assert auto_answer.answer_due(now=NOW) == 0
    answer = AutoAnswer.objects.get(feedback=feedback)
    assert answer.state == "held" and reason in answer.reasons
    note = ThreadEntry.objects.get(feedback=feedback)
    assert note.kind == "note"


@db
def test_what_is_never_answered(on: Cast) -> None:
    article = Article.objects.get()
    angry = created(arrive("A", text="店里几点打烊", channel="online_chat"))
    review = created(ask(channel="taobao"))
    old = ask("店里几点打烊呀")
    Feedback.objects.filter(pk=old.pk).update(created_at=NOW - timedelta(hours=7))
    held = created(ask("请问店里几点打烊", customer={"external_id": "u9", "nickname": "九"}))
    ContactHold.objects.create(
        customer=case(held.pk).customer, reason="律师函", starts_at=NOW - timedelta(days=1), by=on.lin
    )
    assert auto_answer.answer_due(now=NOW) == 0
    assert "hold" in AutoAnswer.objects.get().reasons
    assert not AutoAnswer.objects.filter(feedback__in=(angry, review, old)).exists()
    # Sensitive, not for machines, of another store, expired: each leaves it to people.
    for change in (
        {"is_sensitive": True},
        {"may_auto_answer": False},
        {"valid_until": (NOW - timedelta(days=1)).date()},
        {"state": "draft"},
    ):
        Article.objects.filter(pk=article.pk).update(
            **(
                {"is_sensitive": False, "may_auto_answer": True, "valid_until": None, "state": "published"}
                | change
            )
        )
        touch(selector.STAMP)
        created(ask(f"亲,店里几点打烊{'呀' * len(change)}"))
        assert auto_answer.answer_due(now=NOW) == 0, change
    Article.objects.filter(pk=article.pk).update(state="published")
    article.stores.add(make_store("other"))
    touch(selector.STAMP)
    created(ask("那店里几点打烊"))
    assert auto_answer.answer_due(now=NOW) == 0
    article.stores.clear()
    touch(selector.STAMP)
    created(ask("老板店里几点打烊"))
    assert auto_answer.answer_due(now=NOW) == 1


@db
def test_who_asks_again_gets_a_person_and_the_cap_holds(on: Cast) -> None:
    who = {"external_id": "u1", "nickname": "小一"}
    created(ask(customer=who))
    assert auto_answer.answer_due(now=NOW) == 1
    again = created(ask("那店里几点开门呀", customer=who))
    assert auto_answer.answer_due(now=NOW) == 0
    assert AutoAnswer.objects.get(feedback=again).reasons[0] == "repeated"
    rules(on, daily_cap=1)
    other = created(ask("你们店里几点开门"))
    assert auto_answer.answer_due(now=NOW) == 0
    assert AutoAnswer.objects.get(feedback=other).reasons == ["cap"]


@db
def test_a_refused_message_leaves_no_answer(on: Cast) -> None:
    feedback = created(ask())

    def refuse(case: Any, text: str, now: Any) -> None:
        raise InvalidInput("no address")

    senders.register("test", refuse)
    try:
        assert auto_answer.answer_due(now=NOW) == 0
    finally:
        senders._items.pop("test")
    answer = AutoAnswer.objects.get()
    assert (answer.state, answer.reasons) == ("held", ["refused"])
    assert not ThreadEntry.objects.filter(feedback=feedback, is_automatic=True, kind="contact").exists()


@db
def test_the_law_stands_before_every_article(on: Cast) -> None:
    """Also where no message carries the answer: on the shop's own chat it is read all the same."""
    bad = draft(on, code="bad", body="五星好评截图发客服,返现5元。")
    with pytest.raises(Unlawful):
        knowledge.submit(article=bad, by=on.lin, now=NOW)
    assert bad.state == "draft" and LawVerdict.objects.get().subject_key == f"article:{bad.pk}"
    # A rule that came after it was published.
    Article.objects.filter(code="hours").update(body="几点都可以。五星好评截图发客服,返现5元。")
    touch(selector.STAMP)
    feedback = created(ask())
    assert auto_answer.answer_due(now=NOW) == 0
    assert AutoAnswer.objects.get(feedback=feedback).reasons == ["refused"]
    assert not ThreadEntry.objects.filter(feedback=feedback, kind="contact").exists()


@db
def test_off_until_a_lead_switches_it_on(cast: Cast) -> None:
    publish(cast)
    created(ask())
    assert auto_answer.answer_due(now=NOW) == 0 and not AutoAnswer.objects.exists()
    with pytest.raises(NotPermitted):
        auto_answer.set_policy(values={"auto_answer": True}, channels=[], by=cast.alice, now=NOW)
    with pytest.raises(InvalidInput):
        auto_answer.set_policy(values={"auto_answer": True}, channels=[], by=cast.lin, now=NOW)


@db
def test_review_counts_and_a_wrong_one_reaches_a_person(on: Cast) -> None:
    feedback = created(ask())
    auto_answer.answer_due(now=NOW)
    answer = AutoAnswer.objects.get()
    with pytest.raises(NotPermitted):
        auto_answer.judge(answer=answer, verdict="right", by=on.alice, now=NOW)
    client = login(on.lin)
    address = reverse("admin:feedback_autoanswer_judge", args=[answer.pk])
    assert client.get(address).status_code == 405
    client.post(address, {"verdict": "wrong"})
    found = selector.figures(NOW + timedelta(minutes=1))
    assert (found.sent, found.wrong.hits, found.wrong.n, found.wrong.value) == (1, 1, 1, None)
    assert ThreadEntry.objects.filter(feedback=feedback, kind="note").count() == 1
    answer.refresh_from_db()
    auto_answer.take_back(answer=answer, by=on.lin, now=NOW, reason="时间写错")
    assert AutoAnswer.objects.get().state == "withdrawn"


def test_shares_of_small_samples() -> None:
    assert [round(x, 3) for x in wilson(3, 20)] == [0.052, 0.36]
    assert Share(3, 9).value is None and Share(3, 20).is_small and not Share(10, 40).is_small
    steps = selector.curve([(0.9, "right"), (0.5, "wrong"), (0.5, "right")])
    by = {step.percent: (step.right.hits, step.right.n, step.kept.n) for step in steps}
    assert by[30] == (2, 3, 3) and by[60] == (1, 1, 3)


# -- beside a case, pages, API ----------
@db
def test_card_and_use(on: Cast) -> None:
    feedback = created(ask())
    client = login(on.alice)
    page = client.get(f"/admin/feedback/feedback/{feedback.pk}/change/").content.decode()
    assert "门店营业时间" in page and 'data-text="每天10:00–22:00营业。"' in page
    article = Article.objects.get()
    address = reverse("admin:feedback_article_use", args=[article.pk, feedback.pk])
    assert client.get(address).status_code == 405
    client.post(address, {"fits": "1"})
    assert ArticleUse.objects.get().kind == "used"
    client.post(address, {"fits": "0"})
    assert ArticleUse.objects.get().kind == "unfit"
    assert (
        "每天10:00–22:00营业"
        not in client.get(f"/admin/feedback/feedback/{feedback.pk}/change/").content.decode()
    )
    stranger = login(on.sue)
    hidden = created(ask("别家店几点打烊"))
    assert (
        stranger.post(reverse("admin:feedback_article_use", args=[article.pk, hidden.pk])).status_code == 404
    )


@db
def test_pages_and_their_queries(on: Cast) -> None:
    client = login(on.lin)
    for number in range(3):
        Article.objects.create(code=f"more-{number}", title=f"标题{number}", body="文", state="draft")
    created(ask())
    auto_answer.answer_due(now=NOW)
    lists = ["/admin/feedback/article/", "/admin/feedback/autoanswer/", "/admin/feedback/articleproposal/"]
    counts = {}
    for address in lists:
        client.get(address)
        with queries() as few:
            assert client.get(address).status_code == 200
        counts[address] = len(few)
    for number in range(20):
        Article.objects.create(code=f"many-{number}", title=f"题{number}", body="文", state="draft")
        ArticleProposal.objects.create(key=str(number), title="问", questions=["问"], body="答", count=3)
        row = ask(f"店里第{number}个问题几点打烊")
        AutoAnswer.objects.create(
            feedback=row, state="sent", text="答", at=NOW, updated_at=NOW, sampled_for_review=True
        )
    for address in lists:
        with queries() as many:
            assert client.get(address).status_code == 200
        assert len(many) <= counts[address] + 1, address
    found = client.get("/admin/feedback/article/?q=你家几点关门").content.decode()
    assert "门店营业时间" in found and "标题1" not in found
    article = Article.objects.get(code="hours")
    assert client.get(f"/admin/feedback/article/{article.pk}/change/").status_code == 200
    assert client.get("/admin/feedback/article/add/").status_code == 200
    answer = AutoAnswer.objects.first()
    assert answer and client.get(f"/admin/feedback/autoanswer/{answer.pk}/change/").status_code == 200
    page = client.get(reverse("admin:feedback_article_rules"))
    assert page.status_code == 200
    body = {"threshold": "70", "sample_percent": "30", "daily_cap": "9", "auto_answer": "on"}
    assert client.post(reverse("admin:feedback_article_rules"), body).status_code == 200  # no channel
    body["channels"] = str(Channel.objects.get(code="online_chat").pk)
    assert client.post(reverse("admin:feedback_article_rules"), body).status_code == 302
    assert selector.policy().threshold == 0.7
    ops = login(on.alice)
    assert ops.get("/admin/feedback/article/").status_code == 200
    for name in ("rules", "samples", "propose"):
        assert ops.post(reverse(f"admin:feedback_article_{name}")).status_code == 403
    assert ops.get("/admin/feedback/autoanswer/").status_code == 403


@db
def test_a_published_article_is_closed_to_changes(on: Cast) -> None:
    article = Article.objects.get()
    login(on.lin).post(
        f"/admin/feedback/article/{article.pk}/change/",
        {"title": "改", "body": "改", "code": "hours", "language": "zh"},
    )
    article.refresh_from_db()
    assert article.title == "门店营业时间"


@db
def test_proposed_from_answers_that_worked(cast: Cast) -> None:
    said = "您好,我们的礼品卡可以在任意门店使用,有效期两年,电话13812345678咨询。"
    for text in ("礼品卡哪里能用", "你家礼品卡在哪些店可以刷", "请问礼品卡怎么花"):
        feedback = ask(text)
        moves.record_contact(feedback=feedback, how="chat", said=said, by=cast.alice, now=NOW)
        feedback = case(feedback.pk)
        moves.resolve(feedback=feedback, by=cast.alice, now=NOW, reason="已答复")
    # Written in the composer and gone out counts as well; what never left does not.
    for number, settled in enumerate((NOW, NOW, NOW, None)):
        feedback = ask(f"请问储值卡怎么充{number}")
        message = OutboundMessage.objects.create(
            purpose="reply",
            subject_key=f"feedback:{feedback.pk}",
            recipient_key=f"a:{number}",
            idempotency_key=f"k{number}",
            channel="platform_im",
            message_class="service",
            body="x",
            created_at=NOW,
            updated_at=NOW,
            state="sent" if settled else "to_do",
        )
        ThreadEntry.objects.create(
            feedback=feedback, kind="reply", text="储值卡请到收银台充值,一百元起。", at=NOW, by=cast.alice,
            message=message, settled_at=settled,
        )  # fmt: skip
        Feedback.objects.filter(pk=feedback.pk).update(status="resolved")
    assert knowledge.propose(now=NOW) == 2
    assert knowledge.propose(now=NOW) == 0
    written = ArticleProposal.objects.get(body__contains="储值卡")
    assert written.count == 3
    written.delete()
    proposal = ArticleProposal.objects.get()
    assert proposal.count == 3 and "13812345678" not in proposal.body and len(proposal.questions) == 3
    with pytest.raises(NotPermitted):
        knowledge.accept(proposal=proposal, by=cast.alice, now=NOW)
    knowledge.accept(proposal=proposal, by=cast.lin, now=NOW)
    article = Article.objects.get()
    assert article.state == "draft" and article.variants.count() == 3 and proposal.article_id == article.pk


@db
def test_samples(cast: Cast) -> None:
    make_product("FD002", name="阳光玫瑰葡萄 2斤", keywords=["葡萄", "提子"])
    done = knowledge.load_samples(by=cast.lin, now=NOW, published=False)
    assert not [row.code for row in Article.objects.all() if unlawful(row.body, now=NOW)[0]]
    assert done["created"] >= 72 and set(Article.objects.values_list("state", flat=True)) == {"draft"}
    assert knowledge.load_samples(by=cast.lin, now=NOW, published=False)["created"] == 0
    Article.objects.all().delete()
    knowledge.load_samples(by=None, now=NOW, published=True)
    with queries() as cold:
        selector.base()
    assert len(cold) <= 6
    with queries() as warm:
        found = selector.suggestions_for(ask("葡萄放哪里好"), NOW)
    assert found[0].article.title == "葡萄收到怎么保存"
    assert sum("feedback_article" in query["sql"] for query in warm) == 0
    assert knowledge.clear_samples() == done["created"] and not Article.objects.exists()


@db
def test_api_suggests_to_those_with_the_scope(on: Cast) -> None:
    from apps.core.models import Integration
    from apps.core.services.tokens import issue_token
    from tests.feedback.api_fixtures import Client

    program = Integration.objects.create(name="bot")
    _row, key = issue_token(integration=program, scopes=["knowledge:read"], now=NOW)
    _row, other = issue_token(integration=program, scopes=["feedback:read"], now=NOW)
    answer = Client(key).get("/api/v1/knowledge/", {"q": "几点关门,便宜点"}).json()
    assert answer["results"][0]["title"] == "门店营业时间" and answer["person_needed"] == ["price"]
    assert Client(key).get("/api/v1/knowledge/").status_code == 422
    assert Client(other).get("/api/v1/knowledge/", {"q": "几点"}).status_code == 403


@pytest.mark.postgres
@pytest.mark.usefixtures("committed")
def test_two_workers_answer_once() -> None:
    from tests.factories import make_cast
    from tests.feedback.test_races import at_once

    cast = make_cast()
    publish(cast)
    rules(cast)
    for number in range(6):
        created(ask(f"店里第{number}层几点打烊"))
    sent = at_once([lambda: auto_answer.answer_due(now=NOW)] * 4)
    assert all(isinstance(count, int) for count in sent), sent
    looked = AutoAnswer.objects.count()
    assert looked == 6 and sum(sent) == AutoAnswer.objects.filter(state="sent").count() > 0
    assert ThreadEntry.objects.filter(kind="contact").count() == sum(sent)
