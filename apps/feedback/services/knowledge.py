"""The verbs of articles: submitted, published by a second person, revised, retired, used; samples and proposals (R21)."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from apps.compliance.services import verdicts
from apps.compliance.types import worst
from apps.core.exceptions import InvalidInput, NotPermitted
from apps.core.masking import mask_text
from apps.core.models import ActionLog, Approval, User
from apps.core.reference import touch
from apps.core.services import approvals
from apps.core.workflow import check, perform
from apps.feedback import matching
from apps.feedback.choices import (
    ArticleState,
    ArticleUseKind,
    EntryKind,
    Kind,
    ProposalState,
    Status,
)
from apps.feedback.models import (
    Article,
    ArticleProposal,
    ArticleUse,
    ArticleVariant,
    AutoAnswer,
    Category,
    Entry,
    Feedback,
)
from apps.feedback.selectors.knowledge import STAMP, base
from apps.feedback.services.replies_hook import unlawful
from apps.feedback.transitions import APPROVE_ARTICLE, ARTICLE, PROPOSAL
from apps.shop.models import Product

APPROVAL_KIND = "feedback.article"
SAMPLES = Path(__file__).resolve().parent.parent / "demo_data" / "knowledge.json"
#: So often must people have given much the same answer before an article is proposed.
OFTEN = 3
LOOK_BACK = timedelta(days=90)
ALIKE = 0.6


# -- moves ----------
def submit(*, article: Article, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Ask a second person. Raises InvalidInput for an article without a way of asking or whose time is over,

    Unlawful (kept as a verdict) for one that no customer may read.
    """
    check(ARTICLE, article, "submit", by=by, reason="", field="state")
    findings, facts = unlawful(article.body, now=now)
    if findings:
        verdicts.keep(
            findings=findings,
            text=article.body,
            facts=facts,
            by=by,
            now=now,
            subject_key=f"article:{article.pk}",
            url=f"/admin/feedback/article/{article.pk}/change/",
        )
    if worst(findings) == "block":
        raise verdicts.Unlawful(
            _("This may not be sent: %(rule)s.") % {"rule": findings[0].title}, findings=findings
        )
    return _submit(article=article, by=by, now=now, via=via)


@transaction.atomic
def _submit(*, article: Article, by: User, now: datetime, via: str) -> ActionLog:
    if not article.variants.exists():
        raise InvalidInput(_("Add at least one way in which customers ask for this."))
    if article.valid_until is not None and article.valid_until < timezone.localdate(now):
        raise InvalidInput(_("Its last day has passed."), field="valid_until")
    log = perform(ARTICLE, article, "submit", by=by, now=now, via=via, field="state")
    approvals.ask(
        kind=APPROVAL_KIND,
        record=article,
        title=_("Article: %(title)s") % {"title": article.title},
        summary=article.body,
        payload={
            _("Ways of asking"): "; ".join(article.variants.values_list("text", flat=True)),
            _("May answer automatically"): _("yes")
            if article.may_auto_answer and not article.is_sensitive
            else _("no"),
        },
        permission=APPROVE_ARTICLE,
        by=by,
        now=now,
        url=f"/admin/feedback/article/{article.pk}/change/",
    )
    return log


def approved(approval: Approval, by: User, now: datetime) -> None:
    """A second person agreed: published with a new version."""
    article = Article.objects.get(pk=approval.object_id)
    perform(
        ARTICLE,
        article,
        "publish",
        by=by,
        now=now,
        via="approval",
        changes={"version": article.version + 1, "published_at": now},
        field="state",
    )
    _remember(article, by, pgettext("article", "published"))
    touch(STAMP)


def rejected(approval: Approval, by: User, now: datetime) -> None:
    """Back to draft; whoever wrote it reads why."""
    article = Article.objects.get(pk=approval.object_id)
    perform(
        ARTICLE, article, "send_back", by=by, now=now, reason=approval.reason, via="approval", field="state"
    )


