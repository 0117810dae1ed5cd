"""Frequent words and phrases of a slice of feedback, and which of them rise, hurt or please (R12). Plain Python."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import rjieba

from apps.feedback.analysis.normalise import normalise
from apps.feedback.hollow_words import HOLLOW

# In at least so many texts a word is worth a line; fewer say nothing (domain.md 3.3).
LEAST = 3
_WORD = re.compile(r"[\u3400-\u9fff]{2,}|[a-z][a-z0-9]+")
_STOP = HOLLOW | frozenset(
    """
    她们 它们 不过 其他 这样 那样 一样 这种 那种 一些 有些 为了 以后 之前 之后 以前 今天 昨天
    明天 刚刚 以及 并且 或者 只有 只能 应该 可能 需要 知道 看到 说是 几个 两个 各种 很多 多少
    的话 而已 居然 竟然 根本 特别 完全 一点 有人 大家 还会 不会 就会 总是 每次 那里 这里 哪里
    为什么 怎么样 亲们 卖家 店家 顾客 记录 来电 来电记录 追评 希望 要求 处理 收到 联系 显示 是不是 反映
    开始 表示 发现 早上 晚上 上午 下午
    """.split()  # noqa: SIM905 - as in `hollow_words`
)


@dataclass(frozen=True, slots=True)
class Voice:
    """One feedback: of the slice itself (`present`), or of the stretch of time before it."""

    text: str
    sentiment: str
    present: bool = True


@dataclass(frozen=True, slots=True)
class Word:
    """One word or phrase: in how many texts now and before, and how many of the present ones complain or praise."""

    word: str
    now: int
    before: int
    negative: int
    positive: int
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Counted:
    """What was found: `total` texts now, `total_before` before."""

    total: int
    total_before: int
    negatives: int
    positives: int
    frequent: tuple[Word, ...]
    rising: tuple[Word, ...]
    pains: tuple[Word, ...]
    praise: tuple[Word, ...]


def words_of(text: str) -> set[str]:
    """The words of a text, and pairs of neighbours that stand together ("速度 慢" → 速度慢), each once."""
    found: set[str] = set()
    before = ""
    for token in rjieba.cut(normalise(text)):
        is_word = _WORD.fullmatch(token) is not None
        if is_word and token not in _STOP:
            found.add(token)
        if before and token and not token.isascii() and re.fullmatch(r"[\u3400-\u9fff]+", token):
            pair = before + token
            if 3 <= len(pair) <= 6 and token not in _STOP and before not in _STOP:
                found.add(pair)
        before = token if re.fullmatch(r"[\u3400-\u9fff]{1,4}", token) else ""
    return found


def count(voices: Iterable[Voice], *, most: int = 30) -> Counted:
    """Count every text once per word. Rising, pains and praise are ranked by how sure the difference is.

    The score is the z of a log-odds ratio with a small prior (Monroe et al. 2008), so that a word seen three times
    does not beat one seen three hundred.
    """
    now: Counter[str] = Counter()
    before: Counter[str] = Counter()
    negative: Counter[str] = Counter()
    positive: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for voice in voices:
        words = words_of(voice.text)
        if not voice.present:
            totals["before"] += 1
            before.update(words)
            continue
        totals["now"] += 1
        now.update(words)
        if voice.sentiment == "negative":
            totals["negative"] += 1
            negative.update(words)
        elif voice.sentiment == "positive":
            totals["positive"] += 1
            positive.update(words)
    inside = _inside_phrases(now)
    kept = [word for word, n in now.items() if n >= LEAST and word not in inside]
    known = set(kept)

    def made(word: str, score: float = 0.0) -> Word:
        return Word(word, now[word], before[word], negative[word], positive[word], round(score, 2))

    def ranked(one: Counter[str], one_total: int, other: Counter[str], other_total: int) -> tuple[Word, ...]:
        if not one_total or not other_total:
            return ()
        scored = [
            (score, word)
            for word in kept
            if one[word] >= LEAST
            and (score := log_odds(one[word], one_total, other[word], other_total)) >= 1.96
        ]
        return _distinct([made(word, score) for score, word in sorted(scored, reverse=True)], most)

    frequent = _distinct([made(word) for word, _n in now.most_common() if word in known], most)
    return Counted(
        totals["now"],
        totals["before"],
        totals["negative"],
        totals["positive"],
        frequent,
        ranked(now, totals["now"], before, totals["before"]),
        ranked(negative, totals["negative"], positive, totals["positive"]),
        ranked(positive, totals["positive"], negative, totals["negative"]),
    )


def log_odds(one: int, one_total: int, other: int, other_total: int) -> float:
    """z of the log-odds ratio of a word in two heaps of texts, with half a count added to each cell."""
    a, b = one + 0.5, one_total - one + 0.5
    c, d = other + 0.5, other_total - other + 0.5
    return (math.log(a / b) - math.log(c / d)) / math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)


def _inside_phrases(counted: Counter[str]) -> set[str]:
    """Two-character words that hardly ever stand outside of one longer phrase: the phrase says more."""
    inside = set()
    for phrase, n in counted.items():
        if n >= LEAST and len(phrase) > 2:
            inside.update(
                part
                for at in range(len(phrase) - 1)
                if n >= 0.8 * counted.get(part := phrase[at : at + 2], n * 2)
            )
    return inside


def _distinct(words: Sequence[Word], most: int) -> tuple[Word, ...]:
    """The first of words that contain each other and stand in about the same texts."""
    chosen: list[Word] = []
    for word in words:
        if any(
            (word.word in other.word or other.word in word.word)
            and min(word.now, other.now) >= 0.6 * max(word.now, other.now)
            for other in chosen
        ):
            continue
        chosen.append(word)
        if len(chosen) == most:
            break
    return tuple(chosen)
