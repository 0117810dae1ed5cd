"""Starting, stopping, pausing and moving the clocks of a case (R19; domain.md 3.2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from apps.core.bulk import quick_row
from apps.core.business_time import DueCalculator
from apps.feedback import sla
from apps.feedback.choices import ClockKind, ClockState
from apps.feedback.models import Feedback, SlaClock, SlaEvent, SlaPause, SlaTarget
from apps.feedback.selectors.reference import Reference

# Only one of these runs beside the first response; `resolved` may run as a third.
SECOND_CLOCKS = (ClockKind.PLAN_GIVEN, ClockKind.PROGRESS_GIVEN, ClockKind.RESOLVED)
BREACH = {"percent": 100, "tell": ["owner", "lead"]}


@dataclass(frozen=True, slots=True)
class ClockSeed:
    """A clock computed but not yet stored: the same for every case of one tier that arrives at one moment."""

    target: SlaTarget
    policy_version: int
    started_at: datetime
    due_at: datetime
    next_check_at: datetime
    steps: list[dict[str, Any]]

    def build(self, feedback_id: int, cycle: int = 0) -> SlaClock:
        """The row for one case."""
        return quick_row(
            SlaClock,
            feedback_id=feedback_id,
            kind=self.target.kind,
            cycle=cycle,
            policy_id=self.target.policy_id,
            policy_version=self.policy_version,
            value=self.target.value,
            unit=self.target.unit,
            calendar_id=self.target.calendar_id,
            pausable=self.target.pausable,
            steps=self.steps,
            started_at=self.started_at,
            due_at=self.due_at,
            next_check_at=self.next_check_at,
        )


def normal_steps(steps: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Steps in order of time, with the breach itself always among them."""
    kept = [dict(step) for step in steps]
    if not any(step.get("percent") == 100 for step in kept):
        kept.append(dict(BREACH))
    return sorted(
        kept,
        key=lambda step: (
            step.get("minutes_after", 0) > 0,
            step.get("percent", 100),
            step.get("minutes_after", 0),
        ),
    )


def step_moment(
    step: dict[str, Any],
    *,
    calendar: DueCalculator | None,
    started_at: datetime,
    due_at: datetime,
    target: sla.Target,
    pauses: list[sla.Pause],
    now: datetime,
) -> datetime | None:
    """When a step fires: a share of the target before the deadline, minutes after it, else the deadline."""
    if step.get("minutes_after"):
        return due_at + timedelta(minutes=step["minutes_after"])
    percent = step.get("percent", 100)
    if percent >= 100:
        return due_at
    at = sla.warn_at(calendar, started_at, target, percent / 100, pauses, now)
    # After an upgrade the deadline may lie before a share of the new target: never warn after the fact.
    return min(at, due_at) if at is not None else None


def seeds(ref: Reference, tier: str, started_at: datetime) -> list[ClockSeed]:
    """The clocks that a case of `tier` starts at `started_at`, by the present policy."""
    policy = ref.policies.get(tier)
    if policy is None:
        return []
    out = []
    for target in ref.targets[tier]:
        calendar = ref.calculators.get(target.calendar_id) if target.calendar_id else None
        goal = sla.Target(target.kind, target.value, sla.Unit(target.unit))
        due = sla.due_at(calendar, started_at, goal)
        steps = normal_steps(target.steps)
        first = step_moment(
            steps[0],
            calendar=calendar,
            started_at=started_at,
            due_at=due,
            target=goal,
            pauses=[],
            now=started_at,
        )
        out.append(ClockSeed(target, policy.version, started_at, due, first or due, steps))
    return out


def due_values(clocks: Iterable[SlaClock | ClockSeed]) -> dict[str, Any]:
    """The columns of the case that copy its earliest running clock."""
    running = [clock for clock in clocks if clock.due_at is not None]
    if not running:
        return {"due_at": None, "due_kind": "", "due_from": None}
    first = min(running, key=lambda clock: clock.due_at)  # type: ignore[arg-type, return-value]
    kind = first.target.kind if isinstance(first, ClockSeed) else first.kind
    return {"due_at": first.due_at, "due_kind": kind, "due_from": first.started_at}


def refresh_due(feedback: Feedback) -> None:
    """Copy the earliest running clock to the case. One read, one write."""
    running = SlaClock.objects.filter(feedback_id=feedback.pk, state=ClockState.RUNNING)
    values = due_values(running)
    Feedback.objects.filter(pk=feedback.pk).update(**values)
    for name, value in values.items():
        setattr(feedback, name, value)


