"""The verbs of a rule."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.automation.book import STAMP, problems_of_rule
from apps.automation.choices import RuleState
from apps.automation.models import DryRun, Rule, RuleVersion
from apps.automation.transitions import RULE
from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError, InvalidInput
from apps.core.models import ActionLog, User
from apps.core.reference import touch
from apps.core.services.notices import notify
from apps.core.workflow import perform
from apps.feedback.selectors.reference import reference

DRY_RUN_AGE = timedelta(hours=24)
CONTENT = (
    "name",
    "description",
    "position",
    "stop",
    "event",
    "event_params",
    "conditions",
    "actions",
    "active_from",
    "active_until",
    "working_time_only",
    "with_historical",
    "max_per_hour",
)
# What decides on which feedback a rule acts and how: changing it takes the rule back to a draft.
DECISIVE = frozenset(CONTENT) - {"name", "description"}


def snapshot(rule: Rule) -> dict[str, Any]:
    """The content of a rule as JSON."""
    return {
        name: value.isoformat() if isinstance(value := getattr(rule, name), datetime) else value
        for name in CONTENT
    }


@transaction.atomic
def save(*, rule: Rule, by: User | None, now: datetime) -> Rule:
    """Keep a rule as edited: a new version, back to draft where it was in use and something decisive changed.

    Saved are also rules with errors (they stay drafts): the page names what is wrong. Raises InvalidInput only for what
    cannot be kept at all.
    """
    before = Rule.objects.select_for_update().filter(pk=rule.pk).first() if rule.pk else None
    if before is not None:
        old = snapshot(before)
        new = snapshot(rule)
        if old == new:
            return before
        rule.version = before.version + 1
        rule.status, rule.enabled_at = before.status, before.enabled_at
        rule.save()
        changed = {name for name in CONTENT if old[name] != new[name]}
        if before.status != RuleState.DRAFT and changed & DECISIVE:
            perform(RULE, rule, "edit", by=None, now=now, via="admin", changes={"enabled_at": None})
    else:
        rule.version, rule.status = 1, RuleState.DRAFT
        rule.save()
    RuleVersion.objects.create(rule=rule, number=rule.version, snapshot=snapshot(rule), by=by, at=now)
    touch(STAMP)
    return rule


def enable(*, rule: Rule, by: User | None, now: datetime, via: str = "admin") -> ActionLog:
    """Switch on. Needs a rule without errors and a dry run of this very version within 24 hours."""
    problems = problems_of_rule(rule)
    if problems:
        raise InvalidInput(
            _("The rule has errors and cannot be switched on: %(first)s") % {"first": problems[0]}
        )
    tried = DryRun.objects.filter(rule=rule, version=rule.version, at__gte=now - DRY_RUN_AGE).first()
    if tried is None:
        raise DomainError(
            _("First try this version of the rule in a dry run; it must not be older than 24 hours."),
            code="dry_run_needed",
        )
    if tried.errors:
        raise DomainError(_("The dry run met an error: %(error)s") % {"error": tried.errors[0]})
    return _switch(rule, "enable", by, now, via, {"enabled_at": now}, expect={"version": rule.version})


def disable(*, rule: Rule, by: User | None, now: datetime, via: str = "admin") -> ActionLog:
    """Switch off; what it did stays."""
    return _switch(rule, "disable", by, now, via, {"enabled_at": None})


@transaction.atomic
def _switch(
    rule: Rule,
    verb: str,
    by: User | None,
    now: datetime,
    via: str,
    changes: dict[str, Any],
    expect: dict[str, Any] | None = None,
) -> ActionLog:
    log = perform(
        RULE,
        rule,
        verb,
        by=by,
        now=now,
        via=via,
        changes=changes,
        expect=expect,
        data={"version": rule.version},
    )
    touch(STAMP)
    return log


def trip(*, rule: Rule, now: datetime, count: int) -> None:
    """The circuit breaker: the rule wanted to act more often within an hour than it may. The leads are told once."""
    try:
        _switch(rule, "trip", None, now, "breaker", {"enabled_at": None})
    except DomainError:
        # Somebody switched it off, or another worker tripped it, a moment ago.
        return
    notify(
        recipients=[*reference().ops_leads, *reference().managers],
        level=NoticeLevel.URGENT,
        title=_("The rule “%(rule)s” was stopped by the breaker") % {"rule": rule.name},
        body=_(
            "It wanted to act %(count)d times within an hour; %(limit)d are allowed. What lies beyond was not done."
        )
        % {"count": count, "limit": rule.max_per_hour},
        url=f"/admin/automation/rule/{rule.pk}/change/",
        key=f"automation_trip:{rule.pk}:{now:%Y%m%d%H}",
        now=now,
    )
