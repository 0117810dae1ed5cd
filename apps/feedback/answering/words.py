"""From a sentence to what it says: one spelling, no courtesies, words of one meaning as one sign.

Each line of ``data/synonyms.txt`` becomes one private sign, so that 啥时候能寄 and 什么时候发货 are the same two signs,
and character n-grams over the result mean what words would mean, without a segmenter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from apps.feedback.analysis import normalise

#: Only this much of a text is looked at: a question is short, a story is for a person.
MAX_TEXT = 300
FIRST_SIGN = 0xE000
#: Weight of a sign of mere asking (什么时候, 怎么) against one that names a subject.
ASKING = 0.6
#: Weight of the characters, and of their pairs, from which signs were made.
RAW, RAW_PAIR = 0.2, 0.05

_CJK = re.compile(r"[\u3400-\u9fff]")
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)?")
_COURTESY = re.compile(
    r"亲亲|亲(?![自人戚手])|在吗|在不在|在么|你好|您好|哈喽|hello|hi(?![a-z])|老板|老铁|家人们|掌柜|美女|帅哥|小姐姐|客服|请问(?:一下)?|想问(?:一下|下)?|问一下|问下|求问|咨询(?:一下|下)?"
    r"|麻烦(?:你|您|帮)?|劳驾|辛苦|谢谢|多谢|拜托|不好意思|打扰(?:一下|了)?|那个啥|我想知道|想了解(?:一下|下)?|告诉我|帮我看看|帮我|帮忙|帮看下|糟糕"
)
_FILLER = frozenset(
    "的了吗呢啊呀吧嘛哦哈呗啦噢喔诶欸哟咯么就都也还很挺我你您他她它们咱俺家这那个一下是在有会给把被请和跟与及或不没得着过里头上去来再又"
)
_ENGLISH_FILLER = frozenset(
    re.findall(
        r"\w+",
        "a an the is are am do does did i my me you your we our it its to of for in on at and or can could would please"
        " how what when where which be with there this that have has get if from will until possible",
    )
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is left of a sentence: words of meaning as signs among characters, and further meanings of its words."""

    text: str
    words: tuple[str, ...]
    others: tuple[str, ...] = ()
    raw: str = ""


@lru_cache(maxsize=1)
def _dictionary() -> tuple[dict[str, str], re.Pattern[str], frozenset[str]]:
    """Word → its signs (several where a word has several meanings), the pattern that finds the longest first, and

    the signs of mere asking (section "asking"), which say little about the subject.
    """
    signs: dict[str, str] = {}
    lines = resources.files(__package__).joinpath("data", "synonyms.txt").read_text(encoding="utf-8")
    number, asking, weak = FIRST_SIGN, False, set()
    for line in lines.splitlines():
        if not line.strip() or line.startswith("#"):
            asking = line == "# -- asking" if line.startswith("# --") else asking
            continue
        if asking:
            weak.add(chr(number))
        for word in line.split():
            key = normalise(word)
            if chr(number) not in signs.get(key, ""):
                signs[key] = signs.get(key, "") + chr(number)
        number += 1
    longest = sorted(signs, key=len, reverse=True)
    return signs, re.compile("|".join(re.escape(word) for word in longest)), frozenset(weak)


def is_sign(character: str) -> bool:
    """Whether a character stands for a line of the dictionary."""
    return "\ue000" <= character <= "\uf8ff"


def language_of(text: str) -> str:
    """``zh`` as soon as one Chinese character stands in the text, else ``en``."""
    return "zh" if _CJK.search(text[:MAX_TEXT]) else "en"


def prepare(text: str) -> Prepared:
    """The sentence in comparable form. Latin words and numbers come apart from the Chinese text."""
    plain = normalise(text[:MAX_TEXT])
    if not _CJK.search(plain):
        words = tuple(_stem(word) for word in _ASCII_WORD.findall(plain) if word not in _ENGLISH_FILLER)
        return Prepared("", words)
    plain = _COURTESY.sub(" ", plain)
    signs, pattern, _weak = _dictionary()
    others: list[str] = []

    def mark(match: re.Match[str]) -> str:
        meanings = signs[match.group()]
        others.extend(meanings[1:])
        return meanings[0]

    marked = pattern.sub(mark, plain)
    # Whether something can be done is asked in every second question.
    marked = marked.replace(signs["可以"], "")
    words = tuple(_ASCII_WORD.findall(marked))
    kept = "".join(
        character if is_sign(character) or (_CJK.match(character) and character not in _FILLER) else " "
        for character in marked
    )
    raw = "".join(
        character if _CJK.match(character) and character not in _FILLER else " " for character in plain
    )
    return Prepared(" ".join(kept.split()), words, tuple(others), " ".join(raw.split()))


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "es", "ed", "s"):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            return word[: -len(ending)]
    return word


def tokens(prepared: Prepared) -> dict[str, float]:
    """What a text is compared by: signs, characters, pairs of neighbours; weights before rarity."""
    weak = _dictionary()[2]
    out: dict[str, float] = {}
    for run in prepared.text.split():
        for index, character in enumerate(run):
            out[character] = ASKING if character in weak else 1.0 if is_sign(character) else 0.15
            pair = run[index : index + 2]
            if len(pair) == 2:
                out[pair] = 0.3 if not any(map(is_sign, pair)) else 0.12
    # 冰水 and 冰袋 are two signs with one character in common.
    for run in prepared.raw.split():
        for index, character in enumerate(run):
            out.setdefault(character, RAW)
            pair = run[index : index + 2]
            if len(pair) == 2:
                out.setdefault(pair, RAW_PAIR)
    for sign in prepared.others:
        out.setdefault(sign, 0.5)
    for word in prepared.words:
        out[word] = 1.0
    return out
