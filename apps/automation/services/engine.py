"""Rules at work: after commit, in batches, exactly once for each event (peers 4.2).

1. What happened is written down as `EventBatch` rows: by the signal after an intake, or by `collect`, which finds what
   a lost message left. 2. `work_on` takes one batch under a lock, reads its rows with a fixed number of queries,
   asks the compiled rules, lets the actions write, and writes one `RuleRun` per match, all in one transaction. The unique
   key of `RuleRun` makes a second time harmless.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Count
from django.utils.translation import gettext as _

from apps.automation.book import Book, RuleRef, Shelf, book
from apps.automation.models import EventBatch, Origin, RuleRun, Watermark
from apps.automation.registries import Facts, Match, Source, Work, sources
from apps.automation.services import rules as rule_service
from apps.automation.services.outbox import announce
from apps.core.bulk import allocate_ids, insert_many, quick_row
from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError
from apps.core.services.notices import notify
from apps.feedback.models import Feedback
from apps.feedback.selectors.reference import reference

log = logging.getLogger(__name__)
BATCH = 2000
MAX_FAULTS = 3
AWAITED = timedelta(seconds=10)
ATTEMPTS = 4


@dataclass
class Result:
    """What a run over the due batches did."""

    batches: int = 0
    examined: int = 0
    matched: int = 0
    acted: int = 0
    faults: int = 0
    by_rule: dict[int, int] = field(default_factory=lambda: defaultdict(int))


# -- writing down what happened ----------
def arrived(*, feedback_ids: Iterable[int], now: datetime) -> list[int]:
    """Note arrivals; answers the batches to work on. One INSERT, or nothing where no rule listens."""
    ids = sorted(feedback_ids)
    if not ids or not book().listens("arrivals"):
        return []
    made = []
    for start in range(0, len(ids), BATCH):
        part = ids[start : start + BATCH]
        made.append(_note("arrivals", [[pk, pk, None, None] for pk in part], now).pk)
    return made


def is_awaited(*, batch_ids: list[int], now: datetime) -> bool:
    """Whether a worker was asked a moment ago and has not finished: it takes these batches too (`work_waiting`).

    One message for each arrival is too much for a queue of files: a shop's whole history came in within a minute, and
    what followed waited behind hundreds of messages. The batches are committed before this looks, so a worker whose own
    batch is still seen as open here will see them; if that worker died, the regular sweep finds them.
    """
    return EventBatch.objects.filter(
        source="arrivals",
        done_at__isnull=True,
        faults=0,
        id__lt=min(batch_ids),
        created_at__gt=now - AWAITED,
    ).exists()


def work_waiting(*, now: datetime) -> Result:
    """Work on every batch that nobody has tried yet, also those that come meanwhile."""
    result = Result()
    after = 0
    while ids := list(
        EventBatch.objects.filter(done_at__isnull=True, faults=0, id__gt=after)
        .order_by("id")
        .values_list("id", flat=True)[:200]
    ):
        for pk in ids:
            work_on(batch_id=pk, now=now, result=result)
        after = ids[-1]
    return result


def _note(source: str, items: list[list[Any]], now: datetime) -> EventBatch:
    return EventBatch.objects.create(
        source=source, items=items, last_id=max(item[1] for item in items), created_at=now
    )


def collect(*, now: datetime) -> int:
    """Find events that are in no batch yet; answers how many. Safe to repeat and to run in parallel.

    Numbers are given before commit, so a row may become visible after a later one: the watermark only passes what is
    older than the source's time to settle, and what lies between is compared with the batches there are.
    """
    found = 0
    for code in sources.codes():
        source = sources.get(code)
        if source is None or not source.lasting:
            continue
        with transaction.atomic():
            found += _collect(code, source, now)
    return found


def _collect(code: str, source: Source, now: datetime) -> int:
    mark, fresh = Watermark.objects.select_for_update().get_or_create(source=code, defaults={"at": now})
    settled = now - timedelta(minutes=source.settle_minutes)
    if fresh or not book().listens(code):
        # From here on: what happened before anybody listened is not looked at. In a busy shop the newest rows are young
        # at any time; what is older than they are is passed all the same.
        rows = source.rows(after=mark.last_id, limit=BATCH, newest=True)
        if rows:
            old = [row[0] for row in rows if row[3] <= settled]
            passed = max(old) if old else min(row[0] for row in rows) - 1
            mark.last_id = max(mark.last_id, passed)
            Watermark.objects.filter(pk=code).update(last_id=mark.last_id, at=now)
        if fresh or not book().listens(code):
            return 0
    total = 0
    after = mark.last_id
    for _round in range(50):
        rows = source.rows(after=after, limit=BATCH)
        if not rows:
            break
        known: set[int] = set()
        for items in EventBatch.objects.filter(source=code, last_id__gte=rows[0][0]).values_list(
            "items", flat=True
        ):
            known.update(item[1] for item in items)
        missing = [
            [feedback_id, pk, detail, None if code == "arrivals" else at.isoformat()]
            for pk, feedback_id, detail, at in rows
            if pk not in known
        ]
        if missing:
            _note(code, missing, now)
            total += len(missing)
        after = rows[-1][0]
        old = [pk for pk, _feedback, _detail, at in rows if at <= settled]
        if len(old) == len(rows):
            mark.last_id = after
        else:
            first_young = next(pk for pk, _feedback, _detail, at in rows if at > settled)
            mark.last_id = max([mark.last_id, *(pk for pk in old if pk < first_young)])
        if len(rows) < BATCH or len(old) < len(rows):
            break
    Watermark.objects.filter(pk=code).update(last_id=mark.last_id, at=now)
    return total


def sweep_conditions(*, now: datetime) -> int:
    """Late orders and low stock: batches of what holds now. What a rule has acted on before stays as it is."""
    total = 0
    for code in sources.codes():
        source = sources.get(code)
        if source is None or source.lasting or code not in book().shelves:
            continue
        rows = source.rows(limit=20000, now=now)
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            _note(code, [[case, pk, detail, now.isoformat()] for pk, case, detail, _at in part], now)
        total += len(rows)
    return total


# -- working on it ----------
def work_due(*, now: datetime, limit: int = 200) -> Result:
    """Work on the batches that are due, oldest first."""
    result = Result()
    ids = list(
        EventBatch.objects.filter(done_at__isnull=True).order_by("id").values_list("id", flat=True)[:limit]
    )
    for pk in ids:
        work_on(batch_id=pk, now=now, result=result)
    return result


def work_on(*, batch_id: int, now: datetime, result: Result | None = None) -> Result:
    """Work on one batch. A second worker with the same batch passes it by; after a crash it is done anew."""
    result = result if result is not None else Result()
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                _work(batch_id, now, result, last=attempt == ATTEMPTS - 1)
            break
        except (IntegrityError, OperationalError):
            # Another batch held the same event and was first, or stood in the way: a fresh look finds its runs.
            if attempt == ATTEMPTS - 1:
                log.exception("automation batch %s failed", batch_id)
                _fault(batch_id, now, result)
        except Exception:
            log.exception("automation batch %s failed", batch_id)
            _fault(batch_id, now, result)
            break
    return result


def _fault(batch_id: int, now: datetime, result: Result) -> None:
    result.faults += 1
    row = EventBatch.objects.filter(pk=batch_id).first()
    if row is None:
        return
    faults = row.faults + 1
    done = now if faults >= MAX_FAULTS else None
    EventBatch.objects.filter(pk=batch_id).update(faults=faults, done_at=done)
    if done is not None:
        notify(
            recipients=[*reference().ops_leads, *reference().managers],
            level=NoticeLevel.WARNING,
            title=_("Automation could not work on %(count)d events") % {"count": len(row.items)},
            body=_("It was tried %(count)d times. The log of the worker says why.") % {"count": faults},
            key=f"automation_fault:{batch_id}",
            now=now,
        )


def _work(batch_id: int, now: datetime, result: Result, *, last: bool = False) -> None:
    started = time.perf_counter()
    skip = connection.features.has_select_for_update_skip_locked
    batch = (
        EventBatch.objects.select_for_update(skip_locked=skip)
        .filter(pk=batch_id, done_at__isnull=True)
        .first()
    )
    if batch is None:
        return
    rules = book()
    shelf = rules.shelves.get(batch.source)
    chains = chains_of(batch.source, [item[1] for item in batch.items])
    matched: dict[int, list[Match]] = {}
    rows: list[Facts] = []
    if shelf is not None:
        rows = load_facts(shelf, [item[0] for item in batch.items])
        matched = ask(shelf, batch.source, rows, batch.items, chains)
    _tell(rules, batch, chains, now)
    count = sum(len(found) for found in matched.values())
    if shelf is not None and count:
        _act(shelf, matched, now, result, started, last=last)
    EventBatch.objects.filter(pk=batch.pk).update(
        done_at=now,
        examined=len(rows),
        matched=count,
        milliseconds=round((time.perf_counter() - started) * 1000),
    )
    result.batches += 1
    result.examined += len(rows)
    result.matched += count


def chains_of(source: str, row_ids: list[int]) -> dict[int, list[int]]:
    """The rules that led to these moves; one query, and only for moves."""
    if source != "moves":
        return {}
    return dict(Origin.objects.filter(pk__in=row_ids).values_list("log_id", "chain"))


def load_facts(shelf: Shelf, ids: Iterable[int]) -> list[Facts]:
    """The rows with what the shelf's rules and actions need: one query, and one for each loader in use."""
    rows = list(Feedback.objects.filter(pk__in=set(ids)).order_by().values(*shelf.columns))
    for row in rows:
        row["_at"] = row["received_at"]
    shelf.load(rows)
    return rows


