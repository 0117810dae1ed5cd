"""What stands around a word: denial, doubt, somebody else's story (domain.md section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterable

_CLAUSE_END = ",。!?;、~\n…"
_LOOK_BACK = 12

# What may stand between a negator and the danger it denies: 没有[出现任何]过敏, 不会[再]漏电.
# A closed list, because 没想到发霉, 没用几天就过敏 and 不仅有异物 deny nothing.
_GAP = (
    "(?:什么|任何|一点儿?|一丝|半点|丝毫|出现过?|发现过?|发生过?|遇到过?|碰到|买到过?|收到过?|看到|看见|闻到|吃到|有过?|会|是"
    "|让我|给我|引起|造成|产生|感觉|觉得|的|到|过|再|那么|怎么|太|很|这么|存在|啥|见|明显|卖|用|像|说的?|其他|半颗|一颗|一个|特别|"
    "皮肤|头皮|身体|担心|害怕|怕)"
)
_MORE_NEGATORS = (
    "毫无",
    "并无",
    "并没有",
    "不再",
    "不怎么",
    "从未",
    "从没",
    "从来没",
    "从来没有",
    "绝对不",
    "绝对不是",
    "绝无",
    "避免",
    "防止",
    "杜绝",
    "不可能",
    "不至于",
    "肯定不是",
    "不用怕",
    "不用担心",
    "不必担心",
    "不担心",
    "没见",
    "不太会",
)
# 是不是假货 asks; 有没有过敏 asks; 难道不是假货 accuses.
_NOT_A_DENIAL = re.compile(r"(?:是不是|会不会|有没有|能不能|要不要|是否|难道|得不|无不|莫不)$")

_QUESTION = re.compile(r"是不是|会不会|是否|有没有|不知道?是|不晓得|不清楚|不确定|真假|分不清|辨别")
_WORRY = re.compile(r"担心|害怕|怕是|就怕|生怕|只怕|希望不是|希望别|希望不要|但愿不是|别是|会不会")
_SUSPICION = re.compile(
    r"怀疑|估计|疑似|感觉|觉得|好像|像是|有点像|貌似|似乎|可能|难道|莫非|该不会|不会是|应该是|恐怕|怕不是|八成|像"
)
_ASKS_AFTER = re.compile(r"(?:的|货|品|了)?(?:吗|么|嘛|不\?|吧\?|啊\?|呢\?|\?)")


def negation(negators: Iterable[str]) -> re.Pattern[str]:
    """A pattern to search in the text before a hit: a negator that governs what follows."""
    words = sorted({*negators, *_MORE_NEGATORS}, key=lambda word: (-len(word), word))
    # 不 inside 不仅, 不但, 不断, 不小心, 不久 is part of another word: the closed gap list sees to that.
    return re.compile("(?:" + "|".join(map(re.escape, words)) + ")" + _GAP + "{0,2}$")


def before(text: str, start: int) -> str:
    """The part of the same clause in front of ``start``, a dozen characters at most."""
    low = max(0, start - _LOOK_BACK)
    window = text[low:start]
    cut = max(map(window.rfind, _CLAUSE_END))
    return window[cut + 1 :]


def is_denied(lead: str, pattern: re.Pattern[str]) -> bool:
    """Whether ``lead`` ends in a negator; 是不是/会不会/有没有 ask and do not deny."""
    if not lead or _NOT_A_DENIAL.search(lead):
        return False
    match = pattern.search(lead)
    if match is None:
        return False
    return _NOT_A_DENIAL.search(lead[: match.end()].rstrip()) is None and not lead[: match.start()].endswith(
        ("是", "会", "难道")
    )


def doubt(lead: str, tail: str, configured: re.Pattern[str]) -> str:
    """``"question"``, ``"worry"``, ``"suspicion"`` or ``""`` for the words around a hit.

    The labelling guide counts a suspicion of counterfeit (估计是假的) as an accusation; a question or a
    worry only asks for a look (decisions 8: S-review).
    """
    if _QUESTION.search(lead) or _ASKS_AFTER.match(tail):
        return "question"
    if _WORRY.search(lead):
        return "worry"
    if _SUSPICION.search(lead) or configured.search(lead):
        return "suspicion"
    return ""
