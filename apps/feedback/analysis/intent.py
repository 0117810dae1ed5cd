"""What the customer wants of the shop (decisions 7): to ask, to demand, to propose, to thank, or nothing."""

from __future__ import annotations

import re
from collections.abc import Set

# Questions are short; a long review that ends in 吗? is a reproach.
SHORT = 60

_REPROACH = re.compile(
    r"为什么|怎么还|还没(?!用|吃|买|有买)|还不(?!错)|凭什么|怎么回事|太[^,。!?]{0,4}了|不给|不理|没人|一直|是不是人|有意思|到底|居然|竟然|明明|谁负责|谁赔|什么态度|[^多]少了|都[^,。!?]{0,6}[天周月]了"
)
_ASKING = re.compile(
    r"^(?:你好|您好|亲|老板|老铁|家人们|在吗|客服|hi|hello|@\S+\s?)*[,!~\s]*(?:请问|想问|问一?下|咨询|请教|麻烦问|求问|有没有|能不能|可不可以|能否|可否)"
    r"|(?:吗|么|呢|呀|多少|几点|哪里|哪儿|多久|多大码|怎样的?|没得|[^吧!?了的。,哦行啊]\?)[🤔😂😅?。!~\s]*$"
    r"|几点(?:开|关|下班|营业|打烊|到几点)|怎么(?:兑换|换东西|用|查|领|办|改|绑|开|去|走|申请|预约|注册|使用|安装|设置|清洗|选)(?!都|也|不)"
    r"|^(?:你好|您好|亲)?[,!\s]*(?:麻烦|烦请|劳烦|请)(?:您|你们)?(?:帮(?:我|忙))?(?:补?开|查|发|寄|改|取消|登记|预约|备注)"
    r"|(?:吗|呢|多少|没得|哪[款个种]|几点|多久)\?"
    r"|(?:能|可以|会)[^,。!?]{0,6}不$|([\u4e00-\u9fff])(?:不|没)\1(?![\u4e00-\u9fff]{4})|(?:哪[个种款]|多大|几号|什么)[^,。!?]{0,6}(?:合适|好|色|码|尺寸|时候)"
)
# Shop talk: 啥时候能发呀, 能给发不, 咋弄, 寄不寄得到, 给开张票呗. Only where no reviews are expected: among them
# 这是什么玩意 is blame.
_TALK = re.compile(
    r"(?:啥|咋|哪(?!怕|知|像)|(?<!好)几(?!乎|次了|遍了|天了|个月了)|多(?:少|久|长|大|重|远|高|宽|早|快|厚|贵|浓|辣)|什么(?!都|也|玩意|东西[!。]*$|态度|破|烂|垃圾|鬼|服务)|好多(?:个|度|水|钱|号|条件|斤|克|毫升)|(?:能|可以|得)[^,。!?]{0,5}好久|(?<!了)好久(?:能|敷|到|发|有|补|开|换)|怎么?样|怎么|如何|谁(?![^,。!?]{0,3}都)|何时)"
    r"|([\u4e00-\u9fff])[不没]\1|(?:是不是|有没有|能否|可否|是否|可不可以|能不能|要不要|行不行|好不好)"
    r"|(?:能|会|可以|行|好|有|要|用|给|让|在|是|得|包|卖|收|接|到|发|送|寄|上|开|了)[^,。!?]{0,12}[不没](?:[亲啊呀嘛哦]|没得)?[?。~!\s]*(?:$|[,;])"
    r"|(?:吗|么(?<!什么)|呢|嘛|吧?\?|行不|成不|没得)[^,。!?]{0,3}(?:$|[,;。?~])|(?:能|可以|会|是|有|要|用|在)[^,。!?]{0,12}(?:吗|么(?<!什么))[^,。!?]{0,6}$|(?:吗|么(?<!什么))[亲哈呀,]|(?:大概|一般)(?:要|得)?多|(?:还是)[^,。!?]{1,10}[呀啊呢]?[?~]?$"
    r"|(?:帮我?|给我?|麻烦|请|想|要|求|告诉|发我|拉我)[^,。!?]{0,14}(?:呗|一下|下吧|行吗|哈|我)[?~。,]*$"
    r"|^(?:亲+|你好|您好|在吗|老板|客服|请问|麻烦|[,~!\s])*(?:想问|请问|求|问下|咨询|麻烦|帮我|给我|拉我|想(?!不|起)|要(?:张|个|份|一)|申请)"
)
_TALK_REPROACH = re.compile(
    r"为[什啥]么?|凭[什啥]|怎么(?:还|才(?!能|可以|好)|这么|那么|能这样)|咋(?:还|才(?!能|可以)|这么)|(?:等|天|周|月|久)[^。!?]{0,8}还没|还没(?!发|寄|付|下单|到日子)[^,。!?]{0,6}(?:$|[,。!吗呢啊]|到|修|退|来|处理)|还不(?!会)[^,。!?]{0,6}(?:$|[,。!吗呢啊]|到|发|修|退|来|处理)|没人(?!签)|不理|到底|居然|竟然|明明|什么态度|太[^,。!?]{0,4}了(?!.*(?:吗|不|能|可以))"
    r"|谁(?:负责|赔|管|来?给我)|第[几二三四五]次|催|(?<!麻)烦(?!请|劳)|耍我|骗|气死|服了|无语|敷衍|糊弄|死[哪了]|失望|差评|恶心|垃圾|坑|投诉|曝光|责任|赔|退[款钱货差回给]|[漏碎烂洒]了?一|白跑|说话不算|真人"
)

