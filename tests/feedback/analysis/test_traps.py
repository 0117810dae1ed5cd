"""Every trap of domain.md section 4: words that look dangerous and are not, and the reverse."""

import pytest


def predicted_s(reading):
    return reading.tier == "S" or reading.s_review


@pytest.mark.parametrize(
    ("text", "trap"),
    [
        ("这酒店是夏天度假的好地方", "假的 in 度假的"),
        ("服务差到爆炸", "爆炸 as a figure of speech"),
        ("前台一股二手烟味", "二手 in 二手烟"),
        ("老酒店翻新,总体还可以", "翻新 of a building"),
        ("质量超过期望,很满意", "过期 in 超过期望"),
        ("用了一周系统中毒了,重装就好", "中毒 of a computer"),
        ("价格315元,挺划算", "315 as a price"),
        ("旁边就是工商银行,很方便", "工商 in a bank's name"),
        ("能不能换个颜色", "不能换 in 能不能换"),
        ("一星给快递小哥,东西很好", "praise of the courier"),
        ("房间挨着火车站", "着火 in 挨着火车"),
        ("手机充电到一半就满了", "电到 in 充电到"),
        ("客服推脱发票的事", "脱发 in 推脱发票"),
        ("这次购物让我心受伤了", "受伤 of the heart"),
        ("味道不错,真是帅炸了", "炸了 as praise"),
        ("等得都要长毛了", "长毛 as a figure of speech"),
        ("真想骂人", "the customer's mood, nobody swore"),
        ("优惠券过期了没用上", "过期 of a voucher"),
        ("放假的时候去的,人很多", "假的 in 放假的"),
    ],
)
def test_harmless_words_are_not_s(reader, text, trap):
    reading = reader.read(text)
    assert not predicted_s(reading), (trap, reading.reasons)


@pytest.mark.parametrize(
    "text",
    [
        "没有过敏,用着很舒服",
        "绝对不是假货,放心买",
        "在这里买不怕假货",
        "宝宝用了没有过敏的现象",
        "不是翻新机,全新的",
        "买了三次没有发现变质",
        "插座不漏电,做工很好",
        "从来没有吃坏肚子",
        "没有假货,值得信赖",
        "保质期到明年,不怕过期",
    ],
)
def test_a_denied_danger_is_not_s(reader, text):
    reading = reader.read(text)
    assert not predicted_s(reading), reading.reasons
    assert reading.sentiment != "negative"


@pytest.mark.parametrize(
    ("text", "subcategory"),
    [
        ("我孩子用了之后身上起红疹", "SAFETY_ALLERGY"),
        ("吃完全家上吐下泻", "SAFETY_FOOD"),
        ("饭里吃出一只蟑螂", "SAFETY_FOOD"),
        ("插座漏电,差点出人命", "SAFETY_INJURY"),
        ("假货,扫码查不到", "COUNTERFEIT_FAKE"),
        ("发给我一台翻新机", "COUNTERFEIT_USED"),
        ("没收到货就显示签收了", "LOGISTICS_LOST"),
        ("申请了两次,商家不给退", "REFUND_REFUSED"),
        ("用了两天就黑屏,开不了机", "QUALITY_FAULT"),
        ("买了6个烂了5个", "QUALITY_FRESH"),
        ("收银多收了我二十块钱", "STORE_CHECKOUT"),
        ("没想到打开就发霉了", "SAFETY_FOOD"),
        ("没用几天就过敏了", "SAFETY_ALLERGY"),
        ("吃了没多久就拉肚子", "SAFETY_FOOD"),
        ("不仅过敏,还脱皮", "SAFETY_ALLERGY"),
        ("不小心触电了", "SAFETY_INJURY"),
    ],
)
def test_real_dangers_are_s(reader, text, subcategory):
    reading = reader.read(text)
    assert (reading.tier, reading.subcategory) == ("S", subcategory), reading.reasons
    assert reading.category == subcategory.split("_")[0]
    assert reading.kind == "complaint"


@pytest.mark.parametrize(
    "text", ["我要打12315", "再不处理我就找律师起诉你们", "消协见", "你们泄露我的电话", "准备找媒体曝光你们"]
)
def test_threats_and_leaks_are_s(reader, text):
    assert reader.read(text).tier == "S"


@pytest.mark.parametrize("text", ["不知道是不是正品", "会不会是假货啊", "担心是假货", "听说这家卖假货"])
def test_doubt_and_hearsay_ask_for_review_instead_of_s(reader, text):
    reading = reader.read(text)
    assert reading.s_review
    assert reading.tier != "S"
    assert reading.needs_review


@pytest.mark.parametrize("text", ["怀疑是假货", "感觉像假的,洗完头很油", "估计是翻新机,太差了"])
def test_a_suspicion_in_a_negative_review_is_s_and_wants_eyes(reader, text):
    """Labelling guide: 假货、翻新、二手指控(含怀疑)."""
    reading = reader.read(text)
    assert (reading.tier, reading.s_review) == ("S", True)


@pytest.mark.parametrize("text", ["退货", "太差了,退款", "质量不行,投诉", "要赔偿"])
def test_bare_claims_ask_for_review_only(reader, text):
    reading = reader.read(text)
    assert reading.s_review
    assert reading.tier != "S"


@pytest.mark.parametrize("text", ["退货很方便,态度好", "退款很快,满意", "已经退款了,谢谢", "懒得退货了"])
def test_settled_refunds_raise_nothing(reader, text):
    assert not predicted_s(reader.read(text))


def test_vermin_in_a_room_is_hygiene_and_s(reader):
    reading = reader.read("房间里有蟑螂,太脏了")
    assert (reading.subcategory, reading.tier) == ("STORE_HYGIENE", "S")


def test_a_mouldy_room_is_hygiene_not_food(reader):
    reading = reader.read("房间有发霉的味道,床单也不干净")
    assert reading.category == "STORE"
    assert reading.tier == "A"


def test_a_word_inside_a_longer_word_is_dropped(reader):
    words = {span.word for span in reader.read("充电超级慢").spans if span.role == "category"}
    assert "充电超级慢" in words
    assert "超级慢" not in words


def test_negation_is_shown_as_evidence(reader):
    spans = reader.read("宝宝用了没有出现过敏").spans
    assert any(span.role in ("negated", "false_friend") and "过敏" in span.word for span in spans)


def test_half_a_box_spoilt_is_s_but_one_apple_is_not(reader):
    assert reader.read("买了10个苹果坏了6个").tier == "S"
    assert reader.read("买了10个苹果坏了1个").tier == "A"
