"""Grouping what is similar, and answering many at once (R18)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Max, Min, Q
from django.utils.translation import gettext as _

from apps.compliance.selectors import check
from apps.compliance.services import verdicts
from apps.compliance.types import Facts, worst
from apps.core.choices import NoticeLevel
from apps.core.exceptions import DomainError, IllegalMove, InvalidInput, NotPermitted
from apps.core.models import ActionLog, Approval, User
from apps.core.services import approvals
from apps.core.services.notices import notify
from apps.core.workflow import check as check_move
from apps.core.workflow import perform
from apps.feedback.choices import OPEN, OPEN_TOPICS, Kind, Sentiment, TopicAnswerState, TopicState
from apps.feedback.clustering import Group, Grouping, Placed, Text, name_of
from apps.feedback.models import (
    Category,
    Feedback,
    Topic,
    TopicAnswer,
    TopicCursor,
    TopicExclusion,
    TopicMember,
    TopicMerge,
)
from apps.feedback.selectors.composer import values_of, ways
from apps.feedback.services import moves, replies
from apps.feedback.transitions import TOPIC, TOPIC_WORK
from apps.messaging.templates import check_body, preview
from apps.shop.models import Product

logger = logging.getLogger(__name__)

APPROVAL_KIND = "feedback.topic_answer"
# What a text could not be filled with.
GAP = re.compile("〔([^〕]*)〕")
ANSWER = "feedback.answer_topic"
LOOKS_BACK = timedelta(days=30)
LEARNS_FROM = 20_000
A_ROUND = 2_000
MOST_ANSWERED = 500

# Kept by a worker between rounds, with the round it belongs to: another worker's round makes it stale.
_kept: dict[str, Any] = {}


def forget_grouping() -> None:
    """Drop what is in memory; tests call it."""
    _kept.clear()


def _worth_grouping() -> Q:
    """What may be a problem: complaints, questions, wishes and everything negative that says something."""
    return (
        Q(sentiment=Sentiment.NEGATIVE) | Q(kind__in=(Kind.COMPLAINT, Kind.INQUIRY, Kind.SUGGESTION))
    ) & ~Q(subcategory__code="OTHER_NO_CONTENT")


_FIELDS = ("id", "text", "category__code", "subcategory__code", "product_id", "reading", "received_at")


def _text_of(row: Sequence[Any]) -> Text:
    pk, text, category, subcategory, product_id, reading, _at = row
    words = tuple(str(word) for word in (reading or {}).get("keywords", ())[:6])
    return Text(pk, text, category or "", subcategory or "", str(product_id or ""), words)


def group_new(*, now: datetime, limit: int = A_ROUND) -> int:
    """Put what came since the last round into topics; answers how many feedback found or made one.

    One worker at a time; a crash loses the round, never a topic. The first round of a worker learns from the last
    30 days, at most 20,000 texts.
    """
    TopicCursor.objects.get_or_create(pk=1)
    with transaction.atomic():
        cursor = TopicCursor.objects.select_for_update().get(pk=1)
        grouping: Grouping | None = _kept.get("grouping")
        if grouping is None or _kept.get("round") != (cursor.up_to, cursor.rounds):
            grouping = _kept["grouping"] = _loaded(cursor.up_to, now)
        rows = list(
            Feedback.objects.filter(_worth_grouping(), pk__gt=cursor.up_to, topic_member__isnull=True)
            .filter(received_at__gte=now - LOOKS_BACK)
            .order_by("pk")
            .values_list(*_FIELDS)[:limit]
        )
        if not rows:
            _kept["round"] = (cursor.up_to, cursor.rounds)
            return 0
        placed = _placed(grouping, rows, now)
        cursor.up_to, cursor.rounds = rows[-1][0], cursor.rounds + 1
        cursor.save()
    _kept["round"] = (cursor.up_to, cursor.rounds)
    return placed


def _loaded(up_to: int, now: datetime) -> Grouping:
    grouping = Grouping()
    recent = (
        Feedback.objects.filter(_worth_grouping(), received_at__gte=now - LOOKS_BACK)
        .order_by("-pk")
        .values_list(*_FIELDS)[:LEARNS_FROM]
    )
    texts = [_text_of(row) for row in recent]
    grouping.learn(texts)
    for topic in Topic.objects.open().select_related("category"):  # type: ignore[attr-defined]
        code = topic.category.code if topic.category else ""
        grouping.put_group(Group(topic.pk, code, dict(topic.centre), topic.size, topic.about))
    linked = set(
        TopicMember.objects.filter(feedback__in=[text.id for text in texts]).values_list("pk", flat=True)
    )
    for text in reversed(texts):
        if text.id <= up_to and text.id not in linked:
            # Was looked at before and found nobody: it waits for others.
            grouping.place(text, may_seed=False)
    return grouping


def _placed(grouping: Grouping, rows: Sequence[Sequence[Any]], now: datetime) -> int:
    texts = [_text_of(row) for row in rows]
    grouping.learn(texts)
    excluded = set(
        TopicExclusion.objects.filter(feedback__in=[text.id for text in texts]).values_list(
            "feedback_id", "topic_id"
        )
    )
    joined: dict[int, list[tuple[int, float]]] = {}
    count = 0
    for text in texts:
        found = grouping.place(text)
        if found.fresh:
            count += _new_topic(grouping, found, text.category, now)
        elif found.group is not None and (text.id, found.group) not in excluded:
            joined.setdefault(found.group, []).append((text.id, found.similarity))
            count += 1
    TopicMember.objects.bulk_create(
        [
            TopicMember(feedback_id=pk, topic_id=topic, similarity=round(score, 3), at=now)
            for topic, members in joined.items()
            for pk, score in members
        ],
        ignore_conflicts=True,
        batch_size=500,
    )
    for small, large, _score in grouping.same_groups():
        if small in grouping.groups and large in grouping.groups:
            _absorbed(grouping, small, large, now)
            joined[large] = joined.get(large, [])
    for key in joined:
        if key in grouping.groups:
            group = grouping.groups[key]
            Topic.objects.filter(pk=key).update(
                centre={k: round(v, 4) for k, v in group.centre.items()}, updated_at=now
            )
    recount(joined)
    return count


def _new_topic(grouping: Grouping, found: Placed, category: str, now: datetime) -> int:
    rows = list(Feedback.objects.filter(pk__in=found.fresh, topic_member__isnull=True).values_list(*_FIELDS))
    if len(rows) < 2:
        return 0
    texts = [_text_of(row) for row in rows]
    products = {text.product for text in texts}
    topic = Topic.objects.create(
        name=_name(grouping, texts),
        about=found.about,
        category=Category.objects.filter(code=category).first(),
        product_id=int(products.pop()) if len(products) == 1 and products != {""} else None,
    )
    group = grouping.adopt(topic.pk, category, texts, found.about)
    TopicMember.objects.bulk_create(
        [TopicMember(feedback_id=text.id, topic=topic, similarity=1.0, at=now) for text in texts],
        ignore_conflicts=True,
    )
    Topic.objects.filter(pk=topic.pk).update(centre={k: round(v, 4) for k, v in group.centre.items()})
    recount([topic.pk])
    return len(texts)


def _name(grouping: Grouping, texts: Sequence[Text]) -> str:
    phrases = name_of([text.text for text in texts], grouping.frequency, grouping.texts)
    codes = {text.subcategory for text in texts if text.subcategory}
    node = Category.objects.filter(code=codes.pop()).first() if len(codes) == 1 else None
    products = {text.product for text in texts}
    product = (
        Product.objects.filter(pk=int(products.pop())).first()
        if len(products) == 1 and products != {""}
        else None
    )
    words = " · ".join(phrases[:2] if product else phrases)
    if product is not None and node is not None:
        return (f"{product.name} {node}" + (f":{words}" if words else ""))[:120]
    if node is None:
        return (words or texts[0].text[:20])[:120]
    return (f"{node}:{words}" if words else str(node))[:120]


def _absorbed(grouping: Grouping, small: int, large: int, now: datetime) -> None:
    """Two wordings of one problem that nobody has touched become one."""
    topic = Topic.objects.filter(pk=small, made_by__isnull=True, state=TopicState.OPEN).first()
    target = Topic.objects.filter(pk=large, state__in=OPEN_TOPICS).first()
    if topic is None or target is None or topic.history.filter(history_user__isnull=False).exists():
        return
    merge(topic=topic, into=target, by=None, now=now, reason=_("the same problem in other words"))
    grouping.absorb(small, large)


def recount(ids: Iterable[int]) -> None:
    """Bring size, first and last of these topics up to date. One query, and one for each topic."""
    figures = {
        row["topic_id"]: row
        for row in TopicMember.objects.filter(topic__in=list(ids))
        .order_by()
        .values("topic_id")
        .annotate(n=Count("pk"), first=Min("feedback__received_at"), last=Max("feedback__received_at"))
    }
    for pk in ids:
        row = figures.get(pk, {"n": 0, "first": None, "last": None})
        Topic.objects.filter(pk=pk).update(size=row["n"], first_at=row["first"], last_at=row["last"])


# -- what people do ----------
def _may(by: User | None, permission: str = TOPIC_WORK) -> None:
    if by is not None and not by.has_perm(permission):
        raise NotPermitted(_("You may not change common problems."))


@transaction.atomic
def create(*, name: str, feedback: Iterable[Feedback], by: User, now: datetime, note: str = "") -> Topic:
    """A topic made by a person, of these feedback."""
    _may(by, "feedback.add_topic")
    if len(name.strip()) < 2:
        raise InvalidInput(_("Give the problem a name."), field="name")
    rows = list(feedback)
    categories = {row.category_id for row in rows}
    topic = Topic.objects.create(
        name=name.strip()[:120],
        note=note,
        category_id=categories.pop() if len(categories) == 1 else None,
        made_by=by,
    )
    link(topic=topic, feedback=rows, by=by, now=now)
    return topic


@transaction.atomic
def link(*, topic: Topic, feedback: Iterable[Feedback], by: User, now: datetime) -> int:
    """Put feedback into a topic, out of whatever topic it was in; answers how many."""
    _may(by)
    locked = Topic.objects.select_for_update().get(pk=topic.pk)
    if locked.state == TopicState.MERGED:
        raise IllegalMove(_("This common problem is part of another one."))
    rows = list(feedback)
    before = dict(TopicMember.objects.filter(feedback__in=rows).values_list("feedback_id", "topic_id"))
    for row in rows:
        TopicMember.objects.update_or_create(
            feedback=row, defaults={"topic": locked, "similarity": None, "by": by, "at": now}
        )
    TopicExclusion.objects.filter(topic=locked, feedback__in=rows).delete()
    _log(locked, "link", by=by, now=now, data={"feedback": [row.pk for row in rows]})
    recount({locked.pk, *before.values()})
    topic.refresh_from_db()
    return len(rows)


@transaction.atomic
def unlink(*, topic: Topic, feedback: Feedback, by: User, now: datetime) -> None:
    """It is something else: taken out, and the machine does not put it back."""
    _may(by)
    if not TopicMember.objects.filter(topic=topic, feedback=feedback).delete()[0]:
        raise IllegalMove(_("This feedback is not part of the problem."))
    TopicExclusion.objects.get_or_create(feedback=feedback, topic=topic, defaults={"by": by, "at": now})
    _log(topic, "unlink", by=by, now=now, data={"feedback": [feedback.pk]})
    recount([topic.pk])


def _log(topic: Topic, verb: str, *, by: User | None, now: datetime, data: dict[str, Any]) -> None:
    ActionLog.objects.create(
        model="feedback.topic",
        object_id=topic.pk,
        verb=verb,
        from_state=topic.state,
        to_state=topic.state,
        by=by,
        via="admin" if by else "sweep",
        at=now,
        data=data,
    )


@transaction.atomic
def close(*, topic: Topic, reason: str, by: User, now: datetime) -> ActionLog:
    """Nothing more to do; new feedback of the kind makes a new one."""
    return perform(TOPIC, topic, "close", by=by, now=now, reason=reason, via="admin", field="state")


@transaction.atomic
def reopen(*, topic: Topic, reason: str, by: User, now: datetime) -> ActionLog:
    """It came back."""
    return perform(TOPIC, topic, "reopen", by=by, now=now, reason=reason, via="admin", field="state")


@transaction.atomic
def merge(*, topic: Topic, into: Topic, by: User | None, now: datetime, reason: str) -> ActionLog:
    """Move all feedback of `topic` into another one; which moved is remembered, so that undoing is exact."""
    if topic.pk == into.pk:
        raise InvalidInput(_("A common problem cannot be merged into itself."), field="into")
    locked = {
        row.pk: row
        for row in Topic.objects.select_for_update().filter(pk__in=[topic.pk, into.pk]).order_by("pk")
    }
    target = locked[into.pk]
    if target.state == TopicState.MERGED:
        raise IllegalMove(_("“%(name)s” is itself part of another one.") % {"name": target})
    record = TopicMerge.objects.create(
        source=topic,
        target=target,
        moved=list(TopicMember.objects.filter(topic=topic).order_by("pk").values_list("pk", flat=True)),
        centre=target.centre,
        state=topic.state,
        by=by,
        at=now,
    )
    log = perform(
        TOPIC,
        topic,
        "merge",
        by=by,
        now=now,
        reason=reason,
        via="admin" if by else "sweep",
        changes={"merged_into_id": target.pk},
        data={"merge": record.pk},
        field="state",
    )
    TopicMember.objects.filter(pk__in=record.moved).update(topic=target)
    centre = dict(target.centre)
    for piece, value in topic.centre.items():
        centre[piece] = round(centre.get(piece, 0.0) + value, 4)
    Topic.objects.filter(pk=target.pk).update(centre=centre)
    recount([topic.pk, target.pk])
    return log


@transaction.atomic
def unmerge(*, topic: Topic, reason: str, by: User, now: datetime) -> ActionLog:
    """Give back exactly what the merge took, where it still is in the target."""
    record = (
        TopicMerge.objects.select_for_update()
        .filter(source=topic, undone_at__isnull=True)
        .order_by("-pk")
        .first()
    )
    if record is None:
        raise IllegalMove(_("There is no merge to undo."))
    target = Topic.objects.select_for_update().get(pk=record.target_id)
    if target.state == TopicState.MERGED:
        # Its feedback has moved on with the target's: undone now, it would come back empty.
        raise IllegalMove(_("“%(name)s” is itself part of another one.") % {"name": target})
    log = perform(
        TOPIC,
        topic,
        "unmerge",
        by=by,
        now=now,
        reason=reason,
        via="admin",
        changes={"merged_into_id": None},
        data={"merge": record.pk},
        field="state",
    )
    if record.state != TopicState.OPEN:
        Topic.objects.filter(pk=topic.pk).update(state=record.state)
    # What a person has moved elsewhere since stays there.
    TopicMember.objects.filter(pk__in=record.moved, topic=record.target_id).update(topic=topic)
    TopicMerge.objects.filter(pk=record.pk).update(undone_at=now)
    target = Topic.objects.get(pk=record.target_id)
    centre = {
        piece: left
        for piece, value in target.centre.items()
        if (left := round(value - topic.centre.get(piece, 0.0), 4)) > 0
    }
    Topic.objects.filter(pk=target.pk).update(centre=centre)
    recount([topic.pk, target.pk])
    topic.refresh_from_db()
    return log


# -- one answer for many ----------
def answerable(topic: Topic, user: User) -> list[Feedback]:
    """Members that can still be answered and that this person sees, oldest first."""
    return list(
        Feedback.objects.visible_to(user)
        .filter(topic_member__topic=topic, status__in=OPEN)
        .select_related("customer", "channel", "store", "order", "product", "category", "subcategory")
        .order_by("received_at", "id")[:MOST_ANSWERED]
    )


def ask_answer(
    *, topic: Topic, text: str, feedback_ids: Sequence[int], by: User, now: datetime, resolution: str = ""
) -> TopicAnswer:
    """Ask a second person to read one text for all these. Raises InvalidInput or Unlawful."""
    check_move(TOPIC, topic, "answer", by=by, reason="", field="state")
    text = text.strip()
    if len(text) < 5:
        raise InvalidInput(_("Write the answer."), field="text")
    check_body(text, field="text")
    chosen = [row for row in answerable(topic, by) if row.pk in set(feedback_ids)]
    ids = [row.pk for row in chosen]
    gaps = {row.number: gap for row in chosen if (gap := GAP.search(_filled(text, row, by)))}
    if gaps:
        raise InvalidInput(
            _(
                "For %(count)d of them not everything is known, e.g. %(number)s: %(what)s. Leave them out or reword."
            )
            % {"count": len(gaps), "number": next(iter(gaps)), "what": next(iter(gaps.values()))[1]},
            field="text",
        )
    if not ids:
        raise InvalidInput(_("Choose at least one feedback that is still open."), field="feedback_ids")
    facts = Facts(
        subject="reply", reward="none", trigger="none", invites_review=replies.asks_for_review(text),
        review_script_required=False, local_hour=12,
    )  # fmt: skip
    findings = check(text, facts=facts, at=now)
    action = worst(findings)
    if findings:
        verdicts.keep(
            findings=findings, text=text, facts=facts, by=by, now=now, subject_key=f"topic:{topic.pk}"
        )
    if action == "block":
        raise verdicts.Unlawful(
            _("This may not be sent: %(rule)s.") % {"rule": findings[0].title},
            findings=findings,
            field="text",
        )
    # What was stopped is kept above, outside of what is taken back together.
    with transaction.atomic():
        answer = TopicAnswer.objects.create(
            topic=topic, text=text, feedback_ids=ids, resolution=resolution.strip()[:500], by=by, at=now
        )
        answer.approval = approvals.ask(
            kind=APPROVAL_KIND,
            record=answer,
            title=_("Answer %(count)d customers: %(topic)s") % {"count": len(ids), "topic": topic.name},
            permission=verdicts.APPROVE if action == "require_approval" else ANSWER,
            by=by,
            now=now,
            summary=text,
            payload={str(_("Customers")): len(ids), str(_("and resolve with")): answer.resolution or "–"},
            url=f"/admin/feedback/topic/{topic.pk}/change/",
        )
        answer.save(update_fields=["approval"])
        _log(topic, "ask_answer", by=by, now=now, data={"answer": answer.pk, "count": len(ids)})
        return answer


def answer_approved(approval: Approval, by: User, now: datetime) -> None:
    """Core's yes: the worker sends. Not for a problem that was closed or merged while the text waited."""
    topic = Topic.objects.filter(answers=approval.object_id).first()
    if topic is not None and topic.state not in OPEN_TOPICS:
        raise IllegalMove(_("This common problem is closed or part of another one by now."))
    TopicAnswer.objects.filter(pk=approval.object_id, state=TopicAnswerState.WAITING).update(
        state=TopicAnswerState.SENDING
    )


