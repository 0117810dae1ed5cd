"""Collect the evidence of one text: words, patterns, and what their surroundings do to them."""

from __future__ import annotations

import re

from apps.feedback.analysis.gates import Gates

from . import context, turns
from .normalise import Normalised
from .packs import Entry, Packs
from .patterns import Pattern
from .types import Role, Span

_LODGING = (
    "酒店",
    "宾馆",
    "入住",
    "房间",
    "前台",
    "客房",
    "旅馆",
    "民宿",
    "招待所",
    "隔音",
    "被子",
    "枕头",
    "床单",
    "大堂",
)
DENIABLE = frozenset({"SAFETY", "COUNTERFEIT"})
_PLAIN_NEGATORS = ("没", "没有", "无", "未", "不会", "没什么", "没有任何", "毫无", "不", "未见", "没见")


class Evidence:
    """A word found in the text, with what its surroundings did to it."""

    __slots__ = ("accused", "category", "end", "role", "s_group", "start", "word")

    def __init__(self, start: int, end: int, word: str, category: str, s_group: str = "") -> None:
        self.start = start
        self.end = end
        self.word = word
        self.category = category
        self.s_group = s_group
        self.role: Role = "category"
        self.accused = ""  # "charged" or "doubted": how a charge of counterfeit or a refusal is made


class Findings:
    """The words and patterns found in one text, judged by their surroundings."""

    def __init__(
        self, mapped: Normalised, packs: Packs, patterns: Gates[Pattern], denial: re.Pattern[str]
    ) -> None:
        self.packs = packs
        self.patterns = patterns
        self.denial = denial
        self.mapped = mapped
        self.text = mapped.text
        self.characters = frozenset(self.text)
        self.evidence: list[Evidence] = []
        self.spans: list[Span] = []
        self.emotions: dict[str, int] = {}
        self.kinds: set[str] = set()
        self.competitors: list[str] = []
        self.relief = 0  # dangers denied: 没有过敏, 不怕假货
        self.lodging = any(map(self.text.__contains__, _LODGING))
        self._find()

    def _find(self) -> None:
        characters = self.characters
        hits = self.packs.matcher.find(self.text, characters)
        # 不会是假货 shields, but not inside 会不会是假货: there it is a question.
        shields = [
            (s, e, w)
            for s, e, w in hits
            if (w.shields or w.guards) and not (s and w.word[0] == "不" and self.text[s - 1] == w.word[1:2])
        ]
        topical: list[tuple[int, int, str, str, str]] = []
        for start, end, entry in hits:
            blocked: set[str] = set()
            friend = denied = False
            for s, e, shield in shields:
                if s > start:
                    break  # hits, and so shields, are in text order
                if end <= e and shield is not entry:
                    blocked |= shield.shields
                    friend = friend or entry.word in shield.guards
                    denied = denied or shield.word[0] in "没不无未"
            if friend:
                self.mark(
                    start, end, entry.word, "false_friend", (entry.categories or entry.s_groups or [""])[0]
                )
                continue
            self._take(start, end, entry, blocked, denied, topical)
        for pattern in self.patterns.open(characters):
            for match in pattern.regex.finditer(self.text):
                start, end = match.span()
                if pattern.accept is not None and not pattern.accept(match):
                    continue
                # A pattern is vague about its edges: any overlap with an exclusion of its code counts.
                if not any(pattern.code in w.shields and s < end and start < e for s, e, w in shields):
                    topical.append((start, end, match.group(), pattern.code, pattern.s_group))
        self._weigh(topical)

    def _take(
        self,
        start: int,
        end: int,
        entry: Entry,
        blocked: set[str],
        denied: bool,
        topical: list[tuple[int, int, str, str, str]],
    ) -> None:
        codes = [code for code in entry.categories if code not in blocked]
        group = entry.s_groups[0] if entry.s_groups else ""
        if "review" in entry.s_groups:
            group = "review"
        if codes:
            for code in codes:
                topical.append((start, end, entry.word, code, group))
        elif group and not (entry.categories and blocked):
            topical.append((start, end, entry.word, "", group))
        elif entry.categories and blocked:
            self.mark(start, end, entry.word, "false_friend", entry.categories[0])
            if denied and self.packs.top(entry.categories[0]) in DENIABLE:
                self.relief += 1
        for emotion in entry.emotions:
            if f"emotion:{emotion}" not in blocked:
                self.emotions[emotion] = self.emotions.get(emotion, 0) + 1
                self.mark(start, end, entry.word, "emotion", emotion)
        for kind in entry.kinds:
            if f"kind:{kind}" not in blocked:
                self.kinds.add(kind)
                self.mark(start, end, entry.word, "kind", kind)
        if entry.competitor:
            if entry.competitor not in self.competitors:
                self.competitors.append(entry.competitor)
            self.mark(start, end, entry.word, "competitor", entry.competitor)

    def _weigh(self, topical: list[tuple[int, int, str, str, str]]) -> None:
        """Drop words inside longer words, then ask the surroundings of each."""
        topical.sort(key=lambda hit: (hit[0], -hit[1]))
        reach = -1
        kept_start = -1
        for start, end, word, code, group in topical:
            if end <= reach and not (start == kept_start and end == reach):
                continue
            if end > reach:
                reach, kept_start = end, start
            self._judge(Evidence(start, end, word, code, group))

    def _judge(self, item: Evidence) -> None:
        top = self.packs.top(item.category)
        if item.category == "SAFETY_FOOD" and self.lodging and not self._about_food():
            item.category = "STORE_HYGIENE" if "STORE_HYGIENE" in self.packs.nodes else item.category
            top = self.packs.top(item.category)
        lead = context.before(self.text, item.start)
        danger = top in DENIABLE or item.s_group in ("auto", "regulator", "fault")
        if (
            context.is_denied(lead, self.denial)
            and (danger or lead.endswith(_PLAIN_NEGATORS))
            and item.word[0] not in "没不无未"
        ):
            self.mark(item.start, item.end, item.word, "negated", item.category)
            self.relief += top in DENIABLE
            return
        if danger or top in self.packs.s_codes or item.category in self.packs.s_codes or item.s_group:
            kind = ""
            if top in DENIABLE:
                kind = context.doubt(lead, self.text[item.end : item.end + 3], self.packs.doubt)
            if kind:
                item.role = "doubt"
                item.s_group = kind
            elif self.packs.elsewhere.search(lead):
                item.role = "doubt"
                item.s_group = "elsewhere"
        if not danger and item.role == "category" and turns.is_past(lead, self.text[item.end :]):
            self.mark(item.start, item.end, item.word, "negated", item.category)
            return
        if not item.category:
            item.category = self._implied(item.s_group, item.word)
        if top == "COUNTERFEIT":
            item.accused = "doubted" if item.role == "doubt" else "charged"
        elif item.category in ("REFUND_REFUSED", "SERVICE_RUDE"):
            item.accused = "charged"
        self.evidence.append(item)

    def _implied(self, group: str, word: str) -> str:
        """The category of a signal that stands in the S lists only."""
        if group == "fault":
            code = "STORE_FACILITY" if self.lodging else "QUALITY_FAULT"
        elif group == "review" and ("退" in word or "赔" in word):
            code = "REFUND"
        else:
            return ""
        return code if code in self.packs.nodes else ""

    def _about_food(self) -> bool:
        return any(map(self.text.__contains__, ("吃", "喝", "饭", "菜", "早餐里")))

    def mark(self, start: int, end: int, word: str, role: Role, code: str) -> None:
        begin, stop = self.mapped.span(start, end)
        self.spans.append(Span(begin, stop, word, role, code))