def instance_of(source: str, row_id: int, detail: Any) -> str:
    """What makes an event this one and no other."""
    known = sources.get(source)
    extra = f":{detail}" if known is not None and known.keyed_by_detail else ""
    return f"{source}:{row_id}{extra}"[:60]


def ask(
    shelf: Shelf, source: str, rows: list[Facts], items: Iterable[list[Any]], chains: dict[int, list[int]]
) -> dict[int, list[Match]]:
    """Number of the rule on the shelf → what it matches. No query."""
    by_id = {row["id"]: row for row in rows}
    out: dict[int, list[Match]] = defaultdict(list)
    refs = shelf.refs
    tests = [ref.compiled.test for ref in refs]
    stops = [ref.rule.stop for ref in refs]
    broken: set[int] = set()
    for feedback_id, row_id, detail, at in items:
        facts = by_id.get(feedback_id)
        if facts is None:
            # Its import was undone meanwhile.
            continue
        if at is not None:
            facts = facts | {"_at": datetime.fromisoformat(at)}
        for number in shelf.candidates(facts):
            try:
                if not tests[number](facts):
                    continue
            except Exception:
                # A condition that cannot read a row is its own rule's trouble; logged once a batch.
                if number not in broken:
                    log.exception(
                        "automation rule %s cannot read feedback %s", refs[number].rule.pk, feedback_id
                    )
                broken.add(number)
                continue
            chain = chains.get(row_id, [])
            if refs[number].barred(facts, detail, chain) is not None:
                continue
            out[number].append(Match(facts, instance_of(source, row_id, detail), chain, 0, detail))
            if stops[number]:
                break
    return out


