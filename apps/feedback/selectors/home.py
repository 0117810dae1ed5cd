"""Figures of the first page (screens.md, home)."""

from __future__ import annotations

from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.counting import bounded_counts, shown
from apps.core.models import User
from apps.feedback.choices import OPEN, ClockKind, ClockState, PromiseState, Status, Tier
from apps.feedback.models import Feedback, Promise, SlaClock
from apps.feedback.selectors.reference import reference
from apps.shop.selectors import missing_holiday_years

LIST = ("channel", "assignee", "store")
QUEUE = "/admin/feedback/feedback/"


def _slim(queryset: Any) -> Any:
    return queryset.select_related(*LIST).defer("text", "resolution", "reading")


def _figure(count: int, label: Any, query: str, colour: str = "") -> dict[str, Any]:
    return {"count": shown(count), "label": label, "url": QUEUE + query, "colour": colour if count else ""}


def alarms(user: User, now: datetime) -> dict[str, Any] | None:
    """S with clocks that run: first on every working page."""
    rows = list(_slim(Feedback.objects.visible_to(user).open().filter(tier=Tier.S).most_urgent_first())[:8])
    return {"rows": rows, "more": QUEUE + "?tier=S", "alarm": bool(rows)}


def my_work(user: User, now: datetime) -> dict[str, Any] | None:
    """Mine by deadline: overdue, within the hour, today; and what waits."""
    mine = Feedback.objects.open().filter(assignee=user)
    local = timezone.localtime(now)
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    counts = bounded_counts(
        {
            "overdue": mine.filter(due_at__lte=now),
            "hour": mine.filter(due_at__gt=now, due_at__lte=now + timedelta(hours=1)),
            "today": mine.filter(due_at__gt=now, due_at__lt=midnight),
            "all": mine,
            "waiting": mine.filter(status=Status.WAITING, wait_until__lt=midnight),
        }
    )
    return {
        "figures": [
            _figure(counts["overdue"], _("overdue"), f"?tab=overdue&assignee={user.username}", "red"),
            _figure(counts["hour"], _("within the hour"), "?tab=mine&o=due", "amber"),
            _figure(counts["today"], _("today"), "?tab=mine&o=due"),
            _figure(counts["waiting"], _("resume today"), f"?tab=waiting&assignee={user.username}"),
            _figure(counts["all"], _("mine in all"), "?tab=mine"),
        ],
        "rows": list(_slim(mine.exclude(status=Status.WAITING).most_urgent_first())[:6]),
        "promises": list(
            Promise.objects.filter(status=PromiseState.OPEN, due_at__lt=midnight)
            .filter(Q(keeper=user) | Q(keeper=None) & (Q(feedback__assignee=user) | Q(made_by=user)))
            .only("what", "due_at", "feedback_id")
            .order_by("due_at")[:5]
        ),
    }


def pool(user: User, now: datetime) -> dict[str, Any] | None:
    """Unassigned feedback this person may claim."""
    rows = Feedback.objects.visible_to(user).unassigned()
    counts = bounded_counts({"all": rows})
    return {
        "rows": list(_slim(rows.most_urgent_first())[:6]),
        "count": shown(counts["all"]),
        "more": QUEUE + "?tab=unassigned",
    }


def my_day(user: User, now: datetime) -> dict[str, Any] | None:
    """Today: first response, resolved, on time. Every share carries its n."""
    start = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    answered = list(
        Feedback.objects.filter(assignee=user, first_response_at__gte=start).values_list(
            "received_at", "first_response_at"
        )[:500]
    )
    stopped = list(
        SlaClock.objects.filter(
            feedback__assignee=user, stopped_at__gte=start, state__in=(ClockState.MET, ClockState.MISSED)
        ).values_list("state", flat=True)[:2000]
    )
    resolved = Feedback.objects.filter(assignee=user, resolved_at__gte=start).count()
    met = sum(1 for state in stopped if state == ClockState.MET)
    return {
        "answered": len(answered),
        "median": median((b - a).total_seconds() for a, b in answered) if answered else None,
        "resolved": resolved,
        "met": met,
        "stopped": len(stopped),
        "share": round(100 * met / len(stopped)) if len(stopped) >= 10 else None,
    }


