"""How far the setting-up is: read from what is there, so that a step can be left, resumed and repeated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.checks import WARNING, run_checks
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_celery_beat.models import PeriodicTask

from apps.core.models import User
from apps.feedback.models import Channel
from apps.feedback.services.demo import is_loaded
from apps.shop.models import Company, Store, TeamMember, WorkCalendar
from apps.shop.selectors import missing_holiday_years

# Code, name in the rail.
STEPS = (
    ("shop", gettext_lazy("The shop")),
    ("stores", gettext_lazy("Stores")),
    ("hours", gettext_lazy("Hours")),
    ("team", gettext_lazy("People and teams")),
    ("channels", gettext_lazy("Channels")),
    ("demo", gettext_lazy("Demo data")),
    ("live", gettext_lazy("Go live")),
)
# The calendar of the clocks that stop at night, and the one of the digest and of “workday” clocks.
SERVICE, WORKDAY = "service", "workday"
# Without a sign of the sweep for this long the background work stands still.
SILENT = timedelta(minutes=10)


@dataclass(frozen=True)
class Point:
    """One line of the list before going live. `must`: without it nobody can be served."""

    ok: bool
    text: str
    how: str
    url: str = ""
    must: bool = True


def may_set_up(user: Any) -> bool:
    """Superusers, administrators and managers."""
    return bool(
        user.is_active
        and user.is_staff
        and (user.is_superuser or user.groups.filter(name__in=("admin", "manager")).exists())
    )


def company() -> Company:
    """The one row, unsaved while there is none."""
    return Company.objects.select_related("live_by").filter(pk=1).first() or Company(pk=1)


def has_role(*names: str) -> bool:
    """Whether an active person holds one of these roles."""
    return User.objects.filter(is_active=True, is_staff=True, groups__name__in=names).exists()


def done_steps() -> dict[str, bool]:
    """Which steps are done. A handful of queries, whatever the size of the shop."""
    present = company()
    # The next year's notice may not be out: nobody can do that step yet.
    today = timezone.localdate()
    year_known = today.year not in missing_holiday_years(today)
    return {
        "shop": bool(present.name),
        "stores": Store.objects.filter(is_active=True).exists(),
        "hours": year_known and WorkCalendar.objects.filter(code=SERVICE).exists(),
        "team": has_role("ops") and has_role("ops-lead") and TeamMember.objects.exists(),
        "channels": Channel.objects.filter(is_active=True).exists(),
        "demo": not is_loaded(),
        "live": present.live_at is not None,
    }


def points(now: datetime) -> list[Point]:
    """The list before going live: what must be, and what ought to be."""
    base = "/admin/setup/"
    years = missing_holiday_years(timezone.localdate(now))
    beat = (
        PeriodicTask.objects.filter(task="apps.feedback.tasks.sweep_sla_task")
        .values_list("last_run_at", flat=True)
        .first()
    )
    problems = len(
        [
            problem
            for problem in run_checks(tags=["security"], include_deployment_checks=True)
            if problem.level >= WARNING
        ]
    )
    local = any(name in settings.SITE_URL for name in ("localhost", "127.0.0.1"))
    embedded = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
    return [
        Point(bool(company().name), _("The shop has a name"), _("Enter it in step 1."), f"{base}shop/", must=False),
        Point(
            Store.objects.filter(is_active=True).exists(),
            _("There is a store"),
            _("Add a store or a platform shop."),
            f"{base}stores/",
        ),
        Point(
            WorkCalendar.objects.filter(code=SERVICE).exists(),
            _("Service hours are set"),
            _("Say when somebody answers customers."),
            f"{base}hours/",
        ),
        Point(
            not years,
            _("Public holidays are known"),
            _("Missing: %(years)s. Load them.") % {"years": ", ".join(map(str, years))},
            f"{base}hours/",
            must=False,
        ),
        Point(
            has_role("ops"), _("Somebody works on feedback (operations)"), _("Invite at least one person."), f"{base}team/"
        ),
        Point(
            has_role("ops-lead"), _("Somebody leads (operations lead)"), _("Invite at least one lead."), f"{base}team/"
        ),
        Point(
            TeamMember.objects.filter(takes_work=True, user__is_active=True, team__is_active=True).exists(),
            _("A team takes work"),
            _("Put people into a team: only teams get work by turns."),
            f"{base}team/",
        ),
        Point(
            Channel.objects.filter(is_active=True).exists(),
            _("Channels are switched on"),
            _("Switch on the ways by which customers speak."),
            f"{base}channels/",
        ),
        Point(not is_loaded(), _("The demo data is gone"), _("Clear it, or it counts among yours."), f"{base}demo/"),
        Point(
            beat is not None and beat > now - SILENT,
            _("Background work is running"),
            _("Start worker and scheduler; without them no clock warns."),
            must=False,
        ),
        Point(not settings.DEBUG, _("DEBUG is off"), _("Set DEBUG=0 and restart."), must=False),
        Point(
            not local and settings.SITE_URL.startswith("https://"),
            _("The address is reachable and encrypted"),
            _("SITE_URL is %(url)s: set it to the https address that customers and colleagues open.")
            % {"url": settings.SITE_URL},
            must=False,
        ),
        Point(
            not problems,
            _("Secrets and security settings are in order"),
            _("%(count)d remarks: see “python manage.py check --deploy”.") % {"count": problems},
            must=False,
        ),
        Point(
            not embedded,
            _("The database is PostgreSQL"),
            _("The embedded one is enough for one machine and a small team; back it up every day."),
            must=False,
        ),
    ]  # fmt: skip
