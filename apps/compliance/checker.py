"""One checker for texts and structured things (domain.md 1). Plain Python; the rules are data.

A rule's `patterns` are regular expressions on the text as `spelling.spell` reads it, or pairs
`{"a": …, "b": …, "gap": 40, "both": true, "across": false}`: two parts near each other, in one sentence unless
`across`. `{GOOD}` and the like stand for a rule book's named terms. `condition` is a small language over the fields of
`Facts`, three-valued: what is not known makes a finding of its own. `when` limits a rule's patterns to certain facts.

A negation cancels a hit only when it stands before the hit, or before the hit's second part, in the same clause, and
governs it: nothing but a few words that carry a negation on may stand between. "五星好评返现5元,与评价内容无关" stays a hit,
"好评不返现" is none, "不给好评不返现" is one again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from apps.compliance.spelling import Spelled, spell
from apps.compliance.types import FACT_NAMES, WEIGHT, Facts, Finding, RuleData

SENTENCE_END = "。！？!?\n"
CLAUSE_END = ",，;；。！？!?\n、"
MAX_TEXT = 20_000

# What carries a negation on to the word it governs.
_CARRIERS = (
    r"(?:会|能|可以?|得|要|再|以|用|拿|靠|凭|通过|任何|任意|一切|所有|各种|各类|类似|此类|这种|这类|形式|方式|进行|参与|提供|支持|接受|允许|"
    r"从事|存在|有|使用|采用|开展|涉及|发布|组织|实施|诱导|引导|要求|强制|强迫|让|请|因为?|因此|商家|店铺|店家|卖家|客服|员工|"
    r"我们|本店|我店|我司|您|你|顾客|买家|用户|消费者|给|发|写|打|做|搞|的|地|是|为|了|过|出现|利用|变相|私下|现金|名义|"
    r"去|来|把|将|对|在|就|也|还|都|"
    # The forbidden things in a list: 严禁刷单、红包诱导好评.
    r"[、和及或与等]|红包|返现|优惠券|积分|礼品|现金|刷单|好评|差评|评价)"
)
_NEGATORS = (
    r"(?:绝不|决不|从不|并不|不会|不得|不能|不可|不准|不许|不应|不需要?|不必|不用|不要(?!错过|忘|犹豫|客气|担心)|不(?!仅|但|光|止|只|错|妨|愧|料|"
    r"如|过|管|论|限|然|少|同|到|知|断|满意|信)|没有|没|未曾|未|无需|无须|毋需|勿|请勿|切勿|严禁|禁止|杜绝|拒绝|抵制|反对|谢绝|抵触|"
    r"非|并非|不是|别(?!忘|错过|犹豫|客气|担心)|不存在|不影响|不作为|不涉及|不支持|不提倡|不参与|不接受)"
)
_GOVERNS = re.compile(f"({_NEGATORS}){_CARRIERS}{{0,6}}$")
_INDIFFERENT = re.compile(r"(?:无论|不论|不管|不分|不限|无关)(?:您|你|是|给|打|写|的|是否)*$")
_BOTH = re.compile(r"(?:好评|五星|5星)[、和与或/]*(?:差评|中评|一星|1星)|(?:差评|中评)[、和与或/]*好评")
_FRAME_BEFORE = re.compile(r"(?:与|跟|和|同|不以)(?:您|你|是否|任何)*(?:[^，,。；;]{0,6})$")
_FRAME_AFTER = re.compile(r"^[^，,。；;！？!?\n]{0,8}?(?:无关|没有关系|没关系|不挂钩|为前提|为条件)")
_DOUBLE = re.compile(r"(?:不|没有?|未|非|除非)(?:给|打|写|发|是|晒|留|达到|带|够|满)?(?:到|个)?$")
_THANKS = re.compile(
    r"(?:感谢|谢谢|多谢|感恩|收到)(?:您|你|亲|亲亲|大家|各位|每一位|顾客|的|给|对|我们|小店|本店|于|这么|如此|认真|用心|宝贵|留下|打出|百忙之中|一直以来|支持|信任|与|和|及|、|真实|满分|五星)*$"
)
_DIRECTED = re.compile(r"返|红包|打款|转账|给您|送您|赠您|为您|发您|已(?!经为)|凭|截图|领|联系|再")


@dataclass(frozen=True, slots=True)
class _Pattern:
    regex: re.Pattern[str]
    paired: bool


@dataclass(frozen=True, slots=True)
class CompiledRule:
    rule: RuleData
    patterns: tuple[_Pattern, ...]
    exceptions: tuple[re.Pattern[str], ...]
    absent: re.Pattern[str] | None
    facts: frozenset[str]


class BadRule(ValueError):
    """A rule that cannot be used: a broken expression, an unknown fact or operator."""


def _filled(pattern: str, terms: Mapping[str, str]) -> str:
    for name, words in terms.items():
        pattern = pattern.replace("{" + name + "}", f"(?:{words})")
    return pattern


def compile_rule(rule: RuleData) -> CompiledRule:
    """Ready to run. Raises BadRule with what is wrong, in words for whoever edits rules."""
    patterns: list[_Pattern] = []
    try:
        for entry in rule.patterns:
            if isinstance(entry, str):
                patterns.append(_Pattern(re.compile(_filled(entry, rule.terms)), False))
                continue
            a, b = _filled(entry["a"], rule.terms), _filled(entry["b"], rule.terms)
            stop = "\n" if entry.get("across") else SENTENCE_END
            gap = f"(?P<gap>[^{stop}]{{0,{int(entry.get('gap', 40))}}}?)"
            patterns.append(_Pattern(re.compile(f"(?P<a>{a}){gap}(?P<b>{b})"), True))
            if entry.get("both"):
                patterns.append(_Pattern(re.compile(f"(?P<a>{b}){gap}(?P<b>{a})"), True))
        exceptions = tuple(re.compile(_filled(text, rule.terms)) for text in rule.exceptions)
        absent = re.compile(_filled(rule.absent, rule.terms)) if rule.absent else None
    except (re.error, KeyError, TypeError, ValueError) as error:
        raise BadRule(f"{rule.code}: {error}") from error
    named = facts_of(rule.condition) | facts_of(rule.when)
    return CompiledRule(rule, tuple(patterns), exceptions, absent, frozenset(named))


def facts_of(condition: Any) -> set[str]:
    """The facts a condition names. Raises BadRule for one that does not exist, or an unknown operator."""
    if not condition:
        return set()
    if not isinstance(condition, dict):
        raise BadRule(f"not a condition: {condition!r}")
    for word in ("all", "any"):
        if word in condition:
            return {name for part in condition[word] for name in facts_of(part)}
    if "not" in condition:
        return facts_of(condition["not"])
    name, op = condition.get("fact"), condition.get("op")
    if name not in FACT_NAMES:
        raise BadRule(f"unknown fact {name!r}")
    if op not in _OPERATORS:
        raise BadRule(f"unknown operator {op!r}")
    return {str(name)}


_OPERATORS = {
    "eq": lambda have, want: have == want,
    "ne": lambda have, want: have != want,
    "in": lambda have, want: have in want,
    "not_in": lambda have, want: have not in want,
    "gte": lambda have, want: have >= want,
    "gt": lambda have, want: have > want,
    "lte": lambda have, want: have <= want,
    "lt": lambda have, want: have < want,
    "lacks_any": lambda have, want: not set(want) <= set(have),
    "gt_fact": None,
}


def holds(condition: Mapping[str, Any], facts: Facts) -> tuple[bool | None, frozenset[str]]:
    """(truth, facts that were missing): Kleene's logic, so that a fact that cannot matter is not asked for."""
    for word, decisive in (("all", False), ("any", True)):
        if word in condition:
            results = [holds(part, facts) for part in condition[word]]
            if any(result is decisive for result, _missing in results):
                return decisive, frozenset()
            missing = frozenset().union(*(names for _result, names in results))
            return (None, missing) if missing else (not decisive, missing)
    if "not" in condition:
        result, missing = holds(condition["not"], facts)
        return (None if result is None else not result), missing
    name, op, want = condition["fact"], condition["op"], condition.get("value")
    have = getattr(facts, name)
    if have is None:
        return None, frozenset({name})
    if op == "gt_fact":
        other = getattr(facts, str(want))
        return (None, frozenset({str(want)})) if other is None else (have > other, frozenset())
    return bool(_OPERATORS[op](have, want)), frozenset()  # type: ignore[misc]


