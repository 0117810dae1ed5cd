"""Callbacks of the demo shop, made through the real services at the moments they name."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.db import transaction
from django.utils import timezone

from apps.callbacks.choices import CallPurpose, Outcome
from apps.callbacks.models import Callback, CallbackPlan
from apps.callbacks.selectors.blocks import zone
from apps.callbacks.services import calls
from apps.callbacks.services.scheduling import Wanted, schedule_many
from apps.core.models import ActionLog, User
from apps.customers.choices import CustomerState
from apps.customers.models import ConsentEvent, Customer
from apps.feedback.choices import Source, Status
from apps.feedback.models import Feedback
from apps.shop.models import Team

PLAN, TEAM, CALLERS = "after-case-72h", "care_member", ("suman", "linyue", "hejun")
# What customers said: outcome, stars, answers, note. In the order of the cases, oldest first.
SAID: tuple[tuple[str, int | None, tuple[str, ...], str], ...] = (
    (Outcome.SATISFIED, 5, ("解决了", "很快", "没有"), "顾客说补发的货当天就到了，谢谢客服。"),
    (Outcome.SATISFIED, 4, ("解决了", "还可以", "包装再结实一点"), "建议易碎品加一层气泡膜。"),
    (Outcome.NEUTRAL, 3, ("基本解决", "等了两天", "退款能再快些"), "退款已到账，觉得慢。"),
    (Outcome.NO_ANSWER, None, (), "响铃后无人接听。"),
    (Outcome.SATISFIED, 5, ("解决了", "满意", ""), ""),
    (Outcome.SATISFIED, 4, ("解决了", "满意", "希望多上小包装"), "顾客想要小包装，已记录。"),
    (Outcome.WRONG_NUMBER, None, (), "接电话的人说打错了。"),
    (Outcome.SATISFIED, 5, ("解决了", "非常快", "继续保持"), ""),
)
PLANNED = 14


@transaction.atomic
def load(*, now: datetime) -> int:
    """Some done, some overdue, some due today and in the coming days; answers how many. Nothing without the demo shop."""
    plan = CallbackPlan.objects.filter(code=PLAN).first()
    people = list(User.objects.filter(username__in=CALLERS, is_active=True).order_by("-username"))
    if plan is None or not people:
        return 0
    plan.team = Team.objects.filter(code=TEAM).first()
    plan.is_active, plan.seen_until = True, now
    plan.save()
    cases = list(
        Feedback.objects.filter(
            source=Source.DEMO,
            status__in=(Status.RESOLVED, Status.CLOSED),
            resolved_at__isnull=False,
            customer__state=CustomerState.ACTIVE,
        )
        .exclude(customer__phone="")
        .select_related("customer", "assignee")
        .order_by("resolved_at", "pk")
    )
    past = [case for case in cases if case.resolved_at and case.resolved_at < now - timedelta(days=4)]
    old = past[-len(SAID) :]
    _done(old, plan, people)
    taken = {case.customer_id for case in old}
    # Resolved within the last days: due three days later, so some are overdue, some due today, some lie ahead.
    rest = [case for case in cases[len(past) :] if case.customer_id not in taken]
    made = _planned(rest, plan, people, now) + _care(people, now)
    return len(old) + made


def _at(day: datetime, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(timezone.localtime(day, zone()).date(), time(hour, minute), tzinfo=zone())


def _caller(people: list[User], number: int, case: Feedback | None) -> User:
    others = [user for user in people if case is None or user.pk != case.assignee_id]
    return others[number % len(others)]


def _done(cases: list[Feedback], plan: CallbackPlan, people: list[User]) -> None:
    for number, (case, (outcome, stars, answers, note)) in enumerate(zip(cases, SAID, strict=False)):
        assert case.customer is not None and case.resolved_at is not None
        (row,) = schedule_many(
            [_wanted(case, plan, _at(case.resolved_at + timedelta(days=3), 10, number * 5))],
            now=case.resolved_at,
        )
        if not row.is_open:
            continue
        by = _caller(people, number, case)
        calls.take(callback=row, by=by, now=row.due_at, via="demo")
        calls.record_result(
            callback=row,
            outcome=outcome,
            satisfaction=stars,
            answers=answers,
            note=note,
            by=by,
            now=row.due_at + timedelta(minutes=6),
            via="demo",
        )


def _wanted(case: Feedback, plan: CallbackPlan, due_at: datetime, assignee: User | None = None) -> Wanted:
    assert case.customer is not None
    return Wanted(
        key=f"case:{plan.pk}:{case.pk}:{case.reopened}",
        customer=case.customer,
        reason=f"{case.number} 处理好了吗？",
        due_at=due_at,
        feedback=case,
        subject_key=f"feedback:{case.pk}",
        plan=plan,
        assignee=assignee,
        not_by=case.assignee,
    )


def _planned(cases: list[Feedback], plan: CallbackPlan, people: list[User], now: datetime) -> int:
    step = max(len(cases) / PLANNED, 1)
    chosen = [cases[int(n * step)] for n in range(min(PLANNED, len(cases)))]
    for number, case in enumerate(chosen):
        assert case.resolved_at is not None
        due = _at(case.resolved_at + timedelta(days=3), 9 + (number * 2) % 11, (number % 4) * 15)
        # The last ones are nobody's yet, so that there is something to take.
        by = _caller(people, number, case) if number < len(chosen) - 2 else None
        schedule_many([_wanted(case, plan, due, by)], now=case.resolved_at)
    return len(chosen)


def _care(people: list[User], now: datetime) -> int:
    """Two members who agreed to surveys, picked by hand."""
    plan = CallbackPlan.objects.filter(code="hand-picked").first()
    agreed = ConsentEvent.objects.filter(
        purpose=CallPurpose.SURVEY,
        granted=True,
        channel__in=("phone", "any"),
        customer__external_id__startswith="DEMO-",
    ).values("customer_id")
    members = (
        Customer.objects.filter(pk__in=agreed, state=CustomerState.ACTIVE).exclude(phone="").order_by("pk")
    )
    if plan is None:
        return 0
    rows = schedule_many(
        [
            Wanted(
                key=f"hand:{plan.pk}:{member.pk}:demo",
                customer=member,
                reason="会员关怀：听听最近的购物感受",
                due_at=_at(now + timedelta(days=1), 15, number * 20),
                plan=plan,
                assignee=people[0],
                is_service=False,
            )
            for number, member in enumerate(members[:2])
        ],
        now=now,
    )
    return len(rows)


def clear() -> int:
    """Callbacks about demo cases and demo customers go, and the demo's team leaves its plans."""
    rows = Callback.objects.filter(feedback__source=Source.DEMO) | Callback.objects.filter(
        customer__external_id__startswith="DEMO-"
    )
    ids = list(rows.values_list("pk", flat=True))
    ActionLog.objects.filter(model="callbacks.callback", object_id__in=ids).delete()
    Callback.objects.filter(pk__in=ids).delete()
    for plan in CallbackPlan.objects.filter(team__code=TEAM):
        plan.team, plan.is_active = None, False
        plan.save()
    return len(ids)
