"""One run over callbacks: plan what plans ask for, share it out, remind, end what is over. Running twice changes nothing."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.callbacks import guards
from apps.callbacks.choices import OPEN, Block, CallbackState, Trigger
from apps.callbacks.models import Callback, CallbackPlan
from apps.callbacks.selectors.blocks import busy, case_block, screen, zone
from apps.callbacks.services import calls
from apps.callbacks.services.assigning import Balance
from apps.callbacks.services.scheduling import Wanted, schedule_many
from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError
from apps.core.masking import mask_text
from apps.core.models import StaffNotice, User
from apps.core.services.notices import notice_rows
from apps.customers.choices import CustomerState
from apps.customers.models import Customer
from apps.feedback.models import Feedback
from apps.feedback.selectors.reference import reference
from apps.messaging.selectors import setup
from apps.shop.models import Leave

log = logging.getLogger(__name__)
CHUNK = 500
# A case may be committed a while after the moment it names; looking back is harmless, since keys are unique.
OVERLAP = timedelta(minutes=10)
# Periodic callbacks are planned so many days ahead: one run in that time finds every turn.
AHEAD = 3
CUSTOMERS_A_RUN = 2000
LEAD_AFTER = timedelta(hours=24)
STALE_CALL = timedelta(hours=2)
# Nobody remembers what a call this late is about.
TOO_LATE = timedelta(days=30)
AGENDA = "/admin/callbacks/callback/agenda/"


@dataclass
class SweepResult:
    """What one run did."""

    planned: int = 0
    cancelled: int = 0
    assigned: int = 0
    told: int = 0
    lead_told: int = 0
    unreached: int = 0
    put_back: int = 0

    def counts(self) -> dict[str, int]:
        """For the command."""
        return asdict(self)


def sweep_callbacks(*, now: datetime) -> SweepResult:
    """See the module's text. Plans first, so that what has just become due is shared out and told of at once."""
    result = SweepResult()
    for plan in CallbackPlan.objects.filter(is_active=True).prefetch_related("channels", "stores"):
        try:
            if plan.trigger == Trigger.AFTER_CASE:
                _after_cases(plan, now, result)
            elif plan.trigger == Trigger.PERIODIC:
                _periodic(plan, now, result)
        except Exception:
            # One plan with a fault does not stop the others, nor the reminders.
            log.exception("callback plan %s", plan.code)
    _end(now, result)
    _share_out(now, result)
    _remind(now, result)
    return result


# -- plans ----------
def _cases(plan: CallbackPlan, now: datetime) -> Iterator[list[Feedback]]:
    """Cases resolved since the plan last looked, in chunks, oldest first; `feedback_resolved` serves it."""
    since = (plan.seen_until or now) - OVERLAP
    rows = Feedback.objects.filter(
        resolved_at__isnull=False,
        resolved_at__lte=now,
        customer__isnull=False,
        is_historical=False,
    ).select_related("customer")
    if plan.tiers:
        rows = rows.filter(tier__in=plan.tiers)
    if plan.kinds:
        rows = rows.filter(kind__in=plan.kinds)
    channels = [channel.pk for channel in plan.channels.all()]
    stores = [store.pk for store in plan.stores.all()]
    if channels:
        rows = rows.filter(channel_id__in=channels)
    if stores:
        rows = rows.filter(store_id__in=stores)
    last_at, last_pk = since, 0
    while True:
        later = Q(resolved_at__gt=last_at) | Q(resolved_at=last_at, pk__gt=last_pk)
        # The first condition alone lets the index find the place.
        chunk = list(
            rows.filter(later, resolved_at__gte=last_at)
            .defer("text", "reading")
            .order_by("resolved_at", "pk")[:CHUNK]
        )
        if chunk:
            yield chunk
        if len(chunk) < CHUNK:
            return
        last_at, last_pk = chunk[-1].resolved_at or last_at, chunk[-1].pk