def answer_rejected(approval: Approval, by: User, now: datetime) -> None:
    """Core's no."""
    TopicAnswer.objects.filter(pk=approval.object_id, state=TopicAnswerState.WAITING).update(
        state=TopicAnswerState.DROPPED
    )


def send_answers(*, now: datetime, limit: int = 200) -> int:
    """Go on with approved answers; answers how many customers were written to.

    Each customer's reply has a key of its own: whoever repeats this after a crash writes to nobody twice.
    """
    sent = 0
    for answer in (
        TopicAnswer.objects.filter(state=TopicAnswerState.SENDING)
        .select_related("topic", "by")
        .order_by("at")
    ):
        waiting = [pk for pk in answer.feedback_ids if str(pk) not in answer.done][: limit - sent]
        rows = {
            row.pk: row
            for row in Feedback.objects.filter(pk__in=waiting).select_related(
                "customer", "channel", "store", "order", "product", "category", "subcategory"
            )
        }
        for pk in waiting:
            outcome = _answer_one(answer, rows.get(pk), now=now)
            sent += outcome == "sent"
            answer.done = _note(answer.pk, pk, outcome)
        if all(str(pk) in answer.done for pk in answer.feedback_ids):
            TopicAnswer.objects.filter(pk=answer.pk, state=TopicAnswerState.SENDING).update(
                state=TopicAnswerState.DONE
            )
            _finished(answer, now=now)
        if sent >= limit:
            break
    return sent


