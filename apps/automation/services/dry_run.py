"""What a rule would have done over the last days, and why not: the same evaluator as the real thing, no writes but the result."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from apps.automation.book import BadCondition, RuleRef, ready, shelf_of
from apps.automation.models import DryRun, Rule, RuleRun
from apps.automation.registries import sources
from apps.automation.services.engine import chains_of, instance_of, load_facts
from apps.core.exceptions import InvalidInput
from apps.core.models import User
from apps.feedback.models import Feedback

MAX_ROWS = 5000
MAX_DAYS = 90
SAMPLES = 20
PART = 1000


def dry_run(*, rule: Rule, days: int, by: User | None, now: datetime) -> DryRun:
    """Try the rule as it is saved on what happened in the last `days`; keeps and answers the result.

    At most 5,000 events, the newest first; the result says when there were more. Each event that is not acted on is
    counted under the first condition that did not hold, with the row's value in the samples.
    """
    if not 1 <= days <= MAX_DAYS:
        raise InvalidInput(_("Choose 1 to %(most)d days.") % {"most": MAX_DAYS}, field="days")
    started = time.perf_counter()
    result = DryRun(rule=rule, version=rule.version, days=days, examined=0, matched=0, by=by, at=now)
    try:
        ref = ready(rule)
    except BadCondition as error:
        result.errors = error.problems
        result.save()
        return result
    source = sources.get(ref.event.source)
    assert source is not None
    since = now - timedelta(days=days)
    more = {} if source.lasting else {"now": now}
    rows = source.rows(since=since, limit=MAX_ROWS + 1, newest=True, **more)
    result.is_cut = len(rows) > MAX_ROWS
    rows = rows[:MAX_ROWS]
    shelf = shelf_of([ref])
    failures: Counter[str] = Counter()
    hits: list[dict[str, Any]] = []
    misses: list[dict[str, Any]] = []
    for start in range(0, len(rows), PART):
        part = rows[start : start + PART]
        facts = {row["id"]: row for row in load_facts(shelf, [case for _pk, case, _detail, _at in part])}
        chains = chains_of(ref.event.source, [pk for pk, _case, _detail, _at in part])
        for pk, case, detail, at in part:
            row = facts.get(case)
            if row is None:
                continue
            why = _why_not(ref, row | {"_at": at}, detail, chains.get(pk, []))
            result.examined += 1
            if why is None:
                result.matched += 1
                if len(hits) < SAMPLES:
                    hits.append({"feedback": case, "instance": instance_of(ref.event.source, pk, detail)})
                continue
            failures[why[0]] += 1
            if len(misses) < SAMPLES and failures[why[0]] <= 5:
                misses.append({"feedback": case, "why": why[1]})
    result.failures = failures.most_common(30)
    result.samples = {"hits": hits, "misses": misses}
    result.milliseconds = round((time.perf_counter() - started) * 1000)
    result.save()
    return result


def _why_not(ref: RuleRef, facts: dict[str, Any], detail: Any, chain: list[int]) -> tuple[str, str] | None:
    """(the condition, the condition with this row's value), or None when the rule acts."""
    barred = ref.barred(facts, detail, chain, trial=True)
    if barred is not None:
        return barred, barred
    words = ref.compiled.first_failure(facts)
    if words is None:
        return None
    return words.split(" – ")[0], words


def latest(rule: Rule) -> DryRun | None:
    """The newest dry run of the version as it is."""
    return DryRun.objects.filter(rule=rule, version=rule.version).first()


def rows_of(result: DryRun, user: User) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The samples with their cases, as far as the person sees them. One query."""
    samples = result.samples or {}
    ids = {entry["feedback"] for group in ("hits", "misses") for entry in samples.get(group, ())}
    cases = Feedback.objects.visible_to(user).select_related("channel", "category").defer("text").in_bulk(ids)

    def with_case(group: str) -> list[dict[str, Any]]:
        return [
            entry | {"case": cases[entry["feedback"]]}
            for entry in samples.get(group, ())
            if entry["feedback"] in cases
        ]

    return with_case("hits"), with_case("misses")


def last_day_counts(rule_ids: list[int], now: datetime) -> dict[int, int]:
    """How often rules acted within a day. One query."""
    from django.db.models import Count

    rows = RuleRun.objects.filter(rule__in=rule_ids, at__gte=now - timedelta(days=1))
    return dict(rows.order_by().values_list("rule_id").annotate(n=Count("id")))