def _act(
    shelf: Shelf,
    matched: dict[int, list[Match]],
    now: datetime,
    result: Result,
    started: float,
    *,
    last: bool = False,
) -> None:
    """Runs and actions of one batch, rule by rule in their order."""
    numbers = sorted(matched)
    rule_ids = [shelf.refs[number].rule.pk for number in numbers]
    present = set(
        RuleRun.objects.filter(
            rule__in=rule_ids,
            feedback__in={match.feedback_id for found in matched.values() for match in found},
        ).values_list("rule_id", "feedback_id", "event", "instance")
    )
    counts = dict(
        RuleRun.objects.filter(rule__in=rule_ids, at__gt=now - timedelta(hours=1))
        .order_by()
        .values_list("rule_id")
        .annotate(n=Count("id"))
    )
    fresh: list[tuple[RuleRef, list[Match]]] = []
    for number in numbers:
        ref = shelf.refs[number]
        matches = [
            match
            for match in matched[number]
            if (ref.rule.pk, match.feedback_id, ref.rule.event, match.instance) not in present
        ]
        room = ref.rule.max_per_hour - counts.get(ref.rule.pk, 0)
        if len(matches) > max(room, 0):
            rule_service.trip(rule=ref.rule, now=now, count=len(matches) + counts.get(ref.rule.pk, 0))
            matches = matches[: max(room, 0)]
        if matches:
            fresh.append((ref, matches))
    total = sum(len(matches) for _ref, matches in fresh)
    if not total:
        return
    ids = iter(allocate_ids(RuleRun, total))
    runs: list[RuleRun] = []
    origins: list[tuple[int, list[int]]] = []
    for ref, matches in fresh:
        work = Work(rule=ref.rule, now=now)
        for match in matches:
            match.run_id = next(ids)
        for code, action, params in ref.steps:
            outcomes = run_action(work, code, action, params, matches, last=last)
            for match, outcome in zip(matches, outcomes, strict=True):
                match.outcomes.append({"action": code, "result": outcome})
        origins += work.origins
        spent = round((time.perf_counter() - started) * 1000)
        runs += [
            quick_row(
                RuleRun,
                id=match.run_id,
                rule_id=ref.rule.pk,
                version=ref.rule.version,
                event=ref.rule.event,
                instance=match.instance,
                feedback_id=match.feedback_id,
                chain=[*match.chain, ref.rule.pk],
                depth=len(match.chain) + 1,
                outcomes=match.outcomes,
                at=now,
                milliseconds=spent,
            )
            for match in matches
        ]
        result.by_rule[ref.rule.pk] += len(matches)
    insert_many(RuleRun, runs)
    insert_many(Origin, [Origin(log_id=log_id, chain=chain) for log_id, chain in origins])
    result.acted += total


