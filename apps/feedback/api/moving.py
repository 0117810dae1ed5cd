"""Verbs of the API mapped to the services behind them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from apps.core.exceptions import InvalidInput, ReasonNeeded
from apps.core.models import User
from apps.feedback.models import Feedback
from apps.feedback.querysets import FeedbackQuerySet
from apps.feedback.services import moves

CASE = re.compile(r"[Ff]?(\d{1,18})")
# These need nothing but a reason.
PLAIN = {
    "resume": moves.resume,
    "resolve": moves.resolve,
    "close": moves.close,
    "reopen": moves.reopen,
    "dismiss": moves.dismiss,
    "escalate": moves.escalate,
    "unmerge": moves.unmerge,
}
SAID = {"give_plan": moves.give_plan, "give_progress": moves.give_progress}


def move(
    feedback: Feedback, values: dict[str, Any], *, rows: FeedbackQuerySet, via: str, now: datetime
) -> None:
    """Do the move of `values["verb"]`; `rows` is what the caller may see. Raises DomainError.

    An integration is nobody's person: moves are logged without one, under `via`. Only claiming makes somebody
    the owner, and is then checked against that person's permissions.
    """
    verb, reason = values["verb"], values["reason"]
    common: dict[str, Any] = {"feedback": feedback, "now": now, "via": via}
    if verb in PLAIN:
        PLAIN[verb](by=None, reason=reason, **common)
    elif verb in SAID:
        SAID[verb](by=None, said=values["said"] or reason, **common)
    elif verb == "claim":
        moves.claim(by=_person(values), **common)
    elif verb == "assign":
        moves.assign(to=_person(values), by=None, reason=reason, **common)
    elif verb == "record_contact":
        moves.record_contact(
            how=values.get("how", ""), said=values["said"] or reason, by=None, at=values.get("at"), **common
        )
    elif verb == "wait":
        if not reason.strip():
            # Asked before the pause limit is looked at, so that the caller hears of the simpler mistake
            # first.
            raise ReasonNeeded(_("“%(move)s” needs a reason.") % {"move": _("Wait")}, field="reason")
        moves.wait(why=values.get("why", ""), until=values.get("until"), by=None, reason=reason, **common)
    elif verb == "merge":
        moves.merge(into=_target(values, rows), by=None, reason=reason, **common)
    else:
        moves.add_note(feedback=feedback, text=values["said"] or reason, by=None, now=now, via=via)


def _person(values: dict[str, Any]) -> User:
    name = values.get("assignee", "")
    person = User.objects.filter(username=name).first() if name else None
    if person is None:
        raise InvalidInput(
            _("There is no “%(value)s”.") % {"value": name}, code="unknown_assignee", field="assignee"
        )
    return person


def _target(values: dict[str, Any], rows: FeedbackQuerySet) -> Feedback:
    match = CASE.fullmatch(values.get("into", "").strip())
    target = rows.filter(pk=int(match[1])).first() if match else None
    if target is None:
        raise InvalidInput(
            _("There is no “%(value)s”.") % {"value": values.get("into", "")},
            code="unknown_feedback",
            field="into",
        )
    return target
