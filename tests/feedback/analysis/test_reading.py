"""Kinds, stars, precedence, competitors and the shape of a reading."""

import pytest

from apps.feedback.analysis import VERSION, Reader
from apps.feedback.analysis.packs import shipped_lexicon, shipped_taxonomy


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("inquiry", "请问这款有没有大码"),
        ("inquiry", "能不能开发票"),
        ("inquiry", "你好,请问周末几点关门?"),
        ("inquiry", "这个孕妇可以用吗"),
        ("inquiry", "可以送货上门吗"),
        ("inquiry", "請問這款手機支援雙卡嗎?"),
        ("suggestion", "建议增加自提点"),
        ("suggestion", "希望店里能增加儿童座椅"),
        ("suggestion", "最好能在小程序里加个搜索"),
        ("suggestion", "味道不错,希望分量再多一点"),
        ("praise", "你们的店员小王特别热情"),
        ("praise", "表扬一下3号收银台的阿姨,很耐心"),
        ("praise", "送餐很快,味道也不错"),
        ("complaint", "打客服热线半小时没人接"),
        ("complaint", "说好的赠品没给,找客服也没人理"),
        ("complaint", "为什么还不发货?都一周了!"),
        ("complaint", "12315投诉:商家拒绝退款,商品为假冒"),
        ("complaint", "衣服洗一次就掉色"),
        ("review", "味道一般,价格还可以"),
        ("review", "还没用,用了再来评价"),
    ],
)
def test_kind_is_intent(reader, kind, text):
    reading = reader.read(text)
    assert reading.kind == kind, reading


def test_questions_suggestions_and_praise_are_tier_b(reader):
    for text in ("请问这款有没有大码", "建议增加自提点", "你们的店员小王特别热情"):
        assert reader.read(text).tier == "B"


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("客服态度恶劣,而且吃完过敏了", "SAFETY"),
        ("送得太慢,还是假货", "COUNTERFEIT"),
        ("颜色不对,不给退", "REFUND"),
        ("等了两个小时才送到,都凉了", "LOGISTICS"),
        ("量太少了,就几块肉", "MISMATCH"),
        ("味道难吃", "QUALITY"),
        ("客服不理人", "SERVICE"),
        ("太吵了,隔音差", "STORE"),
        ("刚买就降价", "PRICE"),
        ("很好,下次还来", "PRAISE"),
    ],
)
def test_precedence_of_categories(reader, text, category):
    assert reader.read(text).category == category


@pytest.mark.parametrize(
    ("text", "emotion"),
    [
        ("垃圾商家,骗子", "anger"),
        ("怀疑是假的", "anxiety"),
        ("有点失望,不太合适", "disappointment"),
        ("建议增加自提点", "suggestion"),
        ("非常满意,很喜欢", "satisfaction"),
        ("已收货", "neutral"),
    ],
)
def test_emotions(reader, text, emotion):
    assert reader.read(text).emotion == emotion


def test_stars_move_an_unclear_text_but_not_a_clear_one(reader):
    unclear = "收到了"
    assert reader.read(unclear, 1).sentiment_score < reader.read(unclear).sentiment_score
    assert reader.read(unclear, 5).sentiment == "positive"
    assert reader.read("垃圾,骗子,差评,再也不买了", 5).sentiment == "negative"
    assert reader.read("非常满意,很喜欢,强烈推荐,质量很好", 1).sentiment == "positive"


def test_an_impossible_rating_is_no_rating(reader):
    assert reader.read("还行", 9) == reader.read("还行")


def test_empty_text_is_neutral(reader):
    for text in ("", "   ", "\x00\n"):
        reading = reader.read(text)
        assert (reading.sentiment, reading.sentiment_score, reading.kind) == ("neutral", 0.0, "review")
        assert reading.spans == ()


def test_literal_seed_makes_negative_quality_s():
    text = "质量很差,线头太多"
    taxonomy, lexicon = shipped_taxonomy(), shipped_lexicon()
    assert Reader.from_data(taxonomy, lexicon).read(text).tier == "A"
    literal = Reader.from_data(taxonomy, lexicon, literal_seed=True).read(text)
    assert literal.tier == "S"
    assert "literal_seed" in literal.reasons


def test_competitors_are_reported_with_spans():
    reader = Reader.from_data(shipped_taxonomy(), shipped_lexicon(), competitors=["某东超市"])
    text = "不如某东超市便宜"
    reading = reader.read(text)
    assert reading.competitors == ("某东超市",)
    span = next(s for s in reading.spans if s.role == "competitor")
    assert text[span.start : span.end] == "某东超市"


def test_competitors_may_stand_in_the_lexicon():
    lexicon = {**shipped_lexicon(), "competitors": ["某东超市"]}
    assert Reader.from_data(shipped_taxonomy(), lexicon).read("某东超市更好").competitors == ("某东超市",)


def test_edited_words_take_effect_and_change_the_version():
    taxonomy = [dict(node) for node in shipped_taxonomy()]
    node = next(n for n in taxonomy if n["code"] == "QUALITY_TASTE")
    text = "这碗面有洗脚水的感觉"
    before = Reader.from_data(taxonomy, shipped_lexicon())
    node["keywords"] = [*node["keywords"], "洗脚水"]
    after = Reader.from_data(taxonomy, shipped_lexicon())
    assert "洗脚水" not in before.read(text).keywords
    assert after.read(text).subcategory == "QUALITY_TASTE"
    assert before.version == VERSION != after.version


def test_a_removed_subcategory_does_not_break_reading():
    taxonomy = [node for node in shipped_taxonomy() if node["code"] in ("SAFETY", "PRAISE", "OTHER")]
    reader = Reader.from_data(taxonomy, {})
    for text in ("太差了", "很好很满意", "请问几点开门", "买了6个烂了5个"):
        assert "_" not in reader.read(text).category


def test_version_is_stable_and_stored_with_every_reading(reader):
    assert reader.version == VERSION == Reader.from_package().version
    assert reader.read("很好").version == VERSION


def test_reading_is_deterministic(reader):
    text = "物流太慢了,客服不理人,要求退款,感觉像假货"
    assert reader.read(text) == Reader.from_package().read(text)


def test_read_many_equals_reading_one_by_one(reader):
    items = [("很好", 5), ("太慢了", None), ("", 1)]
    assert reader.read_many(items) == [reader.read(*item) for item in items]


def test_reasons_explain_the_tier(reader):
    assert "s_trigger:SAFETY_ALLERGY" in reader.read("用了过敏").reasons


def test_values_stay_in_their_ranges(reader):
    for text in ("垃圾!!!" * 50, "很好" * 50, "?", "😀", "a" * 500):
        reading = reader.read(text)
        assert -1 <= reading.sentiment_score <= 1
        assert 0 <= reading.confidence <= 1
        assert 0 <= reading.strength <= 1
        assert len(reading.keywords) <= 6
