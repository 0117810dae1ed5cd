"""One run over what is due: warnings, breaches, escalations, waiting that ends (R19)."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Min, OuterRef, Subquery
from django.utils.translation import gettext as _

from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError
from apps.core.models import StaffNotice
from apps.core.services.notices import notice_rows
from apps.feedback import sla
from apps.feedback.choices import ClockState, Status
from apps.feedback.models import Feedback, SlaClock, SlaEvent, SlaPause
from apps.feedback.selectors.reference import Reference, reference
from apps.feedback.services import clocks, moves
from apps.feedback.services.telling import address, people

log = logging.getLogger(__name__)
BATCH = 500


@dataclass
class SweepResult:
    """What one run did."""

    examined: int = 0
    warned: int = 0
    breached: int = 0
    escalated: int = 0
    resumed: int = 0
    faults: int = 0


def sweep_sla(*, now: datetime) -> SweepResult:
    """Look at the clocks whose next step is due, and only at those; safe to run twice or in parallel.

    1. Waiting that is over resumes, which may make clocks due.
    2. Clocks with `next_check_at <= now` are read in batches, locked, past what another worker holds.
    3. Every step whose moment has come leaves one event (unique per clock and step) and tells its people.
    4. The clock's next check is written. A clock that cannot be computed is pushed an hour ahead and logged, so that
       one bad row never stops the rest.
    """
    result = SweepResult()
    ref = reference()
    _resume_waiting(now, result)
    while True:
        with transaction.atomic():
            due = SlaClock.objects.filter(state=ClockState.RUNNING, next_check_at__lte=now).order_by(
                "next_check_at"
            )
            if connection.features.has_select_for_update_skip_locked:
                # The case is locked with its clock, and neither is waited for: a person's move locks the case first
                # and its clocks then, so waiting here for a case could end in a dead-lock.
                due = due.select_related("feedback").select_for_update(
                    skip_locked=True, of=("self", "feedback"), no_key=True
                )
            batch = list(due[:BATCH])
            if not batch:
                return result
            _batch(ref, batch, now=now, result=result)


def _resume_waiting(now: datetime, result: SweepResult) -> None:
    for feedback in Feedback.objects.filter(wait_until__lte=now, status=Status.WAITING).order_by(
        "wait_until"
    )[:BATCH]:
        try:
            moves.resume(
                feedback=feedback, by=None, now=now, reason=_("The time to wait is over."), via="sweep"
            )
            result.resumed += 1
        except DomainError:
            # Somebody moved it a moment ago: that is what we wanted.
            continue
        except Exception:
            log.exception("A case could not resume and is tried again in an hour: %s", feedback.number)
            Feedback.objects.filter(pk=feedback.pk).update(wait_until=now + timedelta(hours=1))
            result.faults += 1


def _batch(ref: Reference, batch: list[SlaClock], *, now: datetime, result: SweepResult) -> None:
    cases = {
        case.pk: case
        for case in Feedback.objects.filter(pk__in={clock.feedback_id for clock in batch}).select_related(
            "assignee"
        )
    }
    events: list[SlaEvent] = []
    breached: dict[int, datetime] = {}
    told: list[tuple[SlaClock, dict, bool]] = []
    pauses: dict[int, list[sla.Pause]] = defaultdict(list)
    for pk, start, end in SlaPause.objects.filter(feedback_id__in=cases).values_list(
        "feedback_id", "started_at", "ended_at"
    ):
        pauses[pk].append((start, end))
    for clock in batch:
        result.examined += 1
        try:
            _advance(
                ref,
                clock,
                pauses=pauses[clock.feedback_id],
                now=now,
                events=events,
                told=told,
                breached=breached,
                result=result,
            )
        except Exception:
            log.exception("A clock could not be computed and is tried again in an hour: clock %s", clock.pk)
            clock.next_check_at = now + timedelta(hours=1)
            result.faults += 1
    SlaEvent.objects.bulk_create(events, ignore_conflicts=True)
    SlaClock.objects.bulk_update(batch, ["next_check_at", "next_step", "breached_at"], batch_size=BATCH)
    twice = set()
    if breached:
        # One statement, however many deadlines: the first miss of a case is the earliest of its clocks.
        first = SlaClock.objects.filter(feedback_id=OuterRef("pk")).order_by().values("feedback_id")
        Feedback.objects.filter(pk__in=breached, breached_at__isnull=True).update(
            breached_at=Subquery(first.annotate(first=Min("breached_at")).values("first"))
        )
        seen: dict[int, int] = {}
        for pk in SlaClock.objects.filter(feedback_id__in=breached, breached_at__isnull=False).values_list(
            "feedback_id", flat=True
        ):
            seen[pk] = seen.get(pk, 0) + 1
        twice = {pk for pk, count in seen.items() if count >= 2}
    _tell(ref, told, cases, twice, now=now)


def _advance(
    ref: Reference,
    clock: SlaClock,
    *,
    pauses: list[sla.Pause],
    now: datetime,
    events: list[SlaEvent],
    told: list[tuple[SlaClock, dict, bool]],
    breached: dict[int, datetime],
    result: SweepResult,
) -> None:
    """Take every step of one clock whose moment has come; only the last of several is told."""
    assert clock.due_at is not None
    calendar = ref.calculators.get(clock.calendar_id) if clock.calendar_id else None
    target = sla.Target(clock.kind, clock.value, sla.Unit(clock.unit))
    last: tuple[dict, bool] | None = None
    while clock.next_step < len(clock.steps):
        step = clock.steps[clock.next_step]
        moment = clocks.step_moment(
            step,
            calendar=calendar,
            started_at=clock.started_at,
            due_at=clock.due_at,
            target=target,
            pauses=pauses,
            now=now,
        )
        if moment is None or moment > now:
            clock.next_check_at = moment
            break
        is_breach = not step.get("minutes_after") and step.get("percent", 100) >= 100
        kind = "breached" if is_breach else "escalated" if step.get("minutes_after") else "warned"
        events.append(
            SlaEvent(
                clock_id=clock.pk,
                feedback_id=clock.feedback_id,
                kind=kind,
                step=0 if is_breach else clock.next_step,
                at=now,
                cause=f"{step.get('percent', 100)}%",
            )
        )
        if is_breach:
            if clock.breached_at is None:
                clock.breached_at = clock.due_at
                result.breached += 1
            breached[clock.feedback_id] = clock.due_at
        elif kind == "warned":
            result.warned += 1
        if set(step.get("tell", ())) - {"owner"}:
            result.escalated += 1
        last = (step, is_breach)
        clock.next_step += 1
    else:
        clock.next_check_at = None
    if last is not None:
        told.append((clock, *last))


def _tell(
    ref: Reference,
    told: list[tuple[SlaClock, dict, bool]],
    cases: dict[int, Feedback],
    twice: set[int],
    *,
    now: datetime,
) -> None:
    rows: list[StaffNotice] = []
    for clock, step, is_breach in told:
        case = cases.get(clock.feedback_id)
        if case is None:
            continue
        roles = list(step.get("tell", ("owner",)))
        if is_breach and clock.feedback_id in twice:
            # Two breaches on one case go to the top (domain.md 3.2).
            roles.append("director")
        assert clock.due_at is not None
        words = {
            "number": case.number,
            "promise": clock.get_kind_display(),
            "due": moves.local_text(clock.due_at),
        }
        title = (
            _("%(number)s is overdue: %(promise)s was due %(due)s")
            if is_breach
            else _("%(number)s: %(promise)s is due %(due)s")
        )
        rows += notice_rows(
            recipients=people(ref, case, roles),
            level=NoticeLevel.URGENT if is_breach or case.tier == "S" else NoticeLevel.WARNING,
            title=title % words,
            body=case.snippet,
            url=address(case.pk),
            # The policy belongs to it: after an upgrade the steps begin anew.
            key=f"sla:{clock.pk}:{clock.policy_id}:{clock.next_step}",
            now=now,
        )
    StaffNotice.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
