"""Turns of phrase that approve or blame without a word the lists could hold.

Customers say 倒过来晃都不漏 and 误工费谁给我: no single character of either is good or bad. Each turn adds
its log-odds to the text's sentiment; the few which also tell what the text *is* (a filler, an
advertisement, a report by staff) are flags.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass

from apps.feedback.analysis.gates import Gates


@dataclass(slots=True, frozen=True)
class Turn:
    """``gate``: one of these characters or pairs must be present before the expression is tried."""

    name: str
    weight: float
    gate: frozenset[str]
    regex: re.Pattern[str]


def _t(name: str, weight: float, gate: str, regex: str) -> Turn:
    return Turn(name, weight, frozenset(gate.split("|") if "|" in gate else gate), re.compile(regex))


_NUMBER = r"[\d一二两三四五六七八九十半几好多]+"
_KIN = (
    r"(?:全家|家里|[我俺咱]家|老人|老妈|老爸|爸妈?|妈妈?|爷爷|奶奶|姥姥|外婆|婆婆|公公|老公|老婆|媳妇|孩子|小孩|娃|宝宝|儿子|女儿|闺女"
    r"|朋友|同事|邻居|室友|闺蜜|家人|大家|小朋友|猫|狗)"
)
_REAL_DEFECT = (
    r"(?:漏(?!发|寄|送)|弯|掉[色毛渣漆]|起球|变形|缩水|褪色|磨脚|勒|卡[顿壳]?|粘[锅牙手]|糊|腻|噎|涩|散架|生锈|打滑|串味|异味|怪味|磕碰"
    r"|破损|水垢|色差|痒|干(?:燥|涩|痒|了|巴|(?=[,。!~]|$))|刺激|紧绷|假滑|闷|吵|晃|塌|渗|洒|碎|疼|打结|毛躁|拉嗓子|上火|费劲|硌|烫手|扎人)"
)

APPROVALS: tuple[Turn, ...] = (
    _t(
        "defect_absent",
        1.6,
        "不没无",
        rf"(?<![能会要肯是])(?:不|没有?|毫无|一点没|完全没|未见)(?:再|会|怎么|一点儿?|什么|任何|出现过?|发现|有过?|太|咋){{0,2}}{_REAL_DEFECT}"
        r"(?!不|没|之前|吗|么|\?)|倒过来[^,。!?]{0,5}(?:不|没)",
    ),
    _t(
        "household_likes",
        1.6,
        "抢着|爱不|说好|说香|说甜|说不|说漂|说喜|说很|说挺|说比|爱吃|爱喝|爱用|喜欢|夸|馋|一口|停不|都能|赞不",
        rf"{_KIN}[^,。!?不没]{{0,8}}(?:抢着|爱不释手|说(?:好|香|甜|不错|漂亮|喜欢|很|挺|比)|都?爱[吃喝用]|都?喜欢|夸|馋|一口气|停不下来|都能[吃用喝]|赞不绝口)",
    ),
    _t(
        "dialect",
        2.2,
        "老嘎贼忒倍怪可真死",
        r"(?:老|嘎嘎|贼拉?|忒|倍儿?|怪|可)(?:甜|香|好[吃喝用看闻使]?|得劲|嫩|脆|鲜|亮堂|舒服|漂亮|实惠|软和?|带劲|滑|快|灵|美|干净|值)(?:了|啦|啊|呀|嘞|着呢|的|[,。!~\s]|$)"
        r"|(?:香|甜|美|好吃|好喝)(?:死|迷糊|懵)(?:了|啦|个人)",
    ),
    _t(
        "settled",
        2.2,
        "处理|解决|售后|补发|换货|赔付|二话|立马|立刻|马上|当天|主动|很快|修好|补上|换好|退好|到账|差价|的新|新换|重新|补来|补到|补寄|补齐|换来|换到",
        r"(?:处理|解决|售后|补发|换货|赔付)(?:得|的|服务|问题|态度|速度|结果)?(?:很|挺|太|非常|真|特别|够|也|都|蛮|超|相当){0,2}"
        r"(?:好|快|及时|利索|爽快|到位|满意|痛快|麻利|干脆|给力)(?!多少|点|就好|吗)"
        r"|二话[不没]说|(?:立马|立刻|马上|当天就?|主动|很快就?)(?:就|给我?|帮我?|又){0,2}(?:换|补|退|赔|处理|道歉|打电话(?:来)?道歉)(?!房|不)"
        r"|(?:已经?|都|也)(?:解决|处理好|修好|补发|补上|换好|退好|到账)了?(?=[,。!~;]|$)|差价[^,。!?没不谁]{0,3}补(?:了|上|给)|(?<![没未不])(?:补(?:来|到|上|寄来|齐)|换(?:来|到|好)|退款?到账|到账)了(?!吗|没|么)|(?:换|补)的新|新换的|重新寄[到来]",
    ),
    _t(
        "thanks",
        1.4,
        "谢赞扬夸",
        r"(?:谢谢|感谢|多谢|谢了|谢啦)(?!你们让|你们的?坑|了个|您嘞|啊,|配合|理解)|(?:点个?|大|的)赞(?!助)|表扬|(?:追着|忍不住|想|要|必须|特地|专门)夸",
    ),
    _t(
        "content",
        1.3,
        "刚好|正好|够用|够吃|够喝|惯了|买对|赶紧|冲就|一口|空口|停不|抢着",
        r"(?:刚刚|刚|正)好(?=[,。!~的]|$)|够[用吃喝](?:了|的)|[用吃喝]惯了|买对了|赶紧(?:冲|囤)|冲就(?:完|对)|一口气[吃喝]|空口[^,。]{0,3}[吃喝]|停不下来|抢着[吃喝]",
    ),
)

BLAMES: tuple[Turn, ...] = (
    _t(
        "who_pays",
        -2.6,
        "谁管找",
        r"(?:损失|钱|责任|费用)[^,。!?]{0,2}找谁|(?:谁|哪个)(?:来)?(?:给我|给报|负责|赔|补(?!了)|管|承担|买单|(?:在)?(?:撒谎|说谎)|来?解释)|(?:有没有|有|没)人(?:来|能|出来)?(?:管|处理|负责)(?!理)|管不管",
    ),
    _t(
        "mockery",
        -2.6,
        "逗|耍|猴|悠谁|忽悠|唬|糊弄|蒙|骗谁|骗鬼|哄|坑谁|坑鬼|冤|韭菜|合着|敢情|有你|镶|祖宗|大爷|当我|我当|们当|当顾|当客|当消|当傻|当成|有脸|没脸|意思|就这|寂寞|凑数",
        r"逗(?:我|谁|你玩)|耍猴|当猴|耍(?:我|人|谁)|(?:忽悠|唬|骗|糊弄|蒙|哄|坑)(?:谁|鬼|小孩|傻子)|冤大头|割韭菜|合着|敢情|真有你们?的|镶(?:了)?[金钻]|当(?:祖宗|大爷|爹)"
        r"|(?:拿|把)我们?当(?!面|地|时|天)|当(?:成)?(?:傻|冤大)|当(?:我|我们|顾客|客人|消费者)(?:是)?(?:傻|瞎|冤)|就这\?|就这(?:水平|质量|服务|态度|玩意)|(?:有|没)脸|(?:也|真|怎么|还)好意思|了个寂寞|凑数的|糊弄事",
    ),
    _t(
        "how_dare",
        -2.2,
        "敢叫算配什何凭怎哪离过至理",
        r"(?:这|就)(?:也|都|还|种|样|么)[^,。!?]{0,5}(?:敢|叫|算|配)[^,。!?]{0,8}[?!]|也敢(?:发|卖|拿|寄|说)|什么(?:破|鬼|逻辑|道理|态度|烂)|有你们这么?样?|哪有(?:这样|这么|你们)"
        r"|离(?:大)?谱|至于吗|不合理吧|说得过去|过分了|凭(?:什么|啥)|天理|怎么(?:做|当|开)(?:的|生意|店)",
    ),
    _t(
        "word_broken",
        -1.8,
        "说诺应证着称标约宣显全史",
        r"(?:说好?|承诺|答应|保证|写着|标着|标称|号称|宣传|约好?|显示)(?:的|是|了|有)?[^。!?]{1,14}?[,\s](?:结果|又改|又说|又变|却|居然|竟然|实际|到手|其实|压根|根本|拖到|变成|去掉|一称|问就|转头|转眼|扭头)|(?:全网|全场|史上)最低[^。!?]{0,16}(?:便宜|更低|降)",
    ),
    _t(
        "drags_on",
        -1.6,
        "天还|天了|天都|天没|天不|周还|周了|周没|周都|期还|期了|期没|拜还|拜了|月还|月了|月没|在路|在拖|在走|又改|又推|又拖|又延|迟迟|没动|没有|没下|没音|再无|石沉|杳无|一直|老是|总不|总没",
        rf"{_NUMBER}(?:个)?(?:天|周|星期|礼拜|月)(?:了)?(?:还|都|仍|一直)?(?:在路上|没动|没消息|没动静|不更新|没更新|不动|没回|没人)|还在(?:路上|拖|走流程)|又(?:改|推|拖|延)(?:到|成|后|明|下)"
        r"|迟迟|没(?:有)?(?:动静|下文|音信|音讯)|再无下文|石沉大海|杳无音|一直(?:拖|停在|占线|转圈)|(?:一直|老是|总)(?:不|没)(?:发|回|到|送|退)",
    ),
    _t(
        "against_expectation",
        -0.9,
        "居然|竟然|压根|硬是|愣是|偏偏|明明|没想|没有|没预|没期|不如|成功|显示|下单|付款",
        r"(?:没(?:有)?|不如)(?:想象|预期|期待|描述)(?:中|的|里)?(?:那么|这么)?(?:好|香|甜|大|高|新鲜|[,。!]|$)|居然|竟然|压根|硬是|愣是|偏偏|明明|(?:成功|显示|下单|付款)[^,。!?]{0,6}(?:但|却)[^,。!?]{0,8}(?:未|没|无法|不能|不到)",
    ),
    _t(
        "short_of",
        -1.6,
        "少了|少发|少装|少送|少给|只有|只送|只发|只到|只给|只装|缺斤|漏发|漏寄|漏送|漏装|等于",
        rf"少(?:了|发|装|送|给)(?:我|了)?{_NUMBER}(?:个|包|袋|件|斤|两|瓶|支|片|只|份|盒|根|条|颗|块)|只(?:有|送|发|到|给|装)(?:来|了|到)?{_NUMBER}(?:个|包|袋|件|斤|两|瓶|支|片|只|份|盒|颗)(?:了)?(?=[,。!?]|$)"
        r"|缺斤(?:少|短)两|漏(?:发|寄|送|装)|约等于没有?",
    ),
)

# What makes a text no statement about a purchase at all.
FILLER = re.compile(
    r"(?:该|此|本)?(?:用户|顾客|买家|评价方|客户)[^,。!?]{0,4}(?:没有?|未)(?:有|及时)?(?:填写|作出|做出|写|发表|输入)[^,。!?]{0,6}(?:评价|内容|文字|评论)?"
    r"|(?:系统|平台|默认)+(?:自动)?(?:默认|给出|做出)?好评|(?:凑|写)(?:满|够|足|个|几|点|够了){1,3}[^,。!?]{0,3}字|^字数"
)
_FILLER_GATE = frozenset("填默字未及")
_MONOTONE = re.compile(r"^([嗯哦额呃噢喔唔啊])\1+[,。.!~\s]*$|^\d+$")

SPAM = re.compile(
    r"代运营|刷单(?:日结|兼职|平台|招)|兼职[^,。]{0,4}(?:日结|刷单)|日结|(?:加|\+|➕|十)(?:我)?(?:v|vx|微信?|薇|卫星|q)(?:[:\d\sa-z了解信聊咨]|$)|(?:vx|微信|薇信)[::]|看(?:我)?(?:签名|主页|头像)"
    r"|(?:点击|打开|填写)[^,。!?]{0,6}(?:链接|附件|网址)[^。!?]{0,8}(?:领|填|登|银行卡|密码)|(?:专业|承接|提供)(?:代运营|刷量|涨粉|补单|删评|删差评|好评)|涨粉|引流|(?:低息|秒批|无抵押)贷|待领取"
)
_SPAM_GATE = frozenset("代刷兼加+➕vx微薇签击领涨引贷")
# A customer who exposes others' trickery is no spammer.
_ACCUSES = re.compile(r"别信|骗|都是刷|假的|投诉|举报|返现卡|好评返")

_PAST = re.compile(
    r"(?:之前|以前|上一[个瓶台款件次批]|上次|原来|原先|先前|从前|本来|一开始|起初)[^,。!?]{0,8}$"
)
_NOW = re.compile(
    r"现在|这次|这回|这[个款台瓶件]|如今|换(?:了|的|成)|新的|补发|后来|没想到[^差坏烂]{0,6}(?:好|香|快)|处理|解决|道歉"
)


_ALL = Gates((*APPROVALS, *BLAMES), lambda turn: turn.gate)


class Turns:
    """What the turns of one text say together."""

    __slots__ = ("approval", "blame", "names")

    def __init__(self, text: str, grams: Set[str]) -> None:
        self.approval = 0.0
        self.blame = 0.0
        self.names: set[str] = set()
        for turn in _ALL.open(grams):
            if turn.regex.search(text):
                if turn.weight > 0:
                    self.approval += turn.weight
                else:
                    self.blame -= turn.weight
                self.names.add(turn.name)


def is_filler(text: str, characters: Set[str]) -> bool:
    """此用户没有填写评价, 系统默认好评, 凑字数, 嗯嗯嗯: nothing was said."""
    if len(text) <= 30 and not _FILLER_GATE.isdisjoint(characters) and FILLER.search(text):
        return True
    return len(characters) <= 3 and _MONOTONE.match(text) is not None


def is_spam(text: str, characters: Set[str]) -> bool:
    """Advertising addressed to anybody, as opposed to a customer who complains of it."""
    return (
        not _SPAM_GATE.isdisjoint(characters)
        and SPAM.search(text) is not None
        and _ACCUSES.search(text.replace("诈骗", "")) is None
    )


def is_past(lead: str, rest: str) -> bool:
    """之前壶盖有点松, … 补发: the trouble is over, or was with another article."""
    return _PAST.search(lead) is not None and _NOW.search(rest) is not None
