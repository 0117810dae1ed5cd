"""The rules find what is unlawful in disguise and leave alone what only looks like it (domain.md 1)."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from apps.compliance.admin.rules import wrong_examples
from apps.compliance.checker import BadRule, compile_rule, evaluate, facts_of, holds
from apps.compliance.models import ComplianceRule
from apps.compliance.selectors import check, terms_now
from apps.compliance.spelling import spell
from apps.compliance.types import Facts, RuleData, worst
from tests.factories import NOW

HERE = Path(__file__).parent


def table(name: str) -> list[tuple[str, str]]:
    lines = (HERE / name).read_text("utf-8").splitlines()
    return [tuple(line.split("\t", 1)) for line in lines if line and not line.startswith("#")]  # type: ignore[misc]


def test_there_are_at_least_a_hundred_disguises_and_sixty_near_misses() -> None:
    assert len({text for _, text in table("adversarial.tsv")}) >= 100
    assert len({text for _, text in table("lawful.tsv")}) >= 60


def test_disguises_are_found_and_lawful_texts_left_alone(db: None) -> None:
    wrong = []
    for name in ("adversarial.tsv", "lawful.tsv"):
        for wanted, text in table(name):
            found = worst(check(text, at=NOW)) or "-"
            if found != wanted:
                wrong.append((wanted, found, text))
    assert not wrong


def test_every_shipped_rule_treats_its_own_examples_as_they_say(db: None) -> None:
    terms, rules = terms_now(), list(ComplianceRule.objects.all())
    assert len(rules) == 42 and sum(len(rule.hit) + len(rule.miss) for rule in rules) >= 62
    wrong = {rule.code: found for rule in rules if rule.is_active and (found := wrong_examples(rule, terms))}
    assert not wrong


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("五星好评送10元券,不得与其他优惠同享", "block"),
        ("五星好评返现5元,与评价内容无关", "block"),
        ("禁止刷单,五星好评联系客服领红包", "block"),
        ("满意请给⭐⭐⭐⭐⭐,截图找客服领3元", "block"),
        ("把差评改一下我给您退50", "block"),
        ("好评不返现", ""),
        ("评价送积分", "require_approval"),
        ("评价15字以上即可参与抽奖", "require_approval"),
    ],
)
def test_a_negation_cancels_only_what_it_governs(db: None, text: str, wanted: str) -> None:
    assert worst(check(text, at=NOW)) == wanted


def test_spans_point_into_the_text_as_given(db: None) -> None:
    text = "亲,请给 五 ☆ 好 坪 ,返​现 3元哦"
    (finding,) = [f for f in check(text, at=NOW) if f.rule == "REV-01"]
    start = min(span[0] for span in finding.spans)
    assert text[start:].startswith(("五", "好")) and "返" in text[start : max(s[1] for s in finding.spans)]
    assert finding.alternative and "第九条" in finding.message


def test_spelling_keeps_its_way_back_for_every_character() -> None:
    for _, text in [*table("adversarial.tsv"), *table("lawful.tsv")]:
        spelled = spell(text)
        assert len(spelled.text) == len(spelled.origin)
        assert all(0 <= start < end <= len(text) for start, end in spelled.origin)
        assert [start for start, _ in spelled.origin] == sorted(start for start, _ in spelled.origin)


def test_a_rule_holds_from_its_day_on() -> None:
    rule = RuleData(
        "X", "block", "x", "x", patterns=("坏",), valid_from=date(2024, 9, 1), valid_until=date(2026, 1, 1)
    )
    found = Counter(
        bool(evaluate("坏", None, "CN", day, [rule]))
        for day in (date(2024, 8, 31), date(2024, 9, 1), date(2025, 12, 31), date(2026, 1, 1))
    )
    assert found == {True: 2, False: 2}


def test_market_limits_a_rule(db: None) -> None:
    text = "Leave a 5-star review and get a $10 gift card"
    assert worst(check(text, market="US", at=NOW)) == "block"
    assert worst(check(text, market="CN", at=NOW)) == ""


REMEDY: dict[str, Any] = {
    "subject": "remedy",
    "reward": "coupon",
    "trigger": "none",
    "remedy_condition": "none",
}


@pytest.mark.parametrize(
    ("facts", "rules"),
    [
        (Facts(**REMEDY), set()),
        (Facts(**REMEDY | {"remedy_condition": "review_changed"}), {"REV-03"}),
        (Facts(**REMEDY | {"trigger": "review_deleted"}), {"REV-02"}),
        # What nobody filled in is a finding, never a pass.
        (Facts(subject="remedy"), {"REV-02", "REV-03"}),
        (Facts(subject="remedy", reward="none", remedy_condition="none"), set()),
        (
            Facts(subject="reply", reward="none", invites_review=True, review_invites_before=1, review_script_required=False),
            {"REV-10"},
        ),
        (
            Facts(
                subject="message", channel="sms", message_class="marketing", consent=False, opted_out=False,
                reward="none", invites_review=False, local_hour=12, review_script_required=False,
            ),
            {"MSG-01", "MSG-02"},
        ),
        (
            Facts(
                subject="message", channel="sms", message_class="marketing", consent=True, opted_out=False,
                reward="none", invites_review=False, local_hour=22, review_script_required=False,
            ),
            {"MSG-02", "MSG-03"},
        ),
        (Facts(subject="coupon", reward="coupon", trigger="purchase", coupon_terms=frozenset({"valid_from"}), shows_discount=False, price_by_profile=False), {"TERM-02"}),
        (Facts(subject="audience", invites_review=False, price_by_profile=False, by_profiling=True, profiling_opt_out=False, sensitive_data=True, separate_consent=False), {"DATA-02", "DATA-03"}),
    ],
)  # fmt: skip
def test_structured_things_are_judged_by_their_facts(db: None, facts: Facts, rules: set[str]) -> None:
    found = check("", facts=facts, at=NOW)
    assert {finding.rule for finding in found} == rules


def test_missing_facts_are_named(db: None) -> None:
    (finding,) = [f for f in check("", facts=Facts(subject="coupon"), at=NOW) if f.rule == "TERM-02"]
    assert finding.missing == ("coupon_terms",) and finding.action == "block"


def test_three_valued_conditions_ask_only_for_what_matters() -> None:
    both = {
        "all": [
            {"fact": "reward", "op": "ne", "value": "none"},
            {"fact": "min_rating", "op": "gte", "value": 4},
        ]
    }
    assert holds(both, Facts(reward="none")) == (False, frozenset())
    assert holds(both, Facts(reward="coupon")) == (None, frozenset({"min_rating"}))
    assert holds({"not": both}, Facts(reward="coupon", min_rating=5)) == (False, frozenset())


@pytest.mark.parametrize(
    "condition",
    [{"fact": "weather", "op": "eq", "value": 1}, {"fact": "reward", "op": "likes", "value": 1}, ["x"]],
)
def test_unknown_facts_and_operators_are_refused(condition: Any) -> None:
    with pytest.raises(BadRule):
        facts_of(condition)
    with pytest.raises(BadRule):
        compile_rule(RuleData("X", "block", "x", "x", condition=condition))


def test_hostile_lengths_do_not_hang() -> None:
    import time

    rules = [
        RuleData("X", "block", "x", "x", patterns=({"a": "好评", "b": "返现", "gap": 40, "both": True},))
    ]
    started = time.process_time()
    evaluate("好评" * 30_000, None, "CN", date(2026, 1, 1), rules)
    # A hundred times what it takes: this only fails on a regular expression that explodes.
    assert time.process_time() - started < 20