def _after_cases(plan: CallbackPlan, now: datetime, result: SweepResult) -> None:
    for chunk in _cases(plan, now):
        wanted = []
        cared_for = _cared_for(chunk)
        earlier = _earlier(plan, chunk)
        for case in chunk:
            assert case.customer is not None and case.resolved_at is not None
            key = f"case:{plan.pk}:{case.pk}:{case.reopened}"
            for row in earlier.get(case.pk, ()):
                # Resolved, opened again and resolved: the call about the first time would be one too many.
                if row.key != key:
                    result.cancelled += (
                        calls.call_off(callback=row, block=Block.CASE_OPEN, now=now) is not None
                    )
            if case.pk in cared_for or not guards.sampled(plan.pk, case.pk, plan.sample_percent):
                continue
            if plan.needs_phone and not case.customer.phone:
                continue
            wanted.append(
                Wanted(
                    key=key,
                    customer=case.customer,
                    reason=_("Is %(number)s solved for the customer?") % {"number": case.number},
                    due_at=case.resolved_at + timedelta(hours=plan.hours_after),
                    feedback=case,
                    subject_key=f"feedback:{case.pk}",
                    plan=plan,
                    not_by_id=case.assignee_id if plan.not_by_handler else None,
                    is_service=plan.purpose == "service",
                )
            )
        result.planned += _plan(wanted, now)
    CallbackPlan.objects.filter(pk=plan.pk).filter(Q(seen_until__isnull=True) | Q(seen_until__lt=now)).update(
        seen_until=now
    )


def _cared_for(cases: list[Feedback]) -> set[int]:
    """Cases about which somebody else, such as their repair or a colleague, has planned a call that is still to be made,

    or was planned since they were solved: nobody is called twice.
    """
    ended = {case.pk: case.resolved_at for case in cases}
    rows = Callback.objects.filter(feedback__in=list(ended), plan__isnull=True).values_list(
        "feedback_id", "created_at", "status"
    )
    return {
        pk
        for pk, made, status in rows
        if pk is not None and (status in OPEN or (ended[pk] is not None and made >= ended[pk]))
    }


def _earlier(plan: CallbackPlan, cases: list[Feedback]) -> dict[int, list[Callback]]:
    """Callbacks that this plan made for these cases and nobody has begun. One query."""
    found: dict[int, list[Callback]] = defaultdict(list)
    again = [case.pk for case in cases if case.reopened]
    if again:
        for row in Callback.objects.filter(
            plan=plan, feedback__in=again, status=CallbackState.PLANNED
        ).select_related("customer"):
            found[row.feedback_id or 0].append(row)
    return found


def _plan(wanted: list[Wanted], now: datetime) -> int:
    if not wanted:
        return 0
    known = set(Callback.objects.filter(key__in=[item.key for item in wanted]).values_list("key", flat=True))
    fresh = [item for item in wanted if item.key not in known]
    return len(schedule_many(fresh, now=now)) if fresh else 0


def audience(plan: CallbackPlan, now: datetime) -> QuerySet[Customer]:
    """Customers a periodic plan is for, whoever may be called or not."""
    rows = Customer.objects.filter(state=CustomerState.ACTIVE)
    if plan.member_tiers:
        rows = rows.filter(member_tier__in=plan.member_tiers)
    if plan.needs_phone:
        rows = rows.exclude(phone_hash="")
    stores = [store.pk for store in plan.stores.all()]
    if stores:
        rows = rows.filter(orders__store_id__in=stores).distinct()
    if plan.ordered_within_days or plan.not_ordered_for_days:
        rows = rows.annotate(last_order=Max("orders__placed_at"))
        if plan.ordered_within_days:
            rows = rows.filter(last_order__gte=now - timedelta(days=plan.ordered_within_days))
        if plan.not_ordered_for_days:
            rows = rows.filter(last_order__lt=now - timedelta(days=plan.not_ordered_for_days))
    return rows