@transaction.atomic
def withdraw(*, article: Article, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Back to draft before anybody decided."""
    log = perform(ARTICLE, article, "withdraw", by=by, now=now, via=via, field="state")
    for approval in Approval.objects.filter(
        kind=APPROVAL_KIND, model="feedback.article", object_id=article.pk, state="pending"
    ):
        approvals.withdraw(
            approval=approval, by=None, now=now, reason=_("taken back by %(who)s") % {"who": by}
        )
    return log


@transaction.atomic
def revise(*, article: Article, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Open for changes; answers nothing until approved again."""
    log = perform(ARTICLE, article, "revise", by=by, now=now, via=via, field="state")
    touch(STAMP)
    return log


@transaction.atomic
def retire(*, article: Article, by: User, now: datetime, reason: str, via: str = "admin") -> ActionLog:
    """No longer suggested."""
    log = perform(ARTICLE, article, "retire", by=by, now=now, reason=reason, via=via, field="state")
    touch(STAMP)
    return log


def _remember(article: Article, by: User | None, why: str) -> None:
    """perform() updates past the history; a version people may look up needs its row."""
    article._history_user = by  # type: ignore[attr-defined]
    article._change_reason = why  # type: ignore[attr-defined]
    article.save()


# -- use ----------
@transaction.atomic
def use(*, article: Article, feedback: Feedback, fits: bool, by: User, now: datetime) -> ArticleUse:
    """Note that a colleague used an article for a case, or found it not fitting. The last word counts."""
    if not by.has_perm("feedback.use_article"):
        raise NotPermitted(_("You may not use knowledge articles."))
    kind = ArticleUseKind.USED if fits else ArticleUseKind.UNFIT
    other = ArticleUseKind.UNFIT if fits else ArticleUseKind.USED
    ArticleUse.objects.filter(article=article, feedback=feedback, kind=other).delete()
    row, _made = ArticleUse.objects.get_or_create(
        article=article, feedback=feedback, kind=kind, defaults={"by": by, "at": now}
    )
    return row


# -- samples ----------
@transaction.atomic
def load_samples(*, by: User | None, now: datetime, published: bool) -> Counter[str]:
    """The sample articles: published for the demo shop, as drafts for a real one. Codes that exist are left alone."""
    data = json.loads(SAMPLES.read_text("utf-8"))["articles"]
    if by is not None and not by.has_perm("feedback.add_article"):
        raise NotPermitted(_("You may not add knowledge articles."))
    categories = {row.code: row for row in Category.objects.all()}
    products = {row.sku: row for row in Product.objects.all()}
    there = set(Article.objects.values_list("code", "language"))
    done: Counter[str] = Counter()
    today = timezone.localdate(now)
    for row in data:
        for language, part in (("zh", row), ("en", row.get("en"))):
            if not part:
                continue
            if (row["code"], language) in there:
                done["kept"] += 1
                continue
            article = Article(
                code=row["code"],
                language=language,
                title=part["title"],
                body=part["body"],
                category=categories.get(row["category"]),
                may_auto_answer=not row["sensitive"],
                is_sensitive=row["sensitive"],
                valid_until=today + timedelta(days=row["valid_days"]) if row.get("valid_days") else None,
                state=ArticleState.PUBLISHED if published else ArticleState.DRAFT,
                version=1 if published else 0,
                published_at=now if published else None,
                written_by=by,
                is_sample=published,
            )
            article._history_user = by  # type: ignore[attr-defined]
            article.save()
            ArticleVariant.objects.bulk_create(
                ArticleVariant(article=article, text=text) for text in part["variants"]
            )
            article.products.set([products[sku] for sku in row["products"] if sku in products])
            done["created"] += 1
    touch(STAMP)
    return done


@transaction.atomic
def clear_samples() -> int:
    """Remove the sample articles nobody changed: with them their uses. Automatic answers keep their text."""
    rows = Article.objects.filter(is_sample=True)
    ids = list(rows.values_list("pk", flat=True))
    edited = set(
        Article.history.filter(id__in=ids, history_user__isnull=False)
        .filter(history_type="~")
        .values_list("id", flat=True)
    )
    gone = [pk for pk in ids if pk not in edited]
    ActionLog.objects.filter(model="feedback.article", object_id__in=gone).delete()
    Article.objects.filter(pk__in=gone).delete()
    Article.history.filter(id__in=gone).delete()
    touch(STAMP)
    return len(gone)


# -- proposals ----------
def propose(*, now: datetime, limit: int = 5000) -> int:
    """Articles from answers that worked: resolved questions to which people gave much the same answer. Returns how many.

    Questions that a published article answers already are left out. Texts are masked before they are kept.
    """
    answers = _worked(now, limit)
    known = base()
    day = timezone.localdate(now)
    made = 0
    for group in _alike(answers):
        covered = sum(
            bool(found) and found[0].confidence >= 0.5
            for found in (known.search(question, day=day, limit=1) for _pk, question, _said, _cat in group)
        )
        if covered * 2 > len(group):
            continue
        questions = list(
            dict.fromkeys(mask_text(question.strip())[:200] for _pk, question, _said, _cat in group)
        )
        said = mask_text(max((said for _pk, _question, said, _cat in group), key=len))
        key = hashlib.sha256(matching.text_key(said).encode()).hexdigest()[:32]
        first = min(pk for pk, *_rest in group)
        category = Counter(cat for *_rest, cat in group).most_common(1)[0][0]
        # The same group seen a week later has a new longest answer: its first case names it too.
        if ArticleProposal.objects.filter(key__in=(key, f"case-{first}")).exists():
            continue
        ArticleProposal.objects.create(
            key=f"case-{first}",
            title=min(questions, key=len)[:120],
            questions=questions[:8],
            body=said[:2000],
            category_id=category,
            count=len(group),
        )
        made += 1
    return made


Row = tuple[int, str, str, int | None]


def _worked(now: datetime, limit: int) -> list[Row]:
    """(case, question, answer, category) of resolved questions with their last answer by a person. Two queries."""
    cases = {
        pk: (text, category)
        for pk, text, category in Feedback.objects.filter(
            kind=Kind.INQUIRY,
            status__in=(Status.RESOLVED, Status.CLOSED),
            received_at__gte=now - LOOK_BACK,
            reopened=0,
        )
        .order_by("-received_at")
        .values_list("pk", "text", "category_id")[:limit]
    }
    said: dict[int, str] = {}
    for pk, text in (
        Entry.objects.filter(feedback_id__in=list(cases), is_automatic=False)
        # Noted by a person, or written in the composer and gone out; a result notice answers no question.
        .filter(
            Q(kind=EntryKind.CONTACT)
            | Q(kind=EntryKind.REPLY, settled_at__isnull=False, message__purpose="reply")
        )
        .order_by("at", "id")
        .values_list("feedback_id", "text")
    ):
        if len(text) >= 8:
            said[pk] = text
    return [(pk, *(cases[pk][:1]), said[pk], cases[pk][1]) for pk in sorted(said)]


def _alike(rows: Iterable[Row]) -> list[list[Row]]:
    """Groups of at least OFTEN whose answers share most of their 3-grams."""
    index = matching.NearIndex(threshold=ALIKE)
    leader: dict[int, int] = {}
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        key = matching.text_key(row[2])
        if not key:
            continue
        found = index.find(key)
        first = leader[max(found, key=lambda pair: pair[1])[0]] if found else row[0]
        leader[row[0]] = first
        index.add(row[0], key)
        groups[first].append(row)
    return [group for group in groups.values() if len(group) >= OFTEN]


@transaction.atomic
def accept(*, proposal: ArticleProposal, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Make a draft article out of a proposal."""
    check(PROPOSAL, proposal, "accept", by=by, reason="", field="state")
    article = Article(
        code=f"{slugify(proposal.title)[:40] or 'answer'}-{proposal.pk}",
        title=proposal.title,
        body=proposal.body,
        category=proposal.category,
        written_by=by,
    )
    article._history_user = by  # type: ignore[attr-defined]
    article.save()
    ArticleVariant.objects.bulk_create(
        ArticleVariant(article=article, text=text[:200]) for text in dict.fromkeys(proposal.questions)
    )
    return perform(
        PROPOSAL,
        proposal,
        "accept",
        by=by,
        now=now,
        via=via,
        changes={"article_id": article.pk},
        field="state",
    )


def reject(*, proposal: ArticleProposal, by: User, now: datetime, via: str = "admin") -> ActionLog:
    """Not worth an article; it is not proposed again."""
    return perform(PROPOSAL, proposal, "reject", by=by, now=now, via=via, field="state")


def open_proposals() -> int:
    """How many wait."""
    return ArticleProposal.objects.filter(state=ProposalState.OPEN).count()


def forget_answers_of(ids: list[int]) -> None:
    """Drop log rows of automatic answers on cases that are removed (demo)."""
    answers = list(AutoAnswer.objects.filter(feedback_id__in=ids).values_list("pk", flat=True))
    ActionLog.objects.filter(model="feedback.autoanswer", object_id__in=answers).delete()


__all__ = [
    "APPROVAL_KIND",
    "accept",
    "approved",
    "clear_samples",
    "load_samples",
    "open_proposals",
    "propose",
    "reject",
    "rejected",
    "retire",
    "revise",
    "submit",
    "use",
    "withdraw",
]