def stop(feedback: Feedback, kinds: Iterable[str], *, now: datetime) -> int:
    """Stop running or paused clocks of these kinds: met in time or, past the deadline, met late. Returns how many.

    A miss is kept: `breached_at` is written even where the sweep has not come by yet, and never cleared.
    """
    stopped = 0
    for clock in SlaClock.objects.filter(
        feedback_id=feedback.pk, kind__in=list(kinds), state__in=(ClockState.RUNNING, ClockState.PAUSED)
    ):
        late = clock.breached_at is not None or (clock.due_at is not None and clock.due_at < now)
        breached_at = clock.breached_at or (clock.due_at if late else None)
        changed = SlaClock.objects.filter(pk=clock.pk, state=clock.state).update(
            state=ClockState.MISSED if late else ClockState.MET,
            stopped_at=now,
            next_check_at=None,
            breached_at=breached_at,
        )
        if changed and late and clock.breached_at is None:
            record_breach(clock, at=breached_at or now, cause="stopped late")
        stopped += changed
    if stopped:
        refresh_due(feedback)
    return stopped


def record_breach(clock: SlaClock, *, at: datetime, cause: str) -> None:
    """One breach row per clock; the case remembers its first."""
    SlaEvent.objects.bulk_create(
        [SlaEvent(clock=clock, feedback_id=clock.feedback_id, kind="breached", at=at, cause=cause)],
        ignore_conflicts=True,
    )
    Feedback.objects.filter(pk=clock.feedback_id, breached_at__isnull=True).update(breached_at=at)


def cancel_running(feedback: Feedback, *, now: datetime, keep: Iterable[str] = ()) -> None:
    """The case ended without the promise being owed any more (dismissed, merged)."""
    SlaClock.objects.filter(
        feedback_id=feedback.pk, state__in=(ClockState.RUNNING, ClockState.PAUSED)
    ).exclude(kind__in=list(keep)).update(state=ClockState.CANCELLED, stopped_at=now, next_check_at=None)
    refresh_due(feedback)


def start_cycle(ref: Reference, feedback: Feedback, *, now: datetime, kinds: Iterable[str]) -> None:
    """New clocks of these kinds for a reopened case, one round higher than the last."""
    last = (
        SlaClock.objects.filter(feedback_id=feedback.pk)
        .order_by("-cycle")
        .values_list("cycle", flat=True)
        .first()
    )
    cycle = 0 if last is None else last + 1
    wanted = set(kinds)
    rows = [
        seed.build(feedback.pk, cycle)
        for seed in seeds(ref, feedback.tier, now)
        if seed.target.kind in wanted
    ]
    SlaClock.objects.bulk_create(rows, ignore_conflicts=True)
    refresh_due(feedback)


def pauses_of(feedback_id: int) -> list[sla.Pause]:
    """(from, to) of every pause of a case, in order; `to` is None while it lasts."""
    return list(
        SlaPause.objects.filter(feedback_id=feedback_id)
        .order_by("started_at")
        .values_list("started_at", "ended_at")
    )


def pause(feedback: Feedback, *, now: datetime) -> None:
    """Stop the pausable clocks of a case that has just begun to wait. A clock already missed stays missed."""
    SlaClock.objects.filter(
        feedback_id=feedback.pk, state=ClockState.RUNNING, pausable=True, due_at__gt=now
    ).update(state=ClockState.PAUSED, due_at=None, next_check_at=None)
    refresh_due(feedback)


def resume(ref: Reference, feedback: Feedback, *, now: datetime) -> None:
    """Start paused clocks again, their deadline moved by the working part of the pause."""
    pauses = pauses_of(feedback.pk)
    for clock in SlaClock.objects.filter(feedback_id=feedback.pk, state=ClockState.PAUSED):
        calendar = ref.calculators.get(clock.calendar_id) if clock.calendar_id else None
        target = sla.Target(clock.kind, clock.value, sla.Unit(clock.unit))
        due = sla.due_with_pauses(calendar, clock.started_at, target, pauses, now) or now
        cap = clock.due_cap
        if cap is not None:
            # The bound stands still as long as the case did; else waiting for the customer would be a miss.
            cap += pauses[-1][1] - max(pauses[-1][0], clock.started_at)
            due = min(due, cap)
        SlaClock.objects.filter(pk=clock.pk, state=ClockState.PAUSED).update(
            state=ClockState.RUNNING,
            due_at=due,
            due_cap=cap,
            next_check_at=next_check(ref, clock, due=due, pauses=pauses, now=now),
        )
    refresh_due(feedback)


def next_check(
    ref: Reference, clock: SlaClock, *, due: datetime, pauses: list[sla.Pause], now: datetime
) -> datetime | None:
    """When the sweep must look at this clock next, given the steps already taken."""
    if clock.next_step >= len(clock.steps):
        return None
    calendar = ref.calculators.get(clock.calendar_id) if clock.calendar_id else None
    return step_moment(
        clock.steps[clock.next_step],
        calendar=calendar,
        started_at=clock.started_at,
        due_at=due,
        target=sla.Target(clock.kind, clock.value, sla.Unit(clock.unit)),
        pauses=pauses,
        now=now,
    )


