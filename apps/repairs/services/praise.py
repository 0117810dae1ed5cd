"""Thanking for praise, and tagging it (R32)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from apps.compliance.selectors import check
from apps.compliance.services import verdicts
from apps.compliance.types import Facts, Finding, worst
from apps.core.exceptions import DomainError, InvalidInput, NotPermitted
from apps.core.models import ActionLog, User
from apps.feedback.models import Entry, Feedback
from apps.feedback.selectors.composer import values_of, ways
from apps.feedback.services import replies
from apps.feedback.services.telling import address
from apps.messaging.choices import MessageChannel
from apps.messaging.models import MessageTemplate
from apps.messaging.templates import render
from apps.repairs.models import PraiseMark, PraiseTag
from apps.repairs.showing import offers_something

THANK = "repairs.thank_praise"
AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of many."""

    feedback: Feedback
    done: bool
    message: str


def reward_findings(text: str, *, now: datetime, trigger: str, subject: str = "reply") -> list[Finding]:
    """What the law says when a text to somebody who reviews speaks of a benefit; nothing where it speaks of none.

    A present for a good review is forbidden whether it is promised before or handed over after (网络反不正当竞争暂行规定 art. 9(5)).
    """
    if not offers_something(text):
        return []
    facts = Facts(subject=subject, reward="coupon", trigger=trigger, review_script_required=False)  # type: ignore[arg-type]
    stop = ("block", "require_approval")
    return [
        finding
        for finding in check(text, facts=facts, at=now)
        if finding.action in stop and not finding.missing
    ]


def thank(*, feedback: Feedback, template: MessageTemplate, by: User, now: datetime) -> Entry:
    """Say thank you by a template, once for each feedback, checked by the law and unrewarded.

    Raises NotPermitted, Missing (the template asks for what is not known), InvalidInput (no such way), Unlawful.
    """
    if not by.has_perm(THANK):
        raise NotPermitted(_("You may not thank customers from here."))
    way = next((way for way in ways(feedback) if way.channel == template.channel), None)
    if way is None or not way.open:
        raise InvalidInput(
            _("This customer cannot be reached by %(way)s.") % {"way": template.get_channel_display()}
        )
    text = render(template, values_of(feedback, by))
    findings, facts = replies.findings_of(feedback, text, template.channel, now=now)
    findings = [*reward_findings(text, now=now, trigger="review_positive"), *findings]
    if worst(findings) in ("block", "require_approval"):
        verdicts.keep(
            findings=findings,
            text=text,
            facts=facts,
            by=by,
            now=now,
            subject_key=replies.subject_key(feedback.pk),
            url=address(feedback.pk),
        )
        raise verdicts.Unlawful(
            _("This may not be sent: %(rule)s.") % {"rule": findings[0].title}, findings=findings
        )
    reply = replies.Reply(
        channel=template.channel,
        text=text,
        token=f"thanks-{feedback.pk}",
        template=template,
        after_end=True,
    )
    return replies.send_reply(feedback=feedback, reply=reply, by=by, now=now)


def thank_many(
    *, feedback: Sequence[Feedback], templates: Sequence[MessageTemplate], by: User, now: datetime
) -> list[Outcome]:
    """Thank each by itself with the first template whose way is open to it; a refusal does not sink the others."""
    found = []
    for row in list(feedback)[:AT_ONCE]:
        try:
            template = _fitting(row, templates)
            entry = thank(feedback=row, template=template, by=by, now=now)
        except DomainError as error:
            found.append(Outcome(row, False, str(error.message)))
        else:
            told = str(entry.message.get_state_display()) if entry.message is not None else _("done")
            found.append(Outcome(row, True, told))
    return found


def _fitting(feedback: Feedback, templates: Sequence[MessageTemplate]) -> MessageTemplate:
    by_channel = {template.channel: template for template in templates}
    for way in sorted(ways(feedback), key=lambda way: way.channel != MessageChannel.PUBLIC_REPLY):
        if way.open and way.channel in by_channel:
            return by_channel[way.channel]
    raise InvalidInput(_("None of the chosen templates reaches this customer."))


def suggested(feedback: Feedback, tags: Iterable[PraiseTag]) -> list[PraiseTag]:
    """Tags whose words stand in the text, or whose category the feedback was read as. No query."""
    keywords = " ".join(str(word) for word in feedback.reading.get("keywords", ()))
    text = f"{feedback.text} {keywords}"
    nodes = {feedback.category_id, feedback.subcategory_id} - {None}
    return [
        tag for tag in tags if tag.category_id in nodes or any(word and word in text for word in tag.words)
    ]


@transaction.atomic
def set_tags(
    *,
    feedback: Sequence[Feedback],
    add: Iterable[PraiseTag] = (),
    remove: Iterable[PraiseTag] = (),
    by: User,
    now: datetime,
) -> int:
    """Put tags on, and take tags off; answers how many were put on. Doing it twice changes nothing. Raises NotPermitted."""
    if not by.has_perm(THANK):
        raise NotPermitted(_("You may not tag praise."))
    rows, wanted = list(feedback)[:AT_ONCE], list(add)
    there = set(
        PraiseMark.objects.filter(feedback__in=rows, tag__in=wanted).values_list("feedback_id", "tag_id")
    )
    fresh = [
        PraiseMark(feedback_id=row.pk, tag=tag, by=by, at=now)
        for row in rows
        for tag in wanted
        if (row.pk, tag.pk) not in there
    ]
    PraiseMark.objects.bulk_create(fresh, ignore_conflicts=True)
    gone = list(remove)
    if gone:
        PraiseMark.objects.filter(feedback__in=rows, tag__in=gone).delete()
    ActionLog.objects.bulk_create(
        ActionLog(
            model="feedback.feedback",
            object_id=row.pk,
            verb="praise_tags",
            from_state=row.status,
            to_state=row.status,
            by=by,
            via="admin",
            at=now,
            data={"add": [tag.name for tag in wanted], "remove": [tag.name for tag in gone]},
        )
        for row in rows
    )
    return len(fresh)
