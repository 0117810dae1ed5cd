"""Suggestions beside a case, search by meaning, and how well automatic answers do (R21)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.core.reference import Cached
from apps.core.statistics import Share
from apps.feedback.answering import Entry, Facts, Hit, Index, Weights, stops
from apps.feedback.answering.gates import shipped_words
from apps.feedback.choices import ArticleState, ArticleUseKind, AutoAnswerState, Verdict
from apps.feedback.models import Article, ArticleUse, AutoAnswer, Feedback, KnowledgePolicy, WordList

STAMP = "feedback.knowledge"
#: Suggestions less sure than this are not shown: a wrong one costs reading time.
SHOWN_FROM = 0.12
SURE, LIKELY = 0.75, 0.4
#: Where the words of the gates stand under Word lists, a list for each reason.
GATE_LISTS = "knowledge/gates/"
STEPS = tuple(round(0.2 + 0.05 * step, 2) for step in range(16))


@dataclass(frozen=True, slots=True)
class Known:
    """What the index keeps of a published article beside its words."""

    pk: int
    title: str
    body: str
    language: str
    version: int
    automatic: bool
    valid_from: date | None
    valid_until: date | None
    stores: frozenset[int]
    products: frozenset[int]

    def holds(self, day: date, store_id: int | None, product_id: int | None) -> bool:
        """Whether it may be said on this day, for this store and product. An unknown store or product narrows nothing

        for suggestions; an automatic answer asks `fits`.
        """
        return (
            (self.valid_from is None or self.valid_from <= day)
            and (self.valid_until is None or day <= self.valid_until)
            and (not self.stores or store_id is None or store_id in self.stores)
            and (not self.products or product_id is None or product_id in self.products)
        )

    def fits(self, store_id: int | None) -> bool:
        """An answer of certain stores is given by a machine only where the store is known to be one of them.

        Products are named in the question itself, which the search has weighed; a known other product never fits.
        """
        return not self.stores or store_id in self.stores


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An article that may answer."""

    article: Known
    confidence: float
    variant: str

    @property
    def words(self) -> str:
        """The confidence as people say it."""
        if self.confidence >= SURE:
            return _("fits very likely")
        return _("may fit") if self.confidence >= LIKELY else _("weak match")

    @property
    def colour(self) -> str:
        """For the badge."""
        return "green" if self.confidence >= SURE else "amber" if self.confidence >= LIKELY else "grey"


class Base:
    """The published articles of one moment: their index and their facts. Built once a process, three queries."""

    def __init__(self, index: Index, known: dict[int, Known], gates: dict[str, tuple[str, ...]]) -> None:
        self.index = index
        self.known = known
        self.gates = gates

    @classmethod
    def load(cls) -> Base:
        """From the database."""
        entries, known = [], {}
        rows = Article.objects.filter(state=ArticleState.PUBLISHED).prefetch_related(
            "variants", "products", "stores"
        )
        for row in rows:
            products = list(row.products.all())
            known[row.pk] = Known(
                pk=row.pk,
                title=row.title,
                body=row.body,
                language=row.language,
                version=row.version,
                automatic=row.may_auto_answer and not row.is_sensitive,
                valid_from=row.valid_from,
                valid_until=row.valid_until,
                stores=frozenset(store.pk for store in row.stores.all()),
                products=frozenset(product.pk for product in products),
            )
            entries.append(
                Entry(
                    key=row.pk,
                    language=row.language,
                    title=row.title,
                    variants=tuple(variant.text for variant in row.variants.all()),
                    body=row.body,
                    terms=tuple(
                        dict.fromkeys(
                            word for product in products for word in (product.name, *product.keywords)
                        )
                    ),
                    products=frozenset(product.pk for product in products),
                )
            )
        return cls(Index(entries), known, gate_words())

    def search(
        self,
        text: str,
        *,
        day: date,
        store_id: int | None = None,
        product_id: int | None = None,
        limit: int = 3,
        least: float = SHOWN_FROM,
    ) -> list[Suggestion]:
        """The best articles that hold on `day`, best first. No query."""
        only = {pk for pk, known in self.known.items() if known.holds(day, store_id, product_id)}
        found: list[Hit] = self.index.search(
            text,
            limit=limit,
            only=only,
            products=frozenset() if product_id is None else frozenset((product_id,)),
        )
        return [
            Suggestion(self.known[hit.key], hit.confidence, hit.variant)  # type: ignore[index]
            for hit in found
            if hit.confidence >= least
        ]


def gate_words() -> dict[str, tuple[str, ...]]:
    """The words of each reason as staff keep them under Word lists, with the shipped expressions. One query."""
    words = dict(shipped_words())
    for row in WordList.objects.filter(path__startswith=GATE_LISTS):
        reason = row.path.removeprefix(GATE_LISTS)
        # Staff's words are words: an expression of theirs could stand still on a long text.
        own = (word for word in row.words if isinstance(word, str) and word and not word.startswith("re:"))
        words[reason] = (*own, *(word for word in words.get(reason, ()) if word.startswith("re:")))
    return words


_cached: Cached[Base] = Cached(STAMP, Base.load)


def base() -> Base:
    """The present knowledge base; one query unless it changed."""
    return _cached.get()


