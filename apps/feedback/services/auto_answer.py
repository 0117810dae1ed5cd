"""Answering plain questions by machine, and leaving everything else to people with a reason (R21; GB/T 47746-2026)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from apps.core.exceptions import DomainError, InvalidInput, NotPermitted
from apps.core.models import ActionLog, User
from apps.core.workflow import perform
from apps.customers.models import ContactHold
from apps.feedback.answering import language_of
from apps.feedback.choices import HOLD_REASONS, ArticleUseKind, AutoAnswerState, Kind, Status, Verdict
from apps.feedback.models import ArticleUse, AutoAnswer, Feedback, KnowledgePolicy
from apps.feedback.selectors.knowledge import Base, Suggestion, base, policy, why_person
from apps.feedback.services import moves
from apps.feedback.services.replies_hook import send_automatic
from apps.feedback.transitions import AUTO_ANSWER, REVIEW_ANSWER

#: Questions older than this are left to people without a word: an answer by machine hours later helps nobody.
FRESH = timedelta(hours=6)
#: Who asks again within this time was not helped by the machine.
AGAIN = timedelta(hours=72)
REVIEW_ALL_FIRST = 30
BATCH = 200
#: Appended to each answer, in its own language: it says what it is and how to reach a person (AI labelling rules).
FOOTER = {
    "zh": "——以上为知识库自动回复,仅供参考。没有解决?回复“人工”转人工客服。",
    "en": "— This is an automatic reply from our knowledge base. Not solved? Reply “人工” or “human” to reach a person.",
}


def due(*, now: datetime, rules: KnowledgePolicy) -> list[int]:
    """New questions the machine has not looked at. The partial index `feedback_to_answer` serves it."""
    since = now - FRESH
    if rules.switched_on_at is not None:
        since = max(since, rules.switched_on_at)
    return list(
        Feedback.objects.filter(
            kind=Kind.INQUIRY,
            status__in=(Status.NEW, Status.ASSIGNED),
            first_response_at__isnull=True,
            created_at__gte=since,
            is_historical=False,
            channel__in=rules.channels.all(),
        )
        .filter(~Exists(AutoAnswer.objects.filter(feedback_id=OuterRef("pk"))))
        .order_by("created_at")
        .values_list("pk", flat=True)[:BATCH]
    )


def answer_due(*, now: datetime) -> int:
    """Look at every new question once; returns how many were answered. May run twice or in parallel."""
    rules = policy()
    if not rules.auto_answer:
        return 0
    sent = 0
    ids = due(now=now, rules=rules)
    if not ids:
        return 0
    known = base()
    day_start = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    today = AutoAnswer.objects.filter(at__gte=day_start).exclude(state=AutoAnswerState.HELD).count()
    for pk in ids:
        try:
            with transaction.atomic():
                state = _answer_one(
                    pk, known=known, rules=rules, left=rules.daily_cap - today - sent, now=now
                )
        except IntegrityError:
            # Another worker looked at it in the same moment.
            continue
        sent += state == AutoAnswerState.SENT
    return sent


def _answer_one(
    pk: int, *, known: Base, rules: KnowledgePolicy, left: int, now: datetime
) -> AutoAnswerState | None:
    feedback = (
        Feedback.objects.select_for_update(of=("self",))
        .select_related("channel", "category", "subcategory", "store", "product")
        .filter(pk=pk, status__in=(Status.NEW, Status.ASSIGNED), first_response_at__isnull=True)
        .first()
    )
    # A person was quicker, or another worker holds it: its row would be a second one.
    if feedback is None or AutoAnswer.objects.filter(feedback_id=pk).exists():
        return None
    found = known.search(
        feedback.text,
        day=timezone.localdate(now),
        store_id=feedback.store_id,
        product_id=feedback.product_id,
    )
    best = found[0] if found else None
    reasons = _reasons(feedback, best, rules=rules, left=left, now=now)
    if not reasons and best is not None:
        try:
            with transaction.atomic():
                return _send(feedback, best, rules=rules, now=now)
        except DomainError:
            reasons = ["refused"]
    _hold(feedback, reasons, found, now=now)
    return AutoAnswerState.HELD


def _reasons(
    feedback: Feedback, best: Suggestion | None, *, rules: KnowledgePolicy, left: int, now: datetime
) -> list[str]:
    reasons = why_person(feedback, repeated=asked_again(feedback, now=now))
    if feedback.customer_id and (
        ContactHold.objects.filter(
            Q(ends_at__isnull=True) | Q(ends_at__gt=now),
            customer_id=feedback.customer_id,
            released_at__isnull=True,
            starts_at__lte=now,
        ).exists()
    ):
        reasons.append("hold")
    if (
        best is None
        or best.confidence < rules.threshold
        or best.article.language != language_of(feedback.text)
    ):
        reasons.append("unsure")
    elif not best.article.automatic or not best.article.fits(feedback.store_id):
        reasons.append("not_allowed")
    if left <= 0:
        reasons.append("cap")
    return reasons


def asked_again(feedback: Feedback, *, now: datetime) -> bool:
    """Whether the machine answered this customer before and they are still asking: a person goes on from there."""
    answered = AutoAnswer.objects.filter(at__gte=now - AGAIN).exclude(state=AutoAnswerState.HELD)
    if feedback.parent_id and answered.filter(feedback_id=feedback.parent_id).exists():
        return True
    if not feedback.customer_id:
        return False
    return (
        answered.filter(feedback__customer_id=feedback.customer_id).exclude(feedback_id=feedback.pk).exists()
    )


def compose(suggestion: Suggestion) -> str:
    """The text as the customer gets it."""
    return f"{suggestion.article.body.strip()}\n\n{FOOTER[suggestion.article.language]}"


def _send(feedback: Feedback, best: Suggestion, *, rules: KnowledgePolicy, now: datetime) -> AutoAnswerState:
    text = compose(best)
    AutoAnswer.objects.create(
        feedback=feedback,
        article_id=best.article.pk,
        version=best.article.version,
        confidence=best.confidence,
        text=text,
        state=AutoAnswerState.SENT,
        at=now,
        updated_at=now,
        sampled_for_review=_drawn(feedback.pk, rules),
    )
    ArticleUse.objects.create(
        article_id=best.article.pk,
        feedback=feedback,
        kind=ArticleUseKind.AUTOMATIC,
        confidence=best.confidence,
        at=now,
    )
    send_automatic(feedback=feedback, text=text, now=now)
    return AutoAnswerState.SENT


def _drawn(pk: int, rules: KnowledgePolicy) -> bool:
    """By the case's number, so that nobody can choose; the first answers of a shop are all looked at."""
    if AutoAnswer.objects.exclude(state=AutoAnswerState.HELD)[:REVIEW_ALL_FIRST].count() < REVIEW_ALL_FIRST:
        return True
    return zlib.crc32(str(pk).encode()) % 100 < rules.sample_percent


