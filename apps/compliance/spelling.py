"""Bring a text into the spelling the rules are written in, and remember where each character came from.

Whoever wants to pay for good reviews writes 好 评, 好坪, 5🌟, hp返现 or 好評 so that a filter does not see it. What is
undone here: blanks, invisible characters and ornaments between characters, full width and capitals, traditional
characters, stars and other signs that stand for words, homophones, pinyin. Plain Python.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from apps.core.chinese import traditional_table

HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
_HAN_CHAR = re.compile(f"[{HAN}]")
# Signs that stand for a word.
SIGNS = {
    "⭐": "★", "🌟": "★", "☆": "★", "★": "★", "✨": "★", "✩": "★", "✪": "★", "✯": "★", "🌠": "★", "💫": "★", "⋆": "★", "✰": "★",
    "🧧": "红包", "💰": "现金", "💵": "现金", "💴": "现金", "💸": "现金", "🤑": "现金", "🎁": "礼物", "🎟": "券", "🎫": "券",
    "👍": "赞", "🉐": "得", "➕": "+", "🆓": "免费", "🉑": "可", "㊗": "祝", "🈶": "有", "➡": "", "👉": "", "👇": "",
    "①": "1", "②": "2", "③": "3", "⑤": "5", "５": "5",
}  # fmt: skip
# Ornaments between two characters; clause marks (,，;；。！？ and line ends) stay, rules and negations need them.
ORNAMENTS = frozenset(
    " \t\u3000*·•.．_~～-—–/\\|^'\"“”‘’`#&=+<>《》()（）[]{}「」『』〖〗…°:：、❤♥🌹🎉🎊😊😘🥰🙏💗💕"
)
# These part two clauses as a comma does, unless the text is spaced out as a whole.
PAUSES = frozenset("~～—–…")
INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060-\u2064\ufe0e\ufe0f\ufeff\u20e3]")
# (what stands there, what is meant); looked for after everything else is undone.
HOMOPHONES: tuple[tuple[str, str], ...] = (
    (r"好(?:坪|萍|泙|枰|讠平|言平)|女子(?:评|讠平)|(?:郝|豪|號|号|毫|壕)(?:评|坪|萍)", "好评"),
    (r"(?<![刚正很最更恰])好平(?![整坦滑台均稳价安时常衡面息静地板米方层铺])|好苹(?!果)|好凭(?![证据借栏什])|好屏(?![幕保显障蔽风])|好瓶(?![装子盖身口颈底酒盖中])", "好评"),
    (r"hao\s?(?:ping|pin|评)|好\s?(?:ping|pin(?![a-z]))|(?<![a-z])h\s?p(?=返|晒|截|后返|后领|fx|红包|领|给红|立返|\d*元?返)|(?<=[给写打发个])hp(?![a-z])", "好评"),
    (r"(?:差|査)(?:坪|萍|泙|枰|平(?!均))|(?:中)(?:坪|萍)|cha\s?ping|差\s?ping|(?<![a-z])cp(?=删|改|撤)", "差评"),
    (r"(?<!违)反(?:现(?![行场象实在有代状金出])|线|xian|利(?!用|率|润))|返(?:xian|限|献|线|县|先(?!生)|x(?![a-z]))|fan\s?(?:xian|现)|(?<![a-z])f\s?现|(?<![a-z])fan(?=\s?\d)|(?<![a-z])fx(?![a-z])|饭现|凡现|贩现", "返现"),
    (r"(?:红|洪|宏|虹|鸿|弘|hong)\s?(?:苞|煲|雹|孢|bao)|(?:洪|宏|虹|鸿|弘)包|hong\s?bao|大红b", "红包"),
    (r"(?:五|5|伍|吾|舞|武|wu)\s?(?:xing|猩|惺|醒|兴(?!区|县)|行好评|心好评|角星)|(?:伍|吾|舞|武|wu)\s?星(?!级|球|空)|(?<=[给点打评]个)[五5]x(?![a-z\d倍变])", "五星"),
    (r"截(?:屏|tu|凸)|jie\s?tu|(?<![a-z])jt(?=给|发|找|领)", "截图"),
    (r"优惠(?:卷|劵|圈)|代金(?:卷|劵)|(?<=[返送领发])(?:卷|劵)", "优惠券"),
    (r"积(?:份|芬)|ji\s?fen", "积分"),
    (r"(?:薇|威|微|v|w)\s?(?:信|xin)|(?<![a-z])(?:vx|wx|weixin|v信)(?![a-z])|加\s?(?:薇|v|vv)(?![a-z人])", "微信"),
    (r"pinglun|评lun|坪论|苹论", "评论"),
    (r"ping\s?jia|评jia|坪价|萍价", "评价"),
    (r"shan\s?(?:chu|diao)|删(?:chu|diao)|(?:珊|姗|栅|山)(?=除|掉|了差评|差评|评价)", "删"),
    (r"xian\s?jin|现jin|xian金", "现金"),
    (r"(?<=[\d一二三四五六七八九十两几])(?:圆|ℝ|rmb|大洋|米(?![厘线粒粥饭面白]))", "元"),
)  # fmt: skip
_HOMOPHONES = tuple((re.compile(pattern), meant) for pattern, meant in HOMOPHONES)
_STAR_RUN = re.compile(r"★{3,}")
_NUMBERED_STAR = re.compile(r"([5五])(?:个|颗|枚|粒|\*|×|x)?★+|★{1,2}(?:x|×|\*)[5五]")
_SEPARATE = re.compile(f"[{HAN}]{{2,}}")


@dataclass(frozen=True, slots=True)
class Spelled:
    """The text as the rules read it; `origin` gives for each character its (start, end) in the text as given.

    `breaks` are places where a blank stood between two whole words: for negations it separates like a comma.
    """

    text: str
    origin: tuple[tuple[int, int], ...]
    breaks: frozenset[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """A stretch of `text` as (start, end) of the text as given."""
        if start >= end or not self.origin:
            return (0, 0)
        return self.origin[start][0], self.origin[end - 1][1]


def spell(text: str) -> Spelled:
    """Undo disguises. Never longer than a small multiple of the text; never raises."""
    table = traditional_table()
    chars: list[tuple[str, int, int]] = []
    for at, raw in enumerate(text):
        if INVISIBLE.match(raw):
            continue
        meant = SIGNS.get(raw)
        if meant is None:
            meant = unicodedata.normalize("NFKC", raw).lower().translate(table)
        chars.extend((char, at, at + 1) for char in meant)
    joined, breaks = _without_ornaments(chars)
    joined = _replaced(joined, _NUMBERED_STAR, "五星", breaks)
    joined = _replaced(joined, _STAR_RUN, "五星", breaks)
    for pattern, meant in _HOMOPHONES:
        joined = _replaced(joined, pattern, meant, breaks)
    return Spelled(
        "".join(char for char, _start, _end in joined),
        tuple((start, end) for _char, start, end in joined),
        frozenset(breaks),
    )


def _word_like(char: str) -> bool:
    return bool(_HAN_CHAR.match(char)) or char.isalnum() or char == "★"


def _without_ornaments(chars: list[tuple[str, int, int]]) -> tuple[list[tuple[str, int, int]], set[int]]:
    out: list[tuple[str, int, int]] = []
    breaks: set[int] = set()
    count, at = len(chars), 0
    spaced = _is_spaced_out(chars)
    while at < count:
        char = chars[at][0]
        if char not in ORNAMENTS:
            out.append(chars[at])
            at += 1
            continue
        end = at
        while end < count and chars[end][0] in ORNAMENTS:
            end += 1
        before = out[-1][0] if out else ""
        after = chars[end][0] if end < count else ""
        run = "".join(item[0] for item in chars[at:end])
        between = bool(before and after and _word_like(before) and _word_like(after))
        # A decimal point, a number's sign and Latin words keep what stands between their characters.
        if between and not (before.isascii() and after.isascii()):
            if not spaced and (run.strip() != run or PAUSES.intersection(run)):
                breaks.add(len(out))
        else:
            out.extend(
                chars[at:end] if between else [item for item in chars[at:end] if not item[0].isspace()]
            )
        at = end
    return out, breaks


def _is_spaced_out(chars: list[tuple[str, int, int]]) -> bool:
    """Whether blanks stand between single characters: then they separate nothing."""
    words = "".join(char for char, _s, _e in chars).split()
    single = sum(len(word) == 1 and bool(_HAN_CHAR.match(word)) for word in words)
    return single >= 3 and single * 2 >= len(words)


def _replaced(
    chars: list[tuple[str, int, int]], pattern: re.Pattern[str], meant: str, breaks: set[int]
) -> list[tuple[str, int, int]]:
    text = "".join(char for char, _start, _end in chars)
    if pattern.search(text) is None:
        return chars
    out: list[tuple[str, int, int]] = []
    moved: set[int] = set()
    at = 0

    def carry(start: int, end: int) -> None:
        for place in range(start, end):
            if place in breaks:
                moved.add(len(out))
            out.append(chars[place])

    for match in pattern.finditer(text):
        start, end = match.span()
        if start == end:
            continue
        carry(at, start)
        if start in breaks:
            moved.add(len(out))
        first, last = chars[start][1], chars[end - 1][2]
        out.extend((char, first, last) for char in meant)
        at = end
    carry(at, len(chars))
    breaks.clear()
    breaks.update(moved)
    return out