def evaluate(
    text: str, facts: Facts | None, market: str, at: date, rules: Sequence[RuleData | CompiledRule]
) -> list[Finding]:
    """What the rules say of `text` and `facts` in `market` (CN, US, INTL) on the day `at`, heaviest first.

    Without `facts` only what stands in the text is judged. A text longer than 20,000 characters is judged up to there.
    """
    spelled = spell(text[:MAX_TEXT])
    found = []
    for entry in rules:
        compiled = entry if isinstance(entry, CompiledRule) else compile_rule(entry)
        rule = compiled.rule
        if not _applies(rule, facts, market, at):
            continue
        found += _of_facts(compiled, facts, spelled)
        if spans := _of_text(compiled, facts, spelled):
            found.append(_finding(rule, spans=spans))
    merged: dict[str, Finding] = {}
    for finding in found:
        seen = merged.get(finding.rule)
        if seen is None or (finding.spans and not seen.spans):
            merged[finding.rule] = finding
    return sorted(merged.values(), key=lambda finding: -WEIGHT[finding.action])


def _applies(rule: RuleData, facts: Facts | None, market: str, at: date) -> bool:
    if rule.scope != "ALL" and rule.scope != market:
        return False
    if (rule.valid_from and at < rule.valid_from) or (rule.valid_until and at >= rule.valid_until):
        return False
    return facts is None or facts.subject in rule.subjects or facts.subject == "text"