def _periodic(plan: CallbackPlan, now: datetime, result: SweepResult) -> None:
    """A stretch of customers a run, going on where the last run ended, from the front again after the last one."""
    today = timezone.localtime(now, zone()).date()
    opens = guards.within(setup().rules.soft, plan.opens, plan.closes).opens
    seen, left = plan.seen_customer, CUSTOMERS_A_RUN
    while left > 0:
        chunk = list(audience(plan, now).filter(pk__gt=seen).order_by("pk")[: min(CHUNK, left)])
        turns = {row.pk: guards.next_turn(plan.pk, row.pk, plan.every_days, today) for row in chunk}
        near = [
            row
            for row in chunk
            if today < turns[row.pk] <= today + timedelta(days=AHEAD)
            and guards.sampled(plan.pk, f"{row.pk}:{turns[row.pk]}", plan.sample_percent)
        ]
        blocked = screen(near, purpose=plan.purpose, now=now)
        taken = busy([row.pk for row in near], days=plan.quiet_days, now=now) if near else set()
        at_ten = max(opens, time(10))
        result.planned += _plan(
            [
                Wanted(
                    key=f"periodic:{plan.pk}:{row.pk}:{turns[row.pk]}",
                    customer=row,
                    reason=str(plan),
                    due_at=datetime.combine(turns[row.pk], at_ten, tzinfo=zone()),
                    plan=plan,
                    is_service=False,
                )
                for row in near
                if row.pk not in blocked and row.pk not in taken
            ],
            now,
        )
        left -= CHUNK
        seen = chunk[-1].pk if len(chunk) == CHUNK else 0
        if not seen:
            break
    CallbackPlan.objects.filter(pk=plan.pk).update(seen_customer=seen)


# -- what is over ----------
def _chunks(rows: QuerySet[Callback]) -> Iterator[list[Callback]]:
    # What a chunk does moves its rows out of the query, or the run ends: never the same rows twice.
    last = 0
    while True:
        chunk = list(rows.filter(pk__gt=last).order_by("pk")[:CHUNK])
        if chunk:
            yield chunk
        if len(chunk) < CHUNK:
            return
        last = chunk[-1].pk


def _end(now: datetime, result: SweepResult) -> None:
    """Cases that are open again, customers who may not be called any more, attempts used up, calls forgotten."""
    due = Callback.objects.filter(status=CallbackState.PLANNED, due_at__lte=now + timedelta(days=1))
    for chunk in _chunks(due.select_related("customer", "feedback")):
        blocks: dict[int, Block] = {}
        by_purpose: dict[str, list[Callback]] = defaultdict(list)
        for row in chunk:
            by_purpose[row.purpose].append(row)
        for purpose, rows in by_purpose.items():
            found = screen([row.customer for row in rows], purpose=purpose, now=now)
            blocks |= {row.pk: found[row.customer_id] for row in rows if row.customer_id in found}
        for row in chunk:
            of_case = case_block(row)
            if of_case is not None:
                blocks.setdefault(row.pk, of_case)
            if row.pk in blocks:
                result.cancelled += calls.call_off(callback=row, block=blocks[row.pk], now=now) is not None
            elif row.tries >= row.max_attempts:
                result.unreached += _try(lambda row=row: calls.give_up(callback=row, now=now))
            elif row.due_at <= now - TOO_LATE:
                why = _("Nobody called for thirty days.")
                result.cancelled += _try(
                    lambda row=row, why=why: calls.cancel(
                        callback=row, by=None, now=now, reason=why, via="sweep"
                    )
                )
    begun = Callback.objects.filter(status=CallbackState.CALLING, started_at__lte=now - STALE_CALL)
    for chunk in _chunks(begun):
        for row in chunk:
            result.put_back += _try(
                lambda row=row: calls.put_back(callback=row, by=None, now=now, via="sweep")
            )


def _try(act: object) -> int:
    """1 when it was done, 0 when somebody else was quicker."""
    try:
        act()  # type: ignore[operator]
    except DomainError:
        return 0
    return 1


# -- who, and when ----------
def _share_out(now: datetime, result: SweepResult) -> None:
    """Callbacks of the next day that nobody has, or whose owner cannot make them, go to somebody who is there."""
    tomorrow = now + timedelta(days=1)
    planned = Callback.objects.filter(status=CallbackState.PLANNED, due_at__lte=tomorrow)
    _take_from_absent(planned, now)
    balance: Balance | None = None
    # In chunks: a team in which nobody is there does not keep the others waiting.
    for chunk in _chunks(planned.filter(assignee__isnull=True, team__isnull=False)):
        for row in sorted(chunk, key=lambda row: (row.due_at, row.pk)):
            balance = balance or Balance()
            # Who is there when it is due, or now where that is past.
            user_id = balance.pick(row.team_id or 0, at=max(row.due_at, now), not_by=row.not_by_id)
            if user_id is not None:
                result.assigned += Callback.objects.filter(
                    pk=row.pk, status=CallbackState.PLANNED, assignee__isnull=True
                ).update(assignee_id=user_id, updated_at=now, told_at=None)