# 地址填错了帮我改下, 不要放驿站, 订奶想改隔天, 周末再送: a wish about one's own order that blames nobody.
_OWN_WISH = re.compile(
    r"(?:我|不小心|手滑|刚才?|地址|电话|号码?|颜色|规格|型号|尺码|口味|款式?)[^,。!?]{0,4}(?:拍|填|写|选|点|买|留|下|弄|搞|输)(?:错|漏|成|大|小|反|少)"
    r"|(?:地址|电话|号码|收件人|收货人|姓名|门牌)[^,。!?]{0,4}(?:错|漏|旧|变|换|少)"
    r"|(?:^|[,。!\s])(?:麻烦|请|帮我?|帮忙|亲)*(?:不要|别扔|别|不用|不放|少放|多放|多给|多加|加)[^,。!?]{0,8}(?:放|送|发|寄|葱|蒜|香菜|辣|糖|冰|盐|饭|筷|餐具|驿站|门卫|保安|物业|柜|小票|塑料袋)"
    r"|(?:想|要|希望|能)[^,。!?]{0,6}(?:改|换)(?!善|进|了?个?(?:坏|破|旧))|(?:改|换)成|(?:想|要)(?:约|指定|预约|预订|订|定|买|加|开|查|问|申请|取消会员|批量)"
    r"|(?:想|要)(?:配|再要|另外)|不(?:喜欢|合适|合身)[^,。!?]{0,3}[,]?(?:想|要|能)换|不想[^,。!?]{0,4}(?:取件|驿站|排队)|还没(?:发|寄)[^,。!?]{0,4}[,]?(?:帮|改|能|想|麻烦)|(?:再|晚点|推迟|延后|缓)[^,。!?]{0,4}(?:发|寄|送)(?!错|晚|慢)|(?:到货|有货|好了|发货|开播|上新)[^,。!?]{0,6}(?:告诉|通知|提醒|讲|说)|(?:麻烦|帮我?)[^,。!?]{0,4}(?:改|换|查|登记|备注|开|留|合)(?:下|一下|个)?"
    r"|(?:地址|链接|二维码|单号|报告|发票|说明书|证书|证明)[^,。!?]{0,3}(?:发|给)(?:我|一)|(?:抬头|税号|名字|名称|地址|小区|门牌|楼栋|票面)[^,。!?]{0,4}(?:打|写|填|开|弄)?(?:错|不对|有误|成)"
)
# 付款没反应, 扫码付不了: help with paying or logging in is asked for; no goods are broken.
_HELP = re.compile(
    r"(?:登不上|登录不了|进不去)(?:会员|账号|账户|小程序)|(?:付款|支付|付钱|付不|扫码|下单|提交|登录|登不|验证码|页面|银行卡|订单)[^。!?]{0,8}(?:没反应|没动静|失败|不成功|不了款|不了|打不开|转圈|卡住|错误|不出来|不出去|不上|收不到)"
    r"|付不(?:了|出|上|起)|(?:钱|款)付不"
)
_WHEN_EXPIRES = re.compile(r"(?:时候|几时|多久|几天|哪天|几号|几月|会|能)[^,。!?]{0,3}过期")
_LATE = re.compile(r"没到|慢|超时|迟到|延误|等了|天了(?!.*(?:吗|不)$)|一直|催|还没(?!发|寄)")


