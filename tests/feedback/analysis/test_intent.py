"""Kinds by intent, stars against text, and turns of phrase without a listed word."""

import time

import pytest


def read(reader, text, rating=None, channel=None):
    return reader.read(text, rating, is_review_channel=channel)


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("杯子倒扣在包里一天,书一点没湿", 5),
        ("之前那把用俩月就散架,这把结实多了", 5),
        ("贼好吃,我奶奶假牙都咬得动", 5),
        ("冬天开着暖气睡,嗓子不干", 4),
        ("漏发的那袋第二天就补来了,态度没得说", 5),
        ("包装破了,不过里面没坏,味道不错", 4),
        ("宝宝很喜欢,用了没红没痒", 5),
        ("很好吃", 5),
    ],
)
def test_good_stars_without_a_real_problem_are_positive_reviews_of_tier_b(reader, text, rating):
    reading = read(reader, text, rating)
    assert (reading.kind, reading.sentiment, reading.tier) == ("review", "positive", "B"), reading
    assert reading.category == "PRAISE"


@pytest.mark.parametrize(
    ("text", "rating"), [("太差了", 1), ("真垃圾,不会再来", 1), ("服务员眼皮都不抬,爱答不理", 2)]
)
def test_blame_which_asks_nothing_is_a_review_of_tier_a(reader, text, rating):
    reading = read(reader, text, rating)
    assert (reading.kind, reading.sentiment, reading.tier) == ("review", "negative", "A"), reading


def test_irony_and_slips_beat_the_stars(reader):
    assert read(reader, "呵呵,真有你们的,五星好评送给你们的垃圾服务", 5).sentiment == "negative"
    assert read(reader, "一星是手滑,其实东西很好很喜欢,质量棒", 1).sentiment == "positive"


@pytest.mark.parametrize(
    ("text", "rating", "channel", "tier"),
    [
        ("说下午到,拖到明天又说后天,我这假白请了,损失找谁?", 1, None, "A"),
        ("要的是洗面奶,寄来一盒牙膏??", 2, None, "A"),
        ("快递走了九天还在外省转悠,管不管了", None, False, "A"),
        ("直播说全场最低,转头官网便宜二十,拿我们当傻子呢", None, False, "A"),
        ("下单两件就发一件,少的那件谁补?", 2, None, "A"),
        ("为什么我的订单被取消了?给个解释", None, False, "A"),
        ("三次申请退款都被驳回,到底退不退", 1, None, "S"),
        ("十个桃烂了七个,退钱!", 1, None, "S"),
        ("用了你们的面霜脸肿了,怎么处理", None, False, "S"),
    ],
)
def test_grievances_with_a_demand_are_complaints(reader, text, rating, channel, tier):
    reading = read(reader, text, rating, channel)
    assert (reading.kind, reading.sentiment, reading.tier) == ("complaint", "negative", tier), reading


@pytest.mark.parametrize(
    "text",
    [
        "请问有38码的吗",
        "这款和上一代有啥区别呀",
        "明天门店几点开门",
        "断货的那款什么时候补",
        "会员积分怎么兑换",
        "麻烦帮我开一张发票,谢谢",
        "孕妇能用吗?会过敏吗",
        "来电记录:顾客咨询会员卡如何升级,已告知",
    ],
)
def test_questions_are_neutral_inquiries(reader, text):
    reading = read(reader, text)
    assert (reading.kind, reading.sentiment, reading.tier) == ("inquiry", "neutral", "B"), reading
    assert not reading.s_review


def test_a_doubt_of_genuineness_still_asks_for_a_look(reader):
    assert read(reader, "这个会不会是假货啊").s_review
    assert not read(reader, "店员没有询问过敏史,也没提醒").s_review


@pytest.mark.parametrize(
    "text",
    [
        "收银台能不能多开一个窗口",
        "建议冷藏柜旁边放点保温袋",
        "出个大瓶装吧,全家用小的不够",
        "要是早餐能再早半小时就好了",
        "座谈会记录:会员建议设置母婴休息区",
    ],
)
def test_proposals_are_suggestions_of_tier_b(reader, text):
    reading = read(reader, text)
    assert (reading.kind, reading.emotion, reading.tier) == ("suggestion", "suggestion", "B"), reading


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("感谢三楼导购王姐,帮我妈挑了半小时鞋", None),
        ("表扬一下今天送货的小哥,下雨天还把箱子搬到厨房", None),
        ("改评价:换的新锅没问题,给店家点个赞", 5),
        ("来电记录:顾客来电感谢配送员小周帮忙寻找走失老人", None),
    ],
)
def test_thanks_to_people_are_praise(reader, text, rating):
    reading = read(reader, text, rating)
    assert (reading.kind, reading.sentiment, reading.tier) == ("praise", "positive", "B"), reading


def test_the_channel_tells_a_review_from_a_complaint(reader):
    assert read(reader, "太差了", channel=True).kind == "review"
    assert read(reader, "太差了", channel=False).kind == "complaint"
    assert read(reader, "很好吃", channel=True).kind == "review"
    assert read(reader, "很好吃", channel=False).kind == "praise"
    assert read(reader, "太差了", 1).kind == "review"


def test_read_many_takes_pairs_and_triples(reader):
    items = [("太差了", 1), ("太差了", None, False), ("太差了", None, True)]
    assert [r.kind for r in reader.read_many(items)] == ["review", "complaint", "review"]


@pytest.mark.parametrize("text", ["专业代运营,提升销量,加V详聊", "刷单兼职日结,加微信了解"])
def test_advertising_is_no_complaint(reader, text):
    reading = read(reader, text)
    assert (reading.category, reading.sentiment, reading.tier) == ("OTHER", "neutral", "B")


def test_who_exposes_trickery_is_no_advertiser(reader):
    assert "spam" not in read(reader, "客服让我加微信删评价,别信他们,骗子").reasons


def test_words_put_there_by_the_platform_say_nothing(reader):
    for text in ("此用户没有填写评价", "系统默认好评", "嗯嗯嗯嗯嗯嗯"):
        reading = read(reader, text)
        assert (reading.subcategory, reading.sentiment, reading.tier) == ("OTHER_NO_CONTENT", "neutral", "B")
        assert read(reader, text, 5).sentiment == "positive"


def test_a_guessed_topic_alone_raises_nothing(reader):
    reading = read(reader, "晚上看书点一盏,光线柔柔的", 5)
    assert (reading.sentiment, reading.tier) == ("positive", "B")


@pytest.mark.parametrize(
    "piece", ["请", "说好,结果", "备注不要", "能不能给我", "退款3次", "谢谢 ", "好不好?"]
)
def test_long_texts_cost_no_more_than_their_length(reader, piece):
    begin = time.process_time()
    reader.read(piece * (8000 // len(piece)))
    assert time.process_time() - begin < 2