def _finished(answer: TopicAnswer, *, now: datetime) -> None:
    """Tell whoever asked how it went; the problem counts as answered only where somebody was written to."""
    reached = sum(outcome == "sent" for outcome in answer.done.values())
    missed = len(answer.done) - reached
    if reached:
        Topic.objects.filter(pk=answer.topic_id, state=TopicState.OPEN).update(state=TopicState.ANSWERED)
    notify(
        recipients=[answer.by_id],
        level=NoticeLevel.WARNING if missed else NoticeLevel.INFO,
        title=_("%(topic)s: %(reached)d answered, %(missed)d not")
        % {"topic": answer.topic.name, "reached": reached, "missed": missed},
        body="\n".join(
            f"F{int(pk):07d}: {outcome}" for pk, outcome in answer.done.items() if outcome != "sent"
        )[:2000],
        url=f"/admin/feedback/topic/{answer.topic_id}/change/",
        key=f"topic_answer:{answer.pk}",
        now=now,
    )


def _note(answer_id: int, pk: int, outcome: str) -> dict[str, str]:
    """Write down what became of one; two workers at once keep what the other wrote."""
    with transaction.atomic():
        row = TopicAnswer.objects.select_for_update().get(pk=answer_id)
        row.done = {str(pk): outcome} | row.done
        row.save(update_fields=["done"])
    return row.done