def is_on_time(text: str) -> bool:
    """Waiting is asked about (预售要等几天才发), not complained of."""
    return _LATE.search(text) is None


def asks_expiry(text: str) -> bool:
    """饼干什么时候过期 asks for a date; 过期了 would be an incident."""
    return _WHEN_EXPIRES.search(text) is not None


def needs_help_paying(text: str) -> bool:
    """Trouble with paying or logging in, told without blame."""
    return len(text) <= 30 and _HELP.search(text) is not None and _TALK_REPROACH.search(text) is None


# What reports an event or judges (又没送, 都凉透了, 太慢, 被罚): none of it stands in a plain message to a shop.
_REPORTS = re.compile(
    r"[又才被太竟根]|都(?!有|是什么|要|能|可以)|没(?!有|[?。~]*$)|了[!。~]*$|一点[也都儿]|不(?:好|行[!。,]|对|是|值|满|爽|新鲜|能用|给)|难|差|坏|破|烂|漏|碎|丢|少|慢|假|臭|脏|凉|冷冰|催|投|举报|退|赔"
)


# A plain message is a question only if it names something a shop does; 嗯嗯 and 好的 stay what they are.
_BUSINESS = re.compile(
    r"发货|快递|物流|包裹|单号|地址|收货|送|寄|发票|专票|开票|付款|支付|换货|换|修|保修|配件|积分|会员|金卡|银卡|黑卡|生日|门店|营业|停车|自提|取货|补货|有货|现货|预售|加盟|代理|外卖|备注|预订|定制|采购|礼盒|贺卡|报告|直播|标签|说明书|尺寸|尺码|颜色|色号|型号|规格|刻字|机洗|微波|消毒|保温|容量|功率|电压|保质期|产地|甜度|糖|冰|辣|度数|买|要|订|开"
)


def names_business(text: str) -> bool:
    """Whether a message names something that shops do."""
    return _BUSINESS.search(text) is not None


def is_plain_message(text: str) -> bool:
    """A few words to the shop that neither report an event nor judge: 公对公买的要专票."""
    return len(text) <= 30 and _REPORTS.search(text) is None and _TALK_REPROACH.search(text) is None


_HOW_NOW = re.compile(r"(?:怎么|咋)(?:办|弄|整|搞|处理|解决|回事|修|调)")


def asks_in_shop_talk(text: str) -> bool:
    """A short question or request as customers type it to a shop, no reproach in it; not for reviews."""
    return (
        len(text) <= SHORT
        and (_TALK.search(text) is not None or _OWN_WISH.search(text) is not None)
        and _TALK_REPROACH.search(text) is None
    )


def owns_slip(text: str) -> bool:
    """The customer's own slip or wish (我拍错了, 别放驿站): words of trouble in it blame nobody."""
    return _OWN_WISH.search(text) is not None


def asks_what_to_do(text: str) -> bool:
    """付款失败怎么办: help is asked for, nobody is blamed."""
    return _HOW_NOW.search(text) is not None


_FINAL_QUESTION = re.compile(
    r"(?:吗|么|呢|呀|多少|几点|哪里|多久|[^吧!?了的。,哦行]\?)[🤔?。!~\s]*$|\?[^。!?]{0,14}$"
)
_TOLD_ASKING = re.compile(
    r"(?:顾客|客户|用户|会员|消费者|孕妇|老人|家长|先生|女士|记录:)[^,。!?]{0,8}(?:询问|咨询|想了解|打听|请教|问能|问有|问是)"
)
_TOLD_GRIEVANCE = re.compile(
    r"(?:顾客|客户|用户|会员|消费者|投诉人|来电|女士|先生|读者|本人|口头)[^,。!?]{0,10}(?:反映|反馈|投诉|称|催促|抱怨|质疑)|多次(?:未|没)|转办|工单"
)
_TOLD_PRAISE = re.compile(
    r"(?:表扬|致电感谢|专程(?:来)?感谢|送锦旗|点名(?:表扬|夸)|顾客[^,。!?]{0,4}满意|很满意)"
)
_TOLD_PROPOSAL = re.compile(
    r"(?:顾客|客户|用户|会员|参会者|店员)[^。!?]{0,10}(?:建议|提议|希望(?!退|赔|有人|马上|处理|尽快|指定|完善)|问能不能(?:设|加|办|开|放))"
)