def forget_base() -> None:
    """For tests."""
    _cached.forget()


def policy() -> KnowledgePolicy:
    """The one row of rules; made when first asked for."""
    found = KnowledgePolicy.objects.order_by("pk").first()
    return found or KnowledgePolicy.objects.create(pk=1, threshold=Weights.shipped().threshold)


def suggestions_for(feedback: Feedback, now: datetime, *, limit: int = 3) -> list[Suggestion]:
    """What may answer this case. One query unless articles changed."""
    return base().search(
        feedback.text,
        day=timezone.localdate(now),
        store_id=feedback.store_id,
        product_id=feedback.product_id,
        limit=limit,
    )


def facts_of(feedback: Feedback, *, repeated: bool = False) -> Facts:
    """The reading as the gates want it; `category` and `subcategory` must be selected with the row."""
    return Facts(
        kind=feedback.kind,
        sentiment=feedback.sentiment,
        emotion=feedback.emotion,
        tier=feedback.tier,
        category=feedback.category.code if feedback.category else "",
        subcategory=feedback.subcategory.code if feedback.subcategory else "",
        s_review=feedback.s_review,
        repeated=repeated,
    )


def why_person(feedback: Feedback, *, repeated: bool = False) -> list[str]:
    """The gates' reasons for this case; empty: a machine may answer if it is sure."""
    return stops(feedback.text, facts_of(feedback, repeated=repeated), base().gates)


# -- the card beside a case ----------
def card(feedback: Feedback, user: Any, now: datetime) -> dict[str, Any] | None:
    """Top suggestions with what colleagues made of them, and what the machine did. Three queries at most."""
    if not user.has_perm("feedback.view_article"):
        return None
    answer = AutoAnswer.objects.filter(feedback=feedback).select_related("article").first()
    used = dict(
        ArticleUse.objects.filter(feedback=feedback)
        .exclude(kind=ArticleUseKind.AUTOMATIC)
        .values_list("article_id", "kind")
    )
    rows = [
        {"suggestion": found, "used": used.get(found.article.pk, "")}
        for found in suggestions_for(feedback, now, limit=5)
        if used.get(found.article.pk) != ArticleUseKind.UNFIT
    ][:3]
    return {
        "rows": rows,
        "answer": answer,
        "can_use": user.has_perm("feedback.use_article") and feedback.is_open,
        "empty": not base().known,
    }


# -- figures ----------
@dataclass
class Figures:
    """How automatic answering did in a period. Shares come with what they rest on (domain.md 3.3)."""

    sent: int
    held: int
    withdrawn: int
    coverage: Share
    wrong: Share
    to_review: int
    reasons: list[tuple[Any, int]] = field(default_factory=list)


def figures(now: datetime, *, days: int = 30) -> Figures:
    """Of the last `days`. Two queries."""
    from apps.feedback.choices import HOLD_REASONS

    rows = AutoAnswer.objects.filter(at__gte=now - timedelta(days=days))
    counts = rows.aggregate(
        sent=Count("pk", filter=Q(state=AutoAnswerState.SENT)),
        held=Count("pk", filter=Q(state=AutoAnswerState.HELD)),
        withdrawn=Count("pk", filter=Q(state=AutoAnswerState.WITHDRAWN)),
        judged=Count("pk", filter=~Q(verdict="")),
        wrong=Count("pk", filter=Q(verdict=Verdict.WRONG)),
        to_review=Count("pk", filter=Q(sampled_for_review=True, verdict="", state=AutoAnswerState.SENT)),
    )
    reasons: dict[str, int] = {}
    for listed in rows.filter(state=AutoAnswerState.HELD).values_list("reasons", flat=True)[:5000]:
        for reason in listed[:1]:
            reasons[reason] = reasons.get(reason, 0) + 1
    answered = counts["sent"] + counts["withdrawn"]
    return Figures(
        sent=counts["sent"],
        held=counts["held"],
        withdrawn=counts["withdrawn"],
        coverage=Share(answered, answered + counts["held"]),
        wrong=Share(counts["wrong"], counts["judged"]),
        to_review=counts["to_review"],
        reasons=[
            (HOLD_REASONS.get(code, code), count)
            for code, count in sorted(reasons.items(), key=lambda pair: -pair[1])[:6]
        ],
    )


@dataclass
class Step:
    """What a threshold would have meant for the judged answers."""

    threshold: float
    right: Share
    kept: Share

    @cached_property
    def percent(self) -> int:
        """For the label."""
        return round(self.threshold * 100)


def curve(rows: Iterable[tuple[float, str]] | None = None) -> list[Step]:
    """Per threshold: how many of the shop's own judged answers were right, and how many would still be answered.

    Answers below the threshold then in force were never given, so lower thresholds than that look the same as it.
    One query.
    """
    judged = (
        list(
            AutoAnswer.objects.exclude(verdict="").order_by("-at").values_list("confidence", "verdict")[:2000]
        )
        if rows is None
        else list(rows)
    )
    steps = []
    for threshold in STEPS:
        kept = [verdict for confidence, verdict in judged if confidence >= threshold]
        steps.append(
            Step(threshold, Share(kept.count(Verdict.RIGHT), len(kept)), Share(len(kept), len(judged)))
        )
    return steps
