"""The rule book in memory, and the check everybody calls."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from django.utils import timezone

from apps.compliance.checker import compile_rule, evaluate
from apps.compliance.models import ComplianceRule, RuleTerm, Verdict
from apps.compliance.models.rule import in_english
from apps.compliance.types import Facts, Finding, RuleData
from apps.core.reference import Cached

STAMP = "compliance"


def rule_data(rule: ComplianceRule, terms: dict[str, str], *, english: bool) -> RuleData:
    """A row as the checker takes it, in one language."""
    return RuleData(
        code=rule.code,
        action=rule.action,
        title=rule.title_en if english else rule.title_zh,
        message=rule.message_en if english else rule.message_zh,
        alternative=rule.alternative_en if english else rule.alternative_zh,
        law=rule.law,
        scope=rule.scope,
        subjects=tuple(rule.subjects),
        patterns=tuple(rule.patterns),
        exceptions=tuple(rule.exceptions),
        absent=rule.absent,
        when=rule.when,
        condition=rule.condition,
        negatable=rule.negatable,
        valid_from=rule.valid_from,
        valid_until=rule.valid_until,
        version=rule.version,
        position=rule.position,
        terms=terms,
    )


def terms_now() -> dict[str, str]:
    """Named lists of words, by code. One query."""
    return dict(RuleTerm.objects.values_list("code", "pattern"))


class _Book:
    def __init__(self) -> None:
        terms = terms_now()
        rules = list(ComplianceRule.objects.filter(is_active=True))
        self.by_language = {
            english: tuple(compile_rule(rule_data(rule, terms, english=english)) for rule in rules)
            for english in (False, True)
        }


_book = Cached(STAMP, _Book)


def forget_book() -> None:
    """Drop what is in memory; tests call it."""
    _book.forget()


def check(text: str = "", *, facts: Facts | None = None, market: str = "CN", at: datetime) -> list[Finding]:
    """What the rules say of a text and of what is known about it, heaviest first, in the reader's language.

    One query (the stamp) unless rules changed. Without facts only the text is judged.
    """
    return checker(market=market, at=at)(text, facts)


def checker(*, market: str = "CN", at: datetime) -> Callable[[str, Facts | None], list[Finding]]:
    """`check` for many texts: the one query is made here."""
    day, rules = timezone.localdate(at), _book.get().by_language[in_english()]
    return lambda text, facts: evaluate(text, facts, market, day, rules)


def text_hash(text: str) -> str:
    """SHA-256 of a text, to know it again without keeping it."""
    return hashlib.sha256(text.encode()).hexdigest()


def was_approved(*, subject_key: str, text: str) -> bool:
    """Whether a second person approved this very text for this very thing. One query."""
    return Verdict.objects.filter(
        subject_key=subject_key, text_hash=text_hash(text), ruling="approved"
    ).exists()