def _hold(feedback: Feedback, reasons: list[str], found: Sequence[Suggestion], *, now: datetime) -> None:
    """Context travels: the note says why a person has to answer and what was found."""
    best = found[0] if found else None
    AutoAnswer.objects.create(
        feedback=feedback,
        article_id=best.article.pk if best else None,
        version=best.article.version if best else 0,
        confidence=best.confidence if best else 0,
        state=AutoAnswerState.HELD,
        reasons=reasons,
        at=now,
        updated_at=now,
    )
    with translation.override(settings.LANGUAGE_CODE):
        words = _("Left to a person: %(why)s.") % {
            "why": ", ".join(str(HOLD_REASONS.get(reason, reason)) for reason in reasons[:4])
        }
        if found:
            words += " " + _("Found in the knowledge base: %(titles)s") % {
                "titles": "; ".join(f"{hit.article.title} ({hit.confidence:.0%})" for hit in found[:2])
            }
        moves.add_note(feedback=feedback, text=words, by=None, now=now, via="auto-answer")


# -- review ----------
@transaction.atomic
def judge(*, answer: AutoAnswer, verdict: str, by: User, now: datetime) -> AutoAnswer:
    """Right or wrong, by somebody who may review. The last word counts; a wrong one leaves a note on the case."""
    if not by.has_perm(REVIEW_ANSWER):
        raise NotPermitted(_("You may not review automatic answers."))
    if verdict not in Verdict.values:
        raise InvalidInput(_("Right or wrong?"), field="verdict")
    if answer.state == AutoAnswerState.HELD:
        raise InvalidInput(_("This was left to a person: there is no answer to judge."))
    before = answer.verdict
    answer.verdict, answer.reviewed_by, answer.reviewed_at, answer.updated_at = verdict, by, now, now
    answer.save(update_fields=["verdict", "reviewed_by", "reviewed_at", "updated_at"])
    ActionLog.objects.create(
        model="feedback.autoanswer",
        object_id=answer.pk,
        verb="judge",
        by=by,
        at=now,
        via="admin",
        data={"verdict": verdict},
    )
    if verdict == Verdict.WRONG and before != Verdict.WRONG:
        moves.add_note(
            feedback=answer.feedback,
            text=_("The automatic answer was judged wrong. Please put it right with the customer."),
            by=by,
            now=now,
        )
    return answer


@transaction.atomic
def take_back(*, answer: AutoAnswer, by: User, now: datetime, reason: str) -> ActionLog:
    """Count an answer as wrong and withdrawn; a note asks a person to put it right."""
    log = perform(
        AUTO_ANSWER,
        answer,
        "take_back",
        by=by,
        now=now,
        reason=reason,
        changes={"verdict": Verdict.WRONG, "reviewed_by_id": by.pk, "reviewed_at": now},
        via="admin",
        field="state",
    )
    moves.add_note(
        feedback=answer.feedback,
        text=_("The automatic answer was taken back: %(reason)s") % {"reason": reason},
        by=by,
        now=now,
    )
    return log


@transaction.atomic
def set_policy(
    *, values: dict[str, Any], channels: Sequence[Any], by: User, now: datetime
) -> KnowledgePolicy:
    """Change the rules. Switching on remembers when: questions from before stay with people."""
    if not by.has_perm("feedback.change_knowledgepolicy"):
        raise NotPermitted(_("You may not change the rules for automatic answers."))
    rules = KnowledgePolicy.objects.select_for_update().get(pk=policy().pk)
    was = rules.auto_answer
    for name in ("auto_answer", "threshold", "sample_percent", "daily_cap"):
        if name in values:
            setattr(rules, name, values[name])
    if rules.auto_answer and not channels:
        raise InvalidInput(_("Choose at least one channel."), field="channels")
    if rules.auto_answer and not was:
        rules.switched_on_at = now
    rules._history_user = by  # type: ignore[attr-defined]
    rules.full_clean(exclude=["channels"])
    rules.save()
    rules.channels.set(channels)
    ActionLog.objects.create(
        model="feedback.knowledgepolicy",
        object_id=rules.pk,
        verb="change",
        by=by,
        at=now,
        via="admin",
        data={"auto_answer": rules.auto_answer, "threshold": rules.threshold},
    )
    return rules