def breaches(user: User, now: datetime) -> dict[str, Any] | None:
    """What is overdue now, S first."""
    rows = Feedback.objects.visible_to(user).overdue(now)
    visible = Feedback.objects.visible_to(user)
    counts = bounded_counts(
        {
            "overdue": rows,
            "s": visible.open().filter(tier=Tier.S),
            "unassigned": visible.unassigned(),
            "review": visible.open().filter(needs_review=True),
        }
    )
    return {
        "rows": list(_slim(rows.most_urgent_first())[:8]),
        "figures": [
            _figure(counts["overdue"], _("overdue"), "?tab=overdue", "red"),
            _figure(counts["s"], _("S open"), "?tier=S", "red"),
            _figure(counts["unassigned"], _("unassigned"), "?tab=unassigned", "amber"),
            _figure(counts["review"], _("reading to check"), "?tab=review", "amber"),
        ],
        "alarm": counts["overdue"] > 0,
    }


def standing(now: datetime) -> dict[int, tuple[int, int, bool]]:
    """Of everybody who may be given feedback: (open cases, capacity, here now). Four queries at most.

    Who belongs to no team has no shift: they count as here unless they are away.
    """
    ref = reference()
    known: dict[int, tuple[int, bool]] = {}
    for team in ref.teams:
        here = {worker.user_id for worker in ref.seats_now(team, now).values()}
        for worker in team.workers:
            known[worker.user_id] = (worker.capacity, worker.user_id in here)
    people = {person.pk: person for person in able()}
    counts = dict(
        Feedback.objects.filter(assignee_id__in=people, status__in=OPEN)
        .order_by()
        .values_list("assignee_id")
        .annotate(n=Count("id"))
    )
    return {pk: (counts.get(pk, 0), *known.get(pk, (0, not person.is_away))) for pk, person in people.items()}


def able() -> QuerySet[User]:
    """Staff who can work on feedback: it is given to nobody else."""
    return (
        User.objects.with_perm("feedback.work_feedback", backend="django.contrib.auth.backends.ModelBackend")
        .filter(is_staff=True)
        .order_by("name", "pk")
    )


def load(user: User, now: datetime) -> dict[str, Any] | None:
    """Load of each person against capacity; who is not on shift is grey."""
    ref = reference()
    workers: dict[int, tuple[int, bool]] = {}
    for team in ref.teams:
        here = {worker.user_id: worker for worker in ref.seats_now(team, now).values()}
        # Stand-ins of other teams get work as well.
        for worker in (*team.workers, *here.values()):
            workers[worker.user_id] = (worker.capacity, worker.user_id in here)
    counts = dict(
        Feedback.objects.filter(assignee_id__in=workers, status__in=OPEN)
        .order_by()
        .values_list("assignee_id")
        .annotate(n=Count("id"))
    )
    people = User.objects.in_bulk(list(workers))
    bars = []
    for pk, (capacity, is_here) in workers.items():
        count = counts.get(pk, 0)
        share = min(100, round(100 * count / capacity)) if capacity else 100
        bars.append(
            {
                "pk": pk,
                "name": str(people[pk]),
                "username": people[pk].username,
                "count": count,
                "capacity": capacity,
                "share": share,
                "colour": "red" if share >= 100 else "amber" if share >= 80 else "",
                "here": is_here,
            }
        )
    return (
        {
            "bars": sorted(bars, key=lambda bar: (not bar["here"], -int(bar["share"])))[:14],
            "may_hand_over": user.has_perm("feedback.assign_feedback"),
        }
        if bars
        else None
    )


def weeks(user: User, now: datetime) -> dict[str, Any] | None:
    """Today so far against the same weekday's usual: arrivals, resolved, first response."""
    local = timezone.localtime(now)
    today = local.replace(hour=0, minute=0, second=0, microsecond=0)
    then = today - timedelta(days=7)
    visible = Feedback.objects.visible_to(user).filter(is_historical=False)

    def figures(start: datetime, end: datetime) -> dict[str, Any]:
        row = visible.filter(received_at__gte=start, received_at__lt=end).aggregate(
            n=Count("id"),
            negative=Count("id", filter=Q(sentiment="negative")),
            s=Count("id", filter=Q(tier=Tier.S)),
        )
        stopped = SlaClock.objects.filter(
            kind=ClockKind.FIRST_RESPONSE,
            stopped_at__gte=start,
            stopped_at__lt=end,
            state__in=(ClockState.MET, ClockState.MISSED),
        ).aggregate(n=Count("id"), met=Count("id", filter=Q(state=ClockState.MET)))
        return row | {"answered": stopped["n"], "met": stopped["met"]}

    return {"today": figures(today, now), "then": figures(then, then + (now - today)), "weekday": then}


def calendar_warning(user: User, now: datetime) -> dict[str, Any] | None:
    """Years whose public holidays are not loaded."""
    years = missing_holiday_years(timezone.localdate(now))
    return {"years": ", ".join(map(str, years))} if years else None
