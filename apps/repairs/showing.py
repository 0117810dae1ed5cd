"""What may stand in a showcase of reviews, and what an author's answer means. Plain Python.

A review shown is the author's own words: whole clauses of the original in their order, with "…" where something was left
out (消费者权益保护法实施条例 2024 art. 9: no altering of reviews; 著作权法 art. 10: integrity of the work). A cut inside a clause could
turn the meaning round ("不好吃" → "好吃"), so it is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ELLIPSIS = re.compile(r"\s*(?:…+|\.{3,}|。{3,})\s*")
# Where a clause ends; a cut is possible behind it.
ENDS = frozenset(',，.。!！?？;；、~～…:：\n \t）)】」”"')
# Part of a number or of a word where both neighbours belong to it: 4.5, 1,000, 10:30, "not good".
IN_NUMBERS, BETWEEN_WORDS = frozenset(".,:"), frozenset(" \t")
TEXT, PHOTO, NICKNAME = "text", "photo", "nickname"
PARTS = (TEXT, PHOTO, NICKNAME)


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _is_end(text: str, at: int) -> bool:
    """Whether the sign at that place parts two clauses."""
    if text[at] not in ENDS:
        return False
    before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    if text[at] in IN_NUMBERS:
        return not (before.isdigit() and after.isdigit())
    if text[at] in BETWEEN_WORDS:
        return not (before.isascii() and before.isalnum() and after.isascii() and after.isalnum())
    return True


def _starts_clause(text: str, at: int) -> bool:
    return at == 0 or _is_end(text, at - 1)


def _ends_clause(text: str, at: int) -> bool:
    return at >= len(text) or _is_end(text, at) or _is_end(text, at - 1)


def opening(text: str, most: int) -> str:
    """The beginning of a text that is too long, cut behind a whole clause and marked; the text itself where it fits.

    >>> opening("很好喝，下次还来", 6)
    '很好喝，…'
    >>> opening("很好喝", 6)
    '很好喝'
    """
    if len(text) <= most:
        return text
    ends = (at for at in range(most - 2, -1, -1) if _is_end(text, at))
    last = next(ends, -1)
    return f"{text[: last + 1].rstrip()}…" if last >= 0 else ""


def is_excerpt(shown: str, original: str) -> bool:
    """Whether `shown` is `original` with nothing but clauses left out, each gap marked by "…".

    >>> is_excerpt("很好喝…下次还来", "很好喝，杯子也漂亮，下次还来")
    True
    >>> is_excerpt("好吃", "不好吃")
    False
    """
    original, shown = _flat(original), _flat(shown)
    if not shown:
        return False
    if shown == original:
        return True
    parts = ELLIPSIS.split(shown)
    opens_with_gap, closes_with_gap = parts[0] == "", parts[-1] == ""
    pieces = [part for part in parts if part]
    if not pieces:
        return False
    at = 0
    for number, piece in enumerate(pieces):
        first, last = number == 0, number == len(pieces) - 1
        found = _place(
            original,
            piece,
            at,
            at_start=first and not opens_with_gap,
            at_end=last and not closes_with_gap,
        )
        if found < 0:
            return False
        at = found + len(piece)
    return True


def _place(original: str, piece: str, at: int, *, at_start: bool, at_end: bool) -> int:
    """Where the piece stands at the earliest, on borders of clauses; -1: nowhere."""
    if at_start:
        return 0 if original.startswith(piece) and _ends_clause(original, len(piece)) else -1
    if at_end:
        start = len(original) - len(piece)
        return start if start >= at and original.endswith(piece) and _starts_clause(original, start) else -1
    found = original.find(piece, at)
    while found >= 0:
        if _starts_clause(original, found) and _ends_clause(original, found + len(piece)):
            return found
        found = original.find(piece, found + 1)
    return -1


# -- what authors answer ----------
_NO = re.compile(r"不同意|不可以|不行|不要|不授权|不愿|拒绝|别(?:展示|用)|不(?:想|用)展示")
_BACK = re.compile(r"撤回|取消展示|撤销(?:展示|授权|同意)?|下架|不再(?:展示|同意)")
_NOT_BACK = re.compile(r"(?:不|没|未|别|勿)[要想会有用]?(?:撤回|取消|撤销|下架)|[?？吗]")
_ALL = re.compile(r"全部同意|都同意|都可以|全同意|同意全部")
_YES = re.compile(r"同意|可以展示|授权")
_WORDS = {
    TEXT: re.compile(r"文字|评价|内容"),
    PHOTO: re.compile(r"照片|图片|图|相片"),
    NICKNAME: re.compile(r"昵称|名字|名称|网名"),
}
# A yes is plain when nothing else is said: "没同意过", "除了照片都同意", "照片打码" are for a person to read.
_PLAIN_YES = re.compile(
    r"(?:没问题|没有问题|没关系|没意见|没事|当然|完全|非常|谢谢|感谢|好的|同意|可以|展示|授权|使用|全部|"
    r"文字|评价|内容|照片|图片|相片|昵称|名字|名称|网名|你们|您们|本人|店铺|页面|这条|"
    r"[好嗯行可用都全图和与及跟的我你您请了啊哦呀吧哈呢只仅]|ok|yes)+",
    re.IGNORECASE,
)
LONGEST = 30


@dataclass(frozen=True, slots=True)
class Said:
    """yes (with the parts permitted), no, back (permission withdrawn: of the parts named, or all of it), or "" where it
    is not plain enough.
    """

    answer: str
    parts: frozenset[str] = frozenset()


def read_answer(text: str, asked: frozenset[str]) -> Said:
    """What an author's few words permit of what they were asked for.

    A bare "同意" permits the text alone: consent is specific (PIPL 14). Anything long, doubtful or conditional is left to a
    person; only taking back is heard beside other words, since it must be as easy as giving (PIPL 15).
    """
    plain = re.sub(r"[\s，,。.！!~～“”\"、;；:：'‘’「」]+", "", text)
    if not plain or len(plain) > LONGEST:
        return Said("")
    named = frozenset(part for part, word in _WORDS.items() if word.search(plain))
    if _BACK.search(plain):
        return Said("") if _NOT_BACK.search(plain) else Said("back", named)
    if re.search(r"[?？]|但|如果|除非|多少|钱|红包|返", plain):
        return Said("")
    if _NO.search(plain):
        # "同意文字，不同意照片" says two things.
        return Said("") if _YES.search(_NO.sub("", plain)) else Said("no")
    if not _YES.search(plain) or not _PLAIN_YES.fullmatch(plain):
        return Said("")
    if named:
        granted = named & (asked | {TEXT})
        return Said("yes", granted) if granted else Said("")
    return Said("yes", asked | {TEXT} if _ALL.search(plain) else frozenset({TEXT}))


# Words of a benefit: a thank-you or a request that holds one is checked as a reward (REV-01, REV-08).
OFFER = re.compile(
    r"优惠券|代金券|抵扣|红包|返现|返利|积分|礼品|赠品|赠送|送您|免单|折扣|满减|[0-9一二三四五六七八九十]折|抽奖|现金|奖励|coupon|voucher|discount|cash\s?back|gift",
    re.IGNORECASE,
)


def offers_something(text: str) -> bool:
    """Whether a text speaks of a benefit."""
    return OFFER.search(text) is not None


# What a label must say so that nobody takes a selection for all there is (REV-07).
_SELECTION = re.compile(
    r"精选|节选|选登|部分(?:评价|顾客)|非全部|selected|selection|excerpt|featured", re.IGNORECASE
)


def names_selection(label: str) -> bool:
    """Whether a label says that it is a selection."""
    return _SELECTION.search(label) is not None
