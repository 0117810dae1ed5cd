"""Complaints that no fixed word can name: quantities, waiting times, part of a delivery spoilt.

Each pattern has a gate: characters one of which must be present, because looking for a character costs
nothing and running twenty expressions over every text would.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_N = r"[\d一二两三四五六七八九十半几]+"
_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"两": 2, "几": 3}


def number(text: str) -> float | None:
    """A small count written in digits or Chinese numerals; 十二 → 12, 半 → 0.5."""
    if text.isdigit():
        return float(text[:6])
    if text == "半":
        return 0.5
    total = 0
    digit = 0
    for char in text:
        if char == "十":
            total += (digit or 1) * 10
            digit = 0
        elif char in _DIGITS:
            digit = _DIGITS[char]
        else:
            return None
    return float(total + digit)


@dataclass(slots=True, frozen=True)
class Pattern:
    """``s_group`` as in the lexicon (auto, review, fault) or empty for a plain category hit."""

    name: str
    code: str
    s_group: str
    gate: frozenset[str]
    regex: re.Pattern[str]
    accept: Callable[[re.Match[str]], bool] | None = None


def _half_or_more(match: re.Match[str]) -> bool:
    whole, bad = number(match["whole"]), number(match["bad"])
    return whole is not None and bad is not None and whole >= 2 and 0 < bad <= whole and bad * 2 >= whole


# 用了没有起红疹 tells of no harm; 吃了没多久就拉肚子 and 不小心 do.
_DENIED_INSIDE = re.compile(
    r"没(?!多久|几|过多久|两|一会|过几)|无|未|不(?!久|到|小心|断|知|仅|但|光|止|舒服|行|好|适)|避免|防止|预防"
)


def _not_denied(match: re.Match[str]) -> bool:
    return _DENIED_INSIDE.search(match.group()) is None


def _p(
    name: str,
    code: str,
    s_group: str,
    gate: str,
    regex: str,
    accept: Callable[[re.Match[str]], bool] | None = None,
) -> Pattern:
    return Pattern(name, code, s_group, frozenset(gate), re.compile(regex), accept)


def _not_settled(match: re.Match[str]) -> bool:
    return not any(word in match.group() for word in ("没有问题", "没有任何", "没有退", "不用"))


_BAD = r"(?:坏|烂|臭|霉|发霉|腐烂|不能吃|不能要|有问题)"

PATTERNS: tuple[Pattern, ...] = (
    _p(
        "part_spoilt",
        "QUALITY_FRESH",
        "fault",
        "坏烂臭霉吃题",
        rf"(?P<whole>{_N})(?:个|斤|盒|颗|箱|只|袋|件|枚|粒)[^。!?]{{0,12}}?(?:(?:有|就|里面|其中|竟然|居然|已经)?(?P<bad>{_N})个?(?:都|是|已经|全)?{_BAD})",
        _half_or_more,
    ),
    _p(
        "part_spoilt",
        "QUALITY_FRESH",
        "fault",
        "坏烂臭霉吃题",
        rf"(?P<whole>{_N})(?:个|斤|盒|颗|箱|只|袋|件|枚|粒)[^。!?]{{0,12}}?{_BAD}了?掉?(?P<bad>{_N})(?:个|颗|只|枚|粒)",
        _half_or_more,
    ),
    _p(
        "mostly_spoilt",
        "QUALITY_FRESH",
        "fault",
        "坏烂臭霉吃",
        rf"(?:大部分|多半|一大半|大半|一半|几乎全|几乎都|基本上?都?|全部|全都|全是|整箱|没一个不)(?:都|是|已经|给我)*{_BAD}",
    ),
    _p(
        "mostly_spoilt",
        "QUALITY_FRESH",
        "fault",
        "坏烂臭霉",
        r"(?:坏|烂|臭|霉)了?(?:一?大半|一半|大部分|多半|整箱|一箱|全部)|(?:全|都|整箱)(?:烂|臭|发霉)(?:了|光|掉|完|透)|一个(?:能吃|好)的都?没",
    ),
    _p(
        "mostly_spoilt",
        "QUALITY_FRESH",
        "fault",
        "好",
        r"(?:只有|只剩下?|就剩下?)[一二两三1-3](?:个|颗)(?:是)?(?:好的?|能吃)|没有?(?:一个|几个)(?:是)?(?:好的|完好|能吃)",
    ),
    _p(
        "spoilt",
        "QUALITY_FRESH",
        "",
        "坏烂",
        rf"{_N}(?:个|颗|只)(?:都|是|已经)?(?:坏|烂)(?!了?(?:一?大半|一半))|(?:坏|烂)了?(?:好?{_N}|好多|很多|不少)(?:个|颗|只)?|烂掉?的很多",
    ),
    _p(
        "waiting",
        "LOGISTICS_DELAY",
        "",
        "时天钟周月",
        rf"(?:等|晚|超时|迟到?|催)了?(?:整整|将近|快|差不多|大概|足足|接近|我)?{_N}个?(?:多|半)?(?:小时|钟头|天|分钟|星期|周|月)"
        rf"|{_N}个?(?:多|半)?(?:小时|钟头|天|分钟|星期|周|月)多?(?:了|后)?(?:都|也)?(?:才(?:[送到收发来拿派]|给我送|能[送到])|还没|没到|没收到|都没|还不|没有?人?送|不发货|没发货)",
    ),
    _p(
        "slow_delivery",
        "LOGISTICS_DELAY",
        "",
        "慢晚久",
        r"(?:送|发货|配送|快递|物流|派送|到货|出餐|上菜|派件)[^,。!?;不快]{0,5}(?:慢|晚|久)",
    ),
    _p(
        "refund_refused",
        "REFUND_REFUSED",
        "auto",
        "退换",
        r"(?:不给|不肯|不让|拒绝|不予|不同意|迟迟不|就是不|死活不|又不)(?:我)?(?:办理|处理|接受)?(?:退|换)(?!房|色|而|差|押)"
        r"|退(?:货|款|钱|换货?)[^,。!?;]{0,6}(?:难|不理|没人理|拒绝|推脱|不处理|比登天|不了|遥遥无期)",
    ),
    _p(
        "refund_demand",
        "REFUND",
        "auto",
        "退赔",
        r"(?:强烈要求|要求|坚决|必须|我要|立即|马上|赶紧|赶快|果断)(?:给我|你们|商家|店家|卖家|全额|申请|办理)*(?:退(?:货|款|钱|换|掉|回)|赔)",
    ),
    _p(
        "refused_again",
        "REFUND_REFUSED",
        "auto",
        "拒驳批仗拖",
        rf"退(?:货|款|钱|换)?[^,。!?;]{{0,8}}{_N}次[^,。!?;]{{0,8}}(?:拒|驳|不通过|不批)|(?:退|赔|换)(?:货|款|付)?(?:申请)?[^,。!?;没]{{0,5}}(?:被拒|拒了|驳回|被驳|不予通过|不批)|拒了?{_N}次"
        r"|退[^,。!?;]{0,4}(?:跟|像|比|和)[^,。!?;]{0,3}(?:打仗|登天|要命|难)|(?:退款|退货|退钱)[^。!?;]{0,6}(?:一拖再拖|还在拖|一直拖|拖着不)",
    ),
    _p(
        "refund_late",
        "REFUND_SLOW",
        "auto",
        "退",
        rf"退(?:款|货款|钱)[^。!?;]{{0,10}}(?:还没|仍未|迟迟|没有?|未)(?:退|到账?|收到|打给|返)|(?:签收|寄回|收到退货|退货|退回去?)[^。!?;]{{0,8}}{_N}(?:多)?(?:天|日|周|个月)[^。!?;]{{0,10}}(?:没退|未退|不退|没到账|还没)",
        _not_settled,
    ),
    _p(
        "money_back",
        "REFUND",
        "auto",
        "赔退还",
        r"(?<!要求)(?<!不用)(?<!必要)(?<!需要)(?<!不要)(?<!不想)(?<!肯)(?<!给)(?:赔钱|退钱|还钱|退我钱|还我钱)(?=[!,。~\s]|$)",
    ),
    _p(
        "refund_wish",
        "REFUND",
        "review",
        "退赔",
        r"(?:申请|请|给我|想要?|怎么|如何|能否|能不能)(?:给我|你们|商家|店家|卖家|全额)*(?:退(?:货|款|钱|换|掉)|赔)|(?:可以|能)退(?:货|款|换)?(?:吗|么|不)",
    ),
    _p(
        "lost_parcel",
        "LOGISTICS_LOST",
        "auto",
        "收签到",
        r"(?:没|未|没有|都没|并没有|并未)(?:见到|看到|收到|拿到)(?:货|东西|快递|包裹|商品|餐|外卖)?[^。!?]{0,12}(?:签收|确认收货|已完成|完成订单|已送达|妥投)"
        r"|(?:签收|确认收货|已送达|订单完成|完成了?)[^。!?]{0,10}(?:没|未)(?:有)?(?:见到|看到|收到|拿到)",
    ),
    _p(
        "overcharged",
        "STORE_CHECKOUT",
        "auto",
        "多重扣",
        rf"多(?:收|扣|刷|算|要)了?(?:我|我们|我的)?(?:{_N}百?(?:块|元|毛|角|份|次|遍)|钱)|重复(?:扣款?|收费|付款|扣费|刷卡)|扣了?(?:两次|双倍)",
    ),
    _p(
        "body_reaction",
        "SAFETY_ALLERGY",
        "auto",
        "痒疹痘疙红肿脱疼掉",
        r"(?:用|洗|穿|涂|抹|擦|戴|敷|喷|贴)(?:了|完|过|后|着|上)[^。!?]{0,14}?(?:起了?[^,。]{0,4}(?:疹|痘|疙瘩|水泡|红点)|(?:脸|身上|皮肤|全身|头皮|脖子|手)[^,。]{0,3}(?:又红|发红|红肿|刺痛|很痒|发痒|特别痒|好痒|疼))",
        _not_denied,
    ),
    _p(
        "hair_loss",
        "SAFETY_ALLERGY",
        "review",
        "发",
        r"(?:用|洗)(?:了|完|过|后|着|之后|以后|几次)[^。!?]{0,14}?(?:掉头?发|脱发|头发[^,。]{0,3}掉)(?!.{0,3}(?:少|好|改善|减))",
        _not_denied,
    ),
    _p(
        "ill_after_eating",
        "SAFETY_FOOD",
        "auto",
        "吐泻肚胃医",
        r"(?:吃|喝)(?:了|完|过|后|着|的)?[^。!?]{0,16}?(?:上吐下泻|拉肚子|拉稀|腹泻|闹肚子|肚子(?:痛|疼|不舒服|难受)|胃(?:疼|痛|难受|不舒服)|呕吐|吐了|住院|医院|急诊)",
        _not_denied,
    ),
    _p(
        "hurt",
        "SAFETY_INJURY",
        "auto",
        "伤摔滑烫",
        r"(?:被|把|孩子|老人|小孩|手指?|脚|脸|嘴|皮肤)[^,。!?]{0,10}(?:割伤|划伤|烫伤|夹伤|砸伤|咬伤|扎伤|烧伤|炸伤|摔倒|滑倒|割破|划破|磕破)",
        _not_denied,
    ),
    _p(
        "as_if_used",
        "COUNTERFEIT_USED",
        "review",
        "旧用穿拆",
        r"(?:像|跟|和|好像)(?:是)?(?:别人|人家|被人)?(?:旧的|用过|穿过|拆过|旧货|旧[衣裤鞋机][^,。]{0,2}(?:一样)?)",
    ),
    _p(
        "other_than_ordered",
        "MISMATCH_WRONG_ITEM",
        "",
        "点要买订拍选",
        r"(?:我?点|要|买|订|拍|选)的(?:是)?[^,。!?]{1,10}?[,\s]?(?:却|结果|居然|竟然|实际|但)?(?:送|给|发|寄|来)(?:的|了|来|过来|个|我)",
    ),
    _p(
        "note_ignored",
        "MISMATCH_WRONG_ITEM",
        "",
        "不别少多",
        r"(?:备注|说了|说好|说过|要求|特意|特别|嘱咐|交代|打电话)[^。!?]{0,14}(?:不要|不放|别放|少放|不加|多放|不吃)[^。!?]{0,16}(?:还|却|结果|依然|照样|全是|都是|居然|又|没)",
    ),
    _p(
        "note_ignored",
        "MISMATCH_WRONG_ITEM",
        "",
        "备",
        r"备注[^。?]{0,12}(?:不要|不放|别放|少放|不加|不吃|免)[^。?]{0,16}(?:上面|铺|一层|一堆|满满|照放|照加|还放|还有)",
    ),
    _p(
        "made_wrong",
        "MISMATCH_WRONG_ITEM",
        "",
        "错",
        r"(?:刻|发|送|写|打印|装|拿|寄|给|印|做|配|贴)错(?:了|成|字|货|地|款|色|码|单|东西|口味|型号|[,。!?]|$)",
    ),
    _p(
        "opinion",
        "OTHER_OPINION",
        "",
        "业舆监阅转热论",
        r"整个行业|(?:这个)?行业(?:都|普遍|通病|乱象)|舆情|监测】|阅读量|转发量|上热搜|论坛帖",
    ),
    _p(
        "leaking",
        "PACKAGING_LEAK",
        "",
        "漏渗",
        r"(?:盖子?|瓶口|封口|泵头|瓶子?|罐子?|包装袋?|杯盖)[^,。!?;不没]{0,6}(?:漏(?!斗|电|发|水)|渗|关不紧|拧不紧|合不上|松)|(?:收到|到手|打开|寄来)[^,。!?;不没]{0,4}(?:就|都|全|已经)漏",
    ),
    _p(
        "cheaper_now",
        "PRICE_DROP",
        "",
        "昨前刚晚才午天",
        r"(?:昨天|前天|昨晚|刚刚?|上午|才)[^。!?]{0,8}(?:买|下单|拍)[^。!?]{0,14}(?:今天|现在|第二天|转眼|马上|就)[^。!?]{0,8}(?:便宜|降|掉价|少了|减|只要|才\d|就\d|\d{2,})",
    ),
    _p("promised", "MISMATCH_DESC", "", "说", r"说好的?是?[^,。!?]{1,6}(?:呢|结果|却|变成)"),
    _p(
        "not_as_shown",
        "MISMATCH_DESC",
        "",
        "图照描网述",
        r"(?:图片|照片|图|描述|网上|介绍|宣传|详情)[^,。!?]{0,6}(?:不符|不一样|不一致|差[^,。!?点不]{0,3}(?:大|远|多)|差距|差别|相差|不是一)",
    ),
)
