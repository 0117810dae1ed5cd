"""What carriers ask of an SMS, as rules over text. Plain Python.

Sources: Tencent Cloud's template rules of 2025-06-17 (domain.md 0, item 7) and 2.3: the gateway puts the signature
【…】 in front, so the body has none; 500 characters at most; no link; marketing ends with how to opt out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

LONGEST = 500
ALONE, CHAINED = 70, 67
OPT_OUT = "拒收请回复R"
# What a body may end with instead: older wordings of carriers, still accepted (domain.md 2.3).
OPT_OUT_ENDS = re.compile(r"(?:拒收请回复R|拒收请回R|回T退订|回TD退订|退订回T|退订回TD|退订回N)[。.!！]?$")
LINK = re.compile(
    r"(?:https?://|www\.)\S+|(?<![A-Za-z0-9@.])[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|cn|net|org|top|vip|cc|me|io)\b(?:/\S*)?",
    re.IGNORECASE,
)
VARIABLE = re.compile(r"\{\{\s*([^{}?]*?)\s*\??\s*\}\}")
# The shipped list; staff edit theirs in the rules for messages.
REFUSED_WORDS = (
    "邀请好评", "好评", "返现", "返利", "抽奖", "中奖", "红包", "刷单", "问卷", "积分兑换", "兑换积分", "优惠券",
    "代金券", "满减", "点击链接", "贷款", "彩票",
)  # fmt: skip
SIGNATURE = (2, 16)


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a carrier would refuse: a stable code and what a sentence needs."""

    code: str
    params: dict[str, object] = field(default_factory=dict)


def segments(text: str, *, signature: str = "") -> int:
    """How many SMS a text costs: 70 characters alone, 67 each when chained; the signature 【…】 counts.

    Chinese text travels as UCS-2: a character beyond the basic plane (most emoji) counts twice.
    """
    whole = f"【{signature}】{text}" if signature else text
    length = len(whole.encode("utf-16-le")) // 2
    if not length:
        return 0
    return 1 if length <= ALONE else -(-length // CHAINED)


def signature_problem(signature: str) -> Problem | None:
    """A signature has 2 to 16 characters and no brackets of its own."""
    shortest, longest = SIGNATURE
    if not shortest <= len(signature) <= longest or re.search(r"[【】\[\]]", signature):
        return Problem("signature", {"from": shortest, "to": longest})
    return None


def problems(
    text: str, *, message_class: str = "service", refused_words: Iterable[str] = REFUSED_WORDS
) -> list[Problem]:
    """What a carrier would refuse about this SMS."""
    found: list[Problem] = []
    plain = unicodedata.normalize("NFKC", text)
    if re.search(r"[【】]", text):
        found.append(Problem("brackets"))
    if len(text) > LONGEST:
        found.append(Problem("too_long", {"length": len(text), "limit": LONGEST}))
    if LINK.search(plain):
        found.append(Problem("link"))
    tight = re.sub(r"\s+", "", plain)
    words = [word for word in dict.fromkeys(refused_words) if word and word in tight]
    # "好评" says no more once "邀请好评" is named.
    words = [word for word in words if not any(word != other and word in other for other in words)]
    if words and message_class != "safety":
        found.append(Problem("words", {"words": "、".join(words)}))
    if message_class == "marketing" and not OPT_OUT_ENDS.search(plain.strip()):
        found.append(Problem("opt_out_last", {"words": OPT_OUT}))
    return found


def template_problems(
    body: str,
    *,
    channel: str,
    message_class: str,
    needs_optout: bool,
    refused_words: Iterable[str] = REFUSED_WORDS,
) -> list[Problem]:
    """What speaks against keeping a template: the carriers' rules for SMS, and no variable that stands for a link."""
    if channel != "sms":
        return []
    found = problems(
        body,
        message_class="marketing" if needs_optout else message_class,
        refused_words=refused_words,
    )
    links = [name for name in VARIABLE.findall(body) if "link" in name or "url" in name]
    if links:
        found.append(Problem("link_variable", {"names": ", ".join(dict.fromkeys(links))}))
    return found


# -- opting out by an answer ----------
OPT_OUT_WORDS = frozenset(
    {
        "R", "T", "TD", "N", "退订", "拒收", "取消订阅", "退订短信", "回R", "回T", "回TD", "回复R", "回复T", "回复TD", "拒收R", "TD退订",
        "T退订", "STOP", "UNSUBSCRIBE",
    }
)  # fmt: skip


def is_opt_out(text: str) -> bool:
    """Whether an answer is nothing but an opt-out: any case, full width, blanks and final marks around it."""
    plain = unicodedata.normalize("NFKC", text).upper()
    plain = re.sub(r"[\s\u200b\ufeff\"'“”‘’「」.。,，!！~～;；:：?？()（）\[\]]+", "", plain)
    return plain in OPT_OUT_WORDS
