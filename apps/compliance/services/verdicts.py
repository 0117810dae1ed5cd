"""Decisions are kept: what was blocked, what went on after a warning, what a second person approved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.compliance.choices import Ruling
from apps.compliance.models import Verdict
from apps.compliance.selectors import text_hash
from apps.compliance.types import Facts, Finding, worst
from apps.core.exceptions import DomainError
from apps.core.masking import mask_text
from apps.core.models import Approval, User
from apps.core.services import approvals

KIND = "compliance.verdict"
APPROVE = "compliance.approve_verdict"
RULINGS = {
    "block": Ruling.BLOCKED,
    "require_approval": Ruling.ASKED,
    "defer": Ruling.DEFERRED,
    "warn": Ruling.WARNED,
}


class Unlawful(DomainError):
    """A rule blocks this. `findings` in params say which, where and what to do instead."""

    code = "unlawful"
    status = 422


def keep(
    *,
    findings: Sequence[Finding],
    text: str,
    by: User | None,
    now: datetime,
    facts: Facts | None = None,
    subject_key: str = "",
    url: str = "",
    reason: str = "",
) -> Verdict | None:
    """Write down a check that found something; None where nothing was found. Asks nobody."""
    action = worst(findings)
    if not action:
        return None
    return Verdict.objects.create(
        subject=facts.subject if facts else "text",
        subject_key=subject_key,
        url=url,
        text=mask_text(text),
        text_hash=text_hash(text),
        facts={name: _plain(value) for name, value in asdict(facts).items() if value is not None}
        if facts
        else {},
        findings=[
            {
                "rule": finding.rule,
                "version": finding.version,
                "action": finding.action,
                "title": finding.title,
                "spans": [list(span) for span in finding.spans],
                "missing": list(finding.missing),
            }
            for finding in findings
        ],
        action=action,
        ruling=RULINGS[action],
        reason=reason,
        by=by,
        at=now,
    )


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


@transaction.atomic
def ask_approval(
    *, verdict: Verdict, by: User | None, now: datetime, title: str, text: str, url: str = ""
) -> Approval:
    """Ask legal or a lead to release what a rule sends to approval. Raises Unlawful for what a rule blocks."""
    if verdict.action == "block":
        raise Unlawful(_("The law forbids this; nobody can approve it."))
    approval = approvals.ask(
        kind=KIND,
        record=verdict,
        title=title,
        permission=APPROVE,
        by=by,
        now=now,
        summary=mask_text(text),
        payload={finding["rule"]: finding["title"] for finding in verdict.findings},
        url=url,
    )
    Verdict.objects.filter(pk=verdict.pk).update(approval=approval, ruling=Ruling.ASKED)
    return approval


def approved(approval: Approval, by: User, now: datetime) -> None:
    """The decider's yes, called by core."""
    Verdict.objects.filter(pk=approval.object_id, ruling=Ruling.ASKED).update(ruling=Ruling.APPROVED)


def rejected(approval: Approval, by: User, now: datetime) -> None:
    """The decider's no, called by core."""
    Verdict.objects.filter(pk=approval.object_id, ruling=Ruling.ASKED).update(
        ruling=Ruling.REJECTED, reason=approval.reason
    )