def _filled(text: str, feedback: Feedback, by: User) -> str:
    return preview(text, {"customer_name": _("dear customer")} | values_of(feedback, by))


def _answer_one(answer: TopicAnswer, feedback: Feedback | None, *, now: datetime) -> str:
    if feedback is None:
        return str(_("gone"))
    way = next((way for way in ways(feedback) if way.open), None)
    if way is None:
        return str(_("cannot be reached"))
    text = _filled(answer.text, feedback, answer.by)
    if GAP.search(text):
        return str(_("not everything could be filled in"))
    reply = replies.Reply(channel=str(way.channel), text=text, token=f"topic-{answer.pk}")
    try:
        replies.send_approved(feedback=feedback, reply=reply, by=answer.by, now=now)
        feedback.refresh_from_db()
        if answer.resolution and feedback.status in OPEN:
            moves.resolve(feedback=feedback, by=answer.by, now=now, reason=answer.resolution)
    except DomainError as error:
        return str(error.message)
    except Exception:
        # One customer's fault must not keep all the others waiting for ever.
        logger.exception("topic answer %s: feedback %s failed", answer.pk, feedback.pk)
        return str(_("could not be sent"))
    return "sent"


def topic_trend(ids: Iterable[int], now: datetime, *, weeks: int = 8) -> dict[int, list[int]]:
    """How many feedback of each topic came in each of the last weeks, oldest first. One query."""
    since = now - timedelta(weeks=weeks)
    found: dict[int, list[int]] = {pk: [0] * weeks for pk in ids}
    rows = TopicMember.objects.filter(topic__in=list(found), feedback__received_at__gte=since)
    for topic_id, at in rows.values_list("topic_id", F("feedback__received_at")):
        place = min(int((at - since) / timedelta(weeks=1)), weeks - 1)
        found[topic_id][place] += 1
    return found