def set_back(ref: Reference, stopped: QuerySet[SlaClock], *, now: datetime, **values: Any) -> None:
    """Let clocks run again as they did before a move that is now taken back; `values` are what it overwrote."""
    for clock in stopped:
        for name, value in values.items():
            setattr(clock, name, value)
        pauses = pauses_of(clock.feedback_id)
        if clock.due_at is None:
            calendar = ref.calculators.get(clock.calendar_id) if clock.calendar_id else None
            target = sla.Target(clock.kind, clock.value, sla.Unit(clock.unit))
            clock.due_at = sla.due_with_pauses(calendar, clock.started_at, target, pauses, now) or now
        clock.state, clock.stopped_at = ClockState.RUNNING, None
        clock.next_check_at = next_check(ref, clock, due=clock.due_at, pauses=pauses, now=now)
        clock.save()


# What an upgrade may change on a clock.
_UPGRADED = (
    "value", "unit", "calendar_id", "policy_id", "policy_version", "pausable", "steps", "next_step",
    "started_at", "due_at", "due_cap", "next_check_at", "state", "stopped_at",
)  # fmt: skip


def snapshot(feedback: Feedback) -> list[dict[str, Any]]:
    """The clocks as they are, as plain JSON values, for a move that may be taken back."""
    return [
        {"id": row["id"]}
        | {
            name: value.isoformat() if isinstance(value := row[name], datetime) else value
            for name in _UPGRADED
        }
        for row in SlaClock.objects.filter(feedback=feedback).values("id", *_UPGRADED)
    ]


def restore(feedback: Feedback, kept: list[dict[str, Any]], *, now: datetime) -> None:
    """Clocks as a snapshot had them. What was missed meanwhile stays missed; clocks added since are called off."""
    moments = {"started_at", "due_at", "due_cap", "next_check_at", "stopped_at"}
    for row in kept:
        values = {
            name: datetime.fromisoformat(value) if name in moments and value else value
            for name, value in row.items()
            if name != "id"
        }
        SlaClock.objects.filter(pk=row["id"], feedback=feedback).filter(breached_at__isnull=True).update(
            **values
        )
    SlaClock.objects.filter(
        feedback=feedback, state__in=(ClockState.RUNNING, ClockState.PAUSED), breached_at__isnull=True
    ).exclude(pk__in=[row["id"] for row in kept]).update(
        state=ClockState.CANCELLED, stopped_at=now, next_check_at=None
    )
    refresh_due(feedback)


def upgrade(ref: Reference, feedback: Feedback, *, now: datetime) -> None:
    """Re-base the clocks after the tier rose: due = the earlier of the old deadline and now + the new target.

    A stopped clock stays stopped (an answer given is given), a miss stays a miss. Clocks the new tier does not know
    are cancelled, those it adds are started.
    """
    current = {
        clock.kind: clock
        for clock in SlaClock.objects.filter(feedback_id=feedback.pk).order_by("cycle", "id")
    }
    cycle = max((clock.cycle for clock in current.values()), default=0)
    fresh = {seed.target.kind: seed for seed in seeds(ref, feedback.tier, now)}
    open_states = (ClockState.RUNNING, ClockState.PAUSED)
    old_second = next(
        (
            clock.due_at
            for kind in SECOND_CLOCKS
            if (clock := current.get(kind)) and clock.state == ClockState.RUNNING
        ),
        None,
    )
    for kind, seed in fresh.items():
        clock = current.get(kind)
        if clock is not None and clock.state not in open_states:
            continue
        old_due = (
            clock.due_at if clock is not None else (old_second if kind != ClockKind.FIRST_RESPONSE else None)
        )
        due = min(old_due, seed.due_at) if old_due else seed.due_at
        if clock is None:
            row = seed.build(feedback.pk, cycle)
            row.due_at, row.due_cap = due, old_due
            row.next_check_at = min(seed.next_check_at, due)
            SlaClock.objects.bulk_create([row], ignore_conflicts=True)
        elif clock.state == ClockState.RUNNING:
            SlaClock.objects.filter(pk=clock.pk, state=ClockState.RUNNING).update(
                value=seed.target.value,
                unit=seed.target.unit,
                calendar=seed.target.calendar_id,
                policy=seed.target.policy_id,
                policy_version=seed.policy_version,
                pausable=seed.target.pausable,
                steps=seed.steps,
                next_step=clock.next_step if clock.breached_at else 0,
                # The clock restarts at the upgrade; the old deadline bounds it for good.
                started_at=now,
                due_at=due,
                due_cap=old_due,
                next_check_at=None if clock.breached_at else min(seed.next_check_at, due),
            )
    gone = [kind for kind in current if kind not in fresh]
    SlaClock.objects.filter(feedback_id=feedback.pk, kind__in=gone, state__in=open_states).update(
        state=ClockState.CANCELLED, stopped_at=now, next_check_at=None
    )
    refresh_due(feedback)
