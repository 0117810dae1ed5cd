"""Planning callbacks: once per key, inside the allowed hours, never for somebody who may not be called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from apps.callbacks import guards
from apps.callbacks.choices import Block, CallbackState, CallPurpose
from apps.callbacks.models import Callback, CallbackPlan
from apps.callbacks.selectors.blocks import screen, zone
from apps.callbacks.services.assigning import Balance
from apps.callbacks.services.calls import call_off
from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.models import User
from apps.customers.models import Customer
from apps.customers.selectors import survivors
from apps.feedback.models import Feedback
from apps.messaging.selectors import setup

ADD = "callbacks.add_callback"
KEY_MOST = 120


@dataclass(frozen=True, slots=True)
class Wanted:
    """One callback to be planned. `is_service`: it belongs to a case and needs no consent (PIPL art. 13, 2).

    `key` makes planning twice plan once. `subject_key` names the record it is about, such as "repair:17".
    """

    key: str
    customer: Customer
    reason: str
    due_at: datetime
    feedback: Feedback | None = None
    subject_key: str = ""
    plan: CallbackPlan | None = None
    assignee: User | None = None
    not_by: User | None = None
    script: str = ""
    is_service: bool = True
    not_by_id: int | None = None

    @property
    def purpose(self) -> str:
        """What law calls the call; without a plan a call that is no service asks for an opinion."""
        if self.is_service:
            return CallPurpose.SERVICE
        if self.plan is not None and self.plan.purpose != CallPurpose.SERVICE:
            return self.plan.purpose
        return CallPurpose.SURVEY


def schedule(
    *,
    key: str,
    customer: Customer,
    reason: str,
    due_at: datetime,
    now: datetime,
    by: User | None = None,
    feedback: Feedback | None = None,
    subject_key: str = "",
    plan: CallbackPlan | None = None,
    assignee: User | None = None,
    not_by: User | None = None,
    script: str = "",
    is_service: bool = True,
) -> Callback:
    """Plan one callback; answers it, or the one that was planned under this key before.

    A customer who may not be called gets a callback that is called off at once and says why. Raises NotPermitted,
    InvalidInput (no key, no reason, the owner is whoever must not ask).
    """
    wanted = Wanted(
        key, customer, reason, due_at, feedback, subject_key, plan, assignee, not_by, script, is_service
    )
    return schedule_many([wanted], now=now, by=by)[0]


@transaction.atomic
def schedule_many(wanted: Sequence[Wanted], *, now: datetime, by: User | None = None) -> list[Callback]:
    """Plan many, in their order; a fixed number of queries however many. See `schedule`."""
    if by is not None and not by.has_perm(ADD):
        raise NotPermitted(_("You may not plan callbacks."))
    for item in wanted:
        _check(item)
    if not wanted:
        return []
    keys = [item.key for item in wanted]
    known = set(Callback.objects.filter(key__in=keys).values_list("key", flat=True))
    fresh = {item.key: item for item in wanted if item.key not in known}
    if fresh:
        Callback.objects.bulk_create(
            _rows(list(fresh.values()), now=now, by=by), ignore_conflicts=True, batch_size=500
        )
        _instead_of_plans(list(fresh), now=now)
    rows = Callback.objects.select_related("customer", "assignee").filter(key__in=keys)
    found = {row.key: row for row in rows}
    return [found[key] for key in keys]


def _instead_of_plans(keys: list[str], *, now: datetime) -> None:
    """A call about a case that its repair or a colleague has just planned takes the place of the one a plan made."""
    about = Callback.objects.open().filter(key__in=keys, plan__isnull=True, feedback__isnull=False)
    doubles = Callback.objects.filter(
        status=CallbackState.PLANNED, plan__isnull=False, feedback__in=about.values("feedback")
    )
    for row in doubles:
        call_off(callback=row, block=Block.PLANNED, now=now)


def _check(item: Wanted) -> None:
    if not item.key or len(item.key) > KEY_MOST:
        raise InvalidInput(_("A callback needs a key of at most 120 characters."), field="key")
    if len(item.reason.strip()) < 2:
        raise InvalidInput(_("Say what the customer is called about."), field="reason")
    not_by = item.not_by.pk if item.not_by else item.not_by_id
    if item.assignee is not None and item.assignee.pk == not_by:
        raise InvalidInput(
            _("%(person)s handled this and therefore does not ask the customer about it.")
            % {"person": item.assignee},
            field="assignee",
        )


def _rows(items: Sequence[Wanted], *, now: datetime, by: User | None) -> list[Callback]:
    ends = survivors([item.customer for item in items])
    people = [ends.get(item.customer.pk, item.customer) for item in items]
    blocks: dict[tuple[str, int], Block] = {}
    for purpose in {item.purpose for item in items}:
        asked = [person for item, person in zip(items, people, strict=True) if item.purpose == purpose]
        found = screen(asked, purpose=purpose, now=now)
        blocks |= {(purpose, pk): block for pk, block in found.items()}
    balance, policy, at_home = Balance(), setup().rules.soft, zone()
    rows = []
    for item, person in zip(items, people, strict=True):
        plan = item.plan
        opens, closes = (plan.opens, plan.closes) if plan else (None, None)
        window = guards.within(policy, opens, closes)
        due_at = guards.allowed(max(item.due_at, now), window, at_home)
        block = blocks.get((item.purpose, person.pk))
        not_by = item.not_by.pk if item.not_by else item.not_by_id
        row = Callback(
            key=item.key,
            subject_key=item.subject_key,
            customer=person,
            feedback=item.feedback,
            plan=plan,
            purpose=item.purpose,
            reason=item.reason.strip()[:300],
            script=item.script,
            questions=list(plan.questions) if plan else [],
            due_at=due_at,
            promised_at=due_at,
            opens=opens,
            closes=closes,
            team_id=plan.team_id if plan else None,
            not_by_id=not_by,
            max_attempts=plan.attempts if plan else 3,
            min_hours=plan.min_hours if plan else 20,
            created_by=by,
            created_at=now,
            updated_at=now,
        )
        if block is not None:
            row.status, row.end_reason, row.finished_at = CallbackState.CANCELLED, block.value, now
        else:
            row.assignee_id = _caller(item, row, balance)
        rows.append(row)
    return rows


def _caller(item: Wanted, row: Callback, balance: Balance) -> int | None:
    if item.assignee is not None:
        return item.assignee.pk
    plan = item.plan
    if plan is None:
        return None
    if plan.person is not None and plan.person.is_active and plan.person_id != row.not_by_id:
        return plan.person_id
    return balance.pick(plan.team_id, at=row.due_at, not_by=row.not_by_id) if plan.team_id else None