def _finding(
    rule: RuleData, *, spans: Iterable[tuple[int, int]] = (), missing: Iterable[str] = ()
) -> Finding:
    return Finding(
        rule=rule.code,
        action=rule.action,
        title=rule.title,
        message=rule.message,
        alternative=rule.alternative,
        law=rule.law,
        spans=tuple(spans),
        missing=tuple(sorted(missing)),
        version=rule.version,
    )


def _of_facts(compiled: CompiledRule, facts: Facts | None, spelled: Spelled) -> list[Finding]:
    rule = compiled.rule
    if facts is None or facts.subject == "text" or not (rule.condition or compiled.absent):
        return []
    truth, missing = holds(rule.condition, facts) if rule.condition else (True, frozenset())
    if truth is None:
        return [_finding(rule, missing=missing)]
    if not truth:
        return []
    if compiled.absent is not None and compiled.absent.search(spelled.text):
        return []
    return [_finding(rule)]


def _of_text(compiled: CompiledRule, facts: Facts | None, spelled: Spelled) -> list[tuple[int, int]]:
    rule = compiled.rule
    if not compiled.patterns:
        return []
    if rule.when is not None and (facts is None or holds(rule.when, facts)[0] is not True):
        return []
    spans = []
    for pattern in compiled.patterns:
        for match in _matches(pattern.regex, spelled.text):
            if any(
                excepted.start() <= match.start() and match.end() <= excepted.end()
                for exception in compiled.exceptions
                for excepted in exception.finditer(spelled.text)
            ):
                continue
            if rule.negatable and _cancelled(match, pattern.paired, spelled):
                continue
            spans.append(spelled.span(*match.span()))
    return sorted(set(spans))[:20]


def _matches(regex: re.Pattern[str], text: str) -> Iterable[re.Match[str]]:
    """Every hit, also one that begins inside a hit before it: the first may be a negated one."""
    at = 0
    for _ in range(200):
        match = regex.search(text, at)
        if match is None:
            return
        yield match
        at = match.start() + 1


def _clause_before(spelled: Spelled, at: int) -> str:
    """What stands before `at` in its clause. A blank between whole words ends a clause as a comma does."""
    start = at
    while (
        start > 0
        and spelled.text[start - 1] not in CLAUSE_END.replace("、", "")
        and start not in spelled.breaks
    ):
        start -= 1
    return spelled.text[start:at]


def _cancelled(match: re.Match[str], paired: bool, spelled: Spelled) -> bool:
    before = _clause_before(spelled, match.start())
    negated = _GOVERNS.search(before) is not None
    if not paired:
        return negated
    second = match.start("b")
    gap = _clause_before(spelled, second)[-(second - match.end("a")) :] if second > match.end("a") else ""
    inner = _GOVERNS.search(gap) is not None
    if negated and inner:
        # 不给好评不返现: no good review, no money – that is the condition itself.
        return False
    if inner and _DOUBLE.search(before):
        return False
    if negated and not _only_condition(before, match, spelled):
        return True
    if inner:
        return True
    # 无论好评差评均可参与, 送券,无论好评差评, 好评差评同等: the reward does not hang on what is written.
    if _INDIFFERENT.search(before) or _INDIFFERENT.search(gap) or _BOTH.match(spelled.text[match.start() :]):
        return True
    if _BOTH.match(spelled.text[second:]):
        return True
    # 补偿与是否修改评价无关: the frame opens before the second part and closes in the same clause.
    if _FRAME_BEFORE.search(gap) and _FRAME_AFTER.match(spelled.text[match.end() :]):
        return True
    # Thanks for a review, and something else in the next clause that is not handed to its writer.
    parted = any(mark in match["gap"] for mark in CLAUSE_END) or any(
        match.end("a") <= place <= second for place in spelled.breaks
    )
    if parted and _THANKS.search(before):
        return _DIRECTED.search(match["gap"] + match["b"]) is None
    return False


def _only_condition(before: str, match: re.Match[str], spelled: Spelled) -> bool:
    """Whether the negation makes the condition ("未给五星不…", "不是五星不能领") instead of denying the whole."""
    after = spelled.text[match.end() : match.end() + 6]
    return bool(_DOUBLE.search(before)) and bool(
        re.search(r"不(?:能|给|予|可)|无法|没有", match["gap"] + after)
    )