DEMAND = re.compile(
    r"(?:麻烦|请|烦请|劳烦|必须|赶紧|尽快|马上|立即|立刻|要求|要么|希望|能不能|能否|可不可以|可以)(?:你们|商家|店家|卖家|客服|贵司|贵店|平台|有人|给|我|帮|尽快|马上|能|能够|再|也|把|先|核)*[^,。!?]{0,5}"
    r"(?:退(?!休|出|房)|换(?!个颜色|季|成|口味)|赔|补(?:发|寄|差|偿|给|上|个差|回|开)|处理|解决|解释|查|核[实对]|回[复电应]|联系|说明|给个|管|催|重[做发寄]|跟进|检查|道歉|负责|改进配送)"
    r"|(?:给我|帮我)(?:退|换|赔|补|处理|解决|催|查)|换一?[个台件瓶条双](?:给我|吧|新)|补(?:发|寄)(?:给我|一|过来|吧)|赔钱|退钱|还我|退我|赔我|给个?(?:说法|交代|解释|回复)|(?<!不知道)怎么办|怎么(?:处理|解决|赔)"
    r"|谁(?:给|来给|负责|赔|补(?!了)|管|承担|买单)|(?:有没有|有|没)人(?:来|能)?管|管管|(?:什么时候|何时|几时|多久)(?:才|能|给|可以)*(?:退|补(?!货)|发货|到账|处理|解决|给我)|到底[^,。!?]{0,8}(?:退|发|送|到|谁|什么时候|行不行|没)"
    r"|联系我|核对一下|等(?:你们|商家|客服)?(?:回复|处理|答复|回应)|要(?:求)?(?:退|赔)|投诉|我要(?:退|换|赔)|合理的?说法|(?:退款|退货|赔偿|换货)[!。]*$"
)
_DEMAND_GATE = frozenset("退换赔补处解查核回联说给管催重跟检歉责怎谁到投求")
_NO_DEMAND = re.compile(
    r"不(?:用|要|要求|想|打算|必|需要)(?:退|换|赔|补|处理|投诉)|懒得|(?:就|也|都)?不(?:退|换|投诉)了"
)

PROPOSAL = re.compile(
    r"(?:^|[,。!?;:\s])(?:再|求)?(?:出|推|上)(?:个|款|一款|点|些|小)[^,。!?]{1,10}(?:版|款|装|口味|吧)|(?:^|[,。!?;:\s]|周末|能不能|多)(?:多开|多设|多放|多备|多办|多加|增设|加开)[^,。!?]{1,10}"
    r"|(?:能不能|能否|可不可以|可否|是否可以|是不是可以|不如|要不|要不要|最好|希望|盼|建议|期待|想要)[^,。!?]{0,12}"
    r"(?:加(?!盟|热|班)|增|设(?!备)|改(?!善|进)|出(?!现|问题)|办(?!理退)|做成|做个|支持|放几|放个|放到|提供|开通|优化|调[整低高]|延长|换成|换个颜色|分开|标[注明出]|电子化|缩短|减少|统一|集中|提前|小声|多点|加个|配个|弄个|搞个|整个)"
    r"|(?:改|换)成?[^,。!?]{1,8}(?:行不行|好不好|如何|怎么样)|(?:改|换)成[^,。!?]{1,8}(?:吧|更好|会更好)|(?:如果|要是|要|若)(?:能|可以|有)[^。!?]{1,16}(?:就(?:更|太)?好|更好|完美|更方便)"
    r"|提[^,。!?]{0,4}(?:意见|建议)|几个(?:想法|建议)|小(?:建议|意见)"
)
_PROPOSAL_GATE = frozenset(
    [
        "再出",
        "求出",
        "出个",
        "出款",
        "出一",
        "出点",
        "出些",
        "出小",
        "推个",
        "推款",
        "推一",
        "推点",
        "推些",
        "推小",
        "上个",
        "上款",
        "上一",
        "上点",
        "上些",
        "上小",
        "多开",
        "多设",
        "多放",
        "多备",
        "多办",
        "多加",
        "增设",
        "加开",
        "能不",
        "能否",
        "可不",
        "可否",
        "是否",
        "是不",
        "不如",
        "要不",
        "最好",
        "希望",
        "盼",
        "建议",
        "期待",
        "想要",
        "改成",
        "行不",
        "好不",
        "如何",
        "么样",
        "换成",
        "如果",
        "要是",
        "要能",
        "要可",
        "要有",
        "若能",
        "若可",
        "若有",
        "意见",
        "想法",
    ]
)