def _take_from_absent(planned: QuerySet[Callback], now: datetime) -> None:
    """Whoever has left, or is on leave on the day, does not call: it is the team's again, or whoever's takes it."""
    gone = User.objects.filter(is_active=False).values("pk")
    planned.filter(assignee__in=gone).update(assignee_id=None, updated_at=now, told_at=None)
    today = timezone.localtime(now, zone()).date()
    away: dict[int, list[tuple[date, date]]] = defaultdict(list)
    for leave in Leave.objects.filter(first_day__lte=today + timedelta(days=1), last_day__gte=today):
        away[leave.user_id].append((leave.first_day, leave.last_day))
    ids = [
        row.pk
        for row in planned.filter(assignee__in=list(away)).only("pk", "assignee_id", "due_at")
        for day in [timezone.localtime(max(row.due_at, now), zone()).date()]
        if any(first <= day <= last for first, last in away[row.assignee_id or 0])
    ]
    planned.filter(pk__in=ids, assignee__in=list(away)).update(assignee_id=None, updated_at=now, told_at=None)


def _claim(rows: Iterable[Callback], name: str, now: datetime) -> list[Callback]:
    """Sign rows as told, one statement; two sweeps tell each once."""
    ids = [row.pk for row in rows]
    free = list(
        Callback.objects.select_for_update(of=("self",))
        .filter(pk__in=ids, status__in=OPEN, **{f"{name}__isnull": True})
        .order_by("pk")
    )
    Callback.objects.filter(pk__in=[row.pk for row in free]).update(**{name: now})
    return free


# Signed and told in one: a run that dies between the two has told nobody and signed nothing.
@transaction.atomic
def _remind(now: datetime, result: SweepResult) -> None:
    """Owners when calls are due, once; leads a day later. One notice a person and run, however many calls."""
    notices: list[StaffNotice] = []
    ref = reference()
    leads = {team.id: team.leads for team in ref.teams}
    due = Callback.objects.filter(status__in=OPEN, due_at__lte=now, told_at__isnull=True)
    mine: dict[int, list[Callback]] = defaultdict(list)
    for row in _claim(due.order_by("due_at")[:CHUNK], "told_at", now):
        for person in [row.assignee_id] if row.assignee_id else leads.get(row.team_id or 0) or ref.ops_leads:
            mine[person].append(row)
        result.told += 1
    for person, rows in mine.items():
        notices += notice_rows(
            recipients=[person],
            level=NoticeLevel.INFO,
            title=ngettext("%(count)d callback is due", "%(count)d callbacks are due", len(rows))
            % {"count": len(rows)},
            body="\n".join(mask_text(row.reason) for row in rows[:5]),
            url=AGENDA,
            key=f"callbacks_due:{rows[0].pk}:{int(rows[0].due_at.timestamp())}",
            now=now,
        )
    late = Callback.objects.filter(status__in=OPEN, due_at__lte=now - LEAD_AFTER, lead_told_at__isnull=True)
    theirs: dict[int, list[Callback]] = defaultdict(list)
    for row in _claim(late.order_by("due_at")[:CHUNK], "lead_told_at", now):
        for person in leads.get(row.team_id or 0) or ref.ops_leads:
            theirs[person].append(row)
        result.lead_told += 1
    for person, rows in theirs.items():
        notices += notice_rows(
            recipients=[person],
            level=NoticeLevel.WARNING,
            title=ngettext(
                "%(count)d callback is a day overdue", "%(count)d callbacks are a day overdue", len(rows)
            )
            % {"count": len(rows)},
            body="\n".join(mask_text(row.reason) for row in rows[:5]),
            url=f"{AGENDA}?who=all",
            key=f"callbacks_late:{rows[0].pk}:{int(rows[0].due_at.timestamp())}",
            now=now,
        )
    StaffNotice.objects.bulk_create(notices, ignore_conflicts=True)
