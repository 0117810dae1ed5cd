"""Several moves in one button: shown first, then done whole or not at all (R20)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.compliance.services import verdicts
from apps.compliance.types import worst
from apps.core.exceptions import DomainError, InvalidInput
from apps.core.models import ActionLog, User
from apps.feedback.choices import Tier, WaitReason
from apps.feedback.models import Category, Feedback, Macro
from apps.feedback.selectors.composer import values_of, ways
from apps.feedback.services import moves, promises, replies
from apps.feedback.transitions import FEEDBACK
from apps.messaging.models import MessageTemplate
from apps.messaging.templates import preview
from apps.shop.models import Department, WorkItem

VERBS = ("claim", "reply", "note", "correct", "promise", "task", "wait", "resolve")
MOST_STEPS = 8


@dataclass(slots=True)
class Step:
    """One step as the preview shows it."""

    index: int
    verb: str
    text: str
    reply: str = ""
    why_not: str = ""


def check_steps(steps: Any) -> None:
    """Refuse steps that could not be done. Raises InvalidInput naming the step."""
    if not isinstance(steps, list) or not steps:
        raise InvalidInput(_("A macro needs at least one step."), field="steps")
    if len(steps) > MOST_STEPS:
        raise InvalidInput(_("At most %(limit)d steps.") % {"limit": MOST_STEPS}, field="steps")
    for number, step in enumerate(steps, start=1):
        problem = _problem(step)
        if problem:
            raise InvalidInput(
                _("Step %(number)d: %(problem)s") % {"number": number, "problem": problem},
                field="steps",
                step=number,
            )
    ends = [step["verb"] for step in steps if step["verb"] in ("wait", "resolve")]
    if len(ends) > 1 or (ends and steps[-1]["verb"] not in ("wait", "resolve")):
        raise InvalidInput(_("Waiting or resolving is the last step, once."), field="steps")


def _problem(step: Any) -> str:
    if not isinstance(step, dict) or step.get("verb") not in VERBS:
        return _("choose what to do")
    verb = step["verb"]
    if (
        verb == "reply"
        and not MessageTemplate.objects.filter(code=step.get("template", ""), is_active=True).exists()
    ):
        return _("choose a template that is in use")
    if verb in ("note", "resolve", "promise", "task", "wait") and len(str(step.get("text", "")).strip()) < 2:
        return _("write the text")
    if verb in ("promise", "task", "wait") and not 1 <= _hours(step) <= (72 if verb == "wait" else 720):
        return _("give the hours")
    if verb == "correct" and step.get("tier") not in Tier.values and not step.get("category"):
        return _("choose tier or category")
    if (
        verb == "correct"
        and step.get("category")
        and not Category.objects.filter(code=step["category"]).exists()
    ):
        return _("there is no such category")
    if verb == "task" and not Department.objects.filter(code=step.get("department", "")).exists():
        return _("choose a department")
    return ""


def _hours(step: Mapping[str, Any]) -> int:
    value = step.get("hours")
    return int(value) if isinstance(value, int | float) or str(value or "").isdecimal() else 0


def plan(*, macro: Macro, feedback: Feedback, by: User) -> list[Step]:
    """What the macro would do to this case, step by step, with replies filled in for the person to read and mend."""
    out = []
    names = Names()
    values = values_of(feedback, by)
    offered = {str(way.channel): way for way in ways(feedback)}
    for index, step in enumerate(macro.steps):
        verb = step["verb"]
        shown = Step(index, verb, describe(step, names))
        move = {"reply": "record_contact", "promise": "note", "task": "note"}.get(verb, verb)
        known = FEEDBACK.get(move)
        if verb == "reply":
            template = names.templates.get(step["template"])
            if template is None:
                shown.why_not = _("The template is gone.")
            else:
                shown.reply = preview(template, values)
                way = offered.get(template.channel)
                if way is None or not way.open:
                    shown.why_not = _("This customer cannot be reached by %(way)s.") % {
                        "way": template.get_channel_display()
                    }
        if not shown.why_not and known is not None:
            if not by.has_perm(known.permission):
                shown.why_not = _("You may not do “%(move)s”.") % {"move": known.label}
            elif feedback.status not in known.sources and verb not in ("claim", "wait", "resolve"):
                # Waiting and resolving come after a reply that carries the case on.
                shown.why_not = _("“%(move)s” is not possible while this is “%(state)s”.") % {
                    "move": known.label,
                    "state": feedback.get_status_display(),
                }
        out.append(shown)
    return out


@dataclass
class Names:
    """What steps call templates, categories and departments; loaded when first asked for, three queries at most."""

    @cached_property
    def templates(self) -> dict[str, MessageTemplate]:
        """By code."""
        return {row.code: row for row in MessageTemplate.objects.all()}

    @cached_property
    def categories(self) -> dict[str, Category]:
        """By code."""
        return {row.code: row for row in Category.objects.all()}

    @cached_property
    def departments(self) -> dict[str, Department]:
        """By code."""
        return {row.code: row for row in Department.objects.all()}


def describe(step: Mapping[str, Any], names: Names | None = None) -> str:
    """A step as a sentence."""
    names = names or Names()
    verb, text, hours = step.get("verb"), str(step.get("text", "")), _hours(step)
    if verb == "claim":
        return _("Take the case, where nobody has claimed it")
    if verb == "reply":
        template = names.templates.get(step.get("template", ""))
        return _("Reply with “%(template)s” by %(way)s") % {
            "template": template.title if template else step.get("template", ""),
            "way": template.get_channel_display() if template else "–",
        }
    if verb == "note":
        return _("Note: %(text)s") % {"text": text}
    if verb == "correct":
        node = names.categories.get(step.get("category", ""))
        return _("Correct the reading: %(what)s") % {
            "what": " · ".join(str(part) for part in (step.get("tier"), node) if part)
        }
    if verb == "promise":
        return _("Promise within %(hours)d h: %(text)s") % {"hours": hours, "text": text}
    if verb == "task":
        return _("Task for %(department)s within %(hours)d h: %(text)s") % {
            "department": names.departments.get(step.get("department", ""), "–"),
            "hours": hours,
            "text": text,
        }
    if verb == "wait":
        return _("Wait %(hours)d h for the customer: %(text)s") % {"hours": hours, "text": text}
    return _("Resolve: %(text)s") % {"text": text}


def run(
    *, macro: Macro, feedback: Feedback, texts: Mapping[int, str], token: str, by: User, now: datetime
) -> list[str]:
    """Do every step, or none: the first refusal takes back what was done before it. Answers what was done, in words.

    `texts` are the replies as the person left them, by step. A text that a rule stops is kept as a verdict.
    """
    for index, text in texts.items():
        template = MessageTemplate.objects.filter(code=macro.steps[index].get("template", "")).first()
        findings, facts = replies.findings_of(feedback, text, template.channel if template else "", now=now)
        if worst(findings) in ("block", "require_approval"):
            verdicts.keep(
                findings=findings,
                text=text,
                facts=facts,
                by=by,
                now=now,
                subject_key=replies.subject_key(feedback.pk),
            )
            raise InvalidInput(
                _("Step %(number)d: %(problem)s")
                % {"number": index + 1, "problem": f"{findings[0].title} – {findings[0].alternative}"},
                field=f"reply_{index}",
            )
    done = []
    with transaction.atomic():
        if not _first_time(feedback, token, macro, by=by, now=now):
            return [describe(step) for step in macro.steps]
        for index, step in enumerate(macro.steps):
            feedback.refresh_from_db()
            try:
                _do(step, index, feedback, texts, token, by, now)
            except DomainError as error:
                raise InvalidInput(
                    _("Step %(number)d: %(problem)s") % {"number": index + 1, "problem": error.message},
                    field=f"reply_{index}" if step["verb"] == "reply" else "",
                ) from error
            done.append(describe(step))
    return done


def _first_time(feedback: Feedback, token: str, macro: Macro, *, by: User, now: datetime) -> bool:
    """Whether this page's macro was not done before; the row's lock settles two presses at once."""
    Feedback.objects.select_for_update().get(pk=feedback.pk)
    logs = ActionLog.objects.filter(model="feedback.feedback", object_id=feedback.pk, verb="macro")
    if logs.filter(data__token=token).exists():
        return False
    ActionLog.objects.create(
        model="feedback.feedback",
        object_id=feedback.pk,
        verb="macro",
        from_state=feedback.status,
        to_state=feedback.status,
        reason=macro.name,
        by=by,
        via="admin",
        at=now,
        data={"token": token},
    )
    return True


def _do(
    step: Mapping[str, Any],
    index: int,
    feedback: Feedback,
    texts: Mapping[int, str],
    token: str,
    by: User,
    now: datetime,
) -> None:
    common: dict[str, Any] = {"feedback": feedback, "by": by, "now": now}
    verb, text, until = step["verb"], str(step.get("text", "")), now + timedelta(hours=_hours(step))
    if verb == "claim":
        if feedback.claimed_at is None and feedback.status in ("new", "assigned"):
            moves.claim(**common)
    elif verb == "reply":
        template = MessageTemplate.objects.get(code=step["template"])
        reply = replies.Reply(
            channel=template.channel, text=texts.get(index, ""), token=f"{token}-{index}", template=template
        )
        if "〔" in reply.text:
            raise InvalidInput(_("Fill in what stands between 〔 and 〕."))
        replies.send_reply(**common, reply=reply)
    elif verb == "note":
        moves.add_note(**common, text=text)
    elif verb == "correct":
        moves.correct(**common, values=_reading(step))
    elif verb == "promise":
        promises.make(feedback=feedback, what=text, due_at=until, by=by, now=now)
    elif verb == "task":
        WorkItem.objects.get_or_create(
            origin_key=f"feedback:{feedback.pk}:macro:{token}:{index}",
            defaults={
                "kind": "task",
                "title": text[:200],
                "body": feedback.snippet,
                "department": Department.objects.get(code=step["department"]),
                "store_id": feedback.store_id,
                "product_id": feedback.product_id,
                "due_at": until,
                "url": f"/admin/feedback/feedback/{feedback.pk}/change/",
            },
        )
    elif verb == "wait":
        moves.wait(**common, why=WaitReason.CUSTOMER, until=until, reason=text)
    else:
        moves.resolve(**common, reason=text)


def _reading(step: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if step.get("tier") in Tier.values:
        values["tier"] = step["tier"]
    node = Category.objects.select_related("parent").filter(code=step.get("category", "")).first()
    if node is not None:
        values |= {"category": node.parent or node, "subcategory": node if node.parent_id else None}
    return values