_THANKS = re.compile(
    r"谢谢|感谢|多谢|表扬|点个?赞|(?:追着|忍不住|想|要|必须|特地|专门)夸|致敬|辛苦(?:了|你)|记一功|锦旗"
)
_PERSON = re.compile(
    r"客服|店员|小哥|师傅|老板|店长|服务员|收银员?|导购|阿姨|大姐|姐姐|小姐姐|小姑娘|员工|骑手|快递员|经理|小[\u4e00-\u9fff](?=[,。!~的很,]|$)|你们?|您|大哥|店家|商家|卖家|@"
)
_COURTESY = re.compile(
    r"(?:麻烦|请|烦请|能不能|可以|申请|希望|等)[^。!?]{0,30}(?:谢谢|感谢|多谢)[。!~了啦\s]*$"
)


def demands(text: str) -> bool:
    """Something is to be done about this case: 退, 换, 赔, 补, 处理, 解释, 有没有人管."""
    return (
        not _DEMAND_GATE.isdisjoint(text) and DEMAND.search(text) is not None and not _NO_DEMAND.search(text)
    )


def proposes(text: str, grams: Set[str]) -> bool:
    """A change for everybody, as opposed to a demand in one's own case; ``grams`` gate the search."""
    return not _PROPOSAL_GATE.isdisjoint(grams) and PROPOSAL.search(text) is not None


def asks(text: str) -> bool:
    """The form of a question, no reproach in it."""
    return len(text) <= SHORT and _ASKING.search(text) is not None and _REPROACH.search(text) is None


_OPEN = re.compile(
    r"还没(?:有)?(?:收到|送到|到货|发货|寄|退|处理|解决|回复|修)|没人(?:理|处理|回)|不(?:处理|解决|回复)(?![^,。!?]{0,3}也)|(?:至今|到现在|现在)(?:还|都|也|仍)*(?:没|不|未)"
)


def is_open(text: str) -> bool:
    """The matter waits for the shop: 还没退, 没人理, 至今没有回复."""
    return _OPEN.search(text) is not None


def reproaches(text: str) -> bool:
    return _REPROACH.search(text) is not None


def ends_asking(text: str) -> bool:
    return _FINAL_QUESTION.search(text) is not None


def told(text: str) -> str:
    """What staff notes say the call was: grievance, suggestion, inquiry, praise, or nothing."""
    if _TOLD_PRAISE.search(text) and "投诉" not in text and "反映" not in text:
        return "praise"
    if _TOLD_GRIEVANCE.search(text):
        return "grievance"
    if _TOLD_PROPOSAL.search(text):
        return "suggestion"
    if _TOLD_ASKING.search(text):
        return "inquiry"
    return ""


def thanks(text: str) -> bool:
    """Thanks or a compliment to somebody; the 谢谢 after a request is mere courtesy."""
    return (
        _THANKS.search(text) is not None
        and _PERSON.search(text) is not None
        and _COURTESY.search(text) is None
    )


def is_courtesy(text: str) -> bool:
    return _COURTESY.search(text) is not None


# Lost emoji reach us as ??, so that two question marks need a question before them.
_ANGRY_SIGNS = re.compile(
    r"!!|!\?|(?:![^!]*){3}|(?:什么|谁|吗|呢|怎么|哪|啥|居然|竟然|结果|还是|买的|要的)[^,。!?]{0,8}\?\?"
)


def shouts(text: str) -> bool:
    """?? and !! and many exclamation marks; in an approving text they are joy."""
    return _ANGRY_SIGNS.search(text) is not None