def run_action(
    work: Work, code: str, action: Any, params: dict[str, Any], matches: list[Match], *, last: bool = False
) -> list[str]:
    """One action for all matches of a rule. A refusal is an outcome; a fault undoes this action alone.

    A conflict with another worker (same row, dead-lock) is worth a fresh look at the whole batch; one that is still there
    at the `last` attempt is this action's own fault and does not take the other rules with it.
    """
    made = len(work.origins)
    try:
        with transaction.atomic():
            return action.run(work, params, matches)
    except DomainError as error:
        del work.origins[made:]
        return [str(error.message)] * len(matches)
    except Exception as error:
        if isinstance(error, IntegrityError | OperationalError) and not last:
            raise
        del work.origins[made:]
        log.exception("automation action %s failed", code)
        return [_("failed: the log of the worker says why")] * len(matches)


def _tell(rules: Book, batch: EventBatch, chains: dict[int, list[int]], now: datetime) -> None:
    if batch.source in ("arrivals", "moves") and rules.listens(batch.source):
        announce(rules=rules, source=batch.source, items=batch.items, now=now)


def forget_old(*, now: datetime, days: int) -> int:
    """Runs past their time, and batches done a week ago."""
    EventBatch.objects.filter(done_at__lt=now - timedelta(days=7)).delete()
    gone, _rows = RuleRun.objects.filter(at__lt=now - timedelta(days=days)).delete()
    Origin.objects.filter(log_id__lt=_old_log(now)).delete()
    return gone


def _old_log(now: datetime) -> int:
    from apps.core.models import ActionLog

    newest = (
        ActionLog.objects.filter(at__lt=now - timedelta(days=7))
        .order_by("-id")
        .values_list("id", flat=True)
        .first()
    )
    return newest or 0
